//! What the header of a part says about its content.
//!
//! Also the header of the message itself: a part like any other here. Guarantees that what is not said, or not
//! understood, has the meaning RFC 2045 §5.2 gives it: text/plain, or a message in a digest (RFC 2046 §5.1.5).

use std::ops::Range;

use super::part::{Encoding, Trouble};
use super::signature::Signature;
use crate::mail::header::block::{Block, Field};
use crate::mail::header::parser::{self, Content};

/// What was read.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) content: Content,
    pub(super) has_type: bool,
    pub(super) disposition: Option<Content>,
    pub(super) encoding: Encoding,
    /// All of the field, counted from the beginning of the header.
    pub(super) encoding_field: Option<Range<usize>>,
    pub(super) trouble: Option<Trouble>,
}

impl Head {
    /// Reads the fields of a part, without the empty line behind them.
    pub(super) fn read(octets: &[u8], in_digest: bool) -> Self {
        let block = Block::read(octets);
        let (types, encodings) = (two(&block, "Content-Type"), two(&block, "Content-Transfer-Encoding"));
        let twice = types[1].is_some() || encodings[1].is_some();
        let no_field = !matches!(&octets[block.end()..], b"" | b"\r\n");
        let content = types[0].as_ref().and_then(|field| parser::content(field.value));
        Self {
            content: content.unwrap_or_else(|| otherwise(in_digest)),
            has_type: types[0].is_some(),
            disposition: block.first("Content-Disposition").and_then(|field| parser::content(field.value)),
            encoding: encodings[0].as_ref().map_or(Encoding::SevenBit, |f| Encoding::of(&parser::keyword(f.value))),
            encoding_field: encodings[0].as_ref().map(|field| field.whole.clone()),
            trouble: if no_field { Some(Trouble::NoField) } else { twice.then_some(Trouble::Twice) },
        }
    }

    /// Of a header that is too large to be read.
    pub(super) fn unread() -> Self {
        Self {
            trouble: Some(Trouble::HeaderTooLarge),
            ..Self::read(b"Content-Type: application/octet-stream\r\n", false)
        }
    }

    /// What is needed to find the parts of a multipart (RFC 2046 §5.1.1; up to 70 octets there, and not many more
    /// anywhere).
    pub(super) fn boundary(&self) -> Option<&str> {
        let boundary = self.content.parameter("boundary")?.trim_end();
        let usable = (1..=200).contains(&boundary.len()) && boundary.bytes().all(|c| c == b' ' || c.is_ascii_graphic());
        usable.then_some(boundary)
    }

    /// Whether there is a message within.
    pub(super) fn holds_message(&self) -> bool {
        self.content.kind == "message"
            && matches!(self.content.subtype.as_str(), "rfc822" | "global")
            && self.encoding.is_identity()
    }

    /// The signature over what is within.
    pub(super) fn signature(&self) -> Option<Signature> {
        Signature::of_part(&self.content)
    }

    /// Whether the content itself is what was signed, in one piece with the signature.
    pub(super) fn is_signed_object(&self) -> bool {
        self.signature().is_some() && self.content.kind != "multipart"
    }

    /// What the file is called.
    pub(super) fn file_name(&self) -> Option<&str> {
        let name = self.disposition.as_ref().and_then(|disposition| disposition.parameter("filename"));
        name.or_else(|| self.content.parameter("name"))
    }
}

/// The first two fields of this name.
fn two<'a>(block: &Block<'a>, name: &str) -> [Option<Field<'a>>; 2] {
    let mut fields = block.named(name);
    [fields.next(), fields.next()]
}

fn otherwise(in_digest: bool) -> Content {
    let (kind, subtype) = if in_digest { ("message", "rfc822") } else { ("text", "plain") };
    Content { kind: kind.into(), subtype: subtype.into(), parameters: Vec::new() }
}
