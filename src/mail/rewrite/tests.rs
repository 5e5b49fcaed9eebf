//! What an account changes in a header, as stories: what a device wrote, what the provider gets, what the log says.
//!
//! Here are the repairs; what the administrator asks for, raw text, signatures, and what holds for any octets have
//! files of their own.

mod administrator;
mod duplicates;
mod eight_bit;
mod properties;
mod signatures;

use super::*;
use crate::mail::sender::{Allowance, Policy, Settings};

fn account(policy: Policy) -> Rules {
    let address = Address::parse(b"office@example.com").unwrap();
    Rules::of(Some(Settings { policy, allowance: Allowance::Own, ..Settings::of(address) }))
}

/// An account that lets senders be.
fn keep() -> Rules {
    account(Policy::Keep)
}

fn done(rules: &Rules, header: &[u8]) -> (Rewritten, Vec<u8>) {
    let block = [header, b"\r\n"].concat();
    let rewritten = rewrite(&block, &ReversePath::Null, rules, &[]);
    let edited = rewritten.block.clone().unwrap_or(block);
    let edited = edited.strip_suffix(b"\r\n").unwrap().to_vec();
    (rewritten, edited)
}

/// The header that goes out, and the rules that were told.
fn sent(rules: &Rules, header: &str) -> (String, Vec<Rule>) {
    let (rewritten, edited) = done(rules, header.as_bytes());
    (String::from_utf8(edited).unwrap(), rewritten.changes.iter().map(|change| change.rule).collect())
}

/// Raw text goes out as ASCII that reads like this.
fn field(rules: &Rules, header: &[u8], name: &str) -> Vec<u8> {
    let (_, edited) = done(rules, header);
    Block::read(&edited).first(name).unwrap().unfolded().into_owned()
}

const GOOD: &str = "Received: from nas ([192.0.2.1]) by nas.lan with SMTP; Sun, 22 Nov 2026 09:05:00 +0100\r\n\
    From:Scanner <office@example.com>\r\nTo: x@y\r\nSUBJECT : =?UTF-8?Q?a?=\r\n  b\r\nMIME-Version: 1.0\r\n\
    Content-Type: text/plain;\r\n\tcharset=utf-8\r\n";

#[test]
fn a_good_mail_is_not_touched_at_all() {
    for policy in [Policy::Keep, Policy::Fix, Policy::Force] {
        let (rewritten, _) = done(&account(policy), GOOD.as_bytes());
        assert_eq!((rewritten.block, rewritten.changes, rewritten.needs_utf8), (None, vec![], false));
    }
}

#[test]
fn toshibas_from_is_read_by_everybody() {
    let toshiba = "From:\"=?ISO-8859-1?B?QvxybyA=?=\r\n =?ISO-8859-1?B?Mg==?=\" <copier@example.com>\r\nTo:<x@y>\r\n";
    let (header, rules) = sent(&keep(), toshiba);
    assert_eq!(header, "From: =?UTF-8?B?QsO8cm8gMg==?= <copier@example.com>\r\nTo:<x@y>\r\n");
    assert_eq!(rules, [Rule::BrokenFrom]);
    let off = Rules { fixups: Fixups { broken_from: false, ..Fixups::default() }, ..keep() };
    assert_eq!(sent(&off, toshiba), (toshiba.to_owned(), vec![]));
}

#[test]
fn an_address_is_no_display_name() {
    for (from, expected) in [
        ("printer@domain.com <printer@domain.com>", "<printer@domain.com>"),
        ("Scanner, 2nd floor <a@b.example>", "\"Scanner, 2nd floor\" <a@b.example>"),
        ("\"Scanner <a@b.example>", "Scanner <a@b.example>"),
        ("Scanner a@b.example", "Scanner <a@b.example>"),
    ] {
        let (header, rules) = sent(&keep(), &format!("From: {from}\r\nTo: x@y\r\n"));
        assert_eq!(header, format!("From: {expected}\r\nTo: x@y\r\n"));
        assert_eq!(rules, [Rule::BrokenFrom]);
    }
}

#[test]
fn the_sender_policy_sees_what_the_device_wrote() {
    let (header, rules) = sent(&account(Policy::Fix), "From: p@nas <p@nas>\r\nTo: x@y\r\n");
    assert_eq!(header, "From: <office@example.com>\r\nX-Original-From: p@nas <p@nas>\r\nTo: x@y\r\n");
    assert_eq!(rules, [Rule::From, Rule::OriginalFrom]);
    let path = ReversePath::try_from("p@nas".to_owned()).unwrap();
    let rewritten = rewrite(b"From: office@example.com\r\nTo: x@y\r\n\r\n", &path, &account(Policy::Fix), &[]);
    assert_eq!((rewritten.reverse_path.to_string().as_str(), rewritten.block), ("office@example.com", None));
    assert_eq!(rewritten.changes[0].to_string(), "envelope_sender: p@nas became office@example.com");
}

