//! The desk of one account: whether it may be used just now, and who works at it.
//!
//! Knows the account's health and says each change of it once. Guarantees that a hold costs one attempt and not one per
//! message, and that a courier that fails inside is replaced. Carries nothing itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use super::Couriers;
use crate::account::Settings;
use crate::account::health::{Change, Health, Hold};
use crate::account::status::Status;
use crate::ids::AccountName;
use crate::journal::{Event as Happened, Journal};
use crate::queue::Queue;
use crate::upstream::Upstream;
use crate::words::Phase;

/// One account at work.
#[derive(Debug)]
pub struct Desk {
    pub(super) upstream: Upstream,
    pub(super) health: Mutex<Health>,
    pub(super) first: FirstSignIn,
    /// Woken when a hold begins.
    pub(super) held: Notify,
    pub(super) queue: Arc<Queue>,
    pub(super) journal: Journal,
}

/// Until a sign-in has worked, one courier goes first: a wrong password costs one attempt, however many wait.
#[derive(Debug, Default)]
pub(super) struct FirstSignIn {
    pub(super) worked: AtomicBool,
    turn: tokio::sync::Mutex<()>,
}

impl FirstSignIn {
    pub(super) async fn turn(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        if self.worked.load(Ordering::Acquire) { None } else { Some(self.turn.lock().await) }
    }
}

/// Leave to use the account. When a hold is over one courier at a time has it; however its attempt ends, cut off
/// included, the next one's turn comes.
pub(super) struct Leave<'a> {
    desk: &'a Desk,
    /// It finds out whether the hold is over.
    trying: bool,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if self.trying {
            // Does nothing when the attempt has reported.
            self.desk.health().gave_up(Instant::now());
        }
    }
}

impl Desk {
    /// A desk that nobody works at yet.
    #[must_use]
    pub fn new(upstream: Upstream, queue: Arc<Queue>, journal: Journal) -> Self {
        let (health, first, held) = (Mutex::new(Health::Well), FirstSignIn::default(), Notify::new());
        Self { upstream, health, first, held, queue, journal }
    }

    /// Puts as many couriers to work as the account allows connections. They work until `ending` is cancelled.
    pub(super) fn open(self, couriers: &Couriers) -> Arc<Self> {
        let desk = Arc::new(self);
        for _ in 0..desk.upstream.settings.connections.max(1) {
            couriers.tasks.spawn(Arc::clone(&desk).place(couriers.clone()));
        }
        desk.tend(couriers);
        desk
    }

    /// A person has signed the account in: what was known against it, and every token in memory, is forgotten.
    pub(super) fn signed_in(&self) {
        self.upstream.keeper().forget();
        // One goes first again: the new sign-in may be no better.
        self.first.worked.store(false, Ordering::Release);
        let now = Instant::now();
        self.report(now, self.health().signed_in(now));
    }

    /// A person has signed the account out: no token in memory outlives that.
    pub(super) fn signed_out(&self) {
        self.upstream.keeper().forget();
    }

    pub(super) async fn status(&self) -> Status {
        let now = Instant::now();
        let keeper = self.upstream.keeper();
        let hold = self.health().hold().map(|hold| hold.status(now, keeper.clock().now()));
        Status { hold, ..keeper.status().await }
    }

    /// A courier's place is never empty: one that fails inside is replaced, so that the account does not fall silent.
    async fn place(self: Arc<Self>, couriers: Couriers) {
        loop {
            let courier = couriers.tasks.spawn(Arc::clone(&self).courier(couriers.clone()));
            match courier.await {
                Err(error) if error.is_panic() => {
                    tracing::error!(account = %self.account(), "a courier failed inside and is replaced");
                }
                _ => return,
            }
        }
    }

    pub(super) fn account(&self) -> &AccountName {
        &self.upstream.settings.name
    }

    pub(super) fn no_answer(&self, phase: Phase) {
        let Settings { host, port, .. } = &self.upstream.settings;
        self.journal.record(Happened::NoAnswer { host, port: *port, phase });
    }

    pub(super) fn health(&self) -> std::sync::MutexGuard<'_, Health> {
        // Every change of the state is a single assignment; a panic cannot leave half of one.
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn leave(&self) -> Result<Leave<'_>, Box<Hold>> {
        let mut health = self.health();
        health.may_try(Instant::now())?;
        Ok(Leave { desk: self, trying: matches!(*health, Health::Trying { .. }) })
    }

    pub(super) fn report(&self, now: Instant, change: Option<Change>) {
        let account = self.account();
        match change {
            Some(Change::Held(hold) | Change::StillHeld(hold)) => {
                let Hold { until, diagnosis, .. } = &hold;
                let next_try_s = until.saturating_duration_since(now).as_secs();
                self.journal.record(Happened::Held { account, diagnosis, next_try_s });
                self.held.notify_one();
            }
            Some(Change::Well { .. }) => self.journal.record(Happened::Released { account }),
            None => {}
        }
    }
}
