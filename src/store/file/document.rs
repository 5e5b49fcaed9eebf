//! What stands in `vault.json`, and what can be done to it; no file, no clock.
//!
//! Facts stand in clear, secrets as sealed texts, which are carried along as they are: a change of one account never
//! opens another's. Versions come from one count for the whole file that never goes back, so that a sign-in made after
//! a removal has no version anybody may still remember. Members this version does not know (of a newer one that kept
//! the format's number) are kept, those of a record until it is replaced. A format of a higher number is not read.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::account::vault::{Expected, Facts, Holder, LEASE, Reply, is_running};
use crate::ids::AccountName;

/// Raised when a file can no longer be understood by versions before.
const FORMAT: u64 = 1;

/// The names of the sealed fields.
pub(super) const REFRESH_TOKEN: &str = "refresh_token";
pub(super) const ACCESS_TOKEN: &str = "access_token";

/// The whole file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Document {
    format: u64,
    /// The version given last.
    last_version: u64,
    accounts: BTreeMap<String, Entry>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// One account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    /// See [`crate::account::vault::Stored`].
    pub version: u64,
    /// What may be read without the key.
    pub facts: KeptFacts,
    /// The fields that may not, each as it was sealed, by name.
    pub sealed: BTreeMap<String, String>,
    /// Who renews.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<Held>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// Facts, with those that only a newer version knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KeptFacts {
    #[serde(flatten)]
    pub known: Facts,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Held {
    holder: Holder,
    until: Timestamp,
}

/// Why a file is no document.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("it is written in format {0}, and this version of Posthouse knows format {FORMAT} only")]
    Newer(u64),
    #[error("{0}")]
    Damaged(serde_json::Error),
}

/// The answer to who asks for a lease.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It can be had; [`Document::lend`] gives it.
    Free,
    Taken {
        until: Timestamp,
    },
}

impl Document {
    pub(super) fn new() -> Self {
        Self { format: FORMAT, last_version: 0, accounts: BTreeMap::new(), unknown: Map::new() }
    }

    pub(super) fn read(octets: &[u8]) -> Result<Self, Unreadable> {
        /// What every format begins with.
        #[derive(Deserialize)]
        struct Head {
            format: u64,
        }
        match serde_json::from_slice(octets) {
            Ok(Head { format: FORMAT }) => serde_json::from_slice(octets).map_err(Unreadable::Damaged),
            Ok(Head { format }) => Err(Unreadable::Newer(format)),
            Err(error) => Err(Unreadable::Damaged(error)),
        }
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut json =
            serde_json::to_vec_pretty(self).expect("names are texts and nothing here can fail to be written");
        json.push(b'\n');
        json
    }

    pub(super) fn entry(&self, account: &AccountName) -> Option<&Entry> {
        self.accounts.get(account.as_str())
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (AccountName, &Entry)> {
        self.accounts.iter().map(|(name, entry)| (name.as_str().into(), entry))
    }

    /// Whether there is anything a key is needed for.
    pub(super) fn holds_secrets(&self) -> bool {
        self.accounts.values().any(|entry| !entry.sealed.is_empty())
    }

    /// Whether a record of this version is what stands here; version 0 is nothing.
    pub(super) fn is_as(&self, account: &AccountName, expected: Expected) -> bool {
        let version = self.entry(account).map_or(0, |entry| entry.version);
        expected == Expected::Any || expected == Expected::Version(version)
    }

    /// Keeps a record in place of the one before, ends the holder's lease, and tells the new version.
    pub(super) fn put(
        &mut self,
        account: &AccountName,
        facts: Facts,
        sealed: BTreeMap<String, String>,
        holder: &Holder,
    ) -> u64 {
        self.last_version += 1;
        let version = self.last_version;
        let before = self.accounts.remove(account.as_str());
        let lease = before.and_then(|entry| entry.lease).filter(|lease| lease.holder != *holder);
        let facts = KeptFacts { known: facts, unknown: Map::new() };
        let entry = Entry { version, facts, sealed, lease, unknown: Map::new() };
        self.accounts.insert(account.as_str().to_owned(), entry);
        version
    }

    /// Puts other texts of the same secrets in the place of those of an account. The version stays.
    pub(super) fn reseal(&mut self, account: &AccountName, sealed: BTreeMap<String, String>) {
        if let Some(entry) = self.accounts.get_mut(account.as_str()) {
            entry.sealed = sealed;
        }
    }

    /// Whether this one may have the lease of an account.
    pub(super) fn ask(&self, account: &AccountName, holder: &Holder, now: Timestamp) -> Option<Asked> {
        let other = self.entry(account)?.lease.as_ref().filter(|lease| lease.holder != *holder);
        let until = other.map(|lease| lease.until).filter(|until| is_running(*until, now));
        Some(until.map_or(Asked::Free, |until| Asked::Taken { until }))
    }

    /// Gives the lease of an account to this one, whoever had it.
    pub(super) fn lend(&mut self, account: &AccountName, holder: &Holder, now: Timestamp) {
        if let Some(entry) = self.accounts.get_mut(account.as_str()) {
            let until = now.saturating_add(SignedDuration::try_from(LEASE).expect("90 seconds are a duration"));
            let until = until.unwrap_or(Timestamp::MAX);
            entry.lease = Some(Held { holder: holder.clone(), until });
        }
    }

    /// Takes the lease back, with how the call ended; whether it was theirs.
    pub(super) fn give_back(&mut self, account: &AccountName, holder: &Holder, reply: Option<&Reply>) -> bool {
        let Some(entry) = self.accounts.get_mut(account.as_str()) else { return false };
        let theirs = entry.lease.take_if(|lease| lease.holder == *holder).is_some();
        if let (true, Some(reply)) = (theirs, reply) {
            entry.facts.known.last_reply = Some(reply.clone());
        }
        theirs
    }

    /// Forgets an account; whether it was there.
    pub(super) fn remove(&mut self, account: &AccountName) -> bool {
        self.accounts.remove(account.as_str()).is_some()
    }

    /// Ends the leases of all owners but this one; whether there were any.
    pub(super) fn bury(&mut self, owner: &Holder) -> bool {
        let dead = |lease: &mut Held| lease.holder.is_owner && lease.holder != *owner;
        let mut any = false;
        for entry in self.accounts.values_mut() {
            any |= entry.lease.take_if(dead).is_some();
        }
        any
    }
}

#[cfg(test)]
mod tests;
