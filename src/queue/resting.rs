//! Stored parcels whose message could not be read just now: which ones, and until when they are left alone.
//!
//! Guarantees that others go meanwhile, that a parcel's trouble is said once however often it is tried again, and that
//! there are at most [`MOST`]: where more cannot be read it is no single message's trouble, and the store is left alone.
//! In memory only; the next process tries all of them at once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::parcel::ParcelId;

/// So many rest at once.
pub(super) const MOST: usize = 32;

/// It is tried again after that long.
const REST: Duration = Duration::from_mins(1);

/// What was not tried again by then was removed, or goes another way.
const FORGOTTEN: Duration = Duration::from_mins(10);

/// Since when each of them rests.
#[derive(Debug, Default)]
pub(super) struct Resting(Mutex<HashMap<ParcelId, Instant>>);

/// What became of a parcel that is to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// It does, and nobody knows yet why.
    Begun,
    /// It does again.
    GoesOn,
    /// There are too many.
    NoRoom,
}

impl Resting {
    /// Leaves it alone for a while.
    pub fn put(&self, id: ParcelId, now: Instant) -> Rest {
        let mut all = self.all();
        all.retain(|_, since| now < *since + FORGOTTEN);
        match all.len() {
            _ if all.insert(id, now).is_some() => Rest::GoesOn,
            MOST.. => {
                all.remove(&id);
                Rest::NoRoom
            }
            _ => Rest::Begun,
        }
    }

    /// It could be read, or is not there any more.
    pub fn end(&self, id: ParcelId) {
        self.all().remove(&id);
    }

    /// Those that are left alone now.
    pub fn now(&self, now: Instant) -> Vec<ParcelId> {
        self.all().iter().filter(|(_, since)| now < **since + REST).map(|(id, _)| *id).collect()
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.all().len()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<ParcelId, Instant>> {
        // Each change leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
