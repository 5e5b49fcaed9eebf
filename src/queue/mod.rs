//! What is owed: the one meeting point of the door and the courier.
//!
//! [`Queue::offer`] hands a message to the couriers and comes back with the one answer the device hears; couriers take
//! [`Lease`]s by [`Queue::claim`] and end them with [`Lease::settle`]. A pure proxy (`queue = false`) keeps nothing: a
//! message is taken by the provider for all while its device waits, or refused (`proxy`). A durable queue keeps what is
//! still owed when the device has waited long enough (`window`). Guarantees: an [`Accepted`] exists only for a message
//! that every recipient's provider has, or the store; a refusal is given only when nothing of it can still go out.

pub mod acts;
mod answer;
pub mod body;
mod core;
mod fate;
#[cfg(test)]
pub(crate) mod fixture;
mod lane;
mod lanes;
mod lease;
mod message;
pub mod notice;
mod offer;
pub mod parcel;
mod part;
mod proxy;
mod recovery;
mod resting;
mod room;
mod route;
mod row;
pub mod schedule;
mod settings;
pub mod store;
mod supply;
mod tend;
mod ticket;
mod window;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::diagnosis::Diagnosis;
use crate::disk::FreeSpace;
use crate::ids::{AccountName, DeviceName};
use crate::journal::Journal;
use crate::net::clock::Clock;
use crate::smtp::reply::{Refusal, Reply};
use crate::words::Cause;

use self::core::{Core, Out};
pub use answer::{Accepted, Answer};
use lanes::Lanes;
pub use lease::{Dot, DotPermit, Lease};
pub use message::{Kind, Message, Offered};
pub use offer::{Offer, Told};
pub use recovery::{Known, Reroute};
use resting::Resting;
use room::Room;
pub use route::{NoAccount, Route};
pub use settings::{AccountFacts, Keeping, Notices, NoticesTo, Settings, Uncertain};
use store::Store;
use ticket::Ticket;
use window::Window;

/// How an attempt ended for one recipient.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The provider took it, with this reply to the dot.
    Delivered(Reply),
    /// It will never be taken. The reply is the provider's, or ours where it was not even asked.
    Never(Refusal, Diagnosis),
    /// Not now. The reply is the provider's to this recipient, if there was one.
    Later(Option<Refusal>, Diagnosis),
    /// Not before someone or some time ends the hold of the account.
    Hold(Diagnosis),
    /// Not before somebody ends the hold of this message: what only it needs is missing.
    HoldMessage(Diagnosis),
    /// The dot was sent and no reply came.
    Uncertain(Diagnosis),
}

impl Outcome {
    /// Why it is not delivered.
    #[must_use]
    pub fn diagnosis(&self) -> Option<&Diagnosis> {
        match self {
            Self::Delivered(_) => None,
            Self::Never(_, why)
            | Self::Later(_, why)
            | Self::Hold(why)
            | Self::HoldMessage(why)
            | Self::Uncertain(why) => Some(why),
        }
    }
}

/// The queue. Lanes are made once, for every configured account.
#[derive(Debug)]
pub struct Queue(Kept);

#[derive(Debug)]
enum Kept {
    /// Nothing is.
    Proxy(Arc<Lanes>),
    /// What is owed.
    Durable(Arc<Core>),
}

impl Queue {
    /// A pure proxy for these accounts.
    #[must_use]
    pub fn proxy(accounts: impl IntoIterator<Item = AccountName>) -> Self {
        Self(Kept::Proxy(Arc::new(Lanes::new(accounts, Clock::default()))))
    }

    /// A queue that keeps in `store` what it has promised.
    #[must_use]
    pub fn durable(
        keeping: Keeping,
        accounts: Vec<AccountFacts>,
        store: Arc<dyn Store>,
        clock: Clock,
        journal: Journal,
        hostname: String,
        free: FreeSpace,
    ) -> Self {
        let lanes = Arc::new(Lanes::new(accounts.iter().map(|account| account.name.clone()), clock.clone()));
        Self(Kept::Durable(Arc::new(Core {
            store,
            keeping,
            clock,
            journal,
            hostname,
            facts: accounts,
            lanes,
            out: Out::default(),
            resting: Resting::default(),
            room: Room::new(free),
            tasks: TaskTracker::new(),
            ending: CancellationToken::new(),
        })))
    }

    /// Looks after what an earlier run left behind, then hands out what is stored, until [`Self::end_windows`]. Once,
    /// inside the runtime, when the storage directory is ours.
    pub fn start(&self, known: Known) {
        if let Kept::Durable(core) = &self.0 {
            core.start(known);
        }
    }

    /// Whether there is room for a message of this size from this device; else what it hears. A pure proxy has room for
    /// all.
    ///
    /// # Errors
    /// `452 4.3.1`, and the text says why.
    pub fn room(&self, size: u64, device: &DeviceName) -> Result<(), Refusal> {
        match &self.0 {
            Kept::Proxy(_) => Ok(()),
            Kept::Durable(core) => core.room_for(size, device),
        }
    }

