//! Promise 5: a sign-in failure holds the account and costs one attempt, not one per message.

use std::time::Duration;

use posthouse::account::Source;
use posthouse::account::oauth::{ClientAuthentication, ClientProof, Given, Grant};
use posthouse::sandbox::fault::{Fault, Gate, Stage, Times};
use posthouse::secret::Secret;

use crate::scene::{Log, Scene, client_credentials, reached};

/// At the end of the data of whoever found out, at MAIL for the others.
const HELD: &str = "451 4.7.0 ";

#[tokio::test]
async fn a_wrong_password_is_tried_once_however_many_mails_come() {
    let log = Log::capture();
    let scene =
        Scene::account(|account, _| account.credential = Source::Password(Secret::new("mistyped".into()))).await;
    let mut device = scene.device().await;
    for _ in 0..5 {
        let heard = device.mail().await;
        assert!(heard.starts_with(HELD), "{heard}");
    }
    assert!(scene.device().await.mail().await.starts_with(HELD), "another session");
    let counters = scene.sandbox.counters();
    assert_eq!((counters.connections, counters.auth_attempts), (1, 1));
    assert_eq!(log.count(&["account held", "cause=account", "next_try_s=300"]), 1, "said once: {}", log.text());
    assert_eq!(log.count(&["not delivered"]), 1);
    assert_eq!(log.count(&["refused", "The account cannot be used"]), 5, "and each message has its line");
    scene.assert_nothing_arrived();
}

#[tokio::test]
async fn mails_that_come_while_the_first_is_being_refused_cost_no_attempt_of_their_own() {
    let log = Log::with_transcripts();
    let scene = Scene::account(|account, _| {
        account.credential = Source::Password(Secret::new("mistyped".into()));
        account.connections = 3;
    })
    .await;
    let gate = Gate::new();
    scene.sandbox.faults().plan(Stage::Auth, Fault::Wait(gate.clone()), Times::Once);
    let mut devices = Vec::new();
    for _ in 0..5 {
        let mut device = scene.device().await;
        devices.push(tokio::spawn(async move { device.mail().await }));
    }
    reached(&gate).await;
    // All of them wait, and couriers without a line are free.
    log.wait_for_lines(5, &["octets of body"]).await;
    gate.open();
    for device in devices {
        assert!(device.await.unwrap().starts_with(HELD));
    }
    let counters = scene.sandbox.counters();
    assert_eq!((counters.connections, counters.auth_attempts), (1, 1));
}

#[tokio::test]
async fn a_revoked_token_is_renewed_once_and_the_mail_goes_out() {
    let scene = Scene::account(client_credentials).await;
    let mut device = scene.device().await;
    assert!(device.mail().await.starts_with("250 "));
    scene.sandbox.revoke_tokens();
    scene.sandbox.faults().plan(Stage::Mail, Fault::reply_then_close(421, "4.7.0 idle"), Times::Once);
    assert!(device.mail().await.starts_with("250 "), "the device notices nothing");
    let counters = scene.sandbox.counters();
    assert_eq!((counters.token_calls, counters.auth_attempts, counters.auth_successes), (2, 3, 2));
    scene.assert_no_breach();
}

#[tokio::test]
async fn a_wrong_client_secret_costs_one_call() {
    let log = Log::capture();
    let scene = Scene::account(|account, sandbox| {
        client_credentials(account, sandbox);
        if let Source::OAuth(grant) = &mut account.credential
            && let Grant::ClientCredentials { application } = &mut **grant
        {
            application.proof = ClientProof::Secret {
                secret: Given::Here(Secret::new("mistyped".into())),
                sent: ClientAuthentication::Body,
                expires: None,
            };
        }
    })
    .await;
    let mut device = scene.device().await;
    for _ in 0..3 {
        assert!(device.mail().await.starts_with(HELD));
    }
    let counters = scene.sandbox.counters();
    assert_eq!((counters.token_calls, counters.connections), (1, 0));
    log.assert_line(&["account held", "invalid_client", "cause=account", "client secret of this account"]);
}

#[tokio::test]
async fn a_token_of_somebody_else_is_refused_and_holds() {
    let scene = Scene::account(|account, sandbox| {
        let token = sandbox.issue_token("boss@sandbox.example", Duration::from_hours(1)).unwrap();
        let command = vec!["echo".into(), token.expose().to_owned()];
        account.credential = Source::from(Grant::Command { command: posthouse::account::CommandLine::new(command) });
    })
    .await;
    let mut device = scene.device().await;
    assert!(device.mail().await.starts_with(HELD));
    let tried = scene.sandbox.counters().auth_attempts;
    assert!((1..=2).contains(&tried), "once, and once more with a renewed token: {tried}");
    assert!(device.mail().await.starts_with(HELD));
    assert_eq!(scene.sandbox.counters().auth_attempts, tried);
    scene.assert_nothing_arrived();
}

#[tokio::test]
async fn a_client_secret_that_ends_soon_is_warned_of_when_the_relay_starts() {
    let log = Log::capture();
    let soon = jiff::Zoned::now().date().saturating_add(jiff::Span::new().days(3));
    let _scene = Scene::account(|account, sandbox| {
        client_credentials(account, sandbox);
        if let Source::OAuth(grant) = &mut account.credential
            && let Grant::ClientCredentials { application } = &mut **grant
            && let ClientProof::Secret { expires, .. } = &mut application.proof
        {
            *expires = Some(soon);
        }
    })
    .await;
    let ends = format!("ends on {soon}");
    log.wait_for_line(&["WARN", "account=office", "code=\"client_secret_ends\"", &ends, "Make a new secret"]).await;
}
