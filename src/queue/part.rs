//! A fresh parcel: some recipients of a message whose device still waits, and how far they have come.
//!
//! Plain data under the ticket's lock. What it would be on disk is said here ([`Part::as_parcel`]); nothing is decided.

use std::sync::Arc;

use jiff::Timestamp;

use super::parcel::{Owed, Parcel, ParcelId, Said, Standing, State, Try, Why};
use super::row::Row;
use super::{Outcome, Route};
use crate::diagnosis::Diagnosis;
use crate::ids::{AccountName, AttemptId, MessageId};
use crate::mail::address::Address;
use crate::mail::envelope::{Envelope, Recipient};
use crate::words::Cause;

/// Recipients that go together.
#[derive(Debug)]
pub(super) struct Part {
    pub envelope: Arc<Envelope>,
    pub route: Route,
    /// Attempts through accounts whose turn is over.
    pub tries: Vec<Try>,
    pub stage: Stage,
}

/// How far it has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// In a lane.
    Waiting,
    /// In a courier's hand; the dot is not permitted.
    Out,
    /// In a courier's hand; the dot may be on its way.
    Dot { account: AccountName, attempt: AttemptId, since: Timestamp },
    /// None of its accounts can be used just now.
    Barred { why: Diagnosis },
    /// The courier is done with it.
    Settled(Settled),
    /// The same, while the commit ran that has it as still open.
    Late(Settled),
    /// The same, and that is on its way into the store, where the parcel lies by now.
    Recording,
    /// It is in the store, and in a courier's hand.
    Row(Arc<Row>),
    /// No concern of the ticket any more.
    Left,
}

/// How an attempt ended for all recipients of a part.
#[derive(Debug)]
pub(super) struct Settled {
    pub account: AccountName,
    pub outcomes: Vec<Outcome>,
    pub tried: Option<Try>,
}

impl Settled {
    /// Whether the provider has it for somebody, or may have.
    pub fn may_have_gone_out(&self) -> bool {
        self.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Delivered(_) | Outcome::Uncertain(_)))
    }

    /// Whether all that is still to be delivered may be tried through another account at once: this one cannot be used
    /// or reached, and nothing can have gone out.
    pub fn may_move_on(&self) -> bool {
        let is_final = |outcome: &Outcome| matches!(outcome, Outcome::Delivered(_) | Outcome::Never(..));
        self.outcomes.iter().any(moves) && self.outcomes.iter().all(|outcome| moves(outcome) || is_final(outcome))
    }
}

fn moves(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Hold(_) => true,
        Outcome::Later(_, why) => why.cause == Cause::Network,
        _ => false,
    }
}

impl Part {
    /// Recipients that go this way, and nobody has them yet.
    pub fn new(envelope: Arc<Envelope>, route: Route) -> Self {
        Self { envelope, route, tries: Vec::new(), stage: Stage::Waiting }
    }

    /// Whether the window waits for it.
    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Waiting | Stage::Out | Stage::Dot { .. })
    }

    /// The outcome of each recipient, if there is one.
    pub fn outcomes(&self) -> impl Iterator<Item = (&Address, Option<&Outcome>)> {
        let outcomes = match &self.stage {
            Stage::Settled(settled) => settled.outcomes.as_slice(),
            _ => &[],
        };
        self.envelope.recipients.iter().enumerate().map(|(i, recipient)| (&recipient.address, outcomes.get(i)))
    }

    /// Its turn with one account is over, and the next one's comes. Recipients that are finished stay behind; then those
    /// that move on become a part of their own, which comes back.
    pub fn move_on(&mut self, mut settled: Settled) -> Option<Self> {
        let tried = settled.tried.clone();
        if settled.outcomes.iter().all(moves) {
            self.tries.extend(tried);
            self.stage = Stage::Waiting;
            return None;
        }
        let outcomes = std::mem::take(&mut settled.outcomes);
        let (mut going, mut staying) = (Vec::new(), Vec::new());
        for (recipient, outcome) in self.envelope.recipients.iter().zip(outcomes) {
            if moves(&outcome) {
                going.push(recipient.clone());
            } else {
                staying.push(recipient.clone());
                settled.outcomes.push(outcome);
            }
        }
        let envelope = |recipients| Arc::new(Envelope { sender: self.envelope.sender.clone(), recipients });
        let mut next = Self::new(envelope(going), self.route.clone());
        next.tries.clone_from(&self.tries);
        next.tries.extend(tried);
        self.envelope = envelope(staying);
        self.stage = Stage::Settled(settled);
        Some(next)
    }

    /// As it is stored when nothing is known of it: all recipients open, due now.
    pub fn as_parcel(&self, message: MessageId, number: usize, now: Timestamp) -> Parcel {
        let last = match &self.stage {
            Stage::Barred { why } => Some(Said { reply: None, why: Why::from(why) }),
            _ => None,
        };
        let owed =
            |recipient: &Recipient| Owed { recipient: recipient.clone(), state: State::Open { last: last.clone() } };
        let standing = match &self.stage {
            Stage::Dot { account, attempt, since } => {
                Standing::Sending { account: account.clone(), attempt: *attempt, since: *since }
            }
            _ => Standing::Due { at: now },
        };
        Parcel {
            // `partition` makes no more parts than there are numbers.
            id: ParcelId { message, number: u16::try_from(number).unwrap_or(u16::MAX) },
            route: self.route.clone(),
            recipients: self.envelope.recipients.iter().map(owed).collect(),
            standing,
            attempts: u32::try_from(self.tries.len()).unwrap_or(u32::MAX),
            tries: self.tries.clone(),
            held_s: 0,
            lacking: None,
        }
    }
}

/// Groups the recipients: by route, then by what one transaction of its account takes. `limit` says how many that are.
pub(super) fn partition(envelope: &Arc<Envelope>, routes: &[Route], limit: impl Fn(&Route) -> usize) -> Vec<Part> {
    let Some(first) = routes.first() else { return Vec::new() };
    // The usual mail: one way, one transaction, nothing is copied.
    if routes.iter().all(|route| route == first) && envelope.recipients.len() <= limit(first) {
        return vec![Part::new(Arc::clone(envelope), first.clone())];
    }
    let mut groups: Vec<(&Route, Vec<_>)> = Vec::new();
    for (route, recipient) in routes.iter().zip(&envelope.recipients) {
        match groups.iter_mut().find(|(known, _)| *known == route) {
            Some((_, recipients)) => recipients.push(recipient.clone()),
            None => groups.push((route, vec![recipient.clone()])),
        }
    }
    // Parcels are numbered in 16 bits; recipients that fail over may need a number of their own.
    let fewest = envelope.recipients.len().div_ceil(usize::from(u16::MAX) / 4);
    let mut parts = Vec::new();
    for (route, recipients) in groups {
        for some in recipients.chunks(limit(route).max(fewest)) {
            let envelope = Envelope { sender: envelope.sender.clone(), recipients: some.to_vec() };
            parts.push(Part::new(Arc::new(envelope), route.clone()));
        }
    }
    parts
}
