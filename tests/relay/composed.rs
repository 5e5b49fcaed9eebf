//! What an account makes of a mail before it goes out: senders that its provider does not take, text it does not take,
//! signatures.
//!
//! How each rule changes octets is shown by the corpus of device mails; here it is what follows from it: what is learned,
//! what waits, what is refused.

use std::time::Duration;

use posthouse::account::Pipelining;
use posthouse::account::provider::RefusedAt;
use posthouse::config::Config;
use posthouse::mail::sender::Policy;
use posthouse::queue::{self, Keeping};
use posthouse::sandbox::{Delivery, Extension, Refusal, Sandbox, Senders, Settings};

use crate::device::{Device, RECIPIENT, SAMPLE, SENDER};
use crate::scene::{Log, Scene, provider, provider_without};

mod signed;

const STRANGER: &str = "stranger@elsewhere.example";

/// Takes mail from its account's own address only, and says so at this point.
fn strict(at: RefusedAt) -> Settings {
    let refusal = Refusal { code: 550, enhanced: "5.7.1".into(), lines: vec!["Sender address rejected".into()] };
    let senders = Senders::Only { addresses: vec![SENDER.into()], null_sender: false, at, refusal };
    let mut provider = provider();
    provider.manners.senders = senders;
    provider
}

/// With a queue that tries again at once.
fn keeping(config: &mut Config) {
    let keeping = Keeping { retry: vec![Duration::from_millis(1)], ..Keeping::default() };
    config.queue = queue::Settings::Durable(Box::new(keeping));
}

/// A mail of somebody else.
async fn foreign_mail(scene: &Scene) -> String {
    let mut device = scene.device().await;
    device.say(&format!("MAIL FROM:<{STRANGER}>")).await;
    device.say(&format!("RCPT TO:<{RECIPIENT}>")).await;
    device.data(&foreign()).await;
    device.reply().await
}

/// A mail without a sender.
async fn without_sender(scene: &Scene) -> String {
    let mut device = scene.device().await;
    device.say("MAIL FROM:<>").await;
    device.say(&format!("RCPT TO:<{RECIPIENT}>")).await;
    device.data(SAMPLE).await;
    device.reply().await
}

fn foreign() -> Vec<u8> {
    String::from_utf8(SAMPLE.to_vec()).unwrap().replace(SENDER, STRANGER).into_bytes()
}

async fn delivery(scene: &Scene, number: u64) -> std::sync::Arc<Delivery> {
    let came = tokio::time::timeout(Duration::from_secs(20), scene.sandbox.mailbox().wait_for(number)).await;
    came.unwrap_or_else(|_| panic!("{:#?}", scene.sandbox.transcript())).pop().unwrap()
}

fn refusals(sandbox: &Sandbox) -> usize {
    sandbox.transcript().iter().filter(|said| said.text.starts_with("550 5.7.1")).count()
}

#[tokio::test]
async fn a_sender_that_is_refused_once_costs_no_second_mail_and_not_the_first_one_either() {
    for at in [RefusedAt::Mail, RefusedAt::End] {
        let log = Log::capture();
        let scene = Scene::with(strict(at), |config, _| keeping(config)).await;
        let heard = foreign_mail(&scene).await;
        assert!(heard.starts_with("250 2.0.0 Ok: queued"), "{at:?}: {heard}");
        log.assert_line(&["attempt failed", "it goes out again from the account's own address"]);
        let arrived = delivery(&scene, 1).await;
        assert_eq!(arrived.reverse_path, SENDER);
        assert!(arrived.text().contains(&format!("Reply-To: <{STRANGER}>\r\n")), "{}", arrived.text());
        log.assert_line(&["changed for the provider", "envelope_sender: stranger@elsewhere.example became"]);

        let heard = foreign_mail(&scene).await;
        assert!(heard.starts_with("250 2.0.0 Ok: taken"), "{at:?}: {heard}");
        assert_eq!(refusals(&scene.sandbox), 1, "{at:?}");
        // It is known in the next run too, until a person signs the account in.
        let scene = scene.restarted(|_| {}).await;
        assert!(foreign_mail(&scene).await.starts_with("250 2.0.0 Ok: taken"));
        assert_eq!(refusals(&scene.sandbox), 1, "{at:?}");
        let (code, said) =
            crate::control::run(crate::control::posthouse(&scene, &["accounts", "office", "--release"])).await;
        assert_eq!(code, 0, "{said}");
        assert!(foreign_mail(&scene).await.starts_with("250 2.0.0 Ok: queued"));
        assert_eq!(refusals(&scene.sandbox), 2, "{at:?}: somebody may have given it the right");
    }
}

