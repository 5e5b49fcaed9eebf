//! What goes out, as pieces of what is stored: untouched ranges, octets of our own, and ranges that are encoded on the
//! way.
//!
//! Guarantees that what is not named by an own piece or an encoding is the stored message's, octet for octet, and that a
//! large body is never in memory.

use std::ops::Range;

/// One piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These octets.
    Own(Vec<u8>),
    /// Octets of the stored message, from its first one.
    Stored(Range<u64>),
    /// The same as quoted-printable (RFC 2045 §6.7), for text.
    QuotedPrintable(Range<u64>),
    /// The same as base64 in lines of 76 (RFC 2045 §6.8).
    Base64(Range<u64>),
    /// All of these as base64 in lines of 76.
    Wrapped(Vec<Piece>),
}
