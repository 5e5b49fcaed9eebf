//! What is found in messages of devices, and in what nobody should send.
//!
//! Guarantees exact places, that a cut changes nothing, and that memory and nesting have their bounds. Messages are
//! written with LF here and read with CRLF.

use proptest::prelude::*;

use super::*;
use crate::mail::header;

fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

/// All of it, in pieces of this size.
fn scanned(message: &[u8], step: usize) -> (Facts, Structure, Vec<Context>) {
    let body = header::end(message, 0).unwrap_or(message.len());
    let mut scanner = Scanner::with_structure(&message[..body]);
    let mut contexts = Vec::new();
    for chunk in message[body..].chunks(step) {
        contexts.push(scanner.context());
        scanner.push(chunk);
    }
    let (facts, structure, _) = scanner.finish();
    (facts, structure.unwrap(), contexts)
}

fn parts(text: &str) -> Vec<(String, String)> {
    let message = crlf(text);
    let of = |range: &Range<u64>| {
        String::from_utf8_lossy(&message[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()])
            .into_owned()
    };
    let parts = scanned(&message, 7).1.parts;
    parts.iter().map(|part| (format!("{}/{}", part.kind, part.subtype), of(&part.body))).collect()
}

fn one(kind: &str, body: &str) -> (String, String) {
    (kind.to_owned(), body.replace('\n', "\r\n"))
}

const SCAN: &str = "\
From:\"=?ISO-8859-1?B?S29waWVyZXI=?=\n =?ISO-8859-1?B?IDI=?=\" <copier@example.com>
To:<a@example.net>, \"B, C\" <b@example.net>
Subject: =?UTF-8?B?QsO8cm8=?=
Message-ID: <1@copier>
Content-Type: multipart/mixed;
 boundary=
 \"b 1\"

This is a mail of several parts.
--b 1
From: stray@example.com
Bcc: stray@example.com

see --b 1
--b 1x
--b 1
Content-Type: application/pdf; name=\"=?UTF-8?Q?B=C3=BCro.pdf?=\"
Content-Transfer-Encoding: base64

QUJD
REU=
--b 1-- \nthe end
";

#[test]
fn a_scan_is_found_as_it_was_put_together() {
    let found = parts(SCAN);
    let whole = SCAN.split_once("\n\n").unwrap().1;
    assert_eq!(
        found,
        [one("multipart/mixed", whole), one("text/plain", "see --b 1\n--b 1x"), one("application/pdf", "QUJD\nREU=")]
    );
    let (facts, structure, _) = scanned(&crlf(SCAN), 1000);
    assert_eq!((structure.trouble, structure.signature), (None, None));
    assert_eq!(facts.to.as_deref(), Some("<a@example.net>, \"B, C\" <b@example.net>"));
    assert!(facts.from.as_deref().unwrap().contains("Kopierer 2"), "{facts:?}");
    assert_eq!((facts.subject.as_deref(), facts.message_id.as_deref()), (Some("Büro"), Some("1@copier")));
    let shown: Vec<String> = facts.attachments.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["Büro.pdf (application/pdf, 5 octets)"]);
}

#[test]
fn an_outer_boundary_ends_what_is_open_within() {
    let text = "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/alternative; boundary=aa\n\n--aa\n\nx\n--aa\nContent-Type: text/html\n--a\n\ny\n--a--\n--a\nepilogue\n";
    let found = parts(text);
    assert_eq!(found[1].0, "multipart/alternative");
    assert_eq!(found[2..], [one("text/plain", "x"), one("text/html", ""), one("text/plain", "y")]);
    // Not closed: the end of the message closes all, and the last line ending is content.
    assert_eq!(parts("Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n")[1], one("text/plain", "x\n"));
    // Without content the line ending before the boundary is that of the header.
    assert_eq!(parts("Content-Type: multipart/mixed; boundary=a\n\n--a\n\n--a--\n")[1], one("text/plain", ""));
}

