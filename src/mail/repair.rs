//! Repair of the octets that no provider takes: NULs, and lines over 998 octets (RFC 5322 §2.1.1, §3.5).
//!
//! Done once, while the message comes in, in place and without a copy where there is nothing to do. Guarantees that
//! only blanks, line endings and soft breaks are added and only NULs taken out, that nothing changes which a signature
//! covers, and that the result does not depend on where the octets were cut. At most [`cut::LONGEST`] octets wait.
//! Line endings are CRLF already; their own repair is only put into words here.

pub mod cut;
mod lines;

use self::lines::{Counts, Lines};
use super::change::{Change, Rule};
use super::header;
use super::header::block::Block;
use super::mime::facts::Facts;
use super::mime::scan::{Context, Scanner};
use super::mime::signature::Signature;

/// What is repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// NULs are taken out.
    pub nul: bool,
    /// Lines over 998 octets are broken.
    pub long_lines: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { nul: true, long_lines: true }
    }
}

/// A header block on its way in, and perhaps the beginning of the body.
#[derive(Debug)]
pub struct Gathering {
    settings: Settings,
    octets: Vec<u8>,
    searched: usize,
    nuls: u64,
}

impl Gathering {
    /// Nothing has come yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, octets: Vec::new(), searched: 0, nuls: 0 }
    }

    /// Appends octets; the first chunk is taken over without a copy. Says where the block ends once that has come.
    ///
    /// A NUL is not looked at here, because the line that is empty without it will be the empty line for everybody else.
    pub fn push(&mut self, chunk: Vec<u8>) -> Option<usize> {
        if !self.settings.nul || memchr::memchr(0, &chunk).is_none() {
            if self.octets.is_empty() {
                self.octets = chunk;
            } else {
                self.octets.extend_from_slice(&chunk);
            }
            return self.end();
        }
        let mut rest = chunk.as_slice();
        while let Some(nul) = memchr::memchr(0, rest) {
            self.octets.extend_from_slice(&rest[..nul]);
            if let Some(end) = self.end() {
                self.octets.extend_from_slice(&rest[nul..]);
                return Some(end);
            }
            self.nuls += 1;
            rest = &rest[nul + 1..];
        }
        self.octets.extend_from_slice(rest);
        self.end()
    }

    /// So many octets have come.
    #[must_use]
    pub fn len(&self) -> usize {
        self.octets.len()
    }

    /// Whether nothing has come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    fn end(&mut self) -> Option<usize> {
        let end = header::end(&self.octets, self.searched);
        self.searched = self.octets.len();
        end
    }

    /// The block ends there, or with the message: what has come, repaired as far as it can be known, and what repairs
    /// the rest.
    #[must_use]
    pub fn into_repair(self, end: Option<usize>) -> (Repair, Vec<u8>, usize) {
        let Self { settings, mut octets, nuls, .. } = self;
        let mut end = end.unwrap_or(octets.len());
        let mut lines = Lines::new(settings);
        if !each_line(&octets[..end]).all(|line| lines.is_clean(line)) {
            let made = remade(&octets[..end], &mut lines);
            let length = made.len();
            octets.splice(..end, made);
            end = length;
        }
        let scanner = Scanner::new(&octets[..end]);
        let mut repair = Repair { scanner, lines, context: Context::Text, in_line: false, nuls_of_header: nuls };
        repair.pass(&mut octets, end);
        (repair, octets, end)
    }
}

/// The block, line by line.
fn remade(block: &[u8], lines: &mut Lines) -> Vec<u8> {
    let read = Block::read(block);
    let signed = Signature::of_message(&read).is_some();
    let (mut made, mut at) = (Vec::with_capacity(block.len() + block.len() / 64), 0);
    for line in each_line(block) {
        // What stands behind the fields is text of a message without an empty line.
        let context = if at < read.end() { Context::Header } else { Context::Text };
        lines.push(line, if signed { Context::Signed } else { context }, &mut made);
        at += line.len();
    }
    lines.finish(&mut made);
    made
}

/// A body on its way in.
#[derive(Debug)]
pub struct Repair {
    scanner: Scanner,
    lines: Lines,
    /// What the line belongs to that is being read.
    context: Context,
    in_line: bool,
    nuls_of_header: u64,
}

