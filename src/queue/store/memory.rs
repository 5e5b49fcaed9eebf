//! A store without a disk, for tests: what the queue does is tested against it, and what an engine must do is measured
//! by it.
//!
//! It outlives the queue on it, as a disk does: drop the queue and make another one over the same store, and a restart
//! has happened. Commits can be held back ([`MemoryStore::hold`]), made to fail ([`MemoryStore::fail_next`]) and
//! counted. Guarantees the same as every engine (the conformance suite runs against it), but for durability.

mod accounts;
mod filter;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{oneshot, watch};

use super::{Change, Condition, Due, Durable, Filter, Load, NotStored, Page, Stock, Store, Unreadable, Waiting};
use crate::account::memory::Remembered;
use crate::ids::{AccountName, DeviceName, MessageId};
use crate::queue::parcel::{Parcel, ParcelId, Standing};
use crate::queue::{Message, Route};

/// The store.
#[derive(Debug)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
    condition: watch::Sender<Condition>,
    /// Commits asked for so far, held back ones included.
    asked: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Inner {
    messages: BTreeMap<MessageId, Arc<Message>>,
    parcels: BTreeMap<ParcelId, Parcel>,
    remembered: HashMap<AccountName, Remembered>,
    /// How the next commits fail.
    failures: VecDeque<NotStored>,
    /// Messages that cannot be read, and why.
    unreadable: HashMap<MessageId, Unreadable>,
    /// Messages whose parcels cannot be read for now.
    unread_parcels: HashSet<MessageId>,
    gate: Gate,
    /// What happens right after the next look into the queue.
    after_look: Option<Then>,
    /// Commits that changed something.
    made: usize,
}

/// Whether commits pass.
#[derive(Debug, Default)]
enum Gate {
    #[default]
    Open,
    Closed(VecDeque<Held>),
}

/// What a test does between a look and what follows from it.
struct Then(Box<dyn FnOnce() + Send>);

impl fmt::Debug for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Then")
    }
}

/// A commit that is held back.
#[derive(Debug)]
struct Held {
    changes: Vec<Change>,
    kept: oneshot::Sender<Result<(), NotStored>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { inner: Mutex::default(), condition: watch::Sender::new(Condition::Well), asked: watch::Sender::new(0) }
    }
}

impl MemoryStore {
    /// The next commit that is not made to fail yet fails so. After `Failing` every further one fails as well and the
    /// condition says so, until [`Self::mend`].
    pub fn fail_next(&self, how: NotStored) {
        self.lock().failures.push_back(how);
    }

    /// The disk is well again.
    pub fn mend(&self) {
        self.condition.send_replace(Condition::Well);
    }

    /// The body of this message is gone.
    pub fn damage(&self, id: MessageId) {
        self.lock().unreadable.insert(id, Unreadable::Damaged { detail: "its body is gone".to_owned() });
    }

    /// This message cannot be read for now.
    pub fn trouble(&self, id: MessageId) {
        self.lock().unreadable.insert(id, Unreadable::Passing { detail: "too many open files".to_owned() });
    }

    /// The parcels of this message cannot be read for now; that there are some can.
    pub fn trouble_with_parcels(&self, id: MessageId) {
        self.lock().unread_parcels.insert(id);
    }

    /// It can be read again.
    pub fn heal(&self, id: MessageId) {
        let mut inner = self.lock();
        inner.unreadable.remove(&id);
        inner.unread_parcels.remove(&id);
    }

    /// Does this right after the next look at parcels, before who looked hears of them: they are of another time then.
    pub fn after_look(&self, then: impl FnOnce() + Send + 'static) {
        self.lock().after_look = Some(Then(Box::new(then)));
    }

    fn looked<T>(&self, found: T) -> T {
        let then = self.lock().after_look.take();
        if let Some(Then(then)) = then {
            then();
        }
        found
    }

    /// From now on commits wait.
    pub fn hold(&self) {
        self.lock().gate = Gate::Closed(VecDeque::new());
    }

    /// Makes the commit that has waited longest; false if none does. The others go on waiting.
    pub fn let_one_pass(&self) -> bool {
        let mut inner = self.lock();
        let Gate::Closed(waiting) = &mut inner.gate else { return false };
        let Some(Held { changes, kept }) = waiting.pop_front() else { return false };
        self.make(&mut inner, changes, kept);
        true
    }

    /// Makes all commits that wait, and holds back no more.
    pub fn release(&self) {
        let mut inner = self.lock();
        if let Gate::Closed(waiting) = std::mem::take(&mut inner.gate) {
            for Held { changes, kept } in waiting {
                self.make(&mut inner, changes, kept);
            }
        }
    }

