//! The vault as one file, `vault.json` in the storage directory: facts in clear, secrets sealed.
//!
//! Every change reads the file, changes it and replaces it whole, under `vault.lock`, which is held for nothing else;
//! readers need no lock. Nothing is remembered between two calls, so that processes and people may change vault and key
//! at any time. No file is made by reading, and no key but by the first [`Vault::put`] of a secret. A file that cannot
//! be understood is left as it is. Not defended against: who may change the file putting an older one in its place.

mod document;
mod key;
mod rotate;
mod said;
mod seal;
mod survey;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use crate::account::vault::{Expected, Facts, Holder, Lease, Record, Reply, Stored, Vault, VaultError, Written};
use crate::disk::{self, Owner};
use crate::ids::AccountName;
use crate::secret::Secret;
use document::{ACCESS_TOKEN, Asked, Document, Entry, REFRESH_TOKEN};
use key::Found;
use seal::{Keys, Spot};

#[cfg(test)]
mod tests;

pub use key::{KeyError, KeySource, check as check_key};
pub use rotate::{NotRotated, OldKeys, Rotated};
pub use seal::KeyId;
pub use survey::{KeyState, Survey, Surveyed};

/// `[storage]`
#[derive(Debug, Clone)]
pub struct Settings {
    /// `directory`: where everything lies that must survive a restart, and spool files.
    pub directory: PathBuf,
    /// Where the key of the vault comes from.
    pub key: KeySource,
}

/// The vault of a storage directory.
#[derive(Debug)]
pub struct FileVault {
    settings: Settings,
}

/// No vault is longer: more than 200 accounts with the longest tokens providers give.
const LONGEST: usize = 4 * 1024 * 1024;

/// How long to wait for the lock, which others hold for a few writes at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a change came to.
enum Change<T> {
    /// The document is to be written.
    Made(T),
    /// It is as it was.
    None(T),
}

impl FileVault {
    /// Touches nothing: files are looked at and made when they are needed.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// The file the records lie in.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.settings.directory.join("vault.json")
    }

    fn read(&self) -> Result<Option<Document>, VaultError> {
        let path = self.path();
        let octets = disk::read_private(&path, disk::KeptBy::Us, LONGEST as u64);
        let Some(octets) = octets.map_err(|error| said::vault_unread(&path, error))? else { return Ok(None) };
        Document::read(&octets).map(Some).map_err(|error| said::vault_unreadable(&path, &error))
    }

    fn make_directory(&self) -> Result<(), VaultError> {
        let directory = &self.settings.directory;
        disk::private_directory(directory, Owner::of(directory))
            .map_err(|error| said::vault_unwritten(&self.path(), &error))
    }

    fn lock(&self) -> Result<disk::Locked, VaultError> {
        let path = self.settings.directory.join("vault.lock");
        match disk::lock(&path, PATIENCE) {
            Ok(Some(locked)) => Ok(locked),
            Ok(None) => Err(said::busy(&path, PATIENCE.as_secs())),
            Err(error) => Err(said::vault_unwritten(&path, &error)),
        }
    }

    fn write(&self, document: &Document) -> Result<(), VaultError> {
        let (path, json) = (self.path(), document.to_json());
        if json.len() > LONGEST {
            return Err(said::too_long(&path, LONGEST));
        }
        disk::sweep(&path);
        disk::replace(&path, &json).map_err(|error| said::vault_unwritten(&path, &error))
    }

    /// Changes the vault under the lock. What is there is read under it, too.
    fn change<T>(&self, change: impl FnOnce(&mut Document) -> Result<Change<T>, VaultError>) -> Result<T, VaultError> {
        let _locked = self.lock()?;
        let mut document = self.read()?.unwrap_or_else(Document::new);
        match change(&mut document)? {
            Change::None(result) => Ok(result),
            Change::Made(result) => self.write(&document).map(|()| result),
        }
    }

    /// Changes what there is; nothing is touched or made where nothing is kept.
    fn change_existing<T: Default>(
        &self,
        change: impl FnOnce(&mut Document) -> Result<Change<T>, VaultError>,
    ) -> Result<T, VaultError> {
        if self.read()?.is_none() { Ok(T::default()) } else { self.change(change) }
    }

    /// The keys to seal with. Makes one if this is the first secret ever, and never if anything was sealed before.
    fn keys_to_seal(&self, document: &Document) -> Result<Keys, VaultError> {
        match self.settings.key.read()? {
            Found::Keys(keys) => Ok(keys),
            Found::NotMade(key) if document.holds_secrets() => Err(said::key_gone(key, &self.path())),
            Found::NotMade(key) => key::make(&self.settings.key, key, Owner::of(&self.settings.directory)),
        }
    }

    fn keys_to_open(&self) -> Result<Keys, VaultError> {
        match self.settings.key.read()? {
            Found::Keys(keys) => Ok(keys),
            Found::NotMade(key) => Err(said::key_gone(key, &self.path())),
        }
    }

    fn seal(
        &self,
        document: &Document,
        account: &AccountName,
        record: &Record,
    ) -> Result<BTreeMap<String, String>, VaultError> {
        let fields = [(REFRESH_TOKEN, &record.refresh_token), (ACCESS_TOKEN, &record.access_token)];
        let secrets: Vec<(&str, &Secret)> =
            fields.into_iter().filter_map(|(field, secret)| Some((field, secret.as_ref()?))).collect();
        if secrets.is_empty() {
            return Ok(BTreeMap::new());
        }
        let keys = self.keys_to_seal(document)?;
        let sealed = |(field, secret)| (String::from(field), keys.seal(secret, Spot { account, field }));
        Ok(secrets.into_iter().map(sealed).collect())
    }

    fn open(&self, account: &AccountName, entry: &Entry) -> Result<Stored, VaultError> {
        let mut record = Record { refresh_token: None, access_token: None, facts: entry.facts.known.clone() };
        let fields = [(REFRESH_TOKEN, &mut record.refresh_token), (ACCESS_TOKEN, &mut record.access_token)];
        let mut keys = None;
        for (field, place) in fields {
            let Some(sealed) = entry.sealed.get(field) else { continue };
            let keys = match &mut keys {
                Some(keys) => keys,
                none => none.insert(self.keys_to_open()?),
            };
            let spot = Spot { account, field };
            let opened = keys.open(sealed, spot);
            *place = Some(opened.map_err(|why| said::sealed(&self.path(), &self.settings.key, keys, spot, why))?);
        }
        Ok(Stored { version: entry.version, record })
    }

    fn open_if_any(&self, document: &Document, account: &AccountName) -> Result<Option<Stored>, VaultError> {
        document.entry(account).map(|entry| self.open(account, entry)).transpose()
    }
}

