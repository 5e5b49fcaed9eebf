//! The lanes of all accounts, and which of them a route leads to just now.
//!
//! A message goes through the first account of its route whose lane is open; so a lane that closes sends its mail on
//! to the next account, and one that opens has it back, and nothing is written for that. Guarantees that no lock of one
//! lane is held while another's is taken: a slow or closed account stands in nobody's way.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::lane::Lane;
use super::parcel::ParcelId;
use super::{Lease, Route};
use crate::diagnosis::Diagnosis;
use crate::ids::AccountName;
use crate::net::clock::Clock;
use crate::words::Cause;

/// One lane for each configured account, made once.
#[derive(Debug)]
pub(super) struct Lanes {
    by_account: HashMap<AccountName, Lane>,
    clock: Clock,
    /// The routes of what is stored; as many as are configured, and for each account the one that has only it.
    routes: Mutex<HashSet<Route>>,
}

impl Lanes {
    /// Open lanes.
    pub fn new(accounts: impl IntoIterator<Item = AccountName>, clock: Clock) -> Self {
        let now = clock.now();
        let by_account: HashMap<AccountName, Lane> = accounts.into_iter().map(|name| (name, Lane::new(now))).collect();
        // An uncertain attempt leaves an account alone on its route.
        let routes: HashSet<Route> = by_account.keys().cloned().map(Route::only).collect();
        Self { by_account, clock, routes: Mutex::new(routes) }
    }

    /// The lane of an account.
    pub fn get(&self, account: &AccountName) -> Option<&Lane> {
        self.by_account.get(account)
    }

    /// The first account of the route that is open; the first of all if none is.
    pub fn first<'a>(&self, route: &'a Route) -> &'a AccountName {
        self.first_open(route).unwrap_or(route.first())
    }

    /// What nobody wants any more is dropped.
    pub fn prune(&self, account: &AccountName) {
        if let Some(lane) = self.by_account.get(account) {
            lane.prune();
        }
    }

    /// All accounts.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountName> {
        self.by_account.keys()
    }

    /// Lets a message wait for the first account of its route that is open; back it comes if none is, with why the
    /// first one is closed.
    pub fn push(&self, lease: Lease) -> Result<(), Box<(Lease, Diagnosis)>> {
        self.admit(lease, Lane::push)
    }

    /// The same, before all others.
    pub fn push_front(&self, lease: Lease) -> Result<(), Box<(Lease, Diagnosis)>> {
        self.admit(lease, Lane::push_front)
    }

    fn admit(
        &self,
        mut lease: Lease,
        push: impl Fn(&Lane, Lease) -> Result<(), Box<(Lease, Diagnosis)>>,
    ) -> Result<(), Box<(Lease, Diagnosis)>> {
        let mut first = None;
        let route = lease.route.clone();
        for account in route.accounts() {
            let Some(lane) = self.by_account.get(account) else { continue };
            lease.account = account.clone();
            match push(lane, lease) {
                Ok(()) => return Ok(()),
                Err(refused) => {
                    lease = refused.0;
                    first.get_or_insert(refused.1);
                }
            }
        }
        Err(Box::new((lease, first.unwrap_or_else(|| not_configured(&route)))))
    }

    /// Whether a message of this route could go out.
    pub fn has_open(&self, route: &Route) -> bool {
        self.first_open(route).is_some()
    }

    /// The account a message of this route goes through now.
    pub fn first_open<'a>(&self, route: &'a Route) -> Option<&'a AccountName> {
        route.accounts().iter().find(|account| self.by_account.get(account).is_some_and(Lane::is_open))
    }

    /// Why a message of this route cannot go out: of its first account that is configured.
    pub fn why_closed(&self, route: &Route) -> Option<Diagnosis> {
        if self.has_open(route) {
            return None;
        }
        let why = route.accounts().iter().find_map(|account| self.by_account.get(account)?.closed());
        Some(why.unwrap_or_else(|| not_configured(route)))
    }

    /// When the last hold of all its accounts at once had ended; nothing while all of them are held.
    pub fn usable_since(&self, route: &Route) -> Option<Timestamp> {
        route.accounts().iter().filter_map(|account| self.by_account.get(account)?.usable_since()).min()
    }

    /// The account cannot be used, and this is why. What waits for it goes to the next account of its route, or is told.
    /// Hands back what was stored: nobody has it any more.
    #[must_use]
    pub fn close(&self, account: &AccountName, why: Diagnosis) -> Vec<ParcelId> {
        let Some(lane) = self.by_account.get(account) else { return Vec::new() };
        for lease in lane.close(why, self.clock.now()) {
            if let Err(nowhere) = self.push(lease) {
                let (lease, why) = *nowhere;
                lease.barred(why);
            }
        }
        self.new_round()
    }

    /// The account can be used (again). Hands back what was stored: nobody has it any more.
    #[must_use]
    pub fn open(&self, account: &AccountName) -> Vec<ParcelId> {
        let opened = self.by_account.get(account).is_some_and(|lane| lane.open(self.clock.now()));
        if opened { self.new_round() } else { Vec::new() }
    }

    /// Which lane serves which route has changed.
    fn new_round(&self) -> Vec<ParcelId> {
        self.by_account.values().flat_map(Lane::send_back).collect()
    }

    /// Something of this route is going to be stored. Takes no lock of a lane: those are taken before the ticket's.
    pub fn know(&self, route: &Route) {
        let known = self.routes().contains(route);
        if !known {
            self.routes().insert(route.clone());
        }
    }

    /// Something of this route may be due now or later: whoever brings it looks.
    pub fn look(&self, route: &Route) {
        self.know(route);
        if let Some(lane) = self.first_open(route).and_then(|account| self.by_account.get(account)) {
            lane.want();
        }
    }

    /// Everybody looks again, couriers too.
    pub fn look_everywhere(&self) {
        for lane in self.by_account.values() {
            lane.want();
            lane.ring();
        }
    }

    /// The routes whose stored mail goes through this account now.
    pub fn served_by(&self, account: &AccountName) -> Vec<Route> {
        let routes: Vec<Route> = self.routes().iter().cloned().collect();
        routes.into_iter().filter(|route| self.first_open(route) == Some(account)).collect()
    }

    /// The routes that lead nowhere now.
    pub fn barred(&self) -> Vec<Route> {
        let routes: Vec<Route> = self.routes().iter().cloned().collect();
        routes.into_iter().filter(|route| !self.has_open(route)).collect()
    }

    /// Takes back a stored parcel that lies in a lane. False if it does not; then somebody may have it in hand.
    pub fn withdraw(&self, id: ParcelId) -> bool {
        self.by_account.values().any(|lane| lane.withdraw(id))
    }

    fn routes(&self) -> MutexGuard<'_, HashSet<Route>> {
        // Each change is a single call; a panic cannot leave half of one.
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No account of the route exists.
pub(super) fn not_configured(route: &Route) -> Diagnosis {
    Diagnosis::new(
        "account_not_configured",
        Cause::Config,
        format!("no account of its route is configured any more ({route})"),
        "add the account again, name its successor with `renamed_from`, or remove the message",
    )
}
