//! Reads replies out of a stream of octets (RFC 5321 §4.2), liberally and within bounds.
//!
//! Takes lines ended by CRLF or bare LF, codes without text, codes nobody has heard of. Refuses what is no reply at
//! all: the first digit outside 2–5, lines over 2 KiB, replies over 100 lines or 64 KiB, and replies whose lines
//! disagree about success. Holds no memory between replies.

use std::borrow::Cow;
use std::mem;

use crate::smtp::reply::Enhanced;

/// RFC 5321 §4.5.3.1.5 allows 512 octets; real servers exceed it.
const LINE_LIMIT: usize = 2048;
const LINES_LIMIT: usize = 100;
const REPLY_LIMIT: usize = 64 * 1024;

/// One whole reply as it came: nothing in it is clean yet.
#[derive(Debug)]
pub(super) struct Incoming {
    /// 200–599
    pub code: u16,
    /// The text of all lines, `\n` after each.
    text: Vec<u8>,
}

impl Incoming {
    /// The first digit, which alone decides (RFC 5321 §4.3.2).
    pub fn class(&self) -> u16 {
        self.code / 100
    }

    /// The texts of the lines, without codes and line endings; at least one.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split_inclusive(|&b| b == b'\n').map(|line| &line[..line.len() - 1])
    }

    /// The first enhanced code that stands at the beginning of a line, and its length with the space behind it. Some
    /// servers put it on the first line only, some on each (RFC 2034 §4 wants each).
    pub fn enhanced(&self) -> Option<Enhanced> {
        self.lines().find_map(|line| read_enhanced(line).map(|(code, _)| code))
    }
}

/// Cuts the enhanced code, if the line begins with one, off a line of text.
pub(super) fn without_enhanced(line: &[u8]) -> &[u8] {
    read_enhanced(line).map_or(line, |(_, length)| line[length..].trim_ascii_start())
}

/// What arrived and is not yet a whole reply.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// The beginning of a line: at most [`LINE_LIMIT`] octets without LF.
    line: Vec<u8>,
    /// The lines of a reply whose last line has not come: at most [`LINES_LIMIT`] and [`REPLY_LIMIT`].
    lines: Vec<u8>,
    count: usize,
    class: u8,
}

/// Octets that are no reply: the beginning of them.
#[derive(Debug)]
pub(super) struct NotAReply(pub Vec<u8>);

impl Reader {
    /// Takes the next whole line off `input`, without its line ending; all of `input` is taken when there is none.
    pub fn line<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Cow<'a, [u8]>>, NotAReply> {
        let end = memchr::memchr(b'\n', input);
        let part = &input[..end.unwrap_or(input.len())];
        if self.line.len() + part.len() > LINE_LIMIT {
            let room = LINE_LIMIT - self.line.len();
            self.line.extend_from_slice(&part[..room]);
            return Err(NotAReply(mem::take(&mut self.line)));
        }
        let Some(end) = end else {
            self.line.extend_from_slice(part);
            *input = &[];
            return Ok(None);
        };
        *input = &input[end + 1..];
        Ok(Some(if self.line.is_empty() {
            Cow::Borrowed(part.strip_suffix(b"\r").unwrap_or(part))
        } else {
            let mut whole = mem::take(&mut self.line);
            whole.extend_from_slice(part);
            if whole.ends_with(b"\r") {
                whole.pop();
            }
            Cow::Owned(whole)
        }))
    }

    /// Adds a line; gives the reply back when this was its last one.
    pub fn add(&mut self, line: &[u8]) -> Result<Option<Incoming>, NotAReply> {
        let Some((code, last, text)) = read_line(line) else { return Err(NotAReply(line.to_vec())) };
        // Lines that disagree about the last digits are tolerated and the last one counts; a reply that says yes and no
        // at once is none.
        let agrees = self.count == 0 || line[0] == self.class;
        if !agrees || self.count == LINES_LIMIT || self.lines.len() + text.len() >= REPLY_LIMIT {
            return Err(NotAReply(line.to_vec()));
        }
        self.class = line[0];
        self.count += 1;
        self.lines.extend_from_slice(text);
        self.lines.push(b'\n');
        if !last {
            return Ok(None);
        }
        self.count = 0;
        Ok(Some(Incoming { code, text: mem::take(&mut self.lines) }))
    }

    /// Octets of memory held.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.line.capacity() + self.lines.capacity()
    }

    /// The unfinished line, when it cannot become the line of a reply any more.
    pub fn nonsense(&self) -> Option<&[u8]> {
        let begins_well = self.line.iter().take(3).all(u8::is_ascii_digit);
        (!begins_well).then_some(&self.line[..])
    }
}

