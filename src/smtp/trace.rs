//! What was said on one connection, line by line, as it may be written down.
//!
//! The dialogue itself decides what a line looks like here, because only it knows which octets are a credential:
//! callers hand over text that is already safe (promise 4). Control characters are escaped on the way in, lines are
//! cut at 500 octets, and after [`LIMIT`] octets lines are counted, not kept. Where one mail ends and the next is under
//! way already the dialogue draws a line, so that each has a transcript of its own. Costs nothing when not recording.

use std::time::{Duration, Instant};

/// Octets kept until the trace is taken; what comes after is counted.
pub const LIMIT: usize = 64 * 1024;
const LINE_LIMIT: usize = 500;

/// Who said a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The SMTP client: the device towards us, or we towards the provider.
    Client,
    /// The SMTP server.
    Server,
    /// Neither: a remark such as `TLS 1.3, certificate verified` or `1234 octets of body`.
    Note,
}

/// One line of a transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Since the connection began.
    pub at: Duration,
    /// Who said it.
    pub side: Side,
    /// Printable text without a line ending.
    pub text: &'a str,
}

/// The lines of one connection, kept in one buffer.
#[derive(Debug)]
pub struct Trace {
    began: Instant,
    recording: bool,
    text: String,
    marks: Vec<(Duration, Side, usize)>,
    dropped: usize,
    /// How many of the marks are handed out by themselves, if not all.
    divided: Option<usize>,
}

impl Trace {
    /// An empty trace; `recording` decides whether lines are kept at all.
    #[must_use]
    pub fn new(began: Instant, recording: bool) -> Self {
        Self { began, recording, text: String::new(), marks: Vec::new(), dropped: 0, divided: None }
    }

    /// Whether lines are kept; ask before composing one.
    #[must_use]
    pub fn recording(&self) -> bool {
        self.recording
    }

    /// Adds a line. The text must hold no credential.
    pub fn say(&mut self, side: Side, text: &str, now: Instant) {
        if !self.recording {
            return;
        }
        if self.text.len() >= LIMIT {
            self.dropped += 1;
            return;
        }
        let start = self.text.len();
        for c in text.chars() {
            if self.text.len() - start > LINE_LIMIT {
                self.text.push('…');
                break;
            }
            if c.is_control() { self.text.extend(c.escape_default()) } else { self.text.push(c) }
        }
        self.marks.push((now.saturating_duration_since(self.began), side, self.text.len()));
    }

    /// The lines kept.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let mut start = 0;
        self.marks.iter().map(move |&(at, side, end)| {
            let text = &self.text[start..end];
            start = end;
            Line { at, side, text }
        })
    }

    /// How many lines were said after the limit was reached.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// What is said from now on is another mail's, and handed out by itself.
    pub fn divide(&mut self) {
        if self.recording && self.divided.is_none() {
            self.divided = Some(self.marks.len());
        }
    }

    /// Hands the lines out, those of one mail if they are divided, and starts again, still counting time from the
    /// beginning of the connection.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let mut rest = Self::new(self.began, self.recording);
        if let Some(count) = self.divided.take() {
            let end = count.checked_sub(1).map_or(0, |last| self.marks[last].2);
            rest.text = self.text.split_off(end);
            rest.marks = self.marks.drain(count..).map(|(at, side, mark)| (at, side, mark - end)).collect();
        }
        std::mem::replace(self, rest)
    }

    /// Whether there is anything to take.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty() && self.dropped == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_escaped_cut_and_bounded() {
        let now = Instant::now();
        let mut trace = Trace::new(now, true);
        trace.say(Side::Client, "NOOP \x1b[31m", now);
        trace.say(Side::Server, &"x".repeat(10_000), now + Duration::from_secs(1));
        let lines: Vec<_> = trace.lines().collect();
        assert_eq!(lines[0].text, "NOOP \\u{1b}[31m");
        assert!(lines[1].text.len() < 600);
        assert_eq!(lines[1].at, Duration::from_secs(1));
        for _ in 0..100_000 {
            trace.say(Side::Client, "NOOP", now);
        }
        assert!(trace.text.len() <= LIMIT + LINE_LIMIT && trace.dropped() > 0);
    }

    #[test]
    fn the_lines_of_two_mails_are_handed_out_one_after_the_other() {
        let now = Instant::now();
        let mut trace = Trace::new(now, true);
        trace.say(Side::Client, ".", now);
        trace.say(Side::Server, "250 first taken", now);
        trace.divide();
        trace.say(Side::Client, "MAIL FROM:<>", now);
        let mut said = || trace.take().lines().map(|line| line.text.to_owned()).collect::<Vec<_>>();
        assert_eq!([said(), said(), said()], [vec![".", "250 first taken"], vec!["MAIL FROM:<>"], vec![]]);
    }

    #[test]
    fn nothing_is_kept_when_not_recording() {
        let now = Instant::now();
        let mut trace = Trace::new(now, false);
        trace.say(Side::Client, "NOOP", now);
        assert!(trace.is_empty());
    }
}
