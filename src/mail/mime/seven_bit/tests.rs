//! 8-bit becomes 7-bit, and comes back.
//!
//! Guarantees that a reader of the encoded message gets every part as it was, and that a refusal says why. Messages are
//! written with LF here and read with CRLF.

use std::convert::Infallible;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;
use crate::mail::header;
use crate::mail::header::block::Field;
use crate::mail::header::parser::{self, utf8};
use crate::mail::mime::scan::Scanner;
use crate::mail::pieces::Cursor;

fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

fn structure(message: &[u8]) -> Structure {
    let body = header::end(message, 0).unwrap_or(message.len());
    let mut scanner = Scanner::with_structure(&message[..body]);
    scanner.push(&message[body..]);
    scanner.finish().1.unwrap()
}

/// The whole message, 7-bit.
fn made(message: &[u8]) -> Result<Vec<u8>, NotSafe> {
    let made = seven_bit(&structure(message), &Charset::default())?;
    let block = &message[..header::end(message, 0).unwrap_or(message.len())];
    let (mut out, mut cursor, mut buffer) =
        (made.fields.apply(block).unwrap_or(block.to_vec()), Cursor::new(&made.body), Vec::new());
    let mut read = |offset: u64, octets: &mut [u8]| {
        let offset = usize::try_from(offset).unwrap();
        octets.copy_from_slice(&message[offset..offset + octets.len()]);
        Ok::<(), Infallible>(())
    };
    while cursor.fill(1000, &mut buffer, &mut read).unwrap() {
        out.extend_from_slice(&buffer);
    }
    out.extend_from_slice(&buffer);
    Ok(out)
}

fn text(message: &[u8]) -> String {
    String::from_utf8(message.to_vec()).unwrap().replace("\r\n", "\n")
}

#[test]
fn a_body_without_mime_gets_all_it_needs() {
    let out = made(&crlf("Subject: x\n\nGr\u{fc}\u{df}e = 1 \n")).unwrap();
    assert_eq!(
        text(&out),
        "Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe =3D 1=20\n"
    );
    // Not UTF-8: then it is what the configuration says.
    let out = made(b"Subject: x\r\n\r\nGr\xfc\xdfe\r\n").unwrap();
    assert!(text(&out).contains("charset=windows-1252\n") && text(&out).ends_with("\n\nGr=FC=DFe\n"), "{}", text(&out));
}

#[test]
fn only_what_is_eight_bit_is_touched() {
    let message = crlf(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\npreamble\n--b\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\nX: y\n\n<p>\u{fc}\n--b\n\n\u{fc}\n--b\nContent-Type: image/png\n\n\u{fc}\n--b\nContent-Transfer-Encoding: binary\n\nascii  \n--b--\nepilogue\n",
    );
    assert_eq!(
        text(&made(&message).unwrap()),
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 7bit\n\npreamble\n--b\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\nX: y\n\n<p>=C3=BC\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n--b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\nw7w=\n--b\nContent-Transfer-Encoding: 7bit\n\nascii  \n--b--\nepilogue\n"
    );
}

#[test]
fn a_message_that_is_seven_bit_stays_as_it_is() {
    let message = crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\nno field\n\nx\n--b--\n");
    assert_eq!(made(&message).unwrap(), message);
    // What is signed keeps even its label.
    let message =
        crlf("Content-Type: multipart/signed; boundary=b\n\n--b\nContent-Transfer-Encoding: 8bit\n\nx\n--b--\n");
    assert_eq!(made(&message).unwrap(), message);
}

#[test]
fn a_file_that_is_all_of_a_message_ends_its_last_line() {
    let out = made(&crlf("MIME-Version: 1.0\nContent-Type: image/png\n\n\u{fc}\n")).unwrap();
    assert!(text(&out).ends_with("\nContent-Transfer-Encoding: base64\n\nw7wNCg==\n"), "{}", text(&out));
    // CR and LF do not end the lines of such text.
    let out = made(&crlf("Content-Type: text/plain; charset=UTF-16LE\n\n\u{fc}\n")).unwrap();
    assert!(text(&out).contains("\nContent-Transfer-Encoding: base64\n"), "{}", text(&out));
}