    /// The process dies: commits that wait are never made.
    pub fn lose_waiting(&self) {
        self.lock().gate = Gate::Open;
    }

    /// What the next process finds if this one dies now: another store, with the commits that were made and no others.
    #[must_use]
    pub fn found_next(&self) -> Self {
        let inner = self.lock();
        let (messages, parcels) = (inner.messages.clone(), inner.parcels.clone());
        let remembered = inner.remembered.clone();
        Self { inner: Mutex::new(Inner { messages, parcels, remembered, ..Inner::default() }), ..Self::default() }
    }

    /// Resolves when so many commits were asked for since the beginning, held back ones included.
    pub async fn asked_for(&self, commits: usize) {
        let mut asked = self.asked.subscribe();
        let waiting = tokio::time::timeout(Duration::from_hours(1), asked.wait_for(|asked| *asked >= commits));
        assert!(waiting.await.is_ok(), "nobody asked for commit number {commits}");
    }

    /// How many commits were made so far: 0 means that nothing ever touched the disk.
    pub fn commits(&self) -> usize {
        self.lock().made
    }

    /// How many messages there are.
    pub fn messages(&self) -> usize {
        self.lock().messages.len()
    }

    fn make(&self, inner: &mut Inner, changes: Vec<Change>, kept: oneshot::Sender<Result<(), NotStored>>) {
        let failing = self.condition.borrow().clone();
        let result = match (failing, inner.failures.pop_front()) {
            (Condition::Failing { why }, _) => Err(NotStored::Failing { detail: why }),
            (Condition::Well, Some(failure)) => {
                if let NotStored::Failing { detail } = &failure {
                    self.condition.send_replace(Condition::Failing { why: detail.clone() });
                }
                Err(failure)
            }
            (Condition::Well, None) => inner.apply(changes),
        };
        // Who gave up waiting need not be told.
        let _ = kept.send(result);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn apply(&mut self, changes: Vec<Change>) -> Result<(), NotStored> {
        let (mut messages, mut parcels) = (self.messages.clone(), self.parcels.clone());
        for change in changes {
            match change {
                Change::Store(message, of_it) => {
                    if of_it.is_empty() {
                        return Err(NotStored::Failing { detail: format!("{} has no parcel", message.id) });
                    }
                    if messages.contains_key(&message.id) {
                        continue;
                    }
                    messages.insert(message.id, message);
                    parcels.extend(of_it.into_iter().map(|parcel| (parcel.id, parcel)));
                }
                Change::Update(parcel) => {
                    parcels.entry(parcel.id).and_modify(|old| *old = parcel);
                }
                Change::Finish(id) => {
                    parcels.remove(&id);
                    if of(&parcels, id.message).next().is_none() {
                        messages.remove(&id.message);
                    }
                }
            }
        }
        (self.messages, self.parcels) = (messages, parcels);
        self.made += 1;
        Ok(())
    }

    fn waiting(&self, parcel: &Parcel) -> Waiting {
        let message = &self.messages[&parcel.id.message];
        Waiting {
            parcel: parcel.clone(),
            device: message.device.clone(),
            kind: message.kind,
            reverse_path: message.sender.reverse_path.clone(),
            size: message.body.size(),
            arrived: message.arrived,
        }
    }

    /// Parcels that are due, longest first.
    fn due(&self, ask: &Due<'_>) -> Vec<Waiting> {
        let mut due: Vec<(Timestamp, &Parcel)> = self
            .parcels
            .values()
            .filter(|parcel| ask.routes.contains(&parcel.route) && !ask.but.contains(&parcel.id))
            .filter_map(|parcel| match parcel.standing {
                Standing::Due { at } if at <= ask.now => Some((at, parcel)),
                _ => None,
            })
            .collect();
        due.sort_by_key(|(at, parcel)| (*at, parcel.id));
        due.into_iter().map(|(_, parcel)| self.waiting(parcel)).collect()
    }
}

/// The parcels of a message.
fn of(parcels: &BTreeMap<ParcelId, Parcel>, message: MessageId) -> impl Iterator<Item = &Parcel> {
    let number = |number| ParcelId { message, number };
    parcels.range(number(0)..=number(u16::MAX)).map(|(_, parcel)| parcel)
}

impl Store for MemoryStore {
    fn commit(&self, changes: Vec<Change>) -> Durable {
        let (kept, promised) = Durable::promise();
        let mut inner = self.lock();
        match &mut inner.gate {
            Gate::Closed(waiting) => waiting.push_back(Held { changes, kept }),
            Gate::Open => self.make(&mut inner, changes, kept),
        }
        drop(inner);
        self.asked.send_modify(|asked| *asked += 1);
        promised
    }

