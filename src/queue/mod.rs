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
mod lanes;
mod lease;
mod message;
pub mod parcel;
mod route;
pub mod schedule;
mod settings;
pub mod store;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::diagnosis::Diagnosis;
use crate::ids::AccountName;
use crate::net::clock::Clock;
use crate::smtp::reply::{Refusal, Reply};
use crate::words::Cause;

pub use answer::{Accepted, Answer};
use fate::Fate;
use lane::Next;
use lanes::Lanes;
pub use lease::{DotPermit, Lease};
pub use message::{Kind, Message, Offered};
pub use route::{NoAccount, Route};
pub use settings::{AccountFacts, Keeping, Notices, NoticesTo, Settings, Uncertain};

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

/// The queue. Lanes are made once, for every configured account.
#[derive(Debug)]
pub struct Queue {
    lanes: Lanes,
}

impl Queue {
    /// A queue for these accounts.
    #[must_use]
    pub fn new(accounts: impl IntoIterator<Item = AccountName>) -> Self {
        Self { lanes: Lanes::new(accounts, Clock::default()) }
    }

    /// Hands a message over; a courier may have it before this returns. `wait` bounds the time to the first octet of
    /// the dot.
    ///
    /// # Errors
    /// When the account does not exist (any more): the message comes back.
    pub fn offer(&self, offered: Offered, wait: Duration, now: Instant) -> Result<Offer, Box<Offered>> {
        let route = offered.routes.first().filter(|route| route.accounts().iter().any(|a| self.lanes.get(a).is_some()));
        let Some(route) = route.cloned() else { return Err(Box::new(offered)) };
        let (told, hears) = oneshot::channel();
        let fate = Arc::new(Fate::default());
        let Offered { message, envelope, .. } = offered;
        let recipients = envelope.recipients.iter().map(|r| r.address.clone()).collect();
        let account = route.accounts()[0].clone();
        let lease = Lease { message: Arc::new(message), envelope, account, route, fate: Arc::clone(&fate), told };
        if let Err(nowhere) = self.lanes.push(lease) {
            let (lease, why) = *nowhere;
            lease.barred(why);
        }
        Ok(Offer { fate, hears, until: now + wait, recipients })
    }

    /// The next message for this account, if one waits that is still wanted: for a courier whose connection is busy
    /// and could take its envelope along.
    #[must_use]
    pub fn try_claim(&self, account: &AccountName) -> Option<Lease> {
        match self.lanes.get(account)?.try_next(false)? {
            Next::Fresh(lease) => Some(lease),
            Next::Stored(_) => None,
        }
    }

    /// The account cannot be used for now, and this is why: what comes does not wait for it, what waits is told.
    pub fn close(&self, account: &AccountName, why: Diagnosis) {
        let _ = self.lanes.close(account, why);
    }

    /// The account can be used (again).
    pub fn open(&self, account: &AccountName) {
        let _ = self.lanes.open(account);
    }

    /// The next message for this account that is still wanted. Waits for ever if the account does not exist.
    pub async fn claim(&self, account: &AccountName) -> Lease {
        if let Some(lane) = self.lanes.get(account)
            && let Next::Fresh(lease) = lane.next(|| false).await
        {
            return lease;
        }
        std::future::pending().await
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

/// What it means for a message that its account cannot be used.
fn refused_outcome(why: &Diagnosis) -> Outcome {
    match why.cause {
        Cause::Account | Cause::Quota | Cause::Config => Outcome::Hold(why.clone()),
        _ => Outcome::Later(None, why.clone()),
    }
}

#[cfg(test)]
mod tests;