#[test]
fn what_is_not_safe_is_refused_with_the_reason() {
    let part = |part: &str| format!("Content-Type: multipart/mixed; boundary=b\n\n--b\n{part}\n--b--\n");
    for (message, why) in [
        (part("Content-Type: multipart/signed; boundary=s\n\n--s\n\n\u{fc}\n--s--"), NotSafe::Signed),
        (part("Content-Type: application/pkcs7-mime\n\n\u{fc}"), NotSafe::Signed),
        (part("Content-Type: multipart/signed; boundary=s\n\n--s\nX: \u{fc}\n\nx\n--s--"), NotSafe::Signed),
        (part("Content-ID: <\u{fc}@x>\n\nx"), NotSafe::Header),
        (part("Content-Type: text/pl\u{e4}in\n\nx"), NotSafe::Header),
        (part("Content-Type: message/rfc822\n\nFrom: J\u{f6}rg <j\u{f6}rg@x.example>\n\nx"), NotSafe::Header),
        (part(">From m\u{fc}ller\nContent-Type: text/plain\n\nx"), NotSafe::Header),
        (part(&format!("X: \u{fc}{}\n\nx", "x".repeat(70_000))), NotSafe::Unclear(Trouble::HeaderTooLarge)),
        (part("Content-Transfer-Encoding: base64\n\n\u{fc}"), NotSafe::Encoded),
        (part("Content-Transfer-Encoding: x-other\n\n\u{fc}"), NotSafe::Encoded),
        (part("Content-Type: message/partial\n\n\u{fc}"), NotSafe::Nested("message/partial".into())),
        (part("no field\n\n\u{fc}"), NotSafe::Unclear(Trouble::NoField)),
        ("Content-Type: multipart/mixed; boundary=b\n\n\u{fc}\n".to_owned(), NotSafe::NoPart),
    ] {
        assert_eq!(made(&crlf(&message)).unwrap_err(), why, "{message}");
    }
}

#[test]
fn raw_names_of_files_are_written_as_every_server_takes_them() {
    let message = crlf(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nX-First:  as it is \nContent-Type: application/pdf;\n name=\"B\u{fc}ro.pdf\"\nContent-Disposition: attachment; filename=\"B\u{fc}ro.pdf\"; size=3\nContent-Description: B\u{fc}ro\nContent-Transfer-Encoding: base64\n\nQUJD\n--b\nContent-Disposition: inline; filename=\u{fc}\nContent-Transfer-Encoding: 8bit (\u{fc})\n\n\u{fc}\n--b--\n",
    );
    let expected = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nX-First:  as it is \nContent-Type: application/pdf; name*=UTF-8''B%C3%BCro.pdf\nContent-Disposition: attachment; filename*=UTF-8''B%C3%BCro.pdf; size=3\nContent-Description: =?UTF-8?B?QsO8cm8=?=\nContent-Transfer-Encoding: base64\n\nQUJD\n--b\nContent-Disposition: inline; filename*=UTF-8''%C3%BC\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n--b--\n";
    assert_eq!(text(&made(&message).unwrap()), expected);
    // Not UTF-8: then it is what the configuration says.
    let latin1: Vec<u8> = text(&message).replace('\n', "\r\n").chars().map(|c| u8::try_from(c).unwrap()).collect();
    let expected = expected.replace("charset=utf-8", "charset=windows-1252").replace("\n=C3=BC\n", "\n=FC\n");
    assert_eq!(text(&made(&latin1).unwrap()), expected);
}

