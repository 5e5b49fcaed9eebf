//! What a courier asks before it claims and before it carries a message, and what it reports afterwards.
//!
//! Guarantees that no more go out than the limits allow: a message has leave only when its recipients are reserved in
//! the day's budget, durably, and when the minute has room for it. What did not go out is given back. A report of an
//! attempt that began before a person had a hand in the account holds nothing.

use std::sync::Arc;
use std::time::Instant;

use super::desk::Desk;
use super::fitness::{Fitness, Turn};
use super::throttle::concerns_account;
use crate::account::Pipelining;
use crate::account::budget::{Asked, Taken};
use crate::account::chance::chance;
use crate::account::health::{Generation, Proof, Stage};
use crate::diagnosis::{Diagnosis, Failure};
use crate::journal::{Event as Happened, Pace};
use crate::queue::{Lease, Outcome};
use crate::words::{Cause, Phase};

/// Leave to carry one message through the account.
#[derive(Debug)]
pub(super) struct Leave {
    desk: Arc<Desk>,
    generation: Generation,
    began: Instant,
    taken: Option<Taken>,
}

/// What became of asking for leave.
enum Granted {
    Yes(Leave),
    No,
    /// The minute has no room before.
    At(Instant),
    /// The budget is to be written ahead first.
    Write,
}

impl Desk {
    /// The next message that courier `number` may carry: not before its turn, and not on when its turn is over.
    /// Cancel-safe.
    pub(super) async fn claim(&self, number: usize) -> Lease {
        loop {
            self.turn(number, true).await;
            let lease = tokio::select! {
                biased;
                () = self.turn(number, false) => continue,
                lease = self.queue.claim(self.account()) => lease,
            };
            if self.fitness().sit_down(number) {
                return lease;
            }
            // Another courier was quicker, with the last connection.
            lease.give_back();
        }
    }

    /// Courier `number` has no line any more: another one may make one.
    pub(super) fn stand_up(&self, number: usize) {
        let mut fitness = self.fitness();
        fitness.stand_up(number);
        self.settle_gate(&mut fitness, self.clock().steady());
    }

    /// Whether the envelope of another message may be sent behind a dot, at this place of a line.
    pub(super) fn may_send_ahead(&self, place: u32) -> bool {
        let is_wanted = self.upstream.settings.pipelining == Pipelining::Messages;
        is_wanted
            && self.ahead().may_ride(place, Instant::now())
            && self.fitness().may_send_ahead(self.clock().steady())
    }

    /// Returns once it is the turn of courier `number`, or no longer is.
    async fn turn(&self, number: usize, wanted: bool) {
        let mut changed = self.changed.subscribe();
        loop {
            let turn = self.fitness().turn(number, self.clock().steady());
            if (turn == Turn::Now) == wanted {
                return;
            }
            match turn {
                Turn::At(time) => tokio::select! {
                    _ = changed.changed() => {}
                    () = self.clock().until(time) => {}
                },
                // The sender lives as long as the desk.
                Turn::Now | Turn::Later => drop(changed.changed().await),
            }
        }
    }

    /// Asks to carry a message to so many recipients. Waits for the disk where the day's budget is to be written
    /// ahead, and for the minute where that is full. `None`: the account cannot be used now, and its lane is shut.
    pub(super) async fn leave(self: &Arc<Self>, recipients: usize) -> Option<Leave> {
        // An envelope has far fewer.
        let count = u32::try_from(recipients).unwrap_or(u32::MAX);
        loop {
            match self.ask(count) {
                Granted::Yes(leave) => return Some(leave),
                Granted::No => return None,
                Granted::At(time) => self.clock().until(time).await,
                Granted::Write => self.write_ahead(count).await,
            }
        }
    }

    fn ask(self: &Arc<Self>, count: u32) -> Granted {
        let now = self.clock().moment();
        let mut fitness = self.fitness();
        if fitness.shut(now.steady).is_some() {
            self.settle_gate(&mut fitness, now.steady);
            return Granted::No;
        }
        if let Some(time) = fitness.throttle.wait(now.steady) {
            return Granted::At(time);
        }
        let taken = match fitness.budget.as_mut().map(|budget| budget.take(count, now)) {
            None => None,
            Some(Asked::Granted(taken)) => Some(taken),
            Some(Asked::NotReserved) => return Granted::Write,
            Some(Asked::UsedUp(until)) => {
                fitness.wait_for_budget(until);
                self.settle_gate(&mut fitness, now.steady);
                let lifts_in = until.saturating_duration_since(now.steady);
                self.say_if(true, Pace::UsedUp { lifts_in });
                return Granted::No;
            }
        };
        fitness.throttle.sent(now.steady);
        self.settle_gate(&mut fitness, now.steady);
        let (desk, generation) = (Arc::clone(self), fitness.health.generation());
        Granted::Yes(Leave { desk, generation, began: now.steady, taken })
    }

