//! The next mail's envelope rides behind the end of this one's data (RFC 2920 §3.1), and the trouble that may come
//! between the two: each mail ends as if it had been alone.
//!
//! One line to the provider wherever order matters. Whether anything may ride at all stands in `may_ride`.

use std::time::Duration;

use posthouse::account::Pipelining;
use posthouse::config::Config;
use posthouse::sandbox::fault::{Fault, Gate, Stage, Times};
use posthouse::sandbox::{Extension, Sandbox, Settings};

use crate::device::{Device, RECIPIENT, SAMPLE};
use crate::scene::{Log, Scene, provider, provider_without, reached};
use crate::stamp::{self, assert_exact};

mod may_ride;

/// One line to a provider that holds the first mail up, and those who handed over theirs meanwhile.
struct Queue {
    scene: Scene,
    log: Log,
    gate: Gate,
    devices: Vec<Device>,
    /// Mails that went before.
    warm: usize,
}

impl Queue {
    /// The provider has shown that it takes more than one mail a connection; the first that counts is on the line, DATA
    /// is not answered yet.
    async fn start(provider: Settings) -> Self {
        let (scene, log) = one_line(provider).await;
        Self::after_warm_up(scene, log).await
    }

    async fn after_warm_up(scene: Scene, log: Log) -> Self {
        warm_up(&scene).await;
        Self::holds_up(scene, log, WARM).await
    }

    /// Nothing has been sent before.
    async fn fresh(provider: Settings) -> Self {
        let (scene, log) = one_line(provider).await;
        Self::holds_up(scene, log, 0).await
    }

    async fn holds_up(scene: Scene, log: Log, warm: usize) -> Self {
        let gate = Gate::new();
        scene.sandbox.faults().plan(Stage::Data, Fault::Wait(gate.clone()), Times::Once);
        let mut queue = Self { scene, log, gate, devices: Vec::new(), warm };
        queue.join_as(1).await;
        reached(&queue.gate).await;
        queue
    }

    /// Another device hands its mail over, and it waits.
    async fn join(&mut self, recipients: &[&str], body: &[u8]) {
        let mut device = self.scene.device().await;
        device.envelope(recipients).await;
        device.data(body).await;
        self.devices.push(device);
        // It is offered in the same breath in which its end is written down.
        self.log.wait_for_lines(self.warm + self.devices.len(), &["octets of body,"]).await;
    }

    async fn join_as(&mut self, number: usize) {
        self.join(&[&format!("{number}@example.com")], &body(number)).await;
    }

    /// What the provider does from now on, in this stage.
    fn plan(&self, stage: Stage, fault: Fault) {
        self.scene.sandbox.faults().plan(stage, fault, Times::Once);
    }

    /// The provider goes on; what each device hears.
    async fn heard(mut self) -> (Scene, Log, Vec<String>) {
        self.gate.open();
        let mut heard = Vec::new();
        for device in &mut self.devices {
            heard.push(device.reply().await);
        }
        (self.scene, self.log, heard)
    }
}

async fn one_line(provider: Settings) -> (Scene, Log) {
    let log = Log::with_transcripts();
    let scene = Scene::with(provider, |config, _| {
        config.accounts[0].connections = 1;
        config.accounts[0].pipelining = Pipelining::Messages;
    });
    (scene.await, log)
}

/// The two connections of an account whose envelopes may ride.
async fn rides_behind() -> Scene {
    Scene::with(provider(), |config, _| config.accounts[0].pipelining = Pipelining::Messages).await
}

/// Mails that `warm_up` sends.
const WARM: usize = 2;

/// Two mails over one line, one after the other.
async fn warm_up(scene: &Scene) {
    for number in 1..=WARM {
        assert_eq!(scene.device().await.mail().await, format!("250 2.0.0 Ok: taken as {number}"));
    }
}

fn body(number: usize) -> Vec<u8> {
    [SAMPLE, format!("Mail {number}\r\n.\r\n").as_bytes()].concat()
}

/// Which mails arrived after the first two, in order.
fn arrived(scene: &Scene) -> Vec<String> {
    let deliveries = scene.sandbox.mailbox().deliveries();
    deliveries.iter().skip(WARM).map(|delivery| delivery.addresses().join(" ")).collect()
}

/// What the provider says to its so many-th mail after the first two.
fn taken(number: usize) -> String {
    format!("250 2.0.0 Ok: taken as {}", number + WARM)
}

/// More than a mail waits behind a dot that is not answered, and less than a device waits for its mail.
const SLOW: Duration = Duration::from_secs(11);

#[tokio::test]
async fn twenty_mails_ride_behind_one_another_exact_and_in_order() {
    let mut queue = Queue::start(provider()).await;
    for number in 2..=20 {
        queue.join_as(number).await;
    }
    let (scene, log, heard) = queue.heard().await;
    assert_eq!(heard, (1..=20).map(taken).collect::<Vec<_>>());
    for (delivery, number) in scene.sandbox.mailbox().deliveries().iter().skip(WARM).zip(1..) {
        let recipient = format!("{number}@example.com");
        assert_eq!(delivery.addresses(), [recipient.as_str()]);
        assert_exact(delivery, &body(number), stamp::plain(&recipient));
    }
    let counters = scene.sandbox.counters();
    assert_eq!((counters.connections, counters.sent_ahead), (1, 19));
    scene.assert_no_breach();
    each_has_its_own_transcript(&log);
}

