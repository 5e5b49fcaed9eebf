//! The name that stands beside an address in a header: `"Scanner, 2nd floor" <scanner@example.com>`.
//!
//! A [`DisplayName`] is one line of at most [`LONGEST`] characters without control characters, so that nothing in it can
//! begin another header field (no injection is possible by type). Written out as atoms, as a quoted string (RFC 5322
//! §3.2), or as encoded words (RFC 2047) where it holds more than ASCII. An address is no name: receivers take such a
//! one for a forgery.

use std::fmt::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// In characters. Mail programs show far less.
pub const LONGEST: usize = 100;

/// Octets that fit into one encoded word of 75 characters (RFC 2047 §2), in base64.
const OCTETS_OF_A_WORD: usize = 45;

/// Why a text is not a display name. The text itself is not repeated: it may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DisplayNameError {
    #[error("the name is empty")]
    Empty,
    #[error("the name has {length} characters, and at most {LONGEST} fit")]
    TooLong { length: usize },
    #[error("there is a line ending in the name")]
    LineEnding,
    #[error("there is a control character in the name")]
    Control,
    #[error("there is an address in the name")]
    Address,
}

/// A name for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Reads a name as people write it, without the quotes of a header.
    ///
    /// # Errors
    /// When it cannot stand beside an address.
    pub fn parse(text: &str) -> Result<Self, DisplayNameError> {
        let text = text.trim_matches(' ');
        let length = text.chars().count();
        if length == 0 {
            return Err(DisplayNameError::Empty);
        }
        // The last two end a line as well (Unicode, UAX #14).
        if text.contains(['\r', '\n', '\u{2028}', '\u{2029}']) {
            return Err(DisplayNameError::LineEnding);
        }
        if text.contains(char::is_control) {
            return Err(DisplayNameError::Control);
        }
        if length > LONGEST {
            return Err(DisplayNameError::TooLong { length });
        }
        if text.split([' ', '<', '>', '"', '(', ')', ',', ';']).any(is_address) {
            return Err(DisplayNameError::Address);
        }
        Ok(Self(text.to_owned()))
    }

    /// As people write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `scanner@example.com`, but neither `@` nor `2 @ 3`.
fn is_address(word: &str) -> bool {
    word.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
}

/// As it stands in a header, folded where it is long.
impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What looks like an encoded word would be decoded, in quotes by many readers too.
        if !self.0.is_ascii() || self.0.contains("=?") {
            return encoded_words(f, &self.0);
        }
        if self.0.split(' ').all(|word| !word.is_empty() && word.bytes().all(is_atext)) {
            return f.write_str(&self.0);
        }
        f.write_char('"')?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}

/// RFC 5322 §3.2.3
fn is_atext(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet)
}

/// RFC 2047 §5: no character is torn apart, and what stands between two words is not shown.
fn encoded_words(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(OCTETS_OF_A_WORD));
        let separator = if after.is_empty() { "" } else { "\r\n " };
        write!(f, "=?UTF-8?B?{}?={separator}", STANDARD.encode(piece))?;
        rest = after;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        DisplayName::parse(text).unwrap().to_string()
    }

    #[test]
    fn a_name_is_written_as_plainly_as_it_can_be() {
        assert_eq!(written("Scanner 2"), "Scanner 2");
        assert_eq!(written("  Scanner "), "Scanner");
        assert_eq!(written("Scanner, 2nd floor"), "\"Scanner, 2nd floor\"");
        assert_eq!(written("Scanner  2"), "\"Scanner  2\"");
        assert_eq!(written(r#"The "new" one \o/"#), r#""The \"new\" one \\o/""#);
        assert_eq!(written("Büro"), "=?UTF-8?B?QsO8cm8=?=");
        assert_eq!(written("=?UTF-8?Q?boss?="), "=?UTF-8?B?PT9VVEYtOD9RP2Jvc3M/PQ==?=");
    }

    #[test]
    fn a_long_name_is_folded_between_characters() {
        let name = "ü".repeat(LONGEST);
        let lines: Vec<String> = written(&name).split("\r\n ").map(str::to_owned).collect();
        assert!(lines.len() > 1 && lines.iter().all(|line| line.len() <= 75), "{lines:?}");
        let words =
            lines.iter().map(|line| line.strip_prefix("=?UTF-8?B?").and_then(|l| l.strip_suffix("?=")).unwrap());
        let decoded: String = words.map(|word| String::from_utf8(STANDARD.decode(word).unwrap()).unwrap()).collect();
        assert_eq!(decoded, name);
    }

    #[test]
    fn what_is_no_name_is_refused_with_its_own_reason() {
        use DisplayNameError::{Address, Control, Empty, LineEnding, TooLong};
        let long = "n".repeat(LONGEST + 1);
        for (text, why) in [
            ("", Empty),
            ("  ", Empty),
            (long.as_str(), TooLong { length: 101 }),
            ("Scanner\r\nBcc: everybody@example.com", LineEnding),
            ("Scanner\u{2028}", LineEnding),
            ("Scan\tner", Control),
            ("Scanner\0", Control),
            ("Scanner <scanner@example.com>", Address),
            ("scanner@example.com", Address),
        ] {
            assert_eq!(DisplayName::parse(text), Err(why), "{text:?}");
        }
        assert!(DisplayName::parse("Scanner @ office").is_ok() && DisplayName::parse(&long[1..]).is_ok());
    }
}
