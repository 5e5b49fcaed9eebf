//! The client's side of SMTP: from the greeting of a provider to its reply to the final dot (RFC 5321, 3207, 4954).
//!
//! A [`Client`] never sees a socket. Each stage owns what it knows, so that TLS forgets the EHLO before it and a fault
//! cannot be followed by a command. Guarantees: a failure is [`Phase::Dot`] if and only if octets of the terminating
//! `CRLF.CRLF` may have left; errors after the reply to the dot change nothing; memory is bounded whatever the server
//! sends. Chooses no mechanism and judges no reply: that is `upstream`'s and `diagnosis`' part.

mod clearing;
mod fault;
mod hello;
mod login;
mod order;
mod reading;
mod settings;
mod stuffing;
mod transfer;
mod wire;

use std::sync::Arc;
use std::time::Instant;

pub use fault::Fault;
pub use login::Login;
pub use order::{CannotCarry, Order};
pub use settings::{Settings, StartTls, Timeouts};

use self::clearing::Clearing;
use self::hello::{Hello, Session};
use self::login::Exchange;
use self::reading::{Incoming, NotAReply, Reader};
use self::transfer::Transfer;
use self::wire::Wire;
use super::extension::Extensions;
use super::reply::{Refusal, Reply};
use super::trace::Trace;
use super::{Conversation, Output};
use crate::words::Phase;

/// What happens in the dialogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The server is ready for the TLS handshake; do it and call [`Client::secured`]. Read nothing more in clear: what
    /// was read already, pass to `receive`, which then fails.
    Upgrade,
    /// EHLO is done: [`Client::offered`] says what may follow.
    Ready,
    /// Signed in.
    LoggedIn,
    /// The reply to one RCPT, in order; the index is that of the recipient in the order's envelope.
    Recipient { index: usize, reply: Reply },
    /// The server waits for the body: call [`Client::body`] or [`Client::finish`].
    Go,
    /// The chunk before was handed out and its write was done: the next one, please.
    More,
    /// The reply to the dot: the commit point. The client is ready for the next transaction, or in the midst of the one
    /// that follows: every event from here on is of that one.
    Finished(Reply),
    /// The transaction ended before the body. The client is ready for the next one.
    Refused(Refused),
    /// A reply came in this phase; raised ahead of what follows from it, and only after [`Client::narrate`].
    Heard { phase: Phase, reply: Reply },
    /// The connection is of no further use. If the server still listens it is told QUIT; `Close` follows in any case.
    Failed(Fault),
}

/// What ended a transaction before its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// MAIL was refused; no recipient was heard.
    Mail(Refusal),
    /// These recipients, all of them or, in an all-or-nothing order, at least one. Each was raised already.
    Recipients(Vec<(usize, Refusal)>),
    /// DATA was refused although recipients had been accepted.
    Data(Refusal),
}

/// The dialogue with one server over one connection.
///
/// Calling order, besides that of [`Conversation`]: `secured` after [`Event::Upgrade`]; `login` after
/// [`Event::Ready`]; `transfer` after `Ready`, `LoggedIn`, `Finished` or `Refused`; `body` once after [`Event::Go`]
/// and after each [`Event::More`]; `finish` instead of, or right after, any `body`; `follow` right after `finish`. A
/// last `body`, `finish` and `follow` without a `poll` between them leave in one write. A call that does not fit the stage does nothing, because the stage may
/// have failed meanwhile; the event that says so is on its way.
pub struct Client {
    stage: Stage,
    reader: Reader,
    wire: Wire,
}

enum Stage {
    /// Waiting for the 220.
    Greeting,
    Hello(Hello),
    /// Waiting for the 220 to STARTTLS.
    StartTls,
    /// Waiting for `secured`; nothing may come.
    Upgrading,
    /// Nothing is outstanding; `next` is the phase that would begin now.
    Ready {
        session: Session,
        next: Phase,
    },
    Login {
        session: Session,
        exchange: Box<Exchange>,
    },
    Transfer(Box<Transfer>),
    Clearing(Box<Clearing>),
    /// Waiting for the reply to QUIT; whatever comes is right.
    Quitting,
    Over,
}

impl Client {
    /// A client that waits for the greeting. With implicit TLS, make it after the handshake.
    #[must_use]
    pub fn new(settings: Arc<Settings>, trace: Trace, now: Instant) -> Self {
        Self { stage: Stage::Greeting, reader: Reader::default(), wire: Wire::new(settings, trace, now) }
    }