/// The lines of one attempt speak of one mail, from its MAIL to the reply to its dot.
fn each_has_its_own_transcript(log: &Log) {
    let text = log.text();
    for number in 1..=20 {
        let rcpt = format!("C: RCPT TO:<{number}@example.com>");
        let line = text.lines().find(|line| line.contains("attempt{") && line.contains(&rcpt)).expect("an attempt");
        let id = line.split_once("message_id=").unwrap().1.split([' ', '}']).next().unwrap();
        let attempt: Vec<_> = text.lines().filter(|line| line.contains("attempt{") && line.contains(id)).collect();
        let said = |words: &str| attempt.iter().filter(|line| line.contains(words)).count();
        assert_eq!((said("C: MAIL"), said("C: RCPT"), said("C: DATA"), said("S: 354")), (1, 1, 1, 1), "{attempt:#?}");
        assert_eq!(said(&format!("S: {}", taken(number))), 1, "{attempt:#?}");
    }
}

#[tokio::test]
async fn large_bodies_ride_as_well() {
    let large = [SAMPLE, &b"0123456789abcdef0123456789abcdef\r\n".repeat(10_000)].concat();
    let mut queue = Queue::start(provider()).await;
    queue.join(&["2@example.com"], &large).await;
    queue.join_as(3).await;
    let (scene, _, heard) = queue.heard().await;
    assert_eq!(heard[1..], [taken(2), taken(3)]);
    assert_exact(&scene.sandbox.mailbox().deliveries()[WARM + 1], &large, stamp::plain("2@example.com"));
    assert_eq!(scene.sandbox.counters().connections, 1);
    scene.assert_no_breach();
}

#[tokio::test]
async fn a_refused_dot_is_no_concern_of_the_mail_behind_it() {
    for code in [451, 554] {
        let mut queue = Queue::start(provider()).await;
        queue.join_as(2).await;
        queue.plan(Stage::Dot, Fault::reply(code, "5.7.1 No"));
        let (scene, _, heard) = queue.heard().await;
        assert!(heard[0].starts_with(&code.to_string()), "{heard:?}");
        assert_eq!((&heard[1], arrived(&scene)), (&taken(1), vec!["2@example.com".to_owned()]));
        assert_eq!((scene.sandbox.counters().connections, scene.sandbox.counters().sent_ahead), (1, 1));
        scene.assert_no_breach();
    }
}

#[tokio::test]
async fn a_refused_envelope_is_no_concern_of_the_mails_around_it() {
    for stage in [Stage::Mail, Stage::Rcpt, Stage::Data] {
        let mut queue = Queue::start(provider()).await;
        queue.join_as(2).await;
        queue.join_as(3).await;
        queue.plan(stage.clone(), Fault::reply(550, "5.7.1 No"));
        let (scene, _, heard) = queue.heard().await;
        assert_eq!((&heard[0], &heard[2]), (&taken(1), &taken(2)), "{stage:?}");
        assert!(heard[1].starts_with("550 5.7.1 "), "{stage:?}: {heard:?}");
        assert_eq!(arrived(&scene), ["1@example.com", "3@example.com"]);
        assert_eq!(scene.sandbox.counters().connections, 1, "{stage:?}");
        scene.assert_no_breach();
    }
}

#[tokio::test]
async fn a_line_that_ends_between_two_mails_is_replaced_at_once() {
    for (stage, fault) in [
        (Stage::Mail, Fault::reply_then_close(421, "4.4.2 Enough for one connection")),
        (Stage::Mail, Fault::Close),
        (Stage::Mail, Fault::reply(503, "5.5.1 One at a time")),
        (Stage::Dot, Fault::AnswerThenClose),
    ] {
        let mut queue = Queue::start(provider()).await;
        queue.join_as(2).await;
        queue.plan(stage.clone(), fault.clone());
        let (scene, log, heard) = queue.heard().await;
        assert_eq!(heard, [taken(1), taken(2)], "{stage:?} {fault:?}");
        assert_eq!((scene.sandbox.counters().connections, scene.sandbox.counters().sent_ahead), (2, 1));
        assert_eq!(log.count(&["attempt failed"]), 0, "it is no attempt");
        scene.assert_no_breach();
    }
}

#[tokio::test]
async fn what_rides_behind_a_dot_that_is_never_answered_was_not_sent() {
    for fault in [Fault::CarryOutThenClose, Fault::Close, Fault::Garbage(b"HTTP/1.1 400\r\n".to_vec())] {
        let mut queue = Queue::start(provider()).await;
        queue.join_as(2).await;
        queue.join_as(3).await;
        queue.plan(Stage::Dot, fault.clone());
        let (scene, log, heard) = queue.heard().await;
        let uncertain = "451 4.4.2 The provider did not confirm the message, it may have arrived";
        assert_eq!(heard[0], uncertain, "{fault:?}");
        assert!(heard[1].starts_with("250 ") && heard[2].starts_with("250 "), "{fault:?}: {heard:?}");
        let arrived = arrived(&scene);
        assert_eq!(arrived[arrived.len() - 2..], ["2@example.com", "3@example.com"], "in the order they came in");
        assert_eq!(scene.sandbox.counters().connections, 2);
        assert_eq!(log.count(&["WARN", "attempt failed"]), 0, "for the mail behind it was no attempt");
        scene.assert_no_breach();
    }
}