#[test]
fn a_message_within_is_one_attachment() {
    let text = "Content-Type: multipart/digest; boundary=a\n\n--a\n\nSubject: inner\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/png\n\nP\n--b--\n\n--a--\n";
    let found = parts(text);
    let kinds: Vec<&str> = found.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["multipart/digest", "message/rfc822", "multipart/mixed", "image/png"]);
    let facts = scanned(&crlf(text), 1000).0;
    assert_eq!(facts.attachments.len(), 1, "{facts:?}");
    assert_eq!((facts.attachments[0].media_type.as_str(), facts.subject), ("message/rfc822", None));
}

#[test]
fn what_is_covered_by_a_signature_is_known() {
    let text = "Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: multipart/signed; boundary=s; protocol=\"application/pgp-signature\"\n\npreamble\n--s\nContent-Type: text/plain\n\nx\n--s\nContent-Type: application/pgp-signature\n\ny\n--s--\n--m\nContent-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\nMII=\n--m--\n";
    let structure = scanned(&crlf(text), 1000).1;
    let signed: Vec<_> = structure.parts.iter().map(|part| (part.subtype.as_str(), part.signed)).collect();
    let expected =
        [("mixed", false), ("signed", false), ("plain", true), ("pgp-signature", true), ("pkcs7-mime", true)];
    assert_eq!(signed, expected);
    assert_eq!(structure.signature, Some(Signature::Pgp));
    let context = |text: &str| *scanned(&crlf(text), 1).2.last().unwrap();
    let begin = "Content-Type: multipart/signed; boundary=s\n\n";
    assert_eq!(context(&format!("{begin}p")), Context::Text);
    assert_eq!(context(&format!("{begin}--s\nX")), Context::Signed);
    assert_eq!(context(&format!("{begin}--s\n\nX")), Context::Signed);
    assert_eq!(context("DKIM-Signature: v=1\n\nX"), Context::Signed);
}

#[test]
fn a_line_is_known_for_what_it_is() {
    let context = |fields: &str| *scanned(&crlf(&format!("{fields}\n\nx")), 1).2.last().unwrap();
    for (fields, expected) in [
        ("A: b", Context::Text),
        ("Content-Transfer-Encoding: Base64 ", Context::Base64),
        ("Content-Transfer-Encoding: quoted-printable", Context::QuotedPrintable),
        ("Content-Type: image/png", Context::Opaque),
        ("Content-Transfer-Encoding: x-uuencode", Context::Opaque),
        ("Content-Type: multipart/mixed; boundary=b", Context::Text),
        ("Content-Type: message/rfc822", Context::Header),
    ] {
        assert_eq!(context(fields), expected, "{fields}");
    }
}

