//! Calls of a small token server of the test's own, with the client credentials grant.
//!
//! What is sent, and how answers are read; the secret is in none of the errors. What every grant makes of odd servers
//! stands in [`odd`], clients that sign in [`signed`].

use std::io::Write;

mod odd;
mod signed;

use super::super::server::{answer, endpoint};
use super::super::{Endpoints, client_credentials};
use super::*;
use crate::diagnosis::TlsProblem;
use crate::net::clock::Clock;
use crate::net::http::tests::{client as http, serve_tls};

/// Every octet a careless program forgets to encode.
const SECRET: &str = "a+b/c=d%e&f:g~h i";

fn application(endpoint: Endpoint, sent: ClientAuthentication) -> Application {
    Application {
        endpoints: Endpoints::token_only(endpoint),
        client_id: "the app".into(),
        proof: ClientProof::Secret { secret: Given::Here(Secret::new(SECRET.into())), sent, expires: None },
        scope: Some("https://a/.default  b".into()),
        unused_refresh_life: None,
    }
}

async fn ask(application: &Application) -> Result<Token, NoToken> {
    let means = Means { http: &http(), clock: &Clock::default(), last: None };
    client_credentials::token(application, application.endpoints.address(), means).await
}

/// What becomes of this answer.
async fn heard(status: &str, kind: &str, body: &str) -> Result<String, TokenFailure> {
    let (endpoint, _) = endpoint([answer(status, kind, body)]).await;
    match ask(&application(endpoint, ClientAuthentication::Body)).await.map_err(|none| *none.failure) {
        Ok(token) => Ok(format!("{} {:?}", token.access_token.expose(), token.life.map(|life| life.as_secs()))),
        Err(Failure::Token(failure)) => Err(failure),
        Err(other) => panic!("{other:?}"),
    }
}

