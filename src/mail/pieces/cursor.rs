//! Reading pieces from first to last, so much at a time.
//!
//! Guarantees that the octets do not depend on how much is asked for at a time, and that what is kept is bounded: one
//! [`STEP`] of what is being encoded, and what it became. It reads nothing itself: whoever asks says how.

use std::ops::Range;

use super::base64;
use super::quoted_printable;
use super::{Piece, length};

/// So much is encoded at a time, octets.
pub(super) const STEP: usize = 16 * 1024;

/// How stored octets are read: from an offset on, as many as the slice has.
pub(super) type Read<'r, E> = dyn FnMut(u64, &mut [u8]) -> Result<(), E> + 'r;

/// A place in a list of pieces.
#[derive(Debug)]
pub struct Cursor<'a> {
    /// What comes behind the current one.
    rest: &'a [Piece],
    current: Current<'a>,
}

/// What is left of the piece that is being read.
#[derive(Debug)]
enum Current<'a> {
    Own(&'a [u8]),
    Stored(Range<u64>),
    Encoded { source: Source<'a>, encoder: Encoder, ready: Ready },
}

/// Where an encoder's octets come from.
#[derive(Debug)]
enum Source<'a> {
    Stored(Range<u64>),
    Pieces(Box<Cursor<'a>>),
    /// All of it was read, and the encoder has said its last.
    Finished,
}

#[derive(Debug)]
enum Encoder {
    Base64(base64::Encoder),
    QuotedPrintable(quoted_printable::Encoder),
}

/// What was encoded and not handed over yet.
#[derive(Debug, Default)]
struct Ready {
    octets: Vec<u8>,
    handed: usize,
    /// What is read before it is encoded; kept to be used again.
    raw: Vec<u8>,
}

impl<'a> Cursor<'a> {
    /// At the first octet of these pieces.
    #[must_use]
    pub fn new(pieces: &'a [Piece]) -> Self {
        Self { rest: pieces, current: Current::Own(&[]) }
    }

    /// Replaces what is in `buffer` by the next octets, at most `limit` of them and fewer only at the end; says whether
    /// more may follow. `read` fills a slice with the stored octets from an offset on.
    ///
    /// # Errors
    /// Those of `read`. The cursor is of no use afterwards.
    pub fn fill<E>(
        &mut self,
        limit: usize,
        buffer: &mut Vec<u8>,
        read: &mut impl FnMut(u64, &mut [u8]) -> Result<(), E>,
    ) -> Result<bool, E> {
        self.next(limit, buffer, read)
    }

    /// [`Cursor::fill`] for pieces within pieces: one type of `read`, however deep they are.
    fn next<E>(&mut self, limit: usize, buffer: &mut Vec<u8>, read: &mut Read<'_, E>) -> Result<bool, E> {
        // Not cleared before: a buffer that is used again need not be zeroed again.
        let mut filled = 0;
        loop {
            if self.current.is_done() && !self.advance() {
                buffer.truncate(filled);
                return Ok(false);
            }
            if filled == limit {
                buffer.truncate(filled);
                return Ok(true);
            }
            filled += self.current.take(limit, filled, buffer, read)?;
        }
    }

    /// To the next piece, if there is one.
    fn advance(&mut self) -> bool {
        let Some((next, rest)) = self.rest.split_first() else { return false };
        self.rest = rest;
        self.current = match next {
            Piece::Own(octets) => Current::Own(octets),
            Piece::Stored(range) => Current::Stored(range.clone()),
            Piece::QuotedPrintable(range) => Current::encoded(
                Source::Stored(range.clone()),
                Encoder::QuotedPrintable(quoted_printable::Encoder::default()),
            ),
            Piece::Base64(range) => {
                Current::encoded(Source::Stored(range.clone()), Encoder::Base64(base64::Encoder::default()))
            }
            Piece::Wrapped(pieces) => Current::encoded(
                Source::Pieces(Box::new(Cursor::new(pieces))),
                Encoder::Base64(base64::Encoder::default()),
            ),
        };
        true
    }
}

impl<'a> Current<'a> {
    fn encoded(source: Source<'a>, encoder: Encoder) -> Self {
        Self::Encoded { source, encoder, ready: Ready::default() }
    }

    fn is_done(&self) -> bool {
        match self {
            Self::Own(octets) => octets.is_empty(),
            Self::Stored(range) => range.is_empty(),
            Self::Encoded { source, ready, .. } => {
                matches!(source, Source::Finished) && ready.handed == ready.octets.len()
            }
        }
    }

    /// Puts some of it behind the first `filled` octets of the buffer, and says how many; none may be ready yet.
    fn take<E>(
        &mut self,
        limit: usize,
        filled: usize,
        buffer: &mut Vec<u8>,
        read: &mut Read<'_, E>,
    ) -> Result<usize, E> {
        let room = limit - filled;
        match self {
            Self::Own(octets) => {
                let (now, later) = octets.split_at(octets.len().min(room));
                put(buffer, filled, now);
                *octets = later;
                Ok(now.len())
            }
            Self::Stored(range) => read_some(range, room, filled, buffer, read),
            Self::Encoded { source, encoder, ready } => {
                if ready.handed == ready.octets.len() {
                    ready.refill(source, encoder, read)?;
                }
                let now = &ready.octets[ready.handed..];
                let now = &now[..now.len().min(room)];
                put(buffer, filled, now);
                ready.handed += now.len();
                Ok(now.len())
            }
        }
    }
}

impl Ready {
    fn refill<E>(&mut self, source: &mut Source<'_>, encoder: &mut Encoder, read: &mut Read<'_, E>) -> Result<(), E> {
        self.octets.clear();
        self.handed = 0;
        let more = match source {
            Source::Stored(range) => {
                let length = read_some(range, STEP, 0, &mut self.raw, read)?;
                self.raw.truncate(length);
                !range.is_empty()
            }
            Source::Pieces(cursor) => cursor.next(STEP, &mut self.raw, read)?,
            Source::Finished => return Ok(()),
        };
        encoder.push(&self.raw, &mut self.octets);
        if !more {
            encoder.finish(&mut self.octets);
            *source = Source::Finished;
        }
        Ok(())
    }
}

impl Encoder {
    fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Base64(encoder) => encoder.push(octets, out),
            Self::QuotedPrintable(encoder) => encoder.push(octets, out),
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Base64(encoder) => encoder.finish(out),
            Self::QuotedPrintable(encoder) => encoder.finish(out),
        }
    }
}

/// Reads the first octets of a range behind the first `filled` ones of the buffer, and takes them off the range.
fn read_some<E>(
    range: &mut Range<u64>,
    room: usize,
    filled: usize,
    buffer: &mut Vec<u8>,
    read: &mut Read<'_, E>,
) -> Result<usize, E> {
    let length = usize::try_from(length(range)).unwrap_or(usize::MAX).min(room);
    if buffer.len() < filled + length {
        buffer.resize(filled + length, 0);
    }
    read(range.start, &mut buffer[filled..filled + length])?;
    range.start += length as u64;
    Ok(length)
}

/// Overwrites what is behind the first `filled` octets.
fn put(buffer: &mut Vec<u8>, filled: usize, octets: &[u8]) {
    let over = octets.len().min(buffer.len() - filled);
    buffer[filled..filled + over].copy_from_slice(&octets[..over]);
    buffer.extend_from_slice(&octets[over..]);
}