#[tokio::test]
async fn nobody_waits_behind_a_slow_dot_for_long() {
    let log = Log::with_transcripts();
    let scene = rides_behind().await;
    warm_up(&scene).await;
    let faults = scene.sandbox.faults();
    let (first, second, dot) = (Gate::new(), Gate::new(), Gate::new());
    faults.plan(Stage::Data, Fault::Wait(first.clone()), Times::Once);
    faults.plan(Stage::Data, Fault::Wait(second.clone()), Times::Once);
    let mut devices = Vec::new();
    for number in 1..=3 {
        let mut device = scene.device().await;
        device.envelope(&[&format!("{number}@example.com")]).await;
        device.data(&body(number)).await;
        log.wait_for_lines(WARM + number, &["octets of body,"]).await;
        devices.push(device);
        if let Some(gate) = [&first, &second].get(number - 1) {
            reached(gate).await;
        }
    }
    // Both couriers are busy: the third mail rides behind the first, whose dot nobody answers.
    faults.plan(Stage::Dot, Fault::Wait(dot.clone()), Times::Once);
    first.open();
    reached(&dot).await;
    second.open();
    assert_eq!(devices[1].reply().await, taken(1));
    tokio::time::pause();
    tokio::time::advance(SLOW).await;
    tokio::time::resume();
    assert_eq!(scene.sandbox.counters().sent_ahead, 1, "it rode behind the first");
    assert_eq!(devices[2].reply().await, taken(2), "and the other courier has it now");
    dot.open();
    assert_eq!(devices[0].reply().await, taken(3));
    assert_eq!(arrived(&scene), ["2@example.com", "3@example.com", "1@example.com"]);
    scene.assert_no_breach();
}

#[tokio::test]
async fn all_or_nothing_rides_without_its_data() {
    let mut queue = Queue::start(provider()).await;
    queue.join(&["2@example.com", "b@example.com"], &body(2)).await;
    queue.join_as(3).await;
    let (scene, _, heard) = queue.heard().await;
    assert_eq!(heard, [taken(1), taken(2), taken(3)]);
    assert_eq!(arrived(&scene), ["1@example.com", "2@example.com b@example.com", "3@example.com"]);
    assert_eq!(scene.sandbox.counters().sent_ahead, 2);
    scene.assert_no_breach();
}

#[tokio::test]
async fn a_mail_taken_back_before_its_data_leaves_the_line_usable() {
    let (scene, log) = one_line(provider()).await;
    warm_up(&scene).await;
    let gate = Gate::new();
    scene.sandbox.faults().plan(Stage::Rcpt, Fault::Wait(gate.clone()), Times::Once);
    let mut device = scene.device().await;
    device.envelope(&["1@example.com", "b@example.com"]).await;
    device.data(&body(1)).await;
    reached(&gate).await;
    drop(device);
    log.wait_for_line(&["not delivered", "The device hung up"]).await;
    gate.open();
    assert_eq!(scene.device().await.mail().await, taken(1));
    assert_eq!(arrived(&scene), [RECIPIENT]);
    assert_eq!(scene.sandbox.counters().connections, 1);
    assert!(scene.sandbox.transcript().iter().any(|said| said.text == "RSET"));
    scene.assert_no_breach();
}

#[tokio::test]
async fn a_mail_taken_back_while_its_envelope_rides_is_not_sent() {
    let mut queue = Queue::start(provider()).await;
    queue.join_as(2).await;
    let dot = Gate::new();
    queue.plan(Stage::Dot, Fault::Wait(dot.clone()));
    queue.gate.open();
    reached(&dot).await;
    drop(queue.devices.pop());
    queue.log.wait_for_line(&["not delivered", "The device hung up"]).await;
    dot.open();
    let (scene, _, heard) = queue.heard().await;
    assert_eq!(heard, [taken(1)]);
    assert_eq!(scene.device().await.mail().await, taken(2));
    assert_eq!(arrived(&scene), ["1@example.com", RECIPIENT]);
}

#[tokio::test]
async fn nobody_waits_behind_a_busy_line_while_another_courier_is_free() {
    let scene = rides_behind().await;
    warm_up(&scene).await;
    let gate = Gate::new();
    scene.sandbox.faults().plan(Stage::Data, Fault::Wait(gate.clone()), Times::Once);
    let mut first = scene.device().await;
    first.envelope(&["1@example.com"]).await;
    first.data(&body(1)).await;
    reached(&gate).await;
    assert_eq!(scene.device().await.mail().await, taken(1));
    gate.open();
    assert_eq!(first.reply().await, taken(2));
    assert_eq!(scene.sandbox.counters().sent_ahead, 0);
}
