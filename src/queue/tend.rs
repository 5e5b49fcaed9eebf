//! What time does to mail that is kept: holds that last too long, failed mail nobody looked at, lifetimes that end
//! behind a closed lane; the hourly look whether mail still lacks what it is held for; and the daily reminder of what is
//! held.
//!
//! Guarantees that nothing is given up because of a hold but by `hold_for`; that who is to be told is told in the same
//! commit; and that what somebody has in hand is left alone. Works through the queue page by page.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::core::Core;
use super::lease::Lease;
use super::parcel::{Parcel, ParcelId, Standing};
use super::schedule::{self, Settled};
use super::store::{Change, Filter, Page, StandingKind, Unreadable, Waiting};
use super::{Message, Outcome, Route};
use crate::ids::DeviceName;
use crate::journal::{Event, Kept};

/// The room and the holds that end by time are looked at so often.
const LOOK: Duration = Duration::from_mins(1);

/// The whole queue is looked through so often.
const SWEEP: Duration = Duration::from_hours(1);

/// What is held is said so often.
const REMIND: Duration = Duration::from_hours(24);

/// Rows in one look into the store.
const PAGE: usize = 200;

impl Core {
    /// Looks, for ever.
    pub(super) async fn tend(self: Arc<Self>) {
        let mut sweep = self.clock.steady();
        let mut remind = sweep;
        loop {
            // Says what has changed.
            let _ = self.has_room();
            let now = self.clock.steady();
            if self.is_well() {
                self.make_room().await;
                self.end_holds().await;
                // What cannot be read now is looked at the next time.
                let _ = self.end_unanswered().await;
                if now >= sweep {
                    self.sweep().await;
                    sweep = now + SWEEP;
                }
                if now >= remind {
                    self.remind().await;
                    remind = now + REMIND;
                }
            }
            self.clock.until(self.clock.steady() + LOOK).await;
        }
    }

    /// Gives up what was held for longer than `hold_for`.
    pub(super) async fn end_holds(self: &Arc<Self>) {
        loop {
            let core = Arc::clone(self);
            let over = self.ask(move || core.store.hold_over(core.clock.now(), PAGE)).await;
            let mut ended = 0;
            for waiting in over {
                ended += usize::from(self.end(waiting.parcel.id, Self::hold_is_over).await);
            }
            // What somebody has in hand is looked at the next time.
            if ended == 0 {
                return;
            }
        }
    }

    fn hold_is_over(&self, parcel: Parcel) -> Option<Settled> {
        let now = self.clock.now();
        let over = matches!(parcel.standing, Standing::Held { until: Some(until), .. } if until <= now);
        over.then(|| schedule::give_up_held(parcel, now, &self.keeping))
    }

    /// Failed mail that was kept long enough goes; what lacked something is tried; what no lane takes is given up when its
    /// time is over.
    async fn sweep(self: &Arc<Self>) {
        let failed = Filter { standing: Some(StandingKind::Failed), ..Filter::default() };
        self.each(failed, |core, waiting| async move {
            core.end(waiting.parcel.id, Self::was_kept_enough).await;
        })
        .await;
        let due = Filter { standing: Some(StandingKind::Due), ..Filter::default() };
        self.each(due, |core, waiting| async move {
            // Read again once nobody else can change it: this one was only looked at.
            if schedule::pulled_back(waiting.parcel.clone(), core.clock.now(), &core.keeping).is_some() {
                core.end(waiting.parcel.id, Self::pulled_back).await;
            }
        })
        .await;
        let held = Filter { standing: Some(StandingKind::Held), ..Filter::default() };
        self.each(held, |core, waiting| async move {
            let id = waiting.parcel.id;
            if schedule::look_again(waiting.parcel, core.clock.now()).is_some() {
                core.end(id, Self::look_again).await;
            }
        })
        .await;
        for route in self.lanes.barred() {
            let Some(before) = self.given_up_before(&route) else { continue };
            let filter = Filter {
                standing: Some(StandingKind::Due),
                account: Some(route.first().as_str().to_owned()),
                before: Some(before),
                ..Filter::default()
            };
            self.each(filter, move |core, waiting| {
                let route = route.clone();
                async move {
                    if waiting.parcel.route == route {
                        core.end_barred(waiting).await;
                    }
                }
            })
            .await;
        }
    }

    fn pulled_back(&self, parcel: Parcel) -> Option<Settled> {
        let parcel = schedule::pulled_back(parcel, self.clock.now(), &self.keeping)?;
        Some(Settled { parcel, finished: Vec::new(), is_finished: false })
    }

