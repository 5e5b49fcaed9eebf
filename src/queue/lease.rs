//! The courier's hold on one parcel, and the permission to write its dot.
//!
//! Guarantees that a parcel is in one hand at a time, and that the disk knows of a dot before it is written: a stored
//! parcel found so after a crash is uncertain, every other one was certainly not sent. Whether the parcel is a pure
//! proxy's, one whose device still waits, or the store's, is no concern of the courier.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::oneshot;

use super::core::Core;
use super::fate::Fate;
use super::lanes::Lanes;
use super::parcel::{Parcel, Try};
use super::part::Settled;
use super::row::Row;
use super::ticket::{self, Claim};
use super::{Message, Outcome, Route};
use crate::diagnosis::Diagnosis;
use crate::ids::{AccountName, AttemptId};
use crate::mail::envelope::Envelope;

/// The courier's hold on one parcel; not `Clone`. Dropped without `settle` or `give_back` it counts as failed, or as
/// uncertain once the dot was permitted.
#[derive(Debug)]
pub struct Lease {
    message: Arc<Message>,
    envelope: Arc<Envelope>,
    /// The accounts it may go through, from here on.
    pub(super) route: Route,
    /// Whose turn it is.
    pub(super) account: AccountName,
    hold: Hold,
    dot: Dot,
}

/// Whether a lease's dot may be out, for whoever does not have the lease.
#[derive(Debug, Clone, Default)]
pub struct Dot(Arc<AtomicBool>);

impl Dot {
    /// Whether it was asked for: its permission may be on its way to the disk.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Whose the parcel is.
#[derive(Debug)]
enum Hold {
    /// A pure proxy's: nothing is kept.
    Proxy { fate: Arc<Fate>, told: oneshot::Sender<Vec<Outcome>>, lanes: Arc<Lanes> },
    /// Its device waits, or waited when the courier took it.
    Fresh(Claim),
    /// The store's.
    Stored(Arc<Row>),
    /// Nobody's any more.
    Over,
}

/// The end of data may be written now: the message cannot be withdrawn any more.
#[derive(Debug)]
#[must_use = "it is the permission to write the dot"]
pub struct DotPermit(());

impl Lease {
    pub(super) fn proxy(
        message: Arc<Message>,
        envelope: Arc<Envelope>,
        route: Route,
        fate: Arc<Fate>,
        told: oneshot::Sender<Vec<Outcome>>,
        lanes: Arc<Lanes>,
    ) -> Self {
        Self::new(message, envelope, route, Hold::Proxy { fate, told, lanes })
    }

    pub(super) fn fresh(message: Arc<Message>, envelope: Arc<Envelope>, route: Route, claim: Claim) -> Self {
        Self::new(message, envelope, route, Hold::Fresh(claim))
    }

    /// A parcel as it lies in the store, for this account. Its id is out already, and back when the lease ends.
    pub(super) fn stored(core: &Arc<Core>, message: Arc<Message>, parcel: Parcel, account: AccountName) -> Self {
        let open = parcel.recipients.iter().filter(|owed| owed.state.is_open());
        let recipients = open.map(|owed| owed.recipient.clone()).collect();
        let envelope = Arc::new(Envelope { sender: message.sender.clone(), recipients });
        let route = parcel.route.clone();
        let row = Row::new(Arc::clone(core), Arc::clone(&message), parcel);
        Self { message, envelope, route, account, hold: Hold::Stored(Arc::new(row)), dot: Dot::default() }
    }

    fn new(message: Arc<Message>, envelope: Arc<Envelope>, route: Route, hold: Hold) -> Self {
        let account = route.first().clone();
        Self { message, envelope, route, account, hold, dot: Dot::default() }
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &Arc<Message> {
        &self.message
    }

    /// Sender, and the recipients that are still open, in the order in which `settle` wants their outcomes.
    #[must_use]
    pub fn envelope(&self) -> &Arc<Envelope> {
        &self.envelope
    }

    /// The account it goes out through this time.
    #[must_use]
    pub fn account(&self) -> &AccountName {
        &self.account
    }

    /// Whether it goes to all its recipients or to none (`delivery.queue = false`).
    #[must_use]
    pub fn is_all_or_nothing(&self) -> bool {
        matches!(self.hold, Hold::Proxy { .. })
    }

    /// Whether `settle` returns without the other parcels of the message: of one whose device waits they are settled
    /// together, when the last one is.
    #[must_use]
    pub fn settles_alone(&self) -> bool {
        !matches!(self.hold, Hold::Fresh(_))
    }

    /// Whether its dot may be out; to be kept by whoever might cut the attempt.
    #[must_use]
    pub fn dot(&self) -> Dot {
        self.dot.clone()
    }

    /// Whether it was held for just that, and this attempt was to see whether it still is: nothing new to say of it.
    #[must_use]
    pub fn knows(&self, why: &Diagnosis) -> bool {
        matches!(&self.hold, Hold::Stored(row) if row.is_known(why))
    }

    /// Whether it is still to be sent.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        match &self.hold {
            Hold::Proxy { fate, .. } => fate.is_open(),
            Hold::Fresh(claim) => claim.is_wanted(),
            Hold::Stored(_) => true,
            Hold::Over => false,
        }
    }

