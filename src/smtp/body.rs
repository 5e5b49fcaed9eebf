//! The body of a message as a device sends it: finding its end, unstuffing dots and repairing line endings in one
//! pass over the raw octets (RFC 5321 §4.1.1.4, §4.5.2).
//!
//! Guarantees: the end of data is `CRLF.CRLF` on raw octets, unless this is an LF session whose first body line ended
//! in a bare LF too, when only `LF.LF` ends it (promise 2); what later octets look like changes nothing. What comes
//! out has only CRLF line endings: a bare LF or CR becomes CRLF, a run of up to 16 CRs before an LF counts as one
//! ending, and so does telnet's CR NUL CR LF. Does not look at what the octets mean, and keeps none of them.

use memchr::memchr2;

/// Which line ending ends a line of this body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// An LF session: decided by the first body line.
    Undecided,
    CrLf,
    Lf,
}

/// Where the reader stands in the current raw line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the start of a line; the line ending before it was the one that counts.
    Start,
    /// A dot at the start of a line, not yet written out.
    Dot,
    /// That dot and a CR.
    DotCr,
    /// Inside a line.
    Text,
    /// So many CRs, at most [`CR_RUN`], not yet written out.
    Cr(u8),
    /// The same and a NUL, which is telnet's if another CR follows (RFC 854).
    CrNul(u8),
}

/// A longer run of CRs is written out as it comes: what waits for its LF is bounded.
const CR_RUN: u8 = 16;

/// The line endings a body used, for the journal and for `line_endings = "reject"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Endings {
    /// `CRLF`
    pub crlf: u64,
    /// An LF without a CR before it.
    pub bare_lf: u64,
    /// A CR without an LF behind it.
    pub bare_cr: u64,
}

impl std::fmt::Display for Endings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} CRLF, {} bare LF, {} bare CR", self.crlf, self.bare_lf, self.bare_cr)
    }
}

/// Reads one body.
#[derive(Debug)]
pub struct Reader {
    ending: Ending,
    state: State,
    endings: Endings,
    /// At most this many octets are written out; the rest is read to the true end and counted.
    limit: u64,
    size: u64,
    eight_bit: bool,
}

/// What a body was like, known at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Octets after unstuffing and repair, those over the limit included.
    pub size: u64,
    /// Whether an octet above 127 occurs.
    pub eight_bit: bool,
    /// The line endings as they came.
    pub endings: Endings,
    /// Whether the limit was exceeded; then what was written out is not the whole body.
    pub too_big: bool,
    /// Whether `LF.LF` was the end.
    pub lf_session: bool,
}

impl Reader {
    /// A reader in the after-CRLF state, so that an early dot is an empty message. `lf_session`: every command line so
    /// far, DATA included, ended in a bare LF.
    #[must_use]
    pub fn new(lf_session: bool, limit: u64) -> Self {
        let ending = if lf_session { Ending::Undecided } else { Ending::CrLf };
        Self { ending, state: State::Start, endings: Endings::default(), limit, size: 0, eight_bit: false }
    }

    /// Reads octets, appends what they mean to `out`, and says how many belonged to the body once its end was found.
    /// Before the end every octet is consumed.
    pub fn read(&mut self, octets: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        let mut at = 0;
        while at < octets.len() {
            if let State::Start | State::Text = self.state {
                at += self.read_text(&octets[at..], out);
                if at == octets.len() {
                    break;
                }
            }
            let octet = octets[at];
            at += 1;
            if self.step(octet, out) {
                return Some(at);
            }
        }
        None
    }

