//! A stored parcel in a courier's hand.
//!
//! Guarantees that the disk knows of a dot before it is written, that what an attempt brought is durable, with the
//! notice it causes, before [`Row::settle`] returns, and that an outcome the store could not take is kept and recorded
//! as soon as it can: until then the parcel is out, so that this process does not send it twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::core::Core;
use super::parcel::{HeldBy, Parcel, ParcelId, Standing, State, Try, Why};
use super::store::{Change, Condition};
use super::{Message, Outcome, Route, notice, schedule};
use crate::diagnosis::Diagnosis;
use crate::disk::durable::NotStored;
use crate::failpoint;
use crate::ids::{AccountName, AttemptId};
use crate::journal::{self, Event};

/// A full disk says nothing when there is room again: that long until the next try.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// A stored parcel in hand. Its id stands in [`super::core::Out`] until this is dropped.
#[derive(Debug)]
pub(super) struct Row {
    core: Arc<Core>,
    message: Arc<Message>,
    id: ParcelId,
    route: Route,
    /// `None`: its outcome is recorded, or it was never tried.
    parcel: Mutex<Option<Parcel>>,
    /// Its dot could not be recorded: it rests for a while, or couriers would dial for it again and again.
    rests: AtomicBool,
}

impl Row {
    /// A parcel as it lies in the store. Its id is out already.
    pub fn new(core: Arc<Core>, message: Arc<Message>, parcel: Parcel) -> Self {
        let (id, route) = (parcel.id, parcel.route.clone());
        Self { core, message, id, route, parcel: Mutex::new(Some(parcel)), rests: AtomicBool::new(false) }
    }

    /// Records that the dot may be written now. False: that could not be recorded, and the parcel goes back.
    pub async fn permit_dot(&self, account: &AccountName, attempt: AttemptId) -> bool {
        let Some(mut parcel) = self.parcel().clone() else { return false };
        if matches!(parcel.standing, Standing::Sending { .. }) {
            return true;
        }
        parcel.standing = Standing::Sending { account: account.clone(), attempt, since: self.core.clock.now() };
        let recorded = if self.core.is_well() {
            self.core.store.commit(vec![Change::Update(parcel.clone())]).await
        } else {
            Err(NotStored::Failing { detail: "it is looked after".to_owned() })
        };
        match recorded {
            Ok(()) => {
                failpoint::hit("queue.dot-recorded");
                *self.parcel() = Some(parcel);
                true
            }
            Err(problem) => {
                self.core.journal.record(Event::DotNotRecorded { message: self.message.id, problem: &problem });
                self.parcel().take();
                self.rests.store(true, Ordering::Release);
                false
            }
        }
    }

    /// Records the outcomes, and the notice they cause.
    pub async fn settle(self: Arc<Self>, account: AccountName, outcomes: Vec<Outcome>, tried: Option<Try>) {
        let Some(parcel) = self.parcel().take() else { return };
        let (arrived, looked) = (self.message.arrived, parcel.lacking.is_some());
        let settled = self.core.settle(parcel, arrived, &account, &outcomes, tried);
        // Made once: should a commit that failed lie on the disk after all, the next one stores the same notice.
        let ended: Vec<_> =
            settled.finished.iter().map(|&i| (&settled.parcel, &settled.parcel.recipients[i])).collect();
        let told = self.core.tell(&self.message, &ended, !settled.is_finished);
        let still = looked && matches!(settled.parcel.standing, Standing::Held { by: HeldBy::Message, .. });
        let ending = Ending { settled, told, is_news: !still };
        failpoint::hit("queue.before-settle");
        if let Err(problem) = self.core.store.commit(ending.changes()).await {
            self.core.journal.record(Event::OutcomeKept { message: self.message.id, problem: &problem });
            // A task, because the courier that waits here may be cut off.
            let row = Arc::clone(&self);
            let _ = self.core.tasks.spawn(async move { row.record_late(&ending, &account).await }).await;
            return;
        }
        failpoint::hit("queue.settled");
        self.say(&ending, &account);
    }

    /// Nobody tried it: it stands as it stood.
    pub fn give_back(&self) {
        self.parcel().take();
    }

    /// Whether the dot was permitted.
    pub fn is_sending(&self) -> bool {
        self.parcel().as_ref().is_some_and(|parcel| matches!(parcel.standing, Standing::Sending { .. }))
    }

    /// The courier is gone.
    pub fn abandon(self: Arc<Self>, account: AccountName, outcomes: Vec<Outcome>) {
        // Cut off at the end of the relay, before the dot, it stands as it stood. Outside the runtime nothing can be
        // recorded; the next process finds the dot.
        let stands = self.core.ending.is_cancelled() && !self.is_sending();
        if self.parcel().is_some() && !stands && tokio::runtime::Handle::try_current().is_ok() {
            let core = Arc::clone(&self.core);
            core.tasks.spawn(self.settle(account, outcomes, None));
        }
    }

