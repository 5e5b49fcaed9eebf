//! Documents of servers of the test's own: what is believed, what is refused, and for how long it is remembered.
//!
//! The texts are judged without a server where none is needed. A server tells its own port in its document.

use super::super::server::{answer, answering, black_hole, endpoint, json, nobody};
use super::*;
use crate::diagnosis::{Context, diagnose};
use crate::net::http::tests::client as http;
use crate::words::Cause;

const ADDRESS: &str = "https://id.example.com/.well-known/openid-configuration";

fn read(address: &str, document: &str) -> Result<KnownEndpoints, String> {
    understand(&address.parse().unwrap(), document.as_bytes())
}

/// A document with this `issuer` and this between its braces.
fn document(issuer: &str, more: &str) -> String {
    format!(r#"{{"issuer":"{issuer}","token_endpoint":"https://id.example.com/token"{more}}}"#)
}

#[test]
fn everything_that_is_used_of_a_document_is_found_in_it() {
    let more = r#","authorization_endpoint":"https://id.example.com/auth",
        "device_authorization_endpoint":"https://id.example.com/device",
        "revocation_endpoint":"https://id.example.com/revoke",
        "authorization_response_iss_parameter_supported":true,"jwks_uri":"https://id.example.com/keys""#;
    let endpoint = |path: &str| format!("https://id.example.com/{path}").parse::<Endpoint>().unwrap();
    let expected = KnownEndpoints {
        token: endpoint("token"),
        authorization: Some(endpoint("auth")),
        device_authorization: Some(endpoint("device")),
        revocation: Some(endpoint("revoke")),
        issuer: Some("https://id.example.com".into()),
        always_names_issuer: true,
    };
    assert_eq!(read(ADDRESS, &document("https://id.example.com", more)).unwrap(), expected);
    let least = read(ADDRESS, &document("https://id.example.com", "")).unwrap();
    assert!(least.authorization.is_none() && !least.always_names_issuer);
}

#[test]
fn the_issuer_is_the_one_the_address_is_made_of() {
    let origin = "https://id.example.com";
    for (address, issuer) in [
        ("/.well-known/openid-configuration", ""),
        ("/.well-known/openid-configuration", "/"),
        ("/realms/a/.well-known/openid-configuration", "/realms/a"),
        ("/.well-known/oauth-authorization-server/realms/a", "/realms/a"),
        ("/.well-known/oauth-authorization-server", ""),
        ("/.well-known/openid-configuration?v=2", ""),
        ("/realms/a/metadata.json", "/realms/a"),
        ("/realms/a/metadata.json", ""),
    ] {
        let said = read(&format!("{origin}{address}"), &document(&format!("{origin}{issuer}"), ""));
        assert!(said.is_ok(), "{address} {issuer}: {said:?}");
    }
    for (address, issuer) in [
        ("/.well-known/openid-configuration", "https://evil.example.net"),
        ("/.well-known/openid-configuration", "https://id.example.com.example.net"),
        ("/realms/a/.well-known/openid-configuration", "https://id.example.com"),
        ("/realms/a/.well-known/openid-configuration", "https://id.example.com/realms/b"),
        ("/.well-known/oauth-authorization-server/realms/a", "https://id.example.com/realms/b"),
        ("/realms/ab/metadata.json", "https://id.example.com/realms/a"),
        ("/realms/a/metadata.json", "https:"),
        ("/realms/a/metadata.json", ""),
    ] {
        let said = read(&format!("{origin}{address}"), &document(issuer, "")).unwrap_err();
        assert_eq!(said, format!("it speaks for another server: its `issuer` is {issuer}"), "{address}");
    }
}

#[test]
fn a_document_that_names_no_place_for_secrets_is_not_used() {
    let said = |more: &str| {
        let document = format!(r#"{{"issuer":"https://id.example.com"{more}}}"#);
        read(ADDRESS, &document).unwrap_err()
    };
    assert_eq!(said(""), "it names no `token_endpoint`");
    let in_clear = said(r#","token_endpoint":"http://id.example.com/token""#);
    assert!(in_clear.starts_with("its `token_endpoint` cannot be used: the address must begin with https://"));
    let here = said(r#","token_endpoint":"http://127.0.0.1:631/token""#);
    assert_eq!(here, "its `token_endpoint` is on this machine itself");
    let token = r#","token_endpoint":"https://id.example.com/token""#;
    let other = said(&format!(r#"{token},"revocation_endpoint":"id.example.com""#));
    assert!(other.starts_with("its `revocation_endpoint` cannot be used: this is not an address"), "{other}");
    let not_json = "it is not the JSON document that names the endpoints of a server";
    assert_eq!(read(ADDRESS, "<html>").unwrap_err(), not_json);
    assert_eq!(read(ADDRESS, r#"{"issuer":7}"#).unwrap_err(), not_json);
    assert_eq!(read(ADDRESS, "{}").unwrap_err(), "it does not say whose it is (`issuer`)");
}

#[tokio::test(start_paused = true)]
async fn what_was_found_is_remembered_for_an_hour_by_every_clone() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let answers = ["one", "two"]
        .map(|token| json("200 OK", &format!(r#"{{"issuer":"{origin}","token_endpoint":"{origin}/{token}"}}"#)));
    let asked = answering(listener, answers);
    let endpoints = Endpoints::discovered(format!("{origin}/.well-known/openid-configuration").parse().unwrap());
    let token = async |endpoints: &Endpoints| known(endpoints, &http()).await.unwrap().token.to_string();
    assert_eq!(token(&endpoints).await, format!("{origin}/one"));
    tokio::time::advance(REMEMBERED.saturating_sub(Duration::from_secs(1))).await;
    assert_eq!(token(&endpoints.clone()).await, format!("{origin}/one"));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(token(&endpoints.clone()).await, format!("{origin}/two"));
    let asked = asked.await.unwrap();
    assert!(asked[0].starts_with("GET /.well-known/openid-configuration HTTP/1.1\r\n"), "{}", asked[0]);
}

/// The code, cause and cure of a failure to find the endpoints.
async fn failed(document: Endpoint) -> (&'static str, Cause, String) {
    let endpoints = Endpoints::discovered(document);
    let failure = *known(&endpoints, &http()).await.unwrap_err().failure;
    let said = diagnose(&failure, Context::default());
    (said.code, said.cause, said.cure.into_owned())
}

#[tokio::test]
async fn a_document_that_is_not_to_be_had_waits_or_asks_for_the_right_address() {
    for (status, kind, body, code, cause) in [
        ("503 Unavailable", "text/html", "<html>", "discovery_broken", Cause::Network),
        ("429 Slow Down\r\nretry-after: 120", "text/plain", "", "discovery_throttled", Cause::Throttle),
        ("404 Not Found", "text/plain", "no", "discovery_not_there", Cause::Network),
        ("302 Found\r\nlocation: /elsewhere", "text/plain", "", "discovery_not_there", Cause::Network),
        ("200 OK", "text/html", "<html>Please accept our terms", "discovery_unfit", Cause::Config),
    ] {
        let (document, _) = endpoint([answer(status, kind, body)]).await;
        let (said, whose, cure) = failed(document).await;
        assert_eq!((said, whose), (code, cause), "{status}");
        assert!(cure.contains("`oauth.discovery`") || cure.contains("tried again later"), "{cure}");
    }
    let (code, cause, cure) = failed(nobody().await).await;
    assert_eq!((code, cause), ("discovery_unreachable", Cause::Network));
    assert!(cure.contains("`oauth.discovery`"), "{cure}");
}

#[tokio::test(start_paused = true)]
async fn silence_ends_at_the_deadline() {
    let (document, _listening) = black_hole().await;
    let before = tokio::time::Instant::now();
    assert_eq!(failed(document).await.0, "discovery_unreachable");
    assert_eq!(before.elapsed().as_secs(), 30);
}

#[tokio::test]
async fn a_failure_is_not_remembered() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let good = format!(r#"{{"issuer":"{origin}","token_endpoint":"{origin}/token"}}"#);
    let asked = answering(listener, [json("503 Unavailable", ""), json("200 OK", &good)]);
    let endpoints = Endpoints::discovered(format!("{origin}/.well-known/openid-configuration").parse().unwrap());
    assert!(known(&endpoints, &http()).await.is_err());
    assert!(known(&endpoints, &http()).await.is_ok());
    assert_eq!(asked.await.unwrap().len(), 2);
}
