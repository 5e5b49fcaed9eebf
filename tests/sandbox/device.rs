//! Device codes (RFC 8628): the person decides on a page, the device asks no sooner than it was told.

use std::time::Duration;

use posthouse::sandbox::fault::{Asked, Times, TokenFault};
use posthouse::sandbox::{Consent, Rule, Sandbox};

use crate::broken;
use crate::web::{Answer, SCOPE, agreeing, desktop, get, post, refresh, signs_in};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A provider whose devices may ask as often as they like.
async fn patient() -> Sandbox {
    agreeing(|settings| {
        settings.oauth.consent = Consent::Page;
        settings.oauth.device_interval = Duration::ZERO;
    })
    .await
}

async fn begin(sandbox: &Sandbox) -> Answer {
    let answer = post(sandbox, "/device_authorization", &[("client_id", desktop(sandbox)), ("scope", SCOPE)]).await;
    assert_eq!((answer.status, answer.field("cache-control")), (200, Some("no-store")), "{answer:?}");
    answer
}

async fn poll(sandbox: &Sandbox, begun: &Answer) -> Answer {
    let code = begun.text("device_code");
    let form = [("grant_type", GRANT), ("client_id", desktop(sandbox)), ("device_code", code.as_str())];
    post(sandbox, "/token", &form).await
}

fn refused(error: &str) -> (u16, String) {
    (400, error.into())
}

#[tokio::test]
async fn a_person_types_the_code_and_the_device_is_signed_in() {
    let sandbox = patient().await;
    let begun = begin(&sandbox).await;
    let told = begun.json();
    assert_eq!((told["interval"].as_u64(), told["expires_in"].as_u64()), (Some(0), Some(600)));
    assert_eq!(begun.text("verification_uri"), format!("{}/device", sandbox.issuer()));
    assert_eq!(poll(&sandbox, &begun).await.refusal(), refused("authorization_pending"));

    let code = begun.text("user_code");
    let page = get(&sandbox, "/device", &[("user_code", code.as_str())]).await;
    assert!(page.body.contains(&format!("value=\"{code}\"")), "filled in: {}", page.body);
    let typed = code.to_lowercase().replace('-', " ");
    let wrong = [("user_code", "BBBBBBBB"), ("decision", "allow")];
    assert_eq!(post(&sandbox, "/device", &wrong).await.status, 400);
    let right = [("user_code", typed.as_str()), ("decision", "allow")];
    assert_eq!(post(&sandbox, "/device", &right).await.status, 200);
    assert_eq!(post(&sandbox, "/device", &right).await.status, 400, "decided once");

    let tokens = poll(&sandbox, &begun).await;
    assert_eq!(tokens.text("scope"), SCOPE);
    assert!(signs_in(&sandbox, &tokens.text("access_token")).await);
    assert_eq!(refresh(&sandbox, &tokens.text("refresh_token")).await.status, 200);
    assert_eq!(poll(&sandbox, &begun).await.refusal(), refused("invalid_grant"), "good once");
    assert_eq!(broken(&sandbox), []);
}

#[tokio::test]
async fn a_person_may_say_no() {
    let sandbox = patient().await;
    let begun = begin(&sandbox).await;
    assert!(sandbox.decide_device(&begun.text("user_code"), false));
    assert_eq!(poll(&sandbox, &begun).await.refusal(), refused("access_denied"));
    assert!(!sandbox.decide_device(&begun.text("user_code"), true), "and does not change it");
    assert_eq!(broken(&sandbox), []);
}

#[tokio::test]
async fn who_asks_too_soon_is_told_to_slow_down_and_stays_slow() {
    let sandbox = agreeing(|settings| {
        settings.oauth.consent = Consent::Page;
        settings.oauth.device_interval = Duration::from_hours(1);
    })
    .await;
    let begun = begin(&sandbox).await;
    assert_eq!(poll(&sandbox, &begun).await.refusal(), refused("authorization_pending"), "the first one is free");
    assert!(sandbox.decide_device(&begun.text("user_code"), true));
    for _ in 0..2 {
        assert_eq!(poll(&sandbox, &begun).await.refusal(), refused("slow_down"), "whatever the person decided");
    }
    assert_eq!(broken(&sandbox), [Rule::Polling; 2]);
}

#[tokio::test]
async fn a_device_code_ends_and_belongs_to_its_client() {
    let sandbox = agreeing(|settings| settings.oauth.device_lifetime = Duration::ZERO).await;
    let begun = begin(&sandbox).await;
    assert_eq!(poll(&sandbox, &begun).await.refusal(), refused("expired_token"), "though the person had agreed");

    let sandbox = agreeing(|_| {}).await;
    let begun = begin(&sandbox).await;
    let (code, secret) = (begun.text("device_code"), sandbox.settings().client_secret.expose());
    let form =
        [("grant_type", GRANT), ("device_code", code.as_str()), ("client_id", "posthouse"), ("client_secret", secret)];
    assert_eq!(post(&sandbox, "/token", &form).await.refusal(), refused("invalid_grant"));
    assert_eq!(poll(&sandbox, &begun).await.status, 200);
}

#[tokio::test]
async fn it_misbehaves_as_told_and_knows_its_clients() {
    let sandbox = patient().await;
    let page = TokenFault::Http { status: 502, body: "<html>".into() };
    sandbox.faults().plan_oauth(Asked::DeviceAuthorization, page, Times::Once);
    let form = [("client_id", desktop(&sandbox))];
    assert_eq!(post(&sandbox, "/device_authorization", &form).await.status, 502);
    let answer = post(&sandbox, "/device_authorization", &[("client_id", "posthouse")]).await;
    assert_eq!(answer.refusal(), (401, "invalid_client".into()), "who has a secret must show it");
    let answer = post(&sandbox, "/device_authorization", &[form[0], ("scope", "a\"b")]).await;
    assert_eq!(answer.refusal(), refused("invalid_scope"));
}
