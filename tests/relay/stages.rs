//! The provider ends at any stage, and messages that may not go out: the device always hears the truth.
//!
//! Before the dot: 4yz and nothing arrived. After it: 451 4.4.2, and the log says that nobody knows.

use posthouse::account::Encryption;
use posthouse::config::Config;
use posthouse::sandbox::fault::{Fault, Stage, Times};
use posthouse::sandbox::{Extension, Offer, Sandbox, Settings};

use crate::device::{RECIPIENT, SAMPLE, SENDER};
use crate::scene::{Log, Scene, provider, provider_without};

/// Planned once: the device hears that it was not sent, nothing arrived, and the next mail goes through.
async fn ends_before_the_dot(stage: Stage, fault: Fault, word: &str) {
    let log = Log::capture();
    let scene = Scene::account(|account, sandbox| {
        account.encryption = Encryption::StartTls;
        account.port = sandbox.starttls().port();
    })
    .await;
    scene.sandbox.faults().plan(stage.clone(), fault, Times::Once);
    let mut device = scene.device().await;
    let heard = device.mail().await;
    assert!(heard.starts_with("451 4.4.0 Not sent, try again later: "), "{stage:?}: {heard}");
    log.assert_line(&["attempt failed", "cause=network", word]);
    log.assert_line(&["not delivered", "cause=network", "cure="]);
    scene.assert_nothing_arrived();
    assert!(device.mail().await.starts_with("250 "), "{stage:?}: the next mail");
    assert_eq!(scene.sandbox.mailbox().count(), 1, "{stage:?}: and only that");
}

#[tokio::test]
async fn the_provider_closes_before_the_dot() {
    for (stage, word) in [
        (Stage::Greeting, "without a greeting"),
        (Stage::Ehlo, "EHLO"),
        (Stage::StartTls, "STARTTLS"),
        (Stage::TlsHandshake, "handshake"),
        (Stage::Auth, "AUTH"),
        (Stage::Mail, "MAIL"),
        (Stage::Rcpt, "RCPT"),
        (Stage::Data, "DATA"),
    ] {
        ends_before_the_dot(stage, Fault::Close, word).await;
    }
}

#[tokio::test]
async fn the_provider_says_421_before_the_dot() {
    for stage in [Stage::Greeting, Stage::Ehlo, Stage::Auth, Stage::Mail, Stage::Rcpt, Stage::Data] {
        let fault = Fault::reply_then_close(421, "4.3.0 Closing for repairs");
        ends_before_the_dot(stage, fault, "Closing for repairs").await;
    }
}

#[tokio::test]
async fn the_provider_closes_in_the_midst_of_a_body() {
    let log = Log::capture();
    let scene = Scene::start().await;
    // More than the sockets of both sides hold, so that the dot cannot have been written yet.
    let body = [SAMPLE, &b"0123456789abcdef0123456789abcdef0123456789abcdef\r\n".repeat(400_000)].concat();
    scene.sandbox.faults().plan(Stage::Body(1), Fault::Close, Times::Once);
    let mut device = scene.device().await;
    let heard = device.mail_to(&[RECIPIENT], &body).await;
    assert!(heard.starts_with("451 4.4.0 "), "{heard}");
    log.assert_line(&["attempt failed", "cause=network"]);
    scene.assert_nothing_arrived();
    assert!(device.mail().await.starts_with("250 "));
}

/// After the dot, whether or not the provider took it, nobody but the provider knows.
async fn ends_after_the_dot(fault: Fault, arrived: u64) {
    let log = Log::capture();
    let scene = Scene::start().await;
    scene.sandbox.faults().plan(Stage::Dot, fault, Times::Once);
    let mut device = scene.device().await;
    let said = "451 4.4.2 The provider did not confirm the message, it may have arrived";
    assert_eq!(device.mail().await, said);
    assert_eq!(scene.sandbox.mailbox().count(), arrived);
    log.assert_line(&["WARN", "uncertain", "cause=uncertain", "provider's sent mail"]);
    assert!(device.mail().await.starts_with("250 "), "and it goes on");
    assert_eq!(scene.sandbox.mailbox().count(), arrived + 1, "the uncertain one is not sent again by us");
}

#[tokio::test]
async fn after_the_dot_nobody_knows() {
    ends_after_the_dot(Fault::Close, 0).await;
    ends_after_the_dot(Fault::CarryOutThenClose, 1).await;
    ends_after_the_dot(Fault::Garbage(b"\x16\x03\x01 what?\r\n".to_vec()), 0).await;
}

