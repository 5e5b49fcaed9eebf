//! Tokens that end on the way: between the keeper and AUTH, and while the mail server looks at them.
//!
//! What is slow waits at a gate of the practice provider; the clock inside the program is moved by hand meanwhile.

use std::time::Duration;

use posthouse::sandbox::fault::{Fault, Gate, Stage, Times};

use super::{assert_in_order, renewals, signed_in_at};
use crate::scene::{Log, Scene, provider};

/// So long a token lives: longer than a busy machine takes for a sign-in, and three times that is no whole window.
const LIFE: Duration = Duration::from_secs(4);

/// Time passes inside the program; it runs on afterwards, because sockets are waited for in real time.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

async fn short_lived() -> Scene {
    let provider = posthouse::sandbox::Settings { token_lifetime: LIFE, ..provider() };
    signed_in_at(provider, true, |_| {}).await
}

/// The provider keeps everybody waiting there until the token has ended, once.
fn slow_at(scene: &Scene, stage: Stage) -> Gate {
    let gate = Gate::new();
    scene.sandbox.faults().plan(stage, Fault::Wait(gate.clone()), Times::Once);
    gate
}

async fn lets_it_end(gate: &Gate) {
    gate.reached(1).await;
    pass(LIFE).await;
    gate.open();
}

#[tokio::test]
async fn a_token_that_ended_during_the_handshake_is_replaced_before_it_is_sent() {
    for stage in [Stage::TlsHandshake, Stage::Greeting, Stage::Ehlo] {
        let log = Log::capture();
        let scene = short_lived().await;
        let gate = slow_at(&scene, stage.clone());
        let mut device = scene.device().await;
        let (heard, ()) = tokio::join!(device.mail(), lets_it_end(&gate));
        assert!(heard.starts_with("250 "), "{stage:?}: {heard}");
        assert_eq!(renewals(&scene.sandbox).len(), 1, "{stage:?}");
        assert_eq!(scene.sandbox.counters().connections, 1, "{stage:?}: the server that listened got the new one");
        assert!(!log.text().contains(" 535 "), "{stage:?}");
        assert_in_order(&scene.sandbox);
    }
}

#[tokio::test]
async fn tokens_that_end_while_the_server_looks_at_them_do_not_hold_the_account() {
    let log = Log::capture();
    let scene = short_lived().await;
    let gates = [slow_at(&scene, Stage::Auth), slow_at(&scene, Stage::Auth)];
    let mut device = scene.device().await;
    let (heard, ()) = tokio::join!(device.mail(), async {
        for gate in &gates {
            lets_it_end(gate).await;
        }
    });
    assert!(heard.starts_with("451 4.4.0 "), "later, not held: {heard}");
    log.assert_line(&["token_ended_on_the_way", "cause=network"]);
    assert!(device.mail().await.starts_with("250 "), "the next mail goes out at once");
    assert!(!log.text().contains("account held"));
    assert_in_order(&scene.sandbox);
}
