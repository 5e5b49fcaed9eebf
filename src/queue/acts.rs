//! What a person may do with what is owed: have it tried at once, held, released or removed.
//!
//! What is decided about one parcel is pure (`done_to`); the rest reads, commits and wakes. Guarantees that a parcel
//! which a courier has in hand is left alone and said, that what is changed is durable when it is told as done, and
//! that each change is in the journal with its reason. Tells no sender anything: whoever removes mail knows why.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::core::Core;
use super::parcel::{Parcel, ParcelId};
use super::schedule::{self, Refused};
use super::store::{Change, Filter, NotStored, Page, StandingKind, Store, Unreadable};
use super::{Keeping, Queue, Route};
use crate::ids::MessageId;
use crate::journal::{Event, Journal, Kept};

/// Which messages something is to be done with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// These.
    Messages(Vec<MessageId>),
    /// All that the filter lets through.
    All(Filter),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "act", deny_unknown_fields)]
pub enum Order {
    /// The next attempt is made at once. Of what is held or has failed only if it is meant: by its id, or by a filter
    /// that asks for such.
    Retry { which: Which },
    /// No attempt is made until they are released.
    Hold { which: Which, reason: String },
    /// A hold of theirs ends.
    Release { which: Which },
    /// Nothing more is delivered, and nobody is told.
    Remove { which: Which, reason: String },
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acted {
    /// With these.
    pub changed: Vec<ParcelId>,
    /// Not with these, which are being sent just now.
    pub under_way: Vec<ParcelId>,
    /// Not with these, because none of their accounts is configured.
    #[serde(default)]
    pub without_account: Vec<ParcelId>,
}

/// Why something was not done, or not with all; each text is one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// The queue cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It cannot be written.
    #[error("not everything was done: {0}")]
    NotStored(#[from] NotStored),
    /// Nothing is kept.
    #[error("this relay keeps nothing (`delivery.queue = false`)")]
    NoQueue,
}

impl Order {
    /// Which ones.
    #[must_use]
    pub fn which(&self) -> &Which {
        match self {
            Self::Retry { which } | Self::Hold { which, .. } | Self::Release { which } | Self::Remove { which, .. } => {
                which
            }
        }
    }

    /// As the journal says it, with the reason.
    fn in_words(&self) -> (&'static str, &str) {
        match self {
            Self::Retry { .. } => ("tried at once", ""),
            Self::Hold { reason, .. } => ("held", reason),
            Self::Release { .. } => ("released", ""),
            Self::Remove { reason, .. } => ("removed", reason),
        }
    }

    /// Whether it is to go out.
    #[must_use]
    pub fn wants_it_sent(&self) -> bool {
        matches!(self, Self::Retry { .. } | Self::Release { .. })
    }

    /// Whether a retry means what stands so.
    fn means(&self, kind: StandingKind) -> bool {
        match self.which() {
            Which::Messages(_) => true,
            Which::All(filter) => kind == StandingKind::Due || filter.standing == Some(kind),
        }
    }
}

/// What an order changes about a parcel whose message came at `arrived`.
///
/// # Errors
/// When it is left as it is, and why.
fn done_to(
    order: &Order,
    parcel: Parcel,
    arrived: Timestamp,
    now: Timestamp,
    keeping: &Keeping,
) -> Result<Change, Refused> {
    let kind = parcel.standing.kind();
    let changed = match order {
        // Nobody guesses here whether it went out: that a person knows.
        Order::Remove { .. } => return Ok(Change::Finish(parcel.id)),
        Order::Retry { .. } if kind == StandingKind::Held && order.means(kind) => schedule::release(parcel, now),
        Order::Retry { .. } if kind == StandingKind::Failed && !order.means(kind) => Err(Refused::Failed),
        Order::Retry { .. } => schedule::retry(parcel, arrived, now),
        Order::Hold { reason, .. } => schedule::hold(parcel, reason, now, keeping),
        Order::Release { .. } => schedule::release(parcel, now),
    };
    changed.map(Change::Update)
}

/// So many parcels in one commit.
const BATCH: usize = 200;

/// Who may have parcels in hand beside us.
#[derive(Debug, Clone)]
enum Hands {
    /// The couriers of this queue.
    Couriers(Arc<Core>),
    /// Nobody: no relay is running, and this process owns the files.
    Nobody,
}

impl Hands {
    fn take(&self, id: ParcelId) -> bool {
        match self {
            Self::Couriers(core) => core.lanes.withdraw(id) || core.out.take(id),
            Self::Nobody => true,
        }
    }