#[tokio::test]
async fn without_a_queue_the_device_is_asked_to_come_again_and_then_it_goes() {
    let scene = Scene::with(strict(RefusedAt::Mail), |_, _| {}).await;
    let heard = foreign_mail(&scene).await;
    assert!(heard.starts_with("451"), "{heard}");
    assert!(foreign_mail(&scene).await.starts_with("250"));
    assert_eq!(delivery(&scene, 1).await.reverse_path, SENDER);
}

#[tokio::test]
async fn a_sender_that_is_kept_is_refused_for_good() {
    let scene = Scene::with(strict(RefusedAt::Mail), |config, _| {
        keeping(config);
        config.accounts[0].sender.policy = Policy::Keep;
    })
    .await;
    for _ in 0..2 {
        let heard = foreign_mail(&scene).await;
        assert!(heard.starts_with("550 5.7.1"), "{heard}");
    }
    assert_eq!(refusals(&scene.sandbox), 2);
    assert_eq!(scene.sandbox.mailbox().count(), 0);
}

#[tokio::test]
async fn the_accounts_own_address_that_is_refused_is_refused_for_good() {
    let mut provider = strict(RefusedAt::Mail);
    let Senders::Only { addresses, .. } = &mut provider.manners.senders else { unreachable!() };
    *addresses = vec!["somebody@else.example".into()];
    let scene = Scene::with(provider, |config, _| keeping(config)).await;
    let heard = scene.device().await.mail().await;
    assert!(heard.starts_with("550 5.7.1"), "{heard}");
}

#[tokio::test]
async fn mail_without_a_sender_keeps_none_unless_the_provider_wants_one() {
    async fn sent(null_sender: bool, policy: Policy) -> String {
        let scene = Scene::account(|account, _| {
            account.null_sender = null_sender;
            account.sender.policy = policy;
        })
        .await;
        let mut device = scene.device().await;
        device.say("MAIL FROM:<>").await;
        device.say(&format!("RCPT TO:<{RECIPIENT}>")).await;
        device.data(SAMPLE).await;
        assert!(device.reply().await.starts_with("250"));
        delivery(&scene, 1).await.reverse_path.clone()
    }
    assert_eq!(sent(true, Policy::Fix).await, "");
    assert_eq!(sent(true, Policy::Force).await, "");
    assert_eq!(sent(false, Policy::Fix).await, SENDER);
    assert_eq!(sent(false, Policy::Keep).await, "");
}

/// A text part with 8-bit text, in a multipart.
const LATIN: &[u8] = b"From: scanner@sandbox.example\r\nTo: office@example.com\r\nMIME-Version: 1.0\r\n\
    Date: Sun, 22 Nov 2026 09:05:00 +0100\r\nMessage-ID: <2@device.example>\r\n\
    Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
    Content-Transfer-Encoding: 8bit\r\n\r\nGr\xfc\xdfe\r\n--b--\r\n";

#[tokio::test]
async fn eight_bit_text_is_encoded_for_a_provider_that_does_not_take_it_and_for_no_other() {
    let log = Log::capture();
    let scene = Scene::with(provider_without(&Extension::EightBitMime), |_, _| {}).await;
    assert!(scene.device().await.mail_to(&[RECIPIENT], LATIN).await.starts_with("250"));
    let arrived = delivery(&scene, 1).await;
    let text = String::from_utf8(arrived.bytes.clone()).expect("it is ASCII");
    assert!(text.contains("Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n--b--\r\n"), "{text}");
    assert!(!arrived.mail_parameters.iter().any(|parameter| parameter.starts_with("BODY")));
    log.assert_line(&["changed for the provider", "eight_bit_body: "]);

    let scene = Scene::start().await;
    assert!(scene.device().await.mail_to(&[RECIPIENT], LATIN).await.starts_with("250"));
    assert!(delivery(&scene, 1).await.bytes.ends_with(LATIN));
}

