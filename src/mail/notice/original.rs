//! What comes back of the mail: all of it where that was asked for and is small, else its header.
//!
//! Guarantees seven-bit lines of at most 998 octets: what is not so by itself comes back as a header only, encoded.

use mail_builder::mime::MimePart;

use crate::mail::header;

/// Up to here a whole mail comes back, octets. A larger one is a scan that nobody wants twice in a mailbox; the header
/// says which it was.
pub const WHOLE_LIMIT: usize = 64 * 1024;

/// So much of a header comes back, octets.
pub const HEADER_LIMIT: usize = 16 * 1024;

/// What is there of the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Original<'a> {
    /// All of it, because the sender wants it back (`RET=FULL`).
    Whole(&'a [u8]),
    /// How it begins; only its header comes back.
    Start(&'a [u8]),
}

impl Original<'_> {
    /// Its header block; what is there of it.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        let (Self::Whole(octets) | Self::Start(octets)) = *self;
        &octets[..header::end(octets, 0).unwrap_or(octets.len())]
    }

    /// The third part; none where nothing of the mail could be read.
    pub(super) fn part(&self) -> Option<MimePart<'_>> {
        match *self {
            Self::Whole(octets) if octets.len() <= WHOLE_LIMIT && is_plain(octets) => {
                Some(MimePart::new("message/rfc822", octets).transfer_encoding("7bit"))
            }
            Self::Whole(_) | Self::Start(_) => {
                let header = whole_lines(self.header());
                // Without the empty line behind it.
                let header = if header.ends_with(b"\r\n\r\n") { &header[..header.len() - 2] } else { header };
                let part = MimePart::new("text/rfc822-headers", header);
                match header {
                    [] => None,
                    // Left as it is where that can be, so that everyone can read it.
                    plain if is_plain(plain) => Some(part.transfer_encoding("7bit")),
                    _ => Some(part),
                }
            }
        }
    }
}

/// Whether it can go over any line as it is (RFC 5321 §4.5.3.1.6, RFC 2045 §2.7).
fn is_plain(octets: &[u8]) -> bool {
    let short = |line: &[u8]| line.len() <= 999 && !line[..line.len() - 1].contains(&b'\r') && line.ends_with(b"\r");
    let lines = octets.strip_suffix(b"\n").map(|rest| rest.split(|&octet| octet == b'\n'));
    octets.iter().all(|octet| octet.is_ascii() && *octet != 0)
        && lines.is_some_and(|mut lines| lines.all(|line| !line.is_empty() && short(line)))
}

/// At most [`HEADER_LIMIT`] octets of a header block, cut behind a line.
fn whole_lines(header: &[u8]) -> &[u8] {
    let Some(cut) = header.get(..HEADER_LIMIT) else { return header };
    match memchr::memrchr(b'\n', cut) {
        Some(end) => &cut[..=end],
        None => cut,
    }
}