    /// From now on every reply is raised as [`Event::Heard`], for an owner who shows the dialogue to somebody.
    pub fn narrate(&mut self) {
        self.wire.narrates = true;
    }

    /// Whether events wait to be polled: then [`Client::phase`] is ahead of what the owner knows.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.wire.has_news()
    }

    /// What the server offers; `None` before EHLO and with a server that only knows HELO.
    #[must_use]
    pub fn offered(&self) -> Option<&Extensions> {
        let session = match &self.stage {
            Stage::Ready { session, .. } | Stage::Login { session, .. } => session,
            Stage::Transfer(transfer) => transfer.session(),
            Stage::Clearing(clearing) => clearing.session(),
            _ => return None,
        };
        session.offered.as_deref()
    }

    /// Whether a transaction may begin now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.stage, Stage::Ready { .. } | Stage::Clearing(_))
    }

    /// Where the dialogue stands: a connection that breaks now breaks in this phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match &self.stage {
            Stage::Greeting => Phase::Greeting,
            Stage::Hello(_) => Phase::Hello,
            Stage::StartTls => Phase::StartTls,
            Stage::Upgrading => Phase::Tls,
            Stage::Ready { next, .. } => *next,
            Stage::Login { .. } => Phase::Auth,
            Stage::Transfer(transfer) => transfer.phase(),
            Stage::Clearing(_) => Phase::Mail,
            Stage::Quitting | Stage::Over => Phase::Quit,
        }
    }

    /// The handshake after [`Event::Upgrade`] is done: everything begins anew (RFC 3207 §4.2).
    pub fn secured(&mut self, now: Instant) {
        if matches!(self.stage, Stage::Upgrading) {
            self.stage = Hello::begin(StartTls::Never, &mut self.wire, now);
        }
    }

    /// Signs in. Whether the mechanism is offered, and the connection fit for a credential, is the owner's to know.
    pub fn login(&mut self, login: &Login, now: Instant) {
        self.stage = match self.take_stage() {
            Stage::Ready { session, .. } => {
                let exchange = Box::new(Exchange::begin(login, &mut self.wire, now));
                Stage::Login { session, exchange }
            }
            other => other,
        };
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// When this server cannot carry the message; nothing was said and the client stays ready.
    pub fn transfer(&mut self, order: Order, now: Instant) -> Result<(), CannotCarry> {
        if self.is_ready() {
            match self.offered() {
                Some(offered) => order.check(offered)?,
                None => order.check(&Extensions::default())?,
            }
        }
        self.stage = match self.take_stage() {
            Stage::Ready { session, .. } => Transfer::begin(session, order, &mut self.wire, now),
            Stage::Clearing(mut clearing) => {
                clearing.transfer(order);
                Stage::Clearing(clearing)
            }
            other => other,
        };
        Ok(())
    }

    /// Content with CRLF line endings, in chunks of any size; 64 KiB is a good one.
    pub fn body(&mut self, chunk: &[u8], now: Instant) {
        if let Stage::Transfer(transfer) = &mut self.stage {
            transfer.body(chunk, &mut self.wire, now);
        }
    }

    /// The content is complete: the dot follows. Until `poll` hands it out the message can still be taken back, by
    /// dropping the connection.
    pub fn finish(&mut self, now: Instant) {
        if let Stage::Transfer(transfer) = &mut self.stage {
            transfer.finish(&mut self.wire, now);
        }
    }

    /// The next transaction follows this one: its envelope leaves in the same write as the dot (RFC 2920 §3.1). False
    /// when it cannot: nothing was said of it, and it may begin when this one has ended.
    ///
    /// Until [`Event::Finished`] a connection that breaks breaks for this transaction; the next one was not sent then.
    #[must_use = "tells whether it was begun"]
    pub fn follow(&mut self, order: Order, now: Instant) -> bool {
        match &mut self.stage {
            Stage::Transfer(transfer) => transfer.follow(order, &mut self.wire, now),
            _ => false,
        }
    }

    /// Ends the transaction under way without sending its message, if the server can still be told so: before DATA.
    /// Then the client is ready for the next one.
    pub fn give_up(&mut self, now: Instant) {
        self.stage = match self.take_stage() {
            Stage::Transfer(transfer) => transfer.give_up(&mut self.wire, now).unwrap_or_else(Stage::Transfer),
            other => other,
        };
    }

    /// Says QUIT when the dialogue allows it, else ends without a word.
    pub fn quit(&mut self, now: Instant) {
        self.stage = match self.take_stage() {
            Stage::Ready { .. } => self.wire.quit(now),
            Stage::Clearing(mut clearing) => {
                clearing.quit();
                Stage::Clearing(clearing)
            }
            Stage::Quitting => Stage::Quitting,
            _ => self.wire.abandon(),
        };
    }

    fn take_stage(&mut self) -> Stage {
        std::mem::replace(&mut self.stage, Stage::Over)
    }

    fn answered(&mut self, incoming: &Incoming, now: Instant) {
        let phase = self.phase();
        let wire = &mut self.wire;
        self.stage = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Quitting | Stage::Over => Stage::Over,
            // RFC 5321 §3.8: the server is closing, whatever it was asked.
            _ if incoming.code == 421 => wire.fail(Fault::Reply { phase, reply: wire.reply(incoming) }),
            Stage::Greeting => hello::greeted(incoming, wire, now),
            Stage::Hello(hello) => hello.answered(incoming, wire, now),
            Stage::StartTls => hello::starttls_answered(incoming, wire, now),
            Stage::Login { session, exchange } => exchange.answered(session, incoming, wire, now),
            Stage::Transfer(transfer) => transfer.answered(incoming, wire, now),
            Stage::Clearing(clearing) => clearing.answered(incoming, wire, now),
            Stage::Upgrading | Stage::Ready { .. } => wire.misplaced(phase, incoming),
        };
    }

    /// Octets that are no reply came.
    fn garbage(&mut self, octets: &[u8]) {
        self.stage = match self.take_stage() {
            Stage::Quitting | Stage::Over => Stage::Over,
            stage => {
                self.stage = stage;
                let phase = self.phase();
                self.wire.garbage(phase, octets)
            }
        };
    }
}