    fn back(&self, id: ParcelId) {
        if let Self::Couriers(core) = self {
            core.out.back(id);
        }
    }

    /// Whether anybody could carry what goes this way. Where nobody delivers, the next start sees to it.
    fn can_carry(&self, route: &Route) -> bool {
        match self {
            Self::Couriers(core) => route.accounts().iter().any(|account| core.lanes.get(account).is_some()),
            Self::Nobody => true,
        }
    }

    /// Since when no hold has kept mail from all accounts of this route; nothing while one does, or nobody delivers.
    fn usable_since(&self, route: &Route) -> Option<Timestamp> {
        match self {
            Self::Couriers(core) => core.lanes.usable_since(route),
            Self::Nobody => None,
        }
    }
}

/// Carries an order out.
#[derive(Debug, Clone)]
struct Actor {
    store: Arc<dyn Store>,
    hands: Hands,
    journal: Journal,
    keeping: Keeping,
    now: Timestamp,
}

/// Parcels that are in our hand, and what is to become of them.
#[derive(Default)]
struct Batch {
    /// The parcels as they were.
    parcels: Vec<Parcel>,
    changes: Vec<Change>,
    under_way: Vec<ParcelId>,
    without_account: Vec<ParcelId>,
    /// Where the next batch begins; nothing after the last.
    next: Option<ParcelId>,
}

impl Queue {
    /// Carries an order out, whether or not anybody waits for it.
    ///
    /// # Errors
    /// When nothing is kept, or the disk fails; what was done before that stays done.
    pub async fn act(&self, order: Order) -> Result<Acted, ActError> {
        let core = self.core().ok_or(ActError::NoQueue)?;
        let actor = Actor {
            store: Arc::clone(&core.store),
            hands: Hands::Couriers(Arc::clone(core)),
            journal: core.journal.clone(),
            keeping: core.keeping.clone(),
            now: core.clock.now(),
        };
        // What is in our hand must be given back, whoever stops waiting.
        let acting = core.tasks.spawn(async move { actor.act(&order).await });
        acting.await.unwrap_or_else(|error| Err(Unreadable::passing(&error).into()))
    }
}

/// The same without a relay, for the owner of the files.
///
/// # Errors
/// When the disk fails; what was done before that stays done.
pub async fn act(
    store: &Arc<dyn Store>,
    order: &Order,
    keeping: &Keeping,
    now: Timestamp,
    journal: &Journal,
) -> Result<Acted, ActError> {
    let (store, journal, keeping) = (Arc::clone(store), journal.clone(), keeping.clone());
    Actor { store, hands: Hands::Nobody, journal, keeping, now }.act(order).await
}

impl Actor {
    async fn act(&self, order: &Order) -> Result<Acted, ActError> {
        let mut acted = Acted::default();
        match order.which() {
            Which::Messages(ids) => {
                for &id in ids {
                    let batch = self.on_disk(order, move |actor, order| actor.of_message(id, order)).await?;
                    self.commit(batch, order, &mut acted).await?;
                }
            }
            Which::All(filter) => {
                let mut next = Some(None);
                while let Some(after) = next {
                    let filter = filter.clone();
                    let batch = self.on_disk(order, move |actor, order| actor.of_page(&filter, after, order)).await?;
                    next = batch.next.map(Some);
                    self.commit(batch, order, &mut acted).await?;
                }
            }
        }
        Ok(acted)
    }

