//! What is kept of a sign-in between runs: the port behind which tokens lie at rest.
//!
//! One [`Record`] an account, with a version that every change raises. Whoever renews a token takes the [`Lease`] of
//! the account, calls the provider with nothing locked, and writes only if the version is still the one it read. So of
//! several processes one renews, and a sign-in made meanwhile is never overwritten. Guarantees of every vault: a
//! [`Vault::put`] that returned is durable, one that failed changed nothing, secrets are unreadable without the key.

mod record;
mod slot;

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::diagnosis::{Diagnosis, Failure, KeptFailure};
use crate::ids::AccountName;
use crate::secret::Secret;

pub(super) use slot::Slot;

/// How long a lease lasts: longer than any call of a token endpoint, so that it ends by itself only when its holder
/// has died.
pub const LEASE: Duration = Duration::from_secs(90);

/// Whether a lease that ends then still runs. One that ends much later than a lease taken now would was taken before
/// the clock was set back, and counts as over. A small step back says nothing: its holder may be in the middle of a
/// call, and two calls with one refresh token may cost the sign-in.
#[must_use]
pub fn is_running(until: Timestamp, now: Timestamp) -> bool {
    now < until && until.duration_since(now) <= jiff::SignedDuration::from_secs(2 * LEASE.as_secs().cast_signed())
}

/// What is kept of one account.
#[derive(Debug, Clone)]
pub struct Record {
    /// What new access tokens are had with.
    pub refresh_token: Option<Secret>,
    /// The last access token.
    pub access_token: Option<Secret>,
    /// What may be read without the key.
    pub facts: Facts,
}

/// What is known of a sign-in, without any secret.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Facts {
    /// The grant it was made by, as in the configuration.
    pub grant: String,
    /// The application the tokens belong to: they are worthless to any other.
    pub client_id: String,
    /// The token endpoint they are from.
    pub endpoint: String,
    /// The login name they were asked for.
    pub username: String,
    /// The scopes granted, with spaces between them; nothing if the provider did not say.
    pub scope: Option<String>,
    /// When a person signed in, or a token was brought.
    pub signed_in: Timestamp,
    /// When the provider last gave a token.
    pub renewed: Timestamp,
    /// When the access token ends, if the provider said.
    pub access_ends: Option<Timestamp>,
    /// When the refresh token ends, if the provider said.
    pub refresh_ends: Option<Timestamp>,
    /// The SHA-256 of a refresh token brought in the configuration, in hexadecimal: another one there replaces all
    /// this.
    pub brought: Option<String>,
    /// How the last call of the token endpoint ended.
    pub last_reply: Option<Reply>,
}

/// How a call of a token endpoint ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reply {
    /// When.
    pub at: Timestamp,
    /// The code of the diagnosis; nothing when it brought a token.
    pub code: Option<String>,
    /// One sentence, without secrets.
    pub text: String,
}

impl Reply {
    /// It brought a token.
    #[must_use]
    pub fn token(at: Timestamp) -> Self {
        Self { at, code: None, text: "a token".to_owned() }
    }

    /// It failed.
    #[must_use]
    pub fn failed(at: Timestamp, why: &Diagnosis) -> Self {
        Self { at, code: Some(why.code.to_owned()), text: why.sentence.clone().into_owned() }
    }
}

/// A record as it lies in the vault.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Raised by every change of the record, and never used again, not even after the record was removed: whoever
    /// renews meanwhile must not take a new sign-in for the one it read.
    pub version: u64,
    /// The record.
    pub record: Record,
}

/// Who renews: different for every run of every process.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Holder {
    /// Random, unlike every other one.
    pub id: uuid::Uuid,
    /// Whether it is the owner of the storage directory. The next owner knows that it is dead.
    pub is_owner: bool,
}

impl Holder {
    /// A new one.
    #[must_use]
    pub fn new(is_owner: bool) -> Self {
        Self { id: uuid::Uuid::now_v7(), is_owner }
    }
}

/// The answer to whoever wants to renew.
#[derive(Debug)]
pub enum Lease {
    /// Go on: until it is given back or its time is over nobody else renews. With what is stored now.
    Yours(Box<Stored>),
    /// Somebody else is at it, until then at the latest.
    Taken { until: Timestamp },
    /// Nothing is kept of this account.
    Nothing,
}

/// What became of a change.
#[derive(Debug)]
#[must_use = "a change that came too late was not made"]
pub enum Written {
    /// It is durable; this is its version.
    Done(u64),
    /// Somebody was faster, and nothing was changed.
    Changed,
}

/// Which version a change expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// This one; 0 stands for nothing kept yet.
    Version(u64),
    /// Any or none: a new sign-in replaces whatever there is.
    Any,
}

/// Why the vault cannot do what it was asked; each text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The key is missing, malformed, or not the one the tokens were sealed with.
    #[error("{0}")]
    Key(String),
    /// A file others can read or change.
    #[error("{0}")]
    Exposed(String),
    /// A file that is not what it should be.
    #[error("{0}")]
    Damaged(String),
    /// The disk or the directory.
    #[error("{0}")]
    Storage(String),
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        Self::Kept(match error {
            VaultError::Storage(detail) => KeptFailure::Storage { detail },
            VaultError::Key(detail) | VaultError::Exposed(detail) | VaultError::Damaged(detail) => {
                KeptFailure::Vault { detail }
            }
        })
    }
}

/// Where records lie. Methods block on the disk; call them where that is allowed.
pub trait Vault: fmt::Debug + Send + Sync {
    /// What is kept of an account.
    ///
    /// # Errors
    /// When it cannot be read.
    fn get(&self, account: &AccountName) -> Result<Option<Stored>, VaultError>;

    /// The accounts of which something is kept, with what may be read without the key.
    ///
    /// # Errors
    /// When it cannot be read.
    fn list(&self) -> Result<Vec<(AccountName, Facts)>, VaultError>;

    /// Whether something could be kept now: what must be there for that is made. Asked before a person is sent to sign
    /// in, who would have come for nothing.
    ///
    /// # Errors
    /// When nothing could be kept.
    fn prepare(&self) -> Result<(), VaultError>;

    /// Keeps a record; ends the lease of this account if `holder` has it.
    ///
    /// # Errors
    /// When it cannot be made durable; then nothing was changed.
    fn put(
        &self,
        account: &AccountName,
        record: &Record,
        expected: Expected,
        holder: &Holder,
    ) -> Result<Written, VaultError>;

    /// Asks to be the one who renews.
    ///
    /// # Errors
    /// When it cannot be read or written.
    fn lease(&self, account: &AccountName, holder: &Holder, now: Timestamp) -> Result<Lease, VaultError>;

    /// Gives the lease back after a call that brought nothing new, and keeps how it ended. The version stays. Who has
    /// lost the lease meanwhile changes nothing: somebody else's call is newer.
    ///
    /// # Errors
    /// When it cannot be written.
    fn give_back(&self, account: &AccountName, holder: &Holder, reply: Option<&Reply>) -> Result<(), VaultError>;

    /// Forgets what is kept of an account, if it is still this version; whether there was anything to forget.
    ///
    /// # Errors
    /// When it cannot be written; then everything is still there.
    fn remove(&self, account: &AccountName, expected: Expected) -> Result<bool, VaultError>;

    /// Ends the leases of owners before this one, which are dead.
    ///
    /// # Errors
    /// When it cannot be written.
    fn bury(&self, owner: &Holder) -> Result<(), VaultError>;
}

#[cfg(test)]
pub(crate) mod tests;
