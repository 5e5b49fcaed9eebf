//! Which accounts a notice goes through, and in whose name.
//!
//! Guarantees that each of them takes `MAIL FROM:<>`. Those of the failed mail's own route come first and alone: what
//! is written comes from the address of one of them. Only where none of those will do another one helps out.

use super::{Ended, Terms};
use crate::ids::AccountName;
use crate::mail::address::Address;
use crate::mail::display_name::DisplayName;
use crate::queue::Route;

/// Who notices come from where nothing is configured.
const NAME: &str = "Mail Delivery (Posthouse)";

pub(super) fn route(told: &[Ended<'_>], terms: &Terms<'_>) -> Option<Route> {
    let takes = |name: &&AccountName| terms.account(name).is_some_and(|account| account.takes_null_sender);
    let first = told.first()?;
    let own: Vec<AccountName> = first.route.accounts().iter().filter(takes).cloned().collect();
    let helper = || terms.accounts.iter().find(|account| account.takes_null_sender);
    if own.is_empty() { helper().map(|account| Route::only(account.name.clone())) } else { Route::new(own.into()) }
}

/// The sender of what goes along this route.
pub(super) fn sender(route: &Route, terms: &Terms<'_>) -> (Address, DisplayName) {
    let accounts = || route.accounts().iter().filter_map(|name| terms.account(name));
    let named = accounts().find_map(|account| Some((account.address.clone()?, account.sender_name.clone())));
    let (address, name) = named.unwrap_or_else(|| (nobody(terms.hostname), None));
    let name = name.unwrap_or_else(|| DisplayName::parse(NAME).expect("words and brackets are a display name"));
    (address, name)
}

/// An account without an address is mostly a server in one's own network.
fn nobody(hostname: &str) -> Address {
    // The operating system's name for a machine can be anything.
    Address::parse(format!("MAILER-DAEMON@{hostname}").as_bytes())
        .unwrap_or_else(|_| Address::parse(b"MAILER-DAEMON").expect("letters and a hyphen are a local part"))
}
