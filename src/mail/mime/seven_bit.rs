//! A body for a provider that does not take 8-bit, and for signing: 8-bit content encoded, all else untouched.
//!
//! Guarantees that decoding gives every part back octet for octet and every field of its header as text, and that nothing
//! a signature covers changes. It is not tried where that cannot be had: [`NotSafe`] says why (RFC 6152 §3: then the
//! message must not be sent). The fields of the message itself are not edited here but named, because others edit that
//! header too.

use std::ops::Range;

use super::part::{Encoding, Nature, Part, Structure, Trouble};
use crate::mail::change::{Change, Rule};
use crate::mail::header::block::Block;
use crate::mail::header::eight_bit::encoded;
use crate::mail::header::parser::Charset;
use crate::mail::header::splice::{Place, Splice};
use crate::mail::header::written::Written;
use crate::mail::pieces::Piece;

/// So many names of fields are told.
const MOST_TOLD: usize = 20;

/// The body, and what the header of the message has to say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SevenBit {
    /// All behind the header block.
    pub body: Vec<Piece>,
    /// Fields of the message.
    pub fields: Fields,
    /// What was done to the body.
    pub changes: Vec<Change>,
}

/// What the header of the message has to say; nothing where it is right as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// `Content-Transfer-Encoding`, instead of the one there may be.
    pub encoding: Option<&'static str>,
    /// `Content-Type`, where there is none.
    pub content_type: Option<String>,
    /// `MIME-Version`, where there is none.
    pub mime_version: bool,
}

/// Why a message cannot be made 7-bit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSafe {
    #[error("8-bit content is covered by a signature, which would break")]
    Signed,
    #[error("its structure is not clear: {0}")]
    Unclear(Trouble),
    #[error("the header of a part holds 8-bit text that cannot be written otherwise")]
    Header,
    #[error("a multipart holds 8-bit text and no part")]
    NoPart,
    #[error("a part of the type {0} may not be encoded, and holds 8-bit")]
    Nested(String),
    #[error("a part says it is encoded, and holds 8-bit all the same")]
    Encoded,
}

/// How to make the message 7-bit. `charset` names what 8-bit text is in where nobody says it and it is not UTF-8.
///
/// # Errors
/// When it cannot be done without changing what the message means.
pub fn seven_bit(structure: &Structure, charset: &Charset) -> Result<SevenBit, NotSafe> {
    let Some((root, within)) = structure.parts.split_first() else {
        return Ok(SevenBit { body: Vec::new(), fields: Fields::default(), changes: Vec::new() });
    };
    if let Some(trouble) = structure.trouble
        && structure.parts.iter().any(|part| part.eight_bit || part.eight_bit_header.is_some())
    {
        return Err(NotSafe::Unclear(trouble));
    }
    let (mut edits, mut names) = (Vec::new(), Vec::new());
    for part in within {
        let encoding = change(part)?;
        edits.extend(edits_of_header(part, charset, encoding.is_some(), &mut names)?);
        if let Some(encoding) = encoding {
            edits.push(edit_of_fields(part, encoding, charset));
            edits.extend(edit_of_content(part, encoding, root.body.end));
        }
    }
    // Every reader ignores what stands there (RFC 2046 §5.1.1), so that nobody misses it, and somebody would miss the mail.
    edits.extend(structure.parts.iter().flat_map(|part| &part.aside).map(|aside| (aside.clone(), Vec::new())));
    let mut fields = Fields::default();
    if let Some(encoding) = change(root)? {
        edits.extend(edit_of_content(root, encoding, root.body.end));
        fields.encoding = Some(word(encoding));
        fields.content_type = (!root.has_type && root.eight_bit).then(|| content_type(root, charset));
        fields.mime_version = !structure.mime_version;
    }
    let changes = changes(&structure.parts, &names);
    Ok(SevenBit { body: pieces(edits, root.body.clone()), fields, changes })
}

/// What was done, in words.
fn changes(parts: &[Part], names: &[String]) -> Vec<Change> {
    let mut changes = Vec::new();
    if parts.iter().any(|part| part.eight_bit && part.nature == Nature::Leaf) {
        changes.push(Change::new(Rule::EightBitBody, "8-bit text in the body was encoded"));
    }
    if parts.iter().any(|part| !part.aside.is_empty()) {
        let detail = "8-bit text before or behind the parts, which no reader shows, was taken out";
        changes.push(Change::new(Rule::EightBitBody, detail));
    }
    if !names.is_empty() {
        changes.push(Change::new(Rule::EncodedWords, format!("in {} of a part", names.join(", "))));
    }
    changes
}

/// What a header has to say of an 8-bit text that says nothing of itself, where it may stay 8-bit: readers guess otherwise.
#[must_use]
pub fn label(structure: &Structure, charset: &Charset) -> Option<Fields> {
    let root = structure.parts.first()?;
    (root.eight_bit && !root.has_type && !root.signed && root.encoding_field.is_none()).then(|| Fields {
        encoding: Some("8bit"),
        content_type: Some(content_type(root, charset)),
        mime_version: !structure.mime_version,
    })
}

