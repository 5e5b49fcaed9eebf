//! A field with raw text beyond ASCII, written so that every server takes it and every reader shows it.
//!
//! Free text and names become encoded words of UTF-8, comments too (RFC 2047 §5); parameters of `Content-` fields become
//! what RFC 2231 has for them. Addresses cannot be written otherwise and stay, and so do fields whose grammar is not known
//! here.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::block::Field;
use super::mailbox::name_of;
use super::parser::{self, Charset, utf8};
use super::token::{Token, tokens, unquoted};
use super::written::{Written, encoded_words};

/// RFC 5322 §3.6, and what asks for receipts.
const ADDRESSES: [&str; 14] = [
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "resent-from",
    "resent-sender",
    "resent-to",
    "resent-cc",
    "resent-bcc",
    "disposition-notification-to",
    "return-receipt-to",
    "errors-to",
];

/// RFC 2045 §5.1, RFC 2183 §2.
const PARAMETERS: [&str; 2] = ["content-type", "content-disposition"];

/// Where an encoded word would be taken for what it looks like.
const OTHER_STRUCTURED: [&str; 14] = [
    "received",
    "return-path",
    "date",
    "resent-date",
    "message-id",
    "resent-message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "content-transfer-encoding",
    "content-id",
    "content-location",
    "dkim-signature",
    "authentication-results",
];

/// A piece of a parameter that is longer than a line, octets (RFC 2231 §3).
const PIECE: usize = 55;

/// The field with less of it, or none; nothing where there is none or it cannot be made better. `charset` is what raw text
/// is in where it is not UTF-8.
#[must_use]
pub fn encoded(field: &Field<'_>, charset: &Charset) -> Option<Written> {
    let name = field.name.to_ascii_lowercase();
    if field.value.is_ascii() || OTHER_STRUCTURED.contains(&name.as_str()) || name.starts_with("arc-") {
        return None;
    }
    let value = field.unfolded();
    let text = utf8(&value, charset);
    let written = match name.as_str() {
        name if ADDRESSES.contains(&name) => Written::structured(field.name, &addresses(&text)),
        name if PARAMETERS.contains(&name) => Written::structured(field.name, &parameters(&text)),
        _ => Written::text(field.name, &text),
    };
    // What only has an address beyond ASCII cannot be made better.
    let better = written.octets().is_ascii() || non_ascii(written.octets()) < non_ascii(field.value);
    better.then_some(written)
}

fn non_ascii(octets: &[u8]) -> usize {
    octets.iter().filter(|octet| !octet.is_ascii()).count()
}

/// A field of addresses in which names and comments are ASCII.
fn addresses(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut phrase = Vec::new();
    for token in tokens(text) {
        match token {
            Token::Word(_) | Token::Quoted(_) | Token::Blank(_) => phrase.push(token),
            Token::Comment(_) | Token::Angle(_) | Token::Special(_) => {
                end_phrase(&mut out, &mut phrase);
                match token {
                    Token::Comment(comment) if !comment.is_ascii() => {
                        let _ = write!(out, "({})", encoded_words(&parser::text(unquoted(comment).as_bytes())));
                    }
                    other => out.push_str(other.as_str()),
                }
            }
        }
    }
    end_phrase(&mut out, &mut phrase);
    out
}

/// Writes the words that were gathered: as they are, or all of them encoded, with a blank on both sides (RFC 2047 §5).
fn end_phrase(out: &mut String, phrase: &mut Vec<Token<'_>>) {
    let is_address = phrase.iter().any(|token| matches!(token, Token::Word(word) if word.contains('@')));
    let is_ascii = phrase.iter().all(|token| token.as_str().is_ascii());
    match name_of(phrase.iter()) {
        Some(name) if !is_ascii && !is_address => {
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
            out.push_str(&encoded_words(&name));
            out.push(' ');
        }
        _ => phrase.iter().for_each(|token| out.push_str(token.as_str())),
    }
    phrase.clear();
}

/// A value with parameters in which those are ASCII.
fn parameters(text: &str) -> String {
    let mut segments: Vec<String> = vec![String::new()];
    for token in tokens(text) {
        match (token, segments.last_mut()) {
            (Token::Special(";"), _) => segments.push(String::new()),
            (token, Some(segment)) => segment.push_str(token.as_str()),
            (_, None) => {}
        }
    }
    let names = segments.iter().filter_map(|segment| Some(segment.split_once('=')?.0.split_once('*')?.0.trim()));
    let extended = names.map(str::to_ascii_lowercase).collect();
    let written: Vec<String> = segments.iter().map(|segment| parameter(segment.trim(), &extended)).collect();
    written.join("; ")
}

/// One parameter; `extended` are the names of those that are written after RFC 2231 already.
fn parameter(segment: &str, extended: &HashSet<String>) -> String {
    let pair = segment.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
    let Some((name, value)) = pair.filter(|(name, value)| is_token(name) && !value.is_ascii()) else {
        return segment.to_owned();
    };
    let value = if value.starts_with('"') && value.ends_with('"') { unquoted(value) } else { value.to_owned() };
    // Said both ways: readers take the other one (RFC 2231 §3, RFC 6266 §4.3), and it may be there only once.
    if extended.contains(&name.to_ascii_lowercase()) {
        let plain = value.replace(['"', '\\'], "_").replace(|c: char| !c.is_ascii(), "_");
        return format!("{name}=\"{plain}\"");
    }
    let mut pieces = vec![String::from("UTF-8''")];
    for c in value.chars() {
        let percent = percent_encoded(c);
        match pieces.last_mut().filter(|piece| piece.len() + percent.len() <= PIECE) {
            Some(piece) => piece.push_str(&percent),
            None => pieces.push(percent),
        }
    }
    if let [only] = pieces.as_slice() {
        return format!("{name}*={only}");
    }
    let numbered: Vec<String> = pieces.iter().enumerate().map(|(n, piece)| format!("{name}*{n}*={piece}")).collect();
    numbered.join("; ")
}

fn percent_encoded(c: char) -> String {
    if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+') {
        return c.to_string();
    }
    let mut octets = [0; 4];
    c.encode_utf8(&mut octets).bytes().fold(String::new(), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "%{octet:02X}");
        text
    })
}

/// A name of a parameter, not one that is written after RFC 2231 already.
fn is_token(name: &str) -> bool {
    (1..=40).contains(&name.len()) && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
}