/// A scan whose name the scanner writes as it comes.
const NAMED: &[u8] = b"From: scanner@sandbox.example\r\nTo: office@example.com\r\nMIME-Version: 1.0\r\n\
    Date: Sun, 22 Nov 2026 09:05:00 +0100\r\nMessage-ID: <4@device.example>\r\n\
    Content-Type: multipart/mixed; boundary=b\r\n\r\nf\xfcr alle\r\n--b\r\n\
    Content-Type: application/pdf; name=\"B\xfcro.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\
    Content-Disposition: attachment; filename=\"B\xfcro.pdf\"\r\n\r\nQUJD\r\n--b--\r\n";

/// The same, as every provider takes it.
const NAMED_IN_ASCII: &str = "\r\n\r\n--b\r\nContent-Type: application/pdf; name*=UTF-8''B%C3%BCro.pdf\r\n\
    Content-Transfer-Encoding: base64\r\n\
    Content-Disposition: attachment; filename*=UTF-8''B%C3%BCro.pdf\r\n\r\nQUJD\r\n--b--\r\n";

#[tokio::test]
async fn the_raw_name_of_an_attachment_is_encoded_for_a_provider_that_takes_no_eight_bit_text() {
    let log = Log::capture();
    let scene = Scene::with(provider_without(&Extension::EightBitMime), |_, _| {}).await;
    assert!(scene.device().await.mail_to(&[RECIPIENT], NAMED).await.starts_with("250"));
    let arrived = delivery(&scene, 1).await;
    assert!(arrived.text().ends_with(NAMED_IN_ASCII), "{}", arrived.text());
    assert!(!arrived.mail_parameters.iter().any(|parameter| parameter.starts_with("BODY")));
    log.assert_line(&["changed for the provider", "encoded_words: in Content-Type, Content-Disposition of a part"]);
    log.assert_line(&["changed for the provider", "no reader shows"]);

    let scene = Scene::start().await;
    assert!(scene.device().await.mail_to(&[RECIPIENT], NAMED).await.starts_with("250"));
    assert!(delivery(&scene, 1).await.bytes.ends_with(NAMED));
}

#[tokio::test]
async fn a_body_that_must_be_encoded_breaks_its_dkim_signature_and_that_is_said() {
    let signed = [b"DKIM-Signature: v=1; d=sandbox.example; s=a; bh=x; b=y\r\n".as_slice(), LATIN].concat();
    let log = Log::capture();
    let scene = Scene::with(provider_without(&Extension::EightBitMime), |_, _| {}).await;
    assert!(scene.device().await.mail_to(&[RECIPIENT], &signed).await.starts_with("250"));
    let arrived = delivery(&scene, 1).await;
    let text = arrived.text();
    assert!(text.contains("Gr=FC=DFe") && text.contains("DKIM-Signature: v=1;"), "{text}");
    log.assert_line(&[
        "changed for the provider",
        "eight_bit_body: ",
        "signature: ",
        "DKIM",
        "does not verify any more",
    ]);

    let log = Log::capture();
    let scene = Scene::start().await;
    assert!(scene.device().await.mail_to(&[RECIPIENT], &signed).await.starts_with("250"));
    assert!(delivery(&scene, 1).await.bytes.ends_with(LATIN));
    assert_eq!(log.count(&["does not verify any more"]), 0, "{}", log.text());
}

#[tokio::test]
async fn eight_bit_text_that_a_signature_covers_is_refused_rather_than_broken() {
    let log = Log::capture();
    let scene = Scene::with(provider_without(&Extension::EightBitMime), |_, _| {}).await;
    let signed = String::from_utf8_lossy(LATIN)
        .replace("multipart/mixed;", "multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256;");
    let heard = scene.device().await.mail_to(&[RECIPIENT], signed.as_bytes()).await;
    assert!(heard.starts_with("554 5.6.3 "), "{heard}");
    log.assert_line(&["attempt failed", "covered by a signature", "cause=message", "an account whose provider"]);
    scene.assert_nothing_arrived();
}

