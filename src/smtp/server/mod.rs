//! The server's side of the dialogue: what a device hears.
//!
//! A state machine without IO. It knows the order of commands, the limits and the liberties; whatever is a matter of
//! policy it asks as a `#[must_use]` question that owns the way on. Guarantees one reply per command, in order, and
//! that a body is answered with 250 only by consuming an `A` (in the relay: `queue::Accepted`, which only the queue
//! can make). Does not know accounts, addresses of peers or files.

mod intruder;
mod login;
mod receiving;
mod transaction;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::body::Summary;
use super::command::{self, Command, Wrong};
use super::line::{COMMAND_LIMIT, EXCHANGE_LIMIT, Line, LineEnd, Lines};
use super::quirk::{Quirk, Quirks};
use super::reply::{Refusal, Reply};
use super::trace::{Side, Trace};
use super::{Conversation, Output};
use crate::mail::envelope::Envelope;

pub use intruder::Intruder;
pub use login::LoginQuestion;
pub use receiving::EndOfData;
pub use transaction::{RecipientQuestion, SenderQuestion};

use login::Exchange;
use receiving::Receiving;
use transaction::Transaction;

/// What a listener decides for all of its sessions.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Our name in the greeting and in EHLO.
    pub hostname: String,
    /// Whether STARTTLS is offered.
    pub starttls: bool,
    /// Whether AUTH is offered, and needed.
    pub auth: Auth,
    /// Largest body, octets; offered as SIZE.
    pub max_size: u64,
    /// Most recipients of one message.
    pub max_recipients: usize,
    /// How line endings are read.
    pub line_endings: LineEndings,
    /// Silence allowed, measured per complete line.
    pub idle: Duration,
    /// Octets a second a body must keep up on average, beyond `idle`.
    pub minimum_rate: u64,
}

/// Whether a device signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Not offered.
    Off,
    /// Offered.
    Optional,
    /// MAIL is refused without it.
    Required,
}

/// `line_endings = …` of a listener (promise 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEndings {
    /// LF sessions are recognised.
    Auto,
    /// CRLF only, in commands too.
    Strict,
    /// A bare LF or CR in a body is refused with 550 5.6.11 after the true end.
    Reject,
}

/// What holds for one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Security {
    /// TLS is active.
    pub tls: bool,
    /// AUTH may be used without TLS: the peer is on loopback, or the listener says so.
    pub auth_in_clear: bool,
}

/// What a device called itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// As given; never validated and never passed on.
    pub name: String,
    /// EHLO rather than HELO.
    pub esmtp: bool,
}

/// What happens in the dialogue.
#[derive(Debug)]
pub enum Event {
    /// A liberty was taken, the first time in this session.
    Quirk(Quirk),
    /// The peer does not speak SMTP; it has been told so and the connection is about to close.
    Intruder(Intruder),
    /// May this login in?
    Login(LoginQuestion),
    /// May this sender send?
    Sender(SenderQuestion),
    /// May this recipient receive?
    Recipient(RecipientQuestion),
    /// DATA was accepted; body octets follow.
    Message(Box<Envelope>, Hello),
    /// Body octets: unstuffed, with CRLF line endings.
    Body(Vec<u8>),
    /// The end of data: what becomes of the message?
    End(EndOfData),
    /// The dialogue itself refused the message at its end.
    Refused(Refusal, Summary),
    /// The message did not end: the peer fell silent or was too slow. What had come shows its line endings.
    Unfinished(Summary),
    /// `220` to STARTTLS has been written: do the handshake, then call [`Server::secured`].
    Upgrade,
    /// The dialogue ends for this reason, named for the log.
    Ended(Ending),
}

/// Why a dialogue ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// QUIT.
    Quit,
    /// The peer closed the connection.
    HungUp,
    /// No complete line, or not enough of a body, in time.
    TimedOut,
    /// Ten bad commands in a row.
    BadCommands,
    /// Three failed logins.
    FailedLogins,
    /// More octets than anyone may send while waiting for a delayed reply.
    Flood,
    /// The relay itself: shutdown, or room for someone else.
    Dismissed,
    /// The peer does not speak SMTP.
    Intruder,
}

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
/// Octets kept while a delayed reply waits.
const DELAYED_LIMIT: usize = 64 * 1024;

