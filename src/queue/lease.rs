//! The courier's hold on one parcel, and the permission to write its dot.
//!
//! Guarantees that a parcel is in one hand at a time, and that the disk knows of a dot before it is written: a stored
//! parcel found so after a crash is uncertain, every other one was certainly not sent.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::fate::Fate;
use super::parcel::Try;
use super::{Message, Outcome, Route, refused_outcome};
use crate::diagnosis::Diagnosis;
use crate::ids::{AccountName, AttemptId};
use crate::mail::envelope::Envelope;

/// The courier's hold on one parcel; not `Clone`. Dropped without `settle` or `give_back` it counts as failed, or as
/// uncertain once the dot was permitted.
#[derive(Debug)]
pub struct Lease {
    pub(super) message: Arc<Message>,
    pub(super) envelope: Arc<Envelope>,
    pub(super) account: AccountName,
    /// The accounts that may still be asked.
    pub(super) route: Route,
    pub(super) fate: Arc<Fate>,
    pub(super) told: oneshot::Sender<Vec<Outcome>>,
}

/// The end of data may be written now: the message cannot be withdrawn any more.
#[derive(Debug)]
#[must_use = "it is the permission to write the dot"]
pub struct DotPermit(());

impl Lease {
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
        true
    }

    /// A courier takes it; false: nobody waits for it any more.
    pub(super) fn take_up(&self) -> bool {
        self.is_wanted()
    }

    /// No account of its route is open (any more).
    pub(super) fn barred(self, why: Diagnosis) {
        // Whoever waited may be gone; then nobody is to be told.
        let _ = self.told.send(vec![refused_outcome(&why); self.envelope.recipients.len()]);
    }

    /// Whether anyone still waits for it.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.fate.is_open()
    }

    /// Resolves when the message was withdrawn: the attempt is to be ended before the dot.
    pub async fn withdrawn(&self) {
        self.fate.withdrawn().await;
    }

    /// Asks to write the terminating dot. Of a stored message it is durable before this returns that the dot may be
    /// out. `None`: the message was withdrawn, or that cannot be recorded; nothing of it may go out.
    #[allow(clippy::unused_async, reason = "a stored message waits for the disk here")]
    pub async fn permit_dot(&self, _attempt: AttemptId) -> Option<DotPermit> {
        self.fate.commit().then_some(DotPermit(()))
    }

    /// Ends the lease: one outcome per recipient, in the envelope's order; `tried`: how the attempt reads later, if
    /// one was made. Returns when the outcome is durable or the waiting device has its answer: only then may the next
    /// dot go out on the same connection.
    #[allow(clippy::unused_async, reason = "a stored message waits for the disk here")]
    pub async fn settle(self, outcomes: Vec<Outcome>, _tried: Option<Try>) {
        debug_assert_eq!(outcomes.len(), self.envelope.recipients.len());
        // Whoever waited may be gone; then nobody is to be told.
        let _ = self.told.send(outcomes);
    }
}
