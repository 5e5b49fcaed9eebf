//! Brings stored parcels to the lanes: one task for each account, off the runtime's threads where the disk is asked.
//!
//! Guarantees that a parcel is brought by one lane at a time and as the store has it at that moment (its id is out before
//! it is read); that memory does not grow with the queue; that nothing is brought while the store takes no changes,
//! because no dot could be permitted; that a damaged message is set aside and said, not tried for ever; and that one that
//! only cannot be read just now is tried again, and stands in nobody's way.

use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::lane::{HINTS, Lane, Ready};
use super::parcel::{HeldBy, Parcel, ParcelId, Standing, Why};
use super::resting::Rest;
use super::schedule;
use super::store::{Change, Due, Unreadable};
use crate::diagnosis::Diagnosis;
use crate::ids::AccountName;
use crate::journal::{Event, Kept};
use crate::words::Cause;

/// Of one device, from one look into the store.
const PER_DEVICE: usize = 8;

/// It is looked at least so often: somebody may set the wall clock.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// After the store could not be read.
const AFTER_TROUBLE: Duration = Duration::from_secs(10);

/// What a look into the store brought.
pub(super) struct Brought {
    /// Whether there may be more.
    found: bool,
    /// Why a message will never be read.
    damaged: Vec<(Parcel, String)>,
    /// Why it cannot be read just now; what was said before is not among them.
    waits: Vec<(ParcelId, String)>,
    /// If not, how long that stays so.
    pause: Duration,
}

impl Core {
    /// Brings stored parcels to the lane of one account, for ever.
    pub(super) async fn supply(self: Arc<Self>, account: AccountName) {
        let Some(lane) = self.lanes.get(&account) else { return };
        let mut condition = self.store.condition();
        loop {
            // Before the look: what comes to be due while it goes on is not waited for.
            let began = self.clock.steady();
            let pause = self.bring_all(&account).await;
            tokio::select! {
                () = lane.wanted() => {}
                () = self.clock.until(began + pause) => {}
                Ok(()) = condition.changed() => lane.ring(),
            }
        }
    }

    /// Fills the lane; how long it may rest then, if nobody wants anything before.
    async fn bring_all(self: &Arc<Self>, account: &AccountName) -> Duration {
        loop {
            if !self.is_well() {
                return LONGEST_PAUSE;
            }
            let (core, name) = (Arc::clone(self), account.clone());
            let looked = tokio::task::spawn_blocking(move || core.bring(&name)).await;
            let Ok(Some(Ok(brought))) = looked else {
                // The store says itself what is wrong with it; `None`: nothing is wanted.
                return if matches!(looked, Ok(None)) { LONGEST_PAUSE } else { AFTER_TROUBLE };
            };
            for (id, detail) in &brought.waits {
                self.journal.record(Event::Kept(Kept::NotReadable { message: id.message, detail }));
            }
            let mut recorded = true;
            for (parcel, why) in brought.damaged {
                recorded &= self.set_aside(parcel, &why).await;
            }
            if !recorded {
                return AFTER_TROUBLE;
            }
            if !brought.found {
                return brought.pause.min(LONGEST_PAUSE);
            }
        }
    }

    /// One step: names of what is due, or the messages of those that are known by name. Blocks on the disk. `None`: the
    /// lane is closed or has enough.
    pub(super) fn bring(&self, account: &AccountName) -> Option<Result<Brought, Unreadable>> {
        let lane = self.lanes.get(account)?;
        let (round, names) = lane.orders()?;
        if names.is_empty() {
            return Some(self.look_for(account, lane, round));
        }
        let mut brought = Brought { found: true, damaged: Vec::new(), waits: Vec::new(), pause: Duration::ZERO };
        for id in names {
            // From here on nobody else changes it.
            if !self.out.take(id) {
                continue;
            }
            match self.read(id).and_then(|read| self.rested(id, read)) {
                Ok(Read::Ready(ready)) => {
                    if let Err(id) = lane.bring(round, *ready) {
                        self.out.back(id);
                    }
                }
                Ok(Read::NotDue | Read::Waits) => self.out.back(id),
                Ok(Read::NotNow(detail)) => {
                    self.out.back(id);
                    brought.waits.push((id, detail));
                }
                Ok(Read::Damaged(parcel, why)) => brought.damaged.push((*parcel, why)),
                Err(_) => {
                    // What has come so far counts; the rest is found again.
                    self.out.back(id);
                    return Some(Ok(Brought { found: false, pause: AFTER_TROUBLE, ..brought }));
                }
            }
        }
        Some(Ok(brought))
    }

