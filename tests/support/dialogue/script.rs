//! The dialogue file: a conversation a postmaster can read, as steps.
//!
//! ```text
//! # side: client                     which side is ours
//! # shows: one sentence              what a reader learns here
//! # covers: a, b                     entries of coverage.txt
//! # set: key=value                   settings of our side, several lines allowed
//! S: 220 mx.example.net ESMTP        the other side says this
//! C: EHLO relay.example.org          ours says this; lines without a step between them are one write
//! ! event ready                      ours reports this
//! ! do login plain fax secret        our owner asks for this
//! ! wait 300s                        time passes
//! ! close                            the other side closes
//! ! end                              ours closes
//! ! trace S: 220 mx.example.net      this line stands in the transcript so far
//! ```
//! Each `C:` and `S:` line ends in CRLF; a final `\n` makes that a bare LF and a final `…` no line ending at all.
//! `\r \n \t \0 \\ \xNN` are octets, `{x*600}` is `x` six hundred times. Other lines beginning with `#` are remarks.

use std::collections::BTreeMap;
use std::time::Duration;

use super::octets::unescape;

/// Which side of the conversation is the code under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

/// One line of the file, or several of the same speaker in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The other side says this.
    Theirs(Vec<u8>),
    /// Ours must say exactly this, in one write.
    Ours(Vec<u8>),
    /// Ours must report this.
    Event(String),
    /// Ours must close.
    End,
    /// The transcript must hold this line.
    Trace(String),
    /// Our owner does this.
    Do(String),
    /// Time passes.
    Wait(Duration),
    /// The other side closes.
    Close,
}

/// A whole file.
#[derive(Debug)]
pub struct Script {
    pub side: Side,
    pub shows: String,
    pub covers: Vec<String>,
    pub settings: BTreeMap<String, String>,
    /// With the number of the line each begins in.
    pub steps: Vec<(usize, Step)>,
}

impl Script {
    /// Reads a file; what is wrong with it is said with the line's number.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut head: BTreeMap<&str, String> = BTreeMap::new();
        let mut settings = BTreeMap::new();
        let mut lines = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            match line.strip_prefix('#').map(|remark| remark.trim().split_once(": ")) {
                Some(Some(("set", pair))) => {
                    let (key, value) = pair.split_once('=').ok_or(format!("line {number}: expected key=value"))?;
                    settings.insert(key.trim().to_owned(), value.trim().to_owned());
                }
                Some(Some((key @ ("side" | "shows" | "covers"), value))) => {
                    head.insert(key, value.trim().to_owned());
                }
                Some(_) => {}
                None if line.trim().is_empty() => {}
                None => lines.push((number, line)),
            }
        }
        let side = match head.get("side").map(String::as_str) {
            Some("client") => Side::Client,
            Some("server") => Side::Server,
            other => return Err(format!("# side: expected client or server, found {other:?}")),
        };
        let shows = head.remove("shows").filter(|s| s.ends_with('.')).ok_or("# shows: expected one sentence")?;
        let covers = head.remove("covers").unwrap_or_default();
        let covers = covers.split(',').map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty()).collect();
        Ok(Self { side, shows, covers, settings, steps: join(lines, side)? })
    }
}

/// Lines as steps; neighbours of one speaker are joined.
fn join(lines: Vec<(usize, &str)>, side: Side) -> Result<Vec<(usize, Step)>, String> {
    let mut steps: Vec<(usize, Step)> = Vec::new();
    for (number, line) in lines {
        let step = step(line, side).map_err(|why| format!("line {number}: {why}"))?;
        match (steps.last_mut(), step) {
            (Some((_, Step::Theirs(said))), Step::Theirs(more)) | (Some((_, Step::Ours(said))), Step::Ours(more)) => {
                said.extend(more);
            }
            (_, step) => steps.push((number, step)),
        }
    }
    Ok(steps)
}

fn step(line: &str, side: Side) -> Result<Step, String> {
    let (mark, text) = line.split_once(' ').unwrap_or((line, ""));
    let is_ours = match mark {
        "C:" => side == Side::Client,
        "S:" => side == Side::Server,
        "!" => return direction(text.trim()),
        _ => return Err(format!("expected C: or S: or ! or #, found {mark:?}")),
    };
    let octets = spoken(text)?;
    Ok(if is_ours { Step::Ours(octets) } else { Step::Theirs(octets) })
}

fn direction(text: &str) -> Result<Step, String> {
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    Ok(match verb {
        "event" => Step::Event(rest.to_owned()),
        "do" => Step::Do(rest.to_owned()),
        "trace" => Step::Trace(rest.to_owned()),
        "close" => Step::Close,
        "end" => Step::End,
        "wait" => {
            let seconds = rest.strip_suffix('s').and_then(|n| n.parse().ok()).ok_or("expected a wait like 300s")?;
            Step::Wait(Duration::from_secs(seconds))
        }
        _ => return Err(format!("unknown direction {verb:?}")),
    })
}

/// A spoken line with its line ending.
fn spoken(text: &str) -> Result<Vec<u8>, String> {
    let (text, ending): (_, &[u8]) = match (text.strip_suffix('…'), text.strip_suffix("\\n")) {
        (Some(open), _) => (open, b""),
        (None, Some(line)) => (line, b"\n"),
        (None, None) => (text, b"\r\n"),
    };
    let mut octets = unescape(text)?;
    octets.extend_from_slice(ending);
    Ok(octets)
}
