//! Where a line that is too long is broken.
//!
//! A header is folded, quoted-printable gets a soft break, base64 another line: a reader sees no difference. Text is cut
//! behind a blank, or where there is none between characters: a reader sees one more line. Guarantees that no octet is
//! lost, and that no line begins with a hyphen that was in the middle of one, because that could be a boundary.

use crate::mail::mime::scan::Context;

/// Octets of a line without its ending (RFC 5322 §2.1.1).
pub const LONGEST: usize = 998;

/// Characters of an encoded line (RFC 2045 §6.7, §6.8).
const LONGEST_ENCODED: usize = 76;

/// A place in a line, and what comes there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) at: usize,
    pub(super) between: &'static [u8],
}

/// How much of a line is content: without the line ending, or the CR that will be part of it.
pub(super) fn content(line: &[u8]) -> usize {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line).len()
}

/// How long a piece of a long line may be.
pub(super) fn most(context: Context) -> usize {
    match context {
        Context::Base64 | Context::QuotedPrintable => LONGEST_ENCODED,
        // A blank may come before it.
        Context::Header => LONGEST - 1,
        _ => LONGEST,
    }
}

/// Where to break a line that is longer than [`most`].
pub(super) fn cut(line: &[u8], context: Context) -> Cut {
    match context {
        Context::Header => header(line),
        Context::Base64 => Cut { at: LONGEST_ENCODED, between: b"\r\n" },
        Context::QuotedPrintable => Cut { at: quoted(line), between: b"=\r\n" },
        _ => Cut { at: text(line), between: b"\r\n" },
    }
}

/// Before a blank, with something visible on both sides (RFC 5322 §2.2.3, §3.2.2). Without a blank one has to come in:
/// behind a separator, or anywhere.
fn header(line: &[u8]) -> Cut {
    let most = most(Context::Header);
    let visible = line.iter().position(|octet| !is_blank(*octet)).unwrap_or(line.len());
    if let Some(at) = (visible + 1..most).rev().find(|&at| is_blank(line[at]) && !is_blank(line[at + 1])) {
        return Cut { at, between: b"\r\n" };
    }
    let separator = (visible + 1..=most).rev().find(|&at| matches!(line[at - 1], b',' | b';'));
    Cut { at: separator.unwrap_or_else(|| between_characters(line, most)), between: b"\r\n " }
}

/// Not inside an encoded octet, and with room for the `=`.
fn quoted(line: &[u8]) -> usize {
    let most = LONGEST_ENCODED - 1;
    let whole = |&at: &usize| line[at - 1] != b'=' && line[at - 2] != b'=';
    let good = |at: &usize| whole(at) && line[*at] != b'-';
    (most - 8..=most).rev().find(good).or_else(|| (most - 2..=most).rev().find(whole)).unwrap_or(most)
}

/// Behind the last blank.
fn text(line: &[u8]) -> usize {
    let behind_blank = |&at: &usize| is_blank(line[at - 1]) && line[at] != b'-';
    (1..=LONGEST).rev().find(behind_blank).unwrap_or_else(|| between_characters(line, LONGEST))
}

/// Not within a character of UTF-8.
fn between_characters(line: &[u8], most: usize) -> usize {
    let good = |&at: &usize| !(0x80..0xc0).contains(&line[at]) && line[at] != b'-';
    (most - 8..=most).rev().find(good).unwrap_or(most)
}

fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}
