//! What every part of a durable queue shares: its store, its lanes, and what is out just now.
//!
//! Guarantees that a stored parcel is in one hand at a time ([`Out`]), and that the tasks of the queue can be waited
//! for before the store is closed. Decides nothing.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::lane::{Lane, Next};
use super::lanes::Lanes;
use super::lease::Lease;
use super::parcel::{Owed, Parcel, ParcelId, Try};
use super::recovery::Known;
use super::resting::Resting;
use super::room::Room;
use super::store::{Condition, Store};
use super::{AccountFacts, Keeping, Message, Outcome, Route, notice, schedule};
use crate::ids::{AccountName, MessageId};
use crate::journal::{Event, Journal};
use crate::net::clock::Clock;

/// The inside of a durable queue.
#[derive(Debug)]
pub(super) struct Core {
    pub store: Arc<dyn Store>,
    pub keeping: Keeping,
    pub clock: Clock,
    pub journal: Journal,
    /// The relay's name, for notices.
    pub hostname: String,
    /// In the order of the configuration.
    pub facts: Vec<AccountFacts>,
    pub lanes: Arc<Lanes>,
    pub out: Out,
    pub resting: Resting,
    pub room: Room,
    /// Whoever brings and tends what is stored, orders of people, windows without a session, and outcomes that are
    /// recorded without a courier.
    pub tasks: TaskTracker,
    /// Cancelled when the relay ends: no device waits any longer.
    pub ending: CancellationToken,
}

impl Core {
    /// Recipients one transaction of this account may have.
    pub fn recipients_per_message(&self, account: &AccountName) -> usize {
        let facts = self.facts.iter().find(|facts| facts.name == *account);
        facts.map_or(usize::MAX, |facts| facts.recipients_per_message.max(1))
    }

    /// What becomes of a parcel after an attempt through this account.
    pub fn settle(
        &self,
        parcel: Parcel,
        arrived: Timestamp,
        account: &AccountName,
        outcomes: &[Outcome],
        tried: Option<Try>,
    ) -> schedule::Settled {
        let now = self.clock.now();
        let moment = schedule::Moment { now, arrived, keeping: &self.keeping, spread: chance(), account };
        schedule::settle(parcel, outcomes, tried, &moment)
    }

    /// Who is to be told of these recipients: a notice for the same commit, or an alert for after it.
    pub fn tell(&self, message: &Message, ended: &[(&Parcel, &Owed)], kept: bool) -> notice::Told {
        if ended.is_empty() {
            return notice::Told::default();
        }
        let now = Zoned::new(self.clock.now(), TimeZone::system());
        let terms = notice::Terms {
            notices: &self.keeping.notices,
            accounts: &self.facts,
            hostname: &self.hostname,
            id: MessageId::new(),
            now: &now,
            kept,
        };
        let ended: Vec<_> = ended.iter().map(|(parcel, owed)| notice::Ended::new(parcel, owed)).collect();
        let told = notice::of(message, &ended, &terms);
        for parcel in told.notice.iter().flat_map(|(_, parcels)| parcels) {
            // It may go where no mail has gone before: only a route that is known is looked for in the store. Nobody is
            // woken before it lies there, and no lane is asked: whoever calls may hold the lock of a ticket.
            self.lanes.know(&parcel.route);
        }
        told
    }

    /// Says what nobody could be told.
    pub fn alert(&self, message: &Message, alert: Option<&String>) {
        if let Some(text) = alert {
            self.journal.record(Event::Alert { message: message.id, text });
        }
    }

    /// Something of this route may be due that nobody has in hand.
    pub fn look(&self, route: &Route) {
        route.accounts().iter().for_each(|account| self.lanes.prune(account));
        self.lanes.look(route);
    }

    /// The next parcel for a courier of this account with nothing else to do.
    pub async fn claim(self: &Arc<Self>, account: &AccountName, lane: &Lane) -> Lease {
        let next = lane.next(|| self.is_well()).await;
        self.lease(next, account)
    }

    /// The next parcel for a courier of this account that is busy, if there is one.
    pub fn try_claim(self: &Arc<Self>, account: &AccountName) -> Option<Lease> {
        let next = self.lanes.get(account)?.try_next(self.is_well())?;
        Some(self.lease(next, account))
    }

    fn lease(self: &Arc<Self>, next: Next, account: &AccountName) -> Lease {
        match next {
            Next::Fresh(lease) => lease,
            Next::Stored(ready) => Lease::stored(self, ready.message, ready.parcel, account.clone()),
        }
    }

    /// Puts those to work who look after what is stored, until the relay ends. Inside the runtime.
    pub fn start(self: &Arc<Self>, known: Known) {
        let (core, ending) = (Arc::clone(self), self.ending.clone());
        self.tasks.spawn(async move {
            // Nothing stored is handed out before.
            if ending.run_until_cancelled(core.recover(known)).await.is_none() {
                return;
            }
            for account in core.lanes.accounts() {
                let supply = Arc::clone(&core).supply(account.clone());
                let ending = ending.clone();
                core.tasks.spawn(async move { ending.run_until_cancelled(supply).await });
            }
            let tend = Arc::clone(&core).tend();
            ending.run_until_cancelled(tend).await;
        });
    }

    /// A lane was closed or opened, and these parcels left theirs.
    pub fn changed(&self, left: &[ParcelId]) {
        for id in left {
            self.out.back(*id);
        }
        self.lanes.look_everywhere();
    }

    /// Whether the store takes changes, as far as is known.
    pub fn is_well(&self) -> bool {
        matches!(*self.store.condition().borrow(), Condition::Well)
    }
}

/// From -1 to 1, so that what failed together is not tried again together.
pub(super) fn chance() -> f64 {
    let mut octets = [0; 4];
    // Without chance everything waits exactly as configured.
    if getrandom::fill(&mut octets).is_err() {
        return 0.0;
    }
    f64::from(u32::from_ne_bytes(octets)) / f64::from(u32::MAX) * 2.0 - 1.0
}

/// The stored parcels that somebody has in hand.
#[derive(Debug, Default)]
pub(super) struct Out(Mutex<HashSet<ParcelId>>);

impl Out {
    /// False if somebody has it already.
    #[must_use]
    pub fn take(&self, id: ParcelId) -> bool {
        self.set().insert(id)
    }

    /// Nobody has it any more.
    pub fn back(&self, id: ParcelId) {
        self.set().remove(&id);
    }

    /// Whether somebody has it.
    #[cfg(test)]
    pub fn has(&self, id: ParcelId) -> bool {
        self.set().contains(&id)
    }

    /// All that are out now.
    pub fn snapshot(&self) -> HashSet<ParcelId> {
        self.set().clone()
    }

    fn set(&self) -> MutexGuard<'_, HashSet<ParcelId>> {
        // Each change is a single call; a panic cannot leave half of one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