/// What the part is to be encoded with, if that changes.
fn change(part: &Part) -> Result<Option<Encoding>, NotSafe> {
    // A label may stay where it cannot be changed: the octets are 7-bit all the same.
    let is_labelled = matches!(part.encoding, Encoding::EightBit | Encoding::Binary) && !part.signed;
    let label = is_labelled.then_some(Encoding::SevenBit);
    if !part.eight_bit {
        return Ok(label);
    }
    if part.signed {
        return Err(NotSafe::Signed);
    }
    if part.nature != Nature::Leaf {
        return if part.aside.is_empty() { Err(NotSafe::NoPart) } else { Ok(label) };
    }
    if !part.encoding.is_identity() {
        return Err(NotSafe::Encoded);
    }
    match part.kind.as_str() {
        // RFC 2045 §6.4
        "multipart" | "message" => Err(NotSafe::Nested(format!("{}/{}", part.kind, part.subtype))),
        "text" if !is_wide(part) => Ok(Some(Encoding::QuotedPrintable)),
        _ => Ok(Some(Encoding::Base64)),
    }
}

/// Whether its characters are not octets: then CR and LF do not end its lines (RFC 2781 §3.2).
fn is_wide(part: &Part) -> bool {
    let charset = part.charset.as_deref().unwrap_or_default().to_ascii_lowercase();
    ["utf-16", "utf-32", "iso-10646-ucs", "ucs-"].iter().any(|wide| charset.starts_with(wide))
}

/// Octets of the message, and what stands there instead.
type Edit = (Range<u64>, Vec<Piece>);

/// The fields of a part with 8-bit text in them, as ASCII; not the one that is replaced anyway.
fn edits_of_header(
    part: &Part,
    charset: &Charset,
    encoding_is_replaced: bool,
    names: &mut Vec<String>,
) -> Result<Vec<Edit>, NotSafe> {
    let Some(raw) = &part.eight_bit_header else { return Ok(Vec::new()) };
    if part.signed {
        return Err(NotSafe::Signed);
    }
    let block = Block::read(raw);
    if block.mailbox_lines().any(|line| !raw[line].is_ascii()) {
        return Err(NotSafe::Header);
    }
    let in_message = |range: Range<usize>| part.header.start + range.start as u64..part.header.start + range.end as u64;
    let mut edits = Vec::new();
    for field in block.fields().filter(|field| !field.value.is_ascii()) {
        let range = in_message(field.whole.clone());
        if encoding_is_replaced && part.encoding_field.as_ref() == Some(&range) {
            continue;
        }
        let written = encoded(&field, charset).filter(|written| written.octets().is_ascii());
        edits.push((range, vec![Piece::Own(written.ok_or(NotSafe::Header)?.octets().to_vec())]));
        if names.len() < MOST_TOLD && !names.iter().any(|name| name == field.name) {
            names.push(field.name.to_owned());
        }
    }
    Ok(edits)
}

fn edit_of_fields(part: &Part, encoding: Encoding, charset: &Charset) -> Edit {
    let mut fields = format!("Content-Transfer-Encoding: {}\r\n", word(encoding));
    if !part.has_type && part.eight_bit {
        fields.insert_str(0, &format!("Content-Type: {}\r\n", content_type(part, charset)));
    }
    let place = part.encoding_field.clone().unwrap_or(part.header.end..part.header.end);
    (place, vec![Piece::Own(fields.into_bytes())])
}

fn edit_of_content(part: &Part, encoding: Encoding, end_of_message: u64) -> Option<Edit> {
    let range = part.body.clone();
    let pieces = match encoding {
        Encoding::QuotedPrintable => vec![Piece::QuotedPrintable(range.clone())],
        // Without a boundary behind it, its last line ending is encoded with the rest, and the message needs one.
        Encoding::Base64 if range.end == end_of_message => {
            vec![Piece::Base64(range.clone()), Piece::Own(b"\r\n".to_vec())]
        }
        Encoding::Base64 => vec![Piece::Base64(range.clone())],
        _ => return None,
    };
    Some((range, pieces))
}

/// The body with the edits, which do not overlap.
fn pieces(mut edits: Vec<Edit>, body: Range<u64>) -> Vec<Piece> {
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let (mut pieces, mut at) = (Vec::new(), body.start);
    for (range, instead) in edits {
        pieces.extend((at < range.start).then_some(Piece::Stored(at..range.start)));
        pieces.extend(instead);
        at = range.end;
    }
    pieces.extend((at < body.end).then_some(Piece::Stored(at..body.end)));
    pieces
}

fn content_type(part: &Part, charset: &Charset) -> String {
    format!("text/plain; charset={}", if part.utf8 { "utf-8" } else { charset.name() })
}

fn word(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::QuotedPrintable => "quoted-printable",
        Encoding::Base64 => "base64",
        _ => "7bit",
    }
}

impl Fields {
    /// The header block with these fields, or nothing if it is right as it is.
    #[must_use]
    pub fn apply(&self, block: &[u8]) -> Option<Vec<u8>> {
        let read = Block::read(block);
        let mut splice = Splice::new(read);
        let mut set = |name: &str, value: &str| {
            read.named(name).for_each(|field| splice.remove(field.whole));
            splice.insert(Place::End, &Written::structured(name, value));
        };
        if self.mime_version {
            set("MIME-Version", "1.0");
        }
        if let Some(content_type) = &self.content_type {
            set("Content-Type", content_type);
        }
        if let Some(encoding) = self.encoding {
            set("Content-Transfer-Encoding", encoding);
        }
        splice.finish()
    }
}

#[cfg(test)]
mod tests;
