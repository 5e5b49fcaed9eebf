//! What is asked, what counts as the answer, and what is sent to redeem it.
//!
//! Whatever anybody pastes or sends, only an answer with the right state gets anywhere.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::account::oauth::server::{endpoint, fields, json};
use crate::account::oauth::{ClientAuthentication, ClientProof, Endpoints, Given};
use crate::net::clock::Clock;
use crate::net::http::tests::client as http;

const REDIRECT: &str = "http://localhost:8400/back";

fn known(token: &str) -> KnownEndpoints {
    KnownEndpoints {
        token: token.parse().unwrap(),
        authorization: Some("https://login.example.com/authorize?realm=x".parse().unwrap()),
        device_authorization: None,
        revocation: None,
        issuer: Some("https://login.example.com".into()),
        always_names_issuer: false,
    }
}

pub(in crate::account) fn application(proof: ClientProof) -> Application {
    Application {
        endpoints: Endpoints::token_only("https://login.example.com/token".parse().unwrap()),
        client_id: "the app".into(),
        proof,
        scope: Some("https://mail.example.com/  offline_access".into()),
        unused_refresh_life: None,
    }
}

fn request_of(endpoints: &KnownEndpoints, parameters: &[(&str, &str)]) -> Request {
    let parameters: Vec<_> = parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let hint = Some("scanner@example.com");
    Request::new(&application(ClientProof::None), endpoints, REDIRECT.into(), &parameters, hint).unwrap()
}

pub(in crate::account) fn request() -> Request {
    request_of(&known("https://login.example.com/token"), &[])
}

/// A parameter of the address the browser is sent to.
pub(in crate::account) fn asked(request: &Request, name: &str) -> Option<String> {
    let url = oauth2::url::Url::parse(request.address()).unwrap();
    let mut values = url.query_pairs().filter(|(own, _)| own == name).map(|(_, value)| value.into_owned());
    let value = values.next();
    assert_eq!(values.next(), None, "{name} stands there twice");
    value
}

fn state(request: &Request) -> String {
    asked(request, "state").unwrap()
}

fn code(heard: &Redirected) -> &str {
    match heard {
        Redirected::Code(Code(code)) => code.expose(),
        Redirected::Refused(failure) => panic!("{failure:?}"),
    }
}

#[test]
fn the_request_says_all_it_must_and_never_the_verifier() {
    let request = request_of(&known("https://login.example.com/token"), &[("access_type", "offline")]);
    let asked = |name| asked(&request, name);
    assert!(request.address().starts_with("https://login.example.com/authorize?realm=x&"), "{}", request.address());
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "the app"),
        ("redirect_uri", REDIRECT),
        ("scope", "https://mail.example.com/ offline_access"),
        ("code_challenge_method", "S256"),
        ("access_type", "offline"),
        ("login_hint", "scanner@example.com"),
    ] {
        assert_eq!(asked(name).as_deref(), Some(value), "{name}");
    }
    let verifier = request.verifier.expose();
    assert!((43..=128).contains(&verifier.len()));
    assert_eq!(asked("code_challenge").unwrap(), BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)));
    assert!(state(&request).len() >= 22, "128 bits");
    assert!(!request.address().contains(verifier) && !format!("{request:?}").contains(verifier));
    let another = request_of(&known("https://login.example.com/token"), &[]);
    assert_ne!((state(&another), another.verifier.expose()), (state(&request), verifier), "never used twice");
}

#[test]
fn a_configured_hint_stands_in_place_of_the_login_name_and_an_empty_one_in_place_of_any() {
    let hinted = |value| asked(&request_of(&known("https://a.example/token"), &[("login_hint", value)]), "login_hint");
    assert_eq!(hinted("other@example.com").as_deref(), Some("other@example.com"));
    assert_eq!(hinted(""), None);
}

#[test]
fn without_an_endpoint_there_is_nothing_to_ask() {
    let nowhere = KnownEndpoints { authorization: None, ..known("https://login.example.com/token") };
    let application = application(ClientProof::None);
    let asked = |endpoints, redirect: &str| Request::new(&application, endpoints, redirect.into(), &[], None).map(drop);
    assert_eq!(asked(&nowhere, REDIRECT), Err(CannotAsk::NoEndpoint));
    assert_eq!(asked(&known("https://login.example.com/token"), "nonsense"), Err(CannotAsk::Redirect));
}

