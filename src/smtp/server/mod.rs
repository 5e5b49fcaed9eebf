//! The server's side of the dialogue: what a device hears.
//!
//! A state machine without IO. It knows the order of commands, the limits and the liberties; whatever is a matter of
//! policy it asks as a `#[must_use]` question that owns the way on. Guarantees one reply per command, in order, and
//! that a body is answered with 250 only by consuming an `A` (in the relay: `queue::Accepted`, which only the queue
//! can make). Does not know accounts, addresses of peers or files.

mod commands;
mod intruder;
mod login;
mod receiving;
mod terms;
mod transaction;

#[cfg(test)]
mod tests;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;

use super::line::Lines;
use super::quirk::{Quirk, Quirks};
use super::reply::Reply;
use super::trace::{Side, Trace};
use super::{Conversation, Output};

pub use intruder::Intruder;
pub use login::LoginQuestion;
pub use receiving::EndOfData;
pub use terms::{Auth, Ending, Event, Hello, LineEndings, Security, Settings};
pub use transaction::{RecipientQuestion, SenderQuestion};

use login::Exchange;
use receiving::Receiving;
use transaction::Transaction;

/// What is to be done between lines; each variant owns what that stage knows.
#[derive(Debug)]
enum Stage {
    /// Nothing has been said yet.
    Connected,
    /// Greeted, or TLS just began.
    Fresh,
    Ready(Hello),
    Login(Hello, Exchange),
    Mail(Box<Transaction>),
    Body(Box<Receiving>),
    /// The end of data was read; octets of the body may still have to be handed out.
    BodyEnded(Box<Receiving>),
    /// A question is out and owns the next stage.
    Asked,
    /// The reply to a failed login waits (RFC 4954 §9: delays against guessing).
    Delayed {
        until: Instant,
        reply: Reply,
        then: Box<Stage>,
    },
    /// The `220` to STARTTLS is to be flushed.
    StartTls,
    /// Waiting for the handshake.
    Upgrading,
    /// The last reply is to be flushed, and the reason told.
    Closing(Ending),
    Closed,
}

/// Ten bad commands in a row end a session (promise 10).
const BAD_COMMANDS: u8 = 10;
/// Octets of replies that gather before they are sent although there is more to do: a short command may have a long
/// reply.
const REPLIES: usize = 16 * 1024;
/// Octets kept while a delayed reply waits.
const DELAYED_LIMIT: usize = 64 * 1024;

/// What is to be expected after the last command that could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Command,
    /// That was DATA, and refused: a device that does not listen sends its body all the same.
    PerhapsBody,
}

/// The dialogue. `A` is the proof that a message was accepted.
#[derive(Debug)]
pub struct Server<A> {
    settings: Arc<Settings>,
    security: Security,
    /// Who signed in is for the owner to remember, if the name is one of its own.
    signed_in: bool,
    stage: Stage,
    lines: Lines,
    out: Vec<u8>,
    seen: Quirks,
    untold: Quirks,
    /// A command line ended in CRLF: no LF session any more (promise 2).
    strict: bool,
    eof: bool,
    bad_commands: u8,
    expected: Expected,
    failed_logins: u8,
    /// Challenges given so far; each gets its number.
    challenges: u32,
    /// When the last complete line came, or the last answer of the owner was given.
    heard: Instant,
    /// When the last octets came.
    arrived: Instant,
    trace: Trace,
    proof: PhantomData<fn(A)>,
}

impl<A> Server<A> {
    /// A dialogue that has not said anything yet; the first `poll` greets. `recording`: keep a transcript.
    #[must_use]
    pub fn new(settings: Arc<Settings>, security: Security, recording: bool, now: Instant) -> Self {
        Self {
            strict: settings.line_endings != LineEndings::Auto,
            settings,
            security,
            signed_in: false,
            stage: Stage::Connected,
            lines: Lines::default(),
            out: Vec::new(),
            seen: Quirks::default(),
            untold: Quirks::default(),
            eof: false,
            bad_commands: 0,
            expected: Expected::Command,
            failed_logins: 0,
            challenges: 0,
            heard: now,
            arrived: now,
            trace: Trace::new(now, recording),
            proof: PhantomData,
        }
    }

    /// Whether the device signed in.
    #[must_use]
    pub fn is_signed_in(&self) -> bool {
        self.signed_in
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.security.tls
    }

