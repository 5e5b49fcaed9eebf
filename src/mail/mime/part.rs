//! Where the parts of a message stand and what is known of each.
//!
//! All offsets count from the first octet of the message. What could not be understood is said once as [`Trouble`]; the
//! parts that were found before it are right all the same.

use std::ops::Range;

use super::signature::Signature;

/// How the content of a part travels (RFC 2045 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `7bit`, also where nothing is said.
    SevenBit,
    /// `8bit`
    EightBit,
    /// `binary`
    Binary,
    /// `quoted-printable`
    QuotedPrintable,
    /// `base64`
    Base64,
    /// One this relay does not know.
    Other,
}

impl Encoding {
    /// Reads the value of the field, in lower case.
    #[must_use]
    pub fn of(keyword: &str) -> Self {
        match keyword {
            "" | "7bit" => Self::SevenBit,
            "8bit" => Self::EightBit,
            "binary" => Self::Binary,
            "quoted-printable" => Self::QuotedPrintable,
            "base64" => Self::Base64,
            _ => Self::Other,
        }
    }

    /// Whether the content stands as it is.
    #[must_use]
    pub fn is_identity(self) -> bool {
        matches!(self, Self::SevenBit | Self::EightBit | Self::Binary)
    }
}

/// What a part holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Content.
    Leaf,
    /// Other parts, which follow it in the list.
    Multipart,
    /// One message, which follows it in the list.
    Message,
}

/// A part; the first one is the message itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is one fact about a part, independent of the others")]
pub struct Part {
    /// `text`, in lower case.
    pub kind: String,
    /// `plain`, in lower case.
    pub subtype: String,
    /// As it was given.
    pub charset: Option<String>,
    /// There is a `Content-Type`.
    pub has_type: bool,
    /// How its content travels.
    pub encoding: Encoding,
    /// All of the field that says so.
    pub encoding_field: Option<Range<u64>>,
    /// Its fields, without the empty line.
    pub header: Range<u64>,
    /// Its content, without the line ending before the next boundary (RFC 2046 §5.1.1).
    pub body: Range<u64>,
    /// What it holds.
    pub nature: Nature,
    /// An octet above 127 is in its content; what parts within it hold is said there.
    pub eight_bit: bool,
    /// The header of a part within the message where an octet above 127 is in it; without octets where those are not
    /// kept, which is said as [`Trouble`].
    pub eight_bit_header: Option<Vec<u8>>,
    /// Of a multipart that holds 8-bit itself: what stands before the first boundary and behind the last one, if there
    /// is a first. No reader shows it (RFC 2046 §5.1.1).
    pub aside: Vec<Range<u64>>,
    /// The content is UTF-8.
    pub utf8: bool,
    /// A signature covers it: not one octet may change.
    pub signed: bool,
}

/// Why not all of a message is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    #[error("its parts are nested more than {} deep", super::scan::DEEPEST)]
    TooDeep,
    #[error("it has more than {} parts", super::scan::MOST_PARTS)]
    TooManyParts,
    #[error("the header of a part is larger than 64 KiB")]
    HeaderTooLarge,
    #[error("the headers of its parts hold 8-bit text and are larger than {} KiB", super::scan::MOST_KEPT / 1024)]
    HeadersTooLarge,
    #[error("the header of a part has a line that is no field")]
    NoField,
    #[error("a part says twice what it is")]
    Twice,
    #[error("a multipart has no usable boundary")]
    NoBoundary,
}

/// The parts of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// In the order in which they stand; never empty.
    pub parts: Vec<Part>,
    /// What could not be understood, the first of it.
    pub trouble: Option<Trouble>,
    /// There is a `MIME-Version`.
    pub mime_version: bool,
    /// The first signature that was found.
    pub signature: Option<Signature>,
}
