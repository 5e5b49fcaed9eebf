//! The fields of a header block and where they stand, found by offsets.
//!
//! Nothing is copied and nothing is interpreted: a [`Field`] is a range of the octets that were given, so what is not
//! edited stays as it is. Read liberally: no blank is needed behind the colon, blanks before it are not part of the name,
//! and the `From ` line of a mailbox file is stepped over. A line that is neither a field nor the continuation of one ends
//! the header, as it does for most servers that will read it; what follows it is left alone. Keeps no list of fields, so
//! that a header of many small ones costs no memory.

use std::borrow::Cow;
use std::ops::Range;

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<'a> {
    /// All of it, its last line ending too.
    pub whole: Range<usize>,
    /// As it was written, without the blanks before the colon.
    pub name: &'a str,
    /// What stands behind the colon, folds and all, without the last line ending.
    pub value: &'a [u8],
}

impl<'a> Field<'a> {
    /// Whether this is its name, in any case (RFC 5322 §1.2.2).
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value on one line (RFC 5322 §2.2.3), without the blanks around it.
    #[must_use]
    pub fn unfolded(&self) -> Cow<'a, [u8]> {
        unfold(self.value)
    }
}

/// The value of a field on one line, without the blanks around it.
#[must_use]
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n')).collect())
}

/// A header block.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    octets: &'a [u8],
    end: usize,
}

impl<'a> Block<'a> {
    /// Reads a block, which may be cut off anywhere; what stands behind its empty line is not looked at.
    #[must_use]
    pub fn read(octets: &'a [u8]) -> Self {
        let mut lines = Lines { octets, at: 0 };
        while lines.item().is_some() {}
        Self { octets, end: lines.at }
    }

    /// What was given.
    #[must_use]
    pub fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// Behind the last field: there stands the empty line, a line that is no field, or nothing.
    #[must_use]
    pub fn end(&self) -> usize {
        self.end
    }

    /// From top to bottom.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        self.items().filter_map(|item| if let Item::Field(field) = item { Some(field) } else { None })
    }

    /// Those of this name.
    pub fn named<'n>(&self, name: &'n str) -> impl Iterator<Item = Field<'a>> + use<'a, 'n> {
        self.fields().filter(move |field| field.is(name))
    }

    /// The first of this name.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<Field<'a>> {
        self.named(name).next()
    }

    /// The `From ` lines of mailbox files, each with its line ending.
    pub fn mailbox_lines(&self) -> impl Iterator<Item = Range<usize>> + use<'a> {
        self.items().filter_map(|item| if let Item::MailboxLine(range) = item { Some(range) } else { None })
    }

    fn items(&self) -> impl Iterator<Item = Item<'a>> + use<'a> {
        let mut lines = Lines { octets: self.octets, at: 0 };
        std::iter::from_fn(move || lines.item())
    }
}

enum Item<'a> {
    Field(Field<'a>),
    MailboxLine(Range<usize>),
}

struct Lines<'a> {
    octets: &'a [u8],
    /// Where the next line begins.
    at: usize,
}

impl<'a> Lines<'a> {
    /// What begins here, or nothing if the header ends here.
    fn item(&mut self) -> Option<Item<'a>> {
        let start = self.at;
        let first = &self.octets[start..end_of_line(self.octets, start)];
        let colon = name_and_colon(first);
        if colon.is_none() && !is_mailbox_line(first) {
            return None;
        }
        self.at += first.len();
        while matches!(self.octets.get(self.at), Some(b' ' | b'\t')) {
            self.at = end_of_line(self.octets, self.at);
        }
        let whole = start..self.at;
        let Some((name, colon)) = colon else { return Some(Item::MailboxLine(whole)) };
        let lines = &self.octets[start + colon + 1..self.at];
        let value = lines.strip_suffix(b"\n").map_or(lines, |line| line.strip_suffix(b"\r").unwrap_or(line));
        Some(Item::Field(Field { whole, name, value }))
    }
}

