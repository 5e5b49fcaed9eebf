//! Refresh tokens: good once, and what a second use costs; the kinder ways of other providers; the end of all of them.

use std::time::Duration;

use posthouse::sandbox::fault::{Gate, Times, TokenFault};
use posthouse::sandbox::{RefreshTokens, Rule};

use crate::broken;
use crate::web::{agreeing, desktop, post, refresh, signed_in, signs_in};

fn gone() -> (u16, String) {
    (400, "invalid_grant".into())
}

#[tokio::test]
async fn each_use_brings_another_one() {
    let sandbox = agreeing(|settings| settings.oauth.refresh_token_lifetime = Some(Duration::from_hours(1))).await;
    let first = signed_in(&sandbox).await;
    let second = refresh(&sandbox, &first.text("refresh_token")).await;
    let third = refresh(&sandbox, &second.text("refresh_token")).await;
    assert_eq!(third.json()["refresh_token_expires_in"], 3600);
    for tokens in [&first, &second, &third] {
        assert!(signs_in(&sandbox, &tokens.text("access_token")).await, "each lives as long as it lives");
    }
    assert_ne!(first.text("refresh_token"), second.text("refresh_token"));
    assert_eq!((broken(&sandbox), sandbox.counters().tokens_renewed), (vec![], 2));
}

#[tokio::test]
async fn a_second_use_is_a_breach_and_revokes_all_that_came_of_the_sign_in() {
    let sandbox = agreeing(|_| {}).await;
    let (first, other) = (signed_in(&sandbox).await, signed_in(&sandbox).await);
    let second = refresh(&sandbox, &first.text("refresh_token")).await;
    assert_eq!(broken(&sandbox), []);

    assert_eq!(refresh(&sandbox, &first.text("refresh_token")).await.refusal(), gone());
    assert_eq!(broken(&sandbox), [Rule::RefreshTokenReuse]);
    assert_eq!(refresh(&sandbox, &second.text("refresh_token")).await.refusal(), gone(), "the newest is gone, too");
    for tokens in [&first, &second] {
        assert!(!signs_in(&sandbox, &tokens.text("access_token")).await);
    }
    assert_eq!(broken(&sandbox), [Rule::RefreshTokenReuse], "to come with a revoked one is no breach");
    assert!(signs_in(&sandbox, &other.text("access_token")).await, "another sign-in is untouched");
}

#[tokio::test]
async fn other_providers_are_kinder() {
    let kept = agreeing(|settings| settings.oauth.refresh_tokens = RefreshTokens::Kept).await;
    let first = signed_in(&kept).await.text("refresh_token");
    for _ in 0..2 {
        let answer = refresh(&kept, &first).await;
        assert_eq!((answer.status, answer.text("refresh_token")), (200, String::new()));
    }

    let replaced = agreeing(|settings| settings.oauth.refresh_tokens = RefreshTokens::Replaced).await;
    let first = signed_in(&replaced).await.text("refresh_token");
    for _ in 0..2 {
        let answer = refresh(&replaced, &first).await;
        assert!(answer.status == 200 && ![&first, ""].contains(&answer.text("refresh_token").as_str()));
    }

    let never = agreeing(|settings| settings.oauth.refresh_tokens = RefreshTokens::Never).await;
    assert_eq!(signed_in(&never).await.text("refresh_token"), "");
    for provider in [kept, replaced, never] {
        assert_eq!(broken(&provider), []);
    }
}

