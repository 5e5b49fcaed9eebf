//! The queue where no relay is running: its files, which this process owns for as long as it looks or acts.
//!
//! Makes nothing: where there is no queue yet, there is nothing to see. Of holds it knows what the last relay has left:
//! no courier is there to find out whether they still hold.

use std::sync::Arc;

use jiff::Timestamp;

use super::Holds;
use crate::account::memory::Memory;
use crate::config::Config;
use crate::disk::durable::NotStored;
use crate::disk::{Ownership, OwnershipError};
use crate::journal::Journal;
use crate::queue::acts::{self, ActError, Acted, Order};
use crate::queue::store::Store;
use crate::queue::{Keeping, Settings};
use crate::store::sqlite::{OpenError, Sqlite};

/// The files, owned.
#[derive(Debug)]
pub struct Files {
    engine: Arc<Sqlite>,
    store: Arc<dyn Store>,
    keeping: Keeping,
    /// Last, because the store stands on it.
    _owner: Ownership,
}

/// Why they cannot be used; each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// Somebody else has them.
    #[error(transparent)]
    Ownership(#[from] OwnershipError),
    /// They cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl Files {
    /// Takes the files; nothing if there are none. Blocks on the disk.
    ///
    /// # Errors
    /// When somebody else has them, or they cannot be used.
    pub fn open(config: &Config) -> Result<Option<Self>, FilesError> {
        let directory = &config.storage.directory;
        if !Sqlite::is_there(directory) {
            return Ok(None);
        }
        let owner = Ownership::take(directory)?;
        let engine = Arc::new(Sqlite::open(&owner)?);
        let store = Arc::clone(&engine) as Arc<dyn Store>;
        let keeping = match &config.queue {
            Settings::Durable(keeping) => (**keeping).clone(),
            // What is left from before is looked at by the rules there were.
            Settings::Proxy { .. } => Keeping::default(),
        };
        Ok(Some(Self { engine, store, keeping, _owner: owner }))
    }

    /// For looking; see [`super::looks`].
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What held accounts when the last relay ended. Blocks on the disk.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn holds(&self) -> Result<Holds, NotStored> {
        let accounts = self.engine.recall()?.into_iter();
        Ok(accounts.filter_map(|(name, remembered)| Some((name, remembered.hold?.status()))).collect())
    }

    /// Carries an order out.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn act(&self, order: &Order) -> Result<Acted, ActError> {
        acts::act(&self.store, order, &self.keeping, Timestamp::now(), &Journal::default()).await
    }
}