    /// Whether a look found what was found before.
    pub fn is_known(&self, why: &Diagnosis) -> bool {
        let (parcel, why) = (self.parcel(), Why::from(why));
        parcel.as_ref().is_some_and(|parcel| {
            let mut open = parcel.recipients.iter().filter(|owed| owed.state.is_open());
            parcel.lacking.is_some()
                && open.all(|owed| matches!(&owed.state, State::Open { last: Some(last) } if last.why == why))
        })
    }

    /// Whether anything is to be done with it.
    pub fn is_in_hand(&self) -> bool {
        self.parcel().is_some()
    }

    /// How many recipients it is still to be delivered to.
    pub fn open(&self) -> usize {
        self.parcel().as_ref().map_or(0, |parcel| parcel.recipients.iter().filter(|owed| owed.state.is_open()).count())
    }

    fn say(&self, Ending { settled, told, is_news }: &Ending, account: &AccountName) {
        if told.notice.is_some() {
            self.core.lanes.look_everywhere();
        }
        self.core.alert(&self.message, told.alert.as_ref());
        // It may have another route now than the one it came by.
        self.core.look(&settled.parcel.route);
        if !is_news {
            return;
        }
        let Message { id, kind, device, sender, .. } = &*self.message;
        let recipients = &settled.parcel.recipients;
        let to = journal::named(recipients.iter().map(|owed| &owed.recipient.address));
        let mail = journal::Stored { message: *id, kind: kind.word(), device, from: &sender.reverse_path, to };
        let reply = recipients.iter().find_map(|owed| owed.state.reply());
        self.core.journal.record(Event::Settled { mail, account, reply, standing: standing(&settled.parcel) });
    }

    async fn record_late(&self, ending: &Ending, account: &AccountName) {
        let mut condition = self.core.store.condition();
        loop {
            tokio::time::sleep(TRY_AGAIN).await;
            // The store has ended: what it knows of this parcel is what the next process finds.
            if condition.wait_for(|now| *now == Condition::Well).await.is_err() {
                return;
            }
            let Some(lies_there) = self.lies_there(&ending.settled).await else { continue };
            if lies_there {
                return self.say(ending, account);
            }
            if self.core.store.commit(ending.changes()).await.is_ok() {
                return self.say(ending, account);
            }
        }
    }

    /// Whether the commit that was said to have failed lies on the disk after all: its notice may have gone out since,
    /// and would be stored a second time. Nobody else changes the parcel. Nothing where it cannot be read.
    async fn lies_there(&self, settled: &schedule::Settled) -> Option<bool> {
        let (core, id) = (Arc::clone(&self.core), self.id);
        let parcels = tokio::task::spawn_blocking(move || core.store.parcels(id.message)).await.ok()?.ok()?;
        let stands = parcels.iter().find(|parcel| parcel.id == id);
        Some(stands == Some(&settled.parcel).filter(|_| !settled.is_finished))
    }

    fn parcel(&self) -> MutexGuard<'_, Option<Parcel>> {
        // Every change is a single assignment.
        self.parcel.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How an attempt ended, and who is told.
#[derive(Debug)]
struct Ending {
    settled: schedule::Settled,
    told: notice::Told,
    /// Not where a look found that it still lacks what it was held for.
    is_news: bool,
}

impl Ending {
    fn changes(&self) -> Vec<Change> {
        let (notice, parcel) = (self.told.notice.clone(), &self.settled.parcel);
        let mut changes: Vec<_> = notice.map(|(notice, parcels)| Change::Store(notice, parcels)).into_iter().collect();
        let is_finished = self.settled.is_finished;
        changes.push(if is_finished { Change::Finish(parcel.id) } else { Change::Update(parcel.clone()) });
        changes
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        if self.rests.load(Ordering::Acquire) && tokio::runtime::Handle::try_current().is_ok() {
            let (core, id, route) = (Arc::clone(&self.core), self.id, self.route.clone());
            let tasks = core.tasks.clone();
            tasks.spawn(async move {
                core.ending.run_until_cancelled(tokio::time::sleep(TRY_AGAIN)).await;
                core.out.back(id);
                core.look(&route);
            });
            return;
        }
        self.core.out.back(self.id);
        self.core.look(&self.route);
    }
}

/// How many recipients stand how, for the log.
fn standing(parcel: &Parcel) -> journal::Standing {
    let count = |is: fn(&State) -> bool| parcel.recipients.iter().filter(|owed| is(&owed.state)).count();
    journal::Standing {
        delivered: count(|state| matches!(state, State::Delivered { .. })),
        never: count(|state| matches!(state, State::Never { .. })),
        open: count(State::is_open),
        next: match parcel.standing {
            Standing::Due { at } => Some(at),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests;