    /// What has been seen so far; complete once `read` has found the end.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            size: self.size,
            eight_bit: self.eight_bit,
            endings: self.endings,
            too_big: self.size > self.limit,
            lf_session: self.ending == Ending::Lf,
        }
    }

    /// The fast way through octets that need no thought: text, and in a CRLF body whole lines of it, in one piece.
    fn read_text(&mut self, octets: &[u8], out: &mut Vec<u8>) -> usize {
        if self.state == State::Start && octets[0] == b'.' {
            return 0;
        }
        let mut length = text_length(octets);
        while self.ending == Ending::CrLf
            && let [b'\r', b'\n', next, ..] = octets[length..]
            && next != b'.'
        {
            self.endings.crlf += 1;
            length += 2;
            length += text_length(&octets[length..]);
        }
        if length > 0 {
            // Even if an empty line is what comes now: only a dot would make a difference, and none does.
            self.state = State::Text;
            self.emit(&octets[..length], out);
        }
        length
    }

    /// One octet where it matters; true at the end of data.
    fn step(&mut self, octet: u8, out: &mut Vec<u8>) -> bool {
        match (self.state, octet) {
            (State::Start, b'.') => self.state = State::Dot,
            (State::Start | State::Text, b'\r') => self.state = State::Cr(1),
            (State::Dot, b'\r') => self.state = State::DotCr,
            (State::Dot, b'\n') if self.ending != Ending::CrLf => {
                self.ending = Ending::Lf;
                self.endings.bare_lf += 1;
                return true;
            }
            // A dot before anything else was a stuffed one: it goes, the rest stays (§4.5.2).
            (State::Start | State::Text | State::Dot, b'\n') => self.bare_lf(out),
            (State::Start | State::Text | State::Dot, _) => self.text(octet, out),
            (State::DotCr, b'\n') if self.ending != Ending::Lf => {
                self.ending = Ending::CrLf;
                self.endings.crlf += 1;
                return true;
            }
            (State::DotCr | State::Cr(_), b'\n') => self.crlf(out),
            (State::DotCr, b'\r') => self.state = State::Cr(2),
            (State::DotCr, 0) => self.state = State::CrNul(1),
            (State::DotCr, _) => self.after_bare_cr(1, octet, out),
            (State::Cr(CR_RUN), b'\r') => self.bare_cr(out),
            (State::Cr(count), b'\r') => self.state = State::Cr(count + 1),
            // Telnet's CR NUL before a line ending: counted, and no line of its own.
            (State::CrNul(count), b'\r') => {
                self.endings.bare_cr += 1;
                self.state = State::Cr(count);
            }
            (State::Cr(count), 0) => self.state = State::CrNul(count),
            (State::CrNul(count), _) => {
                self.after_bare_cr(count, 0, out);
                return self.step(octet, out);
            }
            (State::Cr(count), _) => self.after_bare_cr(count, octet, out),
        }
        false
    }

    fn text(&mut self, octet: u8, out: &mut Vec<u8>) {
        self.state = State::Text;
        self.emit(&[octet], out);
    }

    fn crlf(&mut self, out: &mut Vec<u8>) {
        self.endings.crlf += 1;
        if self.ending == Ending::Undecided {
            self.ending = Ending::CrLf;
        }
        self.state = State::Start;
        self.emit(b"\r\n", out);
    }

    fn bare_lf(&mut self, out: &mut Vec<u8>) {
        self.endings.bare_lf += 1;
        if self.ending == Ending::Undecided {
            self.ending = Ending::Lf;
        }
        // After a bare LF a line starts only where LF is what ends lines: a dot there means nothing otherwise.
        self.state = if self.ending == Ending::Lf { State::Start } else { State::Text };
        self.emit(b"\r\n", out);
    }

    fn after_bare_cr(&mut self, count: u8, octet: u8, out: &mut Vec<u8>) {
        for _ in 0..count {
            self.bare_cr(out);
        }
        self.text(octet, out);
    }

    fn bare_cr(&mut self, out: &mut Vec<u8>) {
        self.endings.bare_cr += 1;
        self.emit(b"\r\n", out);
    }

    fn emit(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        self.eight_bit = self.eight_bit || !octets.is_ascii();
        let room = usize::try_from(self.limit.saturating_sub(self.size)).unwrap_or(usize::MAX);
        self.size += octets.len() as u64;
        out.extend_from_slice(&octets[..octets.len().min(room)]);
    }
}

