//! Reading through what transport does to a text: line breaks, percent-encoding, JSON escapes; and printing it.
//!
//! Every octet that comes out knows which octets of the text it came from, so that what is found can be hidden where
//! it stood. An escape that is none is read as it stands. Base64 is not undone here: the search knows how a secret
//! looks in it.

use std::borrow::Cow;
use std::ops::Range;

/// How a text may have been escaped.
#[derive(Clone, Copy)]
pub enum Escapes {
    None,
    /// RFC 3986 §2.1, and `+` for a space.
    Percent,
    /// RFC 8259 §7.
    Json,
}

impl Escapes {
    pub const ALL: [Self; 3] = [Self::None, Self::Percent, Self::Json];

    /// Whether reading the text this way can differ from reading it as it is.
    pub fn are_in(self, text: &[u8]) -> bool {
        match self {
            Self::None => true,
            Self::Percent => memchr::memchr(b'%', text).is_some(),
            Self::Json => memchr::memchr(b'\\', text).is_some(),
        }
    }
}

/// A text without its line breaks, which may stand anywhere: in the middle of a secret, of an escape, of a blob.
pub struct Joined<'a> {
    pub octets: Cow<'a, [u8]>,
    /// Where each octet stood, if any was left out.
    origins: Vec<usize>,
}

impl<'a> Joined<'a> {
    pub fn lines(text: &'a [u8]) -> Self {
        if memchr::memchr2(b'\r', b'\n', text).is_none() {
            return Self { octets: Cow::Borrowed(text), origins: Vec::new() };
        }
        let mut octets = Vec::with_capacity(text.len());
        let mut origins = Vec::with_capacity(text.len());
        for (at, &octet) in text.iter().enumerate().filter(|(_, octet)| !is_line_break(**octet)) {
            octets.push(octet);
            origins.push(at);
        }
        Self { octets: Cow::Owned(octets), origins }
    }

    /// The range of the whole text for a range, not empty, of the joined one.
    pub fn source(&self, range: Range<usize>) -> Range<usize> {
        if self.origins.is_empty() { range } else { self.origins[range.start]..self.origins[range.end - 1] + 1 }
    }
}

/// One octet of meaning, and the octets of the text that say it.
pub struct Symbol {
    pub octet: u8,
    pub source: Range<usize>,
}

/// Takes escapes away, and line breaks that were escaped. Characters that differ only between encodings become one: `-`
/// and a space are `+`, `_` is `/` (RFC 4648 §5); what is searched for goes through the same.
pub fn read(text: &[u8], escapes: Escapes, mut say: impl FnMut(Symbol)) {
    let mut at = 0;
    while at < text.len() {
        let meaning = match (escapes, text[at]) {
            (Escapes::Percent, b'%') => percent(&text[at..]),
            (Escapes::Json, b'\\') => json(&text[at..]),
            _ => None,
        };
        if let Some((octets, length)) = meaning {
            for &octet in octets.iter().filter(|octet| !is_line_break(**octet)) {
                say(Symbol { octet: alike(octet), source: at..at + length });
            }
            at += length;
        } else {
            if !is_line_break(text[at]) {
                say(Symbol { octet: alike(text[at]), source: at..at + 1 });
            }
            at += 1;
        }
    }
}

fn alike(octet: u8) -> u8 {
    match octet {
        b'-' | b' ' => b'+',
        b'_' => b'/',
        other => other,
    }
}

/// What an escape stands for, and its length in the text.
type Escape<'a> = Option<(Cow<'a, [u8]>, usize)>;

fn percent(text: &[u8]) -> Escape<'_> {
    let octet = u8::try_from(hex(text.get(1..3)?)?).ok()?;
    Some((Cow::Owned(vec![octet]), 3))
}

fn json(text: &[u8]) -> Escape<'_> {
    let short: &'static [u8] = match text.get(1)? {
        b'"' => b"\"",
        b'\\' => b"\\",
        b'/' => b"/",
        b'b' => b"\x08",
        b'f' => b"\x0c",
        b'n' => b"\n",
        b'r' => b"\r",
        b't' => b"\t",
        b'u' => return unicode(text),
        _ => return None,
    };
    Some((Cow::Borrowed(short), 2))
}

/// `\uXXXX`, or two of them that form a surrogate pair.
fn unicode(text: &[u8]) -> Escape<'_> {
    let first = hex(text.get(2..6)?)?;
    let second = text.get(6..12).filter(|pair| pair.starts_with(b"\\u")).and_then(|pair| hex(&pair[2..]));
    let units = [first, second.unwrap_or(0)];
    let c = char::decode_utf16(units).next()?.ok()?;
    Some((Cow::Owned(c.to_string().into_bytes()), 6 * c.len_utf16()))
}

/// Two or four hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0, |value, &digit| {
        let digit = char::from(digit).to_digit(16).and_then(|digit| u16::try_from(digit).ok())?;
        Some(value << 4 | digit)
    })
}

fn is_line_break(octet: u8) -> bool {
    matches!(octet, b'\r' | b'\n')
}

/// Appends octets as printable text.
pub fn print(octets: &[u8], text: &mut String) {
    for chunk in octets.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = rest.find(is_odd) {
            text.push_str(&rest[..at]);
            let odd = rest[at..].chars().next().map_or(1, char::len_utf8);
            if !rest[at..].starts_with("\r\n") {
                text.push('?');
            }
            rest = &rest[at + odd..];
        }
        text.push_str(rest);
        if !chunk.invalid().is_empty() {
            text.push('?');
        }
    }
}

/// Direction marks and line separators count: they can make a log line say something else than it does.
fn is_odd(c: char) -> bool {
    match c {
        '\n' | ' '..='~' => false,
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        c => c.is_control(),
    }
}
