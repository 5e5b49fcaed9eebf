//! A field as the relay writes it: encoded where it must be, folded, and unable to be more than one field.
//!
//! Guarantees that a [`Written`] is one field for any name and value: line endings and other control characters become
//! blanks. Lines have at most 78 characters where there is a blank to fold at, and never more than 998 octets (RFC 5322
//! §2.1.1); unfolded, the value is what was given. Text beyond ASCII is written as encoded words of UTF-8 (RFC 2047).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// RFC 5322 §2.1.1, what a line should keep to, octets.
const GOOD_LINE: usize = 78;

/// A word is cut behind so many octets if there is no blank to fold at; less than the 998 of RFC 5322 §2.1.1.
const LONGEST_WORD: usize = 900;

/// RFC 2047 §2, a whole encoded word.
const LONGEST_ENCODED: usize = 75;

/// What an encoded word has around its text.
const AROUND: usize = "=?UTF-8?B?".len() + "?=".len();

/// One field with its line ending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written(Vec<u8>);

impl Written {
    /// A field whose value is written as it is, only folded: addresses, dates, tokens.
    #[must_use]
    pub fn structured(name: &str, value: &str) -> Self {
        Self(fold(name, &plain(value)))
    }

    /// A field of free text. Words that are ASCII stay, encoded words among them too.
    #[must_use]
    pub fn text(name: &str, text: &str) -> Self {
        Self(fold(name, &encode(&plain(text), name.len() + 2)))
    }

    /// Its octets.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

/// Text that may hold anything as one or more encoded words, for a phrase or a comment (RFC 2047 §5).
#[must_use]
pub fn encoded_words(text: &str) -> String {
    words(&plain(text), LONGEST_ENCODED).join(" ")
}

/// Whether the word is an encoded word, as far as one sees.
fn is_encoded_word(word: &str) -> bool {
    word.starts_with("=?") && word.ends_with("?=") && word.len() > 4
}

/// On one line, without control characters.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim_matches(' ').to_owned()
}

/// Encodes what needs it, word by word; the text begins at this column.
fn encode(text: &str, column: usize) -> String {
    let needs = |word: &str| !word.is_ascii() || word.len() > LONGEST_WORD;
    let mut rest: Vec<&str> = text.split(' ').rev().collect();
    let mut written: Vec<String> = Vec::new();
    while let Some(word) = rest.pop() {
        if !needs(word) {
            written.push(word.to_owned());
            continue;
        }
        // What stands between two encoded words is not shown: neighbours are encoded together with their blanks.
        let mut run = word.to_owned();
        while let Some(i) = rest.iter().rposition(|word| !word.is_empty()).filter(|&i| needs(rest[i])) {
            for word in rest.drain(i..).rev() {
                run.push(' ');
                run.push_str(word);
            }
        }
        if written.last().is_some_and(|before| is_encoded_word(before)) {
            run.insert(0, ' ');
        }
        if rest.last().is_some_and(|after| is_encoded_word(after)) {
            run.push(' ');
        }
        let first = if written.is_empty() { (LONGEST_ENCODED + 1).saturating_sub(column) } else { LONGEST_ENCODED };
        written.extend(words(&run, first));
    }
    written.join(" ")
}

/// The text as encoded words, no character torn apart, the first at most so long if that is possible at all.
fn words(text: &str, first: usize) -> Vec<String> {
    let mut words = Vec::new();
    let (mut rest, mut longest) = (text, first.clamp(AROUND + 8, LONGEST_ENCODED));
    while !rest.is_empty() {
        let octets = (longest - AROUND) / 4 * 3;
        // A character has at most 4 octets, and at least 6 fit.
        let (piece, after) = rest.split_at(rest.floor_char_boundary(octets));
        words.push(format!("=?UTF-8?B?{}?=", STANDARD.encode(piece)));
        (rest, longest) = (after, LONGEST_ENCODED);
    }
    words
}