/// What is known of a message at its end.
#[derive(Debug, Default)]
pub struct Repaired {
    /// What it says of itself.
    pub facts: Facts,
    /// A signature that was found in it.
    pub signature: Option<Signature>,
    /// What was repaired, and what was left.
    pub changes: Vec<Change>,
}

impl Repair {
    /// Repairs the octets behind the first `from` ones, in place. The last line may wait if it is not complete.
    pub fn pass(&mut self, octets: &mut Vec<u8>, from: usize) {
        let mut at = from;
        if self.in_line && at < octets.len() {
            let end = at + line_length(&octets[at..]);
            let mut made = Vec::new();
            self.push(&octets[at..end], &mut made);
            let length = made.len();
            octets.splice(at..end, made);
            at += length;
        }
        while at < octets.len() {
            let line = &octets[at..at + line_length(&octets[at..])];
            if !self.lines.is_clean(line) {
                break;
            }
            self.scanner.push_of_one_line(line);
            at += line.len();
        }
        if at < octets.len() {
            let rest = octets.split_off(at);
            each_line(&rest).for_each(|line| self.push(line, octets));
        }
    }

    /// The message has ended: what is known of it, and the octets that waited.
    #[must_use]
    pub fn finish(mut self) -> (Repaired, Vec<u8>) {
        let mut rest = Vec::new();
        self.lines.finish(&mut rest);
        let (facts, _, signature) = self.scanner.finish();
        let changes = changes(self.lines.counts(), self.nuls_of_header, signature);
        (Repaired { facts, signature, changes }, rest)
    }

    fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        if !self.in_line {
            self.context = self.scanner.context();
        }
        self.in_line = !octets.ends_with(b"\n");
        self.scanner.push_of_one_line(octets);
        self.lines.push(octets, self.context, out);
    }
}

/// Up to and with the next LF, or all.
fn line_length(octets: &[u8]) -> usize {
    memchr::memchr(b'\n', octets).map_or(octets.len(), |i| i + 1)
}

fn each_line(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        let (line, after) = rest.split_at(line_length(rest));
        rest = after;
        (!line.is_empty()).then_some(line)
    })
}

fn changes(counts: Counts, nuls_of_header: u64, signature: Option<Signature>) -> Vec<Change> {
    let Counts { nuls, broken, left, signed } = counts;
    let (longer, mut changes) = (format!("over {} octets", cut::LONGEST), Vec::new());
    if nuls + nuls_of_header > 0 {
        changes.push(Change::new(Rule::Nul, format!("{} taken out", many(nuls + nuls_of_header, "NUL octet"))));
    }
    if broken > 0 {
        changes.push(Change::new(Rule::LongLines, format!("{} {longer} broken", many(broken, "line"))));
    }
    if left > 0 {
        let text =
            format!("{} {longer} left, because they are not of text; a provider may refuse them", many(left, "line"));
        changes.push(Change::new(Rule::LongLines, text));
    }
    if signed.nuls + signed.lines > 0 {
        let (lines, nuls) = (format!("{} {longer}", many(signed.lines, "line")), many(signed.nuls, "NUL octet"));
        let left = those_there_are([(signed.lines, lines), (signed.nuls, nuls)]);
        let text = format!("{left} left, because of a signature; a provider may refuse the mail");
        changes.push(Change::new(Rule::Signature, text));
    }
    changes.extend((nuls_of_header > 0).then(|| broken_signature(signature)).flatten());
    changes
}

/// The line endings that became CRLF, in words.
#[must_use]
pub fn line_endings(bare_lf: u64, bare_cr: u64, signature: Option<Signature>) -> Vec<Change> {
    if bare_lf + bare_cr == 0 {
        return Vec::new();
    }
    let text = those_there_are([(bare_lf, format!("{bare_lf} bare LF")), (bare_cr, format!("{bare_cr} bare CR"))]);
    let mut changes = vec![Change::new(Rule::LineEndings, text + " became CRLF")];
    changes.extend(broken_signature(signature));
    changes
}

/// A repair that could not wait for a signature.
fn broken_signature(signature: Option<Signature>) -> Option<Change> {
    let text = format!("the {} signature may not verify, because octets that it may cover were repaired", signature?);
    Some(Change::new(Rule::Signature, text))
}

/// Only those of which there is one.
fn those_there_are(named: [(u64, String); 2]) -> String {
    let there_are: Vec<String> = named.into_iter().filter(|(count, _)| *count > 0).map(|(_, name)| name).collect();
    there_are.join(" and ")
}

fn many(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
