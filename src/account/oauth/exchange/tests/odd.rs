//! Odd and dead servers, before every grant that goes on by itself: the cause is the right one, and nothing leaks.
//!
//! What waits for the provider or the network must not ask for a person, and the other way round.

use super::super::super::assertion::tests::rsa_pair;
use super::super::super::server::{black_hole, json, nobody};
use super::super::super::{ServiceAccount, refresh_token, service_account};
use super::*;
use crate::diagnosis::{Context, Diagnosis, diagnose};
use crate::words::Cause;

const REFRESH: &str = "1//old-refresh-token-of-the-test";

/// The grants that need no person, by the names of the configuration.
const GRANTS: [&str; 3] = ["client_credentials", "refresh_token", "service_account"];

/// What this grant brings from this endpoint.
async fn by(grant: &str, endpoint: &Endpoint) -> Result<Token, NoToken> {
    let application = application(endpoint.clone(), ClientAuthentication::Body);
    let (http, clock) = (http(), Clock::default());
    let means = Means { http: &http, clock: &clock, last: None };
    match grant {
        "client_credentials" => client_credentials::token(&application, endpoint, means).await,
        "refresh_token" => {
            refresh_token::token(&application, endpoint, &Secret::new(REFRESH.into()), None, means).await
        }
        _ => {
            let file = tempfile::NamedTempFile::new().unwrap();
            let key = serde_json::json!({
                "type": "service_account", "client_email": "x@example.com", "private_key": rsa_pair().key,
                "token_uri": "https://oauth2.googleapis.com/token",
            });
            std::fs::write(file.path(), key.to_string()).unwrap();
            let (scope, subject) = ("https://mail.google.com/".into(), "scanner@example.com".into());
            let token_endpoint = Some(endpoint.clone());
            let account = ServiceAccount { key_file: file.path().into(), token_endpoint, scope, subject };
            service_account::token(&account, means).await
        }
    }
}

fn judged(none: &NoToken) -> Diagnosis {
    diagnose(&none.failure, Context::default())
}