    /// Whether QUIT is among what has come and is not read yet: a script that sent everything ahead and closed means
    /// it.
    #[must_use]
    pub fn has_quit_ahead(&self) -> bool {
        self.lines.rest().split(|&c| c == b'\n').any(|line| line.trim_ascii().eq_ignore_ascii_case(b"QUIT"))
    }

    fn has_more(&self) -> bool {
        !self.lines.rest().is_empty()
    }

    /// Whether the session is idle before MAIL, and so may be dismissed when room is needed. One that was asked for a
    /// credential and stays silent is idle too.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Connected | Stage::Fresh | Stage::Ready(_) | Stage::Login(..))
    }

    /// The handshake is done: everything said before is forgotten (RFC 3207 §4.2).
    pub fn secured(&mut self, now: Instant) {
        self.security.tls = true;
        self.signed_in = false;
        self.lines.clear();
        self.stage = Stage::Fresh;
        self.heard = now;
        self.trace.say(Side::Note, "TLS begins", now);
    }

    /// Ends the session with `421` at once (RFC 5321 §3.8); a body under way is not taken.
    pub fn dismiss(&mut self, text: &'static str, now: Instant) {
        if !matches!(self.stage, Stage::Closing(_) | Stage::Closed) {
            self.close_with(&Reply::new(421, 3, 2, text), Ending::Dismissed, now);
        }
    }

    fn reply(&mut self, reply: &Reply, now: Instant) {
        let from = self.out.len();
        reply.write(&mut self.out);
        if self.trace.recording() {
            for line in self.out[from..].split(|&c| c == b'\n').filter(|l| !l.is_empty()) {
                self.trace.say(Side::Server, String::from_utf8_lossy(line).trim_end(), now);
            }
        }
    }

    fn good(&mut self, reply: &Reply, now: Instant) {
        self.bad_commands = 0;
        self.reply(reply, now);
    }

    fn bad(&mut self, reply: &Reply, now: Instant) {
        self.bad_commands += 1;
        if self.bad_commands >= BAD_COMMANDS {
            self.close_with(&Reply::new(421, 5, 0, "Too many bad commands, closing"), Ending::BadCommands, now);
        } else {
            self.reply(reply, now);
        }
    }

    fn close_with(&mut self, reply: &Reply, ending: Ending, now: Instant) {
        // 421 carries the class of its own code.
        self.reply(reply, now);
        self.stage = Stage::Closing(ending);
        self.lines.clear();
    }

    fn quirk(&mut self, quirk: Quirk) {
        let mut one = Quirks::default();
        one.add(quirk);
        self.quirks(one);
    }

    fn quirks(&mut self, quirks: Quirks) {
        self.untold = self.untold.and(self.seen.merge(quirks));
    }

    fn next_quirk(&mut self) -> Option<Quirk> {
        let quirk = self.untold.iter().next()?;
        self.untold.remove(quirk);
        Some(quirk)
    }

    /// One step: an event for the owner, or `None` when there is nothing to do before more octets come.
    fn advance(&mut self, now: Instant) -> Progress {
        match &mut self.stage {
            Stage::Connected => self.greet(now),
            Stage::Delayed { until, .. } if now >= *until => self.end_delay(now),
            Stage::StartTls if self.out.is_empty() => {
                self.stage = Stage::Upgrading;
                Progress::Event(Event::Upgrade)
            }
            Stage::Body(receiving) | Stage::BodyEnded(receiving) if receiving.has_chunk() => {
                Progress::Event(Event::Body(receiving.take_chunk()))
            }
            // Whatever was said before must be heard before the long wait for an answer.
            Stage::BodyEnded(_) if self.out.is_empty() => self.end_of_data(now),
            Stage::Closing(ending) if self.out.is_empty() => {
                let ending = *ending;
                self.stage = Stage::Closed;
                Progress::Event(Event::Ended(ending))
            }
            Stage::Fresh | Stage::Ready(_) | Stage::Login(..) | Stage::Mail(_) => self.next_line(now),
            _ => Progress::Blocked,
        }
    }

    fn greet(&mut self, now: Instant) -> Progress {
        self.stage = Stage::Fresh;
        if self.has_more() {
            self.quirk(Quirk::TalksBeforeGreeting);
            if let Some(intruder) = intruder::in_octets(self.lines.rest()) {
                return self.turn_away(intruder, now);
            }
        }
        let text = format!("{} ESMTP Posthouse", self.settings.hostname);
        self.reply(&Reply::bare(220, text), now);
        Progress::Again
    }

    fn turn_away(&mut self, intruder: Intruder, now: Instant) -> Progress {
        self.close_with(&Reply::new(554, 5, 1, "This is an SMTP server and nothing else"), Ending::Intruder, now);
        Progress::Event(Event::Intruder(intruder))
    }

    /// A message of a device that did not hear DATA refused. It ends here: its text may hold what looks like commands.
    fn turn_body_away(&mut self, now: Instant) -> Progress {
        self.quirk(Quirk::BodyAfterRefusedData);
        self.close_with(&Reply::new(554, 5, 1, "DATA was refused, closing"), Ending::UnwantedBody, now);
        Progress::Again
    }

    /// Until when the peer may be silent.
    fn deadline(&self) -> Instant {
        match &self.stage {
            Stage::Delayed { until, .. } => *until,
            Stage::Body(receiving) => receiving.deadline(&self.settings),
            Stage::Fresh | Stage::Ready(_) | Stage::Mail(_) => {
                let idle = self.heard + self.settings.idle;
                self.held_until().map_or(idle, |until| until.min(idle))
            }
            _ => self.heard + self.settings.idle,
        }
    }

    /// Until when an empty first line waits for what would make it a PROXY header; after that it is an empty line.
    fn held_until(&self) -> Option<Instant> {
        intruder::may_become_proxy(self.lines.rest()).then(|| self.arrived + intruder::PROXY_PATIENCE)
    }

    fn time_out(&mut self, now: Instant) -> Progress {
        let ending = Reply::new(421, 4, 2, "Timed out, closing");
        let unfinished = match &self.stage {
            Stage::Body(receiving) => Some(receiving.summary()),
            _ => None,
        };
        if let Some(summary) = unfinished {
            let text = format!("the body did not end; its line endings: {}", summary.endings);
            self.trace.say(Side::Note, &text, now);
        }
        self.close_with(&ending, Ending::TimedOut, now);
        unfinished.map_or(Progress::Again, |summary| Progress::Event(Event::Unfinished(summary)))
    }
}

