//! A vault in memory for the tests of this room, held against what every vault must do.
//!
//! Keeps to the port's contract but for one thing: nothing of it survives.

pub(crate) mod conformance;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::*;

/// One entry: its version, the record, and who renews it until when.
type Entry = (u64, Record, Option<(Holder, Timestamp)>);

/// Keeps everything until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    last_version: u64,
    accounts: BTreeMap<AccountName, Entry>,
}

fn stored((version, record, _): &Entry) -> Stored {
    Stored { version: *version, record: record.clone() }
}

impl Vault for Memory {
    fn get(&self, account: &AccountName) -> Result<Option<Stored>, VaultError> {
        Ok(self.0.lock().unwrap().accounts.get(account).map(stored))
    }

    fn list(&self) -> Result<Vec<(AccountName, Facts)>, VaultError> {
        Ok(self.0.lock().unwrap().accounts.iter().map(|(name, entry)| (name.clone(), entry.1.facts.clone())).collect())
    }

    fn prepare(&self) -> Result<(), VaultError> {
        Ok(())
    }

    fn put(
        &self,
        account: &AccountName,
        record: &Record,
        expected: Expected,
        holder: &Holder,
    ) -> Result<Written, VaultError> {
        let mut entries = self.0.lock().unwrap();
        let now = entries.accounts.get(account);
        let version = now.map_or(0, |entry| entry.0);
        if expected != Expected::Any && expected != Expected::Version(version) {
            return Ok(Written::Changed);
        }
        let lease = now.and_then(|entry| entry.2.clone()).filter(|(other, _)| other != holder);
        entries.last_version += 1;
        let version = entries.last_version;
        entries.accounts.insert(account.clone(), (version, record.clone(), lease));
        Ok(Written::Done(version))
    }

    fn lease(&self, account: &AccountName, holder: &Holder, now: Timestamp) -> Result<Lease, VaultError> {
        let mut entries = self.0.lock().unwrap();
        let Some(entry) = entries.accounts.get_mut(account) else { return Ok(Lease::Nothing) };
        match &entry.2 {
            Some((other, until)) if other != holder && is_running(*until, now) => Ok(Lease::Taken { until: *until }),
            _ => {
                entry.2 = Some((holder.clone(), now + jiff::SignedDuration::try_from(LEASE).unwrap()));
                Ok(Lease::Yours(Box::new(stored(entry))))
            }
        }
    }

    fn give_back(&self, account: &AccountName, holder: &Holder, reply: Option<&Reply>) -> Result<(), VaultError> {
        if let Some(entry) = self.0.lock().unwrap().accounts.get_mut(account) {
            let theirs = entry.2.take_if(|(other, _)| other == holder).is_some();
            if let (true, Some(reply)) = (theirs, reply) {
                entry.1.facts.last_reply = Some(reply.clone());
            }
        }
        Ok(())
    }

    fn remove(&self, account: &AccountName, expected: Expected) -> Result<bool, VaultError> {
        let accounts = &mut self.0.lock().unwrap().accounts;
        let version = accounts.get(account).map_or(0, |entry| entry.0);
        let is_it = expected == Expected::Any || expected == Expected::Version(version);
        Ok(is_it && accounts.remove(account).is_some())
    }

    fn bury(&self, owner: &Holder) -> Result<(), VaultError> {
        for entry in self.0.lock().unwrap().accounts.values_mut() {
            entry.2.take_if(|(other, _)| other.is_owner && other != owner);
        }
        Ok(())
    }
}

#[test]
fn the_vault_in_memory_does_what_every_vault_must() {
    conformance::all(&|| {
        let vault: Arc<dyn Vault> = Arc::new(Memory::default());
        [Arc::clone(&vault), vault]
    });
}
