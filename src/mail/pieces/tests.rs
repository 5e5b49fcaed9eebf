//! Pieces come out as they should, however they are asked for.
//!
//! Guarantees, for any octets and any step: decoding gives them back, stored octets are untouched, lines keep their
//! limits, and the size is what comes out. Decoders are written here a second time, the obvious way.

use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;

/// All of it, so much at a time.
fn all(pieces: &[Piece], stored: &[u8], limit: usize) -> Vec<u8> {
    let (mut cursor, mut buffer, mut out) = (Cursor::new(pieces), vec![b'?'; 7], Vec::new());
    let mut read = reader(stored);
    loop {
        let more = cursor.fill(limit, &mut buffer, &mut read).unwrap();
        assert!(buffer.len() == limit || (!more && buffer.len() < limit), "only the last one is short");
        out.extend_from_slice(&buffer);
        if !more {
            return out;
        }
    }
}

fn reader(stored: &[u8]) -> impl FnMut(u64, &mut [u8]) -> Result<(), Infallible> {
    |offset, octets| {
        let offset = usize::try_from(offset).unwrap();
        octets.copy_from_slice(&stored[offset..offset + octets.len()]);
        Ok(())
    }
}

fn encoded(text: &[u8]) -> String {
    String::from_utf8(all(&[Piece::QuotedPrintable(0..text.len() as u64)], text, 1000)).unwrap()
}

/// What quoted-printable means, said the obvious way.
fn decoded(text: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match (octet, after) {
            (b'=', [b'\r', b'\n', after @ ..]) => rest = after,
            (b'=', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                rest = after;
            }
            _ => out.push(octet),
        }
    }
    out
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    let text = std::str::from_utf8(text).unwrap();
    text.split("\r\n").map(str::as_bytes).collect()
}

#[test]
fn text_stays_as_readable_as_it_can_be() {
    assert_eq!(encoded("Büro = office\r\n".as_bytes()), "B=C3=BCro =3D office\r\n");
    assert_eq!(encoded(b"blank \r\ntab\t\r\n  \r\n"), "blank=20\r\ntab=09\r\n =20\r\n");
    assert_eq!(encoded(b"no end "), "no end=20");
    assert_eq!(encoded(b".\r\n.x"), "=2E\r\n=2Ex");
    assert_eq!(encoded(b"a\rb\nc \r"), "a=0Db=0Ac =0D");
    assert_eq!(encoded(&[b'x'; 80]), format!("{}=\r\nxxxxx", "x".repeat(75)));
    assert_eq!(encoded(&[[b'x'; 75].as_slice(), b".y"].concat()), format!("{}=\r\n=2Ey", "x".repeat(75)));
    // What was no boundary in the text is none now.
    assert_eq!(encoded(&[[b'x'; 75].as_slice(), b"--b\r\n-"].concat()), format!("{}=\r\n=2D-b\r\n-", "x".repeat(75)));
}

#[test]
fn pieces_follow_each_other() {
    let stored = b"0123456789";
    let pieces = [
        Piece::Own(b"own ".to_vec()),
        Piece::Stored(2..5),
        Piece::Stored(5..5),
        Piece::Own(Vec::new()),
        Piece::Base64(0..3),
        Piece::Wrapped(vec![Piece::Own(b"a".to_vec()), Piece::Stored(1..3)]),
    ];
    assert_eq!(all(&pieces, stored, 3), b"own 234MDEyYTEy");
    assert_eq!(all(&[], stored, 3), b"");
}

#[test]
fn what_cannot_be_read_is_said() {
    let pieces = [Piece::Own(b"a".to_vec()), Piece::QuotedPrintable(0..10)];
    let fails = |_: u64, _: &mut [u8]| Err("gone");
    assert_eq!(Cursor::new(&pieces).fill(10, &mut Vec::new(), &mut fails.clone()), Err("gone"));
    assert_eq!(size(&pieces, &mut fails.clone()), Err("gone"));
}