#[test]
fn only_the_answer_with_the_right_state_counts() {
    let request = request();
    let state = state(&request);
    assert_eq!(code(&request.hear(&format!("code=a%2Fb&state={state}&session_state=x&scope=y")).unwrap()), "a/b");
    for (query, expected) in [
        (String::new(), NotTheAnswer::Nothing),
        (format!("state={state}"), NotTheAnswer::Nothing),
        (format!("code=&state={state}"), NotTheAnswer::Nothing),
        ("code=x".into(), NotTheAnswer::NoState),
        ("code=x&state=".into(), NotTheAnswer::NoState),
        ("code=x&state=nonsense".into(), NotTheAnswer::OtherSignIn),
        (format!("code=x&state={state}x"), NotTheAnswer::OtherSignIn),
        (format!("code=x&state={}", &state[1..]), NotTheAnswer::OtherSignIn),
        ("error=access_denied".into(), NotTheAnswer::NoState),
        ("error=access_denied&state=nonsense".into(), NotTheAnswer::OtherSignIn),
        (format!("code=x&code=y&state={state}"), NotTheAnswer::Twice("code")),
        (format!("code=x&state={state}&state={state}"), NotTheAnswer::Twice("state")),
    ] {
        assert_eq!(request.hear(&query).unwrap_err(), expected, "{query}");
    }
}