/// RFC 5322 §2.2.3: lines are broken before blanks, which stay. No line is made of blanks alone.
fn fold(name: &str, value: &str) -> Vec<u8> {
    let mut field: String = name.chars().filter(|c| c.is_ascii_graphic() && *c != ':').collect();
    field.push(':');
    let mut column = field.len();
    let mut rest = format!(" {value}");
    rest.truncate(rest.trim_end_matches(' ').len());
    let mut rest = rest.as_str();
    let mut first = true;
    while !rest.is_empty() {
        let blanks = rest.len() - rest.trim_start_matches(' ').len();
        let end = rest[blanks..].find(' ').map_or(rest.len(), |i| blanks + i);
        let (mut piece, after) = rest.split_at(end);
        rest = after;
        if piece.len() > LONGEST_WORD {
            piece = &piece[blanks - 1..];
        }
        if !first && column + piece.len() > GOOD_LINE {
            field.push_str("\r\n");
            column = 0;
        }
        first = false;
        while piece.len() > LONGEST_WORD {
            let (line, after) = piece.split_at(piece.floor_char_boundary(LONGEST_WORD));
            field.push_str(line);
            field.push_str("\r\n ");
            piece = after;
            column = 1;
        }
        field.push_str(piece);
        column += piece.len();
    }
    field.push_str("\r\n");
    field.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::header::block::Block;
    use crate::mail::header::parser;
    use proptest::prelude::*;

    fn text(value: &str) -> String {
        String::from_utf8(Written::text("Subject", value).0).unwrap()
    }

    #[test]
    fn only_what_needs_it_is_encoded() {
        assert_eq!(text("Scan of page 2"), "Subject: Scan of page 2\r\n");
        assert_eq!(text("B\u{fc}ro on fire"), "Subject: =?UTF-8?B?QsO8cm8=?= on fire\r\n");
        // The blank between two encoded words is not shown, so it stands inside.
        assert_eq!(text("\u{e4} \u{f6} x"), "Subject: =?UTF-8?B?w6Qgw7Y=?= x\r\n");
        for shown in ["=?UTF-8?Q?a?= \u{fc} =?UTF-8?Q?b?=", "\u{fc}  \u{fc}", "a \u{fc} b \u{fc}  c"] {
            let value = text(shown);
            let expected = shown.replace("=?UTF-8?Q?a?=", "a").replace("=?UTF-8?Q?b?=", "b").replace("  c", " c");
            assert_eq!(parser::text(&value.as_bytes()[8..]), expected, "{value}");
        }
    }

    #[test]
    fn long_text_is_folded_and_none_of_it_lost() {
        for value in ["word ".repeat(60), "\u{fc}".repeat(300), "x".repeat(3000), format!("a{}b", " ".repeat(2000))] {
            let field = text(&value);
            assert!(field.lines().all(|line| line.len() <= 78), "{field}");
            let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(squeezed(&parser::text(&field.as_bytes()[8..])), squeezed(&value));
        }
        let long = Written::structured("X", &"y".repeat(3000));
        assert!(long.octets().split(|&c| c == b'\n').all(|line| line.len() <= 998));
    }

    #[test]
    fn nothing_in_a_value_begins_a_field() {
        assert_eq!(text("a\r\nBcc: x@y\0"), "Subject: a  Bcc: x@y\r\n");
        assert_eq!(Written::structured("X\r\nBcc:", "a\rb\n").octets(), b"XBcc: a b\r\n");
        assert_eq!(text(""), "Subject:\r\n");
    }

    proptest! {
        #[test]
        fn any_value_is_one_field_of_short_lines(value in "(\\PC|[ \u{fc}\r\n=?]){0,400}", long in 0_usize..2000) {
            let value = value + &"z".repeat(long);
            for written in [Written::structured("X-Any", &value), Written::text("X-Any", &value)] {
                let octets = written.octets();
                let block = Block::read(octets);
                prop_assert_eq!(block.fields().count(), 1);
                prop_assert_eq!(block.end(), octets.len());
                for line in octets.split_inclusive(|&c| c == b'\n') {
                    prop_assert!(line.len() <= 1000 && line.ends_with(b"\r\n"));
                    prop_assert!(!line.trim_ascii().is_empty());
                }
            }
            prop_assert!(Written::text("X-Any", &value).octets().is_ascii());
        }

        #[test]
        fn folding_is_undone_by_unfolding(value in "[!-~]{1,30}( {1,3}[!-~]{1,200}){0,20}") {
            let written = Written::structured("X-Any", &value);
            let field = Block::read(written.octets()).first("X-Any").unwrap();
            prop_assert_eq!(&*field.unfolded(), value.as_bytes());
            prop_assert!(written.octets().split(|&c| c == b'\n').all(|line| line.len() <= 210));
        }
    }
}
