//! Clients that prove themselves by an assertion: with every grant, and where clocks differ.
//!
//! What stands in an assertion is shown beside it; here is what becomes of it on the way.

use jiff::SignedDuration;

use super::super::super::assertion::tests::{Files, files, rsa_pair};
use super::super::super::server::{fields, json, part};
use super::super::super::{password, refresh_token};
use super::*;

const NOW: &str = "2026-11-22T08:00:00Z";
const GOOD: &str = r#"{"access_token":"ey.x"}"#;

/// An application with a certificate, and the files it lies in.
fn certified(endpoint: Endpoint) -> (Application, Files) {
    let files = files(&rsa_pair().certificate, &rsa_pair().key);
    let proof = ClientProof::Certificate { certificate: files.certificate.clone(), key: files.key.clone() };
    (Application { proof, ..application(endpoint, ClientAuthentication::Body) }, files)
}

#[tokio::test]
async fn every_grant_carries_the_proof_and_names_the_client() {
    let (endpoint, asked) = endpoint([(); 3].map(|()| json("200 OK", GOOD))).await;
    let (application, _files) = certified(endpoint.clone());
    let (http, clock) = (http(), Clock::set(NOW.parse().unwrap()));
    let means = Means { http: &http, clock: &clock, last: None };
    client_credentials::token(&application, &endpoint, means).await.unwrap();
    let old = Secret::new("old-refresh-token".into());
    refresh_token::token(&application, &endpoint, &old, None, means).await.unwrap();
    let password = Given::Here(Secret::new("hunter2 hunter2".into()));
    password::token(&application, &endpoint, "scanner@example.com", &password, means).await.unwrap();
    for (asked, grant) in asked.await.unwrap().iter().zip(["client_credentials", "refresh_token", "password"]) {
        let fields = fields(asked);
        assert_eq!(fields["grant_type"], grant);
        assert_eq!(fields["client_id"], "the app");
        assert_eq!(fields["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        assert_eq!(part(&fields["client_assertion"], 1)["aud"], endpoint.as_str());
        assert!(!fields.contains_key("client_secret"), "{asked}");
    }
}

#[tokio::test]
async fn what_was_signed_is_in_no_failure() {
    // A server that says it all again cannot be written down beforehand: so the failure is made of what was sent.
    let (endpoint, _) = endpoint([]).await;
    let (application, _files) = certified(endpoint.clone());
    let (http, clock) = (http(), Clock::default());
    let mut call = Call::new(&endpoint, Means { http: &http, clock: &clock, last: None });
    call.client(&application).await.unwrap();
    let signed = call.assertion.as_ref().unwrap().text.clone();
    let said = format!("you said {}", signed.expose());
    let failure = format!("{:?}", call.failed(Trouble::Unreadable(said.into_bytes())));
    assert!(failure.contains("you said [secret]") && !failure.contains(&signed.expose()[..40]), "{failure}");
}

/// Refused at first, and then not, by a server whose clock is so many seconds ahead of ours; what it was asked, and
/// how that ended.
async fn asked_of(refusal: &str, ahead: i64) -> (Vec<String>, Result<Token, NoToken>) {
    let ours: Timestamp = NOW.parse().unwrap();
    let theirs = (ours + SignedDuration::from_secs(ahead)).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let refused = json(&format!("401 Unauthorized\r\ndate: {theirs}"), &format!(r#"{{"error":"{refusal}"}}"#));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint: Endpoint = format!("http://{}/token", listener.local_addr().unwrap()).parse().unwrap();
    let mut asked = super::super::super::server::answering(listener, [refused, json("200 OK", GOOD)]);
    let (application, _files) = certified(endpoint.clone());
    let (http, clock) = (http(), Clock::set(ours));
    let means = Means { http: &http, clock: &clock, last: None };
    let token = client_credentials::token(&application, &endpoint, means).await;
    if token.is_err() {
        // Whoever was not asked again says so by still waiting; this is the last one it hears.
        assert!(!asked.is_finished(), "asked again and failed all the same");
        let mut last = HttpRequest::new(Vec::new());
        *last.uri_mut() = endpoint.as_str().parse().unwrap();
        http.exchange(last).await.unwrap();
    }
    ((&mut asked).await.unwrap(), token)
}

#[tokio::test]
async fn a_server_that_does_not_believe_our_time_is_asked_once_more_with_its_own() {
    for ahead in [3600, -86_400 * 30] {
        let (asked, token) = asked_of("invalid_client", ahead).await;
        assert_eq!(token.unwrap().access_token.expose(), "ey.x");
        let made = |asked: &str| part(&fields(asked)["client_assertion"], 1)["iat"].as_i64().unwrap();
        assert_eq!(made(&asked[1]) - made(&asked[0]), ahead);
        let (mut first, mut again) = (fields(&asked[0]), fields(&asked[1]));
        assert_ne!(first.remove("client_assertion"), again.remove("client_assertion"));
        assert_eq!(first, again, "nothing else has changed");
    }
}

#[tokio::test]
async fn a_server_that_has_another_reason_is_not_asked_again() {
    for (refusal, ahead) in [("invalid_client", 0), ("invalid_client", 60), ("invalid_grant", 3600)] {
        let (asked, token) = asked_of(refusal, ahead).await;
        let Failure::Token(TokenFailure::Refused { error, .. }) = *token.unwrap_err().failure else { panic!() };
        assert_eq!(error, refusal);
        assert!(asked[1].starts_with("GET "), "{}", asked[1]);
    }
}