#[test]
fn a_refusal_ends_the_sign_in_with_what_was_said() {
    let request = request();
    let state = state(&request);
    let query = format!("error=access_denied&error_description=no%0Athanks+{state}&state={state}");
    match request.hear(&query).unwrap() {
        Redirected::Refused(TokenFailure::Refused { endpoint, error, description }) => {
            assert_eq!(endpoint, "https://login.example.com/authorize");
            assert_eq!((error.as_str(), description.as_str()), ("access_denied", "no thanks [secret]"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_of_another_issuer_is_not_redeemed() {
    let ours = "https%3A%2F%2Flogin.example.com";
    for (issuer, always, said, is_taken) in [
        (Some("https://login.example.com"), false, None, true),
        (Some("https://login.example.com"), false, Some(ours), true),
        (Some("https://login.example.com"), true, Some(ours), true),
        (Some("https://login.example.com"), true, None, false),
        (Some("https://login.example.com"), false, Some("https%3A%2F%2Fevil.example"), false),
        (Some("https://login.example.com"), true, Some("https%3A%2F%2Flogin.example.com%2F"), false),
        (None, false, Some("https%3A%2F%2Fanybody.example"), true),
    ] {
        let endpoints = KnownEndpoints {
            issuer: issuer.map(str::to_owned),
            always_names_issuer: always,
            ..known("https://login.example.com/token")
        };
        let request = request_of(&endpoints, &[]);
        let iss = said.map(|said| format!("&iss={said}")).unwrap_or_default();
        let heard = request.hear(&format!("code=x&state={}{iss}", state(&request))).unwrap();
        let taken = match heard {
            Redirected::Code(_) => true,
            Redirected::Refused(TokenFailure::OtherIssuer { .. }) => false,
            Redirected::Refused(other) => panic!("{other:?}"),
        };
        assert_eq!(taken, is_taken, "{issuer:?} {always} {said:?}");
    }
}

#[test]
fn people_paste_the_address_in_many_ways() {
    let request = request();
    let state = state(&request);
    let whole = format!("{REDIRECT}?code=the-code&state={state}");
    for text in [
        whole.clone(),
        format!("  {whole}\r\n"),
        format!("\"{whole}\""),
        format!("'{whole}'"),
        format!("<{whole}>"),
        format!("{}\n{}", &whole[..40], &whole[40..]),
        format!("{}\r\n  {}\r\n", &whole[..25], &whole[25..]),
        whole.replace('&', "&amp;"),
        format!("?code=the-code&state={state}"),
        format!("code=the-code&state={state}"),
        format!("&code=the-code&state={state}"),
        format!("{REDIRECT}#code=the-code&state={state}"),
        format!("{whole}#"),
        format!("https://elsewhere.example/?state={state}&code=the-code&session_state=1"),
    ] {
        assert_eq!(code(&request.hear_pasted(&text).unwrap_or_else(|why| panic!("{text}: {why}"))), "the-code");
    }
}

#[test]
fn a_wrong_paste_is_explained() {
    let request = request();
    let state = state(&request);
    for (text, expected) in [
        (String::new(), Unusable::Empty),
        (" \"\" \n".into(), Unusable::Empty),
        (request.address().to_owned(), Unusable::TheRequest),
        ("http://localhost:8400/back".into(), Unusable::NotFinished),
        ("https://login.example.com/consent?flow=1".into(), Unusable::NotFinished),
        ("0.AXoA1234-the-code-alone_".into(), Unusable::CodeAlone),
        ("yes".into(), Unusable::NoAddress),
        ("x=1".into(), Unusable::NoAddress),
        (format!("{REDIRECT}?code=x"), Unusable::Not(NotTheAnswer::NoState)),
        (format!("{REDIRECT}?code=x&state=other"), Unusable::Not(NotTheAnswer::OtherSignIn)),
        (format!("{REDIRECT}?code=x&code=y&state={state}"), Unusable::Not(NotTheAnswer::Twice("code"))),
        ("x".repeat(40_000), Unusable::TooLong),
    ] {
        assert_eq!(request.hear_pasted(&text).unwrap_err(), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_whatsoever_panics_or_passes_without_the_state(text in "\\PC{0,200}", query in "[a-z=&%#?+0-9\\n ]{0,80}") {
        let request = request();
        for text in [&text, &query, &format!("{REDIRECT}?code=x&state={query}"), &format!("?{text}&code=1")] {
            prop_assert!(request.hear_pasted(text).is_err());
            prop_assert!(request.hear(text).is_err());
        }
    }

    #[test]
    fn wherever_a_terminal_tears_the_address_it_is_read_whole(cuts in proptest::collection::vec(0usize..80, 0..5)) {
        let request = request();
        let mut text = format!("{REDIRECT}?code=the-code&state={}", state(&request));
        for cut in cuts {
            text.insert(cut.min(text.len()), '\n');
        }
        let heard = request.hear_pasted(&text).unwrap();
        prop_assert_eq!(code(&heard), "the-code");
    }
}

async fn redeemed(
    application: &Application,
    endpoints: &KnownEndpoints,
    request: &Request,
    code: &str,
) -> Result<Token, NoToken> {
    let redirected = request.hear(&format!("code={code}&state={}", state(request))).unwrap();
    let Redirected::Code(code) = redirected else { panic!("{redirected:?}") };
    assert!(!format!("{code:?} {request:?}").contains("the-secret"), "never shown");
    redeem(application, endpoints, Means { http: &http(), clock: &Clock::default(), last: None }, request, &code).await
}

#[tokio::test]
async fn the_code_is_redeemed_with_the_verifier_the_same_redirect_and_the_secret() {
    let token = r#"{"access_token":"ey.x","refresh_token":"r.1","scope":"mail"}"#;
    let (endpoint, heard) = endpoint([json("200 OK", token)]).await;
    let endpoints = known(endpoint.as_str());
    let secret = Given::Here(Secret::new("s+e/c=r%e&t".into()));
    let proof = ClientProof::Secret { secret, sent: ClientAuthentication::Body, expires: None };
    let request = request_of(&endpoints, &[]);
    let token = redeemed(&application(proof), &endpoints, &request, "a%2Bb").await.unwrap();
    assert_eq!(token.refresh_token.unwrap().expose(), "r.1");
    let expected = [
        ("client_id", "the app"),
        ("client_secret", "s+e/c=r%e&t"),
        ("code", "a+b"),
        ("code_verifier", request.verifier.expose()),
        ("grant_type", "authorization_code"),
        ("redirect_uri", REDIRECT),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(fields(&heard.await.unwrap()[0]), expected.into());
}

#[tokio::test]
async fn a_server_that_repeats_what_it_was_sent_puts_nothing_of_it_into_a_failure() {
    let request = request();
    let verifier = request.verifier.expose();
    let body = format!(r#"{{"error":"invalid_grant","error_description":"no: the-secret-code, {verifier}"}}"#);
    let (endpoint, _) = endpoint([json("400 Bad Request", &body)]).await;
    let endpoints = known(endpoint.as_str());
    let application = application(ClientProof::None);
    let none = redeemed(&application, &endpoints, &request, "the-secret-code").await.unwrap_err();
    let said = format!("{:?}", none.failure);
    assert!(said.contains("no: [secret], [secret]"), "{said}");
}
