//! Dot-stuffing and the end of data towards a server (RFC 5321 §4.5.2, §4.1.1.4), in chunks of any size.
//!
//! Takes content whose lines already end in CRLF. Guarantees that the terminating `CRLF.CRLF` is written whole, by
//! [`Stuffing::finish`] alone: the last CRLF seen is always held back until more content follows. One pass, no copy
//! besides the one into the output. Does not repair line endings: that is `mail`'s part.

use memchr::memmem;

/// Where in the content the last chunk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stuffing {
    /// Before the first octet, which begins a line.
    Start,
    /// Inside a line.
    Inside,
    /// After a CR that may be half of a line ending; it is held back.
    HeldCr,
    /// After a CRLF; it is held back.
    HeldCrlf,
}

impl Stuffing {
    /// Appends the next chunk as it goes over the wire.
    pub(super) fn write(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        if chunk.is_empty() {
            return;
        }
        let rest = self.resume(chunk, out);
        let rest = match rest {
            [body @ .., b'\r', b'\n'] => {
                *self = Self::HeldCrlf;
                body
            }
            [body @ .., b'\r'] => {
                *self = Self::HeldCr;
                body
            }
            body => body,
        };
        let mut copied = 0;
        for line_end in memmem::find_iter(rest, b"\r\n.") {
            let dot = line_end + 2;
            out.extend_from_slice(&rest[copied..=dot]);
            // The dot itself is copied again with what follows it.
            copied = dot;
        }
        out.extend_from_slice(&rest[copied..]);
    }

    /// Appends the end of data, completing the last line if the content did not.
    pub(super) fn finish(self, out: &mut Vec<u8>) {
        match self {
            // The CRLF of the DATA line is the first of CRLF.CRLF: an empty message has no line at all.
            Self::Start => {}
            Self::Inside | Self::HeldCrlf => out.extend_from_slice(b"\r\n"),
            Self::HeldCr => out.extend_from_slice(b"\r\r\n"),
        }
        out.extend_from_slice(b".\r\n");
    }

    /// Settles what the chunk before left open; gives back what is left of this one, which is then inside a line
    /// unless a held line ending was all of it.
    fn resume<'a>(&mut self, chunk: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let begins_line = match *self {
            Self::Start => true,
            Self::HeldCrlf => {
                out.extend_from_slice(b"\r\n");
                true
            }
            Self::HeldCr if chunk[0] == b'\n' => {
                *self = Self::HeldCrlf;
                let rest = &chunk[1..];
                return if rest.is_empty() { rest } else { self.resume(rest, out) };
            }
            Self::HeldCr => {
                out.push(b'\r');
                false
            }
            Self::Inside => false,
        };
        if begins_line && chunk[0] == b'.' {
            out.push(b'.');
        }
        *self = Self::Inside;
        chunk
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::smtp::body::Reader;

    fn stuffed(chunks: &[&[u8]]) -> Vec<u8> {
        let (mut state, mut out) = (Stuffing::Start, Vec::new());
        for chunk in chunks {
            state.write(chunk, &mut out);
        }
        state.finish(&mut out);
        out
    }

    /// Line by line, as RFC 5321 §4.5.2 puts it.
    fn reference(content: &[u8]) -> Vec<u8> {
        let mut lines: Vec<Vec<u8>> = vec![vec![]];
        for (i, &octet) in content.iter().enumerate() {
            let last = lines.len() - 1;
            lines[last].push(octet);
            if content[..=i].ends_with(b"\r\n") {
                lines.push(vec![]);
            }
        }
        let mut out = Vec::new();
        for line in lines.iter().filter(|line| !line.is_empty()) {
            out.extend_from_slice(if line[0] == b'.' { b"." } else { b"" });
            out.extend_from_slice(line);
            out.extend_from_slice(if line.ends_with(b"\r\n") { b"" } else { b"\r\n" });
        }
        out.extend_from_slice(b".\r\n");
        out
    }

    #[test]
    fn an_empty_message_is_a_lone_dot_and_a_missing_line_ending_is_added() {
        assert_eq!(stuffed(&[]), b".\r\n");
        assert_eq!(stuffed(&[b"."]), b"..\r\n.\r\n");
        assert_eq!(stuffed(&[b"a\r", b"\n", b".b\r\n"]), b"a\r\n..b\r\n.\r\n");
    }

    #[test]
    fn the_last_line_ending_waits_for_the_dot() {
        let (mut state, mut out) = (Stuffing::Start, Vec::new());
        state.write(b"a\r\n", &mut out);
        assert_eq!(out, b"a");
    }

    proptest! {
        /// What our own server reads of it is what was there.
        #[test]
        fn what_is_stuffed_comes_out_again_when_it_is_unstuffed(
            lines in proptest::collection::vec(proptest::collection::vec(prop_oneof![Just(b'.'), any::<u8>().prop_filter("no line ending", |c| !b"\r\n".contains(c))], 0..6), 0..12),
        ) {
            let content: Vec<u8> = lines.iter().flat_map(|line| [line.as_slice(), b"\r\n"].concat()).collect();
            let (mut reader, mut out) = (Reader::new(false, u64::MAX), Vec::new());
            let wire = stuffed(&[&content]);
            prop_assert_eq!(reader.read(&wire, &mut out), Some(wire.len()));
            prop_assert_eq!(out, content);
        }

        #[test]
        fn chunks_of_any_size_give_what_the_rfc_says(
            content in proptest::collection::vec(prop_oneof![Just(b'.'), Just(b'\r'), Just(b'\n'), Just(b'a')], 0..60),
            cuts in proptest::collection::vec(0_usize..60, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(content.len())).collect();
            cuts.extend([0, content.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &content[pair[0]..pair[1]]).collect();
            prop_assert_eq!(stuffed(&chunks), reference(&content));
        }
    }
}
