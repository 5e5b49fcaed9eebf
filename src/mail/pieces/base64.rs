//! Octets as base64 in lines of 76 (RFC 2045 §6.8), as they come.
//!
//! Guarantees that how the octets were cut makes no difference, and that there is a CRLF between two lines but none
//! behind the last: what stands there is its user's affair.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Octets that fill a line.
const LINE: usize = 57;

/// An encoder on its way.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    /// The line that is being filled: written once another octet is there or the end is known.
    line: Vec<u8>,
}

impl Encoder {
    /// Appends what can be said already.
    pub(super) fn push(&mut self, mut octets: &[u8], out: &mut Vec<u8>) {
        while !octets.is_empty() {
            if self.line.len() == LINE {
                self.flush(out);
                out.extend_from_slice(b"\r\n");
            }
            let (now, later) = octets.split_at(octets.len().min(LINE - self.line.len()));
            self.line.extend_from_slice(now);
            octets = later;
        }
    }

    /// Appends the rest.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        self.flush(out);
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        let mut text = [0; LINE / 3 * 4];
        // A line of 57 octets is 76 characters: it always fits.
        let written = STANDARD.encode_slice(&self.line, &mut text).unwrap_or(0);
        out.extend_from_slice(&text[..written]);
        self.line.clear();
    }
}

/// What so many octets become.
pub(super) fn size(octets: u64) -> u64 {
    let breaks = octets.div_ceil(LINE as u64).saturating_sub(1);
    octets.div_ceil(3) * 4 + breaks * 2
}
