//! All desks of the house, by account: what somebody outside may ask of them, and tell them.
//!
//! Cheap to clone. Guarantees that what is told takes effect before the call returns: the next attempt knows of it.
//! Carries nothing itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Couriers, Desk};
use crate::account::status::Status;
use crate::ids::AccountName;

/// The desks, open.
#[derive(Debug, Clone)]
pub struct Desks(Arc<BTreeMap<AccountName, Arc<Desk>>>);

impl Desks {
    /// Opens them: couriers go to work, and sign-ins are looked after, until `couriers.ending` is cancelled.
    #[must_use]
    pub fn open(desks: Vec<Desk>, couriers: &Couriers) -> Self {
        Self(Arc::new(desks.into_iter().map(|desk| (desk.account().clone(), desk.open(couriers))).collect()))
    }

    /// Somebody has signed this account in and the vault has it: a hold ends, and the next attempt may go at once.
    /// False if there is no such account.
    #[must_use = "says whether there is such an account"]
    pub fn signed_in(&self, account: &AccountName) -> bool {
        self.0.get(account).map(|desk| desk.signed_in()).is_some()
    }

    /// The vault has nothing of this account any more: no token in memory is used either. False if there is no such
    /// account.
    #[must_use = "says whether there is such an account"]
    pub fn signed_out(&self, account: &AccountName) -> bool {
        self.0.get(account).map(|desk| desk.signed_out()).is_some()
    }

    /// A person wants this account tried at once, whatever is known against it. False if there is no such account.
    #[must_use = "says whether there is such an account"]
    pub fn release(&self, account: &AccountName) -> bool {
        self.0.get(account).map(|desk| desk.release()).is_some()
    }

    /// A person wants mail to go out now: no provider is waited for because it was not reached before. What holds an
    /// account still does.
    pub fn reach_again(&self) {
        self.0.values().for_each(|desk| desk.reach_again());
    }

    /// Before the end: what is reserved in budgets and not used counts no more.
    pub async fn remember_exactly(&self) {
        for desk in self.0.values() {
            desk.remember_exactly().await;
        }
    }

    /// The last try, before the end, to store what providers gave and the vault could not take.
    pub async fn store_received(&self) {
        for desk in self.0.values() {
            desk.upstream.keeper().store_received().await;
        }
    }

    /// How all of them stand, by name.
    pub async fn status(&self) -> Vec<Status> {
        let mut all = Vec::new();
        for desk in self.0.values() {
            all.push(desk.status().await);
        }
        all
    }
}
