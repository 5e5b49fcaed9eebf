//! One transaction: MAIL, RCPT…, DATA, the body, the dot (RFC 5321 §3.3), pipelined where offered (RFC 2920).
//!
//! Guarantees one reply per recipient, DATA only as the order allows, and that the dot leaves only with `finish`.
//! When a transaction ends early its refusal is raised at once; what the server still has to say about it is read in
//! [`Clearing`] and changes nothing any more.

use std::time::Instant;

use super::hello::Session;
use super::order::{Order, rcpt_line};
use super::reading::Incoming;
use super::stuffing::Stuffing;
use super::wire::Wire;
use super::{Event, Fault, Refused, Stage};
use crate::smtp::extension::Extensions;
use crate::smtp::reply::{Enhanced, Refusal, Reply};
use crate::smtp::trace::Side;
use crate::words::Phase;

/// A transaction under way.
pub(super) struct Transfer {
    session: Session,
    order: Order,
    step: Step,
}

/// What is awaited.
enum Step {
    /// The reply to MAIL.
    Mail,
    /// The reply to the RCPT of recipient `next`; those before it that were refused.
    Recipients { next: usize, refused: Vec<(usize, Refusal)> },
    /// The reply to DATA.
    Data,
    /// More of the body, from our owner.
    Body { stuffing: Stuffing, octets: u64, flow: Flow },
    /// That the octets with the dot are handed out.
    Ending,
    /// The reply to the dot.
    Dot,
}

/// Whose turn it is while the body goes out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// Our owner was asked for more.
    Asked,
    /// Our owner gave something that may not be on its way yet.
    Given,
}

impl Transfer {
    /// Says MAIL, and with PIPELINING what may follow without waiting.
    pub fn begin(session: Session, order: Order, wire: &mut Wire, now: Instant) -> Stage {
        let transfer = Self { session, order, step: Step::Mail };
        let offered = transfer.offered();
        wire.say(&transfer.order.mail_line(&offered), now);
        if transfer.session.pipelining() {
            for recipient in &transfer.order.envelope.recipients {
                wire.say(&rcpt_line(recipient, &offered), now);
            }
            if transfer.data_rides_along() {
                wire.say("DATA", now);
            }
        }
        wire.allow(wire.settings.timeouts.mail, now);
        Stage::Transfer(Box::new(transfer))
    }

