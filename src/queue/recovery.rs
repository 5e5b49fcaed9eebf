//! What an earlier run left behind: dots nobody knows the answer to, and routes whose accounts are gone.
//!
//! Runs once, before anything stored is handed out, and not before the storage directory is ours. Guarantees that an
//! attempt that may have been sent is treated as uncertain, and every other one as not made; that mail of an account
//! that has another name now follows it; that mail whose accounts are gone is routed anew or held with the reason, and
//! released when one of them is back, as is what lacked something that a new configuration may bring. Never gives
//! anything up. Can be repeated.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::core::{Core, chance};
use super::parcel::{HeldBy, Parcel, Standing, Why};
use super::store::{Change, Filter, Page, StandingKind, Unreadable, Waiting};
use super::{Route, lanes, schedule};
use crate::ids::AccountName;
use crate::journal::{Event, Kept};
use crate::words::Cause;

/// Picks a route by the configuration of today; nothing where no rule fits.
pub type Reroute = Box<dyn Fn(&Waiting) -> Option<Route> + Send + Sync>;

/// What a start must know of the configuration.
pub struct Known {
    /// `renamed_from`: the names of today, by those of before.
    pub renamed: HashMap<AccountName, AccountName>,
    /// For mail whose accounts are gone.
    pub reroute: Reroute,
}

impl Default for Known {
    fn default() -> Self {
        Self { renamed: HashMap::new(), reroute: Box::new(|_| None) }
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("renamed", &self.renamed).finish_non_exhaustive()
    }
}

/// Rows in one look and one commit.
const PAGE: usize = 200;

/// After the store could not be read or took no change.
const AGAIN: Duration = Duration::from_secs(5);

/// What was found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Found {
    uncertain: usize,
    rerouted: usize,
    held: usize,
}

impl Core {
    /// Looks after everything, and tries again for as long as the store cannot be read.
    pub(super) async fn recover(self: &Arc<Self>, known: Known) {
        let known = Arc::new(known);
        let mut said = false;
        loop {
            match self.recover_once(&known).await {
                Ok(found) => {
                    let Found { uncertain, rerouted, held } = found;
                    if found != Found::default() {
                        self.journal.record(Event::Kept(Kept::Recovered { uncertain, rerouted, held }));
                    }
                    return;
                }
                Err(detail) if !said => self.journal.record(Event::Kept(Kept::NotRecovered { detail: &detail })),
                Err(_) => {}
            }
            said = true;
            self.clock.until(self.clock.steady() + AGAIN).await;
        }
    }

    async fn recover_once(self: &Arc<Self>, known: &Arc<Known>) -> Result<Found, String> {
        let mut found = Found { uncertain: self.end_unanswered().await?, ..Found::default() };
        let core = Arc::clone(self);
        for route in blocking(move || core.store.routes()).await? {
            self.lanes.look(&route);
            if self.is_known(&route) {
                continue;
            }
            let filter = Filter { account: Some(route.first().as_str().to_owned()), ..Filter::default() };
            self.each_page(&filter, known, &mut found, move |core, waiting, known| {
                (waiting.parcel.route == route).then(|| core.route_again(waiting, known)).flatten()
            })
            .await?;
        }
        let filter = Filter { standing: Some(StandingKind::Held), ..Filter::default() };
        self.each_page(&filter, known, &mut found, |core, waiting, known| {
            ends_by_change(&waiting.parcel).then(|| core.route_again(waiting, known)).flatten().filter(is_due)
        })
        .await?;
        Ok(found)
    }

    /// Dots without an answer that nobody has in hand: of a run that died, or recorded by a commit that seemed to have
    /// failed. How many there were.
    pub(super) async fn end_unanswered(self: &Arc<Self>) -> Result<usize, String> {
        let core = Arc::clone(self);
        let now = self.clock.now();
        let left = blocking(move || {
            let found = core.store.unfinished()?;
            core.revised(found, |w| {
                let sending = matches!(w.parcel.standing, Standing::Sending { .. });
                sending.then(|| schedule::recovered(w.parcel.clone(), w.arrived, now, &core.keeping, chance()))
            })
        })
        .await?;
        let count = left.len();
        self.put(left).await.map(|()| count)
    }

