//! The courier: takes what is offered for an account and carries it to the provider.
//!
//! Each account has a fixed number of couriers, and each courier owns at most one connection, kept warm between
//! messages. Guarantees that a held account costs no attempt, that a stale connection is replaced once and at once,
//! and that every lease is settled or its message provably not sent. What a failure means for the mail is `verdict`'s.

mod attempt;
mod desks;
mod tending;
pub mod verdict;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::account::Settings;
use crate::account::health::{Change, Health, Hold, Proof, Stage};
use crate::account::status::Status;
use crate::diagnosis::diagnose;
use crate::ids::{AccountName, AttemptId};
use crate::journal::{Event as Happened, Journal};
use crate::queue::{Lease, Outcome, Queue};
use crate::upstream::{ConnectError, Line, Progress, Upstream};
use crate::words::Phase;

use attempt::Ended;
pub use desks::Desks;

/// How long a sign-in may go on when the message it was for has been withdrawn.
const AFTERWARDS: Duration = Duration::from_secs(30);

/// One account at work.
#[derive(Debug)]
pub struct Desk {
    upstream: Upstream,
    health: Mutex<Health>,
    first: FirstSignIn,
    /// Woken when a hold begins.
    held: Notify,
    queue: Arc<Queue>,
    journal: Journal,
}

/// Until a sign-in has worked, one courier goes first: a wrong password costs one attempt, however many wait.
#[derive(Debug, Default)]
struct FirstSignIn {
    worked: AtomicBool,
    turn: tokio::sync::Mutex<()>,
}

impl FirstSignIn {
    async fn turn(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        if self.worked.load(Ordering::Acquire) { None } else { Some(self.turn.lock().await) }
    }
}

/// What all couriers of the house share.
#[derive(Debug, Clone, Default)]
pub struct Couriers {
    /// The couriers, and their goodbyes to providers, for which nobody waits but the end of the program.
    pub tasks: TaskTracker,
    /// Cancelled when nobody waits for an answer any more: idle lines are closed in order, attempts are cut.
    pub ending: CancellationToken,
}