#[tokio::test]
async fn a_refusal_of_the_dot_is_the_device_s_answer_and_the_line_stays() {
    let scene = Scene::start().await;
    let mut device = scene.device().await;
    for (code, text, heard) in [
        (554, "5.7.1 Looks like spam", "554 5.7.1 Looks like spam"),
        (452, "4.3.1 Mailbox full", "451 4.4.0 Not sent, try again later: "),
    ] {
        scene.sandbox.faults().plan(Stage::Dot, Fault::reply(code, text), Times::Once);
        let said = device.mail().await;
        assert!(said.starts_with(heard), "{said}");
    }
    assert!(device.mail().await.starts_with("250 "));
    assert_eq!((scene.sandbox.mailbox().count(), scene.sandbox.counters().connections), (1, 1));
    scene.assert_no_breach();
}

#[tokio::test]
async fn too_big_for_the_listener() {
    let scene = Scene::with(provider(), |config, _| config.listeners[0].max_message_size = 1000).await;
    let mut device = scene.device().await;
    let declared = device.say(&format!("MAIL FROM:<{SENDER}> SIZE=1001")).await;
    assert_eq!(declared, "552 5.3.4 The message is too big, the limit is 1000 octets");
    let real = [SAMPLE, &b"0123456789\r\n".repeat(100)].concat();
    let heard = device.mail_to(&[RECIPIENT], &real).await;
    assert_eq!(heard, "552 5.3.4 The message is too big, the limit is 1000 octets");
    assert_eq!(scene.sandbox.counters().connections, 0);
    assert!(device.mail().await.starts_with("250 "), "a smaller one goes through in the same session");
}

#[tokio::test]
async fn too_big_for_the_provider() {
    let log = Log::capture();
    let offer = Offer::like_gmail().without(&Extension::Size(None)).with(Extension::Size(Some(1000)));
    let scene = Scene::with(Settings { offer, ..provider() }, |_, _| {}).await;
    let mut device = scene.device().await;
    let heard = device.mail_to(&[RECIPIENT], &[SAMPLE, &b"0123456789\r\n".repeat(100)].concat()).await;
    assert_eq!(heard, "552 5.3.4 The message is too big for the provider, its limit is 1000 octets");
    log.assert_line(&["attempt failed", "takes at most 1000", "cause=message", "Let the device send less"]);
    assert_eq!(scene.sandbox.counters().transactions, 0);
    assert!(device.mail().await.starts_with("250 "));
    assert_eq!(scene.sandbox.counters().connections, 1, "the line is still good");
    scene.assert_no_breach();
}

#[tokio::test]
async fn eight_bit_text_to_a_provider_without_8bitmime_where_nothing_is_encoded() {
    let log = Log::capture();
    let off = |config: &mut Config, _: &Sandbox| config.accounts[0].fixups.eight_bit_body = false;
    let scene = Scene::with(provider_without(&Extension::EightBitMime), off).await;
    let mut device = scene.device().await;
    let heard = device.mail_to(&[RECIPIENT], &[SAMPLE, "Grüße\r\n".as_bytes()].concat()).await;
    assert_eq!(heard, "554 5.6.3 The provider takes no 8-bit messages");
    log.assert_line(&["attempt failed", "8-bit", "cause=message", "quoted-printable or base64"]);
    scene.assert_nothing_arrived();
    assert!(device.mail().await.starts_with("250 "), "plain ASCII goes");
}

#[tokio::test]
async fn a_mail_that_goes_round_is_stopped_at_the_51st_received() {
    let scene = Scene::start().await;
    let mut device = scene.device().await;
    let relayed = |times: usize| [b"Received: from a by b; today\r\n".repeat(times), SAMPLE.to_vec()].concat();
    assert!(device.mail_to(&[RECIPIENT], &relayed(50)).await.starts_with("250 "));
    let heard = device.mail_to(&[RECIPIENT], &relayed(51)).await;
    assert_eq!(heard, "554 5.4.6 Mail loop: the message was relayed 51 times");
    assert_eq!(scene.sandbox.mailbox().count(), 1);
}

#[tokio::test]
async fn which_of_several_from_fields_is_meant_is_not_guessed() {
    let scene = Scene::start().await;
    let mut device = scene.device().await;
    let heard = device.mail_to(&[RECIPIENT], &[b"From: boss@example.com\r\n".as_slice(), SAMPLE].concat()).await;
    assert_eq!(heard, "554 5.6.0 The message has several From fields");
    assert_eq!(scene.sandbox.counters().connections, 0);
}
