//! The memory of the accounts beside it, as an engine has it.
//!
//! Kept as long as the store lives, restarts of the test's relay included. Never fails.

use std::collections::HashMap;

use super::MemoryStore;
use crate::account::memory::{Memory, Remembered};
use crate::disk::durable::{Durable, NotStored};
use crate::ids::AccountName;

impl Memory for MemoryStore {
    fn recall(&self) -> Result<HashMap<AccountName, Remembered>, NotStored> {
        Ok(self.lock().remembered.clone())
    }

    fn remember(&self, account: &AccountName, what: &Remembered) -> Durable {
        let (kept, promised) = Durable::promise();
        self.lock().remembered.insert(account.clone(), what.clone());
        let _ = kept.send(Ok(()));
        promised
    }
}