    /// Reserves the next block, one courier at a time. Where the disk fails mail goes out all the same.
    async fn write_ahead(&self, count: u32) {
        let _one = self.writing.lock().await;
        let durable = {
            let now = self.clock().moment();
            let mut fitness = self.fitness();
            // The one before may have reserved enough for both.
            let written = fitness.budget.as_mut().and_then(|budget| budget.write_ahead(count, now));
            let Some(written) = written else { return };
            self.remember(&mut fitness, now, Some(written))
        };
        self.say_if_forgotten(durable.await);
        if let Some(budget) = &mut self.fitness().budget {
            budget.reserved();
        }
    }
}

impl Leave {
    /// A line was made: the provider can be reached and takes the sign-in.
    pub(super) fn connected(&self) {
        self.desk.update(|fitness, now| {
            fitness.breaker.reached();
            fitness.health.succeeded(now, Proof::SignIn)
        });
    }

    /// How the attempt ended: what went wrong at which stage, if anything, and one outcome per recipient.
    pub(super) fn ended(mut self, stage: Stage, failure: Option<&(Failure, Diagnosis)>, outcomes: &[Outcome]) {
        let went = |outcome: &&Outcome| matches!(outcome, Outcome::Delivered(_) | Outcome::Uncertain(_));
        let idle = outcomes.len().saturating_sub(outcomes.iter().filter(went).count());
        self.give_back(u32::try_from(idle).unwrap_or(u32::MAX));
        let is_delivered = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Delivered(_)));
        // A limit may have been reached in the middle of the recipients.
        let held = outcomes.iter().find_map(|outcome| match outcome {
            Outcome::Hold(diagnosis) => Some(diagnosis),
            _ => None,
        });
        self.desk.update(|fitness, now| {
            if let Some((failure, diagnosis)) = failure.filter(|_| !is_delivered) {
                self.desk.weigh(fitness, now, self.began, failure, diagnosis);
            }
            if is_delivered {
                fitness.breaker.answered();
                self.desk.say_if(fitness.throttle.succeeded(now), Pace::Full);
            }
            match held {
                Some(diagnosis) => fitness.health.failed(now, self.generation, stage, diagnosis),
                None if is_delivered => fitness.health.succeeded(now, Proof::Delivery),
                None => None,
            }
        });
    }

    /// The message was withdrawn before its dot: nothing of it went out, and nothing was learned.
    pub(super) fn withdrawn(mut self) {
        self.give_back(u32::MAX);
    }

    fn give_back(&mut self, count: u32) {
        if let (Some(taken), Some(budget)) = (self.taken.take(), &mut self.desk.fitness().budget) {
            budget.give_back(&taken, count);
        }
    }
}

impl Desk {
    /// What a failure says of the way to the provider and of the pace.
    pub(super) fn weigh(
        &self,
        fitness: &mut Fitness,
        now: Instant,
        began: Instant,
        failure: &Failure,
        diagnosis: &Diagnosis,
    ) {
        match diagnosis.cause {
            Cause::Network => {
                let opened = fitness.breaker.failed(now, diagnosis, chance());
                let next_try = fitness.breaker.open_now().map(|open| open.until.saturating_duration_since(now));
                self.say_if(opened, Pace::Away { diagnosis, next_try: next_try.unwrap_or_default() });
            }
            // A cut at the dot says neither that the provider is there nor that it is not.
            Cause::Uncertain => {}
            // Our own reasons, before anybody was asked.
            _ if failure.phase() == Phase::Credential => {}
            _ => {
                fitness.breaker.answered();
            }
        }
        if diagnosis.cause == Cause::Throttle && concerns_account(failure, diagnosis) {
            let slowed = fitness.throttle.complained(now, began, failure.phase(), diagnosis);
            let (connections, per_minute) = (fitness.throttle.connections(), fitness.throttle.per_minute());
            self.say_if(slowed, Pace::Slowed { connections, per_minute, diagnosis });
        }
    }

    fn say_if(&self, condition: bool, what: Pace<'_>) {
        if condition {
            self.journal.record(Happened::Pace { account: self.account(), what });
        }
    }
}