/// Leave to use the account. When a hold is over one courier at a time has it; however its attempt ends, cut off
/// included, the next one's turn comes.
struct Leave<'a> {
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
    fn open(self, couriers: &Couriers) -> Arc<Self> {
        let desk = Arc::new(self);
        for _ in 0..desk.upstream.settings.connections.max(1) {
            couriers.tasks.spawn(Arc::clone(&desk).place(couriers.clone()));
        }
        desk.tend(couriers);
        desk
    }

    /// A person has signed the account in: what was known against it, and every token in memory, is forgotten.
    fn signed_in(&self) {
        self.upstream.keeper().forget();
        // One goes first again: the new sign-in may be no better.
        self.first.worked.store(false, Ordering::Release);
        let now = Instant::now();
        self.report(now, self.health().signed_in(now));
    }

    /// A person has signed the account out: no token in memory outlives that.
    fn signed_out(&self) {
        self.upstream.keeper().forget();
    }

    async fn status(&self) -> Status {
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

    fn account(&self) -> &AccountName {
        &self.upstream.settings.name
    }

    async fn courier(self: Arc<Self>, couriers: Couriers) {
        let mut line: Option<Line> = None;
        while let Some(lease) = couriers.ending.run_until_cancelled(self.next_lease(&mut line, &couriers)).await {
            let id = AttemptId::new();
            let message = lease.message();
            let span = tracing::info_span!(
                "attempt", %id, account = %self.account(), message_id = %message.id, session = %message.session
            );
            // On the heap: a courier that waits is small.
            let attempt = Box::pin(self.attempt(lease, id, line.take())).instrument(span);
            let Some(after) = couriers.ending.run_until_cancelled(attempt).await else { return };
            line = after;
            if let Some(used) = line.take_if(|line| !line.is_good()) {
                couriers.tasks.spawn(used.close());
            }
        }
        if let Some(idle) = line {
            idle.close().await;
        }
    }

    async fn next_lease(&self, line: &mut Option<Line>, couriers: &Couriers) -> Lease {
        loop {
            let Some(warm) = line else { return self.queue.claim(self.account()).await };
            tokio::select! {
                biased;
                lease = self.queue.claim(self.account()) => return lease,
                () = warm.idle() => {
                    if let Some(old) = line.take() {
                        couriers.tasks.spawn(old.close());
                    }
                }
            }
        }
    }

    /// Carries one message, and hands the line back if it can carry another.
    async fn attempt(&self, lease: Lease, id: AttemptId, warm: Option<Line>) -> Option<Line> {
        let _turn = if warm.is_none() { self.first.turn().await } else { None };
        let _leave = match self.leave() {
            Ok(granted) => granted,
            Err(hold) => {
                settle_all(lease, &Outcome::Hold(hold.diagnosis)).await;
                return warm;
            }
        };
        if let Some(mut line) = warm {
            let ended = attempt::carry(&lease, id, &mut line, self.upstream.settings.context()).await;
            line.write_down(&self.journal);
            if !ended.is_stale() {
                return self.conclude(lease, ended).await.then_some(line);
            }
            // The provider had given the line up while it was idle: not an attempt.
            tracing::debug!("the idle connection was no longer good, connecting anew");
        }
        let mut line = match self.connect(&lease).await {
            Ok(line) => line?,
            Err(outcome) => {
                settle_all(lease, &outcome).await;
                return None;
            }
        };
        if !lease.is_wanted() {
            // The device did not wait so long; the next message finds a warm line.
            return Some(line);
        }
        let ended = attempt::carry(&lease, id, &mut line, self.upstream.settings.context()).await;
        line.write_down(&self.journal);
        self.conclude(lease, ended).await.then_some(line)
    }

    /// Settles, and says whether the line is still of use.
    async fn conclude(&self, lease: Lease, ended: Ended) -> bool {
        let now = Instant::now();
        match ended {
            Ended::Answered(answered) => {
                if answered.delivered() {
                    self.report(now, self.health().succeeded(now, Proof::Delivery));
                } else if let Some((failure, diagnosis)) = answered.failure() {
                    self.journal.record(Happened::AttemptFailed { failure, diagnosis });
                    self.report(now, self.health().failed(now, Stage::Mail, diagnosis));
                }
                lease.settle(answered.into_outcomes(), None).await;
                true
            }
            Ended::Broken(failure) => {
                let diagnosis = diagnose(&failure, self.upstream.settings.context());
                self.journal.record(Happened::AttemptFailed { failure: &failure, diagnosis: &diagnosis });
                self.report(now, self.health().failed(now, Stage::Mail, &diagnosis));
                settle_all(lease, &verdict::of_failure(&failure, diagnosis)).await;
                false
            }
            Ended::Withdrawn(phase) => {
                self.no_answer(phase);
                false
            }
        }
    }

    /// `Ok(None)`: it took so long that nobody waits any more, and was given up.
    async fn connect(&self, lease: &Lease) -> Result<Option<Line>, Outcome> {
        let (began, progress) = (Instant::now(), Progress::new());
        let mut connecting = std::pin::pin!(self.upstream.connect(&progress));
        let connected = tokio::select! {
            biased;
            connected = &mut connecting => connected,
            () = lease.withdrawn() => {
                self.no_answer(progress.phase());
                // The next message may still gain from it, but a courier must not be lost to a silent provider.
                match tokio::time::timeout(AFTERWARDS, connecting).await {
                    Ok(connected) => connected,
                    Err(_) => return Ok(None),
                }
            }
        };
        let now = Instant::now();
        self.first.worked.store(connected.is_ok(), Ordering::Release);
        match connected {
            Ok(line) => {
                self.report(now, self.health().succeeded(now, Proof::SignIn));
                let detail = self.upstream.settings.host.as_str();
                self.journal.record(Happened::Connected { detail, took: now - began });
                Ok(Some(line))
            }
            Err(ConnectError { failure, stage }) => {
                let diagnosis = diagnose(&failure, self.upstream.settings.context());
                self.journal.record(Happened::AttemptFailed { failure: &failure, diagnosis: &diagnosis });
                self.report(now, self.health().failed(now, stage, &diagnosis));
                Err(verdict::of_failure(&failure, diagnosis))
            }
        }
    }

    fn no_answer(&self, phase: Phase) {
        let Settings { host, port, .. } = &self.upstream.settings;
        self.journal.record(Happened::NoAnswer { host, port: *port, phase });
    }

    fn health(&self) -> std::sync::MutexGuard<'_, Health> {
        // Every change of the state is a single assignment; a panic cannot leave half of one.
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self) -> Result<Leave<'_>, Box<Hold>> {
        let mut health = self.health();
        health.may_try(Instant::now())?;
        Ok(Leave { desk: self, trying: matches!(*health, Health::Trying { .. }) })
    }

    fn report(&self, now: Instant, change: Option<Change>) {
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

async fn settle_all(lease: Lease, outcome: &Outcome) {
    let outcomes = vec![outcome.clone(); lease.envelope().recipients.len()];
    lease.settle(outcomes, None).await;
}
