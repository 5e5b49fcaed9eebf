//! What an account changes in a header, as stories: what a device wrote, what the provider gets, what the log says.

use super::*;
use crate::mail::header::mailbox;
use crate::mail::header::parser;
use crate::mail::sender::{Allowance, Policy, Settings};
use proptest::prelude::*;
use rule::{Line, RuleError};

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
    // devices.md, row 14
    let toshiba = "From:\"=?ISO-8859-1?B?QvxybyA=?=\r\n =?ISO-8859-1?B?Mg==?=\" <copier@example.com>\r\nTo:<x@y>\r\n";
    let (header, rules) = sent(&keep(), toshiba);
    assert_eq!(header, "From: =?UTF-8?B?QsO8cm8gMg==?= <copier@example.com>\r\nTo:<x@y>\r\n");
    assert_eq!(rules, [Rule::BrokenFrom]);
    let off = Rules { fixups: Fixups { broken_from: false, ..Fixups::default() }, ..keep() };
    assert_eq!(sent(&off, toshiba), (toshiba.to_owned(), vec![]));
}

#[test]
fn an_address_is_no_display_name() {
    // devices.md, row 15
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
    assert_eq!(
        header,
        "From: <office@example.com>\r\nReply-To: <p@nas>\r\nX-Original-From: p@nas <p@nas>\r\nTo: x@y\r\n"
    );
    assert_eq!(rules, [Rule::From, Rule::ReplyTo, Rule::OriginalFrom]);
    let path = ReversePath::try_from("p@nas".to_owned()).unwrap();
    let rewritten = rewrite(b"From: office@example.com\r\nTo: x@y\r\n\r\n", &path, &account(Policy::Fix), &[]);
    assert_eq!((rewritten.reverse_path.to_string().as_str(), rewritten.block), ("office@example.com", None));
    assert_eq!(rewritten.changes[0].to_string(), "envelope_sender: p@nas became office@example.com");
}

