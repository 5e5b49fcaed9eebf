//! Promise 1 without a queue: whatever ends the wait, a negative answer means that nothing can still go out.

use std::time::Duration;

use posthouse::sandbox::fault::{Fault, Gate, Stage, Times};

use crate::device::{Device, RECIPIENT, SAMPLE, stuffed};
use crate::scene::{Log, Scene, provider, reached};

const TOO_LATE: &str = "451 4.4.1 The provider did not answer in time, try again later";

/// A relay with one line to the provider, and a provider that waits at this gate once.
async fn waiting_at(stage: Stage, wait: Duration) -> (Scene, Gate) {
    let scene = Scene::with(provider(), |config, _| {
        config.queue = posthouse::queue::Settings::Proxy { wait };
        config.accounts[0].connections = 1;
    })
    .await;
    let gate = Gate::new();
    scene.sandbox.faults().plan(stage, Fault::Wait(gate.clone()), Times::Once);
    (scene, gate)
}

#[tokio::test]
async fn the_window_ends_before_the_dot_and_nothing_goes_out_later() {
    for stage in [Stage::Greeting, Stage::Auth, Stage::Mail, Stage::Rcpt, Stage::Data] {
        let (scene, gate) = waiting_at(stage.clone(), Duration::from_secs(1)).await;
        let mut device = scene.device().await;
        assert_eq!(device.mail().await, TOO_LATE, "{stage:?}");
        gate.open();
        // The one that follows shows that everything before it is over.
        assert!(device.mail().await.starts_with("250 "), "{stage:?}");
        assert_eq!(scene.sandbox.mailbox().count(), 1, "{stage:?}");
        scene.assert_no_breach();
    }
}

#[tokio::test]
async fn the_window_ends_in_the_midst_of_a_body() {
    let (scene, gate) = waiting_at(Stage::Body(1), Duration::from_secs(1)).await;
    // More than the sockets of both sides hold, so that the dot cannot have been written yet.
    let body = [SAMPLE, &b"0123456789abcdef0123456789abcdef0123456789abcdef\r\n".repeat(400_000)].concat();
    let mut device = scene.device().await;
    assert_eq!(device.mail_to(&[RECIPIENT], &body).await, TOO_LATE);
    gate.open();
    assert!(device.mail().await.starts_with("250 "));
    assert_eq!(scene.sandbox.mailbox().count(), 1);
}

#[tokio::test]
async fn after_the_dot_the_device_waits_for_the_provider_however_long() {
    let (scene, gate) = waiting_at(Stage::Dot, Duration::from_millis(300)).await;
    let mut first = scene.device().await;
    first.envelope(&[RECIPIENT]).await;
    first.data(SAMPLE).await;
    reached(&gate).await;
    // Its window began later and is over: so is that of the first.
    assert_eq!(scene.device().await.mail().await, TOO_LATE);
    gate.open();
    assert_eq!(first.reply().await, "250 2.0.0 Ok: taken as 1");
}

#[tokio::test]
async fn a_device_that_hangs_up_takes_its_mail_with_it() {
    let log = Log::capture();
    let (scene, gate) = waiting_at(Stage::Mail, Duration::from_secs(15)).await;
    let mut device = scene.device().await;
    device.envelope(&[RECIPIENT]).await;
    device.data(SAMPLE).await;
    reached(&gate).await;
    drop(device);
    log.wait_for_line(&["not delivered", "The device hung up", "raise its SMTP time-out"]).await;
    gate.open();
    assert!(scene.device().await.mail().await.starts_with("250 "));
    assert_eq!(scene.sandbox.mailbox().count(), 1);
}

#[tokio::test]
async fn a_script_that_sent_quit_ahead_and_closed_means_it() {
    let (scene, gate) = waiting_at(Stage::Mail, Duration::from_secs(15)).await;
    let mut script = Device::connect(scene.address()).await;
    let commands =
        format!("EHLO device.example\r\nMAIL FROM:<scanner@sandbox.example>\r\nRCPT TO:<{RECIPIENT}>\r\nDATA\r\n");
    script.send([commands.as_bytes(), &stuffed(SAMPLE), b"QUIT\r\n"].concat()).await;
    script.half_close().await;
    reached(&gate).await;
    gate.open();
    for code in ["220 ", "250", "250 ", "250 ", "354 ", "250 2.0.0 Ok: taken as 1", "221 "] {
        let heard = script.reply().await;
        assert!(heard.starts_with(code), "{code} {heard}");
    }
    assert_eq!(script.try_reply().await, None);
    assert_eq!(scene.sandbox.mailbox().count(), 1);
}

#[tokio::test]
async fn shutdown_before_the_dot_sends_nothing() {
    let (scene, gate) = waiting_at(Stage::Data, Duration::from_secs(15)).await;
    let mut device = scene.device().await;
    device.envelope(&[RECIPIENT]).await;
    device.data(SAMPLE).await;
    reached(&gate).await;
    scene.relay.shut_down().await;
    assert_eq!(device.reply().await, "451 4.3.2 The relay is shutting down, try again later");
    assert!(device.reply().await.starts_with("421 4.3.2 "));
    gate.open();
    assert_eq!(scene.sandbox.mailbox().count(), 0);
}

#[tokio::test]
async fn shutdown_after_the_dot_waits_for_the_answer_within_the_grace() {
    let (scene, gate) = waiting_at(Stage::Dot, Duration::from_secs(15)).await;
    let mut bystander = scene.device().await;
    let mut device = scene.device().await;
    device.envelope(&[RECIPIENT]).await;
    device.data(SAMPLE).await;
    reached(&gate).await;
    let relay = tokio::spawn(scene.relay.shut_down());
    assert!(bystander.reply().await.starts_with("421 4.3.2 "), "idle sessions end at once");
    gate.open();
    assert_eq!(device.reply().await, "250 2.0.0 Ok: taken as 1");
    assert!(device.reply().await.starts_with("421 4.3.2 "));
    relay.await.unwrap();
    let quit = scene.sandbox.transcript().iter().any(|said| said.text == "QUIT");
    assert!(quit, "the provider is told: {:#?}", scene.sandbox.transcript());
}

#[tokio::test]
async fn when_the_grace_is_over_after_the_dot_the_device_hears_that_nobody_knows() {
    let log = Log::capture();
    let gate = Gate::new();
    let scene = Scene::with(provider(), |config, _| config.delivery.shutdown_grace = Duration::from_millis(200)).await;
    scene.sandbox.faults().plan(Stage::Dot, Fault::Wait(gate.clone()), Times::Once);
    let mut device = scene.device().await;
    device.envelope(&[RECIPIENT]).await;
    device.data(SAMPLE).await;
    reached(&gate).await;
    scene.relay.shut_down().await;
    assert_eq!(device.reply().await, "451 4.4.2 The provider did not confirm the message, it may have arrived");
    log.assert_line(&["shutdown_grace is over"]);
    log.assert_line(&["uncertain", "cause=uncertain", "provider's sent mail"]);
}

#[tokio::test]
async fn idle_lines_are_told_quit_when_the_relay_ends() {
    let scene = Scene::start().await;
    assert!(scene.device().await.mail().await.starts_with("250 "));
    scene.relay.shut_down().await;
    assert!(scene.sandbox.transcript().iter().any(|said| said.text == "QUIT"));
}
