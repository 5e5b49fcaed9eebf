//! What is done for a sign-in when no mail is on its way: kept alive, and looked after when it is held.
//!
//! One that is missing or does not open is told of at the start. A refresh token that nobody used for a day is renewed,
//! so that no provider ends it for being idle; what comes of it is held and logged like any failure. While the account
//! is held, what is kept of it is looked at every few seconds: a sign-in nobody told us of ends the hold all the same (to
//! be notified of changes would need a crate and fail on network file systems). What the vault could not take is offered
//! to it again before another process may present the old refresh token.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tracing::Instrument;

use super::{Couriers, Desk};
use crate::account::chance::by_chance;
use crate::account::health::{Hold, Stage};
use crate::account::vault::LEASE;
use crate::diagnosis::{Failure, diagnose};
use crate::journal::Event as Happened;

/// How often it is looked whether a renewal is due.
const LOOK: Duration = Duration::from_hours(1);

/// How often it is looked whether somebody has signed in.
const WATCH: Duration = Duration::from_secs(3);

/// How often what could not be stored is tried again; while the lease of that renewal runs nobody else renews.
const STORE_AGAIN: Duration = LEASE.checked_div(3).expect("three is not zero");

impl Desk {
    /// Looks after the sign-in until the house ends. Does nothing for accounts of which nothing is kept.
    pub(super) fn tend(self: &Arc<Self>, couriers: &Couriers) {
        if self.upstream.keeper().keeps_sign_in() {
            let span = tracing::info_span!("tending", account = %self.account());
            let tending = Arc::clone(self).look_after().instrument(span);
            let ending = couriers.ending.clone();
            couriers.tasks.spawn(async move { ending.run_until_cancelled(tending).await });
        }
    }

    async fn look_after(self: Arc<Self>) {
        // Many relays that start at once, after a power failure say, do not ask at once.
        let mut next_look = tokio::time::Instant::now() + by_chance(LOOK / 12);
        let mut store_again = tokio::time::interval(STORE_AGAIN);
        store_again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Who has just installed or restarted it still reads the log.
        if let Err(failure) = self.upstream.keeper().look().await {
            self.cannot_sign_in(&failure);
        }
        loop {
            let may_end = self.fitness().health.hold().is_some_and(Hold::is_for_sign_in);
            tokio::select! {
                () = tokio::time::sleep(WATCH), if may_end => {
                    if self.upstream.keeper().sign_in_changed().await {
                        self.signed_in();
                    }
                }
                _ = store_again.tick() => self.upstream.keeper().store_received().await,
                () = self.held.notified(), if !may_end => {}
                () = tokio::time::sleep_until(next_look), if !may_end => {
                    next_look = tokio::time::Instant::now() + LOOK - by_chance(LOOK / 4);
                    self.renew_if_idle().await;
                }
            }
        }
    }

    async fn renew_if_idle(&self) {
        match self.upstream.keeper().tend().await {
            None => {}
            Some(Ok(())) => tracing::info!("the sign-in was not used for a day and has been renewed"),
            Some(Err(failure)) => self.cannot_sign_in(&failure),
        }
    }

    fn cannot_sign_in(&self, failure: &Failure) {
        let diagnosis = diagnose(failure, self.upstream.settings.context());
        let mut is_said = false;
        self.update(|fitness, now| {
            let generation = fitness.health.generation();
            let change = fitness.health.failed(now, generation, Stage::SignIn, &diagnosis);
            is_said = change.is_some();
            change
        });
        if !is_said {
            // A hold tells it all; what holds nothing would go unsaid.
            self.journal.record(Happened::AttemptFailed { failure, diagnosis: &diagnosis });
        }
    }
}
