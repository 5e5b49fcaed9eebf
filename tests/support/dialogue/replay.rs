//! Plays a script against one side of SMTP, on a clock of its own, and says where they differ.
//!
//! The other side's octets are fed whole, byte by byte and in odd pieces; what ours says, reports and writes into its
//! transcript must be the same each time. Everything ours does must stand in the script: nothing is passed over.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use posthouse::smtp::trace::Side as Speaker;
use posthouse::smtp::{Conversation, Output};

use super::script::{Script, Step};

/// One side of SMTP under test: how a script's words become calls, and events become words.
///
/// The client's events are told to the script, which acts on them; the server's questions are answered at once, by a
/// small policy from the file's head.
pub trait Adapter: Sized {
    /// The dialogue itself.
    type Talk: Conversation;

    /// From the file's head.
    fn begin(script: &Script, now: Instant) -> Result<Self, String>;

    fn talk(&mut self) -> &mut Self::Talk;

    /// Whether the other side speaks in groups of lines (RFC 2920). Cut into pieces such a group is answered line by
    /// line: what is said and what is reported are each the same, but not how the two interleave.
    const HEARS_GROUPS: bool;

    /// What a script calls this event; `None` for one that was dealt with and shows later, in a reply or another event.
    fn describe(&mut self, event: <Self::Talk as Conversation>::Event, now: Instant) -> Option<String>;

    /// Does what a `! do` line says; gives back what there is to report at once.
    fn act(&mut self, order: &str, now: Instant) -> Result<Option<String>, String>;

    /// What must never be seen in an event or in the transcript.
    fn secrets(&self) -> Vec<String>;

    /// Whether an event must wait until everything the other side sent along with its cause has been looked at.
    fn is_provisional(_event: &str) -> bool {
        false
    }
}

/// How the other side's octets are cut.
const CUTS: [&[usize]; 4] = [&[usize::MAX], &[1], &[7, 3, 1], &[2, 5]];
/// More outputs than this without a wait are a loop.
const OUTPUTS_LIMIT: usize = 10_000;

/// What ours did.
#[derive(Clone, PartialEq, Eq)]
enum Deed {
    Said(Vec<u8>),
    Reported(String),
    Ended,
}

impl fmt::Debug for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(octets) => write!(f, "said \"{}\"", octets.escape_ascii()),
            Self::Reported(event) => write!(f, "! event {event}"),
            Self::Ended => f.write_str("! end"),
        }
    }
}

/// All that ours did, and its transcript.
type Record = (Vec<Deed>, Vec<(Duration, String)>);

/// Plays the script in every way of cutting.
pub fn play<A: Adapter>(script: &Script) -> Result<(), String> {
    let mut first = None;
    for cuts in CUTS {
        let result = Stage::<A>::play(script, cuts).map_err(|why| format!("{why} (pieces of {cuts:?})"))?;
        match &first {
            None => first = Some(result),
            Some(first) if *first == result => {}
            Some(first) => return Err(format!("cut in {cuts:?} the result differs:\n{first:#?}\n{result:#?}")),
        }
    }
    Ok(())
}

/// What was reported, in order, then all that was said in one piece.
fn sorted(deeds: impl IntoIterator<Item = Deed>) -> Vec<Deed> {
    let (mut sorted, mut all_said) = (Vec::new(), Vec::new());
    for deed in deeds {
        match deed {
            Deed::Said(octets) => all_said.extend(octets),
            other => sorted.push(other),
        }
    }
    if !all_said.is_empty() {
        sorted.push(Deed::Said(all_said));
    }
    sorted
}

struct Stage<A> {
    adapter: A,
    now: Instant,
    /// Done, and not yet looked for in the script.
    open: VecDeque<Deed>,
    /// All that was done, and the transcript.
    deeds: Vec<Deed>,
    transcript: Vec<(Duration, String)>,
    /// Groups of the other side are cut.
    in_pieces: bool,
}

impl<A: Adapter> Stage<A> {
    fn play(script: &Script, cuts: &[usize]) -> Result<Record, String> {
        let now = Instant::now();
        let adapter = A::begin(script, now)?;
        let mut stage =
            Self { adapter, now, open: VecDeque::new(), deeds: Vec::new(), transcript: Vec::new(), in_pieces: false };
        stage.drain()?;
        stage.in_pieces = A::HEARS_GROUPS && cuts[0] != usize::MAX;
        for (line, step) in &script.steps {
            stage.step(step, cuts).map_err(|why| format!("line {line}: {why}"))?;
        }
        stage.nothing_open()?;
        stage.nothing_secret()?;
        let deeds = if A::HEARS_GROUPS { sorted(stage.deeds) } else { stage.deeds };
        Ok((deeds, stage.transcript))
    }

