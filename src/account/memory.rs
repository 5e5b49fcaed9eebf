//! What was learned and counted of an account, for the next run: the port behind which it lies.
//!
//! Small and written seldom. Whoever cannot read it starts as if nothing was known, and says so; whoever cannot write
//! it goes on. Holds no secret.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use super::senders::RefusedSenders;
use super::{budget, health};
use crate::disk::durable::{Durable, NotStored};
use crate::ids::AccountName;

/// What is remembered of one account. A field that an older version wrote otherwise counts as missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    /// STARTTLS was offered once: its absence is a downgrade from then on.
    #[serde(deserialize_with = "if_understood")]
    pub starttls_seen: bool,
    /// Why it is held.
    #[serde(deserialize_with = "if_understood")]
    pub hold: Option<health::kept::Kept>,
    /// Recipients of the last 24 hours, and those reserved.
    #[serde(deserialize_with = "if_understood")]
    pub budget: Option<budget::Written>,
    /// Senders its provider does not take.
    #[serde(deserialize_with = "if_understood")]
    pub refused_senders: RefusedSenders,
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

/// Remembers as long as it lives, and not on any disk: for a relay that keeps nothing, and for tests.
#[derive(Debug, Default)]
pub struct Volatile(Mutex<HashMap<AccountName, Remembered>>);

impl Memory for Volatile {
    fn recall(&self) -> Result<HashMap<AccountName, Remembered>, NotStored> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn remember(&self, account: &AccountName, what: &Remembered) -> Durable {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(account.clone(), what.clone());
        let (kept, durable) = Durable::promise();
        // Whoever does not wait for it knows that it goes on.
        let _ = kept.send(Ok(()));
        durable
    }
}

fn if_understood<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(from: D) -> Result<T, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_not_understood_counts_as_missing_and_the_rest_is_read() {
        let json = r#"{"starttls_seen": true, "hold": {"until": "tomorrow"}, "budget": 7, "later": []}"#;
        let expected = Remembered { starttls_seen: true, ..Remembered::default() };
        assert_eq!(serde_json::from_str::<Remembered>(json).unwrap(), expected);
    }
}
