//! The accounts a message may go through, in order.
//!
//! Never empty, by type. Says nothing about which of them can be used just now: that changes, a route does not, but
//! for an uncertain attempt, after which only the account that made it is left.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::AccountName;

/// One account or more; the next one's turn comes when those before it are held or cannot be reached.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Route(Arc<[AccountName]>);

/// A route without an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a route without an account")]
pub struct NoAccount;

impl Route {
    /// These accounts in this order; `None` if there is none.
    #[must_use]
    pub fn new(accounts: Arc<[AccountName]>) -> Option<Self> {
        (!accounts.is_empty()).then_some(Self(accounts))
    }

    /// This account or none.
    #[must_use]
    pub fn only(account: AccountName) -> Self {
        Self(Arc::new([account]))
    }

    /// The first account.
    #[must_use]
    pub fn first(&self) -> &AccountName {
        // Never empty, by the constructors.
        &self.0[0]
    }

    /// What is left behind this account; `None` if it is the last one, or not among them.
    #[must_use]
    pub fn after(&self, account: &AccountName) -> Option<Self> {
        let at = self.0.iter().position(|name| name == account)?;
        let rest = &self.0[at + 1..];
        (!rest.is_empty()).then(|| Self(rest.into()))
    }

    /// The accounts, at least one.
    #[must_use]
    pub fn accounts(&self) -> &[AccountName] {
        &self.0
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, account) in self.0.iter().enumerate() {
            write!(f, "{}{account}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Route> for String {
    fn from(route: Route) -> Self {
        route.to_string()
    }
}

impl TryFrom<String> for Route {
    type Error = NoAccount;

    /// Names of accounts hold no comma.
    fn try_from(text: String) -> Result<Self, NoAccount> {
        let accounts: Arc<[AccountName]> =
            text.split(',').filter(|name| !name.is_empty()).map(AccountName::from).collect();
        Self::new(accounts).ok_or(NoAccount)
    }
}
