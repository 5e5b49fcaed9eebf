//! What is counted of the content of a part while it passes by.
//!
//! Guarantees that how the octets were cut makes no difference, and that nothing of them is kept but an unfinished
//! character. The decoded size is what a reader of the mail gets; of malformed content it is a good guess.

use super::part::Encoding;

/// The counts so far.
#[derive(Debug, Default)]
pub(super) struct Counter {
    eight_bit: bool,
    utf8: Utf8,
    /// Octets of all kinds.
    octets: u64,
    /// Letters and digits of base64.
    digits: u64,
    quoted: Quoted,
}

impl Counter {
    /// Counts octets of a part with this encoding.
    pub(super) fn push(&mut self, octets: &[u8], encoding: Encoding) {
        if !octets.is_ascii() {
            self.eight_bit = true;
        }
        self.utf8.push(octets);
        self.octets += octets.len() as u64;
        match encoding {
            Encoding::Base64 => {
                let digits = octets.iter().filter(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/')).count();
                self.digits += digits as u64;
            }
            Encoding::QuotedPrintable => octets.iter().for_each(|&octet| self.quoted.push(octet)),
            _ => {}
        }
    }

    /// Whether an octet above 127 occurs.
    pub(super) fn is_eight_bit(&self) -> bool {
        self.eight_bit
    }

    /// Whether all of it is UTF-8.
    pub(super) fn is_utf8(&self) -> bool {
        self.utf8.is_whole()
    }

    /// Octets after decoding, without the line ending that belongs to the delimiter behind the part if there is one
    /// (RFC 2046 §5.1.1).
    pub(super) fn decoded(&self, encoding: Encoding, before_delimiter: bool) -> u64 {
        let ending = if before_delimiter { 2 } else { 0 };
        match encoding {
            Encoding::Base64 => self.digits * 3 / 4,
            Encoding::QuotedPrintable => self.quoted.octets + self.quoted.endings.saturating_sub(ending),
            _ => self.octets.saturating_sub(ending),
        }
    }
}

/// Quoted-printable, as far as its length matters.
#[derive(Debug, Default)]
struct Quoted {
    octets: u64,
    /// CR and LF since the last other octet.
    endings: u64,
    state: QuotedState,
}

#[derive(Debug, Default, Clone, Copy)]
enum QuotedState {
    #[default]
    Text,
    Equals,
    FirstDigit,
    SoftCr,
}

impl Quoted {
    fn push(&mut self, octet: u8) {
        use QuotedState::{Equals, FirstDigit, SoftCr, Text};
        self.state = match (self.state, octet) {
            (Equals, b'\r') => SoftCr,
            (Equals | SoftCr, b'\n') => Text,
            (Equals, _) if octet.is_ascii_hexdigit() => FirstDigit,
            (_, b'=') => Equals,
            (_, b'\r' | b'\n') => {
                self.endings += 1;
                Text
            }
            _ => {
                self.octets += 1 + std::mem::take(&mut self.endings);
                Text
            }
        };
    }
}

/// Whether octets are UTF-8, as they come.
#[derive(Debug)]
enum Utf8 {
    /// So far; these are the first octets of a character.
    SoFar {
        character: [u8; 4],
        known: usize,
    },
    Not,
}

impl Default for Utf8 {
    fn default() -> Self {
        Self::SoFar { character: [0; 4], known: 0 }
    }
}

impl Utf8 {
    fn push(&mut self, mut octets: &[u8]) {
        while let Self::SoFar { character, known } = self
            && let Some((&octet, rest)) = octets.split_first()
        {
            if *known == 0 {
                match std::str::from_utf8(octets) {
                    Ok(_) => return,
                    Err(error) if error.error_len().is_some() => *self = Self::Not,
                    Err(error) => {
                        let tail = &octets[error.valid_up_to()..];
                        character[..tail.len()].copy_from_slice(tail);
                        *known = tail.len();
                        return;
                    }
                }
                continue;
            }
            // Three octets at most are an unfinished character: there is room for a fourth.
            character[*known] = octet;
            *known += 1;
            octets = rest;
            match std::str::from_utf8(&character[..*known]) {
                Ok(_) => *known = 0,
                Err(error) if error.error_len().is_some() => *self = Self::Not,
                Err(_) => {}
            }
        }
    }

    fn is_whole(&self) -> bool {
        matches!(self, Self::SoFar { known: 0, .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counted(octets: &[u8], encoding: Encoding) -> Counter {
        let mut counter = Counter::default();
        counter.push(octets, encoding);
        counter
    }

    #[test]
    fn sizes_are_those_of_what_is_read() {
        for (text, encoding, size) in [
            ("QUJD\r\nREU=\r\n", Encoding::Base64, 5),
            ("B=C3=BCro=\r\n!\r\n", Encoding::QuotedPrintable, 6),
            ("a\r\n\r\nb\r\n", Encoding::QuotedPrintable, 6),
            ("abc\r\n", Encoding::SevenBit, 3),
            ("", Encoding::SevenBit, 0),
        ] {
            assert_eq!(counted(text.as_bytes(), encoding).decoded(encoding, true), size, "{text:?}");
        }
        assert_eq!(counted(b"abc\r\n", Encoding::SevenBit).decoded(Encoding::SevenBit, false), 5);
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(text in any::<String>(), noise in proptest::collection::vec(any::<u8>(), 0..3), cut in 0usize..40) {
            let octets = [text.as_bytes(), &noise].concat();
            let cut = cut.min(octets.len());
            for encoding in [Encoding::SevenBit, Encoding::Base64, Encoding::QuotedPrintable] {
                let whole = counted(&octets, encoding);
                let mut parts = counted(&octets[..cut], encoding);
                parts.push(&octets[cut..], encoding);
                prop_assert_eq!(parts.is_utf8(), std::str::from_utf8(&octets).is_ok());
                prop_assert_eq!(parts.is_eight_bit(), !octets.is_ascii());
                prop_assert_eq!(parts.decoded(encoding, false), whole.decoded(encoding, false));
            }
        }
    }
}