    /// A renewed certificate, for instance, is taken up without a restart.
    fn look_again(&self, parcel: Parcel) -> Option<Settled> {
        let parcel = schedule::look_again(parcel, self.clock.now())?;
        Some(Settled { parcel, finished: Vec::new(), is_finished: false })
    }

    /// What failed and is kept for a look goes before any device is refused for want of room, and what one device left
    /// of it before that one is refused for its share a second time.
    async fn make_room(self: &Arc<Self>) {
        let devices = self.room.with_their_share().into_iter().map(Some);
        for device in std::iter::once(None).chain(devices) {
            if self.is_crowded(device.as_ref()) {
                self.clear_failed(device).await;
            }
        }
    }

    /// The oldest first, as many as must.
    async fn clear_failed(self: &Arc<Self>, device: Option<DeviceName>) {
        let of = device.as_ref().map(ToString::to_string);
        let failed = Filter { standing: Some(StandingKind::Failed), device: of, ..Filter::default() };
        self.each(failed, |core, waiting| {
            let device = device.clone();
            async move {
                if core.is_crowded(device.as_ref()) {
                    core.end(waiting.parcel.id, |_, parcel| {
                        let failed = matches!(parcel.standing, Standing::Failed { .. });
                        failed.then(|| Settled { parcel, finished: Vec::new(), is_finished: true })
                    })
                    .await;
                }
            }
        })
        .await;
    }

    fn was_kept_enough(&self, parcel: Parcel) -> Option<Settled> {
        let now = self.clock.now();
        let Standing::Failed { since } = parcel.standing else { return None };
        let over = schedule::after(since, self.keeping.keep_failed) <= now;
        over.then(|| Settled { parcel, finished: Vec::new(), is_finished: true })
    }

    /// Messages of this route that came later than that are not given up now; nothing: none of it is.
    fn given_up_before(&self, route: &Route) -> Option<Timestamp> {
        let kept = match self.lanes.usable_since(route) {
            None => self.keeping.hold_for?,
            Some(_) => self.keeping.max_queue_lifetime,
        };
        self.clock.now().checked_sub(jiff::SignedDuration::try_from(kept).ok()?).ok()
    }

    /// A parcel whose accounts are all closed.
    async fn end_barred(self: &Arc<Self>, waiting: Waiting) {
        let Some(why) = self.lanes.why_closed(&waiting.parcel.route) else { return };
        let (id, now) = (waiting.parcel.id, self.clock.now());
        let Some(usable_since) = self.lanes.usable_since(&waiting.parcel.route) else {
            self.end(id, Self::account_held_too_long).await;
            return;
        };
        if !self.out.take(id) {
            return;
        }
        let core = Arc::clone(self);
        // As it stands now that nobody else can change it.
        let read = self.ask(move || {
            let now_stands = core.store.parcels(id.message)?.into_iter().find(|parcel| parcel.id == id);
            Ok(now_stands.zip(core.store.message(id.message)?))
        });
        let read = read.await.filter(|(parcel, _)| matches!(parcel.standing, Standing::Due { .. }));
        let read = read.map(|(parcel, message)| (schedule::claimed(parcel, now, usable_since), message));
        let over = |parcel: &Parcel| schedule::is_expired(parcel, waiting.arrived, now, &self.keeping);
        let Some((parcel, message)) = read.filter(|(parcel, _)| over(parcel)) else {
            return self.out.back(id);
        };
        // As if it had been tried once more: the schedule gives it up, and says so to whom it concerns.
        let account = parcel.route.first().clone();
        let lease = Lease::stored(self, message, parcel, account);
        let outcomes = vec![Outcome::Later(None, why); lease.envelope().recipients.len()];
        lease.settle(outcomes, None).await;
    }

    fn account_held_too_long(&self, parcel: Parcel) -> Option<Settled> {
        let Standing::Due { at } = parcel.standing else { return None };
        let now = self.clock.now();
        let over = self.keeping.hold_for.is_some_and(|kept| schedule::after(at, kept) <= now);
        over.then(|| schedule::give_up_held(parcel, now, &self.keeping))
    }

    /// Ends a parcel as it stands now, if it is to be ended and nobody has it in hand, and tells whom it concerns.
    async fn end(
        self: &Arc<Self>,
        id: ParcelId,
        judge: impl FnOnce(&Self, Parcel) -> Option<Settled> + Send + 'static,
    ) -> bool {
        if !self.out.take(id) {
            return false;
        }
        let core = Arc::clone(self);
        let ended = self
            .ask(move || {
                let parcel = core.store.parcels(id.message)?.into_iter().find(|parcel| parcel.id == id);
                let Some(settled) = parcel.and_then(|parcel| judge(&core, parcel)) else { return Ok(None) };
                let message = match core.store.message(id.message) {
                    // Nobody can be told; the administrator sees it as failed.
                    Err(Unreadable::Damaged { .. }) => None,
                    read => read?,
                };
                Ok(Some(core.as_ending(settled, message)))
            })
            .await;
        let mut done = false;
        if let Some(Ending { changes, message, alert }) = ended {
            done = self.store.commit(changes).await.is_ok();
            // An end that is not recorded is no end: it is tried again.
            if let Some(message) = message.filter(|_| done) {
                self.alert(&message, alert.as_ref());
            }
        }
        self.out.back(id);
        if done {
            // The notice waits on a route of its own.
            self.lanes.look_everywhere();
        }
        done
    }

