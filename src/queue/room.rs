//! Whether there is room for another message: the disk, its free space, and the caps of the queue.
//!
//! Asked at MAIL and, with the true size, before a message is stored. Guarantees that one device has at most half of
//! the queue, that everything recovers by itself, and that each change is said once, at most once a minute. Counts
//! nothing itself: the store counts along.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::core::Core;
use super::settings::Keeping;
use super::store::{Condition, Load, Store};
use crate::disk::FreeSpace;
use crate::ids::DeviceName;
use crate::journal::{Event, Journal, Kept};
use crate::smtp::reply::Refusal;

/// Whatever the message: room for the database's own work.
const LEAST_FREE: u64 = 64 * 1024 * 1024;

/// A state that comes and goes is said at most so often.
const SAID_EVERY: Duration = Duration::from_mins(1);

/// A device that has its share is named at most so often.
const DEVICE_SAID_EVERY: Duration = Duration::from_hours(1);

/// The room, and what was said about it.
#[derive(Debug)]
pub(super) struct Room {
    free: FreeSpace,
    said: Mutex<Said>,
}

#[derive(Debug, Default)]
struct Said {
    /// What was said last, and when.
    last: (Kind, Option<Instant>),
    devices: HashMap<DeviceName, Instant>,
}

/// What is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lack {
    /// The store takes no changes.
    Store { why: String },
    /// The volume is nearly full.
    Space,
    /// `storage.max_messages` or `storage.max_size`.
    Queue { key: &'static str },
    /// The device has half of it.
    Share { key: &'static str },
}

impl Room {
    /// The room on this volume.
    pub fn new(free: FreeSpace) -> Self {
        Self { free, said: Mutex::default() }
    }

    /// What is missing for a message of this size.
    pub fn lack(&self, store: &dyn Store, keeping: &Keeping, size: u64, device: &DeviceName) -> Option<Lack> {
        if let Condition::Failing { why } = &*store.condition().borrow() {
            return Some(Lack::Store { why: why.clone() });
        }
        let wanted = size.saturating_add(size / 2).max(LEAST_FREE);
        // Where free space cannot be known, a write that fails will tell.
        if self.free.octets().is_some_and(|free| free < wanted) {
            return Some(Lack::Space);
        }
        over(store.load(device), keeping, size)
    }

    /// Says what has changed since it was said last.
    pub fn say(&self, journal: &Journal, lack: Option<&Lack>, device: &DeviceName, now: Instant) {
        let mut said = self.said();
        if let Some(Lack::Share { key }) = lack {
            said.devices.retain(|_, at| now.saturating_duration_since(*at) < DEVICE_SAID_EVERY);
            if !said.devices.contains_key(device) {
                said.devices.insert(device.clone(), now);
                journal.record(Event::Kept(Kept::ShareUsedUp { device, key }));
            }
            return;
        }
        let (last, at) = said.last;
        // What comes and goes within the minute is said when it lasts: it is looked at again.
        let just_now = at.is_some_and(|at| now.saturating_duration_since(at) < SAID_EVERY);
        if last == kind(lack) || just_now {
            return;
        }
        said.last = (kind(lack), Some(now));
        match lack {
            Some(lack) => journal.record(Event::Kept(Kept::NoRoom { why: &lack.sentence(), cure: lack.cure() })),
            None => journal.record(Event::Kept(Kept::RoomAgain)),
        }
    }

    /// Devices that were refused lately because they have their share.
    pub fn with_their_share(&self) -> Vec<DeviceName> {
        self.said().devices.keys().cloned().collect()
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        // A panic between lock and unlock cannot leave it half changed.
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    /// Whether there is room for a message of this size from this device; says what has changed.
    pub(super) fn room_for(&self, size: u64, device: &DeviceName) -> Result<(), Refusal> {
        let lack = |size| self.room.lack(&*self.store, &self.keeping, size, device);
        // That one large message finds no room is no state of the relay.
        let state = lack(0);
        self.room.say(&self.journal, state.as_ref(), device, self.clock.steady());
        let lack = state.or_else(|| if size > 0 { lack(size) } else { None });
        lack.map_or(Ok(()), |lack| Err(lack.refusal()))
    }

    /// Whether the queue, or this device's half of it, is nine tenths of what it may be.
    pub(super) fn is_crowded(&self, device: Option<&DeviceName>) -> bool {
        let ((messages, octets), part) = match device {
            None => (self.store.load(&DeviceName::from("")).all, 1),
            Some(device) => (self.store.load(device).of_device, 2),
        };
        let nearly = |most: u64| most.div_ceil(part) / 10 * 9;
        messages >= nearly(self.keeping.max_messages) || octets >= nearly(self.keeping.max_size)
    }

    /// Whether any mail is taken just now; says what has changed.
    pub(super) fn has_room(&self) -> bool {
        self.room_for(0, &DeviceName::from("")).is_ok()
    }
}

/// Two lacks of one kind are not said twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    None,
    Store,
    Space,
    Queue,
}

fn kind(lack: Option<&Lack>) -> Kind {
    match lack {
        None | Some(Lack::Share { .. }) => Kind::None,
        Some(Lack::Store { .. }) => Kind::Store,
        Some(Lack::Space) => Kind::Space,
        Some(Lack::Queue { .. }) => Kind::Queue,
    }
}

/// The caps. Half of each for one device, so that no single one keeps the others from being heard (promise 10).
fn over(load: Load, keeping: &Keeping, size: u64) -> Option<Lack> {
    let (max_messages, max_size) = (keeping.max_messages, keeping.max_size);
    let ((messages, octets), (own, own_octets)) = (load.all, load.of_device);
    if messages >= max_messages {
        return Some(Lack::Queue { key: "storage.max_messages" });
    }
    if octets.saturating_add(size) > max_size {
        return Some(Lack::Queue { key: "storage.max_size" });
    }
    if own >= max_messages.div_ceil(2) {
        return Some(Lack::Share { key: "storage.max_messages" });
    }
    (own_octets.saturating_add(size) > max_size.div_ceil(2)).then_some(Lack::Share { key: "storage.max_size" })
}

impl Lack {
    /// What the device hears.
    pub fn refusal(&self) -> Refusal {
        let text = match self {
            Self::Store { .. } => "The relay's storage fails, try again later",
            Self::Space => "The relay's disk is nearly full, try again later",
            Self::Queue { .. } => "The relay's queue is full, try again later",
            Self::Share { .. } => "Too much mail of this device is waiting, try again later",
        };
        Refusal::new(452, 3, 1, text)
    }

    fn sentence(&self) -> String {
        match self {
            Self::Store { why } => format!("the storage fails: {why}"),
            Self::Space => "the disk is nearly full".to_owned(),
            Self::Queue { key } => format!("the queue is as large as `{key}` allows"),
            Self::Share { key } => format!("a device has half of what `{key}` allows"),
        }
    }

    fn cure(&self) -> &'static str {
        match self {
            Self::Store { .. } => {
                "look at the disk and the system's log; the relay goes on by itself once it can write"
            }
            Self::Space => "make room on the volume of `storage.directory`",
            Self::Queue { .. } | Self::Share { .. } => "`posthouse queue` shows what waits and why",
        }
    }
}

#[cfg(test)]
mod tests;
