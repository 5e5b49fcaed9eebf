//! What a waiting device and the couriers of its message know of each other.
//!
//! One lock holds how far each parcel has come and what the window has decided, so that exactly one of them wins: a dot
//! is permitted, or the message is stored or given up first. Guarantees that an outcome goes into the window, or into
//! the store once the message lies there, and is never lost between the two.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::core::Core;
use super::lease::Lease;
use super::part::{Part, Settled, Stage};
use super::row::Row;
use super::{Message, Outcome, Route};
use crate::diagnosis::Diagnosis;
use crate::ids::{AccountName, AttemptId};
use crate::mail::envelope::Envelope;
use crate::words::Cause;

/// Shared by the window of a message and its leases.
#[derive(Debug)]
pub(super) struct Ticket {
    pub core: Arc<Core>,
    pub message: Arc<Message>,
    state: Mutex<State>,
    /// Rung for the window: an outcome has come.
    pub news: Notify,
    /// Rung for the leases: the mode has changed, or a late outcome is recorded.
    bell: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    pub mode: Mode,
    pub parts: Vec<Part>,
    /// Since when the provider has some of it, or may have: since then a courier waits, too.
    pub out_since: Option<Instant>,
}

/// What the window has decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The device waits; dots are permitted, outcomes are gathered.
    Open,
    /// A commit runs: dots wait for it, outcomes are put aside.
    Storing,
    /// The message lies in the store.
    Stored,
    /// It cannot be stored: no dot is permitted any more, and those under way are waited for.
    Cancelled,
    /// The device has its answer, and nothing is on disk.
    Answered,
}

/// A lease's end of the ticket.
#[derive(Debug)]
pub(super) struct Claim {
    pub ticket: Arc<Ticket>,
    /// Which part.
    pub part: usize,
}

impl Ticket {
    pub fn new(core: Arc<Core>, message: Arc<Message>, parts: Vec<Part>) -> Self {
        let state = Mutex::new(State { mode: Mode::Open, parts, out_since: None });
        Self { core, message, state, news: Notify::new(), bell: Notify::new() }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        // No code between lock and unlock can panic half way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the mode and lets all leases look at it.
    pub fn enter(&self, state: &mut State, mode: Mode) {
        state.mode = mode;
        self.bell.notify_waiters();
    }

    /// A late outcome is recorded.
    fn recorded(&self, part: usize) {
        self.state().parts[part].stage = Stage::Left;
        self.bell.notify_waiters();
    }

    /// The message lies in the store: what came meanwhile is applied to it.
    pub fn record_late(self: &Arc<Self>, part: usize, row: Arc<Row>, late: Settled) {
        let ticket = Arc::clone(self);
        self.core.tasks.spawn(async move {
            row.settle(late.account, late.outcomes, late.tried).await;
            ticket.recorded(part);
        });
    }

    /// Who gets a part, and by which accounts.
    pub fn way(&self, part: usize) -> (Arc<Envelope>, Route) {
        let part = &self.state().parts[part];
        (Arc::clone(&part.envelope), part.route.clone())
    }

    /// Hands a part to the couriers of the first open account of this route.
    pub fn hand_over(self: &Arc<Self>, part: usize, envelope: Arc<Envelope>, route: Route) {
        let claim = Claim { ticket: Arc::clone(self), part };
        let lease = Lease::fresh(Arc::clone(&self.message), envelope, route, claim);
        if let Err(nowhere) = self.core.lanes.push(lease) {
            let (lease, why) = *nowhere;
            lease.barred(why);
        }
    }
}

impl Claim {
    /// A courier takes it out of its lane: false if there is nothing to be done any more.
    pub fn take_up(&self) -> bool {
        let mut state = self.ticket.state();
        let way = &mut state.parts[self.part].stage;
        let waits = matches!(way, Stage::Waiting);
        if waits {
            *way = Stage::Out;
        }
        waits
    }

    /// Back into the lane. False if it is the store's by now.
    pub fn give_back(&self) -> bool {
        let mut state = self.ticket.state();
        let way = &mut state.parts[self.part].stage;
        match way {
            Stage::Out => *way = Stage::Waiting,
            Stage::Row(row) => {
                row.give_back();
                let row = std::mem::replace(way, Stage::Left);
                // A row that ends looks into lanes, and those into tickets: never under this lock.
                drop(state);
                drop(row);
                return false;
            }
            _ => return false,
        }
        true
    }

    /// No account of its route can be used.
    pub fn barred(&self, why: Diagnosis) {
        let mut state = self.ticket.state();
        let way = &mut state.parts[self.part].stage;
        if matches!(way, Stage::Waiting | Stage::Out) {
            *way = Stage::Barred { why };
            self.ticket.news.notify_one();
        }
    }

    /// Whether anything is to be done with it.
    pub fn is_wanted(&self) -> bool {
        let state = self.ticket.state();
        let way = &state.parts[self.part].stage;
        match state.mode {
            Mode::Cancelled | Mode::Answered => matches!(way, Stage::Dot { .. }),
            _ => match way {
                Stage::Row(row) => row.is_in_hand(),
                other => matches!(other, Stage::Waiting | Stage::Out | Stage::Dot { .. }),
            },
        }
    }

    /// Resolves when no dot will be permitted any more.
    pub async fn withdrawn(&self) {
        loop {
            let bell = self.ticket.bell.notified();
            {
                let state = self.ticket.state();
                let dot = matches!(state.parts[self.part].stage, Stage::Dot { .. });
                if matches!(state.mode, Mode::Cancelled | Mode::Answered) && !dot {
                    return;
                }
            }
            bell.await;
        }
    }

