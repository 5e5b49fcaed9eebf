//! One transaction: MAIL, RCPT…, DATA, the body, the dot (RFC 5321 §3.3), pipelined where offered (RFC 2920).
//!
//! Guarantees one reply per recipient, DATA only as the order allows, and that the dot leaves only with `finish`. The
//! envelope of the next transaction may leave in the same write as the dot of this one; whatever becomes of it then is
//! no concern of this one. When a transaction ends early its refusal is raised at once; what the server still has to
//! say about it is read in [`super::clearing`] and changes nothing any more.

use std::borrow::Cow;
use std::time::Instant;

use super::clearing::{Clearing, End};
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
    Ending { behind: Option<Behind> },
    /// The reply to the dot.
    Dot { behind: Option<Behind> },
}

/// A transaction whose envelope was said behind the dot of the one before.
struct Behind {
    order: Order,
    said: Instant,
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
        envelope(&session, &order, |line| wire.say(line, now));
        wire.allow(wire.settings.timeouts.mail, now);
        Stage::Transfer(Box::new(Self { session, order, step: Step::Mail }))
    }

    /// Says the envelope of the next transaction behind the dot of this one, if that may be.
    pub fn follow(&mut self, order: Order, wire: &mut Wire, now: Instant) -> bool {
        let may = self.session.pipelining() && order.check(&self.offered()).is_ok();
        let Step::Ending { behind: behind @ None } = &mut self.step else { return false };
        if may {
            // It is written down when its turn has come, in the transcript of its own mail.
            wire.trace.say(Side::Note, "the envelope of the next mail goes along", now);
            envelope(&self.session, &order, |line| wire.put(line));
            *behind = Some(Behind { order, said: now });
        }
        may
    }

    pub fn phase(&self) -> Phase {
        match self.step {
            Step::Mail => Phase::Mail,
            Step::Recipients { .. } => Phase::Recipient,
            Step::Data => Phase::Data,
            Step::Body { .. } | Step::Ending { .. } => Phase::Body,
            Step::Dot { .. } => Phase::Dot,
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
            self.step = Step::Ending { behind: None };
        }
    }

    /// Octets are handed out to be written.
    pub fn handed_out(&mut self, wire: &mut Wire, now: Instant) {
        match &mut self.step {
            Step::Ending { behind } => {
                self.step = Step::Dot { behind: behind.take() };
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
            Step::Body { .. } | Step::Ending { .. } if incoming.class() > 3 => {
                wire.fail(Fault::Reply { phase, reply: wire.reply(incoming) })
            }
            Step::Dot { behind } if incoming.class() != 3 => {
                wire.raise(Event::Finished(wire.reply(incoming)));
                match behind {
                    Some(behind) => behind.go_on(self.session, wire, now),
                    None => ready(self.session, wire, now),
                }
            }
            Step::Body { .. } | Step::Ending { .. } | Step::Dot { .. } => wire.misplaced(phase, incoming),
        }
    }

    /// Ends the transaction before its body, if the server can still be told to.
    pub fn give_up(self: Box<Self>, wire: &mut Wire, now: Instant) -> Result<Stage, Box<Self>> {
        let (ahead, all) = (self.session.pipelining(), self.order.envelope.recipients.len());
        let outstanding = match self.step {
            Step::Mail if ahead => 1 + all,
            Step::Recipients { next, .. } if ahead => all - next,
            Step::Mail | Step::Recipients { .. } => 1,
            Step::Data | Step::Body { .. } | Step::Ending { .. } | Step::Dot { .. } => return Err(self),
        };
        if data_rides_along(&self.session, &self.order) {
            // It may be answered 354, and a dot would then send an empty message.
            return Err(self);
        }
        Ok(Clearing::of(self.session, outstanding, End::Reset, wire, now))
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
        let data_open = data_rides_along(&self.session, &self.order);
        let outstanding = self.order.envelope.recipients.len() + usize::from(data_open);
        let end = if data_open { End::Data } else { End::Over };
        Clearing::of(self.session, outstanding, end, wire, now)
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
            let data_open = data_rides_along(&self.session, &self.order);
            wire.raise(Event::Refused(Refused::Recipients(refused)));
            return if data_open {
                Clearing::of(self.session, 1, End::Data, wire, now)
            } else {
                Clearing::reset(self.session, wire, now)
            };
        }
        if !data_rides_along(&self.session, &self.order) {
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
        Clearing::reset(self.session, wire, now)
    }

    fn offered(&self) -> Cow<'_, Extensions> {
        offered(&self.session)
    }
}

impl Behind {
    /// Its turn has come: the reply to its MAIL is the next.
    fn go_on(self, session: Session, wire: &mut Wire, now: Instant) -> Stage {
        let Self { order, said } = self;
        wire.trace.divide();
        if wire.trace.recording() {
            envelope(&session, &order, |line| wire.trace.say(Side::Client, line, said));
        }
        wire.allow(wire.settings.timeouts.mail, now);
        Stage::Transfer(Box::new(Transfer { session, order, step: Step::Mail }))
    }
}

/// Says MAIL, and with PIPELINING what may follow without waiting.
fn envelope(session: &Session, order: &Order, mut say: impl FnMut(&str)) {
    let offered = offered(session);
    say(&order.mail_line(&offered));
    if session.pipelining() {
        for recipient in &order.envelope.recipients {
            say(&rcpt_line(recipient, &offered));
        }
        if data_rides_along(session, order) {
            say("DATA");
        }
    }
}

/// Whether DATA goes out before the recipients' replies are known. With one recipient all or nothing is certain
/// anyhow: if it is refused nobody is left, and what the server says to DATA then changes nothing (RFC 2920 §3.1).
fn data_rides_along(session: &Session, order: &Order) -> bool {
    let sure = !order.all_or_nothing || order.envelope.recipients.len() == 1;
    session.pipelining() && sure
}

fn offered(session: &Session) -> Cow<'_, Extensions> {
    match &session.offered {
        Some(offered) => Cow::Borrowed(offered),
        None => Cow::Owned(Extensions::default()),
    }
}

/// Nothing is outstanding any more.
pub(super) fn ready(session: Session, wire: &mut Wire, now: Instant) -> Stage {
    wire.rest(now);
    Stage::Ready { session, next: Phase::Mail }
}

/// RFC 5321 §4.5.3.1.10: a client treats 552 to RCPT as 452, since old servers mean "too many recipients" by it. One that
/// says it means something else, too big a message (RFC 1870 §6.4) or a full mailbox, means it for good.
fn too_many_is_temporary(reply: Reply) -> Reply {
    match reply {
        Reply { code: 552, enhanced: None, text } => Reply { code: 452, enhanced: None, text },
        Reply { code: 552, enhanced: Some(Enhanced(_, 5, 3)), text } => {
            Reply { code: 452, enhanced: Some(Enhanced(4, 5, 3)), text }
        }
        other => other,
    }
}
