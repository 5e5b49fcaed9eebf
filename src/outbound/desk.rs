//! The desk of one account: who works at it, and what is known of the account.
//!
//! Guarantees that what is learned of the account takes effect at once: its lane in the queue is shut or opened, what
//! the next run must know is written, and each change is said once. A courier that fails inside is replaced. Carries
//! nothing itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::Couriers;
use super::ahead::Ahead;
use super::compose::Composer;
use super::fitness::{Fitness, Gate};
use crate::account::Settings;
use crate::account::budget::Written;
use crate::account::health::{Change, Hold};
use crate::account::memory::{Memory, Remembered, Volatile};
use crate::account::senders;
use crate::account::smime::Signing;
use crate::account::status::Status;
use crate::disk::durable::{Durable, NotStored};
use crate::ids::AccountName;
use crate::journal::{Event as Happened, Journal, Pace};
use crate::mail::envelope::ReversePath;
use crate::net::clock::{Clock, Moment};
use crate::queue::Queue;
use crate::upstream::Upstream;
use crate::words::Phase;

/// One account at work.
#[derive(Debug)]
pub struct Desk {
    pub(super) upstream: Upstream,
    pub(super) composer: Composer,
    fitness: Mutex<Fitness>,
    pub(super) first: FirstSignIn,
    ahead: Mutex<Ahead>,
    /// Woken when a hold begins.
    pub(super) held: Notify,
    /// Who may claim, or what is to be tried next, has changed.
    pub(super) changed: watch::Sender<()>,
    /// Whoever writes the budget ahead.
    pub(super) writing: tokio::sync::Mutex<()>,
    memory: Arc<dyn Memory>,
    /// Whether the last change could be written; said once.
    forgets: AtomicBool,
    pub(super) queue: Arc<Queue>,
    pub(super) journal: Journal,
}

/// What a desk knows when it opens.
#[derive(Debug)]
pub struct Known {
    /// Where it is to be remembered.
    pub memory: Arc<dyn Memory>,
    /// What is remembered of the account.
    pub remembered: Remembered,
    /// The waits between the tries of a provider that cannot be reached.
    pub retry: Vec<Duration>,
    /// How long a fresh message waits.
    pub window: Duration,
    /// With what its mail is signed.
    pub signing: Option<Signing>,
}

/// Nothing is known, and nothing will be in the next run.
impl Default for Known {
    fn default() -> Self {
        let window = Duration::from_secs(15);
        let (memory, remembered) = (Arc::new(Volatile::default()), Remembered::default());
        Self { memory, remembered, retry: Vec::new(), window, signing: None }
    }
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

impl Desk {
    /// A desk that nobody works at yet.
    #[must_use]
    pub fn new(upstream: Upstream, queue: Arc<Queue>, journal: Journal, known: Known) -> Self {
        let Known { memory, remembered, retry, window, signing } = known;
        let Settings { connections, messages_per_minute, recipients_per_day, .. } = &upstream.settings;
        let limits = (*connections, *messages_per_minute, *recipients_per_day);
        if remembered.starttls_seen {
            upstream.saw_starttls();
        }
        let now = upstream.keeper().clock().moment();
        let fitness = Mutex::new(Fitness::new(limits, retry, window, &remembered, now));
        let (first, ahead) = (FirstSignIn::default(), Mutex::default());
        let (held, changed) = (Notify::new(), watch::Sender::new(()));
        let composer = Composer::new(&upstream.settings, signing);
        let (writing, forgets) = (tokio::sync::Mutex::new(()), AtomicBool::new(false));
        Self { upstream, composer, fitness, first, ahead, held, changed, writing, memory, forgets, queue, journal }
    }

    /// Puts as many couriers to work as the account allows connections. They work until `ending` is cancelled.
    pub(super) fn open(self, couriers: &Couriers) -> Arc<Self> {
        let desk = Arc::new(self);
        // What the last run left shut is shut before anybody claims; and that there was another start is remembered.
        let recalled = desk.fitness().health.hold().cloned();
        desk.update(|_, _| recalled.map(Change::StillHeld));
        for number in 0..desk.upstream.settings.connections.max(1) {
            couriers.tasks.spawn(Arc::clone(&desk).place(number, couriers.clone()));
        }
        desk.tend(couriers);
        desk.mind(couriers);
        desk
    }

    /// A person has signed the account in: what was known against it, and every token in memory, is forgotten.
    pub(super) fn signed_in(&self) {
        self.upstream.keeper().forget();
        self.go_first();
        self.update(|fitness, now| {
            fitness.refused_senders.forget();
            fitness.health.signed_in(now)
        });
    }

    /// Senders it does not take mail of.
    pub(super) fn refused_senders(&self) -> senders::Remembered {
        self.fitness().refused_senders.at(self.clock().moment().wall)
    }

    /// The provider does not take mail of this sender.
    pub(super) fn refuses(&self, sender: ReversePath) {
        let now = self.clock().moment();
        let mut fitness = self.fitness();
        fitness.refused_senders.learn(sender, now.wall);
        // Nobody waits for it: whoever does not know it learns it again.
        drop(self.remember(&mut fitness, now, None));
    }

