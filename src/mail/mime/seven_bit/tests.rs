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
        (part("Content-Type: text/plain; name=\u{fc}\n\nx"), NotSafe::Header),
        (part("Content-Transfer-Encoding: base64\n\n\u{fc}"), NotSafe::Encoded),
        (part("Content-Transfer-Encoding: x-other\n\n\u{fc}"), NotSafe::Encoded),
        (part("Content-Type: message/partial\n\n\u{fc}"), NotSafe::Nested("message/partial".into())),
        (part("no field\n\n\u{fc}"), NotSafe::Unclear(Trouble::NoField)),
        (format!("{}\u{fc}\n", part("\nx")), NotSafe::Between),
    ] {
        assert_eq!(made(&crlf(&message)).unwrap_err(), why, "{message}");
    }
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
}
