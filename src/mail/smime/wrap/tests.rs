//! Tests of signed messages: what went in comes out, and what is signed is what stands there.
//!
//! The stored message is a slice; what other programs make of the result is asked in `tests/real`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;

use super::*;
use crate::mail::pieces::Cursor;
use crate::mail::smime::samples::{self, Kind};

const BLOCK: &[u8] = b"Received: from a\r\n\tby b\r\nFrom: scanner@example.com\r\nMIME-Version: 1.0\r\n\
    content-type: multipart/mixed;\r\n boundary=\"x\"\r\nSubject: a scan\r\nContent-Transfer-Encoding : 7bit\r\n";

const STORED: &[u8] = b"--x\r\n\r\none\r\n--x--\r\n";

fn out(pieces: &[Piece]) -> Vec<u8> {
    let (mut cursor, mut all, mut buffer) = (Cursor::new(pieces), Vec::new(), Vec::new());
    let mut read = |offset: u64, octets: &mut [u8]| {
        let from = usize::try_from(offset).unwrap();
        octets.copy_from_slice(&STORED[from..from + octets.len()]);
        Ok::<(), std::convert::Infallible>(())
    };
    loop {
        buffer.clear();
        let more = cursor.fill(1000, &mut buffer, &mut read).unwrap();
        all.extend_from_slice(&buffer);
        if !more {
            return all;
        }
    }
}

fn entity(block: &[u8]) -> Entity {
    Entity::new(block, vec![Piece::Stored(0..STORED.len() as u64)])
}

fn digested(entity: &Entity, identity: &Identity) -> Digested {
    let mut digester = identity.digester();
    digester.update(&out(&entity.signed().collect::<Vec<_>>()));
    digester.finish()
}

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap()
}

fn now() -> Timestamp {
    "2026-11-22T10:20:30Z".parse().unwrap()
}

#[test]
fn what_says_what_the_body_is_goes_inside_and_all_else_stays_where_it_stood() {
    let entity = entity(BLOCK);
    let signed = out(&entity.signed().collect::<Vec<_>>());
    assert_eq!(
        text(&signed),
        "content-type: multipart/mixed;\r\n boundary=\"x\"\r\nContent-Transfer-Encoding : 7bit\r\n\r\n--x\r\n\r\none\r\n--x--\r\n"
    );
    assert_eq!(
        text(&entity.outside),
        "Received: from a\r\n\tby b\r\nFrom: scanner@example.com\r\nMIME-Version: 1.0\r\nSubject: a scan\r\n"
    );
}

#[test]
fn a_message_that_says_nothing_about_its_body_says_in_the_entity_what_it_is() {
    let entity = entity(b"From: a@b.example\r\nContent: not about the body\r\n\r\n");
    assert_eq!(text(&entity.header), "Content-Type: text/plain; charset=us-ascii\r\n\r\n");
    let sample = samples::sample(Kind::P256);
    let identity = sample.identity();
    let digested = digested(&entity, &identity);
    let block = entity.clear(&identity, &digested, now()).unwrap().block;
    assert!(text(&block).starts_with(
        "From: a@b.example\r\nContent: not about the body\r\nMIME-Version: 1.0\r\nContent-Type: multipart/signed;"
    ));
}

#[test]
fn a_clear_signed_message_holds_exactly_what_was_digested() {
    for (kind, micalg) in [(Kind::Rsa, "sha-256"), (Kind::P384, "sha-384"), (Kind::P521, "sha-512")] {
        let sample = samples::sample(kind);
        let identity = sample.identity();
        let entity = entity(BLOCK);
        let (digested, what) = (digested(&entity, &identity), out(&entity.signed().collect::<Vec<_>>()));
        let signed = entity.clear(&identity, &digested, now()).unwrap();
        let block = text(&signed.block);
        assert!(block.contains(&format!("\r\n micalg={micalg};\r\n")), "{block}");
        assert_eq!(block.matches("MIME-Version").count(), 1, "{block}");
        let boundary = block.rsplit_once("boundary=\"").unwrap().1.trim_end().trim_end_matches('"');
        let body = out(&signed.body);
        let parts: Vec<&str> = text(&body).split(&format!("--{boundary}")).collect();
        let [preamble, first, second, end] = &parts[..] else { panic!("{parts:?}") };
        assert!(preamble.ends_with("\r\n") && !preamble.starts_with("\r\n"));
        // RFC 2046 §5.1.1: one line ending before and one behind belong to the boundaries.
        assert_eq!(first.strip_prefix("\r\n").unwrap().strip_suffix("\r\n").unwrap().as_bytes(), what);
        assert_eq!(*end, "--\r\n");
        let (head, base64) = second.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("application/pkcs7-signature; name=\"smime.p7s\""), "{head}");
        assert!(base64.lines().all(|line| line.len() <= 76));
        let der = BASE64_STANDARD.decode(base64.replace("\r\n", "")).unwrap();
        assert!(memchr::memmem::find(&der, &digested.digest).is_some());
    }
}

#[test]
fn an_opaque_message_holds_exactly_what_was_digested() {
    let sample = samples::sample(Kind::P256);
    let identity = sample.identity();
    let entity = entity(BLOCK);
    let (digested, what) = (digested(&entity, &identity), out(&entity.signed().collect::<Vec<_>>()));
    let signed = entity.opaque(&identity, &digested, now()).unwrap();
    let block = text(&signed.block);
    assert!(block.contains("Content-Type: application/pkcs7-mime; smime-type=signed-data;\r\n name=\"smime.p7m\"\r\n"));
    assert_eq!(block.to_ascii_lowercase().matches("content-type").count(), 1, "{block}");
    let body = out(&signed.body);
    assert!(body.ends_with(b"\r\n") && text(&body).lines().all(|line| line.len() <= 76));
    let der = BASE64_STANDARD.decode(text(&body).replace("\r\n", "")).unwrap();
    assert!(memchr::memmem::find(&der, &what).is_some());
}

/// The boundary is the same at every attempt, and another one for every content.
#[test]
fn a_boundary_is_of_what_it_parts() {
    let sample = samples::sample(Kind::P256);
    let identity = sample.identity();
    let of = |block: &[u8]| boundary(&digested(&entity(block), &identity));
    assert_eq!(of(BLOCK), of(BLOCK));
    assert_ne!(of(BLOCK), of(b"Content-Type: text/plain\r\n"));
    assert!(of(BLOCK).len() <= 70);
}

proptest! {
    #[test]
    fn no_line_of_a_header_is_lost_or_changed(lines in prop::collection::vec("[ \t:A-Za-z-]{0,20}\r\n", 0..20)) {
        let block = lines.concat();
        let entity = Entity::new(block.as_bytes(), vec![]);
        let mut before: Vec<&str> = lines.iter().map(String::as_str).filter(|&line| line != "\r\n").collect();
        let made = "Content-Type: text/plain; charset=us-ascii\r\n";
        let kept = text(&entity.header).strip_suffix("\r\n").unwrap();
        let kept = kept.strip_prefix(made).unwrap_or(kept);
        let mut after: Vec<&str> = text(&entity.outside).split_inclusive('\n').chain(kept.split_inclusive('\n')).collect();
        before.sort_unstable();
        after.sort_unstable();
        prop_assert_eq!(before, after);
    }
}
