//! The authorization endpoint and the code it gives: who is sent back, with what, and what a code is good for.

use std::time::Duration;

use posthouse::sandbox::{Consent, ELSEWHERE, Rule};

use crate::web::{REDIRECT, SCOPE, agreeing, authorization, challenge, code, exchange, get, post, signed_in, signs_in};
use crate::{broken, sandbox};

#[tokio::test]
async fn a_person_agrees_on_the_page_and_the_code_brings_tokens_that_sign_in() {
    let sandbox = sandbox().await;
    let challenge = challenge();
    let page = get(&sandbox, "/authorize", &authorization(&sandbox, &challenge)).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("posthouse-desktop") && page.body.contains("<button>Allow</button>"), "{}", page.body);

    let decision = [("request", page.hidden("request")), ("decision", "allow")];
    let back = post(&sandbox, "/consent", &decision).await;
    assert_eq!((back.status, back.back().0), (303, REDIRECT));
    assert_eq!(back.parameter("state").unwrap(), "a+b c", "as it was");
    assert_eq!(back.parameter("iss").unwrap(), sandbox.issuer());
    assert_eq!(post(&sandbox, "/consent", &decision).await.status, 400, "decided once");

    let tokens = post(&sandbox, "/token", &exchange(&sandbox, &back.parameter("code").unwrap())).await;
    assert_eq!((tokens.status, tokens.field("cache-control")), (200, Some("no-store")), "{tokens:?}");
    assert_eq!(tokens.text("scope"), SCOPE);
    assert!(signs_in(&sandbox, &tokens.text("access_token")).await);
    assert!(!signs_in(&sandbox, &tokens.text("refresh_token")).await, "a refresh token is for the token endpoint");
    assert_eq!(broken(&sandbox), []);
}

#[tokio::test]
async fn a_person_may_say_no() {
    let sandbox = sandbox().await;
    let page = get(&sandbox, "/authorize", &authorization(&sandbox, &challenge())).await;
    let back = post(&sandbox, "/consent", &[("request", page.hidden("request")), ("decision", "deny")]).await;
    let denying = agreeing(|settings| settings.oauth.consent = Consent::Denied).await;
    let at_once = get(&denying, "/authorize", &authorization(&denying, &challenge())).await;
    for (provider, back) in [(&sandbox, back), (&denying, at_once)] {
        assert_eq!((back.status, back.parameter("error").unwrap()), (303, "access_denied".into()));
        assert_eq!(back.parameter("state").unwrap(), "a+b c");
        assert_eq!(back.parameter("code"), None);
        assert_eq!(broken(provider), [], "which is no breach");
    }
}

/// RFC 6749 §4.1.2.1: whoever cannot be trusted with a redirect gets none.
#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_registered() {
    let sandbox = agreeing(|_| {}).await;
    let challenge = challenge();
    let good = authorization(&sandbox, &challenge);
    let with = |name: &str, value: &'static str| {
        let replaced = good.iter().map(|(own, old)| if *own == name { (*own, value) } else { (*own, *old) });
        replaced.filter(|(_, value)| *value != "-").collect::<Vec<_>>()
    };
    let requests = [
        with("redirect_uri", "http://127.0.0.1:49152/elsewhere"),
        with("redirect_uri", "https://sandbox.example/signed-in/"),
        with("redirect_uri", "https://evil.example/"),
        with("redirect_uri", "-"),
        with("client_id", "somebody"),
        with("client_id", "-"),
        [good.clone(), vec![("state", "again")]].concat(),
    ];
    for request in &requests {
        let answer = get(&sandbox, "/authorize", request).await;
        assert_eq!((answer.status, answer.field("location")), (400, None), "{request:?}");
    }
    assert_eq!(broken(&sandbox), [Rule::OAuth; 7]);
    for redirect in ["http://127.0.0.1:1/", "http://[::1]:49152", "http://localhost:8400/", ELSEWHERE] {
        let answer = get(&sandbox, "/authorize", &with("redirect_uri", redirect)).await;
        assert_eq!(answer.back().0, redirect);
    }
}

#[tokio::test]
async fn a_wrong_request_is_sent_back_with_the_reason() {
    let sandbox = agreeing(|settings| settings.oauth.names_issuer = false).await;
    let challenge = challenge();
    let wrong = [
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOE", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("scope", "a  b", "invalid_scope"),
    ];
    for (name, value, error) in wrong {
        let good = authorization(&sandbox, &challenge);
        let request: Vec<_> = good.into_iter().map(|(own, old)| (own, if own == name { value } else { old })).collect();
        let back = get(&sandbox, "/authorize", &request).await;
        assert_eq!((back.status, back.parameter("error").unwrap()), (303, error.into()), "{name}={value}");
        assert_eq!((back.parameter("code"), back.parameter("iss")), (None, None));
        assert_eq!(back.parameter("state").unwrap(), "a+b c");
    }
    assert_eq!(broken(&sandbox), [Rule::OAuth; 7]);
}

#[tokio::test]
async fn a_code_is_for_one_client_one_address_and_one_verifier() {
    let sandbox = agreeing(|_| {}).await;
    let secret = sandbox.settings().client_secret.expose();
    let wrong: [&[(&str, &str)]; 5] = [
        &[("redirect_uri", "http://127.0.0.1:49153")],
        &[("redirect_uri", "http://127.0.0.1:49152/")],
        &[("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXX")],
        &[("code", "of-somebody-else")],
        &[("client_id", "posthouse"), ("client_secret", secret)],
    ];
    for changes in wrong {
        let code = code(&sandbox).await;
        let mut form = exchange(&sandbox, &code);
        form.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        form.extend(changes);
        assert_eq!(post(&sandbox, "/token", &form).await.refusal(), (400, "invalid_grant".into()), "{changes:?}");
    }
    for missing in ["code", "redirect_uri", "code_verifier"] {
        let code = code(&sandbox).await;
        let form: Vec<_> = exchange(&sandbox, &code).into_iter().filter(|(name, _)| *name != missing).collect();
        assert_eq!(post(&sandbox, "/token", &form).await.refusal(), (400, "invalid_request".into()), "{missing}");
    }
    assert_eq!(sandbox.counters().tokens_issued, 0);
}

#[tokio::test]
async fn a_code_is_good_once_and_a_second_use_costs_the_tokens() {
    let sandbox = agreeing(|_| {}).await;
    let code = code(&sandbox).await;
    let tokens = post(&sandbox, "/token", &exchange(&sandbox, &code)).await;
    assert!(signs_in(&sandbox, &tokens.text("access_token")).await);
    let other = signed_in(&sandbox).await;
    let again = post(&sandbox, "/token", &exchange(&sandbox, &code)).await;
    assert_eq!(again.refusal(), (400, "invalid_grant".into()));
    assert_eq!(broken(&sandbox), [Rule::CodeReuse]);
    assert!(!signs_in(&sandbox, &tokens.text("access_token")).await);
    let renewed = crate::web::refresh(&sandbox, &tokens.text("refresh_token")).await;
    assert_eq!(renewed.refusal(), (400, "invalid_grant".into()));
    assert!(signs_in(&sandbox, &other.text("access_token")).await, "another sign-in is untouched");
}

#[tokio::test]
async fn a_code_ends() {
    let sandbox = agreeing(|settings| settings.oauth.code_lifetime = Duration::ZERO).await;
    let code = code(&sandbox).await;
    let late = post(&sandbox, "/token", &exchange(&sandbox, &code)).await;
    assert_eq!(late.refusal(), (400, "invalid_grant".into()));
}
