//! The vault as one file, `vault.json` in the storage directory: facts in clear, secrets sealed.
//!
//! Not written yet.

mod key;

use std::path::PathBuf;

use jiff::Timestamp;

use crate::account::vault::{Expected, Facts, Holder, Lease, Record, Reply, Stored, Vault, VaultError, Written};
use crate::ids::AccountName;

pub use key::KeySource;

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

impl FileVault {
    /// Touches nothing: files are looked at and made when they are needed.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    fn missing<T>(&self) -> Result<T, VaultError> {
        Err(VaultError::Storage(format!("nothing in {}", self.settings.directory.display())))
    }
}

impl Vault for FileVault {
    fn get(&self, _account: &AccountName) -> Result<Option<Stored>, VaultError> {
        self.missing()
    }

    fn list(&self) -> Result<Vec<(AccountName, Facts)>, VaultError> {
        self.missing()
    }

    fn put(&self, _: &AccountName, _: &Record, _: Expected, _: &Holder) -> Result<Written, VaultError> {
        self.missing()
    }

    fn lease(&self, _: &AccountName, _: &Holder, _: Timestamp) -> Result<Lease, VaultError> {
        self.missing()
    }

    fn give_back(&self, _: &AccountName, _: &Holder, _: Option<&Reply>) -> Result<(), VaultError> {
        self.missing()
    }

    fn remove(&self, _account: &AccountName) -> Result<bool, VaultError> {
        self.missing()
    }

    fn bury(&self, _owner: &Holder) -> Result<(), VaultError> {
        self.missing()
    }
}
