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
    header: Range<u64>,
    body: u64,
    /// A signature covers all of it.
    signed: bool,
}

/// What is in it.
#[derive(Debug)]
pub(super) enum Inner {
    Leaf,
    /// Not open any more: behind its last boundary.
    Multipart {
        boundary: Box<[u8]>,
        is_open: bool,
    },
    Message,
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
            Some(boundary) => (Self::Multipart { boundary: boundary.as_bytes().into(), is_open: true }, None),
            None => (Self::Leaf, Some(Trouble::NoBoundary)),
        }
    }

    pub(super) fn is_leaf(&self) -> bool {
        matches!(self, Self::Leaf)
    }
}

impl Entity {
    pub(super) fn new(head: Head, header: Range<u64>, body: u64, inner: Inner, signed: bool) -> Self {
        Self { head, inner, counter: Counter::default(), header, body, signed }
    }

    /// Whether a line of two hyphens and this is a boundary of it, and the last one (RFC 2046 §5.1.1).
    pub(super) fn is_delimited_by(&self, rest: &[u8]) -> Option<bool> {
        let Inner::Multipart { boundary, is_open: true, .. } = &self.inner else { return None };
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
        let Head { content, has_type, encoding, encoding_field, eight_bit, .. } = &self.head;
        // The line ending before a boundary belongs to the boundary; without any content it is that of the header.
        let end = if at_delimiter { end.saturating_sub(2) } else { end }.max(self.body);
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
            eight_bit: self.counter.is_eight_bit(),
            eight_bit_header: *eight_bit,
            utf8: self.counter.is_utf8(),
            signed: self.signed,
        }
    }
}
