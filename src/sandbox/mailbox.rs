//! The mailbox of the practice provider: what it took, octet for octet, and under which circumstances.
//!
//! Guarantees that a delivery is in here before its `250` is written. Bounded: beyond [`MESSAGES`] messages or
//! [`OCTETS`] octets the oldest go; the count of deliveries goes on. Nothing is ever written to disk.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use super::offer::Mechanism;

/// Messages kept.
pub const MESSAGES: usize = 10_000;
/// Octets of messages kept.
pub const OCTETS: usize = 256 * 1024 * 1024;

/// How the connection that brought a message was protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// TLS from the first octet.
    Implicit,
    /// TLS after STARTTLS.
    StartTls,
    /// None.
    Clear,
}

/// One recipient, as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The forward-path without its brackets.
    pub address: String,
    /// `NOTIFY=…`, `ORCPT=…`, as given.
    pub parameters: Vec<String>,
}

/// Who had signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user name.
    pub username: String,
    /// By which mechanism.
    pub mechanism: Mechanism,
}

/// One message that was answered (or would have been) with `250`.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Counts from 1 in the order of arrival.
    pub id: u64,
    /// Which connection brought it; counts from 1 over all ports.
    pub connection: u64,
    /// The reverse-path without its brackets; empty for the null reverse-path.
    pub reverse_path: String,
    /// `SIZE=…`, `BODY=…` and so on, as given.
    pub mail_parameters: Vec<String>,
    /// The recipients that were accepted, in order.
    pub recipients: Vec<Recipient>,
    /// The message after removal of the stuffed dots, without the terminating line.
    pub bytes: Vec<u8>,
    /// `None` when nobody had signed in.
    pub login: Option<Login>,
    /// How the connection was protected.
    pub protection: Protection,
    /// What the client called itself in EHLO or HELO.
    pub helo_name: String,
    /// When the end of data was read.
    pub at: Timestamp,
}

impl Delivery {
    /// The addresses of the recipients.
    #[must_use]
    pub fn addresses(&self) -> Vec<&str> {
        self.recipients.iter().map(|r| r.address.as_str()).collect()
    }

    /// The message as text, for assertions and for show; octets that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}

/// What was taken.
#[derive(Debug)]
pub struct Mailbox {
    kept: Mutex<Kept>,
    count: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    deliveries: VecDeque<Arc<Delivery>>,
    octets: usize,
}

impl Mailbox {
    pub(super) fn new() -> Self {
        Self { kept: Mutex::default(), count: watch::Sender::new(0) }
    }

    /// What is kept, oldest first.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Arc<Delivery>> {
        self.kept().deliveries.iter().cloned().collect()
    }

    /// How many were ever taken.
    #[must_use]
    pub fn count(&self) -> u64 {
        *self.count.borrow()
    }

    /// Returns what is kept as soon as so many were taken since the start. Waits for ever if they never come: put a
    /// deadline round it.
    pub async fn wait_for(&self, deliveries: u64) -> Vec<Arc<Delivery>> {
        // An error means the sender is gone, but we hold it ourselves.
        let _ = self.count.subscribe().wait_for(|count| *count >= deliveries).await;
        self.deliveries()
    }

    /// Calls back, so to say: the count changes with each delivery. For a page that shows mail as it comes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    /// Takes a message; the id is given here.
    pub(super) fn take(&self, mut delivery: Delivery) -> u64 {
        let mut kept = self.kept();
        delivery.id = *self.count.borrow() + 1;
        let id = delivery.id;
        kept.octets += delivery.bytes.len();
        kept.deliveries.push_back(Arc::new(delivery));
        while kept.deliveries.len() > MESSAGES || kept.octets > OCTETS {
            let Some(oldest) = kept.deliveries.pop_front() else { break };
            kept.octets -= oldest.bytes.len();
        }
        // Told while the lock is held, so that ids follow the order of arrival.
        self.count.send_replace(id);
        id
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(octets: usize) -> Delivery {
        Delivery {
            id: 0,
            connection: 1,
            reverse_path: String::new(),
            mail_parameters: Vec::new(),
            recipients: Vec::new(),
            bytes: vec![b'x'; octets],
            login: None,
            protection: Protection::Clear,
            helo_name: "x".into(),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_oldest_go_when_the_mailbox_is_full() {
        let mailbox = Mailbox::new();
        for _ in 0..MESSAGES + 5 {
            mailbox.take(delivery(1));
        }
        assert_eq!(mailbox.count(), MESSAGES as u64 + 5);
        assert_eq!(mailbox.deliveries().len(), MESSAGES);
        assert_eq!(mailbox.deliveries()[0].id, 6);
        mailbox.take(delivery(OCTETS));
        assert_eq!(mailbox.deliveries().len(), 1, "a huge one drives out all others");
    }

    #[tokio::test]
    async fn waiting_ends_with_the_delivery_that_was_waited_for() {
        let mailbox = Arc::new(Mailbox::new());
        let waiting = tokio::spawn({
            let mailbox = Arc::clone(&mailbox);
            async move { mailbox.wait_for(2).await.len() }
        });
        mailbox.take(delivery(1));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        mailbox.take(delivery(1));
        assert_eq!(waiting.await.unwrap(), 2);
    }
}