#[test]
fn what_no_reader_shows_goes_where_it_is_not_ascii() {
    let parts = "--b\nContent-Type: multipart/mixed; boundary=c\n\nascii\n--c\n\nx\n--c--\n\u{fc}\n--b--\n";
    let message = crlf(&format!("Content-Type: multipart/mixed; boundary=b\n\nMehrteilig, f\u{fc}r\n{parts}ascii\n"));
    let expected = crlf(&format!("Content-Type: multipart/mixed; boundary=b\n\n{parts}ascii\n").replace('\u{fc}', ""));
    assert_eq!(text(&made(&message).unwrap()), text(&expected));
}

#[test]
fn what_was_done_is_told() {
    let told = |text: &str| -> Vec<String> {
        let made = seven_bit(&structure(&crlf(text)), &Charset::default()).unwrap();
        made.changes.iter().map(ToString::to_string).collect()
    };
    let text = |before: &str, header: &str, body: &str| {
        let part = format!("--b\n{header}\n\n{body}\n");
        format!("Content-Type: multipart/mixed; boundary=b\n\n{before}\n{part}{part}--b--\n")
    };
    assert_eq!(told(&text("", "X: y", "z")), [""; 0]);
    assert_eq!(told(&text("", "X: y", "\u{fc}")), ["eight_bit_body: 8-bit text in the body was encoded"]);
    let header = "X-Device: \u{fc}\nContent-Disposition: inline; filename=\u{fc}";
    assert_eq!(told(&text("", header, "z")), ["encoded_words: in X-Device, Content-Disposition of a part"]);
    let aside = "eight_bit_body: 8-bit text before or behind the parts, which no reader shows, was taken out";
    assert_eq!(told(&text("\u{fc}", "X: y", "z")), [aside]);
}

/// A part as its reader gets it.
fn decoded(message: &[u8], part: &Part) -> Vec<u8> {
    let body = &message[usize::try_from(part.body.start).unwrap()..usize::try_from(part.body.end).unwrap()];
    let body = String::from_utf8_lossy(body).into_owned();
    match part.encoding {
        Encoding::Base64 => STANDARD.decode(body.replace("\r\n", "")).unwrap(),
        Encoding::QuotedPrintable => {
            let mut pieces = body.replace("=\r\n", "");
            for octet in 0..=255u8 {
                // Raw octets as characters of the same number, so that each stays one.
                pieces = pieces.replace(&format!("={octet:02X}"), &format!("\u{e000}{}\u{e001}", u32::from(octet)));
            }
            pieces
                .split('\u{e000}')
                .flat_map(|piece| match piece.split_once('\u{e001}') {
                    Some((number, rest)) => [vec![number.parse().unwrap()], rest.into()].concat(),
                    None => piece.into(),
                })
                .collect()
        }
        _ => message[usize::try_from(part.body.start).unwrap()..usize::try_from(part.body.end).unwrap()].to_vec(),
    }
}

