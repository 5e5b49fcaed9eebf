//! Whether an account may be used just now, and how fast: its hold, breaker, throttle and budget seen together. Pure.
//!
//! Guarantees that there is one answer to each question: may a courier claim, why may nothing go out, what is to be
//! tried without mail, and when is it worth asking again. Each part decides for itself what a failure means to it.

use std::time::{Duration, Instant};

use super::throttle::Throttle;
use crate::account::breaker::Breaker;
use crate::account::budget::Budget;
use crate::account::health::{EndsBy, Health};
use crate::account::memory::Remembered;
use crate::account::senders::RefusedSenders;
use crate::account::status::{BreakerStatus, BudgetStatus, Status, ThrottleStatus};
use crate::diagnosis::Diagnosis;
use crate::net::clock::Moment;
use crate::words::Cause;

/// What is known of the account, and what it may do.
#[derive(Debug)]
pub(super) struct Fitness {
    pub health: Health,
    pub breaker: Breaker,
    pub throttle: Throttle,
    /// Only where recipients are counted.
    pub budget: Option<Budget>,
    /// What was claimed last does not fit into the budget before.
    fits_at: Option<Instant>,
    /// How long a fresh message waits for its turn.
    window: Duration,
    /// STARTTLS was offered once.
    pub starttls_seen: bool,
    /// What a sender policy of `fix` goes by.
    pub refused_senders: RefusedSenders,
    /// Couriers that have a line, or are making one: the longest seated first.
    seated: Vec<usize>,
    /// What the queue and the couriers were told last.
    told: Told,
}

/// What others go by.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    shut: Option<Diagnosis>,
    seats: usize,
    seated: usize,
    pace: Option<Instant>,
    next: Option<Instant>,
}

/// What becomes of the lane.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    Shut(Diagnosis),
    AsBefore,
}

/// Why nothing goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shut {
    /// The account is held.
    Held,
    /// The provider cannot be reached.
    Away,
    /// The provider said when to come again.
    Paused,
    /// `limits.recipients_per_day` is used up.
    UsedUp,
    /// `limits.messages_per_minute` is, for longer than a message waits.
    TooFast,
}

/// Whether a courier may claim a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Now,
    /// Then, unless something changes.
    At(Instant),
    /// When something changes.
    Later,
}

/// What is to be tried without mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duty {
    /// A sign-in, to end a hold.
    SignIn,
    /// A look at the server, without credentials.
    Look,
    /// A sign-in, to see whether the provider can be reached.
    Reach,
}

impl Fitness {
    /// With what is remembered of the run before this one.
    pub(super) fn new(
        limits: (usize, Option<u32>, Option<u32>),
        retry: Vec<Duration>,
        window: Duration,
        known: &Remembered,
        now: Moment,
    ) -> Self {
        let (connections, per_minute, per_day) = limits;
        Self {
            health: known.hold.as_ref().map(|hold| Health::recall(hold, now)).unwrap_or_default(),
            breaker: Breaker::new(retry),
            throttle: Throttle::new(connections, per_minute),
            budget: per_day.map(|limit| Budget::new(limit, known.budget.as_ref(), now)),
            fits_at: None,
            window,
            starttls_seen: known.starttls_seen,
            refused_senders: known.refused_senders.clone(),
            seated: Vec::new(),
            told: Told::default(),
        }
    }

    /// What is to be told to others now, if anything has changed for them.
    pub(super) fn moved(&mut self, now: Instant) -> Option<Gate> {
        let told = Told {
            shut: self.shut(now).map(|shut| self.why(shut, now)),
            seats: self.seats(),
            seated: self.seated.len(),
            pace: self.throttle.wait(now),
            next: self.changes_at(now),
        };
        if told == self.told {
            return None;
        }
        let gate = match (&told.shut, &self.told.shut) {
            (before, after) if before == after => Gate::AsBefore,
            (Some(why), _) => Gate::Shut(why.clone()),
            (None, _) => Gate::Open,
        };
        self.told = told;
        Some(gate)
    }

    /// Why nothing goes out now. What lasts longest comes first.
    pub(super) fn shut(&self, now: Instant) -> Option<Shut> {
        if self.health.closed_by().is_some() {
            return Some(Shut::Held);
        }
        if self.breaker.open_now().is_some() {
            return Some(Shut::Away);
        }
        if self.throttle.paused(now).is_some() {
            return Some(Shut::Paused);
        }
        if self.fits_at.is_some_and(|until| now < until) {
            return Some(Shut::UsedUp);
        }
        let too_fast = self.throttle.wait(now).is_some_and(|until| until > now + self.window);
        too_fast.then_some(Shut::TooFast)
    }

    /// The same for people.
    pub(super) fn why(&self, shut: Shut, now: Instant) -> Diagnosis {
        match shut {
            Shut::Held => self.health.closed_by().map(|hold| hold.diagnosis.clone()),
            Shut::Away => self.breaker.open_now().map(|open| open.diagnosis.clone()),
            Shut::Paused => self.throttle.paused(now).map(|paused| paused.diagnosis.clone()),
            Shut::UsedUp => self.budget.as_ref().map(|budget| used_up(budget, now)),
            Shut::TooFast => None,
        }
        .unwrap_or_else(|| too_fast(self.throttle.per_minute()))
    }

    /// What was claimed does not fit into the budget before.
    pub(super) fn wait_for_budget(&mut self, until: Instant) {
        self.fits_at = Some(until);
    }

