//! A token endpoint that is away, broken or says no, while a sign-in is kept: the right cause, no 5xx for a device,
//! nothing lost in the vault, and no hammering however many devices come.

use std::time::{Duration, Instant};

use posthouse::account::Source;
use posthouse::account::oauth::{Endpoints, Grant};
use posthouse::config::Config;
use posthouse::sandbox::fault::{Gate, Times, TokenFault};

use super::{assert_in_order, mail_until, refresh_token, renewals, signed_in_at};
use crate::device::Device;
use crate::scene::{Log, Scene, provider};

/// Away for now: what a device hears, and tries again.
const LATER: &str = "451 4.4.0 ";
const CROWD: usize = 20;

fn error(status: u16, code: &str) -> TokenFault {
    TokenFault::Http { status, body: format!(r#"{{"error":"{code}","error_description":"no"}}"#) }
}

fn page(status: u16, body: &str) -> TokenFault {
    TokenFault::Http { status, body: body.into() }
}

/// A courier for each device: none waits for another's mail.
fn all_at_once(config: &mut Config) {
    config.accounts[0].connections = CROWD;
}

/// Many devices send so many mails each at once; what all of them heard.
async fn crowd(scene: &Scene, mails: usize) -> Vec<String> {
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..CROWD {
        let address = scene.address();
        senders.spawn(async move {
            let mut device = Device::greeted(address).await;
            let mut heard = Vec::new();
            for _ in 0..mails {
                heard.push(device.mail().await);
            }
            heard
        });
    }
    senders.join_all().await.concat()
}

/// What must be renewed and cannot be: what a device hears, all of them where a person must mend it, and what the log
/// says of it.
async fn fails(which: &str, fault: TokenFault, heard: &str, words: &[&str]) -> (Scene, Log) {
    let log = Log::capture();
    let scene = signed_in_at(provider(), false, all_at_once).await;
    let before = refresh_token(&scene.config);
    scene.sandbox.faults().plan_grant("refresh_token", fault, Times::Always);
    let begun = Instant::now();
    let mails = if heard == super::HELD { crowd(&scene, 1).await } else { vec![scene.device().await.mail().await] };
    for reply in mails {
        assert!(reply.starts_with(heard), "{which}: {reply}");
    }
    log.assert_line(words);
    assert_no_hammering(&scene, begun, which);
    assert_eq!(refresh_token(&scene.config), before, "{which}: what is kept is unharmed");
    assert_eq!(scene.sandbox.counters().connections, 0, "{which}: without a credential nobody is called");
    (scene, log)
}

/// One call, and then a pause that doubles from a second on.
fn assert_no_hammering(scene: &Scene, begun: Instant, which: &str) {
    let allowed = 1 + (begun.elapsed().as_secs() + 1).ilog2() as usize;
    let calls = renewals(&scene.sandbox).len();
    assert!((1..=allowed).contains(&calls), "{which}: {calls} calls, {allowed} allowed");
}

/// It passes: mail goes out once the endpoint is well again, without anybody doing anything.
async fn recovers((scene, _log): (Scene, Log)) {
    scene.sandbox.faults().clear();
    mail_until(&scene, "250 ").await;
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
        recovers(fails(which, fault, LATER, &words).await).await;
    }
}

/// Whoever followed it would ask the same endpoint a second time, at once.
#[tokio::test]
async fn a_redirect_is_not_followed() {
    for status in [302, 307, 308] {
        let fault = TokenFault::HttpWith { status, field: ("Location".into(), "/token".into()), body: String::new() };
        recovers(fails("a redirect", fault, LATER, &["cause=network", &format!("HTTP {status}")]).await).await;
    }
}

#[tokio::test]
async fn an_endpoint_that_has_too_much_to_do_is_left_alone_for_as_long_as_it_says() {
    let fault = TokenFault::HttpWith {
        status: 429,
        field: ("Retry-After".into(), "2".into()),
        body: r#"{"error":"temporarily_unavailable"}"#.into(),
    };
    let begun = Instant::now();
    recovers(fails("429", fault, "451 4.", &["HTTP 429"]).await).await;
    assert!(begun.elapsed() >= Duration::from_secs(2), "asked again after {:?}", begun.elapsed());
}

#[tokio::test]
async fn devices_that_come_again_and_again_do_not_hammer_an_endpoint_that_is_down() {
    let scene = signed_in_at(provider(), false, all_at_once).await;
    scene.sandbox.faults().plan_grant("refresh_token", page(500, "<html>oops</html>"), Times::Always);
    let begun = Instant::now();
    for reply in crowd(&scene, 3).await {
        assert!(reply.starts_with("451 4."), "{reply}");
    }
    assert_no_hammering(&scene, begun, "a crowd");
}

/// Each of them a person must mend; asked once, whoever comes.
#[tokio::test]
async fn a_refusal_holds_the_account_and_keeps_the_tokens() {
    let cases = [
        (error(400, "invalid_grant"), ["account held", "cause=account", "posthouse login"]),
        (error(200, "invalid_grant"), ["account held", "cause=account", "posthouse login"]),
        (error(401, "invalid_client"), ["account held", "cause=account", "invalid_client"]),
        (error(400, "unauthorized_client"), ["account held", "cause=account", "unauthorized_client"]),
        (error(400, "invalid_scope"), ["account held", "cause=", "invalid_scope"]),
        (error(400, "interaction_required"), ["account held", "cause=account", "posthouse login"]),
    ];
    for (fault, words) in cases {
        let which = format!("{fault:?}");
        let (scene, log) = fails(&which, fault, super::HELD, &words).await;
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
        all_at_once(config);
        if let Source::OAuth(grant) = &mut config.accounts[0].credential
            && let Grant::AuthorizationCode { application, .. } = &mut **grant
        {
            application.endpoints = Endpoints::token_only(nobody.parse().unwrap());
        }
    })
    .await;
    let before = refresh_token(&scene.config);
    let heard = scene.device().await.mail().await;
    assert!(heard.starts_with(LATER), "{heard}");
    log.assert_line(&["token endpoint", "cannot be reached", "cause=network"]);
    assert_eq!(refresh_token(&scene.config), before);
}

