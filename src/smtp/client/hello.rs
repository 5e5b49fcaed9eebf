//! From the greeting to a usable connection: EHLO, STARTTLS, EHLO again (RFC 5321 §3.1–3.2, RFC 3207).
//!
//! Guarantees that STARTTLS is never skipped when required, that a refusal of it never leads on in clear, and that
//! nothing heard before the handshake survives it: the [`Session`] is only made by the last EHLO. HELO is tried only
//! where neither STARTTLS nor AUTH is needed, since it offers neither.

use std::time::Instant;

use super::reading::Incoming;
use super::wire::Wire;
use super::{Event, Fault, Stage, StartTls};
use crate::smtp::extension::Extensions;
use crate::words::Phase;

/// What is known about the server on this connection, after the last EHLO or HELO.
#[derive(Debug)]
pub(super) struct Session {
    /// None after HELO.
    pub offered: Option<Box<Extensions>>,
}

impl Session {
    pub fn pipelining(&self) -> bool {
        self.offered.as_ref().is_some_and(|offered| offered.pipelining)
    }
}

/// Waiting for the reply to EHLO or HELO.
pub(super) struct Hello {
    starttls: StartTls,
    verb: Verb,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Ehlo,
    Helo,
}

/// The greeting came.
pub(super) fn greeted(incoming: &Incoming, wire: &mut Wire, now: Instant) -> Stage {
    match incoming.class() {
        2 => Hello::begin(wire.settings.starttls, wire, now),
        3 => wire.misplaced(Phase::Greeting, incoming),
        _ => {
            // RFC 5321 §3.1: a server that greets with 554 waits for our QUIT.
            let reply = wire.reply(incoming);
            wire.take_leave(Fault::Reply { phase: Phase::Greeting, reply }, now)
        }
    }
}

/// The reply to STARTTLS came.
pub(super) fn starttls_answered(incoming: &Incoming, wire: &mut Wire, now: Instant) -> Stage {
    match incoming.class() {
        2 => {
            wire.rest(now);
            wire.raise(Event::Upgrade);
            Stage::Upgrading
        }
        3 => wire.misplaced(Phase::StartTls, incoming),
        _ => {
            let (host, reply) = (wire.settings.host.clone(), wire.reply(incoming));
            wire.take_leave(Fault::StartTlsRefused { host, reply }, now)
        }
    }
}

impl Hello {
    /// Says EHLO.
    pub fn begin(starttls: StartTls, wire: &mut Wire, now: Instant) -> Stage {
        Self { starttls, verb: Verb::Ehlo }.say(wire, now)
    }

    fn say(self, wire: &mut Wire, now: Instant) -> Stage {
        let verb = match self.verb {
            Verb::Ehlo => "EHLO",
            Verb::Helo => "HELO",
        };
        // Whatever the machine is called, its name cannot end the line.
        let name: String = wire.settings.helo_name.chars().filter(char::is_ascii_graphic).collect();
        wire.say(&format!("{verb} {name}"), now);
        wire.allow(wire.settings.timeouts.hello, now);
        Stage::Hello(self)
    }

    /// The reply came.
    pub fn answered(self, incoming: &Incoming, wire: &mut Wire, now: Instant) -> Stage {
        match incoming.class() {
            2 if self.verb == Verb::Helo => ready(Session { offered: None }, wire, now),
            2 => self.offered(Extensions::read(incoming.lines()), wire, now),
            3 => wire.misplaced(Phase::Hello, incoming),
            _ if self.may_fall_back(incoming.code, wire) => Self { verb: Verb::Helo, ..self }.say(wire, now),
            _ => {
                let reply = wire.reply(incoming);
                wire.take_leave(Fault::Reply { phase: Phase::Hello, reply }, now)
            }
        }
    }

    fn offered(self, mut offered: Extensions, wire: &mut Wire, now: Instant) -> Stage {
        offered.pipelining &= wire.settings.pipelining;
        match self.starttls {
            StartTls::IfOffered | StartTls::Required if offered.starttls => {
                wire.say("STARTTLS", now);
                wire.allow(wire.settings.timeouts.starttls, now);
                Stage::StartTls
            }
            StartTls::Required => {
                let host = wire.settings.host.clone();
                wire.take_leave(Fault::StartTlsNotOffered { host }, now)
            }
            StartTls::IfOffered | StartTls::Never => ready(Session { offered: Some(Box::new(offered)) }, wire, now),
        }
    }

    /// RFC 5321 §3.2: HELO where EHLO is not understood.
    fn may_fall_back(&self, code: u16, wire: &Wire) -> bool {
        let not_understood = matches!(code, 500 | 502 | 504 | 550);
        let enough = self.starttls != StartTls::Required && !wire.settings.needs_login;
        self.verb == Verb::Ehlo && not_understood && enough
    }
}

fn ready(session: Session, wire: &mut Wire, now: Instant) -> Stage {
    wire.rest(now);
    wire.raise(Event::Ready);
    Stage::Ready { session, next: Phase::Auth }
}