    /// Until when something waits for the budget.
    pub(super) fn budget_wait(&self, now: Instant) -> Option<Instant> {
        self.fits_at.filter(|until| now < *until)
    }

    /// A person says that the provider may be there again. What it has asked for itself still holds.
    pub(super) fn reach_again(&mut self) {
        self.breaker.answered();
    }

    /// A person wants the account to be tried at once.
    pub(super) fn forgive(&mut self) {
        self.breaker.answered();
        self.throttle.forget();
        self.fits_at = None;
    }

    /// Whether courier `number` may claim a message, if there is one. Nobody need know why nothing goes out: then
    /// there is none.
    pub(super) fn turn(&self, number: usize, now: Instant) -> Turn {
        // Who has a line keeps it before others make one.
        let place = self.seated.iter().position(|seated| *seated == number).unwrap_or(self.seated.len());
        match self.throttle.wait(now) {
            _ if place >= self.seats() => Turn::Later,
            Some(until) => Turn::At(until),
            None => Turn::Now,
        }
    }

    /// Courier `number` has claimed a message, and needs a connection. False if all it may be are in use.
    pub(super) fn sit_down(&mut self, number: usize) -> bool {
        let is_seated = self.seated.contains(&number);
        if !is_seated && self.seated.len() < self.seats() {
            self.seated.push(number);
            return true;
        }
        is_seated
    }

    /// It has none any more.
    pub(super) fn stand_up(&mut self, number: usize) {
        self.seated.retain(|seated| *seated != number);
    }

    fn seats(&self) -> usize {
        if self.health.is_on_trial() { 1 } else { self.throttle.connections() }
    }

    /// Whether a courier may have a second message in its hand. Not while it is being found out how much is too much.
    pub(super) fn may_send_ahead(&self, now: Instant) -> bool {
        let is_free = self.throttle.slowed().is_none() && self.throttle.wait(now).is_none();
        is_free && self.health.hold().is_none() && self.shut(now).is_none()
    }

    /// What is to be tried now.
    pub(super) fn duty(&self, now: Instant) -> Option<Duty> {
        match self.health.due(now) {
            Some(EndsBy::Probe) => return Some(Duty::SignIn),
            Some(EndsBy::Change) => return Some(Duty::Look),
            Some(EndsBy::Time) | None => {}
        }
        let is_due = self.breaker.open_now().is_some_and(|open| now >= open.until);
        (is_due && self.health.closed_by().is_none()).then_some(Duty::Reach)
    }

    /// When all this may have changed by time alone.
    pub(super) fn changes_at(&self, now: Instant) -> Option<Instant> {
        let hold = self.health.closed_by().map(|hold| hold.until);
        let breaker = self.breaker.open_now().map(|open| open.until);
        let paused = self.throttle.paused(now).map(|paused| paused.until);
        // A lane that is shut for the pace opens as soon as waiting for it is worth it.
        let pace = self.throttle.wait(now).filter(|until| *until > now + self.window);
        let pace = pace.map(|until| until.checked_sub(self.window).unwrap_or(until));
        [hold, breaker, paused, self.budget_wait(now), pace].into_iter().flatten().min()
    }
}

impl Fitness {
    /// With what a person may want to know of it.
    pub(super) fn status(&self, status: Status, now: Moment) -> Status {
        let wall = |time: Instant| now.wall_at(time.max(now.steady));
        let hold = self.health.hold().map(|hold| hold.status(now));
        let budget = self.budget.as_ref().map(|budget| {
            let (limit, used) = (budget.limit(), budget.used(now.steady));
            let waits_until = self.budget_wait(now.steady).map(wall);
            BudgetStatus { limit, used, left: limit.saturating_sub(used), waits_until }
        });
        let breaker = self.breaker.open_now().map(|open| BreakerStatus {
            since: now.wall_at(open.since),
            until: wall(open.until),
            code: open.diagnosis.code.to_owned(),
            text: open.diagnosis.sentence.clone().into_owned(),
            cure: open.diagnosis.cure.clone().into_owned(),
        });
        let (slowed, paused) = (self.throttle.slowed(), self.throttle.paused(now.steady));
        let throttle = (slowed.is_some() || paused.is_some()).then(|| ThrottleStatus {
            since: slowed.map(|slowed| now.wall_at(slowed.since)),
            connections: self.throttle.connections(),
            connections_allowed: self.throttle.configured().0,
            messages_per_minute: self.throttle.per_minute(),
            paused_until: paused.map(|paused| wall(paused.until)),
        });
        Status { hold, budget, breaker, throttle, ..status }
    }
}

fn used_up(budget: &Budget, now: Instant) -> Diagnosis {
    Diagnosis::new(
        "recipients_per_day_used_up",
        Cause::Quota,
        format!(
            "The account may write to {} recipients in 24 hours, and {} are used.",
            budget.limit(),
            budget.used(now)
        ),
        "Nothing to do: what waits goes out as soon as it fits. If the provider allows more, raise `limits.recipients_per_day` of this account.",
    )
}

fn too_fast(per_minute: Option<u32>) -> Diagnosis {
    Diagnosis::new(
        "messages_per_minute_used_up",
        Cause::Throttle,
        format!(
            "The account sends at most {} messages a minute for now, and more are waiting.",
            per_minute.unwrap_or(0)
        ),
        "Nothing to do: what waits goes out as soon as it may. If the provider allows more, raise `limits.messages_per_minute` of this account.",
    )
}

#[cfg(test)]
mod tests;
