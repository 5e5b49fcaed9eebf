//! A token endpoint that is away, broken or says no, while a sign-in is kept: the right cause, no 5xx for a device,
//! nothing lost in the vault, and no hammering however many devices come.

use std::time::{Duration, Instant};

use posthouse::account::Source;
use posthouse::account::oauth::{Endpoints, Grant};
use posthouse::sandbox::fault::{Gate, Times, TokenFault};

use super::{HELD, assert_in_order, refresh_token, renewals, signed_in_at};
use crate::device::Device;
use crate::scene::{Log, Scene, provider};

/// Away for now: what a device hears, and tries again.
const LATER: &str = "451 4.4.0 ";
const CROWD: usize = 20;
const MAILS: usize = 5;

fn error(status: u16, code: &str) -> TokenFault {
    TokenFault::Http { status, body: format!(r#"{{"error":"{code}","error_description":"no"}}"#) }
}

fn page(status: u16, body: &str) -> TokenFault {
    TokenFault::Http { status, body: body.into() }
}

/// Many devices send some mails each at once; what all of them heard.
async fn crowd(scene: &Scene) -> Vec<String> {
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..CROWD {
        let address = scene.address();
        senders.spawn(async move {
            let mut device = Device::greeted(address).await;
            let mut heard = Vec::new();
            for _ in 0..MAILS {
                heard.push(device.mail().await);
            }
            heard
        });
    }
    senders.join_all().await.concat()
}

/// What must be renewed and cannot be: what the crowd hears and what the log says of it.
async fn fails(which: &str, fault: TokenFault, heard: &str, words: &[&str]) -> (Scene, Log) {
    let log = Log::capture();
    let scene = signed_in_at(provider(), false, |_| {}).await;
    let before = refresh_token(&scene.config);
    scene.sandbox.faults().plan_grant("refresh_token", fault, Times::Always);
    let begun = Instant::now();
    let replies = crowd(&scene).await;
    assert_eq!(replies.len(), CROWD * MAILS);
    for reply in replies {
        assert!(reply.starts_with(heard), "{which}: {reply}");
    }
    log.assert_line(words);
    // One call, and a pause that doubles from a second on.
    let allowed = if heard == HELD { 1 } else { 1 + (begun.elapsed().as_secs() + 1).ilog2() as usize };
    let calls = renewals(&scene.sandbox).len();
    assert!((1..=allowed).contains(&calls), "{which}: {calls} calls, {allowed} allowed");
    assert_eq!(refresh_token(&scene.config), before, "{which}: what is kept is unharmed");
    assert_eq!(scene.sandbox.counters().connections, 0, "{which}: without a credential nobody is called");
    (scene, log)
}

/// It passes: mail goes out once the endpoint is well again, without anybody doing anything.
async fn recovers(which: &str, (scene, _log): (Scene, Log)) {
    scene.sandbox.faults().clear();
    let mut device = scene.device().await;
    let begun = Instant::now();
    while !device.mail().await.starts_with("250 ") {
        assert!(begun.elapsed() < Duration::from_secs(20), "{which}: still not well");
    }
    assert_in_order(&scene.sandbox);
}

#[tokio::test]
async fn an_endpoint_that_is_broken_is_tried_again_later() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{\"access_".to_vec();
    let cases = [
        ("500", page(500, "<html>oops</html>"), ["cause=network", "HTTP 500"]),
        ("502 without a page", page(502, ""), ["cause=network", "HTTP 502"]),
        ("a web page", page(200, "<html><title>Welcome</title></html>"), ["cause=network", "Welcome"]),
        ("half of its JSON", TokenFault::BadJson, ["cause=network", "odd answer"]),
        ("half a reply", TokenFault::Garbage(half), ["cause=network", "token endpoint"]),
        ("other JSON", page(200, r#"{"hello":1}"#), ["cause=network", "odd answer"]),
        ("JSON with an empty token", page(200, r#"{"access_token":""}"#), ["cause=network", "odd answer"]),
        (
            "another protocol",
            TokenFault::Garbage(b"220 smtp.example ESMTP\r\n".to_vec()),
            ["cause=network", "endpoint"],
        ),
        ("an early end", TokenFault::Close, ["cause=network", "endpoint"]),
        ("a server error", error(400, "temporarily_unavailable"), ["cause=network", "temporarily_unavailable"]),
    ];
    for (which, fault, words) in cases {
        recovers(which, fails(which, fault, LATER, &words).await).await;
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = ("Location".to_owned(), "/elsewhere".to_owned());
    for status in [302, 307, 308] {
        let fault = TokenFault::HttpWith { status, field: elsewhere.clone(), body: String::new() };
        let (scene, _log) = fails("a redirect", fault, LATER, &["cause=network", &format!("HTTP {status}")]).await;
        assert_eq!(scene.sandbox.counters().token_calls as usize, renewals(&scene.sandbox).len());
    }
}

#[tokio::test]
async fn an_endpoint_that_has_too_much_to_do_is_left_alone_for_as_long_as_it_says() {
    let fault = TokenFault::HttpWith {
        status: 429,
        field: ("Retry-After".into(), "1".into()),
        body: r#"{"error":"temporarily_unavailable"}"#.into(),
    };
    let told = fails("429", fault, "451 4.", &["HTTP 429"]).await;
    assert_eq!(renewals(&told.0.sandbox).len(), 1);
    recovers("429", told).await;
}

/// Each of them a person must mend; asked once, whoever comes.
#[tokio::test]
async fn a_refusal_holds_the_account_and_keeps_the_tokens() {
    let cases = [
        (error(400, "invalid_grant"), ["account held", "cause=account", "posthouse login office"]),
        (error(200, "invalid_grant"), ["account held", "cause=account", "posthouse login office"]),
        (error(401, "invalid_client"), ["account held", "cause=account", "invalid_client"]),
        (error(400, "unauthorized_client"), ["account held", "cause=account", "unauthorized_client"]),
        (error(400, "invalid_scope"), ["account held", "cause=", "invalid_scope"]),
        (error(400, "interaction_required"), ["account held", "cause=account", "posthouse login office"]),
    ];
    for (fault, words) in cases {
        let which = format!("{fault:?}");
        let (scene, log) = fails(&which, fault, "451 4.7.0 ", &words).await;
        assert_eq!(log.count(&["account held"]), 1, "{which}: {}", log.text());
        assert_eq!(renewals(&scene.sandbox).len(), 1, "{which}");
        let scene = scene.restarted(|_| {}).await;
        scene.sandbox.faults().clear();
        assert!(scene.device().await.mail().await.starts_with("250 "), "{which}: nothing was lost");
        assert_in_order(&scene.sandbox);
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_the_networks_fault() {
    let log = Log::capture();
    let nobody = format!("https://127.0.0.1:{}/token", crate::refused::free_port());
    let scene = signed_in_at(provider(), false, |config| {
        if let Source::OAuth(Grant::AuthorizationCode { application, .. }) = &mut config.accounts[0].credential {
            application.endpoints = Endpoints::token_only(nobody.parse().unwrap());
        }
    })
    .await;
    let before = refresh_token(&scene.config);
    for reply in crowd(&scene).await {
        assert!(reply.starts_with(LATER), "{reply}");
    }
    log.assert_line(&["token endpoint", "cannot be reached", "cause=network"]);
    assert_eq!(refresh_token(&scene.config), before);
}

/// A black hole: one call hangs, and everybody is answered in the end of their own window.
#[tokio::test]
async fn an_endpoint_that_never_answers_is_asked_once_by_all() {
    let scene = signed_in_at(provider(), false, |config| config.delivery.wait = Duration::from_millis(300)).await;
    let before = refresh_token(&scene.config);
    scene.sandbox.faults().plan_grant("refresh_token", TokenFault::Silence, Times::Always);
    for reply in crowd(&scene).await {
        assert!(reply.starts_with("451 4."), "{reply}");
    }
    assert_eq!(renewals(&scene.sandbox).len(), 1);
    assert_eq!(refresh_token(&scene.config), before);
}

/// What a slow provider brings is not lost because nobody waits for it any more.
#[tokio::test]
async fn a_call_outlives_the_device_that_caused_it() {
    let scene = signed_in_at(provider(), false, |config| config.delivery.wait = Duration::from_millis(300)).await;
    let before = refresh_token(&scene.config);
    let gate = Gate::new();
    scene.sandbox.faults().plan_grant("refresh_token", TokenFault::Wait(gate.clone()), Times::Once);
    let mut device = scene.device().await;
    assert!(device.mail().await.starts_with("451 4."));
    assert!(device.say("QUIT").await.starts_with("221 "));
    gate.open();
    let mut device = scene.device().await;
    let begun = Instant::now();
    while !device.mail().await.starts_with("250 ") {
        assert!(begun.elapsed() < Duration::from_secs(20), "still no mail");
    }
    assert_eq!(renewals(&scene.sandbox).len(), 1, "the one call brought the token");
    assert_ne!(refresh_token(&scene.config), before);
    assert_in_order(&scene.sandbox);
}
