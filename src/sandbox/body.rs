//! A body as it comes over the wire: finds its end, removes the stuffed dots, and notes what a client may not send.
//!
//! The end is CRLF.CRLF and nothing else (RFC 5321 §4.1.1.4). Reading goes on to the true end whatever is wrong with
//! the body, so the dialogue stays in step. Keeps at most the limit; what comes after is counted.

use memchr::memchr2;

use super::record::Rule;

/// Where the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// After CRLF, or at the very beginning: an early dot ends an empty message.
    LineStart,
    /// After a dot at the start of a line, not yet kept.
    Dot,
    /// After that dot and CR.
    DotCr,
    /// Inside a line.
    Text,
    /// After a CR inside a line, not yet kept.
    Cr,
}

/// Reads one body.
#[derive(Debug)]
pub(super) struct Body {
    at: At,
    kept: Vec<u8>,
    /// Octets of the message so far, kept or not, without stuffed dots.
    size: u64,
    line: usize,
    limit: u64,
    breaches: Vec<Rule>,
}

/// A body that came to its end.
#[derive(Debug)]
pub(super) struct Complete {
    /// The message.
    pub bytes: Vec<u8>,
    /// Its true size, also when it is more than was kept.
    pub size: u64,
    /// What a client may not send and this one did, each once.
    pub breaches: Vec<Rule>,
}

impl Body {
    pub(super) fn new(limit: u64) -> Self {
        Self { at: At::LineStart, kept: Vec::new(), size: 0, line: 0, limit, breaches: Vec::new() }
    }

    /// Reads on. Returns how many of the octets belonged to the body once its end is found.
    pub(super) fn read(&mut self, octets: &[u8]) -> Option<usize> {
        let mut i = 0;
        while i < octets.len() {
            if self.at == At::Text {
                let run = memchr2(b'\r', b'\n', &octets[i..]).unwrap_or(octets.len() - i);
                self.keep(&octets[i..i + run]);
                i += run;
                if i == octets.len() {
                    break;
                }
            }
            if self.step(octets[i]) {
                return Some(i + 1);
            }
            i += 1;
        }
        None
    }

    /// One octet; true at the end of the body.
    fn step(&mut self, octet: u8) -> bool {
        self.at = match (self.at, octet) {
            (At::DotCr, b'\n') => return true,
            (At::LineStart, b'.') => At::Dot,
            (At::Dot, b'\r') => At::DotCr,
            (At::Dot, b'.') => self.text(b"."),
            (At::Dot, other) => {
                // §4.5.2: the dot goes although the client did not double it, as it may not have been.
                self.breach(Rule::DotStuffing);
                return self.again(At::Text, other);
            }
            (At::DotCr, other) => {
                self.breach(Rule::DotStuffing);
                return self.again(At::Cr, other);
            }
            (At::Cr, b'\n') => {
                self.keep(b"\r\n");
                self.line = 0;
                At::LineStart
            }
            (At::Cr, other) => {
                self.breach(Rule::LineEnding);
                self.keep(b"\r");
                return self.again(At::Text, other);
            }
            (At::LineStart | At::Text, b'\r') => At::Cr,
            (At::LineStart | At::Text, b'\n') => {
                self.breach(Rule::LineEnding);
                self.text(b"\n")
            }
            (At::LineStart | At::Text, other) => self.text(&[other]),
        };
        false
    }

    fn again(&mut self, at: At, octet: u8) -> bool {
        self.at = at;
        self.step(octet)
    }

    fn text(&mut self, octets: &[u8]) -> At {
        self.keep(octets);
        At::Text
    }

    fn keep(&mut self, octets: &[u8]) {
        self.size += octets.len() as u64;
        if self.size <= self.limit {
            self.kept.extend_from_slice(octets);
        }
        self.line += octets.len();
        if self.line > 1000 {
            self.breach(Rule::TextLine);
        }
        if !octets.is_ascii() {
            self.breach(Rule::EightBit);
        }
    }

    fn breach(&mut self, rule: Rule) {
        if !self.breaches.contains(&rule) {
            self.breaches.push(rule);
        }
    }

    /// Call once [`Body::read`] found the end.
    pub(super) fn complete(self) -> Complete {
        Complete { bytes: self.kept, size: self.size, breaches: self.breaches }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &[u8]) -> (Option<usize>, Complete) {
        let mut body = Body::new(u64::MAX);
        (body.read(octets), body.complete())
    }

    #[test]
    fn only_crlf_dot_crlf_ends_a_body() {
        for open in [
            "a\n.\n",
            "a\n.\r\n",
            "a\r\n.\n",
            "a\r.\r",
            "a\r\n.\r",
            "a\r\n.\r\r\n",
            "a\r\r\n.\r\r\n",
            "a\n\r.\r\n",
            ".\n",
            "a.\r\n",
        ] {
            assert_eq!(read(open.as_bytes()).0, None, "{open:?}");
        }
        assert_eq!(read(b"a\r\n.\r\nQUIT\r\n").0, Some(6));
        let (end, empty) = read(b".\r\n");
        assert_eq!((end, empty.size), (Some(3), 0));
    }

    #[test]
    fn stuffed_dots_go_and_all_else_stays() {
        let (end, body) = read(b"..\r\n...a\r\nb..\r\n\r\n..\r\n.\r\n");
        assert!(end.is_some());
        assert_eq!(body.bytes, b".\r\n..a\r\nb..\r\n\r\n.\r\n");
        assert_eq!(body.breaches, []);
    }

    #[test]
    fn the_result_does_not_depend_on_where_reads_are_cut() {
        let whole = b"..a\r\n.b\r\n\rc\nd\r\re\r\n.\rx\r\n\xff\r\n.\r\n";
        let (_, expected) = read(whole);
        for cut in 1..whole.len() {
            let mut body = Body::new(u64::MAX);
            assert_eq!(body.read(&whole[..cut]), None);
            assert_eq!(body.read(&whole[cut..]), Some(whole.len() - cut));
            let body = body.complete();
            assert_eq!(
                (body.bytes, body.breaches),
                (expected.bytes.clone(), expected.breaches.clone()),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn every_fault_is_seen_alone() {
        let only = |text: &[u8]| read(text).1.breaches;
        assert_eq!(only(b"a\nb\r\n.\r\n"), [Rule::LineEnding]);
        assert_eq!(only(b"a\rb\r\n.\r\n"), [Rule::LineEnding]);
        assert_eq!(only(b".b\r\n.\r\n"), [Rule::DotStuffing]);
        assert_eq!(only("é\r\n.\r\n".as_bytes()), [Rule::EightBit]);
        let line = |n: usize| format!("{}\r\n.\r\n", "x".repeat(n));
        assert_eq!(only(line(998).as_bytes()), []);
        assert_eq!(only(line(999).as_bytes()), [Rule::TextLine]);
    }

    #[test]
    fn beyond_the_limit_octets_are_counted_but_not_kept() {
        let mut body = Body::new(4);
        assert!(body.read(b"123456\r\n.\r\n").is_some());
        let body = body.complete();
        assert!(body.bytes.len() <= 4);
        assert_eq!(body.size, 8);
    }
}