    /// A courier takes it out of its lane. False: it was stored or answered meanwhile, and is to be dropped.
    pub(super) fn take_up(&self) -> bool {
        match &self.hold {
            Hold::Fresh(claim) => claim.take_up(),
            _ => self.is_wanted(),
        }
    }

    /// No account of its route can be used any more.
    pub(super) fn barred(mut self, why: Diagnosis) {
        match std::mem::replace(&mut self.hold, Hold::Over) {
            Hold::Fresh(claim) => claim.barred(why),
            Hold::Stored(row) => row.give_back(),
            Hold::Proxy { told, .. } => {
                // Whoever waited may be gone.
                let _ = told.send(vec![super::refused_outcome(&why); self.envelope.recipients.len()]);
            }
            Hold::Over => {}
        }
    }

    /// Resolves when the message was withdrawn: the attempt is to be ended before the dot.
    pub async fn withdrawn(&self) {
        match &self.hold {
            Hold::Proxy { fate, .. } => fate.withdrawn().await,
            Hold::Fresh(claim) => claim.withdrawn().await,
            Hold::Stored(_) | Hold::Over => std::future::pending().await,
        }
    }

    /// Asks to write the terminating dot. Of a stored message it is durable before this returns that the dot may be
    /// out. `None`: the message was withdrawn, or that cannot be recorded; nothing of it may go out.
    pub async fn permit_dot(&self, attempt: AttemptId) -> Option<DotPermit> {
        self.dot.0.store(true, Ordering::Release);
        let permitted = match &self.hold {
            Hold::Proxy { fate, .. } => fate.commit(),
            Hold::Fresh(claim) => claim.permit_dot(&self.account, attempt).await,
            Hold::Stored(row) => row.permit_dot(&self.account, attempt).await,
            Hold::Over => false,
        };
        permitted.then_some(DotPermit(()))
    }

    /// Ends the lease: one outcome per recipient, in the envelope's order; `tried`: how the attempt reads later, if
    /// one was made. Returns when the outcome is durable or the waiting device has its answer: only then may the next
    /// dot go out on the same connection.
    pub async fn settle(mut self, outcomes: Vec<Outcome>, tried: Option<Try>) {
        debug_assert_eq!(outcomes.len(), self.envelope.recipients.len());
        let account = self.account.clone();
        match std::mem::replace(&mut self.hold, Hold::Over) {
            Hold::Proxy { told, .. } => {
                // Whoever waited may be gone; then nobody is to be told.
                let _ = told.send(outcomes);
            }
            Hold::Fresh(claim) => {
                let rest = self.route.after(&account).filter(|rest| claim.ticket.core.lanes.has_open(rest));
                claim.settle(Settled { account, outcomes, tried }, rest).await;
            }
            Hold::Stored(row) => row.settle(account, outcomes, tried).await,
            Hold::Over => {}
        }
    }

    /// Hands it back untried, to the front of its lane: its envelope was sent ahead on a connection that is gone. Not
    /// after `permit_dot`.
    pub fn give_back(mut self) {
        match &self.hold {
            Hold::Fresh(claim) => {
                let ticket = Arc::clone(&claim.ticket);
                if claim.give_back() {
                    put_back(&ticket.core.lanes, self);
                } else {
                    self.hold = Hold::Over;
                }
            }
            Hold::Stored(row) => {
                row.give_back();
                self.hold = Hold::Over;
            }
            Hold::Proxy { lanes, .. } => {
                let lanes = Arc::clone(lanes);
                put_back(&lanes, self);
            }
            Hold::Over => {}
        }
    }
}

/// To the front of its lane, or where its route leads now.
fn put_back(lanes: &Lanes, lease: Lease) {
    if let Err(nowhere) = lanes.push_front(lease) {
        let (lease, why) = *nowhere;
        lease.barred(why);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.hold, Hold::Over) {
            Hold::Fresh(claim) => claim.abandon(self.account.clone()),
            Hold::Stored(row) => {
                let outcomes = vec![ticket::abandoned(row.is_sending()); row.open()];
                row.abandon(self.account.clone(), outcomes);
            }
            // Whoever waits sees that nobody will tell it.
            Hold::Proxy { .. } | Hold::Over => {}
        }
    }
}
