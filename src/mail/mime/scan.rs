//! Finding the parts of a message while it passes by, in pieces of any size.
//!
//! Guarantees: a boundary counts only at the beginning of a line and if nothing but blanks follows it; an outer boundary
//! ends all that is open within; where the pieces were cut makes no difference. Memory is bounded: a header of
//! [`LARGEST_HEADER`], [`DEEPEST`] open parts, [`MOST_PARTS`] in the list, [`MOST_KEPT`] of headers in it. What is beyond
//! is content like any other, and said as [`Trouble`]. NULs are read as if they were not there, because they will not be. Line endings are CRLF already.

mod entity;

use std::ops::Range;

use self::entity::{Entity, Inner};
use super::facts::Facts;
use super::head::Head;
use super::part::{Encoding, Nature, Part, Structure, Trouble};
use super::signature::Signature;
use crate::mail::header::block::Block;

/// The header of a part, octets.
pub const LARGEST_HEADER: usize = 64 * 1024;

/// Parts within parts.
pub const DEEPEST: usize = 20;

/// Parts in all.
pub const MOST_PARTS: usize = 1_000;

/// Headers of parts that are kept because 8-bit text is in them, octets of all of them.
pub const MOST_KEPT: usize = 256 * 1024;

/// Octets of a line that are looked at to see whether it is a boundary.
const LOOKED_AT: usize = 512;

/// What a line belongs to, known at its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// The header of a part.
    Header,
    /// Text as it is, or what stands between parts.
    Text,
    /// Base64.
    Base64,
    /// Quoted-printable.
    QuotedPrintable,
    /// Content that is not text and stands as it is.
    Opaque,
    /// What a signature covers.
    Signed,
}

/// A message that is passing by.
#[derive(Debug)]
pub struct Scanner {
    /// The offset of the next octet.
    at: u64,
    /// From the message itself to the innermost part.
    open: Vec<Entity>,
    state: State,
    line: Line,
    seen: usize,
    found: Found,
}

#[derive(Debug)]
enum State {
    Header(Gathered),
    Body,
}

/// The header of a part on its way.
#[derive(Debug)]
struct Gathered {
    /// Up to [`LARGEST_HEADER`], and not one of a larger header.
    octets: Vec<u8>,
    start: u64,
    /// Where the current line begins in them.
    line: usize,
    too_large: bool,
    /// An octet above 127 was in them.
    eight_bit: bool,
    /// Then what is found in them stands elsewhere in the message.
    had_nul: bool,
}

/// The line that is being read.
#[derive(Debug, Default)]
struct Line {
    start: u64,
    /// Its first octets, as long as it may still be a boundary or an empty line.
    looked_at: Vec<u8>,
    /// It cannot be one any more: what comes is content.
    plain: bool,
}

#[derive(Debug)]
struct Found {
    facts: Facts,
    trouble: Option<Trouble>,
    signature: Option<Signature>,
    dkim: bool,
    mime_version: bool,
    /// Only if somebody asked.
    parts: Option<Vec<Part>>,
    /// Octets of headers in them.
    kept: usize,
}

impl Scanner {
    /// Behind the header block, its empty line included.
    #[must_use]
    pub fn new(block: &[u8]) -> Self {
        let read = Block::read(block);
        let signature = Signature::of_message(&read);
        let found = Found {
            facts: Facts::of(&read),
            trouble: None,
            signature,
            dkim: signature.is_some(),
            mime_version: read.first("MIME-Version").is_some(),
            parts: None,
            kept: 0,
        };
        let mut scanner = Self {
            at: block.len() as u64,
            open: Vec::new(),
            state: State::Body,
            line: Line::default(),
            seen: 0,
            found,
        };
        // A message may end within its header.
        let has_empty_line = block == b"\r\n" || block.ends_with(b"\r\n\r\n");
        let fields = if has_empty_line { &block[..block.len() - 2] } else { block };
        scanner.enter(Head::read(fields, false), None, 0..fields.len() as u64, scanner.at);
        scanner.line.start = scanner.at;
        scanner
    }