#[test]
fn a_mail_to_nobody_says_so() {
    let undisclosed = "From: a@b\r\nTo: undisclosed-recipients:;\r\n";
    for header in ["From: a@b\r\n", "From: a@b\r\nTo:\r\n", "From: a@b\r\nTo: <>\r\nTo: \r\n"] {
        assert_eq!(sent(&keep(), header), (undisclosed.to_owned(), vec![Rule::Undisclosed]), "{header}");
    }
    assert_eq!(sent(&keep(), "From: a@b\r\nTo:\r\nCc: c@d\r\n").0, "From: a@b\r\nCc: c@d\r\n");
    // devices.md, row 16
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

#[test]
fn every_fixup_has_its_switch() {
    let broken = "Return-Path: <x@y>\r\nFrom: p@nas <p@nas>\r\nTo:\r\nBcc: x@y\r\nContent-Type: text/html\r\nSubject: \u{fc}\r\n";
    let (_, all) = sent(&keep(), broken);
    let switches: [(Rule, fn(&mut Fixups)); 6] = [
        (Rule::ReturnPath, |fixups| fixups.return_path = false),
        (Rule::Bcc, |fixups| fixups.bcc = false),
        (Rule::BrokenFrom, |fixups| fixups.broken_from = false),
        (Rule::EncodedWords, |fixups| fixups.encoded_words = false),
        (Rule::MimeVersion, |fixups| fixups.mime_version = false),
        (Rule::Undisclosed, |fixups| fixups.undisclosed = false),
    ];
    assert_eq!(all, switches.map(|(rule, _)| rule));
    for (rule, switch) in switches {
        let mut fixups = Fixups { undisclosed: true, ..Fixups::default() };
        switch(&mut fixups);
        let (_, told) = sent(&Rules { fixups, ..keep() }, broken);
        assert!(!told.contains(&rule), "{rule:?}");
    }
    assert_eq!(sent(&Rules { fixups: Fixups::NONE, ..keep() }, broken), (broken.to_owned(), vec![]));
}

#[test]
fn raw_text_becomes_encoded_words_in_its_own_charset() {
    let to = b"From: a@b\r\nTo: x@y\r\n".as_slice();
    for (raw, charset) in [
        (b"Subject: B\xC3\xBCro".as_slice(), "koi8-r"),
        (b"Subject: B\xFCro", "windows-1252"),
        (b"Subject: B\x9Fro", "macintosh"),
    ] {
        let rules = Rules { charset: Charset::parse(charset).unwrap(), ..keep() };
        let header = [to, raw, b" on fire\r\n"].concat();
        assert_eq!(field(&rules, &header, "Subject"), b"=?UTF-8?B?QsO8cm8=?= on fire", "{charset}");
        assert!(!done(&rules, &header).0.needs_utf8);
    }
}

#[test]
fn names_and_comments_are_encoded_and_addresses_are_not() {
    let header = "From: a@b\r\nTo: B\u{fc}ro 2 <x@y>, \"M\u{fc}ller, A\"<c@d>, e@f (\u{e4}), Team \u{f6}:g@h;\r\n";
    let to = field(&keep(), header.as_bytes(), "To");
    assert!(to.is_ascii());
    let reading = mailbox::read(std::str::from_utf8(&to).unwrap());
    let seen: Vec<_> = reading.mailboxes.iter().map(|m| (m.name.as_deref(), m.address.as_deref().unwrap())).collect();
    assert_eq!(
        seen,
        [(Some("B\u{fc}ro 2"), "x@y"), (Some("M\u{fc}ller, A"), "c@d"), (Some("\u{e4}"), "e@f"), (None, "g@h")]
    );
    assert_eq!(reading.broken, None);
    let (rewritten, edited) = done(&keep(), "From: a@b\r\nTo: J\u{f6} <j\u{f6}rg@x.example>\r\n".as_bytes());
    assert_eq!(edited, "From: a@b\r\nTo: =?UTF-8?B?SsO2?= <j\u{f6}rg@x.example>\r\n".as_bytes());
    assert!(rewritten.needs_utf8);
    let path = ReversePath::try_from("j\u{f6}rg@x.example".to_owned()).unwrap();
    assert!(rewrite(b"From: a@b\r\nTo: x@y\r\n\r\n", &path, &keep(), &[]).needs_utf8);
}

#[test]
fn file_names_are_written_as_rfc_2231_has_them() {
    let long = "\u{fc}".repeat(40);
    let header = format!(
        "From: a@b\r\nTo: x@y\r\nMIME-Version: 1.0\r\nContent-Disposition: attachment; size=1;\r\n filename=\"B\u{fc}ro; 2.pdf\"\r\n\
         Content-Type: application/pdf; name={long}.pdf; x=y\r\n"
    );
    let disposition = field(&keep(), header.as_bytes(), "Content-Disposition");
    assert_eq!(disposition, b"attachment; size=1; filename*=UTF-8''B%C3%BCro%3B%202.pdf");
    let kind = field(&keep(), header.as_bytes(), "Content-Type");
    assert!(kind.is_ascii());
    let content = parser::content(&kind).unwrap();
    assert_eq!(content.parameter("name"), Some(format!("{long}.pdf").as_str()));
    assert_eq!(content.parameter("x"), Some("y"));
}

#[test]
fn fields_of_unknown_grammar_are_left_and_asked_smtputf8_for() {
    let header = "From: a@b\r\nTo: x@y\r\nMessage-ID: <\u{fc}@nas>\r\n";
    let (rewritten, edited) = done(&keep(), header.as_bytes());
    assert_eq!((edited.as_slice(), rewritten.needs_utf8), (header.as_bytes(), true));
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
fn the_administrators_rules_come_last() {
    let headers = vec![
        HeaderRule::add("X-Site", "Berlin, B\u{fc}ro").unwrap(),
        HeaderRule::set("Reply-To", "IT <it@example.com>").unwrap(),
        HeaderRule::remove("x-mailer").unwrap(),
        HeaderRule::add("Cc", "audit@example.com").unwrap(),
        HeaderRule::set("X-Priority", "3").unwrap(),
    ];
    let rules = Rules { headers, ..keep() };
    let (header, told) =
        sent(&rules, "From: a@b\r\nCc: c@d\r\nX-Mailer: 1\r\nReply-To: x@y\r\nX-MAILER: 2\r\nReply-To: z@y\r\n");
    assert_eq!(
        header,
        "From: a@b\r\nCc: c@d\r\nReply-To: IT <it@example.com>\r\nX-Site: Berlin, =?UTF-8?B?QsO8cm8=?=\r\nX-Priority: 3\r\n"
    );
    assert_eq!(told, [Rule::Header; 4]);
}

#[test]
fn a_rule_that_could_do_harm_does_not_exist() {
    for (name, value) in [
        ("Sub ject", "x"),
        ("X:", "x"),
        ("", "x"),
        ("X-\r\nBcc", "x"),
        ("From", "a@b"),
        ("content-type", "text/html"),
        ("Received", "x"),
        ("X-A", "a\r\nBcc: x@y"),
        ("X-A", ""),
        ("X-A", "a\u{2028}b"),
        ("Reply-To", "J\u{f6} <a@b>"),
    ] {
        assert!(HeaderRule::add(name, value).is_err() && HeaderRule::set(name, value).is_err(), "{name}: {value}");
    }
    assert_eq!(Line::parse(&"x".repeat(901)), Err(RuleError::TooLong(901)));
    let error = HeaderRule::remove("Sender").unwrap_err();
    assert_eq!(error.to_string(), "the field Sender cannot be changed by a rule: the sender policy decides about it");
}

#[test]
fn a_subject_gets_its_prefix_once() {
    let prefix = |text: &str| Rules { subject: Some(SubjectRule::Prefix(Line::parse(text).unwrap())), ..keep() };
    let subject = |rules: &Rules, raw: &str| {
        let header = format!("From: a@b\r\nTo: x@y\r\nSubject: {raw}\r\n");
        parser::text(&field(rules, header.as_bytes(), "Subject"))
    };
    for (text, raw, shown) in [
        ("[Scan]", "page 1", "[Scan] page 1"),
        ("[Scan]", "[Scan] page 1", "[Scan] page 1"),
        ("[Scan]", "=?UTF-8?Q?p=C3=A4ge?=", "[Scan] p\u{e4}ge"),
        ("B\u{fc}ro:", "=?UTF-8?Q?p=C3=A4ge?=", "B\u{fc}ro: p\u{e4}ge"),
        ("B\u{fc}ro:", "=?UTF-8?Q?B=C3=BCro:_1?=", "B\u{fc}ro: 1"),
        ("B\u{fc}ro:", "", "B\u{fc}ro:"),
    ] {
        assert_eq!(subject(&prefix(text), raw), shown);
    }
    let (header, rules) = sent(&prefix("[Scan]"), "From: a@b\r\nTo: x@y\r\n");
    assert_eq!((header.as_str(), rules), ("From: a@b\r\nTo: x@y\r\nSubject: [Scan]\r\n", vec![Rule::Subject]));
    let replaced = Rules { subject: Some(SubjectRule::Replace(Line::parse("Fax").unwrap())), ..keep() };
    assert_eq!(subject(&replaced, "anything"), "Fax");
}

const DKIM: &str = "DKIM-Signature: v=1; d=nas.example; bh=x; h=From : to:\r\n Subject:Reply-To; b=y\r\n";

#[test]
fn what_dkim_covers_is_left_by_fixups_and_told() {
    let header = format!("{DKIM}From: p@nas <p@nas>\r\nTo:\r\nSubject: \u{fc}\r\nX-Note: \u{fc}\r\nBcc: x@y\r\n");
    let rules = Rules {
        headers: vec![HeaderRule::remove("Subject").unwrap()],
        subject: Some(SubjectRule::Replace(Line::parse("Fax").unwrap())),
        ..keep()
    };
    let (edited, told) = sent(&rules, &header);
    assert_eq!(edited, format!("{DKIM}From: p@nas <p@nas>\r\nTo:\r\nSubject: \u{fc}\r\nX-Note: =?UTF-8?B?w7w=?=\r\n"));
    let skipped = told.iter().filter(|rule| **rule == Rule::Signature).count();
    // From, the raw subject, both rules about it, and To.
    assert_eq!((skipped, told.len()), (5, 7), "{told:?}");
}

#[test]
fn the_sender_policy_breaks_a_signature_and_says_so() {
    let (rewritten, edited) =
        done(&account(Policy::Fix), format!("{DKIM}From: s@nas.example\r\nTo: x@y\r\n").as_bytes());
    assert!(Block::read(&edited).first("From").unwrap().value.ends_with(b"<office@example.com>"));
    let last = rewritten.changes.last().unwrap();
    assert_eq!(
        last.to_string(),
        "signature: the DKIM signature of the mail no longer verifies, it covers from, reply-to"
    );
}

#[test]
fn a_signed_body_keeps_the_fields_it_is_read_by() {
    for kind in [
        "multipart/signed; protocol=\"application/pgp-signature\"; x=\"\u{fc}\"",
        "application/pkcs7-mime; smime-type=signed-data; name=\u{fc}.p7m",
    ] {
        let header = format!("From: p@x.example <p@x.example>\r\nTo: x@y\r\nContent-Type: {kind}\r\n");
        let (edited, told) = sent(&keep(), &header);
        assert_eq!(edited, format!("From: <p@x.example>\r\nTo: x@y\r\nContent-Type: {kind}\r\n"));
        assert_eq!(told, [Rule::BrokenFrom, Rule::Signature, Rule::Signature]);
    }
}

#[test]
fn a_line_that_is_no_field_ends_what_is_changed() {
    let (header, _) = sent(&keep(), "From: a@b\r\nto whom it may concern\r\nBcc: x@y\r\n");
    assert_eq!(header, "From: a@b\r\nTo: undisclosed-recipients:;\r\nto whom it may concern\r\nBcc: x@y\r\n");
}

/// All that an account can ask for.
fn everything(policy: Policy) -> Rules {
    Rules {
        received: Received::Minimal,
        headers: vec![
            HeaderRule::add("X-Site", "B\u{fc}ro").unwrap(),
            HeaderRule::set("X-Priority", "3").unwrap(),
            HeaderRule::remove("X-Mailer").unwrap(),
        ],
        subject: Some(SubjectRule::Prefix(Line::parse("[\u{fc}]").unwrap())),
        ..account(policy)
    }
}

/// Octets that are a header now and then.
fn block() -> impl Strategy<Value = Vec<u8>> {
    let name = proptest::sample::select(vec![
        "From",
        "to",
        "Cc",
        "Bcc",
        "SUBJECT",
        "Received",
        "Sender",
        "Reply-To",
        "Content-Type",
        "Return-Path",
        "X-Any",
        "X-Mailer",
        "DKIM-Signature",
        "Message-ID",
        "From ",
        "",
    ]);
    let octet = prop_oneof![4 => any::<u8>(), 6 => proptest::sample::select(b"ab@<>\"(),;:=? h\\".as_slice())];
    let line =
        (name, proptest::collection::vec(octet, 0..40), proptest::sample::select(vec!["\r\n", "\r\n ", "\n", ""]));
    proptest::collection::vec(line, 0..8).prop_map(|lines| {
        let one = |(name, value, end): (&str, Vec<u8>, &str)| [name.as_bytes(), b":", &value, end.as_bytes()].concat();
        [lines.into_iter().flat_map(one).collect::<Vec<u8>>(), b"\r\n".to_vec()].concat()
    })
}

proptest! {
    #[test]
    fn without_rules_any_octets_stay(block in proptest::collection::vec(any::<u8>(), 0..300)) {
        let rules = Rules { fixups: Fixups::NONE, ..keep() };
        let rewritten = rewrite(&block, &ReversePath::Null, &rules, &[]);
        prop_assert_eq!((rewritten.block, rewritten.changes), (None, vec![]));
    }

    #[test]
    fn whatever_is_asked_other_fields_stay_and_what_is_written_is_well_formed(block in block(), forced in any::<bool>()) {
        let rules = everything(if forced { Policy::Force } else { Policy::Fix });
        let rewritten = rewrite(&block, &ReversePath::Null, &rules, &[]);
        let edited = rewritten.block.unwrap_or_else(|| block.clone());
        let (before, after) = (Block::read(&block), Block::read(&edited));
        // Every field that goes out is one that came in, or short lines with proper endings.
        let came: std::collections::HashSet<&[u8]> = before.fields().map(|field| &block[field.whole]).collect();
        for field in after.fields() {
            let octets = &edited[field.whole.clone()];
            if !came.contains(octets) && !came.contains(octets.strip_suffix(b"\r\n").unwrap_or(octets)) {
                for line in octets.split_inclusive(|&octet| octet == b'\n') {
                    prop_assert!(line.len() <= 1000 && line.ends_with(b"\r\n"), "{:?}", line);
                    prop_assert!(!line[..line.len() - 2].contains(&b'\r'), "{:?}", line);
                }
            }
        }
        // Of fields that no rule is about, none is lost, changed or moved.
        let others = |block: &Block<'_>| block.named("Message-ID").map(|field| field.value.to_vec()).collect::<Vec<_>>();
        prop_assert_eq!(others(&before), others(&after));
        let count = |block: &Block<'_>| block.named("Received").count();
        prop_assert_eq!(count(&before), count(&after));
        prop_assert_eq!(&block[before.end()..], &edited[after.end()..]);
    }
}