/// Code, whether it is the last line, and text.
fn read_line(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !(b'2'..=b'5').contains(&digits[0]) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    match rest {
        [] => Some((code, true, rest)),
        [b' ', text @ ..] => Some((code, true, text)),
        [b'-', text @ ..] => Some((code, false, text)),
        _ => None,
    }
}

/// `class.subject.detail` (RFC 3463 §2) at the beginning of a line, and its length.
fn read_enhanced(line: &[u8]) -> Option<(Enhanced, usize)> {
    let length = line.iter().position(|b| !b.is_ascii_digit() && *b != b'.').unwrap_or(line.len());
    if line.get(length).is_some_and(|b| *b != b' ') {
        return None;
    }
    let mut numbers = std::str::from_utf8(&line[..length]).ok()?.split('.');
    let mut number = || numbers.next().filter(|n| (1..=3).contains(&n.len())).and_then(|n| n.parse::<u16>().ok());
    let (class, subject, detail) = (number()?, number()?, number()?);
    let known_class = matches!(class, 2 | 4 | 5) && numbers.next().is_none();
    known_class.then_some((Enhanced(u8::try_from(class).ok()?, subject, detail), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> Result<Vec<(u16, Vec<String>)>, String> {
        let (mut reader, mut rest, mut replies) = (Reader::default(), input, vec![]);
        let shown = |NotAReply(octets): NotAReply| String::from_utf8_lossy(&octets).into_owned();
        while let Some(line) = reader.line(&mut rest).map_err(shown)? {
            if let Some(reply) = reader.add(&line).map_err(shown)? {
                replies.push((reply.code, reply.lines().map(|l| String::from_utf8_lossy(l).into_owned()).collect()));
            }
        }
        Ok(replies)
    }

    #[test]
    fn odd_but_legal_replies_are_read() {
        assert_eq!(
            read(b"250-\r\n250-a\n259 \r\n221\r\n").unwrap(),
            [(259, vec![String::new(), "a".into(), String::new()]), (221, vec![String::new()])]
        );
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for bad in [
            "HTTP/1.1 400 Bad Request\r\n",
            "150 hm\r\n",
            "699 x\r\n",
            "25 x\r\n",
            "250x\r\n",
            "\r\n",
            "250-a\r\n550 b\r\n",
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_bounds_are_exact() {
        let line = |octets: usize| format!("250 {}\r\n", "x".repeat(octets - 5));
        assert!(read(line(LINE_LIMIT).as_bytes()).is_ok());
        assert!(read(line(LINE_LIMIT + 1).as_bytes()).is_err());
        assert!(read(&vec![b'2'; LINE_LIMIT + 1]).is_err(), "no line ending is needed to see it");
        assert!(read(format!("{}250 x\r\n", "250-x\r\n".repeat(LINES_LIMIT - 1)).as_bytes()).is_ok());
        assert!(read(format!("{}250 x\r\n", "250-x\r\n".repeat(LINES_LIMIT)).as_bytes()).is_err());
        let long = format!("250-{}\r\n", "x".repeat(1996));
        assert!(read(long.repeat(REPLY_LIMIT / 1997).as_bytes()).is_ok());
        assert!(read(long.repeat(REPLY_LIMIT / 1997 + 1).as_bytes()).is_err());
    }

    #[test]
    fn enhanced_codes_are_found_where_they_are_and_nowhere_else() {
        assert_eq!(read_enhanced(b"2.1.5 ok"), Some((Enhanced(2, 1, 5), 5)));
        assert_eq!(read_enhanced(b"5.7.139"), Some((Enhanced(5, 7, 139), 7)));
        for none in ["", "ok", "1.2.3 x", "2.1 x", "2.1.5.6 x", "2.1.5x", "2..5 x", "2.1.5000 x", "192.0.2.1 x"] {
            assert_eq!(read_enhanced(none.as_bytes()), None, "{none}");
        }
        assert_eq!(without_enhanced(b"5.7.1  no"), b"no");
    }
}