/// The dialogue. `A` is the proof that a message was accepted.
#[derive(Debug)]
pub struct Server<A> {
    settings: Arc<Settings>,
    security: Security,
    login: Option<Box<str>>,
    stage: Stage,
    lines: Lines,
    out: Vec<u8>,
    seen: Quirks,
    untold: Quirks,
    /// A command line ended in CRLF: no LF session any more (promise 2).
    strict: bool,
    eof: bool,
    bad_commands: u8,
    failed_logins: u8,
    heard: Instant,
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
            login: None,
            stage: Stage::Connected,
            lines: Lines::default(),
            out: Vec::new(),
            seen: Quirks::default(),
            untold: Quirks::default(),
            eof: false,
            bad_commands: 0,
            failed_logins: 0,
            heard: now,
            trace: Trace::new(now, recording),
            proof: PhantomData,
        }
    }

    /// The login the device signed in with, if it did.
    #[must_use]
    pub fn login(&self) -> Option<&str> {
        self.login.as_deref()
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.security.tls
    }

    /// Whether octets have come that are not read yet: a peer that sent everything ahead and closed has not hung up.
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.lines.rest().is_empty()
    }

    /// Whether the session is idle before MAIL, and so may be dismissed when room is needed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Connected | Stage::Fresh | Stage::Ready(_))
    }

    /// The handshake is done: everything said before is forgotten (RFC 3207 §4.2).
    pub fn secured(&mut self, now: Instant) {
        self.security.tls = true;
        self.login = None;
        self.lines.clear();
        self.stage = Stage::Fresh;
        self.heard = now;
        self.trace.say(Side::Note, "TLS begins", now);
    }

    /// Ends the session with `421` at the next moment nothing is owed (RFC 5321 §3.8).
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
        let new = self.seen.merge(quirks);
        self.untold.merge(new);
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

    fn next_line(&mut self, now: Instant) -> Progress {
        if let Some(intruder) = intruder::in_octets(self.lines.rest()) {
            return self.turn_away(intruder, now);
        }
        if intruder::may_become_proxy(self.lines.rest()) {
            return Progress::Blocked;
        }
        let in_exchange = matches!(self.stage, Stage::Login(..));
        let limit = if in_exchange { EXCHANGE_LIMIT } else { COMMAND_LIMIT };
        let Some(line) = self.lines.next(limit) else { return Progress::Blocked };
        self.heard = now;
        let (text, end, too_long) = match line {
            Line::Whole(text, end) => (text, end, false),
            Line::TooLong(text, end) => (text, end, true),
        };
        if let Some(intruder) = intruder::in_line(&text).filter(|_| !in_exchange) {
            self.hear(&text, now);
            return self.turn_away(intruder, now);
        }
        self.note_ending(end);
        if in_exchange {
            return self.exchange_line(&text, too_long, now);
        }
        self.hear(&text, now);
        if too_long {
            // RFC 5321 §4.5.3.1.10
            self.bad(&Reply::new(500, 5, 2, "Line too long"), now);
            return Progress::Again;
        }
        if end == LineEnd::Lf && self.settings.line_endings == LineEndings::Strict {
            self.bad(&Reply::new(500, 5, 2, "Lines must end in CRLF"), now);
            return Progress::Again;
        }
        let mut quirks = Quirks::default();
        let parsed = command::parse(&text, &mut quirks);
        self.quirks(quirks);
        match parsed {
            Ok(command) => self.obey(command, now),
            Err(Wrong::Argument(refusal)) => {
                self.bad(refusal.reply(), now);
                Progress::Again
            }
            Err(Wrong::Unknown) => {
                if intruder::looks_like_base64(&text) {
                    self.quirk(Quirk::CredentialOutOfPlace);
                }
                self.bad(&Reply::new(500, 5, 1, "Command unknown"), now);
                Progress::Again
            }
        }
    }

    fn note_ending(&mut self, end: LineEnd) {
        match end {
            LineEnd::CrLf => self.strict = true,
            LineEnd::Lf => self.quirk(Quirk::LfCommands),
        }
    }

    /// Writes a command line down, unless it may be something else (promise 4).
    fn hear(&mut self, line: &[u8], now: Instant) {
        if !self.trace.recording() {
            return;
        }
        match command::verb(line) {
            Some("AUTH") => self.trace.say(Side::Client, &login::transcript_of_auth(line), now),
            Some(_) => self.trace.say(Side::Client, &String::from_utf8_lossy(line), now),
            None => self.trace.say(Side::Client, &format!("unknown, {} octets", line.len()), now),
        }
    }

    fn obey(&mut self, command: Command, now: Instant) -> Progress {
        match command {
            Command::Ehlo(name) => self.hello(Hello { name, esmtp: true }, now),
            Command::Helo(name) => {
                self.quirk(Quirk::HeloOnly);
                self.hello(Hello { name, esmtp: false }, now);
            }
            Command::Mail(sender) => return self.mail(sender, now),
            Command::Rcpt(recipient) => return self.rcpt(recipient, now),
            Command::Data => return self.data(now),
            Command::Auth(argument) => return self.auth(argument, now),
            Command::StartTls => self.starttls(now),
            // RFC 5321 §4.1.1.5: always 250, never closes.
            Command::Rset => {
                if let Stage::Mail(transaction) = std::mem::replace(&mut self.stage, Stage::Fresh) {
                    self.stage = Stage::Ready(transaction.hello);
                }
                self.good(&Reply::new(250, 0, 0, "Ok"), now);
            }
            Command::Noop => self.good(&Reply::new(250, 0, 0, "Ok"), now),
            Command::Vrfy => self.good(&Reply::new(252, 5, 2, "Send some mail, I'll try my best"), now),
            Command::Help => {
                self.good(&Reply::new(214, 0, 0, "This relay takes mail and passes it on to a provider"), now)
            }
            Command::Quit => self.close_with(&Reply::new(221, 0, 0, "Bye"), Ending::Quit, now),
            Command::NotOffered => self.bad(&Reply::new(502, 5, 1, "Not implemented here"), now),
        }
        Progress::Again
    }

    /// RFC 5321 §4.1.1.1; again later it is RSET (§4.1.4).
    fn hello(&mut self, hello: Hello, now: Instant) {
        let mut text = self.settings.hostname.clone();
        if hello.esmtp {
            text.push_str("\nPIPELINING\nSIZE ");
            text.push_str(&self.settings.max_size.to_string());
            text.push_str("\n8BITMIME\nSMTPUTF8\nENHANCEDSTATUSCODES\nDSN");
            if self.may_auth() {
                // PLAIN and LOGIN first and alone: some devices look no further.
                text.push_str("\nAUTH PLAIN LOGIN");
            }
            if self.settings.starttls && !self.security.tls {
                text.push_str("\nSTARTTLS");
            }
            text.push_str("\nHELP");
        }
        self.stage = Stage::Ready(hello);
        self.good(&Reply::bare(250, text), now);
    }

    fn starttls(&mut self, now: Instant) {
        if self.security.tls {
            return self.bad(&Reply::new(503, 5, 1, "TLS is already active"), now);
        }
        if !self.settings.starttls {
            return self.bad(&Reply::new(502, 5, 1, "Not implemented here"), now);
        }
        // RFC 3207 §4.2, CVE-2011-0411: what came in clear behind it is not obeyed, not even answered.
        if self.has_more() {
            self.quirk(Quirk::OctetsAfterStartTls);
        }
        self.lines.clear();
        self.good(&Reply::new(220, 0, 0, "Ready to start TLS"), now);
        self.stage = Stage::StartTls;
    }

    fn turn_away(&mut self, intruder: Intruder, now: Instant) -> Progress {
        self.close_with(&Reply::new(554, 5, 1, "This is an SMTP server and nothing else"), Ending::Intruder, now);
        Progress::Event(Event::Intruder(intruder))
    }

    /// Until when the peer may be silent.
    fn deadline(&self) -> Instant {
        match &self.stage {
            Stage::Delayed { until, .. } => *until,
            Stage::Body(receiving) => receiving.deadline(&self.settings),
            _ if intruder::may_become_proxy(self.lines.rest()) => self.heard + intruder::PROXY_PATIENCE,
            _ => self.heard + self.settings.idle,
        }
    }

    fn time_out(&mut self, now: Instant) -> Progress {
        let ending = Reply::new(421, 4, 2, "Timed out, closing");
        match std::mem::replace(&mut self.stage, Stage::Closed) {
            Stage::Body(receiving) => {
                let summary = receiving.summary();
                self.trace.say(
                    Side::Note,
                    &format!("the body did not end; its line endings: {}", summary.endings),
                    now,
                );
                self.close_with(&ending, Ending::TimedOut, now);
                Progress::Event(Event::Unfinished(summary))
            }
            stage if intruder::may_become_proxy(self.lines.rest()) => {
                // Only an empty line after all.
                self.stage = stage;
                let _ = self.lines.next(COMMAND_LIMIT);
                self.bad(&Reply::new(500, 5, 1, "Command unknown"), now);
                Progress::Again
            }
            _ => {
                self.close_with(&ending, Ending::TimedOut, now);
                Progress::Again
            }
        }
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
        match &mut self.stage {
            Stage::Body(_) => self.receive_body(octets, now),
            // Nothing more is read from a peer that is being shown out.
            Stage::Closing(_) | Stage::Closed | Stage::StartTls | Stage::Upgrading => {}
            Stage::Delayed { .. } if self.lines.rest().len() + octets.len() > DELAYED_LIMIT => {
                self.stage = Stage::Closing(Ending::Flood);
                self.lines.clear();
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
