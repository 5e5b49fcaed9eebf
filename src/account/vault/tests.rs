//! A vault in memory for the tests of this room.
//!
//! Keeps to the port's contract but for one thing: nothing of it survives.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// One entry: its version, the record, and who renews it until when.
type Entry = (u64, Record, Option<(Holder, Timestamp)>);

/// Keeps everything until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<BTreeMap<AccountName, Entry>>, AtomicU64);

fn stored((version, record, _): &Entry) -> Stored {
    Stored { version: *version, record: record.clone() }
}

impl Vault for Memory {
    fn get(&self, account: &AccountName) -> Result<Option<Stored>, VaultError> {
        Ok(self.0.lock().unwrap().get(account).map(stored))
    }

    fn list(&self) -> Result<Vec<(AccountName, Facts)>, VaultError> {
        Ok(self.0.lock().unwrap().iter().map(|(name, entry)| (name.clone(), entry.1.facts.clone())).collect())
    }

    fn put(
        &self,
        account: &AccountName,
        record: &Record,
        expected: Expected,
        holder: &Holder,
    ) -> Result<Written, VaultError> {
        let mut entries = self.0.lock().unwrap();
        let now = entries.get(account);
        let version = now.map_or(0, |entry| entry.0);
        if expected != Expected::Any && expected != Expected::Version(version) {
            return Ok(Written::Changed(now.map(stored)));
        }
        let lease = now.and_then(|entry| entry.2.clone()).filter(|(other, _)| other != holder);
        // One count for all accounts: no version ever comes back.
        let next = self.1.fetch_add(1, Ordering::SeqCst) + 1;
        entries.insert(account.clone(), (next, record.clone(), lease));
        Ok(Written::Done(next))
    }

    fn lease(&self, account: &AccountName, holder: &Holder, now: Timestamp) -> Result<Lease, VaultError> {
        let mut entries = self.0.lock().unwrap();
        let Some(entry) = entries.get_mut(account) else { return Ok(Lease::Nothing) };
        match &entry.2 {
            Some((other, until)) if other != holder && now < *until => Ok(Lease::Taken { until: *until }),
            _ => {
                entry.2 = Some((holder.clone(), now + jiff::SignedDuration::try_from(LEASE).unwrap()));
                Ok(Lease::Yours(stored(entry)))
            }
        }
    }

    fn give_back(&self, account: &AccountName, holder: &Holder, reply: Option<&Reply>) -> Result<(), VaultError> {
        if let Some(entry) = self.0.lock().unwrap().get_mut(account) {
            entry.2.take_if(|(other, _)| other == holder);
            if let Some(reply) = reply {
                entry.1.facts.last_reply = Some(reply.clone());
            }
        }
        Ok(())
    }

    fn remove(&self, account: &AccountName) -> Result<bool, VaultError> {
        Ok(self.0.lock().unwrap().remove(account).is_some())
    }

    fn bury(&self, owner: &Holder) -> Result<(), VaultError> {
        for entry in self.0.lock().unwrap().values_mut() {
            entry.2.take_if(|(other, _)| other.is_owner && other != owner);
        }
        Ok(())
    }
}
