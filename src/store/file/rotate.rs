//! Another key for the vault, in three steps: the new key is put before the old one in the key file, everything is
//! sealed anew with it, the old one is taken away.
//!
//! Killed between any two of them everything still opens, and the next run goes on where that one ended. All of it
//! happens under the vault's lock, and whoever keeps something reads the key under that lock, so nothing is sealed with
//! a key that is about to go. The old key's octets may still lie in free space of the disk or in copies of it.

use std::path::Path;

use super::document::Document;
use super::key::{self, Found, KeySource};
use super::seal::{Key, KeyId, Keys, Spot};
use super::{FileVault, said};
use crate::account::vault::VaultError;
use crate::disk;
use crate::ids::AccountName;

/// What became of the keys that no longer seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldKeys {
    /// They are gone from the key file.
    Gone,
    /// They are still there, because it was asked for, or because somebody else keeps them; what they sealed was sealed
    /// anew.
    Kept,
}

/// A key that was rotated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// What seals now.
    pub key: KeyId,
    /// How many secrets were sealed anew.
    pub resealed: usize,
    /// Fields that did not open, before as now, and were left as they are; with the reason.
    pub unopened: Vec<(AccountName, String)>,
    /// The keys before.
    pub old_keys: OldKeys,
}

/// Why no key was rotated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRotated {
    /// Nothing was ever kept.
    #[error("nothing is kept in the vault yet, so there is no key to rotate")]
    NothingKept,
    /// Whoever keeps the key has to begin; the text says how.
    #[error("{0}")]
    ByHand(String),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl FileVault {
    /// Seals everything with another key: a new one, or the first where there are several already. With `keep_old` the
    /// keys before stay in the key file, for other vaults that were sealed with them.
    ///
    /// # Errors
    /// When it cannot be done; then everything still opens.
    pub fn rotate_key(&self, keep_old: bool) -> Result<Rotated, NotRotated> {
        if self.read()?.is_none() {
            return Err(NotRotated::NothingKept);
        }
        let _locked = self.lock()?;
        let keys = self.introduce()?;
        let (resealed, unopened) = self.reseal(&keys)?;
        let key = keys.first().id().clone();
        let old_keys = if keep_old { OldKeys::Kept } else { self.retire(keys) };
        Ok(Rotated { key, resealed, unopened, old_keys })
    }

    /// The first step: the keys, a new one first. Where there are several, somebody has begun before.
    pub(super) fn introduce(&self) -> Result<Keys, NotRotated> {
        let source = &self.settings.key;
        let keys = match source.read()? {
            Found::Keys(keys) if keys.len() > 1 => return Ok(keys),
            Found::Keys(keys) => keys,
            Found::NotMade(key) => return Err(said::key_gone(key, &self.path()).into()),
        };
        let by_hand = |why: Option<std::io::Error>| NotRotated::ByHand(said::rotate_by_hand(source, why.as_ref()));
        let path = ours_to_write(source).ok_or_else(|| by_hand(None))?;
        let keys = keys.behind(Key::random().ok_or_else(said::no_randomness)?);
        disk::sweep(path);
        key::replace(path, &keys).map_err(|error| by_hand(Some(error)))?;
        Ok(keys)
    }

    /// The second step: all that opens is sealed with the first key.
    pub(super) fn reseal(&self, keys: &Keys) -> Result<(usize, Vec<(AccountName, String)>), VaultError> {
        let mut document = self.read()?.unwrap_or_else(Document::new);
        let (mut resealed, mut unopened) = (0, Vec::new());
        let mut anew = Vec::new();
        for (account, entry) in document.entries() {
            let mut sealed = entry.sealed.clone();
            for (field, text) in &mut sealed {
                let spot = Spot { account: &account, field };
                match keys.open(text, spot) {
                    Ok(secret) => *text = keys.seal(&secret, spot),
                    Err(why) => {
                        let why = said::sealed(&self.path(), &self.settings.key, keys, spot, why);
                        unopened.push((account.clone(), why.to_string()));
                        continue;
                    }
                }
                resealed += 1;
            }
            anew.push((account, sealed));
        }
        for (account, sealed) in anew {
            document.reseal(&account, sealed);
        }
        self.write(&document)?;
        Ok((resealed, unopened))
    }

    /// The third step: the keys that seal nothing any more go.
    pub(super) fn retire(&self, keys: Keys) -> OldKeys {
        let Some(path) = ours_to_write(&self.settings.key) else { return OldKeys::Kept };
        match key::replace(path, &keys.first_only()) {
            Ok(()) => OldKeys::Gone,
            Err(_) => OldKeys::Kept,
        }
    }
}

/// The key file, if it is a plain one. What is a link is put there by somebody who would put the old one back.
fn ours_to_write(source: &KeySource) -> Option<&Path> {
    let path = source.path()?;
    std::fs::symlink_metadata(path).is_ok_and(|facts| facts.is_file()).then_some(path)
}

#[cfg(test)]
mod tests;