proptest! {
    #[test]
    fn every_part_comes_back_as_it_was(contents in proptest::collection::vec(("[a-z=. \u{fc}\u{4e2d}\n]{0,120}", any::<bool>()), 1..5)) {
        let parts = contents.iter().map(|(content, is_text)| {
            let kind = if *is_text { "text/plain; charset=utf-8" } else { "application/x-data" };
            format!("--b\nContent-Type: {kind}\n\n{content}\n")
        });
        let message = crlf(&format!("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n{}--b--\n", parts.collect::<String>()));
        let out = made(&message).unwrap();
        prop_assert!(out.is_ascii());
        let (before, after) = (structure(&message), structure(&out));
        prop_assert_eq!(before.parts.len(), after.parts.len());
        for ((was, is), (content, _)) in before.parts.iter().zip(&after.parts).skip(1).zip(&contents) {
            prop_assert_eq!(decoded(&out, is), crlf(content));
            prop_assert_eq!(is.encoding == Encoding::SevenBit, !was.eight_bit);
        }
    }

    #[test]
    fn whatever_it_is_it_goes_out_as_the_same_parts_or_not_at_all(message in messages()) {
        let Ok(out) = made(&message) else { return Ok(()) };
        prop_assert!(out.is_ascii());
        let (before, after) = (structure(&message).parts, structure(&out).parts);
        prop_assert_eq!(before.len(), after.len());
        for (was, is) in before.iter().zip(&after) {
            prop_assert_eq!((&was.kind, &was.subtype, was.nature), (&is.kind, &is.subtype, is.nature));
            if was.nature == Nature::Leaf {
                let same = was.encoding.is_identity() == is.encoding.is_identity();
                let now = if same { octets(&out, &is.body).to_vec() } else { decoded(&out, is) };
                prop_assert_eq!(now, octets(&message, &was.body).to_vec());
            }
            let (before, after) = (octets(&message, &was.header), octets(&out, &is.header));
            prop_assert_eq!(fields(before).len(), fields(after).len());
            for (was, is) in fields(before).iter().zip(&fields(after)) {
                prop_assert_eq!((was.name, says(was)), (is.name, says(is)));
                prop_assert!(!was.value.is_ascii() || before[was.whole.clone()] == after[is.whole.clone()]);
            }
        }
    }
}

fn octets<'m>(message: &'m [u8], range: &Range<u64>) -> &'m [u8] {
    &message[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
}

/// The fields of a header that encoding the content does not add or replace.
fn fields(header: &[u8]) -> Vec<Field<'_>> {
    let added = |field: &Field<'_>| field.value.trim_ascii().starts_with(b"text/plain; charset=");
    let replaced = ["MIME-Version", "Content-Transfer-Encoding"];
    Block::read(header).fields().filter(|field| !replaced.contains(&field.name) && !added(field)).collect()
}

/// What its reader makes of it.
fn says(field: &Field<'_>) -> String {
    let text = utf8(&field.unfolded(), &Charset::default()).into_owned();
    match field.name {
        "Content-Disposition" | "Content-Type" => format!("{:?}", parser::content(text.as_bytes())),
        // Readers make one blank of several between words.
        _ => parser::text(text.as_bytes()).split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// Messages of several parts whose headers hold whatever devices write, and now and then any octets.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let fixed = proptest::sample::select(vec![
        "--a",
        "--a--",
        "--b",
        "Content-Type: multipart/mixed; boundary=b; name=\u{fc}",
        "Content-Type: multipart/signed; boundary=b",
        "Content-Type: message/rfc822",
        "Content-Type: application/pdf",
        "Content-Transfer-Encoding: 8bit",
        "Content-Transfer-Encoding: base64",
        "X-Ascii:  as it \t is ",
        "QUJD",
    ])
    .prop_map(|line| line.as_bytes().to_vec());
    let name = ("[a-z \u{fc}\u{e4}.;=%']{1,60}", any::<bool>()).prop_map(|(name, latin1)| {
        if latin1 { name.chars().map(|c| u8::try_from(c).unwrap()).collect() } else { name.into_bytes() }
    });
    let named = (name, any::<bool>()).prop_map(|(name, attached): (Vec<u8>, bool)| {
        if attached {
            [b"Content-Disposition: attachment; filename=\"".as_slice(), &name, b"\"; size=1"].concat()
        } else {
            [b"Content-Description: x".as_slice(), &name].concat()
        }
    });
    let any_octets = proptest::collection::vec(any::<u8>().prop_filter("one line", |c| !b"\r\n\0".contains(c)), 0..20);
    let line = prop_oneof![6 => fixed, 4 => named, 3 => Just(Vec::new()), 1 => any_octets];
    proptest::collection::vec(line, 0..25).prop_map(|lines| {
        let begin = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n";
        [begin.as_slice(), &lines.join(b"\r\n".as_slice()), b"\r\n"].concat()
    })
}