/// What one step led to.
enum Progress {
    Event(Event),
    Again,
    Blocked,
}

impl<A> Conversation for Server<A> {
    type Event = Event;

    fn receive(&mut self, octets: &[u8], now: Instant) {
        self.arrived = now;
        match &mut self.stage {
            Stage::Body(_) => self.receive_body(octets, now),
            // Nothing more is read from a peer that is being shown out.
            Stage::Closing(_) | Stage::Closed | Stage::StartTls | Stage::Upgrading => {}
            Stage::Delayed { .. } if self.lines.rest().len() + octets.len() > DELAYED_LIMIT => {
                let reply = Reply::new(421, 7, 0, "Too much was sent ahead of a reply, closing");
                self.close_with(&reply, Ending::Flood, now);
            }
            _ => self.lines.push(octets),
        }
    }

    fn hung_up(&mut self, _now: Instant) {
        self.eof = true;
    }

    fn poll(&mut self, now: Instant) -> Output<Event> {
        loop {
            if let Some(quirk) = self.next_quirk() {
                return Output::Event(Event::Quirk(quirk));
            }
            if self.out.len() >= REPLIES {
                return Output::Send(std::mem::take(&mut self.out));
            }
            match self.advance(now) {
                Progress::Event(event) => return Output::Event(event),
                Progress::Again => {}
                Progress::Blocked if !self.out.is_empty() => return Output::Send(std::mem::take(&mut self.out)),
                Progress::Blocked if matches!(self.stage, Stage::Closed) => return Output::Close,
                Progress::Blocked if self.eof && !matches!(self.stage, Stage::Asked) => {
                    if let Some(event) = self.peer_gone(now) {
                        return Output::Event(event);
                    }
                }
                Progress::Blocked if now >= self.deadline() => {
                    if let Progress::Event(event) = self.time_out(now) {
                        return Output::Event(event);
                    }
                }
                Progress::Blocked => return Output::Wait(self.deadline()),
            }
        }
    }

    fn trace(&mut self) -> &mut Trace {
        &mut self.trace
    }
}