    pub async fn permit_dot(&self, account: &AccountName, attempt: AttemptId) -> bool {
        let row = loop {
            let bell = self.ticket.bell.notified();
            {
                let mut state = self.ticket.state();
                let mode = state.mode;
                let way = &mut state.parts[self.part].stage;
                match (mode, way) {
                    (Mode::Open, way @ Stage::Out) => {
                        let since = self.ticket.core.clock.now();
                        *way = Stage::Dot { account: account.clone(), attempt, since };
                        return true;
                    }
                    (_, Stage::Dot { .. }) => return true,
                    (Mode::Storing, Stage::Out) => {}
                    (Mode::Stored, Stage::Row(row)) => break Arc::clone(row),
                    _ => return false,
                }
            }
            bell.await;
        };
        row.permit_dot(account, attempt).await
    }

    /// Takes an outcome in; `rest`: the accounts that come after this one, if there are any. Returns when the outcome is
    /// durable or the device has its answer; at once if nothing can have gone out.
    pub async fn settle(self, settled: Settled, rest: Option<Route>) {
        let may_have_gone_out = settled.may_have_gone_out();
        match self.record(settled, rest.is_some()) {
            Recorded::Nowhere => return,
            Recorded::Here => {}
            Recorded::MovesOn { part, envelope } => {
                if let Some(rest) = rest {
                    self.ticket.hand_over(part, envelope, rest);
                }
            }
            Recorded::InStore(row, Settled { account, outcomes, tried }) => {
                return row.settle(account, outcomes, tried).await;
            }
        }
        if may_have_gone_out {
            self.is_safe().await;
        }
    }

    /// The courier is gone.
    pub fn abandon(self, account: AccountName) {
        let (dot, parts) = {
            let mut state = self.ticket.state();
            let part = &mut state.parts[self.part];
            let dot = match &part.stage {
                Stage::Dot { .. } => true,
                Stage::Row(row) => row.is_sending(),
                // Cut off at the end of the relay, before the dot, it stands as it stood.
                Stage::Out if self.ticket.core.ending.is_cancelled() => {
                    part.stage = Stage::Waiting;
                    return;
                }
                Stage::Out => false,
                _ => return,
            };
            (dot, part.envelope.recipients.len())
        };
        let outcomes = vec![abandoned(dot); parts];
        let settled = Settled { account, outcomes, tried: None };
        if let Recorded::InStore(row, Settled { account, outcomes, .. }) = self.record(settled, false) {
            row.abandon(account, outcomes);
        }
    }

    /// Puts an outcome where it belongs.
    fn record(&self, settled: Settled, may_move_on: bool) -> Recorded {
        let mut state = self.ticket.state();
        let (mode, next) = (state.mode, state.parts.len());
        let part = &mut state.parts[self.part];
        match std::mem::replace(&mut part.stage, Stage::Left) {
            Stage::Row(row) => return Recorded::InStore(row, settled),
            Stage::Out | Stage::Dot { .. } => {}
            // It is not out.
            other => {
                part.stage = other;
                return Recorded::Nowhere;
            }
        }
        if settled.may_have_gone_out() {
            state.out_since.get_or_insert_with(Instant::now);
        }
        let part = &mut state.parts[self.part];
        let mut moved = None;
        match mode {
            Mode::Open if may_move_on && settled.may_move_on() => match part.move_on(settled) {
                None => moved = Some((self.part, Arc::clone(&part.envelope))),
                Some(split) => {
                    moved = Some((next, Arc::clone(&split.envelope)));
                    state.parts.push(split);
                }
            },
            Mode::Storing => part.stage = Stage::Late(settled),
            _ => part.stage = Stage::Settled(settled),
        }
        self.ticket.news.notify_one();
        match moved {
            Some((part, envelope)) => Recorded::MovesOn { part, envelope },
            None => Recorded::Here,
        }
    }

    /// Resolves when nothing of this outcome can be forgotten, or nobody waits for it any more.
    async fn is_safe(&self) {
        loop {
            let bell = self.ticket.bell.notified();
            {
                let state = self.ticket.state();
                let is_recorded = matches!(state.parts[self.part].stage, Stage::Left);
                if state.mode == Mode::Answered || (state.mode == Mode::Stored && is_recorded) {
                    return;
                }
            }
            bell.await;
        }
    }
}

/// Where an outcome went.
enum Recorded {
    /// Nobody asked for it any more.
    Nowhere,
    /// Into the window.
    Here,
    /// It is this row's.
    InStore(Arc<Row>, Settled),
    /// Into the window, but for this part, which another account may have.
    MovesOn { part: usize, envelope: Arc<Envelope> },
}

/// What a lease means that was dropped.
pub(super) fn abandoned(dot: bool) -> Outcome {
    if dot {
        let sentence = "the attempt ended after the whole message was sent and before the provider answered";
        let cure = "look into the provider's sent mail before sending it again by hand";
        return Outcome::Uncertain(Diagnosis::new("uncertain", Cause::Uncertain, sentence, cure));
    }
    let (sentence, cure) = ("the attempt was cut off inside the relay", "nothing: it is tried again");
    Outcome::Later(None, Diagnosis::new("cut_off", Cause::Throttle, sentence, cure))
}
