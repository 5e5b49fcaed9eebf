//! Which account a message goes to. Pure.
//!
//! The first `[[routes]]` that fits, else the device's own `account`, else `default_account`, else the only one there
//! is. Where that leaves a choice nobody made, the answer is an error that says what to configure, never a guess. An
//! account that was renamed is found by its former names too, and comes out under the present one. Whether an account
//! can be used just now is not asked here: a route names all it may go through, in order.

mod rule;

use std::net::IpAddr;
use std::sync::Arc;

use crate::ids::{AccountName, DeviceName, ListenerName};
use crate::mail::address::Address;
use crate::mail::envelope::ReversePath;

pub use rule::{Condition, Rule};

/// An account as it can be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// `[accounts.NAME]`
    pub name: AccountName,
    /// `renamed_from`
    pub former: Vec<AccountName>,
}

/// The accounts there are, and what says which of them is meant.
#[derive(Debug, Clone)]
pub struct Book {
    accounts: Vec<Listed>,
    /// Each of them by itself, as a route: made once, not for every recipient.
    alone: Vec<Arc<[AccountName]>>,
    rules: Vec<Entry>,
    /// Where `default_account` stands among them.
    default_account: Option<usize>,
}

/// A rule with its accounts looked up.
#[derive(Debug, Clone)]
struct Entry {
    rule: Rule,
    accounts: Arc<[AccountName]>,
}

/// What is known of a message before its recipients.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// `MAIL FROM`, complete.
    pub sender: &'a ReversePath,
    /// The login of `[devices]`, if it signed in.
    pub login: Option<&'a DeviceName>,
    /// The `account` of that login.
    pub own: Option<&'a AccountName>,
    /// Where it connects from, in any form.
    pub source: IpAddr,
    /// Where it connects to.
    pub listener: &'a ListenerName,
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Never empty.
    accounts: Arc<[AccountName]>,
    /// What decided.
    pub by: Reason,
}

impl Route {
    /// The account it goes through.
    #[must_use]
    pub fn account(&self) -> &AccountName {
        // `Book` makes no other.
        &self.accounts[0]
    }

    /// Those that may take its place, in order.
    #[must_use]
    pub fn fallbacks(&self) -> &[AccountName] {
        &self.accounts[1..]
    }

    /// All of them, in order.
    #[must_use]
    pub fn accounts(&self) -> &Arc<[AccountName]> {
        &self.accounts
    }
}

/// What decided a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// This entry of `[[routes]]`, counted from 0.
    Rule(usize),
    /// The device's own `account`.
    Device,
    /// `default_account`
    Default,
    /// There is no other.
    Only,
}

/// Why no account can be picked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    #[error("there is no account; add one, for instance [accounts.office]")]
    NoAccount,
    #[error(
        "several accounts and nothing that says which one is meant ({}); set `default_account`, `account` of the device, or a [[routes]] that fits",
        list(.accounts)
    )]
    Ambiguous { accounts: Vec<AccountName> },
    #[error("there is no account {wanted}; there is {}", list(.accounts))]
    Unknown { wanted: AccountName, accounts: Vec<AccountName> },
    #[error("routes[{route}] names no account")]
    RouteWithoutAccount { route: usize },
}

impl Book {
    /// A book of these accounts, and the rules in their order.
    ///
    /// # Errors
    /// When there is no account, or a rule or `default_account` names one that is not among them.
    pub fn new(
        accounts: Vec<Listed>,
        rules: Vec<Rule>,
        default_account: Option<&AccountName>,
    ) -> Result<Self, BookError> {
        if accounts.is_empty() {
            return Err(BookError::NoAccount);
        }
        let alone = accounts.iter().map(|account| Arc::from([account.name.clone()])).collect();
        let mut book = Self { accounts, alone, rules: Vec::new(), default_account: None };
        book.default_account = default_account.map(|wanted| book.named(wanted)).transpose()?;
        let entries = rules.into_iter().enumerate().map(|(route, rule)| book.entry(route, rule));
        book.rules = entries.collect::<Result<_, _>>()?;
        Ok(book)
    }

