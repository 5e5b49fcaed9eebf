//! The body: octets in, the end found, the one answer given.
//!
//! Guarantees that 250 is said only by consuming the proof `A`, and that after any answer the next command is read in
//! step: a body too big or with forbidden line endings is read to its true end before it is refused.

use std::time::{Duration, Instant};

use super::{Ending, Event, Hello, LineEndings, Progress, Server, Settings, Stage};
use crate::smtp::body::{Reader, Summary};
use crate::smtp::quirk::{Quirk, Quirks};
use crate::smtp::reply::{Refusal, Reply};
use crate::smtp::trace::Side;

/// A body on its way in.
#[derive(Debug)]
pub(super) struct Receiving {
    hello: Hello,
    reader: Reader,
    /// Octets not yet handed to the owner.
    chunk: Vec<u8>,
    began: Instant,
    heard: Instant,
    received: u64,
}

impl Receiving {
    pub(super) fn new(hello: Hello, lf_session: bool, limit: u64, now: Instant) -> Self {
        let reader = Reader::new(lf_session, limit);
        Self { hello, reader, chunk: Vec::new(), began: now, heard: now, received: 0 }
    }

    pub(super) fn has_chunk(&self) -> bool {
        !self.chunk.is_empty()
    }

    pub(super) fn take_chunk(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.chunk)
    }

    pub(super) fn summary(&self) -> Summary {
        self.reader.summary()
    }

    /// Silence is allowed for `idle`; beyond that every `minimum_rate` octets buy a second, so that a scanner may
    /// pause between pages and a trickle still ends.
    pub(super) fn deadline(&self, settings: &Settings) -> Instant {
        let bought = Duration::from_secs(self.received / settings.minimum_rate.max(1));
        (self.heard + settings.idle).min(self.began + settings.idle + bought)
    }
}

/// The end of data was read: what does the device hear?
#[derive(Debug)]
#[must_use = "the device waits for an answer"]
pub struct EndOfData {
    /// What the body was like.
    pub summary: Summary,
    hello: Hello,
}

impl<A> Server<A> {
    pub(super) fn receive_body(&mut self, octets: &[u8], now: Instant) {
        let Stage::Body(receiving) = &mut self.stage else { return };
        receiving.heard = now;
        receiving.received += octets.len() as u64;
        // What comes out is hardly ever longer than what went in: one allocation, whatever the number of lines.
        receiving.chunk.reserve(octets.len());
        let Some(end) = receiving.reader.read(octets, &mut receiving.chunk) else { return };
        self.heard = now;
        self.lines.push(&octets[end..]);
        if let Stage::Body(receiving) = std::mem::replace(&mut self.stage, Stage::Closed) {
            self.stage = Stage::BodyEnded(receiving);
        }
    }

    pub(super) fn end_of_data(&mut self, now: Instant) -> Progress {
        let Stage::BodyEnded(receiving) = std::mem::replace(&mut self.stage, Stage::Asked) else {
            return Progress::Again;
        };
        let Receiving { hello, reader, .. } = *receiving;
        let summary = reader.summary();
        if self.trace.recording() {
            self.trace.say(Side::Note, &format!("{} octets of body, {}", summary.size, summary.endings), now);
        }
        let bare = summary.endings.bare_lf + summary.endings.bare_cr > 0;
        let rejected = bare && self.settings.line_endings == LineEndings::Reject;
        if rejected {
            self.quirk(Quirk::BareEndingsRefused);
        } else {
            self.quirks(quirks_of(&summary));
        }
        let refusal = if summary.too_big {
            Refusal::try_from(self.too_big()).ok()
        } else if rejected {
            Some(Refusal::new(550, 6, 11, "The message holds bare line feeds or carriage returns"))
        } else {
            None
        };
        match refusal {
            Some(refusal) => {
                self.good(refusal.reply(), now);
                self.stage = Stage::Ready(hello);
                Progress::Event(Event::Refused(refusal, summary))
            }
            None => Progress::Event(Event::End(EndOfData { summary, hello })),
        }
    }

    /// The owner's answer to [`Event::End`]: the message is accepted, and `proof` shows it.
    pub fn accept(&mut self, question: EndOfData, proof: A, reply: &Reply, now: Instant) {
        drop(proof);
        self.stage = Stage::Ready(question.hello);
        self.heard = now;
        self.good(&Reply { code: 250, ..reply.clone() }.for_device(), now);
    }

    /// The owner's answer to [`Event::End`]: it is not, and nothing of it will go out.
    pub fn refuse(&mut self, question: EndOfData, refusal: &Refusal, now: Instant) {
        self.stage = Stage::Ready(question.hello);
        self.heard = now;
        self.good(&refusal.reply().for_device(), now);
    }

    /// The peer closed. `None` once it has been told.
    pub(super) fn peer_gone(&mut self, now: Instant) -> Option<Event> {
        match std::mem::replace(&mut self.stage, Stage::Closing(Ending::HungUp)) {
            Stage::Body(receiving) => {
                let summary = receiving.summary();
                self.trace.say(
                    Side::Note,
                    &format!("the peer closed inside the body; its line endings: {}", summary.endings),
                    now,
                );
                Some(Event::Unfinished(summary))
            }
            Stage::Ready(_) => {
                self.quirk(Quirk::NoQuit);
                None
            }
            _ => None,
        }
    }
}

fn quirks_of(summary: &Summary) -> Quirks {
    let mut quirks = Quirks::default();
    if summary.lf_session {
        quirks.add(Quirk::LfBody);
    } else if summary.endings.bare_lf > 0 {
        quirks.add(Quirk::BareLfInBody);
    }
    if summary.endings.bare_cr > 0 {
        quirks.add(Quirk::BareCrInBody);
    }
    quirks
}
