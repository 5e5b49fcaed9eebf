//! Edits of a header block, by the offsets of its fields.
//!
//! Guarantees that fields which were not named in an edit keep every octet and their order (RFC 5321 §4.4, RFC 5322 §3.6).
//! What is written is a [`Written`] field, so that an edit cannot bring in more than it says.

use std::ops::Range;

use super::block::{Block, Field};
use super::written::Written;

/// Where a new field goes.
#[derive(Debug, Clone, Copy)]
pub enum Place<'f> {
    /// Below the trace fields at the top (RFC 5322 §3.6.7), which stay where they are.
    BelowTrace,
    /// Directly below this one.
    Below(&'f Field<'f>),
    /// Below all fields.
    End,
}

/// The edits of one block.
#[derive(Debug)]
pub struct Splice<'a> {
    block: Block<'a>,
    /// What is taken out and what comes in its place, in the order they were asked for.
    edits: Vec<(Range<usize>, Vec<u8>)>,
}

impl<'a> Splice<'a> {
    /// Nothing is edited yet.
    #[must_use]
    pub fn new(block: Block<'a>) -> Self {
        Self { block, edits: Vec::new() }
    }

    /// Takes a field, or a mailbox line, out.
    pub fn remove(&mut self, whole: Range<usize>) {
        self.edits.push((whole, Vec::new()));
    }

    /// Puts a field in the place of another. A field is replaced or removed once; what is asked later does not count.
    pub fn replace(&mut self, field: &Field<'_>, with: &Written) {
        self.edits.push((field.whole.clone(), with.octets().to_vec()));
    }

    /// Adds a field.
    pub fn insert(&mut self, place: Place<'_>, field: &Written) {
        let at = match place {
            Place::BelowTrace => self.below_trace(),
            Place::Below(field) => field.whole.end,
            Place::End => self.block.end(),
        };
        let mut octets = field.octets().to_vec();
        // Only a block without any field can go on like that; the line must not become part of the new field.
        if matches!(self.block.octets().get(at), Some(b' ' | b'\t')) {
            octets.extend_from_slice(b"\r\n");
        }
        self.edits.push((at..at, octets));
    }

    fn below_trace(&self) -> usize {
        let is_trace = |field: &Field<'_>| field.is("Received") || field.is("Return-Path");
        let mut trace = self.block.fields().take_while(is_trace);
        let first = trace.next().map_or(0, |field| field.whole.end);
        trace.last().map_or(first, |field| field.whole.end)
    }

    /// The edited block, or `None` if nothing was edited.
    #[must_use]
    pub fn finish(mut self) -> Option<Vec<u8>> {
        if self.edits.is_empty() {
            return None;
        }
        // What is added before a field comes before what happens to it. Stable: what goes to one place stays in the order
        // it was asked for.
        self.edits.sort_by_key(|(range, _)| (range.start, range.end));
        let octets = self.block.octets();
        let mut out =
            Vec::with_capacity(octets.len() + self.edits.iter().map(|(_, with)| with.len() + 2).sum::<usize>());
        let mut at = 0;
        for (range, with) in self.edits {
            if range.start < at {
                continue;
            }
            out.extend_from_slice(&octets[at..range.start]);
            // Only the last field of a block that was cut off has no line ending.
            if !with.is_empty() && out.last().is_some_and(|&octet| octet != b'\n') {
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(&with);
            at = range.end;
        }
        out.extend_from_slice(&octets[at..]);
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BLOCK: &[u8] = b"Received: 1\r\nReceived: 2;\r\n\tx\r\nFrom:a@b\r\nTo: c@d\r\nX: y\r\n\r\n";

    #[test]
    fn fields_are_removed_replaced_and_added_where_they_belong() {
        let block = Block::read(BLOCK);
        let (from, to) = (block.first("From").unwrap(), block.first("To").unwrap());
        let mut splice = Splice::new(block);
        splice.remove(to.whole.clone());
        splice.insert(Place::End, &Written::text("Last", "z"));
        splice.insert(Place::BelowTrace, &Written::text("Top", "t"));
        splice.insert(Place::Below(&from), &Written::text("Reply-To", "r"));
        splice.insert(Place::Below(&from), &Written::text("X-Original-From", "o"));
        splice.replace(&from, &Written::text("From", "f"));
        let edited = String::from_utf8(splice.finish().unwrap()).unwrap();
        assert_eq!(
            edited,
            "Received: 1\r\nReceived: 2;\r\n\tx\r\nTop: t\r\nFrom: f\r\nReply-To: r\r\nX-Original-From: o\r\nX: y\r\nLast: z\r\n\r\n"
        );
    }

    #[test]
    fn nothing_asked_is_nothing_changed() {
        assert_eq!(Splice::new(Block::read(BLOCK)).finish(), None);
    }

    #[test]
    fn a_block_that_was_cut_off_gets_its_line_ending() {
        let mut splice = Splice::new(Block::read(b"A: b"));
        splice.insert(Place::End, &Written::text("C", "d"));
        assert_eq!(splice.finish().unwrap(), b"A: b\r\nC: d\r\n");
        let mut splice = Splice::new(Block::read(b" text\r\n"));
        splice.insert(Place::End, &Written::text("C", "d"));
        assert_eq!(splice.finish().unwrap(), b"C: d\r\n\r\n text\r\n");
    }

    proptest! {
        #[test]
        fn untouched_fields_keep_every_octet(
            octets in proptest::collection::vec(prop_oneof![any::<u8>(), proptest::sample::select(b"ab: \r\n".as_slice())], 0..300),
            picks in proptest::collection::vec((any::<proptest::sample::Index>(), 0_u8..3), 0..6),
        ) {
            let block = Block::read(&octets);
            let fields: Vec<_> = block.fields().collect();
            let mut splice = Splice::new(block);
            let mut touched = vec![false; fields.len()];
            for (pick, act) in picks {
                if fields.is_empty() { break; }
                let i = pick.index(fields.len());
                match act {
                    0 => { splice.remove(fields[i].whole.clone()); touched[i] = true; }
                    1 => { splice.replace(&fields[i], &Written::text("X-New", "n")); touched[i] = true; }
                    _ => splice.insert(Place::Below(&fields[i]), &Written::text("X-New", "n")),
                }
            }
            let kept: Vec<_> = fields.iter().zip(&touched).filter(|(_, touched)| !**touched).collect();
            let after = splice.finish().unwrap_or_else(|| octets.clone());
            let read = Block::read(&after);
            let still: Vec<_> = read.fields().filter(|field| field.name != "X-New").collect();
            prop_assert_eq!(kept.len(), still.len());
            for ((before, _), now) in kept.iter().zip(&still) {
                let (before, now) = (&octets[before.whole.clone()], &after[now.whole.clone()]);
                // The last one may have got the line ending it lacked.
                prop_assert!(before == now || now.strip_suffix(b"\r\n") == Some(before));
            }
            prop_assert_eq!(&octets[block.end()..], &after[read.end()..]);
        }
    }
}
