//! What is owed: the one meeting point of the door and the courier.
//!
//! [`Queue::offer`] hands a message to the couriers and comes back with the one answer the device hears; couriers take
//! [`Lease`]s by [`Queue::claim`] and end them with [`Lease::settle`]. Today it is a pure proxy (`queue = false`): all
//! or nothing, nothing is kept, and 250 is said only when the provider took the message for every recipient.
//! Guarantees: an [`Accepted`] exists only for such a message; a refusal is given only when nothing of the message can
//! still go out, because the attempt was cancelled first; once the dot may be on its way, the answer is the
//! provider's or *uncertain*.

mod answer;
pub mod body;
mod fate;
mod lane;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::diagnosis::Diagnosis;
use crate::ids::{AccountName, DeviceName, MessageId, SessionId};
use crate::mail::envelope::Envelope;
use crate::smtp::reply::{Refusal, Reply};

pub use answer::{Accepted, Answer};
use body::Body;
use fate::Fate;
use lane::Lane;

/// A message on its way, complete and unchangeable.
#[derive(Debug)]
pub struct Message {
    /// Given before the body was read.
    pub id: MessageId,
    /// The session it came in.
    pub session: SessionId,
    /// Who sent it.
    pub device: DeviceName,
    /// Where it goes out.
    pub account: AccountName,
    /// Sender and recipients.
    pub envelope: Arc<Envelope>,
    /// The octets, as every attempt sends them.
    pub body: Body,
    /// An octet above 127 stands in the body or the header.
    pub eight_bit: bool,
    /// An octet above 127 stands in the header.
    pub eight_bit_header: bool,
}

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
    /// The dot was sent and no reply came.
    Uncertain(Diagnosis),
}

/// The queue. Lanes are made once, for every configured account.
#[derive(Debug)]
pub struct Queue {
    lanes: HashMap<AccountName, Lane>,
}

impl Queue {
    /// A queue for these accounts.
    #[must_use]
    pub fn new(accounts: impl IntoIterator<Item = AccountName>) -> Self {
        Self { lanes: accounts.into_iter().map(|name| (name, Lane::default())).collect() }
    }

    /// Hands a message over; a courier may have it before this returns. `wait` bounds the time to the first octet of
    /// the dot.
    ///
    /// # Errors
    /// When the account does not exist (any more): the message comes back.
    pub fn offer(&self, message: Message, wait: Duration, now: Instant) -> Result<Offer, Box<Message>> {
        let Some(lane) = self.lanes.get(&message.account) else { return Err(Box::new(message)) };
        let (told, hears) = oneshot::channel();
        let fate = Arc::new(Fate::default());
        let recipients = message.envelope.recipients.iter().map(|r| r.address.clone()).collect();
        let lease = Lease { message: Arc::new(message), fate: Arc::clone(&fate), told };
        lane.push(lease);
        Ok(Offer { fate, hears, until: now + wait, recipients })
    }

    /// The next message for this account that is still wanted. Waits for ever if the account does not exist.
    pub async fn claim(&self, account: &AccountName) -> Lease {
        match self.lanes.get(account) {
            Some(lane) => lane.next().await,
            None => std::future::pending().await,
        }
    }
}

/// The courier's hold on one message; not `Clone`. Dropped without `settle` it counts as failed, or as uncertain once
/// the dot was permitted.
#[derive(Debug)]
pub struct Lease {
    message: Arc<Message>,
    fate: Arc<Fate>,
    told: oneshot::Sender<Vec<Outcome>>,
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

    /// Whether anyone still waits for it.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.fate.is_open()
    }

    /// Resolves when the message was withdrawn: the attempt is to be ended before the dot.
    pub async fn withdrawn(&self) {
        self.fate.withdrawn().await;
    }

    /// Asks to write the terminating dot. `None`: the message was withdrawn, nothing of it may go out.
    #[must_use]
    pub fn permit_dot(&self) -> Option<DotPermit> {
        self.fate.commit().then_some(DotPermit(()))
    }

    /// Ends the lease: one outcome per recipient, in the envelope's order. A waiting device is answered.
    pub fn settle(self, outcomes: Vec<Outcome>) {
        debug_assert_eq!(outcomes.len(), self.message.envelope.recipients.len());
        // Whoever waited may be gone; then nobody is to be told.
        let _ = self.told.send(outcomes);
    }
}

/// The device's side of a message that was offered. Dropping it withdraws the message if that is still possible.
#[derive(Debug)]
pub struct Offer {
    fate: Arc<Fate>,
    hears: oneshot::Receiver<Vec<Outcome>>,
    until: Instant,
    recipients: Vec<crate::mail::address::Address>,
}

impl Offer {
    /// The one answer. Cancel-safe: it may be dropped and asked again.
    pub async fn answer(&mut self) -> Answer {
        let sleep = tokio::time::sleep_until(self.until.into());
        tokio::select! {
            biased;
            outcomes = &mut self.hears => return self.judge(outcomes.ok()),
            () = sleep => {}
        }
        if self.withdraw() {
            return Answer::too_late();
        }
        // The dot may be on its way: only the provider's reply counts now. The client dialogue bounds this wait.
        let outcomes = (&mut self.hears).await;
        self.judge(outcomes.ok())
    }

    /// Takes the message back; true if nothing of it can go out any more.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        self.fate.withdraw()
    }

    fn judge(&self, outcomes: Option<Vec<Outcome>>) -> Answer {
        match outcomes {
            Some(outcomes) => Answer::all_or_nothing(&outcomes, &self.recipients),
            // The courier is gone. Before the dot nothing went out; after it nobody knows.
            None if self.fate.is_committed() => Answer::uncertain(None),
            None => Answer::failed(),
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        // Whether it succeeded matters to nobody any more.
        let _ = self.withdraw();
    }
}

#[cfg(test)]
mod tests;