    /// Whether mail is taken just now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match &self.0 {
            Kept::Proxy(_) => true,
            Kept::Durable(core) => core.has_room(),
        }
    }

    /// Whether what cannot be delivered while its device waits is kept.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        matches!(self.0, Kept::Durable(_))
    }

    fn core(&self) -> Option<&Arc<Core>> {
        match &self.0 {
            Kept::Proxy(_) => None,
            Kept::Durable(core) => Some(core),
        }
    }

    /// Where it keeps what it has promised, for whoever only looks; nothing if it keeps nothing.
    #[must_use]
    pub fn store(&self) -> Option<&Arc<dyn Store>> {
        self.core().map(|core| &core.store)
    }

    /// Hands a message over; a courier may have it before this returns. `wait`: how long the device waits; of a pure
    /// proxy, up to the first octet of the dot.
    ///
    /// # Errors
    /// When nothing is kept and the account does not exist (any more): the message comes back.
    pub fn offer(&self, offered: Offered, wait: Duration, now: Instant) -> Result<Offer, Box<Offered>> {
        match &self.0 {
            Kept::Proxy(lanes) => proxy::offer(lanes, offered, now + wait),
            Kept::Durable(core) => Ok(offer(core, offered, wait, now)),
        }
    }

    /// No device waits any longer: what its provider does not have is stored, or refused.
    pub fn end_windows(&self) {
        if let Kept::Durable(core) = &self.0 {
            core.ending.cancel();
        }
    }

    /// Resolves when the queue has nothing more to write; after the last session and the last courier.
    pub async fn finished(&self) {
        if let Kept::Durable(core) = &self.0 {
            core.tasks.close();
            core.tasks.wait().await;
        }
    }

    /// Why none of these accounts can be used just now, if so.
    #[must_use]
    pub fn closed(&self, route: &Route) -> Option<Diagnosis> {
        self.lanes().why_closed(route)
    }

    /// The next message for this account, if one waits that is still wanted: for a courier whose connection is busy
    /// and could take its envelope along.
    #[must_use]
    pub fn try_claim(&self, account: &AccountName) -> Option<Lease> {
        match &self.0 {
            Kept::Proxy(lanes) => lanes.get(account)?.try_next(false)?.fresh(),
            Kept::Durable(core) => core.try_claim(account),
        }
    }

    /// The account cannot be used for now, and this is why: what comes does not wait for it, what waits goes another way
    /// or is kept.
    pub fn close(&self, account: &AccountName, why: Diagnosis) {
        match &self.0 {
            Kept::Proxy(lanes) => drop(lanes.close(account, why)),
            Kept::Durable(core) => core.changed(&core.lanes.close(account, why)),
        }
    }

    /// The account can be used (again).
    pub fn open(&self, account: &AccountName) {
        match &self.0 {
            Kept::Proxy(lanes) => drop(lanes.open(account)),
            Kept::Durable(core) => core.changed(&core.lanes.open(account)),
        }
    }

    /// The next message for this account that is still wanted. Waits for ever if the account does not exist.
    pub async fn claim(&self, account: &AccountName) -> Lease {
        let lease = match (&self.0, self.lanes().get(account)) {
            (Kept::Proxy(_), Some(lane)) => lane.next(|| false).await.fresh(),
            (Kept::Durable(core), Some(lane)) => Some(core.claim(account, lane).await),
            (_, None) => None,
        };
        match lease {
            Some(lease) => lease,
            None => std::future::pending().await,
        }
    }

    fn lanes(&self) -> &Lanes {
        match &self.0 {
            Kept::Proxy(lanes) => lanes,
            Kept::Durable(core) => &core.lanes,
        }
    }
}

/// A message whose device waits, in the hands of its couriers.
fn offer(core: &Arc<Core>, offered: Offered, wait: Duration, now: Instant) -> Offer {
    let Offered { message, envelope, routes } = offered;
    let parts = part::partition(&envelope, &routes, |route| core.recipients_per_message(core.lanes.first(route)));
    let count = parts.len();
    let ticket = Arc::new(Ticket::new(Arc::clone(core), Arc::new(message), parts));
    // With `wait = 0` it is stored first, and couriers find it there.
    for part in 0..if wait.is_zero() { 0 } else { count } {
        let (envelope, route) = ticket.way(part);
        ticket.hand_over(part, envelope, route);
    }
    Offer::durable(Window::new(ticket, now + wait))
}

/// What it means for a message that its account cannot be used.
fn refused_outcome(why: &Diagnosis) -> Outcome {
    match why.cause {
        Cause::Account | Cause::Quota | Cause::Config => Outcome::Hold(why.clone()),
        _ => Outcome::Later(None, why.clone()),
    }
}

#[cfg(test)]
mod tests;
