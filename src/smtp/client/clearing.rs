//! Reading the replies to the end of a transaction whose outcome is known.
//!
//! Guarantees that the server is as it was before MAIL when the next transaction begins, without a message that nobody
//! meant: a DATA that was sent ahead and accepted although no recipient was is ended with a lone dot (RFC 2920 §3.1).
//! What is read here changes nothing any more.

use std::time::Instant;

use super::Stage;
use super::hello::Session;
use super::order::Order;
use super::reading::Incoming;
use super::transfer::{Transfer, ready};
use super::wire::Wire;
use crate::words::Phase;

/// What is left of a transaction.
pub(super) struct Clearing {
    session: Session,
    /// Replies still to come; at least one.
    outstanding: usize,
    end: End,
    next: Next,
}

/// What the last of the outstanding replies asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing: with it the transaction is over.
    Over,
    /// It answers a DATA that was sent ahead.
    Data,
    /// RSET is to follow it.
    Reset,
}

/// What to do when the transaction is cleared away.
enum Next {
    Nothing,
    Transfer(Box<Order>),
    Quit,
}

impl Clearing {
    /// So many replies are still to come.
    pub fn of(session: Session, outstanding: usize, end: End, wire: &mut Wire, now: Instant) -> Stage {
        Self { session, outstanding, end, next: Next::Nothing }.settle(wire, now)
    }

    /// After a transaction whose recipients were all answered: RSET ends it now.
    pub fn reset(session: Session, wire: &mut Wire, now: Instant) -> Stage {
        wire.say("RSET", now);
        Self::of(session, 1, End::Over, wire, now)
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    pub fn transfer(&mut self, order: Order) {
        self.next = Next::Transfer(Box::new(order));
    }

    pub fn quit(&mut self) {
        self.next = Next::Quit;
    }

    /// A reply came.
    pub fn answered(mut self, incoming: &Incoming, wire: &mut Wire, now: Instant) -> Stage {
        let end = if self.outstanding == 1 { self.end } else { End::Over };
        match (incoming.class(), end) {
            // RFC 2920 §3.1: DATA was accepted although nobody is there to receive it.
            (3, End::Data) => self.say_last(".", wire, now),
            (3, _) => return wire.misplaced(Phase::Mail, incoming),
            (4 | 5, End::Data) | (_, End::Reset) => self.say_last("RSET", wire, now),
            _ => self.outstanding -= 1,
        }
        self.settle(wire, now)
    }

    /// Says what ends it; one more reply is to come.
    fn say_last(&mut self, line: &str, wire: &mut Wire, now: Instant) {
        wire.say(line, now);
        self.end = End::Over;
    }

    fn settle(self, wire: &mut Wire, now: Instant) -> Stage {
        wire.allow(wire.settings.timeouts.mail, now);
        match self.next {
            _ if self.outstanding > 0 => Stage::Clearing(Box::new(self)),
            Next::Nothing => ready(self.session, wire, now),
            Next::Transfer(order) => Transfer::begin(self.session, *order, wire, now),
            Next::Quit => wire.quit(now),
        }
    }
}