    /// An end as changes for one commit, and what is to be said after it.
    fn as_ending(&self, settled: Settled, message: Option<Arc<Message>>) -> Ending {
        let Settled { parcel, finished, is_finished } = settled;
        let kept = !is_finished;
        let ended: Vec<_> = finished.iter().map(|&i| (&parcel, &parcel.recipients[i])).collect();
        let told = message.as_ref().map(|message| self.tell(message, &ended, kept)).unwrap_or_default();
        let mut changes: Vec<_> = told.notice.map(|(notice, to)| Change::Store(notice, to)).into_iter().collect();
        changes.push(if is_finished { Change::Finish(parcel.id) } else { Change::Update(parcel) });
        Ending { changes, message, alert: told.alert }
    }

    /// Says once a day what waits for a person or for an account.
    async fn remind(self: &Arc<Self>) {
        let core = Arc::clone(self);
        let mut held: Vec<(Option<Timestamp>, u64, String)> = Vec::new();
        let filter = Filter { standing: Some(StandingKind::Held), ..Filter::default() };
        if let Some(by_hold) = self.ask(move || core.count(&filter).map(Some)).await {
            held.push((by_hold.oldest, by_hold.parcels, "messages held by themselves".to_owned()));
        }
        for route in self.lanes.barred() {
            // What only the network keeps is no hold.
            let Some(why) = self.lanes.why_closed(&route).filter(|_| self.lanes.usable_since(&route).is_none()) else {
                continue;
            };
            let account = Some(route.first().as_str().to_owned());
            let filter = Filter { standing: Some(StandingKind::Due), account, ..Filter::default() };
            let core = Arc::clone(self);
            if let Some(waits) = self.ask(move || core.count(&filter).map(Some)).await {
                held.push((waits.oldest, waits.parcels, format!("account {}: {}", route.first(), why.sentence)));
            }
        }
        for (oldest, parcels, why) in held.into_iter().filter(|(_, parcels, _)| *parcels > 0) {
            let oldest = oldest.map(|oldest| oldest.to_string()).unwrap_or_default();
            self.journal.record(Event::Kept(Kept::StillHeld { parcels, oldest: &oldest, why: &why }));
        }
    }

    fn count(&self, filter: &Filter) -> Result<Count, Unreadable> {
        let (mut count, mut after) = (Count { oldest: None, parcels: 0 }, None);
        loop {
            let listed = self.store.list(filter, Page { after, limit: PAGE })?;
            let Some(last) = listed.last() else { return Ok(count) };
            after = Some(last.parcel.id);
            count.parcels += listed.len() as u64;
            count.oldest = count.oldest.or(listed.first().map(|first| first.arrived));
        }
    }

    /// Does this with every parcel the filter finds.
    async fn each<F: Future<Output = ()>>(self: &Arc<Self>, filter: Filter, act: impl Fn(Arc<Self>, Waiting) -> F) {
        let mut after = None;
        loop {
            let (core, filter) = (Arc::clone(self), filter.clone());
            let page: Vec<Waiting> = self.ask(move || core.store.list(&filter, Page { after, limit: PAGE })).await;
            let Some(last) = page.last() else { return };
            after = Some(last.parcel.id);
            for waiting in page {
                act(Arc::clone(self), waiting).await;
            }
        }
    }

    /// Asks the disk, off the runtime's threads. Nothing where it cannot be read: it is asked again the next time, and
    /// the store says itself what is wrong with it.
    async fn ask<T: Default + Send + 'static>(
        &self,
        ask: impl FnOnce() -> Result<T, Unreadable> + Send + 'static,
    ) -> T {
        tokio::task::spawn_blocking(ask).await.ok().and_then(Result::ok).unwrap_or_default()
    }
}

/// The end of a parcel.
struct Ending {
    changes: Vec<Change>,
    /// If it can be read.
    message: Option<Arc<Message>>,
    /// What is to be said of those who could not be told.
    alert: Option<String>,
}

/// How many, since when.
struct Count {
    oldest: Option<Timestamp>,
    parcels: u64,
}

#[cfg(test)]
mod tests;