    fn step(&mut self, step: &Step, cuts: &[usize]) -> Result<(), String> {
        match step {
            Step::Ours(octets) => return self.expect(&Deed::Said(octets.clone())),
            Step::Event(event) => return self.expect(&Deed::Reported(event.clone())),
            Step::End => return self.expect(&Deed::Ended),
            Step::Trace(line) => {
                let found = self.transcript.iter().any(|(_, said)| said == line);
                return if found { Ok(()) } else { Err(format!("not in the transcript: {:#?}", self.transcript)) };
            }
            _ => self.nothing_open()?,
        }
        match step {
            Step::Theirs(octets) => return self.feed(octets, cuts),
            Step::Do(order) => {
                let report = self.adapter.act(order, self.now)?;
                if let Some(report) = report {
                    self.did(Deed::Reported(report));
                }
            }
            Step::Wait(time) => self.now += *time,
            Step::Close => self.adapter.talk().hung_up(self.now),
            _ => {}
        }
        self.drain()
    }

    fn feed(&mut self, octets: &[u8], cuts: &[usize]) -> Result<(), String> {
        let (mut rest, mut sizes) = (octets, cuts.iter().cycle());
        while !rest.is_empty() {
            let size = sizes.next().map_or(rest.len(), |&size| size.min(rest.len()));
            self.adapter.talk().receive(&rest[..size], self.now);
            rest = &rest[size..];
            self.drain()?;
        }
        Ok(())
    }

    /// Polls until there is nothing to do, and writes down what was done.
    fn drain(&mut self) -> Result<(), String> {
        let mut just_said = false;
        let mut outputs = 0;
        loop {
            outputs += 1;
            if outputs > OUTPUTS_LIMIT {
                return Err("never waits".into());
            }
            match self.adapter.talk().poll(self.now) {
                Output::Send(_) if just_said => return Err("two writes where one would do".into()),
                Output::Send(octets) => {
                    just_said = true;
                    self.did(Deed::Said(octets));
                    continue;
                }
                Output::Event(event) => {
                    if let Some(event) = self.adapter.describe(event, self.now) {
                        self.did(Deed::Reported(event));
                    }
                }
                Output::Wait(until) if until <= self.now => return Err("waits for a moment that has passed".into()),
                Output::Wait(_) => break,
                Output::Close => {
                    if self.deeds.last() != Some(&Deed::Ended) {
                        self.did(Deed::Ended);
                    }
                    break;
                }
            }
            just_said = false;
        }
        self.collect();
        Ok(())
    }

    fn collect(&mut self) {
        // Two mails on one connection are handed out one after the other.
        while !self.adapter.talk().trace().is_empty() {
            let lines = self.adapter.talk().trace().take();
            self.transcript.extend(lines.lines().map(|line| {
                let speaker = match line.side {
                    Speaker::Client => "C:",
                    Speaker::Server => "S:",
                    Speaker::Note => "--",
                };
                (line.at, format!("{speaker} {}", line.text).trim_end().to_owned())
            }));
        }
    }

    fn did(&mut self, deed: Deed) {
        // What was provisional has been overtaken: its owner, still looking at what arrived with it, never acts on it.
        if let Some(Deed::Reported(last)) = self.open.back()
            && A::is_provisional(last)
        {
            self.open.pop_back();
            self.deeds.pop();
        }
        self.deeds.push(deed.clone());
        self.open.push_back(deed);
    }

    fn expect(&mut self, expected: &Deed) -> Result<(), String> {
        if self.in_pieces {
            self.open = sorted(std::mem::take(&mut self.open)).into();
            if let Deed::Said(octets) = expected {
                return self.expect_said(octets);
            }
        }
        match self.open.pop_front() {
            Some(deed) if deed == *expected => Ok(()),
            Some(deed) => Err(format!("expected {expected:?}\n   found {deed:?}")),
            None => Err(format!("expected {expected:?}\n   found nothing")),
        }
    }

    /// In pieces what is said comes last, as one stream.
    fn expect_said(&mut self, octets: &[u8]) -> Result<(), String> {
        match self.open.back_mut() {
            Some(Deed::Said(said)) if said.starts_with(octets) => {
                said.drain(..octets.len());
                if said.is_empty() {
                    self.open.pop_back();
                }
                Ok(())
            }
            other => Err(format!("expected said \"{}\"\n   found {other:?}", octets.escape_ascii())),
        }
    }

    fn nothing_open(&self) -> Result<(), String> {
        self.open.front().map_or(Ok(()), |deed| Err(format!("not in the script: {deed:?}")))
    }

    fn nothing_secret(&self) -> Result<(), String> {
        let shown = format!(
            "{:?} {:?}",
            self.deeds.iter().filter(|d| !matches!(d, Deed::Said(_))).collect::<Vec<_>>(),
            self.transcript
        );
        match self.adapter.secrets().iter().find(|secret| shown.contains(secret.as_str())) {
            Some(secret) => Err(format!("the secret {secret} is shown in {shown}")),
            None => Ok(()),
        }
    }
}
