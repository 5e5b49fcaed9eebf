//! Lines on their way through the repair: as they are, without their NULs, or broken.
//!
//! Guarantees that a line that could still be broken at a better place waits, but never more than one line's worth of
//! octets, and that how it was cut makes no difference. Counts what was done and what was left.

use super::Settings;
use super::cut::{self, LONGEST};
use crate::mail::mime::scan::Context;

/// Octets that are looked at in one go, so that a line of megabytes costs no more than one of many lines.
const STEP: usize = 4096;

/// What was done.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    /// NULs that were taken out.
    pub(super) nuls: u64,
    /// Lines that were broken.
    pub(super) broken: u64,
    /// Lines that should have been and are not text.
    pub(super) left: u64,
    /// What was left in what is signed.
    pub(super) signed: Signed,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Signed {
    pub(super) nuls: u64,
    pub(super) lines: u64,
}

/// The repair of lines.
#[derive(Debug)]
pub(super) struct Lines {
    settings: Settings,
    counts: Counts,
    /// What waits of the current line.
    held: Vec<u8>,
    line: Line,
}

/// What is known of the current line, beside what waits.
#[derive(Debug, Default, Clone, Copy)]
struct Line {
    /// It was too long: so it is counted, and goes on in short pieces where it is encoded.
    long: bool,
    /// Octets that did not wait.
    passed: usize,
}

impl Lines {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, counts: Counts::default(), held: Vec::new(), line: Line::default() }
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether nothing is to be done: a whole line, without a NUL and not too long.
    pub(super) fn is_clean(&self, line: &[u8]) -> bool {
        line.ends_with(b"\n")
            && (!self.settings.long_lines || line.len() <= LONGEST + 2)
            && (!self.settings.nul || memchr::memchr(0, line).is_none())
    }

    /// The next octets, of one line alone.
    pub(super) fn push(&mut self, octets: &[u8], context: Context, out: &mut Vec<u8>) {
        for octets in octets.chunks(STEP) {
            self.step(octets, context, out);
        }
    }

    /// The message has ended.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.held);
        self.line = Line::default();
    }

    fn step(&mut self, octets: &[u8], context: Context, out: &mut Vec<u8>) {
        let before = self.held.len();
        if self.settings.nul && context != Context::Signed {
            self.held.extend(octets.iter().filter(|&&octet| octet != 0));
            self.counts.nuls += (before + octets.len() - self.held.len()) as u64;
        } else {
            self.held.extend_from_slice(octets);
        }
        if self.settings.nul && context == Context::Signed {
            self.counts.signed.nuls += memchr::memchr_iter(0, octets).count() as u64;
        }
        if !self.settings.long_lines {
            out.append(&mut self.held);
        } else if matches!(context, Context::Signed | Context::Opaque) {
            self.leave(context, out);
        } else {
            self.cut(context, out);
        }
        if octets.ends_with(b"\n") {
            self.finish(out);
        }
    }

    /// Passes it on as it is.
    fn leave(&mut self, context: Context, out: &mut Vec<u8>) {
        let length = self.line.passed + cut::content(&self.held);
        if length > LONGEST && !self.line.long {
            self.line.long = true;
            match context {
                Context::Signed => self.counts.signed.lines += 1,
                _ => self.counts.left += 1,
            }
        }
        self.line.passed += self.held.len();
        out.append(&mut self.held);
    }

    /// Breaks it as often as it must be; the rest waits.
    fn cut(&mut self, context: Context, out: &mut Vec<u8>) {
        let mut start = 0;
        loop {
            let rest = &self.held[start..];
            let length = cut::content(rest);
            if length <= LONGEST && !self.line.long || length <= cut::most(context) {
                break;
            }
            if !self.line.long {
                self.line.long = true;
                self.counts.broken += 1;
            }
            let cut::Cut { at, between } = cut::cut(&rest[..length], context);
            out.extend_from_slice(&rest[..at]);
            out.extend_from_slice(between);
            start += at;
        }
        self.held.drain(..start);
    }
}