    fn condition(&self) -> watch::Receiver<Condition> {
        self.condition.subscribe()
    }

    fn routes(&self) -> Result<Vec<Route>, Unreadable> {
        let mut routes: Vec<Route> = self.lock().parcels.values().map(|parcel| parcel.route.clone()).collect();
        routes.sort();
        routes.dedup();
        Ok(routes)
    }

    fn due(&self, ask: &Due<'_>) -> Result<Vec<Waiting>, Unreadable> {
        let mut devices: Vec<VecDeque<Waiting>> = Vec::new();
        for waiting in self.lock().due(ask) {
            match devices.iter_mut().find(|device| device[0].device == waiting.device) {
                Some(device) if device.len() >= ask.per_device => {}
                Some(device) => device.push_back(waiting),
                None if ask.per_device == 0 => {}
                None => devices.push(VecDeque::from([waiting])),
            }
        }
        let mut turns = Vec::new();
        while devices.iter().any(|device| !device.is_empty()) {
            turns.extend(devices.iter_mut().filter_map(VecDeque::pop_front));
        }
        turns.truncate(ask.limit);
        Ok(self.looked(turns))
    }

    fn next_due(&self, routes: &[Route], after: Timestamp) -> Result<Option<Timestamp>, Unreadable> {
        let inner = self.lock();
        let parcels = inner.parcels.values().filter(|parcel| routes.contains(&parcel.route));
        let times = parcels.filter_map(|parcel| match parcel.standing {
            Standing::Due { at } => Some(at),
            Standing::Held { until, .. } => until,
            _ => None,
        });
        Ok(times.filter(|at| *at > after).min())
    }

    fn hold_over(&self, now: Timestamp, limit: usize) -> Result<Vec<Waiting>, Unreadable> {
        let inner = self.lock();
        let over =
            |parcel: &&Parcel| matches!(parcel.standing, Standing::Held { until: Some(until), .. } if until <= now);
        let end = |waiting: &Waiting| match waiting.parcel.standing {
            Standing::Held { until, .. } => (until, waiting.parcel.id),
            _ => (None, waiting.parcel.id),
        };
        let mut over: Vec<Waiting> = inner.parcels.values().filter(over).map(|parcel| inner.waiting(parcel)).collect();
        over.sort_by_key(end);
        over.truncate(limit);
        drop(inner);
        Ok(self.looked(over))
    }

    fn unfinished(&self) -> Result<Vec<Waiting>, Unreadable> {
        let inner = self.lock();
        let sending = inner.parcels.values().filter(|parcel| matches!(parcel.standing, Standing::Sending { .. }));
        let sending: Vec<Waiting> = sending.map(|parcel| inner.waiting(parcel)).collect();
        drop(inner);
        Ok(self.looked(sending))
    }

    fn message(&self, id: MessageId) -> Result<Option<Arc<Message>>, Unreadable> {
        let inner = self.lock();
        if let Some(problem) = inner.unreadable.get(&id) {
            return Err(problem.clone());
        }
        Ok(inner.messages.get(&id).cloned())
    }

    fn parcels(&self, id: MessageId) -> Result<Vec<Parcel>, Unreadable> {
        if self.lock().unread_parcels.contains(&id) {
            return Err(Unreadable::Passing { detail: "too many open files".to_owned() });
        }
        let all: Vec<Parcel> = of(&self.lock().parcels, id).cloned().collect();
        Ok(self.looked(all))
    }

    fn list(&self, filter: &Filter, page: Page) -> Result<Vec<Waiting>, Unreadable> {
        let inner = self.lock();
        let behind = inner.parcels.values().filter(|parcel| page.after.is_none_or(|after| parcel.id > after));
        let all = behind.map(|parcel| inner.waiting(parcel));
        let some: Vec<Waiting> = all.filter(|waiting| filter::admits(filter, waiting)).take(page.limit).collect();
        drop(inner);
        Ok(self.looked(some))
    }

    fn load(&self, device: &DeviceName) -> Load {
        let mut load = Load::default();
        for message in self.lock().messages.values() {
            let ours = (&message.device == device).then_some(&mut load.of_device);
            for count in ours.into_iter().chain([&mut load.all]) {
                count.0 += 1;
                count.1 += message.body.size();
            }
        }
        load
    }

    fn stock(&self) -> Result<Stock, Unreadable> {
        let mut stock = Stock::default();
        for message in self.lock().messages.values() {
            let (messages, octets) = stock.by_device.entry(message.device.clone()).or_default();
            *messages += 1;
            *octets += message.body.size();
        }
        Ok(stock)
    }
}

#[cfg(test)]
mod tests;
