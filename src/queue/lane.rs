//! Messages that wait for one account, device by device.
//!
//! Guarantees that devices take turns: whoever hands over a hundred messages at once waits behind nobody's first
//! (promise 10). What was withdrawn is dropped at the next opportunity, so nothing piles up while couriers are stuck.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Lease;
use crate::diagnosis::Diagnosis;
use crate::ids::DeviceName;

/// The lane of one account.
#[derive(Debug, Default)]
pub(super) struct Lane {
    turns: Mutex<Turns>,
    /// Why nothing is handed out, if so.
    closed: Mutex<Option<Diagnosis>>,
    bell: Notify,
}

/// Devices in the order of their turns; none of their queues is empty.
#[derive(Debug, Default)]
struct Turns(VecDeque<(DeviceName, VecDeque<Lease>)>);

impl Lane {
    /// Lets a message wait, and wakes the courier that came to wait last: its connection is the warmest.
    pub(super) fn push(&self, lease: Lease) {
        self.turns().push(lease);
        self.bell.notify_last();
    }

    /// The next message that is still wanted.
    pub(super) async fn next(&self) -> Lease {
        loop {
            if let Some(lease) = self.try_next() {
                return lease;
            }
            self.bell.notified().await;
        }
    }

    /// Nothing is handed out from now on.
    pub(super) fn close(&self, why: Diagnosis) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// What waits is handed out again.
    pub(super) fn open(&self) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.bell.notify_last();
    }

    /// Why it is closed.
    pub(super) fn closed(&self) -> Option<Diagnosis> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The next message that is still wanted, if there is one.
    pub(super) fn try_next(&self) -> Option<Lease> {
        if self.closed().is_some() {
            return None;
        }
        let mut turns = self.turns();
        let lease = turns.pop_wanted();
        if !turns.0.is_empty() {
            // One stored permit wakes one courier; pass the word on while there is more.
            self.bell.notify_last();
        }
        lease
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.turns().0.iter().map(|(_, waiting)| waiting.len()).sum()
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        // A panic between lock and unlock cannot leave the turns half changed.
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turns {
    fn push(&mut self, lease: Lease) {
        self.0.retain_mut(|(_, waiting)| {
            waiting.retain(Lease::is_wanted);
            !waiting.is_empty()
        });
        let device = &lease.message().device;
        match self.0.iter_mut().find(|(name, _)| name == device) {
            Some((_, waiting)) => waiting.push_back(lease),
            None => self.0.push_back((device.clone(), VecDeque::from([lease]))),
        }
    }

    fn pop_wanted(&mut self) -> Option<Lease> {
        while let Some((device, mut waiting)) = self.0.pop_front() {
            let lease = waiting.pop_front();
            if !waiting.is_empty() {
                self.0.push_back((device, waiting));
            }
            if lease.as_ref().is_some_and(Lease::is_wanted) {
                return lease;
            }
        }
        None
    }
}
