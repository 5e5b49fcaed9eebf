//! The token endpoint: who gets a token, who does not, and how it misbehaves.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse::sandbox::fault::{Gate, Times, TokenFault};
use posthouse::sandbox::{Certificate, Echo, Sandbox, Settings};

use crate::client::{Client, trust};
use crate::sandbox;

/// One HTTP/1.1 request over raw TLS; everything that came back.
async fn post(sandbox: &Sandbox, header: &str, body: &str) -> String {
    let rest = sandbox.token_endpoint();
    let (host, path) = rest.strip_prefix("https://").unwrap().split_once('/').unwrap();
    let mut client = Client::tls(host.parse().unwrap(), trust(sandbox), "127.0.0.1").await.unwrap();
    let length = body.len();
    let head = format!("POST /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n");
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
    client.send(format!("{head}{kind}{header}\r\n{body}")).await;
    String::from_utf8_lossy(&client.rest().await).into_owned()
}

fn body(sandbox: &Sandbox) -> String {
    let settings = sandbox.settings();
    let (id, secret) = (&settings.client_id, settings.client_secret.expose());
    format!("grant_type=client_credentials&client_id={id}&client_secret={secret}&scope=mail")
}

fn json(answer: &str) -> serde_json::Value {
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn a_client_that_proves_itself_gets_a_token_that_signs_in() {
    let settings = Settings { token_lifetime: Duration::from_mins(10), ..Settings::new().unwrap() };
    let sandbox = Sandbox::start(settings).await.unwrap();
    let pair = format!("{}:{}", sandbox.settings().client_id, sandbox.settings().client_secret.expose());
    let basic = format!("Authorization: Basic {}\r\n", STANDARD.encode(pair));
    for answer in
        [post(&sandbox, "", &body(&sandbox)).await, post(&sandbox, &basic, "grant_type=client_credentials").await]
    {
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("cache-control: no-store"), "{answer}");
        let answer = json(&answer);
        assert_eq!((answer["token_type"].as_str(), answer["expires_in"].as_u64()), (Some("Bearer"), Some(600)));
        let token = answer["access_token"].as_str().unwrap();
        assert_eq!(token.len(), 1200);
        let mut client = Client::greeted(&sandbox).await;
        client.say("AUTH XOAUTH2").await;
        let user = &sandbox.settings().username;
        let response = STANDARD.encode(format!("user={user}\x01auth=Bearer {token}\x01\x01"));
        assert!(client.say(&response).await.starts_with("235 "));
    }
    let counters = sandbox.counters();
    assert_eq!((counters.token_calls, counters.tokens_issued), (2, 2));
    assert_eq!(json(&post(&sandbox, "", &body(&sandbox)).await)["scope"], "mail");
}

#[tokio::test]
async fn everyone_else_is_told_why_not() {
    let sandbox = sandbox().await;
    let good = body(&sandbox);
    let cases = [
        (good.replace("client_secret=", "client_secret=x"), 401, "invalid_client"),
        (good.replace("client_id=", "client_id=x"), 401, "invalid_client"),
        ("grant_type=client_credentials".into(), 401, "invalid_client"),
        (good.replace("client_credentials", "implicit"), 400, "unsupported_grant_type"),
        (good.replace("grant_type", "grant"), 400, "invalid_request"),
        (format!("{good}&client_id=x"), 400, "invalid_request"),
    ];
    for (body, status, error) in cases {
        let answer = post(&sandbox, "", &body).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{body}: {answer}");
        assert_eq!(json(&answer)["error"], error);
    }
    let two_proofs = post(&sandbox, "Authorization: Basic eDp5\r\n", &good).await;
    assert_eq!(json(&two_proofs)["error"], "invalid_request");
    let secret = sandbox.settings().client_secret.expose();
    assert!(sandbox.transcript().iter().all(|said| !said.text.contains(secret)));
    assert_eq!(sandbox.counters().tokens_issued, 0);
}

#[tokio::test]
async fn it_misbehaves_as_told() {
    let sandbox = sandbox().await;
    let plan = |fault| sandbox.faults().plan_token(fault, Times::Once);
    let good = body(&sandbox);

    plan(TokenFault::Http { status: 503, body: "{\"error\":\"busy\"}".into() });
    let answer = post(&sandbox, "", &good).await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("{\"error\":\"busy\"}"), "{answer}");

    plan(TokenFault::BadJson);
    let answer = post(&sandbox, "", &good).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(r#"{"access_token":"#), "{answer}");

    plan(TokenFault::Close);
    assert_eq!(post(&sandbox, "", &good).await, "");
    plan(TokenFault::Garbage(b"220 not HTTP\r\n".into()));
    assert_eq!(post(&sandbox, "", &good).await, "220 not HTTP\r\n");

    plan(TokenFault::EchoSecret(Echo::Raw));
    assert!(post(&sandbox, "", &good).await.contains(sandbox.settings().client_secret.expose()));

    assert!(post(&sandbox, "", &good).await.starts_with("HTTP/1.1 200 "), "and recovers");
    assert_eq!(sandbox.counters().tokens_issued, 1);
}

#[tokio::test]
async fn a_gate_holds_a_token_back() {
    let sandbox = sandbox().await;
    let gate = Gate::new();
    sandbox.faults().plan_token(TokenFault::Wait(gate.clone()), Times::Once);
    let body = body(&sandbox);
    let (answer, issued) = tokio::join!(post(&sandbox, "", &body), async {
        gate.reached(1).await;
        let issued = sandbox.counters().tokens_issued;
        gate.open();
        issued
    });
    assert!(answer.starts_with("HTTP/1.1 200 "));
    assert_eq!(issued, 0, "nothing was issued before the gate opened");
}

#[tokio::test]
async fn it_has_a_certificate_of_its_own() {
    let sandbox = sandbox().await;
    sandbox.present(Certificate::Expired);
    assert!(post(&sandbox, "", &body(&sandbox)).await.starts_with("HTTP/1.1 200 "));
    sandbox.present_at_token_endpoint(Certificate::Expired);
    let rest = sandbox.token_endpoint();
    let host = rest.strip_prefix("https://").unwrap().strip_suffix("/token").unwrap();
    assert!(Client::tls(host.parse().unwrap(), trust(&sandbox), "127.0.0.1").await.is_err());
}
