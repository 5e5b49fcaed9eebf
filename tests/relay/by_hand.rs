//! `posthouse queue` beside a running relay: it is asked and told over its socket, and what is told takes effect at once.
//!
//! The relay runs in the test, the commands are the program. The same without a relay stands in `queue`.

use std::time::Duration;

use posthouse::queue::{self, Keeping};
use posthouse::sandbox::fault::{Fault, Stage, Times};
use serde_json::Value;

use crate::control::{posthouse, run};
use crate::device::{RECIPIENT, SAMPLE};
use crate::scene::{Log, Scene, provider};

/// A relay whose next attempt after a failure is made in an hour.
async fn scene() -> Scene {
    let keeping = Keeping { retry: vec![Duration::from_hours(1)], ..Keeping::default() };
    Scene::with(provider(), |config, _| config.queue = queue::Settings::Durable(Box::new(keeping))).await
}

/// What `posthouse queue` does and says.
async fn told(scene: &Scene, arguments: &[&str]) -> String {
    let (code, said) = run(posthouse(scene, &[&["queue"], arguments].concat())).await;
    assert_eq!(code, 0, "{arguments:?}: {said}");
    said
}

/// A mail to this one, which the provider refuses once, so that it is queued; its id.
async fn queued(scene: &Scene, to: &str) -> String {
    let greylisted = Fault::reply(451, "4.7.1 Greylisted, come back later");
    scene.sandbox.faults().plan(Stage::Rcpt, greylisted, Times::Once);
    let heard = scene.device().await.mail_to(&[to], SAMPLE).await;
    heard.strip_prefix("250 2.0.0 Ok: queued as ").unwrap_or_else(|| panic!("{heard}")).to_owned()
}

/// Returns once so many mails have come, in less time than the relay takes to look by itself.
async fn arrived(scene: &Scene, count: u64) {
    let came = tokio::time::timeout(Duration::from_secs(20), scene.sandbox.mailbox().wait_for(count)).await;
    assert!(came.is_ok_and(|came| came.len() as u64 == count), "{:#?}", scene.sandbox.transcript());
}

#[tokio::test]
async fn what_waits_for_an_hour_goes_out_at_once_when_a_person_says_so() {
    let log = Log::capture();
    let scene = scene().await;
    let id = queued(&scene, RECIPIENT).await;
    let shown: Value = serde_json::from_str(&told(&scene, &["show", &id, "--json"]).await).unwrap();
    assert_eq!(shown["relay"]["pid"], std::process::id(), "it is the relay that tells");
    assert!(shown["parts"][0]["next_attempt"].is_string(), "and says when it goes on: {shown}");
    let text = told(&scene, &["show", &id]).await;
    assert!(text.contains("Greylisted, come back later"), "what was said against it: {text}");
    told(&scene, &["retry", &id]).await;
    arrived(&scene, 1).await;
    log.assert_line(&[&id, "tried at once by hand"]);
    // Whoever reads the log later finds it by its recipient, with the provider's word.
    let words = ["INFO", "delivered from the queue", &id, "kind=\"mail\"", RECIPIENT, "250 2.0.0 Ok: taken as 1"];
    log.wait_for_line(&words).await;

    let id = queued(&scene, RECIPIENT).await;
    told(&scene, &["hold", &id, "--reason", "ask the boss"]).await;
    log.assert_line(&[&id, "held by hand", "ask the boss"]);
    assert!(told(&scene, &["list", "--held"]).await.contains("1 of 1 shown."));
    told(&scene, &["release", &id]).await;
    arrived(&scene, 2).await;
    log.assert_line(&[&id, "released by hand"]);
}

#[tokio::test]
async fn a_provider_that_is_back_is_tried_at_once_when_a_person_says_so() {
    let log = Log::capture();
    let scene = scene().await;
    scene.sandbox.faults().plan(Stage::Greeting, Fault::Close, Times::Count(3));
    for _ in 0..3 {
        assert!(scene.device().await.mail().await.starts_with("250 2.0.0 Ok: queued as "));
    }
    log.wait_for_line(&["provider cannot be reached"]).await;
    let left = told(&scene, &["list"]).await;
    assert!(left.contains("waits for account office, not reached"), "{left}");
    assert!(left.contains("Account office is not reached: "), "{left}");
    told(&scene, &["retry", "--all"]).await;
    arrived(&scene, 3).await;
}

#[tokio::test]
async fn what_is_removed_is_not_sent_and_stands_in_the_log_with_the_reason() {
    let log = Log::capture();
    let scene = scene().await;
    let (gone, kept) = (queued(&scene, "boss@example.net").await, queued(&scene, RECIPIENT).await);
    let exported = told(&scene, &["export", &gone]).await;
    assert!(exported.starts_with("Received: from ") && exported.ends_with(std::str::from_utf8(SAMPLE).unwrap()));
    told(&scene, &["remove", "--to", "boss@", "--reason", "a mistake", "--yes"]).await;
    log.assert_line(&[&gone, "removed by hand", "a mistake"]);
    let left = told(&scene, &["list"]).await;
    assert!(left.contains("1 of 1 shown.") && left.contains(&kept[22..]), "{left}");
    told(&scene, &["retry", "--all"]).await;
    arrived(&scene, 1).await;
    assert_eq!(scene.sandbox.mailbox().deliveries()[0].addresses(), [RECIPIENT]);
}