impl Vault for FileVault {
    fn get(&self, account: &AccountName) -> Result<Option<Stored>, VaultError> {
        let Some(document) = self.read()? else { return Ok(None) };
        match self.open_if_any(&document, account) {
            // The key may have been rotated between the two reads. Under the lock it is not.
            Err(VaultError::Key(why)) => {
                let _locked = self.lock().map_err(|_| VaultError::Key(why))?;
                self.read()?.map_or(Ok(None), |document| self.open_if_any(&document, account))
            }
            result => result,
        }
    }

    fn list(&self) -> Result<Vec<(AccountName, Facts)>, VaultError> {
        let Some(document) = self.read()? else { return Ok(Vec::new()) };
        Ok(document.entries().map(|(name, entry)| (name, entry.facts.known.clone())).collect())
    }

    fn prepare(&self) -> Result<(), VaultError> {
        self.make_directory()?;
        // With the lock, a file is made in the directory; with the key, it is read or made.
        self.change(|document| self.keys_to_seal(document).map(|_| Change::None(())))
    }

    fn put(
        &self,
        account: &AccountName,
        record: &Record,
        expected: Expected,
        holder: &Holder,
    ) -> Result<Written, VaultError> {
        self.make_directory()?;
        self.change(|document| {
            if !document.is_as(account, expected) {
                return Ok(Change::None(Written::Changed));
            }
            let sealed = self.seal(document, account, record)?;
            Ok(Change::Made(Written::Done(document.put(account, record.facts.clone(), sealed, holder))))
        })
    }

    fn lease(&self, account: &AccountName, holder: &Holder, now: Timestamp) -> Result<Lease, VaultError> {
        if self.read()?.is_none() {
            return Ok(Lease::Nothing);
        }
        self.change(|document| match document.ask(account, holder, now) {
            None => Ok(Change::None(Lease::Nothing)),
            Some(Asked::Taken { until }) => Ok(Change::None(Lease::Taken { until })),
            Some(Asked::Free) => {
                // Who cannot read the tokens has no use for the lease.
                let Some(stored) = self.open_if_any(document, account)? else {
                    return Ok(Change::None(Lease::Nothing));
                };
                document.lend(account, holder, now);
                Ok(Change::Made(Lease::Yours(Box::new(stored))))
            }
        })
    }

    fn give_back(&self, account: &AccountName, holder: &Holder, reply: Option<&Reply>) -> Result<(), VaultError> {
        self.change_existing(|document| {
            let changed = document.give_back(account, holder, reply);
            Ok(if changed { Change::Made(()) } else { Change::None(()) })
        })
    }

    fn remove(&self, account: &AccountName, expected: Expected) -> Result<bool, VaultError> {
        self.change_existing(|document| {
            let removed = document.is_as(account, expected) && document.remove(account);
            Ok(if removed { Change::Made(true) } else { Change::None(false) })
        })
    }

    fn bury(&self, owner: &Holder) -> Result<(), VaultError> {
        self.change_existing(|document| {
            let changed = document.bury(owner);
            Ok(if changed { Change::Made(()) } else { Change::None(()) })
        })
    }
}