    /// Those that are to be changed, as they are to be, and out: nobody else changes them between look and commit.
    fn revised(
        &self,
        found: Vec<Waiting>,
        change: impl Fn(&Waiting) -> Option<Parcel>,
    ) -> Result<Vec<Parcel>, Unreadable> {
        let mut all = Vec::new();
        for listed in found {
            let id = listed.parcel.id;
            if change(&listed).is_none() || !self.out.take(id) {
                continue;
            }
            // All or none: what is passed over now would be looked for by nobody.
            let parcels = self.store.parcels(id.message).inspect_err(|_| {
                all.iter().map(|parcel: &Parcel| parcel.id).chain([id]).for_each(|id| self.out.back(id));
            })?;
            let now = parcels.into_iter().find(|parcel| parcel.id == id);
            match now.and_then(|parcel| change(&Waiting { parcel, ..listed })) {
                Some(parcel) => all.push(parcel),
                None => self.out.back(id),
            }
        }
        Ok(all)
    }

    /// Changes what is to be changed of everything the filter finds.
    async fn each_page(
        self: &Arc<Self>,
        filter: &Filter,
        known: &Arc<Known>,
        found: &mut Found,
        change: impl Fn(&Core, &Waiting, &Known) -> Option<Parcel> + Send + Sync + 'static,
    ) -> Result<(), String> {
        let (mut after, change) = (None, Arc::new(change));
        loop {
            let (core, known, change) = (Arc::clone(self), Arc::clone(known), Arc::clone(&change));
            let (filter, page) = (filter.clone(), Page { after, limit: PAGE });
            let (last, changed) = blocking(move || {
                let listed = core.store.list(&filter, page)?;
                let last = listed.last().map(|waiting| waiting.parcel.id);
                Ok((last, core.revised(listed, |waiting| change(&core, waiting, &known))?))
            })
            .await?;
            found.held += changed.iter().filter(|parcel| !is_due(parcel)).count();
            found.rerouted += changed.iter().filter(|parcel| is_due(parcel)).count();
            self.put(changed).await?;
            let Some(last) = last else { return Ok(()) };
            after = Some(last);
        }
    }

    /// Records these, page by page; whether that succeeds or not, nobody has them afterwards.
    async fn put(&self, parcels: Vec<Parcel>) -> Result<(), String> {
        let mut recorded = Ok(());
        for some in parcels.chunks(PAGE) {
            let changes = some.iter().cloned().map(Change::Update).collect();
            if recorded.is_ok() {
                recorded = self.store.commit(changes).await.map_err(|problem| problem.to_string());
            }
            for parcel in some {
                self.out.back(parcel.id);
                self.lanes.look(&parcel.route);
            }
        }
        recorded
    }

    fn is_known(&self, route: &Route) -> bool {
        route.accounts().iter().all(|account| self.lanes.get(account).is_some())
    }

    /// The same parcel on a route of today, or held because there is none; nothing if it stays as it is.
    fn route_again(&self, waiting: &Waiting, known: &Known) -> Option<Parcel> {
        let (now, parcel) = (self.clock.now(), waiting.parcel.clone());
        let of_today = |name: &AccountName| known.renamed.get(name).unwrap_or(name).clone();
        let left = parcel.route.accounts().iter().map(of_today).filter(|name| self.lanes.get(name).is_some());
        let route = Route::new(left.collect()).or_else(|| {
            // What may have been sent goes to no other account: it could arrive twice.
            let sent = parcel.tries.iter().any(|tried| tried.why.as_ref().is_some_and(|w| w.cause == Cause::Uncertain));
            if sent { None } else { (known.reroute)(waiting).filter(|route| self.is_known(route)) }
        });
        match (route, &parcel.standing) {
            (Some(route), _) if ends_by_change(&parcel) => schedule::release(Parcel { route, ..parcel }, now).ok(),
            (Some(route), _) => Some(Parcel { route, ..parcel }),
            (None, Standing::Due { .. }) => {
                let why = Why::from(&lanes::not_configured(&parcel.route));
                Some(schedule::set_aside(parcel, HeldBy::NoAccount, why, now, &self.keeping))
            }
            (None, _) => None,
        }
    }
}

/// Held for what a change of the configuration may have mended: the relay was started anew since.
fn ends_by_change(parcel: &Parcel) -> bool {
    matches!(parcel.standing, Standing::Held { by: HeldBy::NoAccount | HeldBy::Message, .. })
}

fn is_due(parcel: &Parcel) -> bool {
    matches!(parcel.standing, Standing::Due { .. })
}

/// Asks the disk, off the runtime's threads.
async fn blocking<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, Unreadable> + Send + 'static,
) -> Result<T, String> {
    match tokio::task::spawn_blocking(ask).await {
        Ok(answer) => answer.map_err(|problem| problem.to_string()),
        Err(_) => Err("looking into the store failed inside".to_owned()),
    }
}

#[cfg(test)]
mod tests;
