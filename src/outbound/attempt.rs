//! One message over one line: MAIL to the reply to the dot.
//!
//! Streams the body in blocks of 64 KiB from one reused buffer. Guarantees that the dot is written only with the
//! queue's permission, and that what was heard becomes one outcome per recipient. All or nothing: if any recipient is
//! refused nobody gets the message.

use std::sync::Arc;
use std::time::Instant;

use super::verdict;
use crate::diagnosis::{Context, Diagnosis, Failure, diagnose};
use crate::ids::AttemptId;
use crate::mail::envelope::Envelope;
use crate::queue::{Lease, Outcome};
use crate::smtp::client::{Event, Order, Refused};
use crate::smtp::reply::{Refusal, Reply};
use crate::upstream::Line;
use crate::words::Phase;

/// Octets of body in one write; also the most rustls takes at once.
const BLOCK: usize = 64 * 1024;

/// How it ended.
pub(super) enum Ended {
    /// The provider answered for every recipient; the line is good.
    Answered(Answered),
    /// The connection is gone.
    Broken(Failure),
    /// The message was withdrawn in this phase; the line is in the middle of it and of no more use.
    Withdrawn(Phase),
}

impl Ended {
    /// Whether a line that had rested was no longer good: it is dead at MAIL, or says 421, or has forgotten the
    /// sign-in. Nothing of the message was said then, and one fresh connection is worth it.
    pub(super) fn is_stale(&self) -> bool {
        let failure = match self {
            Self::Broken(failure) | Self::Answered(Answered { failure: Some((failure, _)), .. }) => failure,
            Self::Answered(_) | Self::Withdrawn(_) => return false,
        };
        match failure {
            Failure::Reply { phase: Phase::Mail, reply } => matches!(reply.code, 421 | 530 | 535),
            Failure::Closed { phase } | Failure::Io { phase, .. } => *phase == Phase::Mail,
            _ => false,
        }
    }
}

/// One outcome per recipient, and what went wrong, if anything.
pub(super) struct Answered {
    outcomes: Vec<Outcome>,
    failure: Option<(Failure, Diagnosis)>,
}

impl Answered {
    pub(super) fn delivered(&self) -> bool {
        self.failure.is_none()
    }

    pub(super) fn failure(&self) -> Option<(&Failure, &Diagnosis)> {
        self.failure.as_ref().map(|(failure, diagnosis)| (failure, diagnosis))
    }

    pub(super) fn into_outcomes(self) -> Vec<Outcome> {
        self.outcomes
    }

    fn taken(envelope: &Envelope, reply: &Reply) -> Self {
        let outcomes = envelope.recipients.iter().map(|_| Outcome::Delivered(reply.clone())).collect();
        Self { outcomes, failure: None }
    }

    fn all(envelope: &Envelope, failure: Failure, context: Context<'_>) -> Self {
        let diagnosis = diagnose(&failure, context);
        let outcome = verdict::of_failure(&failure, diagnosis.clone());
        Self { outcomes: vec![outcome; envelope.recipients.len()], failure: Some((failure, diagnosis)) }
    }

    /// Some recipients were refused, and so the message for all.
    fn some(envelope: &Envelope, replies: Vec<(usize, Refusal)>, context: Context<'_>) -> Self {
        let mut outcomes = vec![verdict::of_spared(); envelope.recipients.len()];
        let mut first = None;
        for (index, refusal) in replies {
            let failure = Failure::Reply { phase: Phase::Recipient, reply: refusal.reply().clone() };
            let diagnosis = diagnose(&failure, context);
            if let Some(outcome) = outcomes.get_mut(index) {
                *outcome = verdict::of_recipient(refusal, diagnosis.clone());
            }
            first.get_or_insert((failure, diagnosis));
        }
        Self { outcomes, failure: first }
    }
}

/// Carries the message of a lease; `context` is the account's.
pub(super) async fn carry(lease: &Lease, attempt: AttemptId, line: &mut Line, context: Context<'_>) -> Ended {
    let (message, envelope) = (lease.message(), lease.envelope());
    line.begin();
    let order = Order {
        envelope: Arc::clone(envelope),
        size: message.body.size(),
        eight_bit: message.eight_bit,
        utf8_header: message.eight_bit_header,
        all_or_nothing: lease.is_all_or_nothing(),
    };
    if let Err(why) = line.client().transfer(order, Instant::now()) {
        return Ended::Answered(Answered::all(envelope, Failure::CannotCarry(why), context));
    }
    let mut body = Streamed { offset: 0, block: Vec::new() };
    loop {
        let event = tokio::select! {
            biased;
            event = line.next() => event,
            () = lease.withdrawn() => return Ended::Withdrawn(line.client().phase()),
        };
        match event {
            Ok(Event::Go | Event::More) => match body.next(lease, attempt, line).await {
                Ok(true) => {}
                Ok(false) => return Ended::Withdrawn(Phase::Body),
                Err(failure) => return Ended::Broken(failure),
            },
            Ok(Event::Finished(reply)) if reply.is_positive() => {
                return Ended::Answered(Answered::taken(envelope, &reply));
            }
            Ok(Event::Finished(reply)) => {
                return Ended::Answered(Answered::all(envelope, Failure::Reply { phase: Phase::Dot, reply }, context));
            }
            Ok(Event::Refused(why)) => return Ended::Answered(refused_before_body(envelope, why, context)),
            Ok(_) => {}
            Err(failure) => return Ended::Broken(failure),
        }
    }
}

fn refused_before_body(envelope: &Envelope, why: Refused, context: Context<'_>) -> Answered {
    let (phase, refusal) = match why {
        Refused::Recipients(replies) => return Answered::some(envelope, replies, context),
        Refused::Mail(refusal) => (Phase::Mail, refusal),
        Refused::Data(refusal) => (Phase::Data, refusal),
    };
    Answered::all(envelope, Failure::Reply { phase, reply: refusal.into_reply() }, context)
}

/// The body on its way out.
struct Streamed {
    offset: u64,
    block: Vec<u8>,
}

impl Streamed {
    /// Hands the next block over, and with the last one the dot, if the message is still wanted.
    async fn next(&mut self, lease: &Lease, attempt: AttemptId, line: &mut Line) -> Result<bool, Failure> {
        let body = &lease.message().body;
        body.read_at(self.offset, BLOCK, &mut self.block).map_err(|error| Failure::Io {
            phase: Phase::Body,
            detail: format!("the spool file cannot be read: {error}"),
        })?;
        self.offset += self.block.len() as u64;
        let last = self.offset >= body.size();
        if last && lease.permit_dot(attempt).await.is_none() {
            return Ok(false);
        }
        let now = Instant::now();
        line.client().body(&self.block, now);
        if last {
            line.client().finish(now);
        }
        Ok(true)
    }
}