    /// On a thread where the disk may take its time.
    async fn on_disk(
        &self,
        order: &Order,
        look: impl FnOnce(&Self, &Order) -> Result<Batch, Unreadable> + Send + 'static,
    ) -> Result<Batch, Unreadable> {
        let (actor, order) = (self.clone(), order.clone());
        let looked = tokio::task::spawn_blocking(move || look(&actor, &order)).await;
        looked.unwrap_or_else(|error| Err(Unreadable::passing(&error)))
    }

    fn of_message(&self, id: MessageId, order: &Order) -> Result<Batch, Unreadable> {
        let arrived = match self.store.message(id) {
            Ok(None) => return Ok(Batch::default()),
            Ok(Some(message)) => message.arrived,
            // It can be removed or held, for which nobody asks when it came; it cannot be sent.
            Err(Unreadable::Damaged { .. }) => self.now,
            Err(problem) => return Err(problem),
        };
        let parcels = self.store.parcels(id)?;
        self.gather(parcels.iter().map(|parcel| (parcel.id, arrived)), order)
    }

    fn of_page(&self, filter: &Filter, after: Option<ParcelId>, order: &Order) -> Result<Batch, Unreadable> {
        let page = self.store.list(filter, Page { after, limit: BATCH })?;
        let batch = self.gather(page.iter().map(|waiting| (waiting.parcel.id, waiting.arrived)), order)?;
        Ok(Batch { next: page.last().map(|last| last.parcel.id), ..batch })
    }

    fn gather(&self, parcels: impl Iterator<Item = (ParcelId, Timestamp)>, order: &Order) -> Result<Batch, Unreadable> {
        let mut batch = Batch::default();
        for (id, arrived) in parcels {
            if let Err(error) = self.take(id, arrived, order, &mut batch) {
                batch.parcels.iter().for_each(|parcel| self.hands.back(parcel.id));
                return Err(error);
            }
        }
        Ok(batch)
    }

    /// Takes a parcel in hand if nobody has it, reads it as it is then, and decides.
    fn take(&self, id: ParcelId, arrived: Timestamp, order: &Order, batch: &mut Batch) -> Result<(), Unreadable> {
        if !self.hands.take(id) {
            batch.under_way.push(id);
            return Ok(());
        }
        let read = self.store.parcels(id.message).map(|all| all.into_iter().find(|parcel| parcel.id == id));
        let parcel = read.inspect_err(|_| self.hands.back(id))?;
        let Some(parcel) = parcel else {
            self.hands.back(id);
            return Ok(());
        };
        if order.wants_it_sent() && !self.hands.can_carry(&parcel.route) {
            self.hands.back(id);
            batch.without_account.push(id);
            return Ok(());
        }
        // What it has waited for its accounts is written down before it is due at another time: it is no lifetime.
        let usable_since = self.hands.usable_since(&parcel.route).unwrap_or(self.now);
        let counted = schedule::claimed(parcel.clone(), self.now, usable_since);
        match done_to(order, counted, arrived, self.now, &self.keeping) {
            Ok(change) => {
                batch.parcels.push(parcel);
                batch.changes.push(change);
            }
            Err(refused) => {
                self.hands.back(id);
                batch.under_way.extend((refused == Refused::BeingSent).then_some(id));
            }
        }
        Ok(())
    }

    async fn commit(&self, batch: Batch, order: &Order, acted: &mut Acted) -> Result<(), ActError> {
        let Batch { parcels, changes, under_way, without_account, .. } = batch;
        acted.under_way.extend(under_way);
        acted.without_account.extend(without_account);
        if changes.is_empty() {
            return Ok(());
        }
        let kept = self.store.commit(changes).await;
        for parcel in &parcels {
            self.hands.back(parcel.id);
            if let Hands::Couriers(core) = &self.hands {
                core.look(&parcel.route);
            }
        }
        kept?;
        let (what, reason) = order.in_words();
        for parcel in parcels {
            self.journal.record(Event::Kept(Kept::Acted { message: parcel.id.message, what, reason }));
            acted.changed.push(parcel.id);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
