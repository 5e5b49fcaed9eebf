//! Whether an envelope may ride at all: only where the account asks for it and the provider offers PIPELINING, and not
//! before or beyond what the provider has shown that it bears.
//!
//! Counts what the provider saw sent ahead; that each mail arrives once stands beside it.

use super::*;

#[tokio::test]
async fn nothing_rides_before_the_provider_has_taken_a_second_mail_on_its_own() {
    let mut queue = Queue::fresh(provider()).await;
    queue.join_as(2).await;
    let second = Gate::new();
    queue.plan(Stage::Data, Fault::Wait(second.clone()));
    queue.gate.open();
    reached(&second).await;
    assert_eq!(queue.scene.sandbox.counters().sent_ahead, 0);
    queue.join_as(3).await;
    second.open();
    let (scene, _, heard) = queue.heard().await;
    assert_eq!(heard, ["250 2.0.0 Ok: taken as 1", "250 2.0.0 Ok: taken as 2", "250 2.0.0 Ok: taken as 3"]);
    assert_eq!((scene.sandbox.counters().connections, scene.sandbox.counters().sent_ahead), (1, 1));
}

/// A proxy whose server takes one mail a connection may answer neither the dot nor the envelope behind it.
#[tokio::test]
async fn a_provider_of_one_mail_a_connection_never_gets_an_envelope_behind_a_dot() {
    let mut queue = Queue::fresh(provider()).await;
    queue.join_as(2).await;
    queue.join_as(3).await;
    queue.plan(Stage::Mail, Fault::reply_then_close(421, "4.3.2 One mail a connection"));
    let (scene, _, heard) = queue.heard().await;
    assert_eq!(heard, ["250 2.0.0 Ok: taken as 1", "250 2.0.0 Ok: taken as 2", "250 2.0.0 Ok: taken as 3"]);
    assert_eq!((scene.sandbox.counters().connections, scene.sandbox.counters().sent_ahead), (2, 0));
    scene.assert_no_breach();
}

/// There are servers that die of it, with the reply to the dot in their hands.
#[tokio::test]
async fn nothing_rides_unless_the_account_asks_for_it() {
    let settings: fn(&mut Config, &Sandbox) = |config, _| config.accounts[0].connections = 1;
    let scene = Scene::with(provider(), settings).await;
    let mut queue = Queue::after_warm_up(scene, Log::with_transcripts()).await;
    queue.join_as(2).await;
    let (scene, _, heard) = queue.heard().await;
    assert_eq!(heard, [taken(1), taken(2)]);
    assert_eq!((scene.sandbox.counters().connections, scene.sandbox.counters().sent_ahead), (1, 0));
}

#[tokio::test]
async fn without_pipelining_each_waits_for_the_one_before() {
    let mut queue = Queue::start(provider_without(&Extension::Pipelining)).await;
    queue.join_as(2).await;
    let (scene, _, heard) = queue.heard().await;
    assert_eq!(heard, [taken(1), taken(2)]);
    assert_eq!((scene.sandbox.counters().connections, scene.sandbox.counters().sent_ahead), (1, 0));
    scene.assert_no_breach();
}

#[tokio::test]
async fn where_a_line_ended_none_rides_until_one_was_taken_there_on_its_own() {
    let full = Fault::reply_then_close(421, "4.3.2 Enough for one connection");
    for (stage, fault) in [(Stage::Mail, full), (Stage::Dot, Fault::CarryOutThenClose)] {
        let mut queue = Queue::start(provider()).await;
        queue.join_as(2).await;
        queue.plan(stage, fault);
        let next_line = Gate::new();
        queue.plan(Stage::Data, Fault::Wait(next_line.clone()));
        queue.gate.open();
        reached(&next_line).await;
        assert_eq!(queue.scene.sandbox.counters().sent_ahead, 1);
        // The line ended behind the third mail: as many go out on the next before one may not ride.
        for number in 3..=5 {
            queue.join_as(number).await;
        }
        next_line.open();
        let (scene, _, heard) = queue.heard().await;
        assert!(heard[1..].iter().all(|heard| heard.starts_with("250 ")), "{heard:?}");
        assert_eq!((scene.sandbox.counters().connections, scene.sandbox.counters().sent_ahead), (2, 3));
    }
}
