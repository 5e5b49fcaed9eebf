//! What waits for one account: messages whose devices wait, device by device, and stored parcels that are ready to go.
//!
//! Guarantees that devices take turns (whoever hands over a hundred messages at once waits behind nobody's first,
//! promise 10), that fresh mail and stored mail take turns, that a closed lane hands out nothing, and that little of
//! what is stored lies here: at most [`READY`] messages and [`HINTS`] names of further ones. What was withdrawn is
//! dropped at the next opportunity, so nothing piles up while couriers are stuck.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::parcel::{Parcel, ParcelId};
use super::{Lease, Message};
use crate::diagnosis::Diagnosis;
use crate::ids::DeviceName;
use crate::words::Cause;

/// Stored messages with their bodies in memory (up to 64 KiB each): one for each courier, and one to follow it.
pub(super) const READY: usize = 4;

/// Names of due parcels, from one look into the store.
pub(super) const HINTS: usize = 32;

/// The lane of one account.
#[derive(Debug)]
pub(super) struct Lane {
    inner: Mutex<Inner>,
    /// Rung for couriers.
    bell: Notify,
    /// Rung for whoever brings stored parcels.
    supply: Notify,
    /// Couriers that have nothing to do.
    idle: AtomicUsize,
}

#[derive(Debug)]
struct Inner {
    /// Why nothing is handed out, if so.
    closed: Option<Diagnosis>,
    /// When its last hold had ended; else when it was made.
    usable_since: Timestamp,
    fresh: Turns,
    ready: VecDeque<Ready>,
    hints: VecDeque<ParcelId>,
    /// How often what was brought was sent back: what was fetched before that is of another time.
    round: u64,
    /// Whose turn it is, where both wait.
    turn: Turn,
}

#[derive(Debug, Clone, Copy)]
enum Turn {
    Fresh,
    Stored,
}

/// A stored parcel with its message. Its id is out.
#[derive(Debug)]
pub(super) struct Ready {
    pub message: Arc<Message>,
    pub parcel: Parcel,
}

/// What a courier gets.
#[derive(Debug)]
pub(super) enum Next {
    Fresh(Lease),
    Stored(Ready),
}

impl Next {
    /// Of a lane to which nothing stored is brought.
    pub fn fresh(self) -> Option<Lease> {
        match self {
            Self::Fresh(lease) => Some(lease),
            Self::Stored(_) => None,
        }
    }
}

/// Devices in the order of their turns; none of their queues is empty.
#[derive(Debug, Default)]
struct Turns(VecDeque<(DeviceName, VecDeque<Lease>)>);

impl Lane {
    /// An open one.
    pub fn new(now: Timestamp) -> Self {
        let inner = Inner {
            closed: None,
            usable_since: now,
            fresh: Turns::default(),
            ready: VecDeque::new(),
            hints: VecDeque::new(),
            round: 0,
            turn: Turn::Fresh,
        };
        Self { inner: Mutex::new(inner), bell: Notify::new(), supply: Notify::new(), idle: AtomicUsize::new(0) }
    }

    /// Lets a message wait, and wakes the courier that came to wait last: its connection is the warmest.
    pub fn push(&self, lease: Lease) -> Result<(), Box<(Lease, Diagnosis)>> {
        self.admit(lease, Turns::push)
    }

    /// The same, before all others.
    pub fn push_front(&self, lease: Lease) -> Result<(), Box<(Lease, Diagnosis)>> {
        self.admit(lease, Turns::push_front)
    }

    fn admit(&self, lease: Lease, push: impl FnOnce(&mut Turns, Lease)) -> Result<(), Box<(Lease, Diagnosis)>> {
        let mut inner = self.inner();
        if let Some(why) = &inner.closed {
            return Err(Box::new((lease, why.clone())));
        }
        push(&mut inner.fresh, lease);
        drop(inner);
        self.bell.notify_last();
        Ok(())
    }

    /// What nobody wants any more is dropped.
    pub fn prune(&self) {
        self.inner().fresh.prune();
    }

    /// The next one, for a courier with nothing else to do. `stored`: whether the store takes changes just now.
    pub async fn next(&self, stored: impl Fn() -> bool) -> Next {
        loop {
            if let Some(next) = self.take(stored()) {
                return next;
            }
            let _idle = Idle::count(&self.idle);
            self.bell.notified().await;
        }
    }

    /// The next one, for a courier that is busy: nothing while another one is idle.
    pub fn try_next(&self, stored: bool) -> Option<Next> {
        if self.idle.load(Ordering::Acquire) > 0 { None } else { self.take(stored) }
    }

    fn take(&self, stored: bool) -> Option<Next> {
        let mut inner = self.inner();
        if inner.closed.is_some() {
            return None;
        }
        let next = inner.next(stored);
        let more = !inner.fresh.0.is_empty() || stored && !inner.ready.is_empty();
        drop(inner);
        if more {
            // One stored permit wakes one courier; pass the word on while there is more.
            self.bell.notify_last();
        }
        if matches!(next, Some(Next::Stored(_))) {
            self.supply.notify_one();
        }
        next
    }

    /// Nothing is handed out from now on. What waited comes back.
    pub fn close(&self, why: Diagnosis, now: Timestamp) -> Vec<Lease> {
        let mut inner = self.inner();
        inner.ends_hold(now, Some(&why));
        inner.closed = Some(why);
        std::mem::take(&mut inner.fresh).0.into_iter().flat_map(|(_, waiting)| waiting).collect()
    }