    fn entry(&self, route: usize, rule: Rule) -> Result<Entry, BookError> {
        let names = rule.accounts.iter().map(|wanted| Ok(self.accounts[self.named(wanted)?].name.clone()));
        let accounts = names.collect::<Result<Arc<[_]>, _>>()?;
        if accounts.is_empty() {
            return Err(BookError::RouteWithoutAccount { route });
        }
        Ok(Entry { rule, accounts })
    }

    /// The route of a message to this recipient, complete.
    ///
    /// # Errors
    /// When no rule fits and nothing says which of several accounts is meant.
    pub fn choose(&self, origin: &Origin<'_>, recipient: &Address) -> Result<Route, BookError> {
        let fits = |entry: &Entry| entry.rule.why_not(origin, Some(recipient)).is_none();
        match self.rules.iter().position(fits) {
            Some(index) => Ok(self.by_rule(index)),
            None => self.without_rule(origin.own),
        }
    }

    /// Every route a message may take, whoever its recipients are; at least one.
    ///
    /// # Errors
    /// When there is none.
    pub fn reachable(&self, origin: &Origin<'_>) -> Result<Vec<Route>, BookError> {
        let mut routes = Vec::new();
        for (index, entry) in self.rules.iter().enumerate() {
            if entry.rule.why_not(origin, None).is_none() {
                routes.push(self.by_rule(index));
                if entry.rule.recipient.is_empty() {
                    return Ok(routes);
                }
            }
        }
        match self.without_rule(origin.own) {
            Ok(route) => routes.push(route),
            // Some recipients have a route; the others are refused one by one.
            Err(_) if !routes.is_empty() => {}
            Err(error) => return Err(error),
        }
        Ok(routes)
    }

    /// The rules in their order, each with the first condition that does not hold; those behind the one that fits are
    /// not looked at.
    pub fn explain<'a>(
        &'a self,
        origin: &'a Origin<'_>,
        recipient: &'a Address,
    ) -> impl Iterator<Item = (usize, &'a Rule, Option<Condition>)> {
        let mut decided = false;
        self.rules.iter().enumerate().map_while(move |(index, entry)| {
            if decided {
                return None;
            }
            let why_not = entry.rule.why_not(origin, Some(recipient));
            decided = why_not.is_none();
            Some((index, &entry.rule, why_not))
        })
    }

    fn by_rule(&self, index: usize) -> Route {
        Route { accounts: Arc::clone(&self.rules[index].accounts), by: Reason::Rule(index) }
    }

    fn without_rule(&self, own: Option<&AccountName>) -> Result<Route, BookError> {
        let (account, by) = match (own, self.default_account, self.accounts.len()) {
            (Some(wanted), _, _) => (self.named(wanted)?, Reason::Device),
            (None, Some(account), _) => (account, Reason::Default),
            (None, None, 1) => (0, Reason::Only),
            (None, None, _) => return Err(BookError::Ambiguous { accounts: self.names() }),
        };
        Ok(Route { accounts: Arc::clone(&self.alone[account]), by })
    }

    /// Where an account stands, by its name or a former one.
    fn named(&self, wanted: &AccountName) -> Result<usize, BookError> {
        let present = self.accounts.iter().position(|account| account.name == *wanted);
        let found = present.or_else(|| self.accounts.iter().position(|account| account.former.contains(wanted)));
        found.ok_or_else(|| BookError::Unknown { wanted: wanted.clone(), accounts: self.names() })
    }

    fn names(&self) -> Vec<AccountName> {
        self.accounts.iter().map(|account| account.name.clone()).collect()
    }
}

fn list(accounts: &[AccountName]) -> String {
    accounts.iter().map(AccountName::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
