//! What goes out, as pieces of what is stored: untouched ranges, octets of our own, and ranges that are encoded on the
//! way.
//!
//! Guarantees that what is not named by an own piece or an encoding is the stored message's, octet for octet, and that a
//! large body is never in memory: a [`Cursor`] asks for the stored octets piece by piece, from first to last.

mod base64;
mod cursor;
mod quoted_printable;

use std::ops::Range;

use cursor::Read;

pub use cursor::Cursor;

/// One piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These octets.
    Own(Vec<u8>),
    /// Octets of the stored message, from its first one.
    Stored(Range<u64>),
    /// The same as quoted-printable (RFC 2045 §6.7), for text: CRLF stays a line ending.
    QuotedPrintable(Range<u64>),
    /// The same as base64 in lines of 76 (RFC 2045 §6.8), without a line ending behind the last.
    Base64(Range<u64>),
    /// All of these as base64 in lines of 76, without a line ending behind the last.
    Wrapped(Vec<Piece>),
}

/// The same pieces of a message that has so many octets fewer in front.
#[must_use]
pub fn moved_up(mut pieces: Vec<Piece>, octets: u64) -> Vec<Piece> {
    let up = |range: &mut Range<u64>| {
        *range = range.start.saturating_sub(octets)..range.end.saturating_sub(octets);
    };
    for piece in &mut pieces {
        match piece {
            Piece::Own(_) => {}
            Piece::Stored(range) | Piece::QuotedPrintable(range) | Piece::Base64(range) => up(range),
            Piece::Wrapped(inner) => *inner = moved_up(std::mem::take(inner), octets),
        }
    }
    pieces
}

/// How many octets come out of these pieces. Only what becomes quoted-printable is read for it.
///
/// # Errors
/// When the stored octets cannot be read.
pub fn size<E>(pieces: &[Piece], read: &mut impl FnMut(u64, &mut [u8]) -> Result<(), E>) -> Result<u64, E> {
    let mut sum = 0;
    for piece in pieces {
        sum += match piece {
            Piece::Own(octets) => octets.len() as u64,
            Piece::Stored(range) => length(range),
            Piece::QuotedPrintable(_) => counted(piece, read)?,
            Piece::Base64(range) => base64::size(length(range)),
            Piece::Wrapped(inner) => base64::size(size_of(inner, read)?),
        };
    }
    Ok(sum)
}

/// [`size`] behind a reference of one type, or a reference to it would be another and so on without end.
fn size_of<E>(pieces: &[Piece], read: &mut Read<'_, E>) -> Result<u64, E> {
    size(pieces, &mut |offset, octets: &mut [u8]| read(offset, octets))
}

fn counted<E>(piece: &Piece, read: &mut impl FnMut(u64, &mut [u8]) -> Result<(), E>) -> Result<u64, E> {
    let (mut cursor, mut buffer, mut sum) = (Cursor::new(std::slice::from_ref(piece)), Vec::new(), 0);
    loop {
        let more = cursor.fill(cursor::STEP, &mut buffer, read)?;
        sum += buffer.len() as u64;
        if !more {
            return Ok(sum);
        }
    }
}

fn length(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}

#[cfg(test)]
mod tests;
