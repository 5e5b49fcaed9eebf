//! The life of a sign-in: made once, kept in the vault, renewed, taken over by the next run, lost and made anew.
//!
//! The practice provider gives refresh tokens that are good once and keeps a record of each call, so every story ends
//! with the same questions: was a token presented twice, were two renewals under way at once, is what is kept still
//! good?

mod beside;
mod crowd;
mod ending;
mod slow;
mod story;
mod tending;
mod trouble;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use posthouse::account::oauth::{Application, ClientProof, Endpoints, Grant, Redirect, Token};
use posthouse::account::vault::{Expected, Holder, Record, Stored, Vault, Written};
use posthouse::account::{self, Source};
use posthouse::config::Config;
use posthouse::ids::AccountName;
use posthouse::sandbox::fault::{Fault, Stage, Times};
use posthouse::sandbox::{Sandbox, Settings, TokenCall};
use posthouse::store::file::FileVault;

use crate::scene::{Scene, provider};

/// What is asked for, and granted.
const SCOPE: &str = "mail offline_access";
/// What a device hears while an account waits for a person.
/// At the end of the data of whoever found out, at MAIL for the others.
const HELD: &str = "451 4.7.0 ";

/// How long something may take that happens by itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// The account of this house.
fn office() -> AccountName {
    AccountName::from("office")
}

/// A person signs in with a browser; the application proves nothing.
fn by_browser(account: &mut account::Settings, sandbox: &Sandbox) {
    account.credential = Source::from(Grant::AuthorizationCode {
        application: Application {
            endpoints: Endpoints::token_only(sandbox.token_endpoint().parse().unwrap()),
            client_id: sandbox.settings().oauth.public_client_id.clone(),
            proof: ClientProof::None,
            scope: Some(SCOPE.into()),
            unused_refresh_life: None,
        },
        redirect: Redirect::Loopback { origin: "http://127.0.0.1".into(), port: None, path: String::new() },
        parameters: Vec::new(),
    });
}

/// Keeps in the vault what a sign-in would have left there, with or without an access token.
fn sign_in(config: &Config, sandbox: &Sandbox, with_access_token: bool) {
    let account = &config.accounts[0];
    let Source::OAuth(grant) = &account.credential else { panic!("this account signs in by password") };
    let brought = sandbox.sign_in(SCOPE).unwrap();
    let token = Token {
        access_token: brought.access_token,
        life: Some(sandbox.settings().token_lifetime),
        refresh_token: brought.refresh_token,
        refresh_life: None,
        scope: Some(SCOPE.into()),
    };
    let username = account.address.as_ref().unwrap();
    let mut record = Record::signed_in(grant, grant.application().unwrap(), username, token, Timestamp::now());
    record.access_token = record.access_token.filter(|_| with_access_token);
    let written = vault(config).put(&account.name, &record, Expected::Any, &Holder::new(false));
    assert!(matches!(written, Ok(Written::Done(_))), "{written:?}");
}

fn vault(config: &Config) -> FileVault {
    FileVault::new(config.storage.clone())
}

/// What is kept of the account.
fn kept(config: &Config) -> Stored {
    vault(config).get(&office()).unwrap().expect("something is kept")
}

/// By what the kept refresh token is known.
fn refresh_token(config: &Config) -> String {
    kept(config).record.refresh_token.expect("a refresh token is kept").fingerprint()
}

/// A relay whose account a person has signed in.
async fn signed_in() -> Scene {
    signed_in_at(provider(), true, |_| {}).await
}

/// The same with another provider, or anything else in the configuration.
async fn signed_in_at(provider: Settings, with_access_token: bool, change: impl FnOnce(&mut Config)) -> Scene {
    Scene::with(provider, |config, sandbox| {
        by_browser(&mut config.accounts[0], sandbox);
        change(config);
        sign_in(config, sandbox, with_access_token);
    })
    .await
}

/// The next mail needs a new connection, and a new sign-in.
fn cut_the_line(scene: &Scene) {
    scene.sandbox.faults().plan(Stage::Mail, Fault::reply_then_close(421, "4.7.0 idle"), Times::Once);
}

/// Sends mail after mail until the device hears this: after a failure there is a pause, and it ends by itself.
async fn mail_until(scene: &Scene, heard: &str) {
    let mut device = scene.device().await;
    let begun = Instant::now();
    loop {
        let reply = device.mail().await;
        if reply.starts_with(heard) {
            return;
        }
        assert!(reply.starts_with("451 4.") && begun.elapsed() < PATIENCE, "waiting for {heard}: {reply}");
    }
}

/// The renewals that the provider saw.
fn renewals(sandbox: &Sandbox) -> Vec<TokenCall> {
    sandbox.token_calls().into_iter().filter(|call| call.grant == "refresh_token").collect()
}

/// No two renewals under way at once, no refresh token twice, nothing against the standards.
fn assert_in_order(sandbox: &Sandbox) {
    let calls = renewals(sandbox);
    for (i, call) in calls.iter().enumerate() {
        assert!(calls[i + 1..].iter().all(|other| !call.overlaps(other)), "two at once: {calls:#?}");
    }
    let good = calls.iter().filter(|call| call.is_granted);
    let presented: Vec<_> = good.map(|call| call.presented.clone().expect("a renewal presents a token")).collect();
    assert_eq!(presented.iter().collect::<BTreeSet<_>>().len(), presented.len(), "one came twice: {calls:#?}");
    assert_eq!(sandbox.violations(), [], "{:#?}", sandbox.transcript());
}
