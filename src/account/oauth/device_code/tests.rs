//! A device code from the first question to the token, against a server that answers from a list.
//!
//! The clock stands still and is moved by the pauses themselves, so every pause is exactly what was decided.

use tokio::task::JoinHandle;

use super::*;
use crate::account::oauth::authorization_code::tests::application;
use crate::account::oauth::server::{answer, endpoint, fields, json};
use crate::account::oauth::{ClientAuthentication, ClientProof, Given};
use crate::net::clock::Clock;
use crate::net::http::HttpClient;
use crate::net::http::tests::client as http;
use crate::secret::Secret;

const OFFER: &str = r#"{"device_code":"the-device-code","user_code":"WDJB-MJHT",
    "verification_uri":"https://example.com/device","verification_uri_complete":"https://example.com/device?c=1",
    "expires_in":1800}"#;
const TOKEN: &str = r#"{"access_token":"ey.x","refresh_token":"r.1"}"#;

fn error(name: &str) -> String {
    json("400 Bad Request", &format!(r#"{{"error":"{name}"}}"#))
}

fn ok(body: &str) -> String {
    json("200 OK", body)
}

/// A server that gives these answers, one a connection; an empty one is a connection that is cut.
async fn server(answers: impl IntoIterator<Item = String>) -> (KnownEndpoints, JoinHandle<Vec<String>>) {
    let (endpoint, heard) = endpoint(answers).await;
    let endpoints = KnownEndpoints {
        token: endpoint.clone(),
        authorization: None,
        device_authorization: Some(endpoint),
        revocation: None,
        issuer: None,
        always_names_issuer: false,
    };
    (endpoints, heard)
}

struct Own(HttpClient, Clock);

impl Own {
    fn means() -> Self {
        Self(http(), Clock::default())
    }

    fn lent(&self) -> Means<'_> {
        Means { http: &self.0, clock: &self.1, last: None }
    }
}

/// Stops the clock, and really: while a blocking task runs, tokio does not move it by itself.
struct Still(Option<std::sync::mpsc::Sender<()>>);

impl Still {
    fn stand() -> Self {
        let (sender, end) = std::sync::mpsc::channel();
        tokio::task::spawn_blocking(move || end.recv());
        tokio::time::pause();
        Self(Some(sender))
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        tokio::time::resume();
        self.0.take();
    }
}

/// How it ends, the pauses on the way in seconds, and what the server was asked.
async fn polled(offer: &str, answers: Vec<String>) -> (Result<String, Failure>, Vec<u64>, Vec<String>) {
    let _still = Still::stand();
    let (endpoints, heard) = server([ok(offer)].into_iter().chain(answers)).await;
    let (application, own) = (application(ClientProof::None), Own::means());
    let invitation = ask(&application, &endpoints, own.lent()).await.unwrap().unwrap();
    let mut pauses = Vec::new();
    let sleep = async |pause: Duration| {
        pauses.push(pause.as_secs());
        tokio::time::advance(pause).await;
    };
    let ended = invitation.polled(&application, &endpoints.token, own.lent(), sleep).await;
    let ended = ended.map(|(token, _)| token.access_token.expose().to_owned()).map_err(|none| *none.failure);
    (ended, pauses, heard.await.unwrap())
}

fn refused(ended: Result<String, Failure>) -> String {
    match ended {
        Err(Failure::Token(TokenFailure::Refused { error, .. })) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn it_is_asked_every_five_seconds_until_the_person_agrees() {
    let pending = || error("authorization_pending");
    let (ended, pauses, heard) = polled(OFFER, vec![pending(), pending(), ok(TOKEN)]).await;
    assert_eq!((ended.unwrap().as_str(), pauses), ("ey.x", vec![5, 5, 5]));
    let asked = [("client_id", "the app"), ("scope", "https://mail.example.com/ offline_access")];
    assert_eq!(fields(&heard[0]), asked.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let poll = [
        ("client_id", "the app"),
        ("device_code", "the-device-code"),
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
    ];
    let poll = poll.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert!(heard.len() == 4 && heard[1..].iter().all(|asked| fields(asked) == poll), "{heard:?}");
}

#[tokio::test]
async fn each_slow_down_costs_five_seconds_for_good() {
    let (pending, slower) = (error("authorization_pending"), error("slow_down"));
    let too_many =
        "HTTP/1.1 429 Too Many\r\nretry-after: 40\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned();
    let answers = vec![slower.clone(), pending.clone(), slower, pending.clone(), too_many, pending, ok(TOKEN)];
    let (ended, pauses, _) = polled(OFFER, answers).await;
    assert_eq!(pauses, [5, 10, 10, 15, 15, 40, 20]);
    assert!(ended.is_ok());
}

#[tokio::test]
async fn a_told_interval_is_kept() {
    let offer = OFFER.replace("1800", "\"1800\",\"interval\":\"7\"");
    let (ended, pauses, _) = polled(&offer, vec![error("authorization_pending"), ok(TOKEN)]).await;
    assert_eq!((ended.is_ok(), pauses), (true, vec![7, 7]));
}

#[tokio::test]
async fn while_nobody_answers_the_pauses_double_up_to_a_minute_and_end_with_an_answer() {
    let broken = answer("502 Bad Gateway", "text/html", "<html>");
    let answers =
        [String::new(), broken.clone(), String::new(), broken.clone(), broken, error("authorization_pending")];
    let (ended, pauses, _) = polled(OFFER, answers.into_iter().chain([ok(TOKEN)]).collect()).await;
    assert_eq!(pauses, [5, 10, 20, 40, 60, 60, 5]);
    assert!(ended.is_ok());
}

#[tokio::test]
async fn a_code_that_nobody_enters_expires() {
    let offer = OFFER.replace("1800", "12");
    let pending = || error("authorization_pending");
    let (ended, pauses, _) = polled(&offer, vec![pending(), pending()]).await;
    assert_eq!((refused(ended).as_str(), pauses), ("expired_token", vec![5, 5, 2]));
}

#[tokio::test]
async fn a_refusal_of_the_person_or_of_the_server_ends_it() {
    for name in ["access_denied", "expired_token", "invalid_client", "no_such_error"] {
        let (ended, pauses, _) = polled(OFFER, vec![error(name)]).await;
        assert_eq!((refused(ended).as_str(), pauses), (name, vec![5]));
    }
    let (ended, ..) = polled(OFFER, vec![ok(r#"{"access_token":"a b"}"#)]).await;
    assert!(matches!(ended, Err(Failure::Token(TokenFailure::Odd { .. }))), "{ended:?}");
}

async fn offered(json: &str) -> Result<Invitation, Failure> {
    let (endpoints, _) = server([ok(json)]).await;
    let asked = ask(&application(ClientProof::None), &endpoints, Own::means().lent()).await;
    asked.map(Option::unwrap).map_err(|none| *none.failure)
}

#[tokio::test]
async fn the_offer_is_read_as_google_spells_it_too() {
    let offer = OFFER.replace("verification_uri\"", "verification_url\"").replace(",\n    \"expires_in\":1800", "");
    let invitation = offered(&offer).await.unwrap();
    assert_eq!(
        (invitation.user_code.as_str(), invitation.address.as_str()),
        ("WDJB-MJHT", "https://example.com/device")
    );
    assert_eq!(invitation.complete.as_deref(), Some("https://example.com/device?c=1"));
    assert_eq!((invitation.life, invitation.interval), (USUAL_LIFE, INTERVAL));
    assert!(!format!("{invitation:?}").contains("the-device-code"));
}

#[tokio::test]
async fn what_no_person_should_be_shown_is_not() {
    for offer in [
        OFFER.replace("https://example.com/device\"", "javascript:alert(1)\""),
        OFFER.replace("https://example.com/device\"", "file:///etc/passwd\""),
        OFFER.replace("WDJB-MJHT", "\\u001b[2J"),
        OFFER.replace("WDJB-MJHT", ""),
        OFFER.replace("WDJB-MJHT", &"X".repeat(65)),
        OFFER.replace("the-device-code", ""),
    ] {
        let failure = offered(&offer).await.unwrap_err();
        assert!(matches!(failure, Failure::Token(TokenFailure::Odd { .. })), "{offer}: {failure:?}");
    }
    let odd = offered(r#"{"access_token":"secret-token"}"#).await.unwrap_err();
    let said = format!("{odd:?}");
    assert!(said.contains("there is no JSON with `device_code`") && !said.contains("secret-token"), "{said}");
}

#[tokio::test]
async fn a_secret_goes_along_as_configured_and_comes_back_in_no_failure() {
    let secret = || Given::Here(Secret::new("s+e/c=r%t".into()));
    let proof = |sent| ClientProof::Secret { secret: secret(), sent, expires: None };
    let echo = r#"{"error":"invalid_client","error_description":"s+e/c=r%t"}"#;
    let (endpoints, heard) = server([json("401 No", echo), json("401 No", echo)]).await;
    for sent in [ClientAuthentication::Body, ClientAuthentication::Basic] {
        let none = ask(&application(proof(sent)), &endpoints, Own::means().lent()).await.unwrap_err();
        assert!(format!("{none:?}").contains("description: \"[secret]\""), "{none:?}");
    }
    let heard = heard.await.unwrap();
    assert_eq!(fields(&heard[0])["client_secret"], "s+e/c=r%t");
    assert!(!heard[1].contains("client_") && heard[1].contains("authorization: Basic "), "{}", heard[1]);
}

#[tokio::test]
async fn without_an_endpoint_for_it_nobody_is_asked() {
    let (mut endpoints, _) = server([]).await;
    endpoints.device_authorization = None;
    assert!(ask(&application(ClientProof::None), &endpoints, Own::means().lent()).await.unwrap().is_none());
}