#[test]
fn eight_bit_is_found_where_it_is() {
    let text = "Content-Type: multipart/mixed; boundary=a\n\n--a\n\nB\u{fc}ro\n--a\nContent-Type: text/plain; name=\u{fc}\n\nx\n--a--\n\u{fc}\n";
    let utf8 = scanned(&crlf(text), 1).1.parts;
    let seen = |parts: &[Part]| {
        let of = |part: &Part| (part.eight_bit, part.eight_bit_header.is_some(), part.aside.len());
        parts.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(seen(&utf8), [(true, false, 1), (true, false, 0), (false, true, 0)]);
    assert_eq!(utf8[2].eight_bit_header.as_deref(), Some("Content-Type: text/plain; name=\u{fc}\r\n".as_bytes()));
    assert!(utf8[1].utf8);
    let latin1: Vec<u8> = crlf(text).into_iter().filter(|&octet| octet != 0xc3).collect();
    let latin1 = scanned(&latin1, 1).1.parts;
    assert_eq!(seen(&latin1), seen(&utf8));
    assert!(!latin1[1].utf8);
}

#[test]
fn nuls_hide_no_boundary() {
    let text = "Content-Type: multipart/mixed; boundary=a\n\n\0--a\0\nContent-T\0ype: image/png\n\nx\n--a\0--\n";
    assert_eq!(parts(text)[1], one("image/png", "x"));
    // Where the fields stand cannot be told then.
    assert_eq!(scanned(&crlf(text), 9).1.trouble, Some(Trouble::NoField));
}

#[test]
fn what_is_odd_is_said_and_the_rest_still_found() {
    let multipart =
        |part: &str| format!("Content-Type: multipart/mixed; boundary=a\n\n--a\n{part}\n--a\n\nlast\n--a--\n");
    let long = format!("X: {}\n\nx", "y".repeat(LARGEST_HEADER));
    for (part, trouble) in [
        ("no field\n\nx", Trouble::NoField),
        ("Content-Type: text/plain\nContent-Type: text/html\n\nx", Trouble::Twice),
        ("Content-Type: multipart/mixed\n\nx", Trouble::NoBoundary),
        ("Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\nx", Trouble::NoBoundary),
        (&long, Trouble::HeaderTooLarge),
    ] {
        let text = multipart(part);
        assert_eq!(scanned(&crlf(&text), 1000).1.trouble, Some(trouble), "{part:.50}");
        assert_eq!(parts(&text).last(), Some(&one("text/plain", "last")), "{part:.50}");
    }
}

#[test]
fn depth_and_number_of_parts_are_bounded() {
    let nested = (0..100).map(|i| format!("Content-Type: multipart/mixed; boundary=a{i}\n\n--a{i}\n"));
    let deep = nested.collect::<Vec<_>>().concat();
    let (_, structure, _) = scanned(&crlf(&deep), 1000);
    assert_eq!((structure.parts.len(), structure.trouble), (DEEPEST, Some(Trouble::TooDeep)));
    let messages = "Content-Type: message/rfc822\n\n".repeat(100);
    assert_eq!(scanned(&crlf(&messages), 1000).1.parts.len(), DEEPEST);
    let many = format!("Content-Type: multipart/mixed; boundary=a\n\n{}", "--a\nContent-Type: a/b\n\n".repeat(2000));
    let (facts, structure, _) = scanned(&crlf(&many), 1000);
    assert_eq!((structure.parts.len(), structure.trouble), (MOST_PARTS, Some(Trouble::TooManyParts)));
    assert_eq!(facts.attachments.len() + facts.more, MOST_PARTS - 1);
}

#[test]
fn a_line_without_end_is_not_hoarded() {
    let mut scanner = Scanner::new(b"Content-Type: multipart/mixed; boundary=a\r\n\r\n");
    scanner.push(b"--a\r\n\r\n--");
    for _ in 0..1000 {
        scanner.push(&[b'x'; 1000]);
    }
    assert!(scanner.line.looked_at.capacity() <= 2 * LOOKED_AT);
    scanner.push(b"\r\n--a\r\nX: ");
    for _ in 0..1000 {
        scanner.push(&[b'x'; 1000]);
    }
    let State::Header(gathered) = &scanner.state else { panic!("it is a header") };
    assert!(gathered.octets.capacity() <= 2 * LARGEST_HEADER);
}

#[test]
fn what_stands_beside_the_parts_is_found_if_it_holds_eight_bit() {
    let asides = |text: &str| {
        let message = crlf(text);
        let aside = scanned(&message, 3).1.parts.remove(0).aside;
        let octets = |range: Range<u64>| {
            message[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()].to_vec()
        };
        aside.into_iter().map(|range| String::from_utf8(octets(range)).unwrap()).collect::<Vec<_>>()
    };
    let text = |before: &str, behind: &str| {
        format!("Content-Type: multipart/mixed; boundary=a\n\n{before}\n--a\n\nB\u{fc}ro\n--a--\n{behind}\n")
    };
    assert_eq!(asides(&text("x", "x")), [""; 0]);
    assert_eq!(asides(&text("\u{fc}", "x")), ["\u{fc}\r\n"]);
    assert_eq!(asides(&text("x", "\u{fc}")), ["\u{fc}\r\n"]);
    assert_eq!(asides(&text("\u{fc}", "--a\n\u{fc}")), ["\u{fc}\r\n", "--a\r\n\u{fc}\r\n"]);
    // No part at all, and no end.
    assert_eq!(asides("Content-Type: multipart/mixed; boundary=a\n\n\u{fc}\n"), [""; 0]);
    assert_eq!(asides("Content-Type: multipart/mixed; boundary=a\n\n\u{fc}\n--a\n\n\u{fc}"), ["\u{fc}\r\n"]);
}

#[test]
fn headers_are_kept_only_for_who_asks_and_only_so_many() {
    let part = format!("--a\nX: {}\u{fc}\n\n", "x".repeat(60_000));
    let text = format!("Content-Type: multipart/mixed; boundary=a\n\n{}", part.repeat(10));
    let structure = scanned(&crlf(&text), 10_000).1;
    let headers = structure.parts.iter().filter_map(|part| part.eight_bit_header.as_ref());
    let kept: usize = headers.clone().map(Vec::len).sum();
    assert_eq!((headers.count(), structure.trouble), (10, Some(Trouble::HeadersTooLarge)));
    assert!((200_000..=MOST_KEPT).contains(&kept), "{kept}");
    // One that is too large itself is not taken for one of 7-bit.
    let large =
        format!("Content-Type: multipart/mixed; boundary=a\n\n--a\nX: \u{fc}{}\n\n", "x".repeat(LARGEST_HEADER));
    assert_eq!(scanned(&crlf(&large), 10_000).1.parts[1].eight_bit_header, Some(Vec::new()));

    let text = crlf(&text);
    let body = header::end(&text, 0).unwrap();
    let mut scanner = Scanner::new(&text[..body]);
    scanner.push(&text[body..]);
    let kept = scanner.open.iter().filter_map(|entity| entity.part(0, false).eight_bit_header);
    assert_eq!((kept.map(|header| header.len()).sum::<usize>(), scanner.found.trouble), (0, None));
}

/// Messages made of what matters.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let line = proptest::sample::select(vec![
        "--a",
        "--a--",
        "--b",
        "--b--",
        "--",
        "x --a",
        "",
        "text",
        "QUJD",
        "=C3=BC=",
        "\u{fc}",
        "Content-Type: multipart/mixed; boundary=a",
        "Content-Type: multipart/signed; boundary=b",
        "Content-Type: message/rfc822",
        "Content-Transfer-Encoding: base64",
        "Content-Transfer-Encoding: quoted-printable",
        " folded",
        "a\0b",
    ]);
    proptest::collection::vec(line, 0..40)
        .prop_map(|lines| crlf(&format!("Content-Type: multipart/mixed; boundary=a\n\n{}\n", lines.join("\n"))))
}

proptest! {
    #[test]
    fn cuts_change_nothing(message in messages(), step in 1usize..50) {
        let (facts, structure, _) = scanned(&message, step);
        let whole = scanned(&message, usize::MAX);
        prop_assert_eq!((facts, structure), (whole.0, whole.1));
    }

    #[test]
    fn places_are_within_the_message_and_follow_each_other(message in messages()) {
        let structure = scanned(&message, 1000).1;
        let mut before = 0;
        for part in &structure.parts {
            prop_assert!(before <= part.header.start && part.header.start <= part.header.end);
            prop_assert!(part.header.end <= part.body.start && part.body.start <= part.body.end);
            prop_assert!(part.body.end <= message.len() as u64);
            before = if part.nature == Nature::Leaf { part.body.end } else { part.body.start };
        }
    }

    #[test]
    fn no_octets_break_it(message in proptest::collection::vec(any::<u8>(), 0..300)) {
        scanned(&message, 13);
    }
}
