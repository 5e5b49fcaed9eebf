//! The queue's port to whatever keeps it.
//!
//! An engine knows messages and parcels, not what their states mean. Guarantees of every engine, held by one
//! conformance suite: what one [`Store::commit`] is given becomes durable together or not at all; changes of one caller
//! are made in the order it gave them; one that failed leaves nothing behind, even if it reached the disk; reading sees
//! what was promised. One process at a time: whoever holds the [`crate::disk::Ownership`] of the directory.

#[cfg(test)]
pub mod conformance;
#[cfg(test)]
pub mod memory;
#[cfg(test)]
pub mod sample;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::parcel::{Parcel, ParcelId};
use super::{Message, Route};
pub use crate::disk::durable::{Durable, NotStored};
use crate::ids::{DeviceName, MessageId};
use crate::mail::envelope::ReversePath;

/// One change.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "most changes are updates: a box would be an allocation for each of them")]
pub enum Change {
    /// A message and all its parcels, at least one. Its body is durable before the rest. Of one that is there already
    /// nothing is changed: who does not know how a commit ended may ask again.
    Store(Arc<Message>, Vec<Parcel>),
    /// This is how the parcel stands now. Of one that is not there (a person removed it) nothing is changed.
    Update(Parcel),
    /// The parcel is finished; with the last one the message goes, and its body.
    Finish(ParcelId),
}

/// How a store does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It takes changes.
    Well,
    /// It does not, and looks after itself: files are opened anew and checked, and one change on trial must become
    /// durable first. In one sentence, why.
    Failing { why: String },
}

/// Why something cannot be read; each detail in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not just now: the system is short of something, somebody else has it, the disk does not answer. Nothing is known
    /// of what was kept; it is asked for again.
    #[error("the queue cannot be read: {detail}")]
    Passing { detail: String },
    /// What was kept is missing or is not what was kept. No time mends that.
    #[error("what was kept in the queue is damaged: {detail}")]
    Damaged { detail: String },
}

impl Unreadable {
    /// What came between, whatever it says.
    pub fn passing(error: &impl fmt::Display) -> Self {
        Self::Passing { detail: error.to_string() }
    }
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        let detail = error.to_string();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
                Self::Damaged { detail }
            }
            _ => Self::Passing { detail },
        }
    }
}

/// Keeps what is owed. Everything but `commit` and `condition` blocks on the disk for a moment.
pub trait Store: fmt::Debug + Send + Sync {
    /// Makes all these changes, or none.
    fn commit(&self, changes: Vec<Change>) -> Durable;

    /// How it does, now and whenever that changes.
    fn condition(&self) -> watch::Receiver<Condition>;

    /// The routes of all parcels that are not finished, each once.
    fn routes(&self) -> Result<Vec<Route>, Unreadable>;

    /// What is due on these routes: the longest due first within a device, devices in turn, beginning with the device
    /// whose parcel is due the longest.
    fn due(&self, ask: &Due<'_>) -> Result<Vec<Waiting>, Unreadable>;

    /// When the next parcel of these routes is due that is not due at `after`; also the end of a parcel's own hold.
    fn next_due(&self, routes: &[Route], after: Timestamp) -> Result<Option<Timestamp>, Unreadable>;

    /// Parcels whose own hold has an end, and that end is over; the one over the longest first.
    fn hold_over(&self, now: Timestamp, limit: usize) -> Result<Vec<Waiting>, Unreadable>;

    /// Parcels that stand as [`super::parcel::Standing::Sending`]. Asked before the first claim: an attempt had them
    /// in its hand when the process before this one died.
    fn unfinished(&self) -> Result<Vec<Waiting>, Unreadable>;

    /// A message with its body.
    fn message(&self, id: MessageId) -> Result<Option<Arc<Message>>, Unreadable>;

    /// All parcels of a message, in their order; none if it is not there.
    fn parcels(&self, id: MessageId) -> Result<Vec<Parcel>, Unreadable>;

    /// A page of the queue, oldest message first.
    fn list(&self, filter: &Filter, page: Page) -> Result<Vec<Waiting>, Unreadable>;

    /// How much there is, and how much of it is this device's: counted along with each commit, no disk is asked.
    fn load(&self, device: &DeviceName) -> Load;

    /// How many parcels the filter lets through. An engine that can count without reading them does.
    fn count(&self, filter: &Filter) -> Result<u64, Unreadable> {
        let mut count = 0;
        pages(self, filter, |page| count += page.len() as u64)?;
        Ok(count)
    }

    /// The first few messages whose ids, as 32 digits, begin or end with these; in the order of the ids.
    fn find(&self, digits: &str, limit: usize) -> Result<Vec<MessageId>, Unreadable> {
        let mut found = Vec::new();
        pages(self, &Filter::default(), |page| {
            for waiting in page {
                let message = waiting.parcel.id.message;
                let id = message.to_string();
                if (id.starts_with(digits) || id.ends_with(digits)) && found.last() != Some(&message) {
                    found.push(message);
                }
            }
        })?;
        found.truncate(limit);
        Ok(found)
    }

    /// How much there is. Looks at every message: ask once, then count along.
    fn stock(&self) -> Result<Stock, Unreadable>;
}

/// Goes through all that the filter lets through, some at a time.
fn pages<S: Store + ?Sized>(store: &S, filter: &Filter, mut look: impl FnMut(&[Waiting])) -> Result<(), Unreadable> {
    let mut after = None;
    loop {
        let page = store.list(filter, Page { after, limit: 500 })?;
        look(&page);
        match page.last() {
            Some(last) => after = Some(last.parcel.id),
            None => return Ok(()),
        }
    }
}

/// What a courier may take.
#[derive(Debug, Clone, Copy)]
pub struct Due<'a> {
    /// On these routes.
    pub routes: &'a [Route],
    /// Due by then.
    pub now: Timestamp,
    /// Not these: they are out.
    pub but: &'a HashSet<ParcelId>,
    /// At most so many of one device.
    pub per_device: usize,
    /// At most so many in all.
    pub limit: usize,
}

/// A parcel without its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The parcel.
    pub parcel: Parcel,
    /// Who sent it.
    pub device: DeviceName,
    /// What it is.
    pub kind: super::Kind,
    /// `MAIL FROM`
    pub reverse_path: ReversePath,
    /// Octets of its message.
    pub size: u64,
    /// When its message came.
    pub arrived: Timestamp,
}

/// Which parcels to list. Everything that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Part of the reverse-path, in any case.
    pub from: Option<String>,
    /// Part of a recipient, in any case.
    pub to: Option<String>,
    /// This device.
    pub device: Option<String>,
    /// This account stands in its route.
    pub account: Option<String>,
    /// It stands so.
    pub standing: Option<StandingKind>,
    /// Its message came at this time or later.
    pub since: Option<Timestamp>,
    /// Its message came before this time.
    pub before: Option<Timestamp>,
}

/// [`super::parcel::Standing`] without what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StandingKind {
    Due,
    Sending,
    Held,
    Failed,
}

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Behind this one.
    pub after: Option<ParcelId>,
    /// At most so many.
    pub limit: usize,
}

/// What the caps look at: messages and octets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Of all devices.
    pub all: (u64, u64),
    /// Of one.
    pub of_device: (u64, u64),
}

/// How much there is of each device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stock {
    /// Messages and octets of each device.
    pub by_device: HashMap<DeviceName, (u64, u64)>,
}
