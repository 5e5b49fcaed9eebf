//! Whom an account believes beside the usual, what it shows of itself, and what all of that does not change.
//!
//! Every way to verify meets every wrong certificate in the tests of `net::trust`; here the whole relay is looked at.

use std::net::SocketAddr;

use posthouse::account::{self, Encryption};
use posthouse::net::trust::{Anchors, Identity, Pin, Verify};
use posthouse::sandbox::{Certificate, ClientIdentity, Sandbox, Settings};

use crate::scene::{Log, Scene, client_credentials, provider};

/// A way into TLS, and the provider's port for it.
type Way = (Encryption, fn(&Sandbox) -> SocketAddr);

/// Both ways.
fn ways() -> [Way; 2] {
    [(Encryption::Implicit, Sandbox::implicit), (Encryption::StartTls, Sandbox::starttls)]
}

#[tokio::test]
async fn a_server_that_signs_itself_is_taken_by_the_pin_its_refusal_showed() {
    for (encryption, port) in ways() {
        let log = Log::capture();
        let scene = Scene::account(|account, sandbox| {
            sandbox.present(Certificate::SelfSigned);
            (account.encryption, account.port) = (encryption, port(sandbox).port());
        })
        .await;
        assert!(scene.device().await.mail().await.starts_with("451 "));
        let text = log.text();
        let at = text.find("sha256/").unwrap_or_else(|| panic!("no pin to copy: {text}"));
        let pin: Pin = text[at..at + "sha256/".len() + 44].parse().unwrap();

        let scene =
            scene.restarted(|account| (account.trust.verify, account.trust.pins) = (Verify::Pin, vec![pin])).await;
        assert!(scene.device().await.mail().await.starts_with("250 "), "{encryption:?}: {}", log.text());
        assert_eq!(log.count(&["RISK"]), 0, "a pin is no risk");

        // Its owner changes the key: another certificate, which is right in every other way.
        scene.sandbox.present(Certificate::Good);
        let scene = scene.restarted(|_| {}).await;
        let heard = scene.device().await.mail().await;
        assert!(heard.contains("shows another key than the pinned ones: sha256/"), "{encryption:?}: {heard}");
    }
}

#[tokio::test]
async fn the_name_of_a_certificate_can_be_ignored_and_its_dates_cannot() {
    let scene = Scene::account(|account, _| account.trust.verify = Verify::Chain).await;
    scene.sandbox.present(Certificate::WrongHost);
    assert!(scene.device().await.mail().await.starts_with("250 "));
    let scene = scene.restarted(|_| {}).await;
    scene.sandbox.present(Certificate::Expired);
    assert!(scene.device().await.mail().await.contains("has expired"));
}

#[tokio::test]
async fn to_verify_nothing_is_shouted_for_each_connection() {
    for (encryption, port) in ways() {
        let log = Log::capture();
        let scene = Scene::account(|account, sandbox| {
            sandbox.present(Certificate::UnknownAuthority);
            (account.encryption, account.port) = (encryption, port(sandbox).port());
            account.trust.verify = Verify::None;
        })
        .await;
        let mut device = scene.device().await;
        assert!(device.mail().await.starts_with("250 ") && device.mail().await.starts_with("250 "));
        let risk = ["WARN", "RISK", "was not verified (verify = \"none\")"];
        assert_eq!(log.count(&risk), 1, "two mails over one connection: {}", log.text());
        let scene = scene.restarted(|_| {}).await;
        assert!(scene.device().await.mail().await.starts_with("250 "));
        assert_eq!(log.count(&risk), 2, "{}", log.text());
    }
}

/// Puts the identity into files and lets the account show it.
fn show(account: &mut account::Settings, identity: &ClientIdentity) {
    let Anchors::File(authority) = &account.trust.anchors else { panic!("the scene's account has a ca_file") };
    let files =
        Identity { certificate: authority.with_file_name("client.pem"), key: authority.with_file_name("client.key") };
    std::fs::write(&files.certificate, &identity.certificate).unwrap();
    std::fs::write(&files.key, identity.key.expose()).unwrap();
    account.trust.identity = Some(files);
}

#[tokio::test]
async fn a_provider_that_requires_a_client_certificate_gets_one_or_is_told_apart() {
    for (encryption, port) in ways() {
        let log = Log::capture();
        let provider = Settings { require_client_certificate: true, ..provider() };
        let scene = Scene::with(provider, |config, sandbox| {
            let account = &mut config.accounts[0];
            (account.encryption, account.port) = (encryption, port(sandbox).port());
        })
        .await;
        let heard = scene.device().await.mail().await;
        assert!(heard.contains("127.0.0.1 requires a client certificate and none is configured"), "{heard}");
        log.assert_line(&["attempt failed", "cause=config", "`client_certificate` and `client_key`"]);

        let (ours, strange) =
            (scene.sandbox.client_identity().clone(), scene.sandbox.strange_client_identity().clone());
        let scene = scene.restarted(|account| show(account, &strange)).await;
        let heard = scene.device().await.mail().await;
        assert!(heard.contains("127.0.0.1 does not accept our client certificate"), "{heard}");
        scene.assert_nothing_arrived();
        assert_eq!(scene.sandbox.counters().auth_attempts, 0);

        let scene = scene.restarted(|account| show(account, &ours)).await;
        assert!(scene.device().await.mail().await.starts_with("250 "), "{encryption:?}: {}", log.text());
    }
}

#[tokio::test]
async fn a_token_endpoint_is_verified_in_full_whatever_the_mail_server_is_let_through_with() {
    for verify in [Verify::None, Verify::Chain, Verify::Pin] {
        let log = Log::capture();
        let scene = Scene::account(|account, sandbox| {
            client_credentials(account, sandbox);
            (account.trust.verify, account.trust.pins) = (verify, Vec::new());
            if verify == Verify::Pin {
                account.trust.pins = vec![Pin::Key([7; 32])];
            }
            sandbox.present_at_token_endpoint(Certificate::WrongHost);
        })
        .await;
        assert!(scene.device().await.mail().await.starts_with("451 "), "{verify:?}");
        log.assert_line(&["attempt failed", "is for another name", "oauth.token_endpoint"]);
        assert_eq!(scene.sandbox.counters().connections, 0, "{verify:?}: no token, no connection");
    }
}

#[tokio::test]
async fn pins_are_the_mail_servers_and_a_private_token_endpoint_is_reached_by_ca_file() {
    let log = Log::capture();
    let scene = Scene::account(|account, sandbox| {
        client_credentials(account, sandbox);
        account.trust.verify = Verify::None;
    })
    .await;
    assert!(scene.device().await.mail().await.starts_with("250 "), "{}", log.text());
    let scene = scene
        .restarted(|account| (account.trust.verify, account.trust.pins) = (Verify::Pin, vec![Pin::Key([7; 32])]))
        .await;
    let heard = scene.device().await.mail().await;
    assert!(heard.contains("shows another key than the pinned ones"), "the token was had: {heard}");
}
