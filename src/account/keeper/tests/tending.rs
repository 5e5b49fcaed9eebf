//! What a keeper does when no mail asks: renewals of what lies idle, a sign-in nobody told of, and what it tells.
//!
//! Time is moved by hand.

use super::provider::{Office, Provider, at};
use super::*;
use crate::account::status::{SignIn, Status, TokenStatus};

const DAY: u64 = 86_400;

#[tokio::test]
async fn a_sign_in_that_was_not_used_for_a_day_is_renewed_once() {
    let office = Office::signed_in(Provider::open(3600).await);
    let keeper = office.keeper();
    office.clock.advance(-1);
    assert!(keeper.tend().await.is_none());
    office.pass(DAY - 3600).await;
    assert!(keeper.tend().await.is_none(), "a second before");
    office.pass(1).await;
    assert_eq!(keeper.tend().await, Some(Ok(())));
    assert!(keeper.tend().await.is_none());
    assert_eq!(office.provider.calls(), 1);
    office.pass(DAY).await;
    assert_eq!(keeper.tend().await, Some(Ok(())));
    assert!(office.provider.none_came_twice());
}

#[tokio::test]
async fn one_that_mail_keeps_fresh_is_left_alone() {
    let office = Office::signed_in(Provider::open(3600).await);
    let keeper = office.keeper();
    for _ in 0..3 {
        office.pass(DAY / 2).await;
        ask(&keeper).await;
        let calls = office.provider.calls();
        assert!(keeper.tend().await.is_none());
        assert_eq!(office.provider.calls(), calls);
    }
}

#[tokio::test]
async fn one_that_was_kept_while_the_clock_was_days_ahead_is_not_left_to_die() {
    let office = Office::signed_in(Provider::open(3600).await);
    office.clock.advance(-(3 * DAY).cast_signed());
    let keeper = office.keeper();
    assert_eq!(keeper.tend().await, Some(Ok(())), "nobody knows how long ago it was");
    assert!(keeper.tend().await.is_none());
}

#[tokio::test]
async fn a_dead_sign_in_is_noticed_before_mail_needs_it() {
    let office = Office::signed_in(Provider::open(3600).await);
    office.provider.will_answer(Some((400, &[], r#"{"error":"invalid_grant"}"#)));
    office.pass(DAY).await;
    let failure = office.keeper().tend().await.unwrap().unwrap_err();
    assert_eq!(super::provider::cause(&failure), Cause::Account);
    office.vault.remove(&"office".into(), Expected::Any).unwrap();
    let failure = office.keeper().tend().await.unwrap().unwrap_err();
    assert!(matches!(failure, Failure::Kept(KeptFailure::NotSignedIn { .. })));
}

#[tokio::test]
async fn a_sign_in_is_noticed_that_nobody_told_of() {
    let office = Office { provider: Provider::open(3600).await, vault: Arc::default(), clock: Clock::set(at(0)) };
    let keeper = office.keeper();
    assert!(!keeper.sign_in_changed().await, "nobody has looked before");
    assert!(keeper.credential().await.is_err());
    assert!(!keeper.sign_in_changed().await);
    office.sign_in(3600);
    assert!(keeper.sign_in_changed().await);
    keeper.forget();
    assert_eq!(secret(&ask(&keeper).await), "access-0");
    assert!(!keeper.sign_in_changed().await);
}

#[tokio::test]
async fn what_a_failed_renewal_writes_down_is_no_sign_in() {
    let office = Office::signed_in(Provider::open(3600).await);
    office.provider.will_answer(Some((400, &[], r#"{"error":"invalid_grant"}"#)));
    let keeper = office.keeper();
    assert!(keeper.credential().await.is_err());
    assert!(!keeper.sign_in_changed().await);
}

#[tokio::test]
async fn after_a_new_sign_in_a_token_in_memory_is_used_no_more() {
    let office = Office::signed_in(Provider::open(3600).await);
    let keeper = office.keeper();
    assert_eq!(secret(&ask(&keeper).await), "access-1");
    office.sign_in(3600);
    assert_eq!(secret(&ask(&keeper).await), "access-1", "who is not told uses what is good");
    keeper.forget();
    assert_eq!(secret(&ask(&keeper).await), "access-0");
}

#[tokio::test]
async fn the_status_tells_what_is_kept_and_what_is_at_hand() {
    let office = Office::signed_in(Provider::open(3600).await);
    let keeper = office.keeper();
    let before = keeper.status().await;
    assert_eq!((before.account.as_str(), before.mailbox.as_deref()), ("office", Some("scanner@example.com")));
    assert_eq!(before.credential, "authorization_code");
    assert!(matches!(before.sign_in, SignIn::Kept { since, is_renewable: true, .. } if since == at(0)));
    assert_eq!((before.token, before.is_renewing), (None, false), "what was kept has ended");

    ask(&keeper).await;
    let token = keeper.status().await.token.unwrap();
    assert_eq!(token.issued, Some(at(3600)));
    let renewal = token.next_renewal.unwrap().as_second() - at(0).as_second();
    assert!((7200 - 600 - 61..=7200 - 600).contains(&renewal), "{renewal}");
    let restarted = office.keeper().status().await;
    let whole = TokenStatus { issued: Some(at(3600)), ends: Some(at(7200)), next_renewal: Some(at(6600)) };
    assert_eq!(restarted.token, Some(whole));
    assert_eq!(restarted.last_reply.unwrap().code, None);
}

#[tokio::test]
async fn the_status_says_what_a_person_must_do() {
    let office = Office { provider: Provider::open(3600).await, vault: Arc::default(), clock: Clock::set(at(0)) };
    let Status { sign_in: SignIn::Missing { code, cure, .. }, .. } = office.keeper().status().await else {
        panic!("missing")
    };
    assert_eq!(code, "not_signed_in");
    assert!(cure.contains("posthouse login office"), "{cure}");
}

#[tokio::test]
async fn a_renewal_under_way_is_told_and_its_failure_afterwards() {
    let office = Office::signed_in(Provider::closed(3600).await);
    let keeper = office.keeper();
    office.provider.will_answer(Some((503, &[], "oops")));
    let asking = tokio::spawn({
        let keeper = keeper.clone();
        async move { keeper.credential().await }
    });
    office.provider.called(1).await;
    assert!(keeper.status().await.is_renewing);
    office.provider.let_answer();
    assert!(asking.await.unwrap().is_err());
    let after = keeper.status().await;
    assert!(!after.is_renewing);
    assert_eq!(after.last_reply.unwrap().code.as_deref(), Some("token_endpoint_broken"));
}

#[tokio::test]
async fn the_status_travels_as_json_and_holds_no_secret() {
    let office = Office::signed_in(Provider::open(3600).await);
    let keeper = office.keeper();
    ask(&keeper).await;
    let status = keeper.status().await;
    let json = serde_json::to_string(&status).unwrap();
    assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), status);
    for secret in ["access-", "refresh-", "hunter2"] {
        assert!(!json.contains(secret), "{json}");
    }
}