/// A script forgets the empty line.
const UNDIVIDED: &[u8] = b"From: scanner@sandbox.example\r\nTo: office@example.com\r\nSubject: UPS\r\n\
    Date: Sun, 22 Nov 2026 09:05:00 +0100\r\nMessage-ID: <4@device.example>\r\nOn battery since 10 o'clock, Gr\xfc\xdfe\r\nBye\r\n";

#[tokio::test]
async fn a_text_that_no_empty_line_divides_from_the_header_is_the_body() {
    let log = Log::capture();
    for (offered, encoded) in [(provider(), false), (provider_without(&Extension::EightBitMime), true)] {
        let scene = Scene::with(offered, |_, _| {}).await;
        assert!(scene.device().await.mail_to(&[RECIPIENT], UNDIVIDED).await.starts_with("250"));
        let arrived = delivery(&scene, 1).await;
        let text = String::from_utf8_lossy(&arrived.bytes).into_owned();
        let (_, body) = text.split_once("\r\n\r\n").expect("a header and a body");
        let expected =
            if encoded { "10 o'clock, Gr=FC=DFe\r\nBye\r\n" } else { "10 o'clock, Gr\u{fffd}\u{fffd}e\r\nBye\r\n" };
        assert!(body.starts_with("On battery since") && body.ends_with(expected), "{text}");
    }
    log.assert_line(&["changed for the provider", "end_of_header: an empty line"]);
}

#[tokio::test]
async fn a_provider_that_refuses_mail_without_a_sender_gets_one_with_the_next_attempt() {
    let scene = Scene::with(strict(RefusedAt::Mail), |config, _| keeping(config)).await;
    assert!(without_sender(&scene).await.starts_with("250 2.0.0 Ok: queued"));
    assert_eq!(delivery(&scene, 1).await.reverse_path, SENDER);
    assert!(without_sender(&scene).await.starts_with("250 2.0.0 Ok: taken"));
    assert_eq!(refusals(&scene.sandbox), 1);
}

/// At MAIL the provider has not seen who `From` says it is from.
#[tokio::test]
async fn what_is_refused_at_mail_says_nothing_of_the_author() {
    let scene = Scene::with(strict(RefusedAt::Mail), |config, _| keeping(config)).await;
    let mixed = |sender: &'static str| {
        let address = scene.address();
        async move {
            let mut device = Device::greeted(address).await;
            device.say(&format!("MAIL FROM:<{sender}>")).await;
            device.say(&format!("RCPT TO:<{RECIPIENT}>")).await;
            device
                .data(String::from_utf8(SAMPLE.to_vec()).unwrap().replace(SENDER, "boss@partner.example").as_bytes())
                .await;
            device.reply().await
        }
    };
    assert!(mixed(STRANGER).await.starts_with("250 2.0.0 Ok: queued"));
    delivery(&scene, 1).await;
    assert!(mixed(SENDER).await.starts_with("250 2.0.0 Ok: taken"));
    let last = scene.sandbox.mailbox().deliveries().pop().unwrap();
    assert!(last.text().contains("From: boss@partner.example\r\n"), "{}", last.text());
}

#[tokio::test]
async fn mails_that_ride_behind_each_other_are_each_made_for_themselves() {
    let scene = Scene::with(provider(), |config, _| {
        let account = &mut config.accounts[0];
        (account.pipelining, account.connections, account.sender.policy) = (Pipelining::Messages, 1, Policy::Force);
    })
    .await;
    let mail = |number: u32| format!("From: nas{number}@home.example\r\nTo: a@b.example\r\n\r\npage {number}\r\n");
    let mut devices: Vec<Device> = Vec::new();
    for number in 0..8 {
        let mut device = scene.device().await;
        device.envelope(&[RECIPIENT]).await;
        device.data(mail(number).as_bytes()).await;
        devices.push(device);
    }
    for device in &mut devices {
        assert!(device.reply().await.starts_with("250"));
    }
    delivery(&scene, 8).await;
    for delivery in scene.sandbox.mailbox().deliveries() {
        let text = delivery.text();
        let number = text.split_once("X-Original-From: nas").unwrap().1.split('@').next().unwrap();
        assert!(text.ends_with(&format!("page {number}\r\n")), "{text}");
        assert!(text.contains(&format!("From: <{SENDER}>\r\n")), "{text}");
    }
    scene.assert_no_breach();
}
