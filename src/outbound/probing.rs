//! What ends a hold, and what closes a breaker: tried in the background, without mail.
//!
//! One task for each account. A sign-in hold is probed by a sign-in, a hold of the configuration by a look at the
//! server without credentials, a provider that cannot be reached by a sign-in; where time alone ends a hold the lane is
//! opened on trial. Guarantees one try at a time, when it is due and not before, and that mail waits for what it says.
//! The same task shuts and opens the lane when nothing but time goes by, and has the budget written anew when somebody
//! has set the clock.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tracing::Instrument;

use super::fitness::Duty;
use super::{Couriers, Desk};
use crate::account::chance::chance;
use crate::account::health::Proof;
use crate::diagnosis::diagnose;
use crate::journal::{Event as Happened, Pace};
use crate::upstream::{ConnectError, Line, Progress};
use crate::words::Cause;

/// How often it is looked whether the clock was set, where something is counted by the day.
const TICK: Duration = Duration::from_secs(5);

impl Desk {
    /// Looks after the account until the house ends.
    pub(super) fn mind(self: &Arc<Self>, couriers: &Couriers) {
        let span = tracing::info_span!("probe", account = %self.account());
        let minding = Arc::clone(self).keep_trying(couriers.clone()).instrument(span);
        let ending = couriers.ending.clone();
        couriers.tasks.spawn(async move { ending.run_until_cancelled(minding).await });
    }

    async fn keep_trying(self: Arc<Self>, couriers: Couriers) {
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            self.update(|fitness, now| fitness.health.open_on_trial(now));
            let (duty, next, counts) = {
                let (fitness, now) = (self.fitness(), self.clock().steady());
                (fitness.duty(now), fitness.changes_at(now), fitness.budget.is_some())
            };
            match (duty, next) {
                // On the heap: whoever waits is small.
                (Some(duty), _) => Box::pin(self.try_out(duty, &couriers)).await,
                (None, next) => tokio::select! {
                    _ = changed.changed() => {}
                    () = self.reached(next) => {}
                    () = tokio::time::sleep(TICK), if counts => self.look_at_clock().await,
                },
            }
        }
    }

    async fn reached(&self, time: Option<std::time::Instant>) {
        match time {
            Some(time) => self.clock().until(time).await,
            None => std::future::pending().await,
        }
    }

    /// What is written down is dated by the wall clock: when that is set it is written anew.
    async fn look_at_clock(&self) {
        let now = self.clock().moment();
        let durable = {
            let mut fitness = self.fitness();
            if !fitness.budget.as_ref().is_some_and(|budget| budget.is_out_of_date(now)) {
                return;
            }
            self.remember(&mut fitness, now, None)
        };
        self.say_if_forgotten(durable.await);
    }

    async fn try_out(&self, duty: Duty, couriers: &Couriers) {
        let generation = self.fitness().health.generation();
        let found = match duty {
            Duty::Look => self.upstream.look().await,
            Duty::SignIn | Duty::Reach => self.probe(couriers).await,
        };
        let Err(ConnectError { failure, stage }) = found else {
            return self.found_well(duty);
        };
        let diagnosis = diagnose(&failure, self.upstream.settings.context());
        self.journal.record(Happened::AttemptFailed { failure: &failure, diagnosis: &diagnosis });
        self.update(|fitness, now| {
            match (duty, diagnosis.cause) {
                (Duty::Reach, Cause::Network) => fitness.breaker.tried(now, &diagnosis, chance()),
                (Duty::Reach, _) => {
                    // It is there, and has something else against us.
                    self.weigh(fitness, now, now, &failure, &diagnosis);
                    return fitness.health.failed(now, generation, stage, &diagnosis);
                }
                (Duty::SignIn | Duty::Look, _) => return fitness.health.tried(now, generation, stage, &diagnosis),
            }
            None
        });
    }

    async fn probe(&self, couriers: &Couriers) -> Result<(), ConnectError> {
        let connected = self.upstream.connect(&Progress::new()).await;
        self.first.worked.store(connected.is_ok(), Ordering::Release);
        // Mail takes a line of its own: this one belongs to nobody.
        couriers.tasks.spawn(Line::close(connected?));
        Ok(())
    }

    fn found_well(&self, duty: Duty) {
        let mut reached = false;
        self.update(|fitness, now| {
            if duty == Duty::Look {
                return fitness.health.looks_well(now);
            }
            reached = fitness.breaker.reached();
            fitness.health.succeeded(now, Proof::SignIn)
        });
        if reached {
            self.journal.record(Happened::Pace { account: self.account(), what: Pace::Reached });
        }
    }
}
