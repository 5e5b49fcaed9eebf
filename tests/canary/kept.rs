//! A sign-in that is kept, through its whole life: the refresh token brought, the ones that replace it, the key of the
//! vault, and an assertion with its private key.
//!
//! The provider repeats what it was asked with in every disguise, and the mail server what it was shown.

use posthouse::sandbox::fault::{Fault, Stage, Times, TokenFault};
use posthouse::sandbox::{Echo, Sandbox};

use crate::detector::{Canary, finds};
use crate::ears::Ears;
use crate::stage::{Relay, account, provider, quoted};

/// What seals the vault: 32 octets.
const KEY: &str = "Zm9yLXRoZS1jYW5hcnktdGVzdC1vbmx5LTMyLW9jdC4=";

/// A relay whose account has this credential and whose vault is sealed with [`KEY`].
fn relay(ears: &Ears, sandbox: &Sandbox, credential: &str) -> Relay {
    Relay::start_with(
        ears,
        sandbox,
        &format!("{}{credential}\n", account(sandbox)),
        "",
        &format!("key = {}\n", quoted(KEY)),
    )
}

/// An answer that hands these out.
fn answer(access: &str, refresh: &str) -> TokenFault {
    let body = format!(r#"{{"access_token":"{access}","refresh_token":"{refresh}","expires_in":3600,"scope":"mail"}}"#);
    TokenFault::Http { status: 200, body }
}

#[tokio::test]
async fn no_token_and_no_key_of_a_kept_sign_in_gets_out() {
    let (ears, _listening) = Ears::open();
    let sandbox = provider().await;
    let brought = sandbox.sign_in("mail").unwrap().refresh_token.unwrap().expose().to_owned();
    let access = sandbox.issue_token(&sandbox.settings().username, std::time::Duration::from_hours(1)).unwrap();
    let rotated = "rT-2kQ/+9~x_W8zB4!mV7yH3nC6gJ1fD5sL0pA";
    let canaries = [
        Canary::new("the refresh token that was brought", brought.clone()),
        Canary::new("the one that replaced it", rotated),
        Canary::new("the access token", access.expose()),
        Canary::new("the key of the vault", KEY),
    ];
    let credential = format!(
        "oauth = {{ grant = \"refresh_token\", token_endpoint = \"{}\", client_id = \"{}\", refresh_token = {} }}",
        sandbox.token_endpoint(),
        sandbox.settings().oauth.public_client_id,
        quoted(&brought)
    );
    // What was brought comes back in every disguise, while nothing else is known yet.
    for echo in Echo::ALL {
        let relay = relay(&ears, &sandbox, &credential);
        sandbox.faults().plan_token(TokenFault::EchoGrant(echo), Times::Always);
        assert!(relay.mail(&ears).await.starts_with("451"), "{echo:?}");
        sandbox.faults().clear();
        relay.end().await;
    }
    let relay = relay(&ears, &sandbox, &credential);
    sandbox.faults().plan_token(answer(access.expose(), rotated), Times::Once);
    assert!(relay.mail(&ears).await.starts_with("250"), "used");
    // The mail server takes the token no more; its renewal fails, and the endpoint repeats what it was asked with.
    for echo in Echo::ALL {
        sandbox.revoke_tokens();
        sandbox.faults().plan(Stage::Mail, Fault::reply_then_close(421, "4.7.0 Bye"), Times::Once);
        sandbox.faults().plan(Stage::Auth, Fault::EchoSecret(echo), Times::Once);
        sandbox.faults().plan_token(TokenFault::EchoGrant(echo), Times::Always);
        assert!(relay.mail(&ears).await.starts_with("451"), "{echo:?}");
        sandbox.faults().clear();
    }
    ears.hear(format!("{:?}", relay.app));
    let vault = std::fs::read(relay.directory.path().join("vault.json")).unwrap();
    relay.end().await;
    assert!(ears.log().contains("odd secret [secret]"), "the endpoint's echo was read and cleaned");
    ears.are_clean_of("a kept sign-in", &canaries);
    assert_eq!(finds(&canaries, &vault), Vec::<String>::new(), "and the vault shows none of them");
}

#[tokio::test]
async fn neither_an_assertion_nor_its_key_gets_out() {
    let (ears, _listening) = Ears::open();
    let sandbox = provider().await;
    let folder = tempfile::tempdir().unwrap();
    let file = sandbox.service_account_key().unwrap();
    std::fs::write(folder.path().join("key.json"), file.expose()).unwrap();
    let identity = sandbox.client_identity();
    std::fs::write(folder.path().join("client.crt"), &identity.certificate).unwrap();
    std::fs::write(folder.path().join("client.key"), identity.key.expose()).unwrap();
    let place = |name: &str| quoted(folder.path().join(name).to_str().unwrap());
    let inside = |pem: &str| pem.lines().nth(1).expect("a PEM body").to_owned();
    let parsed: serde_json::Value = serde_json::from_str(file.expose()).unwrap();
    let canaries = [
        Canary::new("the service account's key", inside(parsed["private_key"].as_str().unwrap())),
        Canary::new("the client's key", inside(identity.key.expose())),
    ];
    let endpoint = sandbox.token_endpoint();
    let service = format!(
        "oauth = {{ grant = \"service_account\", key_file = {}, scope = \"https://mail.google.com/\" }}",
        place("key.json")
    );
    let certificate = format!(
        "oauth = {{ grant = \"client_credentials\", token_endpoint = \"{endpoint}\", client_id = \"{}\", \
         client_certificate = {}, client_key = {} }}",
        sandbox.settings().client_id,
        place("client.crt"),
        place("client.key")
    );
    for credential in [service, certificate] {
        let works = relay(&ears, &sandbox, &credential);
        assert!(works.mail(&ears).await.starts_with("250"), "really proven: {credential}");
        works.end().await;
        for echo in Echo::ALL {
            for fault in [TokenFault::EchoGrant(echo), TokenFault::EchoSecret(echo)] {
                sandbox.faults().plan_token(fault, Times::Always);
                let relay = relay(&ears, &sandbox, &credential);
                assert!(relay.mail(&ears).await.starts_with("451"), "{echo:?}");
                sandbox.faults().clear();
                relay.end().await;
            }
        }
    }
    // An assertion is made anew each time; all begin with `{"` in base64.
    assert!(ears.log().contains("odd secret [secret]"), "the endpoint's echo was read and cleaned");
    assert!(!ears.log().contains("odd secret eyJ"), "{}", ears.log());
    ears.are_clean_of("assertions", &canaries);
}
