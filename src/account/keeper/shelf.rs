//! The vault, for one account and from where nobody may block: each call on a thread made for that.
//!
//! Guarantees that a failure of the vault is told apart: what a person must mend holds the account, a disk that fails
//! just now is looked at again later. Makes no decision.

use std::sync::Arc;

use jiff::Timestamp;

use crate::account::vault::{Expected, Holder, Lease, Record, Reply, Stored, Vault, VaultError, Written};
use crate::diagnosis::{Failure, KeptFailure};
use crate::ids::AccountName;

/// One account's place in the vault.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    pub account: AccountName,
    pub vault: Arc<dyn Vault>,
    pub holder: Holder,
}

impl Shelf {
    pub(super) async fn get(&self) -> Result<Option<Stored>, Failure> {
        self.blocking(|shelf| shelf.vault.get(&shelf.account)).await
    }

    pub(super) async fn put(&self, record: Record, expected: Expected) -> Result<Written, Failure> {
        self.blocking(move |shelf| shelf.vault.put(&shelf.account, &record, expected, &shelf.holder)).await
    }

    pub(super) async fn lease(&self, now: Timestamp) -> Result<Lease, Failure> {
        self.blocking(move |shelf| shelf.vault.lease(&shelf.account, &shelf.holder, now)).await
    }

    /// Gives the lease back. If that fails it ends by itself, and to us it is given again.
    pub(super) async fn give_back(&self, reply: Option<Reply>) {
        let given =
            self.blocking(move |shelf| shelf.vault.give_back(&shelf.account, &shelf.holder, reply.as_ref())).await;
        if let Err(failure) = given {
            tracing::debug!(account = %self.account, "how the renewal ended could not be written down: {failure}");
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, Failure> {
        let shelf = self.clone();
        match tokio::task::spawn_blocking(move || work(&shelf)).await {
            Ok(result) => result.map_err(failure),
            // It failed inside, or the program ends; what became of the vault is not known here.
            Err(_) => Err(failure(VaultError::Storage("the vault was left in the middle of its work".to_owned()))),
        }
    }
}

fn failure(error: VaultError) -> Failure {
    Failure::Kept(match error {
        VaultError::Storage(detail) => KeptFailure::Storage { detail },
        VaultError::Key(detail) | VaultError::Exposed(detail) | VaultError::Damaged(detail) => {
            KeptFailure::Vault { detail }
        }
    })
}
