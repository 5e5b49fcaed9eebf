//! Service accounts before a token endpoint of the test's own: what is signed and sent, and useless key files.
//!
//! The endpoint looks at what Google looks at; that the signature is good is shown where it is made.

use serde_json::json;

use super::super::assertion::tests::{pair, rsa_pair};
use super::super::server::{endpoint, fields, json as in_json, part};
use super::*;
use crate::net::clock::Clock;
use crate::net::http::tests::client as http;

const ISSUER: &str = "scans@example.iam.gserviceaccount.com";

/// A key file as Google gives it out.
fn written(token_uri: &str) -> Value {
    json!({
        "type": "service_account",
        "project_id": "example",
        "private_key_id": "4711",
        "private_key": rsa_pair().key,
        "client_email": ISSUER,
        "client_id": "1234567890",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": token_uri,
        "universe_domain": "googleapis.com",
    })
}

fn in_a_file(text: &str) -> (tempfile::NamedTempFile, ServiceAccount) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let account = ServiceAccount {
        key_file: file.path().into(),
        token_endpoint: None,
        scope: "https://mail.google.com/".into(),
        subject: "scanner@example.com".into(),
    };
    (file, account)
}

async fn ask(account: &ServiceAccount) -> Result<Token, Failure> {
    let clock = Clock::set("2026-11-22T08:00:00Z".parse().unwrap());
    token(account, Means { http: &http(), clock: &clock, last: None }).await.map_err(|none| *none.failure)
}

/// What is said of a key file with this text, which is called FILE.
async fn fault(text: &str) -> String {
    let (file, account) = in_a_file(text);
    match ask(&account).await.unwrap_err() {
        Failure::Token(TokenFailure::OwnFile { detail }) => detail.replace(file.path().to_str().unwrap(), "FILE"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_key_acts_for_the_mailbox_as_google_wants_it() {
    let (endpoint, asked) = endpoint([in_json("200 OK", r#"{"access_token":"ya29.x","expires_in":3599}"#)]).await;
    let (_file, account) = in_a_file(&written(endpoint.as_str()).to_string());
    let token = ask(&account).await.unwrap();
    assert_eq!((token.access_token.expose(), token.life.map(|life| life.as_secs())), ("ya29.x", Some(3599)));
    let asked = asked.await.unwrap().remove(0);
    assert!(asked.starts_with("POST /token?tenant=x HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("content-type: application/x-www-form-urlencoded\r\n"), "{asked}");
    let fields = fields(&asked);
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["assertion", "grant_type"]);
    assert_eq!(fields["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    assert_eq!(part(&fields["assertion"], 0), json!({ "typ": "JWT", "alg": "RS256", "kid": "4711" }));
    let claims = part(&fields["assertion"], 1);
    for (name, expected) in [
        ("iss", ISSUER),
        ("sub", "scanner@example.com"),
        ("scope", "https://mail.google.com/"),
        ("aud", endpoint.as_str()),
    ] {
        assert_eq!(claims[name], expected, "{name}");
    }
    let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert!((1..=3600).contains(&life), "{life}");
}

#[tokio::test]
async fn an_endpoint_of_the_configuration_stands_above_the_one_in_the_file() {
    let (endpoint, asked) = endpoint([in_json("200 OK", r#"{"access_token":"ya29.x"}"#)]).await;
    let (_file, mut account) = in_a_file(&written("https://oauth2.googleapis.com/token").to_string());
    account.token_endpoint = Some(endpoint.clone());
    ask(&account).await.unwrap();
    let assertion = &fields(&asked.await.unwrap()[0])["assertion"];
    assert_eq!(part(assertion, 1)["aud"], endpoint.as_str());
}

#[tokio::test]
async fn a_file_of_another_kind_is_refused_with_its_kind() {
    for (kind, said) in [
        (json!("authorized_user"), "the sign-in of a person (`authorized_user`)"),
        (json!("external_account"), "an identity kept elsewhere (`external_account`)"),
        (json!("impersonated_service_account"), "another account's rights (`impersonated_service_account`)"),
        (json!("gdch_service_account"), "a kind that is not known here"),
        (json!(7), "does not say what it is"),
        (Value::Null, "does not say what it is"),
    ] {
        let mut written = written("https://oauth2.googleapis.com/token");
        written["type"] = kind;
        let fault = fault(&written.to_string()).await;
        assert!(fault.starts_with("FILE ") && fault.contains(said), "{fault}");
    }
}

#[tokio::test]
async fn a_useless_file_says_what_is_wrong_with_it_and_nothing_of_what_is_in_it() {
    let whole = written("https://oauth2.googleapis.com/token");
    for name in ["client_email", "private_key", "token_uri"] {
        let mut written = whole.clone();
        written.as_object_mut().unwrap().remove(name);
        let said = format!("FILE has no `{name}`; give the whole file the provider gave out");
        assert_eq!(fault(&written.to_string()).await, said);
    }
    let with = |name: &str, value: &str| {
        let mut written = whole.clone();
        written[name] = value.into();
        written.to_string()
    };
    let said = fault(&with("token_uri", "http://oauth2.example.com/hunter2")).await;
    assert!(said.starts_with("`token_uri` in FILE is no endpoint: the address must begin with https://"), "{said}");
    let said = fault(&with("private_key", "hunter2")).await;
    assert!(said.starts_with("FILE holds no private key"), "{said}");
    let said = fault(&with("private_key", &pair(&rcgen::PKCS_ED25519).key)).await;
    assert!(said.starts_with("the private key in FILE is of a kind that cannot be used"), "{said}");
    let said = fault("{\n\"private_key\": hunter2").await;
    assert_eq!(said, "FILE is no JSON key file (line 2); give the file the provider gave out");
    let said = fault(&" ".repeat(65_537)).await;
    assert_eq!(said, "cannot read FILE: it is longer than 65536 octets");
    let (file, account) = in_a_file("");
    drop(file);
    let absent = format!("{:?}", ask(&account).await.unwrap_err());
    assert!(absent.contains("cannot read /") && absent.contains("No such file"), "{absent}");
}

#[tokio::test]
async fn a_server_whose_clock_is_another_gets_its_own_time() {
    let refusal = r#"{"error":"invalid_grant","error_description":"Invalid JWT: iat is in the future."}"#;
    let refusal = in_json("400 Bad Request\r\ndate: Sun, 22 Nov 2026 07:00:00 GMT", refusal);
    let (endpoint, asked) = endpoint([refusal, in_json("200 OK", r#"{"access_token":"ya29.x"}"#)]).await;
    let (_file, account) = in_a_file(&written(endpoint.as_str()).to_string());
    ask(&account).await.unwrap();
    let made: Vec<i64> = asked.await.unwrap().iter().map(|asked| made(&fields(asked)["assertion"])).collect();
    assert_eq!(made[0] - made[1], 3600);
}

fn made(assertion: &str) -> i64 {
    part(assertion, 1)["iat"].as_i64().unwrap()
}