    pub fn phase(&self) -> Phase {
        match self.step {
            Step::Mail => Phase::Mail,
            Step::Recipients { .. } => Phase::Recipient,
            Step::Data => Phase::Data,
            Step::Body { .. } | Step::Ending => Phase::Body,
            Step::Dot => Phase::Dot,
        }
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Octets of the content, from our owner.
    pub fn body(&mut self, chunk: &[u8], wire: &mut Wire, now: Instant) {
        if let Step::Body { stuffing, octets, flow } = &mut self.step {
            // A little room for stuffed dots, so that the usual chunk is copied once.
            wire.out().reserve(chunk.len() + 64);
            stuffing.write(chunk, wire.out());
            *octets += chunk.len() as u64;
            *flow = Flow::Given;
            wire.allow(wire.settings.timeouts.block, now);
        }
    }

    /// The content is complete.
    pub fn finish(&mut self, wire: &mut Wire, now: Instant) {
        if let Step::Body { stuffing, octets, .. } = self.step {
            stuffing.finish(wire.out());
            if wire.trace.recording() {
                wire.trace.say(Side::Note, &format!("{octets} octets of body"), now);
                wire.trace.say(Side::Client, ".", now);
            }
            self.step = Step::Ending;
        }
    }

    /// Octets are handed out to be written.
    pub fn handed_out(&mut self, wire: &mut Wire, now: Instant) {
        match self.step {
            Step::Ending => {
                self.step = Step::Dot;
                wire.allow(wire.settings.timeouts.final_dot, now);
            }
            Step::Body { .. } => wire.allow(wire.settings.timeouts.block, now),
            _ => {}
        }
    }

    /// Whether the owner is to be asked for more, which it is once per chunk.
    pub fn ask(&mut self) -> bool {
        match &mut self.step {
            Step::Body { flow, .. } => std::mem::replace(flow, Flow::Asked) == Flow::Given,
            _ => false,
        }
    }

    /// A reply came.
    pub fn answered(mut self: Box<Self>, incoming: &Incoming, wire: &mut Wire, now: Instant) -> Stage {
        let phase = self.phase();
        match self.step {
            Step::Mail => self.mail_answered(incoming, wire, now),
            Step::Recipients { next, ref mut refused } => {
                let refused = std::mem::take(refused);
                self.recipient_answered(next, refused, incoming, wire, now)
            }
            Step::Data => self.data_answered(incoming, wire, now),
            // Nothing was asked: a server that says no now will not take the rest, and cannot be told to stop.
            Step::Body { .. } | Step::Ending if incoming.class() > 3 => {
                wire.fail(Fault::Reply { phase, reply: wire.reply(incoming) })
            }
            Step::Dot if incoming.class() != 3 => {
                wire.raise(Event::Finished(wire.reply(incoming)));
                ready(self.session, wire, now)
            }
            Step::Body { .. } | Step::Ending | Step::Dot => wire.misplaced(phase, incoming),
        }
    }

    fn mail_answered(self: Box<Self>, incoming: &Incoming, wire: &mut Wire, now: Instant) -> Stage {
        if incoming.class() == 2 {
            return self.next_recipient(0, Vec::new(), wire, now);
        }
        let Ok(refusal) = Refusal::try_from(wire.reply(incoming)) else {
            return wire.misplaced(Phase::Mail, incoming);
        };
        wire.raise(Event::Refused(Refused::Mail(refusal)));
        if !self.session.pipelining() {
            return ready(self.session, wire, now);
        }
        let data_open = self.data_rides_along();
        let outstanding = self.order.envelope.recipients.len() + usize::from(data_open);
        Clearing { session: self.session, outstanding, data_open, next: Next::Nothing }.settle(wire, now)
    }

    fn recipient_answered(
        self: Box<Self>,
        index: usize,
        mut refused: Vec<(usize, Refusal)>,
        incoming: &Incoming,
        wire: &mut Wire,
        now: Instant,
    ) -> Stage {
        if incoming.class() == 3 {
            return wire.misplaced(Phase::Recipient, incoming);
        }
        let reply = too_many_is_temporary(wire.reply(incoming));
        if !reply.is_positive() {
            refused.extend(Refusal::try_from(reply.clone()).map(|refusal| (index, refusal)));
        }
        wire.raise(Event::Recipient { index, reply });
        self.next_recipient(index + 1, refused, wire, now)
    }

    /// Goes on to recipient `next`, or to what follows the last one.
    fn next_recipient(
        mut self: Box<Self>,
        next: usize,
        refused: Vec<(usize, Refusal)>,
        wire: &mut Wire,
        now: Instant,
    ) -> Stage {
        let recipients = &self.order.envelope.recipients;
        if let Some(recipient) = recipients.get(next) {
            if !self.session.pipelining() {
                wire.say(&rcpt_line(recipient, &self.offered()), now);
            }
            wire.allow(wire.settings.timeouts.rcpt, now);
            self.step = Step::Recipients { next, refused };
            return Stage::Transfer(self);
        }
        let none_left = refused.len() == recipients.len();
        if none_left || (self.order.all_or_nothing && !refused.is_empty()) {
            let data_open = self.data_rides_along();
            wire.raise(Event::Refused(Refused::Recipients(refused)));
            return Clearing::begin(self.session, data_open, wire, now);
        }
        if !self.data_rides_along() {
            wire.say("DATA", now);
        }
        wire.allow(wire.settings.timeouts.data, now);
        self.step = Step::Data;
        Stage::Transfer(self)
    }

    fn data_answered(mut self: Box<Self>, incoming: &Incoming, wire: &mut Wire, now: Instant) -> Stage {
        if incoming.class() == 3 {
            self.step = Step::Body { stuffing: Stuffing::Start, octets: 0, flow: Flow::Asked };
            wire.allow(wire.settings.timeouts.block, now);
            wire.raise(Event::Go);
            return Stage::Transfer(self);
        }
        let Ok(refusal) = Refusal::try_from(wire.reply(incoming)) else {
            return wire.misplaced(Phase::Data, incoming);
        };
        wire.raise(Event::Refused(Refused::Data(refusal)));
        Clearing::begin(self.session, false, wire, now)
    }

    /// Whether DATA goes out before the recipients' replies are known. With one recipient all or nothing is certain
    /// anyhow: if it is refused nobody is left, and what the server says to DATA then changes nothing (RFC 2920 §3.1).
    fn data_rides_along(&self) -> bool {
        let sure = !self.order.all_or_nothing || self.order.envelope.recipients.len() == 1;
        self.session.pipelining() && sure
    }

    fn offered(&self) -> std::borrow::Cow<'_, Extensions> {
        match &self.session.offered {
            Some(offered) => std::borrow::Cow::Borrowed(offered),
            None => std::borrow::Cow::Owned(Extensions::default()),
        }
    }
}

/// Reading the replies to the end of a transaction whose outcome is known.
pub(super) struct Clearing {
    session: Session,
    /// Replies still to come; at least one.
    outstanding: usize,
    /// Whether the last of them answers a DATA that was sent ahead.
    data_open: bool,
    next: Next,
}

/// What to do when the transaction is cleared away.
enum Next {
    Nothing,
    Transfer(Box<Order>),
    Quit,
}

impl Clearing {
    /// After a transaction that got past MAIL: the DATA sent ahead is answered, or RSET ends it now.
    fn begin(session: Session, data_open: bool, wire: &mut Wire, now: Instant) -> Stage {
        if !data_open {
            wire.say("RSET", now);
        }
        Self { session, outstanding: 1, data_open, next: Next::Nothing }.settle(wire, now)
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
        let last = self.outstanding == 1;
        match incoming.class() {
            // RFC 2920 §3.1: DATA was accepted although nobody is there to receive it.
            3 if last && self.data_open => {
                wire.say(".", now);
                self.data_open = false;
            }
            3 => return wire.misplaced(Phase::Mail, incoming),
            4 | 5 if last && self.data_open => {
                wire.say("RSET", now);
                self.data_open = false;
            }
            _ => self.outstanding -= 1,
        }
        self.settle(wire, now)
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

fn ready(session: Session, wire: &mut Wire, now: Instant) -> Stage {
    wire.rest(now);
    Stage::Ready { session, next: Phase::Mail }
}

/// RFC 5321 §4.5.3.1.10: a client treats 552 to RCPT as 452, since old servers mean "too many recipients" by it.
fn too_many_is_temporary(reply: Reply) -> Reply {
    match reply {
        Reply { code: 552, enhanced, text } => {
            let enhanced = enhanced.map(|Enhanced(_, subject, detail)| Enhanced(4, subject, detail));
            Reply { code: 452, enhanced, text }
        }
        other => other,
    }
}
