//! The header of a message, read for what the relay must know and never rebuilt.
//!
//! [`block`] finds the fields and where they stand, [`parser`] tells what a value says, [`eight_bit`] writes it in ASCII, and
//! [`splice`] edits. Only the
//! header block is read: what stands in a MIME part is not a message header, whatever it looks like.

pub mod block;
pub mod eight_bit;
pub mod glance;
pub mod mailbox;
pub mod parser;
pub mod splice;
pub mod token;
pub mod usable;
pub mod written;

use block::Block;

/// Largest header block that is taken, octets.
pub const LIMIT: usize = 1024 * 1024;

/// What the relay must know of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is one fact about a header, independent of the others")]
pub struct Header {
    /// `Received:` fields; a loop shows in their number (RFC 5321 §6.3).
    pub received: usize,
    /// `From:` fields; more than one is refused (RFC 5322 §3.6).
    pub from: usize,
    /// There is a `Date:` that stays: one that can be read, or any where the mail is signed with DKIM.
    pub has_date: bool,
    /// There is a `Message-ID:` that stays, in the same way.
    pub has_message_id: bool,
    /// The first line is a field. If not, the message has no header at all and its first line is text.
    pub begins_with_field: bool,
    /// An octet above 127 stands in it.
    pub eight_bit: bool,
}

/// Where the header block ends: behind its empty line, or `None` if that has not come. Line endings are CRLF already.
/// `from` is where to begin looking; what stands before it was looked at before.
#[must_use]
pub fn end(content: &[u8], from: usize) -> Option<usize> {
    if content.starts_with(b"\r\n") {
        return Some(2);
    }
    let from = from.saturating_sub(3).min(content.len());
    memchr::memmem::find(&content[from..], b"\r\n\r\n").map(|i| from + i + 4)
}

/// Reads a header block.
#[must_use]
pub fn read(block: &[u8]) -> Header {
    let mut header = Header {
        received: 0,
        from: 0,
        has_date: false,
        has_message_id: false,
        begins_with_field: begins_with_field(block),
        eight_bit: !block.is_ascii(),
    };
    if !header.begins_with_field {
        return header;
    }
    // What a device signed is not the relay's to replace (RFC 6376 §5.4).
    let signed = Block::read(block).first("DKIM-Signature").is_some();
    for field in Block::read(block).fields() {
        match field.name.to_ascii_lowercase().as_str() {
            "received" => header.received += 1,
            "from" => header.from += 1,
            "date" => header.has_date |= signed || usable::date(field.value),
            "message-id" => header.has_message_id |= signed || usable::message_id(field.value),
            _ => {}
        }
    }
    header
}

/// RFC 5322 §2.2, and the `From ` line of a mailbox file that some programs leave in front.
fn begins_with_field(block: &[u8]) -> bool {
    let line = block.split(|&c| c == b'\r').next().unwrap_or_default();
    let Some(colon) = line.iter().position(|&c| c == b':') else { return line.starts_with(b"From ") };
    line.starts_with(b"From ") || (colon > 0 && line[..colon].trim_ascii_end().iter().all(u8::is_ascii_graphic))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_counted_in_any_spelling() {
        let header = read(b"received: a\r\nReceived: b;\r\n\tc\r\nFROM:\"=?ISO-8859-1?B?x?=\r\n =?y?=\" <copier@x>\r\nTo:<a@b>\r\nDATE: 22 Nov 2026 9:05\r\n\r\n");
        assert_eq!((header.received, header.from, header.has_date, header.has_message_id), (2, 1, true, false));
        assert!(header.begins_with_field && !header.eight_bit);
    }

    #[test]
    fn the_block_ends_at_the_empty_line_wherever_it_was_cut() {
        let content = b"A: b\r\n\r\nFrom: text\r\n\r\n";
        assert_eq!(end(content, 0), Some(8));
        assert_eq!(end(content, 7), Some(8));
        assert_eq!(end(b"\r\nbody", 0), Some(2));
        assert_eq!(end(b"A: b\r\n\r", 0), None);
    }

    #[test]
    fn a_message_without_header_is_known() {
        assert!(!read(b"\r\n").begins_with_field);
        assert!(!read(b"Hello, the UPS is on battery\r\n").begins_with_field);
        assert!(read(b"Subject : spaced\r\n\r\n").begins_with_field);
        assert!(read(b"From root Mon Jan 1\r\nSubject: x\r\n\r\n").begins_with_field);
    }

    #[test]
    fn a_header_that_ends_without_an_empty_line_is_read_as_well() {
        let header = read(b"From: a@b\r\nMessage-ID: <x>\r\n");
        assert_eq!((header.from, header.has_message_id), (1, true));
    }

    #[test]
    fn a_field_that_says_nothing_to_anybody_is_missing() {
        let has = |block: &[u8]| {
            let header = read(block);
            (header.has_date, header.has_message_id)
        };
        assert_eq!(has(b"Date: 22.11.26\r\nMessage-ID: 7\r\n\r\n"), (false, false));
        assert_eq!(has(b"Date:\r\nMessage-ID: <>\r\nDate: 22 Nov 26 9:05\r\nMessage-ID: <7>\r\n\r\n"), (true, true));
        // What was signed stays as it is; what is not there was not signed.
        let signed = b"Date: 22.11.26\r\nDKIM-Signature: v=1; h=from; b=x\r\n\r\n";
        assert_eq!(has(signed), (true, false));
    }

    proptest! {
        #[test]
        fn no_octets_break_it(block in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&block);
            let _ = end(&block, 5);
        }
    }
}
