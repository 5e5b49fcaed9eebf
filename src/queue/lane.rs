//! Messages that wait for one account, device by device.
//!
//! Guarantees that devices take turns: whoever hands over a hundred messages at once waits behind nobody's first
//! (promise 10). What was withdrawn is dropped at the next opportunity, so nothing piles up while couriers are stuck.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{Lease, Route};
use crate::diagnosis::Diagnosis;
use crate::ids::{AccountName, DeviceName};
use crate::words::Cause;

/// The lanes of all accounts.
#[derive(Debug)]
pub(super) struct Lanes(HashMap<AccountName, Lane>);

impl Lanes {
    pub fn new(accounts: impl IntoIterator<Item = AccountName>) -> Self {
        Self(accounts.into_iter().map(|name| (name, Lane::default())).collect())
    }

    pub fn get(&self, account: &AccountName) -> Option<&Lane> {
        self.0.get(account)
    }

    /// Lets a lease wait for the first open account of its route. Comes back, with the reason, if there is none.
    pub fn push(&self, mut lease: Lease) -> Result<(), (Lease, Diagnosis)> {
        let mut why = None;
        for account in lease.route.accounts() {
            match self.0.get(account).map(|lane| (lane, lane.closed())) {
                Some((lane, None)) => {
                    lease.account = account.clone();
                    lane.push(lease);
                    return Ok(());
                }
                Some((_, Some(closed))) => why = why.or(Some(closed)),
                None => {}
            }
        }
        Err((lease, why.unwrap_or_else(no_account)))
    }

    /// Lets a lease wait again that was handed out and not tried.
    pub fn push_front(&self, lease: Lease) {
        if let Some(lane) = self.0.get(&lease.account) {
            lane.push_front(lease);
        }
    }

    /// Whether one of these accounts can be used.
    pub fn has_open(&self, route: &Route) -> bool {
        route.accounts().iter().any(|name| self.0.get(name).is_some_and(|lane| lane.closed().is_none()))
    }

    /// The first account that can be used; the first of all if there is none.
    pub fn first<'a>(&self, route: &'a Route) -> &'a AccountName {
        let open = |name: &&AccountName| self.0.get(*name).is_some_and(|lane| lane.closed().is_none());
        route.accounts().iter().find(open).unwrap_or(route.first())
    }

    /// Why none of these accounts can be used, if so.
    pub fn why_closed(&self, route: &Route) -> Option<Diagnosis> {
        if self.has_open(route) {
            return None;
        }
        let closed = |name| self.0.get(name)?.closed();
        Some(route.accounts().iter().find_map(closed).unwrap_or_else(no_account))
    }

    /// What nobody wants any more is dropped.
    pub fn prune(&self, account: &AccountName) {
        if let Some(lane) = self.0.get(account) {
            lane.turns().prune();
        }
    }
}

fn no_account() -> Diagnosis {
    Diagnosis::new(
        "no_account",
        Cause::Config,
        "none of the accounts of this message is configured any more",
        "configure one of them again, or release the message through another",
    )
}

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

    /// Lets a message wait before all others.
    pub(super) fn push_front(&self, lease: Lease) {
        self.turns().push_front(lease);
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

    /// Everything that waits.
    pub(super) fn drain(&self) -> Vec<Lease> {
        self.turns().0.drain(..).flat_map(|(_, waiting)| waiting).collect()
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
    fn prune(&mut self) {
        self.0.retain_mut(|(_, waiting)| {
            waiting.retain(Lease::is_wanted);
            !waiting.is_empty()
        });
    }

    fn push_front(&mut self, lease: Lease) {
        let device = lease.message().device.clone();
        match self.0.iter().position(|(name, _)| *name == device).and_then(|at| self.0.remove(at)) {
            Some((_, mut waiting)) => {
                waiting.push_front(lease);
                self.0.push_front((device, waiting));
            }
            None => self.0.push_front((device, VecDeque::from([lease]))),
        }
    }

    fn push(&mut self, lease: Lease) {
        self.prune();
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
            if lease.as_ref().is_some_and(Lease::take_up) {
                return lease;
            }
        }
        None
    }
}
