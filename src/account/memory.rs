//! What was learned and counted of an account, for the next run: the port behind which it lies.
//!
//! Small and written seldom. Whoever cannot read it starts as if nothing was known, and says so; whoever cannot write
//! it goes on. Holds no secret.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::disk::durable::{Durable, NotStored};
use crate::ids::AccountName;

/// What is remembered of one account. A field that an older version wrote otherwise counts as missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    /// STARTTLS was offered once: its absence is a downgrade from then on.
    pub starttls_seen: bool,
}

/// Keeps what is remembered.
pub trait Memory: fmt::Debug + Send + Sync {
    /// Of all accounts; blocks on the disk for a moment.
    ///
    /// # Errors
    /// When it cannot be read.
    fn recall(&self) -> Result<HashMap<AccountName, Remembered>, NotStored>;

    /// This is what is to be remembered of the account from now on.
    fn remember(&self, account: &AccountName, what: &Remembered) -> Durable;
}