#[tokio::test]
async fn what_a_server_says_has_the_same_cause_whatever_the_grant() {
    use Cause::{Account, Config, Network, Throttle};
    for (answer, code, cause) in [
        (json("400 Bad Request", r#"{"error":"invalid_grant"}"#), "oauth_invalid_grant", Account),
        (json("401 Unauthorized", r#"{"error":"invalid_client"}"#), "oauth_invalid_client", Account),
        (json("400 Bad Request", r#"{"error":"invalid_scope"}"#), "oauth_invalid_scope", Config),
        (json("200 OK", r#"{"error":"invalid_grant"}"#), "oauth_invalid_grant", Account),
        (json("429 Slow\r\nretry-after: 90", r#"{"error":"x"}"#), "token_endpoint_throttles", Throttle),
        (json("500 Broken", r#"{"error":"invalid_grant"}"#), "token_endpoint_broken", Network),
        (json("503 Away", ""), "token_endpoint_broken", Network),
        (json("200 OK", r#"{"access_tok"#), "token_answer_odd", Network),
        (json("200 OK", "[]"), "token_answer_odd", Network),
        (json("200 OK", r#"{"access_token":7}"#), "token_answer_odd", Network),
        (json("307 Moved\r\nlocation: http://192.0.2.1/", ""), "token_endpoint_redirects", Network),
        (answer("502 Bad", "text/html", "<html><title>Bad</title>"), "token_gateway_broken", Network),
        (answer("200 OK", "text/html", "<html><title>Hotel</title>"), "token_captive_portal", Network),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"access".to_owned(), "token_endpoint_unreachable", Network),
        ("220 smtp.example.com ESMTP\r\n".to_owned(), "token_endpoint_unreachable", Network),
    ] {
        for grant in GRANTS {
            let (endpoint, _) = endpoint([answer.clone()]).await;
            let said = judged(&by(grant, &endpoint).await.unwrap_err());
            assert_eq!((said.code, said.cause), (code, cause), "{grant}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_waited_for() {
    for grant in GRANTS {
        let said = judged(&by(grant, &nobody().await).await.unwrap_err());
        assert_eq!((said.code, said.cause), ("token_endpoint_unreachable", Cause::Network), "{grant}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up_at_the_deadline() {
    for grant in GRANTS {
        let (endpoint, _listening) = black_hole().await;
        let before = tokio::time::Instant::now();
        let said = judged(&by(grant, &endpoint).await.unwrap_err());
        assert_eq!((said.code, said.cause), ("token_endpoint_unreachable", Cause::Network), "{grant}");
        assert_eq!(before.elapsed().as_secs(), 30, "{grant}");
    }
}

#[tokio::test]
async fn a_life_that_is_missing_or_a_string_is_no_fault_of_the_token() {
    for (body, life) in [
        (r#"{"access_token":"ey.x"}"#, None),
        (r#"{"access_token":"ey.x","expires_in":"3599"}"#, Some(3599)),
        (r#"{"access_token":"ey.x","expires_in":"soon"}"#, None),
    ] {
        for grant in GRANTS {
            let (endpoint, _) = endpoint([json("200 OK", body)]).await;
            let token = by(grant, &endpoint).await.unwrap();
            assert_eq!(token.life.map(|life| life.as_secs()), life, "{grant}: {body}");
        }
    }
}

#[tokio::test]
async fn nothing_that_was_sent_and_no_token_that_came_is_in_a_failure() {
    let new = ["1//new-refresh-token", "eyJ-new-id-token", "eyJ-new-access-token"];
    let without = format!(r#""refresh_token":"{}","id_token":"{}""#, new[0], new[1]);
    let tokens = format!(r#"{without},"access_token":"{}""#, new[2]);
    let repeated = format!("{SECRET} {REFRESH} {} {}", new[0], new[1]);
    for answer in [
        json("400 Bad Request", &format!(r#"{{"error":"x","error_description":"{repeated} {}",{tokens}}}"#, new[2])),
        json("400 Bad Request", &format!(r#"{{"error":{{"code":"{repeated}"}},{tokens}}}"#)),
        json("503 Away", &format!(r#"{{"error":"{repeated} {}",{tokens}}}"#, new[2])),
        json("200 OK", &format!(r#"{{"error":"{repeated}",{without}}}"#)),
        json("400 Bad Request", &format!("you said {SECRET} and {REFRESH}")),
        answer("502 Bad", "text/html", &format!("<html><title>{SECRET} {REFRESH}</title>")),
    ] {
        let (endpoint, _) = endpoint([answer]).await;
        let said = format!("{:?}", by("refresh_token", &endpoint).await.unwrap_err());
        for secret in [SECRET, REFRESH].into_iter().chain(new) {
            assert!(!said.contains(secret), "{secret} in {said}");
        }
    }
}

#[tokio::test]
async fn a_renewal_asks_for_what_was_granted_unless_told_otherwise() {
    let (endpoint, asked) = endpoint([(); 2].map(|()| json("200 OK", r#"{"access_token":"ey.x"}"#))).await;
    let application = application(endpoint.clone(), ClientAuthentication::Body);
    let (http, clock) = (http(), Clock::default());
    let means = Means { http: &http, clock: &clock, last: None };
    for scope in [None, Some("https://a  b")] {
        refresh_token::token(&application, &endpoint, &Secret::new(REFRESH.into()), scope, means).await.unwrap();
    }
    let forms = asked.await.unwrap().into_iter().map(|asked| asked.split_once("\r\n\r\n").unwrap().1.to_owned());
    let sent = "grant_type=refresh_token&refresh_token=1%2F%2Fold-refresh-token-of-the-test";
    let client = "client_id=the+app&client_secret=a%2Bb%2Fc%3Dd%25e%26f%3Ag%7Eh+i";
    let expected = [format!("{sent}&{client}"), format!("{sent}&scope=https%3A%2F%2Fa+b&{client}")];
    assert_eq!(forms.collect::<Vec<_>>(), expected);
}
