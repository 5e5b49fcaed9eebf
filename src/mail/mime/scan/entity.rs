//! A part that has begun and not ended: the message itself, or one within it.
//!
//! Knows what it may hold, what is counted of its content, and which line would be its boundary. Does not look for the
//! beginning of lines: that is the scanner's affair.

use std::ops::Range;

use super::{Context, State};
use crate::mail::mime::counter::Counter;
use crate::mail::mime::head::Head;
use crate::mail::mime::part::{Encoding, Nature, Part, Trouble};

/// A part on its way.
#[derive(Debug)]
pub(super) struct Entity {
    pub(super) head: Head,
    pub(super) inner: Inner,
    pub(super) counter: Counter,
    /// See [`Part::eight_bit_header`].
    raw: Option<Vec<u8>>,
    /// See [`Part::aside`].
    aside: Vec<Range<u64>>,
    header: Range<u64>,
    body: u64,
    /// A signature covers all of it.
    signed: bool,
}

/// What is in it.
#[derive(Debug)]
pub(super) enum Inner {
    Leaf,
    Multipart { boundary: Box<[u8]>, place: Place },
    Message,
}

/// How far a multipart is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// Before its first boundary.
    Preamble,
    /// Behind that.
    Parts,
    /// Behind its last boundary, which ends here: it has no more.
    Epilogue(u64),
}

impl Inner {
    /// What this header announces, if there may be parts within.
    pub(super) fn of(head: &Head, deeper: bool) -> (Self, Option<Trouble>) {
        let multipart = head.content.kind == "multipart";
        if !multipart && !head.holds_message() {
            return (Self::Leaf, None);
        }
        if !deeper {
            return (Self::Leaf, Some(Trouble::TooDeep));
        }
        if !multipart {
            return (Self::Message, None);
        }
        // RFC 2045 §6.4 allows it no other encoding, and encoded it has no boundaries at the beginning of lines.
        match head.boundary().filter(|_| head.encoding.is_identity()) {
            Some(boundary) => (Self::Multipart { boundary: boundary.as_bytes().into(), place: Place::Preamble }, None),
            None => (Self::Leaf, Some(Trouble::NoBoundary)),
        }
    }

    pub(super) fn is_leaf(&self) -> bool {
        matches!(self, Self::Leaf)
    }
}

impl Entity {
    pub(super) fn new(
        head: Head,
        raw: Option<Vec<u8>>,
        header: Range<u64>,
        body: u64,
        inner: Inner,
        signed: bool,
    ) -> Self {
        Self { head, inner, counter: Counter::default(), raw, aside: Vec::new(), header, body, signed }
    }

    /// A boundary of it begins here.
    pub(super) fn delimit(&mut self, start: u64) {
        if let Inner::Multipart { place: place @ Place::Preamble, .. } = &mut self.inner {
            *place = Place::Parts;
            let preamble = std::mem::take(&mut self.counter);
            self.aside.extend(preamble.is_eight_bit().then_some(self.body..start));
        }
    }

    /// Its last boundary ends here.
    pub(super) fn close(&mut self, end: u64) {
        if let Inner::Multipart { place, .. } = &mut self.inner {
            *place = Place::Epilogue(end);
        }
    }

    /// Whether a line of two hyphens and this is a boundary of it, and the last one (RFC 2046 §5.1.1).
    pub(super) fn is_delimited_by(&self, rest: &[u8]) -> Option<bool> {
        let Inner::Multipart { boundary, place: Place::Preamble | Place::Parts } = &self.inner else {
            return None;
        };
        let rest = rest.strip_prefix(&**boundary)?;
        let blank = |octets: &[u8]| octets.iter().all(u8::is_ascii_whitespace);
        match rest.strip_prefix(b"--") {
            Some(rest) if blank(rest) => Some(true),
            _ => blank(rest).then_some(false),
        }
    }

    pub(super) fn is_digest(&self) -> bool {
        self.head.content.is("multipart", "digest")
    }

    /// Whether a signature covers the parts within.
    pub(super) fn signs(&self) -> bool {
        self.signed || matches!(self.inner, Inner::Multipart { .. }) && self.head.signature().is_some()
    }

    /// Whether a signature covers what is read in this state.
    pub(super) fn covers_what_is_within(&self, state: &State) -> bool {
        match state {
            State::Header(_) => self.signs(),
            State::Body => self.signed,
        }
    }

    /// What a line of its content is.
    pub(super) fn context(&self) -> Context {
        match (&self.inner, self.head.encoding) {
            (Inner::Multipart { .. }, _) => Context::Text,
            (_, Encoding::Base64) => Context::Base64,
            (_, Encoding::QuotedPrintable) => Context::QuotedPrintable,
            (_, Encoding::Other) => Context::Opaque,
            _ if matches!(self.head.content.kind.as_str(), "text" | "message" | "multipart") => Context::Text,
            _ => Context::Opaque,
        }
    }

    /// The size of its content, decoded.
    pub(super) fn decoded(&self, at_delimiter: bool) -> u64 {
        self.counter.decoded(self.head.encoding, at_delimiter)
    }

    /// What it was, now that it ends here.
    pub(super) fn part(&self, end: u64, at_delimiter: bool) -> Part {
        let Head { content, has_type, encoding, encoding_field, .. } = &self.head;
        // The line ending before a boundary belongs to the boundary; without any content it is that of the header.
        let end = if at_delimiter { end.saturating_sub(2) } else { end }.max(self.body);
        let (eight_bit, mut aside) = (self.counter.is_eight_bit(), self.aside.clone());
        if let Inner::Multipart { place: Place::Epilogue(start), .. } = self.inner {
            aside.extend(eight_bit.then_some(start.min(end)..end));
        }
        let in_message =
            |field: &Range<usize>| self.header.start + field.start as u64..self.header.start + field.end as u64;
        Part {
            kind: content.kind.clone(),
            subtype: content.subtype.clone(),
            charset: content.parameter("charset").map(str::to_owned),
            has_type: *has_type,
            encoding: *encoding,
            encoding_field: encoding_field.as_ref().map(in_message),
            header: self.header.clone(),
            body: self.body..end,
            nature: match self.inner {
                Inner::Leaf => Nature::Leaf,
                Inner::Multipart { .. } => Nature::Multipart,
                Inner::Message => Nature::Message,
            },
            eight_bit: eight_bit || !aside.is_empty(),
            eight_bit_header: self.raw.clone(),
            aside,
            utf8: self.counter.is_utf8(),
            signed: self.signed,
        }
    }
}