/// Behind the line ending, or behind the last octet.
fn end_of_line(octets: &[u8], from: usize) -> usize {
    memchr::memchr(b'\n', &octets[from..]).map_or(octets.len(), |i| from + i + 1)
}

/// The name of the field this line begins, and where its colon is (RFC 5322 §3.6.8; blanks before it: §4.5).
fn name_and_colon(line: &[u8]) -> Option<(&str, usize)> {
    let colon = memchr::memchr(b':', line)?;
    let name = line[..colon].trim_ascii_end();
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    is_name.then(|| std::str::from_utf8(name).ok()).flatten().map(|name| (name, colon))
}

fn is_mailbox_line(line: &[u8]) -> bool {
    line.starts_with(b"From ") || line.starts_with(b">From ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(octets: &[u8]) -> Vec<(&str, String)> {
        let value = |field: &Field<'_>| String::from_utf8_lossy(field.value).into_owned();
        Block::read(octets).fields().map(|field| (field.name, value(&field))).collect()
    }

    #[test]
    fn fields_are_found_however_a_device_writes_them() {
        let block = b"From:\"a\r\n b\" <c@d>\r\nSUBJECT : x:y\r\nEmpty:\r\nTo:\t<e@f>\r\n\r\nCc: body\r\n";
        let fields = [("From", "\"a\r\n b\" <c@d>"), ("SUBJECT", " x:y"), ("Empty", ""), ("To", "\t<e@f>")];
        assert_eq!(seen(block), fields.map(|(name, value)| (name, value.to_owned())));
        let from = Block::read(block).first("from").unwrap();
        assert_eq!((from.whole.clone(), &*from.unfolded()), (0..20, b"\"a b\" <c@d>".as_slice()));
        assert_eq!(&block[Block::read(block).end()..], b"\r\nCc: body\r\n");
    }

    #[test]
    fn the_line_of_a_mailbox_file_is_no_field_and_hides_none() {
        let block = b"Received: x\r\nFrom root Mon Jan 1 10:00:00 2026\r\nFrom : a@b\r\n\r\n";
        assert_eq!(seen(block), [("Received", " x".to_owned()), ("From", " a@b".to_owned())]);
        let lines: Vec<_> = Block::read(block).mailbox_lines().map(|range| &block[range]).collect();
        assert_eq!(lines, [b"From root Mon Jan 1 10:00:00 2026\r\n"]);
    }

    #[test]
    fn a_line_that_is_no_field_ends_the_header() {
        for odd in ["no colon here\r\n", "two words: x\r\n", ": no name\r\n", "na\u{ef}ve: x\r\n"] {
            let block = format!("A: b\r\n{odd}From: c@d\r\n\r\n");
            assert_eq!(seen(block.as_bytes()), [("A", " b".to_owned())], "{odd}");
            assert_eq!(Block::read(block.as_bytes()).end(), 6, "{odd}");
        }
        // A continuation of nothing.
        assert_eq!(Block::read(b" x\r\nA: b\r\n").end(), 0);
    }

    #[test]
    fn a_block_may_be_cut_off_anywhere() {
        assert_eq!(seen(b"A: b\r\nC: d"), [("A", " b".to_owned()), ("C", " d".to_owned())]);
        assert_eq!(seen(b"A: b\r\nSubj"), [("A", " b".to_owned())]);
        assert_eq!(seen(b""), []);
    }

    proptest! {
        #[test]
        fn fields_and_mailbox_lines_are_all_there_is_before_the_end(
            block in proptest::collection::vec(prop_oneof![any::<u8>(), proptest::sample::select(b"a: \r\n".as_slice())], 0..200)
        ) {
            let read = Block::read(&block);
            let mut ranges: Vec<_> = read.fields().map(|field| field.whole).chain(read.mailbox_lines()).collect();
            ranges.sort_by_key(|range| range.start);
            let mut at = 0;
            for range in ranges {
                prop_assert_eq!(range.start, at);
                prop_assert!(range.end > at);
                at = range.end;
            }
            prop_assert_eq!(at, read.end());
        }
    }
}
