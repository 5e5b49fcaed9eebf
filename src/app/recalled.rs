//! What the accounts are remembered by from one run to the next, read once when the relay starts.
//!
//! Guarantees that a relay whose memory cannot be read starts all the same, as if nothing was known, and says so: then
//! the day's recipients are counted from nought, and holds are found out anew.

use std::collections::HashMap;
use std::sync::Arc;

use crate::account::Settings;
use crate::account::memory::{Memory, Remembered};
use crate::config::Config;
use crate::ids::AccountName;
use crate::outbound::Known;
use crate::queue::{self, Keeping};

/// What was read, and where it is to be written.
pub(super) struct Recalled {
    memory: Arc<dyn Memory>,
    accounts: HashMap<AccountName, Remembered>,
}

impl From<Arc<dyn Memory>> for Recalled {
    fn from(memory: Arc<dyn Memory>) -> Self {
        let accounts = memory.recall().unwrap_or_else(|error| {
            tracing::error!(
                cure = "see to the disk of `storage.directory`",
                "what was known of the accounts cannot be read, holds and the recipients of the last day are unknown: {error}"
            );
            HashMap::new()
        });
        Self { memory, accounts }
    }
}

impl Recalled {
    /// What is known of one account.
    pub(super) fn of(&self, account: &Settings, config: &Config) -> Known {
        // One that was renamed is still the same at its provider.
        let mut names = std::iter::once(&account.name).chain(&account.renamed_from);
        let mut remembered = names.find_map(|name| self.accounts.get(name)).cloned().unwrap_or_default();
        let retry = match &config.queue {
            queue::Settings::Durable(keeping) => keeping.retry.clone(),
            queue::Settings::Proxy { .. } => {
                // No mail waits for the try that would end it: the first one is that try.
                remembered.hold = None;
                Keeping::default().retry
            }
        };
        Known { memory: Arc::clone(&self.memory), remembered, retry, window: config.queue.wait(), signing: None }
    }
}