impl Conversation for Client {
    type Event = Event;

    fn receive(&mut self, octets: &[u8], now: Instant) {
        let mut rest = octets;
        while !rest.is_empty() && !matches!(self.stage, Stage::Over) {
            if matches!(self.stage, Stage::Upgrading) {
                let host = self.wire.settings.host.clone();
                self.stage = self.wire.fail(Fault::StartTlsInjected { host });
                return;
            }
            let step = match self.reader.line(&mut rest) {
                Ok(None) => return,
                Ok(Some(line)) => self.reader.add(&line),
                Err(NotAReply(beginning)) => Err(NotAReply(beginning)),
            };
            match step {
                Ok(None) => {}
                Ok(Some(incoming)) => {
                    let phase = self.phase();
                    self.wire.heard(phase, &incoming, now);
                    self.answered(&incoming, now);
                }
                Err(NotAReply(octets)) => {
                    self.wire.heard_odd(&octets, now);
                    self.garbage(&octets);
                }
            }
        }
    }

    fn hung_up(&mut self, _: Instant) {
        let phase = self.phase();
        self.stage = match (self.take_stage(), self.reader.nonsense()) {
            (Stage::Quitting | Stage::Over, _) => Stage::Over,
            // Whatever this server speaks, a TLS alert perhaps, it is worth showing.
            (_, Some(octets)) => self.wire.garbage(phase, octets),
            (_, None) => self.wire.fail(Fault::Closed { phase }),
        };
    }

    fn poll(&mut self, now: Instant) -> Output<Event> {
        if now >= self.wire.deadline() {
            let phase = self.phase();
            let seconds = self.wire.patience().as_secs();
            self.stage = match self.take_stage() {
                Stage::Quitting | Stage::Over => Stage::Over,
                _ => self.wire.fail(Fault::TimedOut { phase, seconds }),
            };
        }
        if let Some(output) = self.wire.next() {
            if let (Output::Send(_), Stage::Transfer(transfer)) = (&output, &mut self.stage) {
                transfer.handed_out(&mut self.wire, now);
            }
            return output;
        }
        let asks = match &mut self.stage {
            Stage::Transfer(transfer) => transfer.ask(),
            _ => false,
        };
        match self.stage {
            Stage::Over => Output::Close,
            _ if asks => Output::Event(Event::More),
            _ => Output::Wait(self.wire.deadline()),
        }
    }

    fn trace(&mut self) -> &mut Trace {
        &mut self.wire.trace
    }
}

#[cfg(test)]
mod tests;