/// Octets before the next CR or LF.
fn text_length(octets: &[u8]) -> usize {
    memchr2(b'\r', b'\n', octets).unwrap_or(octets.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(lf_session: bool, raw: &[u8]) -> (Vec<u8>, Option<usize>) {
        let mut out = Vec::new();
        let end = Reader::new(lf_session, u64::MAX).read(raw, &mut out);
        (out, end)
    }

    #[test]
    fn dots_are_unstuffed_and_an_early_dot_is_an_empty_message() {
        assert_eq!(read(false, b".\r\n"), (vec![], Some(3)));
        assert_eq!(read(true, b".\n"), (vec![], Some(2)));
        assert_eq!(read(true, b".\r\n"), (vec![], Some(3)));
        assert_eq!(read(false, b"..a\r\n.b\r\nc.\r\n.\r\nQUIT\r\n"), (b".a\r\nb\r\nc.\r\n".to_vec(), Some(16)));
    }

    #[test]
    fn endings_are_repaired_without_joining_or_adding_lines() {
        assert_eq!(read(false, b"a\nb\rc\r\r\nd\r\n.\r\n").0, b"a\r\nb\r\nc\r\nd\r\n");
        assert_eq!(read(true, b"a\nb\r\nc\n.\n").0, b"a\r\nb\r\nc\r\n");
    }

    #[test]
    fn what_telnet_makes_of_crlf_is_one_ending() {
        assert_eq!(read(false, b"a\r\0\r\n\r\0\r\nb\r\0\r\n.\r\n").0, b"a\r\n\r\nb\r\n");
        // A NUL that stands elsewhere is not the line ending's.
        assert_eq!(read(false, b"a\r\0b\0\r\n\r\0\n\r\n.\r\n").0, b"a\r\n\0b\0\r\n\r\n\0\r\n\r\n");
        // And it makes no end of data that is none (promise 2).
        assert_eq!(read(false, b"a\r\n.\r\0\r\nb\r\n").1, None);
        assert_eq!(read(true, b"a\n.\r\0\r\n").1, None);
    }

    #[test]
    fn a_long_run_of_crs_is_not_hoarded() {
        let (mut out, mut reader) = (Vec::new(), Reader::new(false, u64::MAX));
        for _ in 0..100 {
            assert_eq!(reader.read(&[b'\r'; 100], &mut out), None);
            out.clear();
        }
        assert_eq!(reader.read(b"a", &mut out), None);
        assert_eq!(out.len(), 2 * usize::from(CR_RUN) + 1);
        assert_eq!(reader.summary().endings.bare_cr, 10_000);
        assert_eq!(read(false, &[&[b'\r'; 17][..], b"\n"].concat()).0, b"\r\n\r\n");
    }

    #[test]
    fn the_first_line_decides_and_nothing_after_it() {
        // CRLF first: from then on LF.LF is text, though every command line ended in LF.
        let (out, end) = read(true, b"a\r\nb\n.\nMAIL FROM:<x@y>\r\n.\r\n");
        assert_eq!((out.as_slice(), end), (&b"a\r\nb\r\n.\r\nMAIL FROM:<x@y>\r\n"[..], Some(27)));
        // LF first: CRLF.CRLF is text.
        let (out, end) = read(true, b"a\nb\r\n.\r\nc\n.\n");
        assert_eq!((out.as_slice(), end), (&b"a\r\nb\r\n\r\nc\r\n"[..], Some(12)));
        // A strict session never looks at LF.
        assert_eq!(read(false, b"a\n.\n").1, None);
    }

    #[test]
    fn a_body_over_the_limit_is_read_to_its_true_end() {
        let (mut out, mut reader) = (Vec::new(), Reader::new(false, 4));
        assert_eq!(reader.read(b"123456\r\n.\r\nQUIT", &mut out), Some(11));
        assert_eq!(out, b"1234");
        assert!(reader.summary().too_big);
        assert_eq!(reader.summary().size, 8);
    }

    /// The obvious way to say it, for comparison: find the terminator, cut lines, repair.
    fn reference(raw: &[u8]) -> Option<usize> {
        if raw.starts_with(b".\r\n") {
            return Some(3);
        }
        memchr::memmem::find(raw, b"\r\n.\r\n").map(|i| i + 5)
    }

    proptest! {
        #[test]
        fn the_end_is_where_the_definition_puts_it(raw in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), Just(b'a'), Just(0u8), Just(0xe4u8)], 0..64)) {
            let (out, end) = read(false, &raw);
            prop_assert_eq!(end, reference(&raw));
            let bare = out.iter().enumerate().any(|(i, &c)| match c {
                b'\n' => i == 0 || out[i - 1] != b'\r',
                b'\r' => out.get(i + 1) != Some(&b'\n'),
                _ => false,
            });
            prop_assert!(!bare, "only CRLF comes out");
        }

        #[test]
        fn cuts_change_nothing(raw in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), Just(b'a'), Just(0u8)], 0..48), lf in any::<bool>(), cut in 0usize..48) {
            let whole = read(lf, &raw);
            let cut = cut.min(raw.len());
            let (mut out, mut reader) = (Vec::new(), Reader::new(lf, u64::MAX));
            let end = reader.read(&raw[..cut], &mut out).or_else(|| reader.read(&raw[cut..], &mut out).map(|e| e + cut));
            prop_assert_eq!((out, end), whole);
        }
    }
}