/// A black hole: one call hangs, and everybody is answered in the end of their own window.
#[tokio::test]
async fn an_endpoint_that_never_answers_is_asked_once_by_all() {
    let scene = signed_in_at(provider(), false, |config| {
        config.queue = posthouse::queue::Settings::Proxy { wait: Duration::from_millis(300) };
    })
    .await;
    let before = refresh_token(&scene.config);
    scene.sandbox.faults().plan_grant("refresh_token", TokenFault::Silence, Times::Always);
    for reply in crowd(&scene, 1).await {
        assert!(reply.starts_with("451 4."), "{reply}");
    }
    assert_eq!(renewals(&scene.sandbox).len(), 1);
    assert_eq!(refresh_token(&scene.config), before);
}

/// What a slow provider brings is not lost because nobody waits for it any more.
#[tokio::test]
async fn a_call_outlives_the_device_that_caused_it() {
    let scene = signed_in_at(provider(), false, |config| {
        config.queue = posthouse::queue::Settings::Proxy { wait: Duration::from_millis(300) };
    })
    .await;
    let before = refresh_token(&scene.config);
    let gate = Gate::new();
    scene.sandbox.faults().plan_grant("refresh_token", TokenFault::Wait(gate.clone()), Times::Once);
    let mut device = scene.device().await;
    assert!(device.mail().await.starts_with("451 4."));
    assert!(device.say("QUIT").await.starts_with("221 "));
    gate.open();
    mail_until(&scene, "250 ").await;
    assert_eq!(renewals(&scene.sandbox).len(), 1, "the one call brought the token");
    assert_ne!(refresh_token(&scene.config), before);
    assert_in_order(&scene.sandbox);
}