    fn look_for(&self, account: &AccountName, lane: &Lane, round: u64) -> Result<Brought, Unreadable> {
        let (now, routes) = (self.clock.now(), self.lanes.served_by(account));
        let mut brought = Brought { found: false, damaged: Vec::new(), waits: Vec::new(), pause: LONGEST_PAUSE };
        if routes.is_empty() {
            return Ok(brought);
        }
        let mut but = self.out.snapshot();
        but.extend(self.resting.now(self.clock.steady()));
        let due = self.store.due(&Due { routes: &routes, now, but: &but, per_device: PER_DEVICE, limit: HINTS })?;
        if due.is_empty() {
            if let Some(next) = self.store.next_due(&routes, now)? {
                brought.pause = next.duration_since(now).try_into().unwrap_or(Duration::ZERO);
            }
            return Ok(brought);
        }
        lane.hint(round, due.into_iter().map(|waiting| waiting.parcel.id));
        Ok(Brought { found: true, ..brought })
    }

    /// A parcel as it stands now, with its message. Its id is out.
    fn read(&self, id: ParcelId) -> Result<Read, Unreadable> {
        let now = self.clock.now();
        let Some(parcel) = self.store.parcels(id.message)?.into_iter().find(|parcel| parcel.id == id) else {
            return Ok(Read::NotDue);
        };
        if !matches!(parcel.standing, Standing::Due { at } if at <= now) {
            return Ok(Read::NotDue);
        }
        match self.store.message(id.message) {
            Ok(Some(message)) => {
                let usable_since = self.lanes.usable_since(&parcel.route).unwrap_or(now);
                let parcel = schedule::claimed(parcel, now, usable_since);
                Ok(Read::Ready(Box::new(Ready { message, parcel })))
            }
            Ok(None) => Ok(Read::Damaged(Box::new(parcel), "its message is not there".into())),
            // If the store fails as a whole, it is not this message's fault.
            Err(problem) if !self.is_well() => Err(problem),
            Err(Unreadable::Damaged { detail }) => Ok(Read::Damaged(Box::new(parcel), detail)),
            Err(Unreadable::Passing { detail }) => Ok(Read::NotNow(detail)),
        }
    }

    /// What cannot be read just now rests, and is said the first time. An error where too much cannot be read.
    fn rested(&self, id: ParcelId, read: Read) -> Result<Read, Unreadable> {
        let Read::NotNow(detail) = read else {
            self.resting.end(id);
            return Ok(read);
        };
        match self.resting.put(id, self.clock.steady()) {
            Rest::Begun => Ok(Read::NotNow(detail)),
            Rest::GoesOn => Ok(Read::Waits),
            Rest::NoRoom => Err(Unreadable::Passing { detail }),
        }
    }

    /// Holds a parcel whose message cannot be read; false if that cannot be recorded just now. Its id is out.
    async fn set_aside(&self, parcel: Parcel, detail: &str) -> bool {
        let id = parcel.id;
        let diagnosis = Diagnosis::new(
            "message_unreadable",
            Cause::Message,
            format!("the stored message cannot be read: {detail}"),
            "look at the disk; `posthouse queue release` tries again, `posthouse queue remove` gives it up",
        );
        let why = Why::from(&diagnosis);
        let aside = schedule::set_aside(parcel, HeldBy::Damaged, why, self.clock.now(), &self.keeping);
        let recorded = self.store.commit(vec![Change::Update(aside)]).await.is_ok();
        if recorded {
            self.journal.record(Event::Kept(Kept::MessageHeld { message: id.message, diagnosis: &diagnosis }));
        }
        self.out.back(id);
        recorded
    }
}

/// What became of reading one parcel.
enum Read {
    Ready(Box<Ready>),
    /// Gone, or not due any more.
    NotDue,
    Damaged(Box<Parcel>, String),
    /// Its message cannot be read just now.
    NotNow(String),
    /// The same, as is known.
    Waits,
}

#[cfg(test)]
mod tests;
