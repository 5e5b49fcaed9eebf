//! What is in the vault and whether it opens, for people who ask.
//!
//! Changes and makes nothing. Shows facts and ids of keys, never a secret.

use super::key::{Found, KeySource};
use super::said;
use super::seal::{KeyId, Spot, sealed_with};
use super::{Document, FileVault};
use crate::account::vault::{Facts, VaultError};
use crate::ids::AccountName;

/// What was found.
#[derive(Debug)]
pub struct Survey {
    /// The keys at hand.
    pub keys: KeyState,
    /// Every account of which something is kept, by name.
    pub accounts: Vec<Surveyed>,
}

/// How it stands with the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// The first of these seals.
    Ready(Vec<KeyId>),
    /// It will be made when the first secret is kept.
    NotMade,
    /// It is missing or wrong.
    Unusable(VaultError),
}

/// One account.
#[derive(Debug)]
pub struct Surveyed {
    /// Which.
    pub account: AccountName,
    /// What is known without the key.
    pub facts: Facts,
    /// The keys its secrets were sealed with; none where no secret is kept.
    pub sealed_with: Vec<KeyId>,
    /// Why not all of its secrets open, if so.
    pub problem: Option<VaultError>,
}

impl FileVault {
    /// Looks at everything.
    ///
    /// # Errors
    /// When the vault itself cannot be read.
    pub fn survey(&self) -> Result<Survey, VaultError> {
        let document = self.read()?.unwrap_or_else(Document::new);
        let found = match self.settings.key.read() {
            Ok(Found::NotMade(key)) if document.holds_secrets() => Err(said::key_gone(key, &self.path())),
            found => found,
        };
        let accounts = document.entries().map(|(account, entry)| {
            let mut sealed_with: Vec<KeyId> = entry.sealed.values().filter_map(|text| sealed_with(text)).collect();
            sealed_with.sort();
            sealed_with.dedup();
            let problem = entry.sealed.iter().find_map(|(field, text)| {
                let spot = Spot { account: &account, field };
                match &found {
                    Ok(Found::Keys(keys)) => {
                        let why = keys.open(text, spot).err()?;
                        Some(said::sealed(&self.path(), &self.settings.key, keys, spot, why))
                    }
                    Ok(Found::NotMade(key)) => Some(said::key_gone(key, &self.path())),
                    Err(error) => Some(error.clone()),
                }
            });
            Surveyed { facts: entry.facts.known.clone(), sealed_with, problem, account }
        });
        let accounts = accounts.collect();
        let keys = match found {
            Ok(Found::Keys(keys)) => KeyState::Ready(keys.iter().map(|key| key.id().clone()).collect()),
            Ok(Found::NotMade(_)) => KeyState::NotMade,
            Err(error) => KeyState::Unusable(error),
        };
        Ok(Survey { keys, accounts })
    }

    /// Where the key comes from.
    #[must_use]
    pub fn key(&self) -> &KeySource {
        &self.settings.key
    }
}
