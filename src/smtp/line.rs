//! Command lines: cut out of a stream of octets, bounded, whatever their ending.
//!
//! A line ends at LF; what stands before it (CR, and the NUL that telnet puts behind a CR) is cut off. Guarantees that
//! at most the limit given is kept of one line: a longer one is reported once, when its end has come, and the
//! dialogue stays in step. Does not know commands.

use std::fmt;

use memchr::memchr;

/// RFC 5321 §4.5.3.1.4: 512 with CRLF, and room for the parameters of SIZE (26), AUTH= (500) and SMTPUTF8 (10).
/// Generous on purpose: devices do not count.
pub const COMMAND_LIMIT: usize = 2048;

/// RFC 4954 §4: exchange lines of AUTH, octets of base64.
pub const EXCHANGE_LIMIT: usize = 12_288;

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    CrLf,
    /// CRLF behind the CR NUL that telnet makes of a CR.
    CrNulCrLf,
    /// A bare LF.
    Lf,
}

/// One line without its ending.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// The octets and how the line ended.
    Whole(Vec<u8>, LineEnd),
    /// Longer than the limit; the octets kept are its beginning.
    TooLong(Vec<u8>, LineEnd),
}

/// Octets that have arrived and not yet been cut into lines. They may be credentials, so `Debug` counts them only.
#[derive(Default)]
pub struct Lines {
    pending: Vec<u8>,
    /// Octets at the front of `pending` already handed out.
    taken: usize,
    /// Octets of the current line that were dropped because it is too long; the beginning stays in `pending`.
    dropped: usize,
    /// The last octet dropped, to tell CRLF from LF at the end of a line that is too long.
    last_dropped: u8,
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets", self.rest().len())
    }
}

impl Lines {
    /// Adds what arrived.
    pub fn push(&mut self, octets: &[u8]) {
        self.pending.extend_from_slice(octets);
    }

    /// What has arrived and not been handed out.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        &self.pending[self.taken..]
    }

    /// Octets of memory held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.pending.capacity()
    }

    /// Forgets all of it and gives the memory back.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Hands out everything that is left, for a body.
    #[must_use]
    pub fn take_rest(&mut self) -> Vec<u8> {
        let mut all = std::mem::take(&mut self.pending);
        all.drain(..self.taken);
        self.clear();
        all
    }

    /// The next line, if its end has arrived. The result does not depend on how the octets were cut.
    pub fn next(&mut self, limit: usize) -> Option<Line> {
        let Some(length) = memchr(b'\n', self.rest()) else {
            self.shorten(limit);
            return None;
        };
        let raw = &self.rest()[..length];
        let last = if self.dropped > 0 && length == limit { Some(self.last_dropped) } else { raw.last().copied() };
        let too_long = self.dropped > 0 || length > limit;
        let end = match last {
            // Of a line that is too long the octets before the last are not all here.
            Some(b'\r') if !too_long && raw.ends_with(b"\r\0\r") => LineEnd::CrNulCrLf,
            Some(b'\r') => LineEnd::CrLf,
            _ => LineEnd::Lf,
        };
        let kept = trim_end(&raw[..length.min(limit)]).to_vec();
        self.dropped = 0;
        self.taken += length + 1;
        if self.taken == self.pending.len() {
            self.clear();
        }
        Some(if too_long { Line::TooLong(kept, end) } else { Line::Whole(kept, end) })
    }

    /// Keeps the beginning of a line that is too long and drops the rest of what has come.
    fn shorten(&mut self, limit: usize) {
        if self.taken > 0 {
            self.pending.drain(..self.taken);
            self.taken = 0;
        }
        if self.pending.len() > limit {
            self.last_dropped = self.pending.last().copied().unwrap_or(0);
            self.dropped += self.pending.len() - limit;
            self.pending.truncate(limit);
        }
    }
}

/// Cuts off the CR, the NUL that telnet puts behind a CR, and white space.
fn trim_end(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., b'\r' | b'\0' | b' ' | b'\t'] = line {
        line = rest;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_ending_ends_a_line_and_is_told_apart() {
        let mut lines = Lines::default();
        lines.push(b"NOOP\r\nRSET\nQUIT \r\0\r\nHEL");
        assert_eq!(lines.next(64), Some(Line::Whole(b"NOOP".into(), LineEnd::CrLf)));
        assert_eq!(lines.next(64), Some(Line::Whole(b"RSET".into(), LineEnd::Lf)));
        assert_eq!(lines.next(64), Some(Line::Whole(b"QUIT".into(), LineEnd::CrNulCrLf)));
        assert_eq!(lines.next(64), None);
        assert_eq!(lines.rest(), b"HEL");
    }

    #[test]
    fn a_line_without_end_takes_no_more_memory_than_the_limit() {
        let mut lines = Lines::default();
        for _ in 0..1000 {
            lines.push(&[b'x'; 1000]);
            assert_eq!(lines.next(100), None);
            assert!(lines.pending.len() <= 100);
        }
        lines.push(b"\r\nNOOP\n");
        assert_eq!(lines.next(100), Some(Line::TooLong(vec![b'x'; 100], LineEnd::CrLf)));
        assert_eq!(lines.next(100), Some(Line::Whole(b"NOOP".into(), LineEnd::Lf)));
    }

    #[test]
    fn the_ending_of_a_line_that_is_too_long_does_not_depend_on_the_cut() {
        for cut in 0..15 {
            let (raw, mut lines) = (b"123456789\r\0\r\nx", Lines::default());
            lines.push(&raw[..cut]);
            let early = lines.next(8);
            lines.push(&raw[cut..]);
            assert_eq!(
                early.or_else(|| lines.next(8)),
                Some(Line::TooLong(b"12345678".into(), LineEnd::CrLf)),
                "{cut}"
            );
        }
    }

    #[test]
    fn debug_shows_none_of_the_octets() {
        let mut lines = Lines::default();
        lines.push(b"aHVudGVyMg==\r\n");
        assert_eq!(format!("{lines:?}"), "14 octets");
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(text in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'a'), Just(0u8)], 0..64), step in 1usize..9) {
            let all = |chunks: &mut dyn Iterator<Item = &[u8]>| {
                let (mut lines, mut found) = (Lines::default(), Vec::new());
                for chunk in chunks {
                    lines.push(chunk);
                    while let Some(line) = lines.next(8) {
                        found.push(line);
                    }
                }
                found
            };
            prop_assert_eq!(all(&mut std::iter::once(text.as_slice())), all(&mut text.chunks(step)));
        }
    }
}