    /// The same, which will also say where the parts stand.
    #[must_use]
    pub fn with_structure(block: &[u8]) -> Self {
        let mut scanner = Self::new(block);
        scanner.found.parts = Some(Vec::new());
        scanner
    }

    /// What the line that begins or goes on here belongs to.
    #[must_use]
    pub fn context(&self) -> Context {
        let innermost = self.open.last();
        if self.found.dkim || innermost.is_some_and(|entity| entity.covers_what_is_within(&self.state)) {
            return Context::Signed;
        }
        match (&self.state, innermost) {
            (State::Header(_), _) => Context::Header,
            (State::Body, Some(entity)) => entity.context(),
            (State::Body, None) => Context::Text,
        }
    }

    /// The next octets of the body.
    pub fn push(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |i| i + 1);
            self.push_of_one_line(&rest[..end]);
            rest = &rest[end..];
        }
    }

    /// The next octets of the body, of one line alone.
    pub fn push_of_one_line(&mut self, octets: &[u8]) {
        self.at += octets.len() as u64;
        if let State::Header(gathered) = &mut self.state {
            gathered.push(octets);
            self.line.look_at(octets);
        } else {
            self.push_of_body(octets);
        }
        if octets.ends_with(b"\n") {
            self.end_line();
        }
    }

    fn push_of_body(&mut self, octets: &[u8]) {
        let begins = self.line.looked_at.is_empty();
        if self.line.plain || begins && !matches!(octets, [b'-' | 0, ..]) {
            self.line.plain = true;
            self.count(octets);
            return;
        }
        let beyond = self.line.look_at(octets);
        let may_be_one = self.line.looked_at.iter().zip(b"--").all(|(is, should)| is == should);
        if !may_be_one || !beyond.is_empty() && self.delimiter().is_none() {
            self.line.plain = true;
            self.count_looked_at();
            self.count(beyond);
        }
    }

    /// The message has ended.
    #[must_use]
    pub fn finish(mut self) -> (Facts, Option<Structure>, Option<Signature>) {
        if self.line.start < self.at {
            self.end_line();
        }
        if let State::Header(_) = self.state {
            self.end_header(self.at, self.at);
        }
        while let Some(entity) = self.open.pop() {
            self.leave(&entity, self.at, false);
        }
        let Found { facts, trouble, signature, mime_version, parts, .. } = self.found;
        let structure = parts.map(|mut parts| {
            parts.sort_by_key(|part| (part.header.start, part.body.start));
            Structure { parts, trouble, mime_version, signature }
        });
        (facts, structure, signature)
    }

    fn end_line(&mut self) {
        let start = std::mem::replace(&mut self.line.start, self.at);
        let delimiter = if self.line.plain { None } else { self.delimiter() };
        let empty = matches!(self.line.looked_at.as_slice(), b"\r\n" | b"\n");
        match (delimiter, &mut self.state) {
            (Some((which, closes)), _) => self.delimit(which, closes, start),
            (None, State::Header(_)) if empty => self.end_header(start, self.at),
            (None, State::Header(gathered)) => gathered.line = gathered.octets.len(),
            (None, State::Body) => self.count_looked_at(),
        }
        self.line.looked_at.clear();
        self.line.plain = false;
    }

    /// Which open multipart the line belongs to, and whether it closes it; the innermost first.
    fn delimiter(&self) -> Option<(usize, bool)> {
        let rest = self.line.looked_at.strip_prefix(b"--")?;
        self.open.iter().enumerate().rev().find_map(|(i, entity)| Some((i, entity.is_delimited_by(rest)?)))
    }

    /// A boundary line that begins here.
    fn delimit(&mut self, which: usize, closes: bool, start: u64) {
        if let State::Header(gathered) = &mut self.state {
            gathered.octets.truncate(gathered.line);
            self.end_header(start, start);
        }
        while self.open.len() > which + 1
            && let Some(entity) = self.open.pop()
        {
            self.leave(&entity, start, true);
        }
        let full = self.seen >= MOST_PARTS;
        if full && !closes {
            self.found.trouble.get_or_insert(Trouble::TooManyParts);
        }
        self.state = State::Body;
        let Some(entity) = self.open.last_mut() else { return };
        entity.delimit(start);
        if closes || full {
            entity.close(self.at);
        } else {
            self.state = State::Header(Gathered::at(self.at));
        }
    }

    /// The header that is being read ends here, and the content begins there.
    fn end_header(&mut self, end: u64, body: u64) {
        let State::Header(mut gathered) = std::mem::replace(&mut self.state, State::Body) else { return };
        if end < body {
            gathered.octets.truncate(gathered.line);
        }
        let in_digest = self.open.last().is_some_and(Entity::is_digest);
        let head = if gathered.too_large { Head::unread() } else { Head::read(&gathered.octets, in_digest) };
        if gathered.had_nul {
            self.found.trouble.get_or_insert(Trouble::NoField);
        }
        let raw = gathered.eight_bit.then(|| self.found.keep(gathered.octets));
        self.enter(head, raw, gathered.start..end, body);
    }

    /// A part whose content begins here.
    fn enter(&mut self, head: Head, raw: Option<Vec<u8>>, header: Range<u64>, body: u64) {
        self.seen += 1;
        let signed = self.open.last().is_some_and(Entity::signs) || head.is_signed_object();
        self.found.signature = self.found.signature.or(head.signature());
        let (inner, trouble) = Inner::of(&head, self.open.len() + 1 < DEEPEST && self.seen < MOST_PARTS);
        self.found.trouble = self.found.trouble.or(head.trouble).or(trouble);
        if matches!(inner, Inner::Message) {
            self.state = State::Header(Gathered::at(body));
        }
        self.open.push(Entity::new(head, raw, header, body, inner, signed));
    }

    /// A part that ends here.
    fn leave(&mut self, entity: &Entity, end: u64, at_delimiter: bool) {
        let part = entity.part(end, at_delimiter);
        // What is in a message that was attached is not attached to this one.
        if !self.open.iter().any(|outer| matches!(outer.inner, Inner::Message)) {
            let length = part.body.end - part.body.start;
            let size = if part.nature == Nature::Leaf { entity.decoded(at_delimiter) } else { length };
            self.found.facts.add(&entity.head, part.nature, size);
        }
        if let Some(parts) = &mut self.found.parts {
            parts.push(part);
        }
    }

    /// The line is no boundary after all.
    fn count_looked_at(&mut self) {
        let octets = std::mem::take(&mut self.line.looked_at);
        self.count(&octets);
    }

    fn count(&mut self, octets: &[u8]) {
        if let Some(entity) = self.open.last_mut() {
            let encoding = if entity.inner.is_leaf() { entity.head.encoding } else { Encoding::SevenBit };
            entity.counter.push(octets, encoding);
        }
    }
}