#[test]
fn a_mail_to_nobody_says_so() {
    let undisclosed = "From: a@b\r\nTo: undisclosed-recipients:;\r\n";
    for header in ["From: a@b\r\n", "From: a@b\r\nTo:\r\n"] {
        assert_eq!(sent(&keep(), header), (undisclosed.to_owned(), vec![Rule::Undisclosed]), "{header}");
    }
    let twice = Rules { fixups: Fixups { duplicates: false, ..Fixups::default() }, ..keep() };
    for rules in [&keep(), &twice] {
        assert_eq!(sent(rules, "From: a@b\r\nTo: <>\r\nTo: \r\n").0, undisclosed);
    }
    assert_eq!(sent(&keep(), "From: a@b\r\nTo:\r\nCc: c@d\r\n").0, "From: a@b\r\nCc: c@d\r\n");
    for fine in ["From: a@b\r\nTo: Undisclosed recipients:;\r\n", "From: a@b\r\nCc: c@d\r\n"] {
        assert_eq!(sent(&keep(), fine), (fine.to_owned(), vec![]));
    }
    // Whoever was in Bcc alone is not seen, and then nobody is.
    let (header, rules) = sent(&keep(), "From: a@b\r\nBcc: boss@example.com,\r\n me@example.com\r\n");
    assert_eq!((header.as_str(), rules), (undisclosed, vec![Rule::Bcc, Rule::Undisclosed]));
}

#[test]
fn what_an_earlier_delivery_left_is_taken_out() {
    let (header, rules) = sent(
        &keep(),
        "Received: by x; \r\nFrom root Mon Jan 1 10:00:00 2026\r\nReturn-Path: <root@nas>\r\nFrom: a@b\r\nTo: x@y\r\n",
    );
    assert_eq!(header, "Received: by x; \r\nFrom: a@b\r\nTo: x@y\r\n");
    assert_eq!(rules, [Rule::ReturnPath, Rule::ReturnPath]);
}

#[test]
fn mime_fields_get_their_version() {
    let header = "From: a@b\r\nTo: x@y\r\ncontent-type: text/html\r\n";
    assert_eq!(sent(&keep(), header), (format!("{header}MIME-Version: 1.0\r\n"), vec![Rule::MimeVersion]));
}

/// A fix-up, and how it is switched off.
type Switch = (Rule, fn(&mut Fixups));

#[test]
fn every_fixup_has_its_switch() {
    let broken = "Return-Path: <x@y>\r\nFrom: p@nas <p@nas>\r\nTo:\r\nBcc: x@y\r\nContent-Type: text/html\r\nSubject: \u{fc}\r\nSubject: x\r\n";
    let (_, all) = sent(&keep(), broken);
    let switches: [Switch; 7] = [
        (Rule::ReturnPath, |fixups| fixups.return_path = false),
        (Rule::Bcc, |fixups| fixups.bcc = false),
        (Rule::Duplicates, |fixups| fixups.duplicates = false),
        (Rule::BrokenFrom, |fixups| fixups.broken_from = false),
        (Rule::EncodedWords, |fixups| fixups.encoded_words = false),
        (Rule::MimeVersion, |fixups| fixups.mime_version = false),
        (Rule::Undisclosed, |fixups| fixups.undisclosed = false),
    ];
    assert_eq!(all, switches.map(|(rule, _)| rule));
    for (rule, switch) in switches {
        let mut fixups = Fixups::default();
        switch(&mut fixups);
        let (_, told) = sent(&Rules { fixups, ..keep() }, broken);
        assert!(!told.contains(&rule), "{rule:?}");
    }
    assert_eq!(sent(&Rules { fixups: Fixups::NONE, ..keep() }, broken), (broken.to_owned(), vec![]));
}

#[test]
fn minimal_received_tells_nothing_of_the_own_network() {
    let header = "Received: from scanner.lan ([192.168.1.5])\r\n\tby relay.lan (Posthouse) with ESMTPS id 0193-a\r\n\tfor <x@y>;\r\n\tSun, 22 Nov 2026 09:05:00 +0100\r\n\
                  Received: from a (10.0.0.1) by b.lan; Sun, 22 Nov 2026 09:04:00 +0100 (CET)\r\nReceived: from evil; host.lan\r\n\
                  From: a@b\r\nTo: x@y\r\n";
    assert_eq!(sent(&keep(), header), (header.to_owned(), vec![]));
    let minimal = Rules { received: Received::Minimal, ..keep() };
    let (edited, rules) = sent(&minimal, header);
    assert_eq!(
        edited,
        "Received: by localhost (Posthouse) with ESMTPS id 0193-a; Sun, 22 Nov 2026\r\n 09:05:00 +0100\r\n\
         Received: by localhost; Sun, 22 Nov 2026 09:04:00 +0100 (CET)\r\nReceived: by localhost;\r\nFrom: a@b\r\nTo: x@y\r\n"
    );
    assert_eq!(rules, [Rule::Received]);
    assert_eq!(sent(&minimal, &edited), (edited.clone(), vec![]));
}

#[test]
fn a_line_that_is_no_field_ends_what_is_changed() {
    let (header, _) = sent(&keep(), "From: a@b\r\nto whom it may concern\r\nBcc: x@y\r\n");
    assert_eq!(header, "From: a@b\r\nTo: undisclosed-recipients:;\r\nto whom it may concern\r\nBcc: x@y\r\n");
}