    /// It hands out again; true if it did not.
    pub fn open(&self, now: Timestamp) -> bool {
        let mut inner = self.inner();
        inner.ends_hold(now, None);
        inner.closed.take().is_some()
    }

    /// Why it is closed.
    pub fn closed(&self) -> Option<Diagnosis> {
        self.inner().closed.clone()
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.inner().closed.is_none()
    }

    /// Since when no hold has kept mail from it; nothing while one does.
    pub fn usable_since(&self) -> Option<Timestamp> {
        let inner = self.inner();
        if inner.closed.as_ref().is_some_and(is_hold) { None } else { Some(inner.usable_since) }
    }

    /// Wakes whoever brings stored parcels.
    pub fn want(&self) {
        self.supply.notify_one();
    }

    /// Resolves when stored parcels are wanted.
    pub fn wanted(&self) -> Notified<'_> {
        self.supply.notified()
    }

    /// Wakes couriers: the store takes changes again.
    pub fn ring(&self) {
        self.bell.notify_last();
    }

    /// Which round it is, and the names of some that were due, as many as there is room for. `None`: there is no room,
    /// or it is closed.
    pub fn orders(&self) -> Option<(u64, Vec<ParcelId>)> {
        let mut inner = self.inner();
        let room = READY.saturating_sub(inner.ready.len());
        if inner.closed.is_some() || room == 0 {
            return None;
        }
        let some = room.min(inner.hints.len());
        Some((inner.round, inner.hints.drain(..some).collect()))
    }

    /// These were due in this round.
    pub fn hint(&self, round: u64, ids: impl IntoIterator<Item = ParcelId>) {
        let mut inner = self.inner();
        if inner.round == round {
            inner.hints.extend(ids.into_iter().take(HINTS));
        }
    }

    /// Brings a stored parcel. `Err`: what is stored goes another way by now, and nobody has it.
    pub fn bring(&self, round: u64, ready: Ready) -> Result<(), ParcelId> {
        let mut inner = self.inner();
        if inner.round != round || inner.closed.is_some() {
            return Err(ready.parcel.id);
        }
        inner.ready.push_back(ready);
        drop(inner);
        self.bell.notify_last();
        Ok(())
    }

    /// Sends everything stored back and forgets what was due. Begins a new round.
    pub fn send_back(&self) -> Vec<ParcelId> {
        let mut inner = self.inner();
        inner.round += 1;
        inner.hints.clear();
        inner.ready.drain(..).map(|ready| ready.parcel.id).collect()
    }

    /// Takes one stored parcel back that no courier has yet.
    pub fn withdraw(&self, id: ParcelId) -> bool {
        let mut inner = self.inner();
        let before = inner.ready.len();
        inner.ready.retain(|ready| ready.parcel.id != id);
        inner.ready.len() < before
    }

    /// How many fresh ones wait.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.inner().fresh.0.iter().map(|(_, waiting)| waiting.len()).sum()
    }

    /// How many stored ones lie here, and how many names.
    #[cfg(test)]
    pub fn stored(&self) -> (usize, usize) {
        let inner = self.inner();
        (inner.ready.len(), inner.hints.len())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic between lock and unlock cannot leave the turns half changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it keeps mail as a hold does: time in it is no lifetime. The breaker and a throttle do not.
pub(super) fn is_hold(why: &Diagnosis) -> bool {
    matches!(why.cause, Cause::Account | Cause::Quota | Cause::Config)
}

impl Inner {
    fn next(&mut self, stored: bool) -> Option<Next> {
        let stored_first = stored && matches!(self.turn, Turn::Stored);
        let next = match (stored_first, self.ready.is_empty()) {
            (true, false) => self.ready.pop_front().map(Next::Stored),
            _ => self.fresh.pop_wanted().map(Next::Fresh),
        };
        let next = next.or_else(|| if stored { self.ready.pop_front().map(Next::Stored) } else { None });
        match next {
            Some(Next::Fresh(_)) => self.turn = Turn::Stored,
            Some(Next::Stored(_)) => self.turn = Turn::Fresh,
            None => {}
        }
        next
    }

    /// A hold that is followed by this has ended now.
    fn ends_hold(&mut self, now: Timestamp, then: Option<&Diagnosis>) {
        if self.closed.as_ref().is_some_and(is_hold) && !then.is_some_and(is_hold) {
            self.usable_since = now;
        }
    }
}

/// A courier with nothing to do, for as long as it waits.
struct Idle<'a>(&'a AtomicUsize);

impl<'a> Idle<'a> {
    fn count(idle: &'a AtomicUsize) -> Self {
        idle.fetch_add(1, Ordering::AcqRel);
        Self(idle)
    }
}

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Turns {
    fn prune(&mut self) {
        self.0.retain_mut(|(_, waiting)| {
            waiting.retain(Lease::is_wanted);
            !waiting.is_empty()
        });
    }

    fn push(&mut self, lease: Lease) {
        self.prune();
        let device = &lease.message().device;
        match self.0.iter_mut().find(|(name, _)| name == device) {
            Some((_, waiting)) => waiting.push_back(lease),
            None => self.0.push_back((device.clone(), VecDeque::from([lease]))),
        }
    }

    fn push_front(&mut self, lease: Lease) {
        let device = lease.message().device.clone();
        let mut waiting = match self.0.iter().position(|(name, _)| *name == device) {
            Some(place) => self.0.remove(place).map(|(_, waiting)| waiting).unwrap_or_default(),
            None => VecDeque::new(),
        };
        waiting.push_front(lease);
        self.0.push_front((device, waiting));
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