    /// A person wants it tried now, whatever is known against it.
    pub(super) fn release(&self) {
        self.go_first();
        self.update(|fitness, now| {
            fitness.forgive();
            fitness.refused_senders.forget();
            fitness.health.signed_in(now)
        });
    }

    /// A person wants mail to go out now: a provider that was not reached is tried at once.
    pub(super) fn reach_again(&self) {
        self.update(|fitness, _| {
            fitness.reach_again();
            None
        });
    }

    /// A person has signed the account out: no token in memory outlives that.
    pub(super) fn signed_out(&self) {
        self.upstream.keeper().forget();
    }

    /// One goes first again: the new sign-in may be no better.
    fn go_first(&self) {
        self.first.worked.store(false, Ordering::Release);
    }

    pub(super) async fn status(&self) -> Status {
        let keeper = self.upstream.keeper();
        let status = keeper.status().await;
        self.fitness().status(status, self.clock().moment())
    }

    /// The last word before the end: nothing is reserved any more.
    pub(super) async fn remember_exactly(&self) {
        let now = self.clock().moment();
        let durable = {
            let mut fitness = self.fitness();
            let Some(budget) = &mut fitness.budget else { return };
            let written = budget.close(now);
            self.remember(&mut fitness, now, Some(written))
        };
        self.say_if_forgotten(durable.await);
    }

    /// A courier's place is never empty: one that fails inside is replaced, so that the account does not fall silent.
    async fn place(self: Arc<Self>, number: usize, couriers: Couriers) {
        loop {
            let courier = couriers.tasks.spawn(Arc::clone(&self).courier(number, couriers.clone()));
            match courier.await {
                Err(error) if error.is_panic() => {
                    self.stand_up(number);
                    tracing::error!(account = %self.account(), "a courier failed inside and is replaced");
                }
                _ => return,
            }
        }
    }

    pub(super) fn account(&self) -> &AccountName {
        &self.upstream.settings.name
    }

    pub(super) fn clock(&self) -> &Clock {
        self.upstream.keeper().clock()
    }

    pub(super) fn no_answer(&self, phase: Phase) {
        let Settings { host, port, .. } = &self.upstream.settings;
        self.journal.record(Happened::NoAnswer { host, port: *port, phase });
    }

    pub(super) fn fitness(&self) -> MutexGuard<'_, Fitness> {
        // Each part changes by single assignments; a panic cannot leave half of one.
        self.fitness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What rides behind a dot; locked for a moment only.
    pub(super) fn ahead(&self) -> MutexGuard<'_, Ahead> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was learned of the account: it takes effect, is remembered and said.
    pub(super) fn update(&self, learn: impl FnOnce(&mut Fitness, Instant) -> Option<Change>) {
        let now = self.clock().moment();
        let change = {
            let mut fitness = self.fitness();
            let knew_starttls = fitness.starttls_seen;
            fitness.starttls_seen = self.upstream.starttls_seen();
            let change = learn(&mut fitness, now.steady);
            if change.is_some() || knew_starttls != fitness.starttls_seen {
                // Nobody waits for it: mail need not.
                drop(self.remember(&mut fitness, now, None));
            }
            self.settle_gate(&mut fitness, now.steady);
            change
        };
        self.report(now.steady, change);
    }

    /// Shuts or opens the lane, and wakes whom that concerns. Under the lock, so that the last word is the last state.
    pub(super) fn settle_gate(&self, fitness: &mut Fitness, now: Instant) {
        let Some(gate) = fitness.moved(now) else { return };
        match gate {
            Gate::Open => self.queue.open(self.account()),
            Gate::Shut(why) => self.queue.close(self.account(), why),
            Gate::AsBefore => {}
        }
        self.changed.send_replace(());
    }

    /// Has it written what the next run must know.
    pub(super) fn remember(&self, fitness: &mut Fitness, now: Moment, budget: Option<Written>) -> Durable {
        let budget = budget.or_else(|| fitness.budget.as_mut().map(|budget| budget.write(now)));
        let hold = fitness.health.hold().map(|hold| hold.keep(now));
        let refused_senders = fitness.refused_senders.clone();
        let what = Remembered { starttls_seen: fitness.starttls_seen, hold, budget, refused_senders };
        self.memory.remember(self.account(), &what)
    }

    pub(super) fn say_if_forgotten(&self, written: Result<(), NotStored>) {
        let forgot = self.forgets.swap(written.is_err(), Ordering::Relaxed);
        if let (false, Err(why)) = (forgot, written) {
            self.journal
                .record(Happened::Pace { account: self.account(), what: Pace::Forgotten { why: why.to_string() } });
        }
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
            Some(Change::OnTrial(_)) => self.journal.record(Happened::Pace { account, what: Pace::OnTrial }),
            Some(Change::Well { .. }) => self.journal.record(Happened::Released { account }),
            None => {}
        }
    }
}