#[tokio::test]
async fn it_is_for_its_client_and_for_no_more_than_was_granted() {
    let sandbox = agreeing(|_| {}).await;
    let token = signed_in(&sandbox).await.text("refresh_token");
    let secret = sandbox.settings().client_secret.expose();
    let form = |client, scope| {
        let form = vec![("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("client_id", client)];
        [form, scope].concat()
    };
    let other = form("posthouse", vec![("client_secret", secret)]);
    assert_eq!(post(&sandbox, "/token", &other).await.refusal(), gone());
    let more = form(desktop(&sandbox), vec![("scope", "mail calendar")]);
    assert_eq!(post(&sandbox, "/token", &more).await.refusal(), (400, "invalid_scope".into()));
    let less = post(&sandbox, "/token", &form(desktop(&sandbox), vec![("scope", "mail")])).await;
    assert_eq!((less.status, less.text("scope")), (200, "mail".into()), "and neither refusal had used it up");
    let again = refresh(&sandbox, &less.text("refresh_token")).await;
    assert_eq!(again.text("scope"), "mail offline_access", "less for once is not less for good (RFC 6749 §6)");
}

#[tokio::test]
async fn it_ends_by_time_by_revocation_and_by_the_person() {
    let short = agreeing(|settings| settings.oauth.refresh_token_lifetime = Some(Duration::ZERO)).await;
    let token = signed_in(&short).await.text("refresh_token");
    assert_eq!(refresh(&short, &token).await.refusal(), gone());

    let sandbox = agreeing(|_| {}).await;
    let tokens = signed_in(&sandbox).await;
    let (access, token) = (tokens.text("access_token"), tokens.text("refresh_token"));
    sandbox.revoke_tokens();
    assert!(!signs_in(&sandbox, &access).await, "the access token is at its end");
    let tokens = refresh(&sandbox, &token).await;
    assert_eq!(tokens.status, 200, "the refresh token is not");

    sandbox.revoke_consent();
    assert!(!signs_in(&sandbox, &tokens.text("access_token")).await);
    assert_eq!(refresh(&sandbox, &tokens.text("refresh_token")).await.refusal(), gone());
    assert_eq!(signed_in(&sandbox).await.status, 200, "a new sign-in works");
    assert_eq!(broken(&sandbox), []);
}

/// RFC 7009
#[tokio::test]
async fn a_token_is_taken_back_by_its_own_client() {
    let sandbox = agreeing(|_| {}).await;
    let tokens = signed_in(&sandbox).await;
    let (access, token) = (tokens.text("access_token"), tokens.text("refresh_token"));
    let other = signed_in(&sandbox).await.text("access_token");
    let secret = sandbox.settings().client_secret.expose();
    let strange = [("token", token.as_str()), ("client_id", "posthouse"), ("client_secret", secret)];
    assert_eq!(post(&sandbox, "/revoke", &strange).await.refusal(), (400, "unauthorized_client".into()));
    assert_eq!(post(&sandbox, "/revoke", &[("token", token.as_str())]).await.refusal(), (401, "invalid_client".into()));
    assert!(signs_in(&sandbox, &access).await);

    for _ in 0..2 {
        let own = [("token", token.as_str()), ("client_id", desktop(&sandbox)), ("token_type_hint", "refresh_token")];
        let answer = post(&sandbox, "/revoke", &own).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "twice is no fault (§2.2)");
    }
    assert!(!signs_in(&sandbox, &access).await, "what came of it goes with it");
    assert_eq!(refresh(&sandbox, &token).await.refusal(), gone());

    let own = [("token", other.as_str()), ("client_id", desktop(&sandbox))];
    assert_eq!(post(&sandbox, "/revoke", &own).await.status, 200);
    assert!(!signs_in(&sandbox, &other).await, "an access token, too");
    assert_eq!(sandbox.counters().revocations, 5);
}

#[tokio::test]
async fn each_call_is_on_record_with_the_token_it_presented() {
    let sandbox = agreeing(|_| {}).await;
    let token = signed_in(&sandbox).await.text("refresh_token");
    let gate = Gate::new();
    sandbox.faults().plan_grant("refresh_token", TokenFault::Wait(gate.clone()), Times::Once);
    let meanwhile = async {
        gate.reached(1).await;
        let under_way = sandbox.token_calls();
        signed_in(&sandbox).await;
        gate.open();
        under_way
    };
    let (answer, under_way) = tokio::join!(refresh(&sandbox, &token), meanwhile);
    assert_eq!(answer.status, 200);
    assert_eq!((under_way[1].ended, under_way[1].status), (None, None));

    let calls = sandbox.token_calls();
    let grants: Vec<&str> = calls.iter().map(|call| call.grant.as_str()).collect();
    assert_eq!(grants, ["authorization_code", "refresh_token", "authorization_code"], "the gate was for one grant");
    assert!(calls.iter().all(|call| call.ended.is_some() && call.status == Some(200) && call.is_granted));
    assert!(calls[1].overlaps(&calls[2]) && !calls[0].overlaps(&calls[1]));
    let presented = calls[1].presented.as_ref().unwrap();
    assert!(presented.len() == 64 && !presented.contains(&token), "known by its hash");
    assert_eq!(calls[0].presented, None);
}

/// What a client loses that is cut off in the midst of a renewal.
#[tokio::test]
async fn a_lost_answer_has_used_the_token_up() {
    let sandbox = agreeing(|_| {}).await;
    let token = signed_in(&sandbox).await.text("refresh_token");
    sandbox.faults().plan_grant("refresh_token", TokenFault::CarryOutThenClose, Times::Once);
    let lost = refresh(&sandbox, &token).await;
    assert_eq!((lost.status, lost.head.as_str()), (0, ""));
    assert_eq!(refresh(&sandbox, &token).await.refusal(), gone());
    let calls: Vec<_> = sandbox.token_calls().into_iter().map(|call| (call.status, call.is_granted)).collect();
    assert_eq!(calls, [(Some(200), true), (None, true), (Some(400), false)]);
    assert_eq!(broken(&sandbox), [Rule::RefreshTokenReuse]);
}

/// What tests of the relay begin with.
#[tokio::test]
async fn a_sign_in_without_a_browser_is_one_like_any_other() {
    let sandbox = agreeing(|_| {}).await;
    let tokens = sandbox.sign_in("mail").unwrap();
    assert!(signs_in(&sandbox, tokens.access_token.expose()).await);
    let renewed = refresh(&sandbox, tokens.refresh_token.unwrap().expose()).await;
    assert_eq!((renewed.status, renewed.text("scope")), (200, "mail".into()));
    assert_eq!((sandbox.counters().token_calls, broken(&sandbox)), (1, vec![]));
}
