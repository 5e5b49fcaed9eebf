//! The vault, for one account and from where nobody may block: each call on a thread made for that.
//!
//! Guarantees that a failure of the vault is told apart: what a person must mend holds the account, a disk that fails
//! just now is looked at again later. Makes no decision.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Expected, Holder, Lease, Record, Reply, Stored, Vault, VaultError, Written};
use crate::diagnosis::Failure;
use crate::ids::AccountName;

/// One account's place in the vault.
#[derive(Debug, Clone)]
pub(in crate::account) struct Slot {
    pub account: AccountName,
    pub vault: Arc<dyn Vault>,
    pub holder: Holder,
}

impl Slot {
    pub(in crate::account) async fn get(&self) -> Result<Option<Stored>, Failure> {
        self.blocking(|slot| slot.vault.get(&slot.account)).await
    }

    pub(in crate::account) async fn prepare(&self) -> Result<(), Failure> {
        self.blocking(|slot| slot.vault.prepare()).await
    }

    pub(in crate::account) async fn put(&self, record: Record, expected: Expected) -> Result<Written, Failure> {
        self.blocking(move |slot| slot.vault.put(&slot.account, &record, expected, &slot.holder)).await
    }

    pub(in crate::account) async fn lease(&self, now: Timestamp) -> Result<Lease, Failure> {
        self.blocking(move |slot| slot.vault.lease(&slot.account, &slot.holder, now)).await
    }

    /// Gives the lease back. If that fails it ends by itself, and to us it is given again.
    pub(in crate::account) async fn give_back(&self, reply: Option<Reply>) {
        let written =
            self.blocking(move |slot| slot.vault.give_back(&slot.account, &slot.holder, reply.as_ref())).await;
        if let Err(failure) = written {
            tracing::debug!(account = %self.account, "how the renewal ended could not be written down: {failure}");
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, Failure> {
        let slot = self.clone();
        match tokio::task::spawn_blocking(move || work(&slot)).await {
            Ok(result) => Ok(result?),
            // It failed inside, or the program ends; what became of the vault is not known here.
            Err(_) => Err(VaultError::Storage("the vault was left in the middle of its work".to_owned()).into()),
        }
    }
}
