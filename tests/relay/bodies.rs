//! What a device sends arrives octet for octet, whatever it is, with our stamp on top and nothing else changed.

use std::path::{Path, PathBuf};

use posthouse::sandbox::{Offer, Settings};

use crate::device::{RECIPIENT, SAMPLE, SENDER, stuffed};
use crate::scene::{Scene, provider, untouched};
use crate::stamp::{self, Stamp};

/// Sends a body and compares what arrived.
async fn arrives(body: &[u8], stamp: Stamp<'_>) -> Scene {
    let scene = Scene::account(|account, _| untouched(account)).await;
    let heard = scene.device().await.mail_to(&[RECIPIENT], body).await;
    assert!(heard.starts_with("250 "), "{heard}");
    let delivery = &scene.sandbox.mailbox().deliveries()[0];
    stamp::assert_exact(delivery, body, stamp);
    scene.assert_no_breach();
    scene
}

fn dated() -> Stamp<'static> {
    Stamp { dated: true, ..stamp::plain(RECIPIENT) }
}

fn headless() -> Stamp<'static> {
    Stamp { headless: true, ..dated() }
}

#[tokio::test]
async fn eight_bit_octets_are_announced_and_unchanged() {
    let body = [SAMPLE, "Grüße, £5\r\n".as_bytes(), b"Latin: \xe4\xf6\xfc\r\n"].concat();
    let scene = arrives(&body, stamp::plain(RECIPIENT)).await;
    let delivery = &scene.sandbox.mailbox().deliveries()[0];
    assert!(delivery.mail_parameters.contains(&"BODY=8BITMIME".to_owned()), "{:?}", delivery.mail_parameters);
}

#[tokio::test]
async fn dots_at_the_beginning_of_lines_survive() {
    let body = [SAMPLE, b".\r\n..\r\n...\r\n.x\r\nx.\r\n.\r\n"].concat();
    arrives(&body, stamp::plain(RECIPIENT)).await;
}

#[tokio::test]
async fn five_mebibytes_go_through_the_spool() {
    let line = b"VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZy4gVGhlIHF1aWNrIGJyb3du\r\n";
    let mut body = SAMPLE.to_vec();
    while body.len() < 5 * 1024 * 1024 {
        // A dot now and then, so that blocks are cut anywhere between stuffed and plain lines.
        body.extend_from_slice(if body.len().is_multiple_of(7) { b".\r\n" } else { line });
    }
    let scene = arrives(&body, stamp::plain(RECIPIENT)).await;
    let spooled = walk(&scene.config.storage.directory.join("spool"));
    assert_eq!(spooled, Vec::<PathBuf>::new(), "a body that was passed on leaves no file");
}

/// The files in it, at any depth.
fn walk(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn an_empty_body_is_a_mail() {
    arrives(b"", headless()).await;
}

#[tokio::test]
async fn a_body_without_a_header_is_given_one_and_stays_text() {
    arrives(b"Toner is low.\r\nCall service.\r\n", headless()).await;
}

#[tokio::test]
async fn what_a_header_lacks_is_added_and_what_it_has_stays() {
    arrives(b"From: scanner@sandbox.example\r\nSubject: no date\r\n\r\ntext\r\n", dated()).await;
}

#[tokio::test]
async fn bare_line_feeds_are_repaired_before_they_reach_the_provider() {
    let scene = Scene::start().await;
    let mut device = scene.device().await;
    device.envelope(&[RECIPIENT]).await;
    assert!(device.say("DATA").await.starts_with("354"));
    let lines_that_end_in_lf = [SAMPLE, b"one\ntwo\r\n.\r\n"].concat();
    device.send(&lines_that_end_in_lf).await;
    assert!(device.reply().await.starts_with("250 "));
    let repaired = [SAMPLE, b"one\r\ntwo\r\n"].concat();
    stamp::assert_exact(&scene.sandbox.mailbox().deliveries()[0], &repaired, stamp::plain(RECIPIENT));
    scene.assert_no_breach();
}

#[tokio::test]
async fn an_internationalised_address_travels_as_such() {
    let scene = Scene::start().await;
    let mut device = scene.device().await;
    assert!(device.say(&format!("MAIL FROM:<{SENDER}> SMTPUTF8")).await.starts_with("250 "));
    assert!(device.say("RCPT TO:<büro@example.com>").await.starts_with("250 "));
    device.data(SAMPLE).await;
    assert!(device.reply().await.starts_with("250 "));
    let delivery = &scene.sandbox.mailbox().deliveries()[0];
    assert_eq!(delivery.addresses(), ["büro@example.com"]);
    assert!(delivery.mail_parameters.contains(&"SMTPUTF8".to_owned()));
    stamp::assert_exact(delivery, SAMPLE, Stamp { with: "UTF8SMTP", ..stamp::plain("büro@example.com") });
    scene.assert_no_breach();
}

/// What the provider saw of a wish for delivery reports: parameters of MAIL, then of RCPT.
async fn wishes_seen_by(offer: Offer) -> (Vec<String>, Vec<String>) {
    let scene = Scene::with(Settings { offer, ..provider() }, |_, _| {}).await;
    let mut device = scene.device().await;
    assert!(device.say(&format!("MAIL FROM:<{SENDER}> RET=HDRS ENVID=scan-7")).await.starts_with("250 "));
    let recipient = format!("RCPT TO:<{RECIPIENT}> NOTIFY=FAILURE,DELAY ORCPT=rfc822;{RECIPIENT}");
    assert!(device.say(&recipient).await.starts_with("250 "));
    assert!(device.say("DATA").await.starts_with("354"));
    device.send(stuffed(SAMPLE)).await;
    assert!(device.reply().await.starts_with("250 "));
    scene.assert_no_breach();
    let delivery = scene.sandbox.mailbox().deliveries().remove(0);
    let of_mail = delivery.mail_parameters.iter().filter(|p| p.starts_with("RET") || p.starts_with("ENVID"));
    (of_mail.cloned().collect(), delivery.recipients[0].parameters.clone())
}

#[tokio::test]
async fn wishes_for_reports_are_passed_on_where_they_are_understood() {
    let (of_mail, of_recipient) = wishes_seen_by(Offer::like_microsoft()).await;
    assert_eq!(of_mail, ["RET=HDRS", "ENVID=scan-7"]);
    assert_eq!(of_recipient, ["NOTIFY=FAILURE,DELAY".to_owned(), format!("ORCPT=rfc822;{RECIPIENT}")]);
    assert_eq!(wishes_seen_by(Offer::like_gmail()).await, (vec![], vec![]));
}