async fn refusal(status: &str, body: &str) -> String {
    match heard(status, "application/json", body).await.unwrap_err() {
        TokenFailure::Refused { error, description, .. } => format!("refused: {error}: {description}"),
        TokenFailure::Odd { status, detail, .. } => format!("odd {status}: {detail}"),
        TokenFailure::Page { status, title, .. } => format!("page {status}: {title}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn in_the_body_every_octet_of_the_secret_arrives() {
    let (endpoint, asked) = endpoint([answer("200 OK", "application/json", r#"{"access_token":"ey.x"}"#)]).await;
    ask(&application(endpoint, ClientAuthentication::Body)).await.unwrap();
    let asked = asked.await.unwrap().remove(0);
    assert!(asked.starts_with("POST /token?tenant=x HTTP/1.1\r\n"), "{asked}");
    let form = asked.split_once("\r\n\r\n").unwrap().1;
    let expected = "grant_type=client_credentials&scope=https%3A%2F%2Fa%2F.default+b&client_id=the+app\
                    &client_secret=a%2Bb%2Fc%3Dd%25e%26f%3Ag%7Eh+i";
    assert_eq!(form, expected);
    assert!(!asked.contains("authorization:"), "{asked}");
}

#[tokio::test]
async fn with_basic_id_and_secret_are_encoded_before_they_are_joined() {
    use base64::prelude::*;
    let (endpoint, asked) = endpoint([answer("200 OK", "application/json", r#"{"access_token":"ey.x"}"#)]).await;
    ask(&application(endpoint, ClientAuthentication::Basic)).await.unwrap();
    let asked = asked.await.unwrap().remove(0);
    let basic = asked.lines().find_map(|line| line.strip_prefix("authorization: Basic ")).unwrap();
    let joined = BASE64_STANDARD.decode(basic).unwrap();
    assert_eq!(joined, b"the+app:a%2Bb%2Fc%3Dd%25e%26f%3Ag%7Eh+i", "RFC 6749 section 2.3.1");
    assert!(!asked.contains("client_secret"), "{asked}");
}

#[tokio::test]
async fn the_secret_file_is_read_at_each_call() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "from-a-file").unwrap();
    let (endpoint, asked) = endpoint([answer("200 OK", "application/json", r#"{"access_token":"ey.x"}"#)]).await;
    let mut application = application(endpoint, ClientAuthentication::Body);
    let in_a_file = |path: &std::path::Path| ClientProof::Secret {
        secret: Given::File(path.into()),
        sent: ClientAuthentication::Body,
        expires: None,
    };
    application.proof = in_a_file(file.path());
    ask(&application).await.unwrap();
    assert!(asked.await.unwrap().remove(0).ends_with("&client_secret=from-a-file"));
    application.proof = in_a_file("/no/such/file".as_ref());
    assert!(matches!(*ask(&application).await.unwrap_err().failure, Failure::Password { .. }));
}

#[tokio::test]
async fn a_server_that_is_not_strict_is_understood() {
    let plain = r#"{"access_token":"ey.x","token_type":"Bearer","expires_in":3599}"#;
    for (status, kind, body, expected) in [
        ("200 OK", "application/json; charset=utf-8", plain, "ey.x Some(3599)"),
        ("200 OK", "text/plain", plain, "ey.x Some(3599)"),
        ("201 Created", "application/json", plain, "ey.x Some(3599)"),
        ("200 OK", "application/json", r#"{"access_token":"ey.x","expires_in":"3599"}"#, "ey.x Some(3599)"),
        ("200 OK", "application/json", r#"{"access_token":"ey.x","error":null}"#, "ey.x None"),
    ] {
        assert_eq!(heard(status, kind, body).await.unwrap(), expected, "{status} {kind} {body}");
    }
}

#[tokio::test]
async fn a_refusal_is_a_refusal_whatever_the_status() {
    let body = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid\r\n secret."}"#;
    for status in ["400 Bad Request", "401 Unauthorized", "200 OK"] {
        let said = refusal(status, body).await;
        assert_eq!(said, "refused: invalid_client: AADSTS7000215: Invalid secret.", "{status}");
    }
}

#[tokio::test]
async fn a_server_in_trouble_says_nothing_about_us() {
    let body = r#"{"error":"invalid_client","error_description":"database is away"}"#;
    assert_eq!(refusal("503 Unavailable", body).await, "odd 503: invalid_client database is away");
    assert_eq!(refusal("429 Slow Down", body).await, "odd 429: invalid_client database is away");
}

#[tokio::test]
async fn a_server_that_says_when_to_come_back_is_heard() {
    for (header, expected) in [("120", Some(120)), ("Fri, 31 Dec 1999 23:59:59 GMT", None), ("-1", None)] {
        let status = format!("429 Slow Down\r\nretry-after: {header}");
        let failure = heard(&status, "application/json", r#"{"error":"slow_down"}"#).await.unwrap_err();
        let TokenFailure::Odd { retry_after, .. } = failure else { panic!("{failure:?}") };
        assert_eq!(retry_after.map(|time| time.as_secs()), expected, "{header}");
    }
}

#[tokio::test]
async fn what_is_no_answer_at_all_is_odd_and_described() {
    let page = "<!DOCTYPE html><html><Title>502 Bad\n Gateway</title>";
    assert_eq!(refusal("502 Bad", page).await, "page 502: 502 Bad Gateway");
    assert_eq!(refusal("500 Bad", "  <html>").await, "page 500: ");
    assert_eq!(refusal("404 Not Found", "no such page").await, "odd 404: no such page");
    assert_eq!(refusal("302 Found", "").await, "odd 302: there is nothing to read in it");
    assert_eq!(refusal("400 Bad", r#"{"error":{"code":7}}"#).await, r#"odd 400: {"error":{"code":7}}"#);
    assert_eq!(refusal("400 Bad", &"x".repeat(2000)).await.len(), "odd 400: ".len() + 300);
}

#[tokio::test]
async fn no_failure_repeats_a_secret_or_what_may_be_a_token() {
    let form = "a%2Bb%2Fc%3Dd%25e%26f%3Ag%7Eh+i";
    for (status, body) in [
        ("400 Bad", format!(r#"{{"error":"{SECRET}","error_description":"client_secret={form}"}}"#)),
        ("400 Bad", format!("you said {SECRET} and {form}")),
        ("502 Bad", format!("<html><title>{SECRET} {form}</title>")),
        ("200 OK", r#"{"accessToken":"eyJhbGciOi"}"#.to_owned()),
        ("200 OK", "eyJhbGciOi".to_owned()),
        ("200 OK", r#"{"access_token":"eyJhbGciOi\u0001"}"#.to_owned()),
    ] {
        let said = format!("{:?}", heard(status, "application/json", &body).await.unwrap_err());
        for secret in [SECRET, form, "eyJhbGciOi"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
}

#[tokio::test]
async fn the_token_issued_before_is_in_no_failure_either() {
    let (endpoint, _) = endpoint([answer("400 Bad", "text/plain", "you have ey.the.old.token already")]).await;
    let last = Secret::new("ey.the.old.token".into());
    let means = Means { http: &http(), clock: &Clock::default(), last: Some(&last) };
    let application = application(endpoint.clone(), ClientAuthentication::Body);
    let said = format!("{:?}", client_credentials::token(&application, &endpoint, means).await.unwrap_err());
    assert!(said.contains("you have [secret] already"), "{said}");
}

#[tokio::test]
async fn an_endpoint_that_is_away_is_named_without_its_query() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let endpoint = format!("http://{closed}/token?key=hunter2").parse().unwrap();
    let failure = *ask(&application(endpoint, ClientAuthentication::Body)).await.unwrap_err().failure;
    let Failure::Token(TokenFailure::Unreachable { endpoint, detail }) = failure else { panic!("{failure:?}") };
    assert_eq!(endpoint, format!("http://{closed}/token"));
    assert!(detail.contains("refused"), "{detail}");
}

#[tokio::test]
async fn an_endpoint_whose_certificate_nobody_trusts_is_a_failure_of_tls() {
    let (port, _) = serve_tls("localhost").await;
    let endpoint = format!("https://localhost:{port}/token?key=hunter2").parse().unwrap();
    let failure = *ask(&application(endpoint, ClientAuthentication::Body)).await.unwrap_err().failure;
    let endpoint = format!("https://localhost:{port}/token");
    assert_eq!(
        failure,
        Failure::Token(TokenFailure::Tls { endpoint, problem: TlsProblem::UnknownIssuer { pin: None } })
    );
}