#[test]
fn a_large_piece_is_read_in_small_steps() {
    let length = 1024 * 1024;
    let pieces = [Piece::Wrapped(vec![Piece::Stored(0..length), Piece::QuotedPrintable(0..length)])];
    let (mut largest, mut cursor, mut buffer) = (0, Cursor::new(&pieces), Vec::new());
    let mut read = |_: u64, octets: &mut [u8]| {
        largest = largest.max(octets.len());
        octets.fill(b'x');
        Ok::<(), Infallible>(())
    };
    while cursor.fill(65_536, &mut buffer, &mut read).unwrap() {}
    assert_eq!(largest, cursor::STEP);
    assert!(buffer.capacity() <= 2 * 65_536);
}

/// Octets in which what matters to an encoder is frequent.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let octet = prop_oneof![
        4 => Just(b'a'), 2 => Just(b' '), 1 => Just(b'\t'), 1 => Just(b'.'), 1 => Just(b'='), 2 => Just(b'\r'), 2 => Just(b'\n'),
        1 => any::<u8>()
    ];
    proptest::collection::vec(octet, 0..400)
}

proptest! {
    #[test]
    fn quoted_printable_gives_the_text_back(text in octets(), limit in 1usize..90) {
        let piece = [Piece::QuotedPrintable(0..text.len() as u64)];
        let out = all(&piece, &text, limit);
        prop_assert_eq!(decoded(&out), text.clone());
        for line in lines(&out) {
            prop_assert!(line.len() <= 76 && !line.starts_with(b"."), "{line:?}");
            prop_assert!(!line.ends_with(b" ") && !line.ends_with(b"\t"), "{line:?}");
            prop_assert!(line.iter().all(|c| (b' '..=b'~').contains(c) || *c == b'\t'), "{line:?}");
        }
        prop_assert_eq!(size(&piece, &mut reader(&text)).unwrap(), out.len() as u64);
    }

    #[test]
    fn base64_gives_the_octets_back(octets in octets(), limit in 1usize..90) {
        let piece = [Piece::Base64(0..octets.len() as u64)];
        let out = all(&piece, &octets, limit);
        prop_assert!(lines(&out).iter().all(|line| line.len() <= 76) && !out.ends_with(b"\r\n"));
        let joined: Vec<u8> = lines(&out).concat();
        prop_assert_eq!(STANDARD.decode(joined).unwrap(), octets.clone());
        prop_assert_eq!(size(&piece, &mut reader(&octets)).unwrap(), out.len() as u64);
    }

    #[test]
    fn what_is_wrapped_is_what_would_have_come_out(stored in octets(), limit in 1usize..200, cut in 0u64..400) {
        let end = stored.len() as u64;
        let cut = cut.min(end);
        let inner = vec![
            Piece::Stored(0..cut),
            Piece::Own(b"--\r\n".to_vec()),
            Piece::QuotedPrintable(cut..end),
            Piece::Wrapped(vec![Piece::Base64(0..end)]),
        ];
        let plain = all(&inner, &stored, 1000);
        prop_assert!(plain.starts_with(&stored[..usize::try_from(cut).unwrap()]));
        let wrapped = [Piece::Wrapped(inner)];
        let out = all(&wrapped, &stored, limit);
        prop_assert_eq!(STANDARD.decode(lines(&out).concat()).unwrap(), plain);
        prop_assert_eq!(size(&wrapped, &mut reader(&stored)).unwrap(), out.len() as u64);
    }

    #[test]
    fn encoders_do_not_see_where_they_were_cut(text in octets(), cut in 0usize..400) {
        let cut = cut.min(text.len());
        let (mut whole, mut parts) = (Vec::new(), Vec::new());
        let mut encoder = quoted_printable::Encoder::default();
        encoder.push(&text, &mut whole);
        encoder.finish(&mut whole);
        let mut encoder = quoted_printable::Encoder::default();
        encoder.push(&text[..cut], &mut parts);
        encoder.push(&text[cut..], &mut parts);
        encoder.finish(&mut parts);
        prop_assert_eq!(&parts, &whole);
        let (mut whole, mut parts) = (Vec::new(), Vec::new());
        let mut encoder = super::base64::Encoder::default();
        encoder.push(&text, &mut whole);
        encoder.finish(&mut whole);
        let mut encoder = super::base64::Encoder::default();
        encoder.push(&text[..cut], &mut parts);
        encoder.push(&text[cut..], &mut parts);
        encoder.finish(&mut parts);
        prop_assert_eq!(parts, whole);
    }
}
