//! What old devices get wrong is put right while it comes in, and the log tells of it and of what the mail was.
//!
//! What was changed is looked at octet for octet where it arrives. That nothing else changes is for `bodies`.

use posthouse::inbound::settings::Fixups;
use posthouse::journal::Masks;
use posthouse::mail::{repair, stamp as fields};

use crate::device::{RECIPIENT, SAMPLE, SENDER};
use crate::scene::{Log, Scene, provider, untouched};
use crate::stamp::{self, Stamp};

/// A scan as a device sends it, with an attachment.
const SCAN: &str = "From: \"Jane at the copier\" <scanner@sandbox.example>\r\nTo: office@example.com\r\nSubject: Payroll\r\n\
    Date: Sun, 22 Nov 2026 09:05:00 +0100\r\nMessage-ID: <7@device.example>\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed;\r\n boundary=\"b\"\r\n\r\n--b\r\n\r\nSee there.\r\n--b\r\n\
    Content-Type: application/pdf; name=payroll.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n--b--\r\n";

#[tokio::test]
async fn what_no_provider_takes_is_repaired_and_told() {
    let log = Log::capture();
    let scene = Scene::start().await;
    let line = format!("{} {}", "x".repeat(800), "y".repeat(800));
    let body = [SAMPLE, b"a\0b\r\n", line.as_bytes(), b"\r\nlast\nline\r\n"].concat();
    let heard = scene.device().await.mail_to(&[RECIPIENT], &body).await;
    assert!(heard.starts_with("250 "), "{heard}");
    let repaired = line.replace(' ', " \r\n");
    let repaired = [SAMPLE, b"ab\r\n", repaired.as_bytes(), b"\r\nlast\r\nline\r\n"].concat();
    stamp::assert_exact(&scene.sandbox.mailbox().deliveries()[0], &repaired, stamp::plain(RECIPIENT));
    log.assert_line(&[
        "octets repaired",
        "line_endings: 1 bare LF became CRLF; nul: 1 NUL octet taken out; long_lines: 1 line over 998",
    ]);
    scene.assert_no_breach();
}

#[tokio::test]
async fn what_is_signed_is_not_repaired_and_that_is_told() {
    let log = Log::capture();
    let scene = Scene::start().await;
    let body = [b"DKIM-Signature: v=1\r\n", SAMPLE, "x".repeat(1200).as_bytes(), b"\r\nlast\nline\r\n"].concat();
    scene.device().await.mail_to(&[RECIPIENT], &body).await;
    let log_line = [
        "WARN",
        "octets repaired",
        "the DKIM signature may not verify",
        "1 line over 998 octets left, because of a signature",
    ];
    log.assert_line(&log_line);
    let arrived = &scene.sandbox.mailbox().deliveries()[0].bytes;
    assert!(arrived.ends_with(&[&[b'x'; 1200][..], b"\r\nlast\r\nline\r\n"].concat()));
}

#[tokio::test]
async fn every_repair_can_be_switched_off() {
    let log = Log::capture();
    let off = Fixups {
        fields: fields::Fields { date: false, message_id: false },
        octets: repair::Settings { nul: false, long_lines: false },
    };
    let scene = Scene::with(provider(), |config, _| {
        config.fixups = off;
        untouched(&mut config.accounts[0]);
    })
    .await;
    let body = [
        b"From: scanner@sandbox.example\r\nTo: office@example.com\r\n\r\na\0b\r\n",
        "x".repeat(1200).as_bytes(),
        b"\r\n",
    ]
    .concat();
    scene.device().await.mail_to(&[RECIPIENT], &body).await;
    let stamp = Stamp { dated: false, ..stamp::plain(RECIPIENT) };
    stamp::assert_exact(&scene.sandbox.mailbox().deliveries()[0], &body, stamp);
    assert_eq!(log.count(&["octets repaired"]), 0);
}

#[tokio::test]
async fn the_log_tells_what_a_mail_was() {
    let log = Log::capture();
    let scene = Scene::start().await;
    scene.device().await.mail_to(&[RECIPIENT], SCAN.as_bytes()).await;
    log.assert_line(&[
        "delivered",
        "header_from=\"\\\"Jane at the copier\\\" <scanner@sandbox.example>\"",
        "header_to=\"office@example.com\"",
        "subject=\"Payroll\"",
        "mail_message_id=\"7@device.example\"",
        "attachments=\"payroll.pdf (application/pdf, 3 octets)\"",
    ]);
    scene.assert_no_breach();
}

#[tokio::test]
async fn what_is_masked_is_nowhere_in_the_log() {
    let log = Log::with_transcripts();
    let all = Masks { addresses: true, subjects: true, attachments: true };
    let scene = Scene::with(provider(), |config, _| config.log.masks = all).await;
    let mut device = scene.device().await;
    device.mail_to(&[RECIPIENT], SCAN.as_bytes()).await;
    device.say("QUIT").await;
    log.assert_line(&[
        "delivered",
        "from=s…@sandbox.example to=o…@example.com",
        "mail_message_id=\"7@device.example\"",
        "attachments=\"application/pdf, 3 octets\"",
    ]);
    log.wait_for_line(&["session closed"]).await;
    scene.relay.shut_down().await;
    for hidden in [SENDER, RECIPIENT, "Jane", "Payroll", "payroll"] {
        assert_eq!(log.count(&[hidden]), 0, "{hidden} in:\n{}", log.text());
    }
}