impl Found {
    /// A header with 8-bit text in it, if somebody asked and there is room.
    fn keep(&mut self, octets: Vec<u8>) -> Vec<u8> {
        if self.parts.is_none() {
            return Vec::new();
        }
        self.kept += octets.len();
        if self.kept > MOST_KEPT {
            self.trouble.get_or_insert(Trouble::HeadersTooLarge);
            return Vec::new();
        }
        octets
    }
}

impl Gathered {
    fn at(start: u64) -> Self {
        Self { octets: Vec::new(), start, line: 0, too_large: false, eight_bit: false, had_nul: false }
    }

    fn push(&mut self, octets: &[u8]) {
        self.eight_bit |= !octets.is_ascii();
        if self.too_large || self.octets.len() + octets.len() > LARGEST_HEADER {
            self.too_large = true;
            self.octets = Vec::new();
            self.line = 0;
        } else {
            let before = self.octets.len();
            self.octets.extend(octets.iter().filter(|&&octet| octet != 0));
            self.had_nul |= self.octets.len() - before < octets.len();
        }
    }
}

impl Line {
    /// Keeps what there is room for, and gives back the rest.
    fn look_at<'o>(&mut self, octets: &'o [u8]) -> &'o [u8] {
        let (now, beyond) = octets.split_at(octets.len().min(LOOKED_AT - self.looked_at.len()));
        self.looked_at.extend(now.iter().filter(|&&octet| octet != 0));
        beyond
    }
}

#[cfg(test)]
mod tests;
