//! Whatever a device sends goes out as it came, but for what is told.
//!
//! Each message takes the way of all: read to its end, repaired, stamped, and composed for an account. Here the octets
//! are any octets; what each rule makes of real mail stands in the corpus.

use std::path::Path;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::account::tests::settings;
use crate::mail::repair;
use crate::mail::rewrite::Fixups;
use crate::net::clock::Clock;
use crate::queue::body::Draft as Incoming;
use crate::queue::fixture;
use crate::smtp::body::Reader;

const STAMP: &str = "Received: from device by relay\r\n";

/// What a device sent, without its end: as it was read, as it is stored, and whether intake told of a repair.
fn stored(sent: &[u8], repairs: repair::Settings) -> Option<(Vec<u8>, Message, bool)> {
    let (mut reader, mut octets) = (Reader::new(false, u64::MAX), Vec::new());
    reader.read(&[sent, b"\r\n.\r\n"].concat(), &mut octets)?;
    let summary = reader.summary();
    let incoming = Incoming::new(Path::new("unused"), repairs).write(octets.clone()).ok()?;
    let (known, unstamped) = incoming.finish().ok()?;
    let told = !known.repaired.changes.is_empty();
    let divided = if known.header.begins_with_field { "" } else { "\r\n" };
    let message = Message {
        body: unstamped.stamp(format!("{STAMP}{divided}")),
        eight_bit: summary.eight_bit,
        eight_bit_header: known.header.eight_bit,
        ..fixture::message("scanner", Timestamp::UNIX_EPOCH)
    };
    Some((octets, message, told))
}

/// What goes out, and what is told of it.
fn composed(message: Message, policy: Policy, fixups: Fixups, offered: Extensions) -> Option<(Vec<u8>, Composed)> {
    let mut account = settings();
    (account.sender.policy, account.fixups) = (policy, fixups);
    let message = Arc::new(message);
    let envelope = Arc::new(Envelope { sender: message.sender.clone(), recipients: Vec::new() });
    let (refused, now) = (Remembered::default(), Clock::default().moment());
    let work = Work { message: Arc::clone(&message), envelope, all_or_nothing: false, offered, refused, now };
    let composed = Composer::new(&account, None).compose(&work).ok()?;
    let mut out = Vec::new();
    each_piece(&composed.pieces, &message, |octets| out.extend_from_slice(octets)).unwrap();
    Some((out, composed))
}

fn whole(message: &Message) -> Vec<u8> {
    let mut octets = vec![0; usize::try_from(message.body.size()).unwrap()];
    message.body.read_exact_at(0, &mut octets).unwrap();
    octets
}

/// Octets that matter to somebody on the way, more often than others.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let words = proptest::sample::select(vec![
        &b"From: a@b.example\r\n"[..],
        b"Subject: x",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\r",
        b"\0",
        b".\r\n",
        b"Bcc: c@d.example\r\n",
        b"\xe4",
        b"\xc3\xa4",
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"--b\r\n",
        b"--b--\r\n",
        b"Content-Transfer-Encoding: 8bit\r\n",
    ]);
    let piece = prop_oneof![4 => words.prop_map(<[u8]>::to_vec), 1 => proptest::collection::vec(any::<u8>(), 0..12)];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn takes_all() -> Extensions {
    Extensions { eight_bit_mime: true, ..Extensions::default() }
}

proptest! {
    #[test]
    fn an_account_that_keeps_sends_what_came_under_a_trace(sent in octets()) {
        let off = repair::Settings { nul: false, long_lines: false };
        let Some((read, message, told)) = stored(&sent, off) else { return Ok(()) };
        let lies = whole(&message);
        let (out, composed) = composed(message, Policy::Keep, Fixups::NONE, takes_all()).expect("nothing can fail");
        // A header that has no end gets one, and that is told.
        if composed.changes.is_empty() {
            prop_assert_eq!(&out, &lies);
        }
        prop_assert_eq!(composed.order.size, out.len() as u64);
        if !told && composed.changes.is_empty() {
            let came = out.strip_prefix(STAMP.as_bytes()).expect("the trace is on top");
            prop_assert!(came == read || came.strip_prefix(b"\r\n") == Some(read.as_slice()));
        }
    }

    #[test]
    fn what_differs_is_told_and_fits_what_the_server_takes(sent in octets(), force in any::<bool>(), takes_eight in any::<bool>()) {
        let Some((_, message, _)) = stored(&sent, repair::Settings::default()) else { return Ok(()) };
        let lies = whole(&message);
        let policy = if force { Policy::Force } else { Policy::Fix };
        let offered = Extensions { eight_bit_mime: takes_eight, ..Extensions::default() };
        let Some((out, composed)) = composed(message, policy, Fixups::default(), offered) else { return Ok(()) };
        prop_assert!(!composed.changes.is_empty() || out == lies);
        prop_assert_eq!(composed.order.size, out.len() as u64);
        prop_assert!(out.is_ascii() || composed.order.eight_bit, "what is 8-bit is announced");
        for (at, _) in out.iter().enumerate().filter(|(_, octet)| **octet == b'\n') {
            prop_assert!(at > 0 && out[at - 1] == b'\r', "no bare line feed is made");
        }
    }
}
