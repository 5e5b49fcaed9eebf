//! How an account's sign-in stands, for a person or a program that asks; plain data without secrets.
//!
//! [`super::keeper::Keeper::status`] fills it in from what is kept and what is under way, the courier adds its hold.
//! Asks nobody on the network. It travels as JSON through `control.sock` and out of `posthouse accounts --json`, so a
//! field once there keeps its name and meaning.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::health::EndsBy;
use super::vault::Reply;
use crate::words::Cause;

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// `[accounts.NAME]`
    pub account: String,
    /// The login name, which is the mailbox with nearly all providers; nothing where nobody signs in.
    pub mailbox: Option<String>,
    /// What it signs in with: `none`, `password`, or the grant as in the configuration.
    pub credential: String,
    /// What is known of the sign-in.
    pub sign_in: SignIn,
    /// The token at hand, in memory or in the vault; nothing where there is none.
    pub token: Option<TokenStatus>,
    /// How the last call of the token endpoint ended; nothing if there was none, or nobody knows any more.
    pub last_reply: Option<Reply>,
    /// Whether a call of the token endpoint is under way in this process.
    pub is_renewing: bool,
    /// Why mail cannot go out through it now; nothing as well when the relay is not running.
    pub hold: Option<HoldStatus>,
    /// Recipients that may still be written to, where there is a limit and a relay that counts.
    #[serde(default)]
    pub budget: Option<BudgetStatus>,
    /// The provider cannot be reached; nothing else is tried until it can.
    #[serde(default)]
    pub breaker: Option<BreakerStatus>,
    /// The provider complained, and mail goes out more slowly than the configuration allows.
    #[serde(default)]
    pub throttle: Option<ThrottleStatus>,
}

/// Where a sign-in stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SignIn {
    /// No person is needed: no sign-in at all, a password, or a grant by which the application signs in as itself.
    NotNeeded,
    /// Somebody has signed in, or brought a refresh token.
    Kept {
        /// When.
        since: Timestamp,
        /// The scopes granted, with spaces between them, if the provider said.
        scope: Option<String>,
        /// When the provider last gave a token.
        renewed: Timestamp,
        /// When the refresh token ends, if the provider said.
        refresh_ends: Option<Timestamp>,
        /// Whether there is a refresh token: without one the sign-in ends with the access token.
        is_renewable: bool,
    },
    /// A refresh token stands in the configuration and has not been used yet: the first mail will.
    Brought,
    /// Nobody has, or it was for another application, or there is a fault in the vault.
    Missing {
        /// The code of the diagnosis: `not_signed_in`, `sign_in_of_another_application`, `vault_unusable`…
        code: String,
        /// What is wrong.
        text: String,
        /// What a person must do.
        cure: String,
    },
}

/// An access token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenStatus {
    /// When it was issued; nothing where only its end is known.
    pub issued: Option<Timestamp>,
    /// When it ends, if the issuer said.
    pub ends: Option<Timestamp>,
    /// When the next one will be asked for at the earliest: the first mail after it does.
    pub next_renewal: Option<Timestamp>,
}

/// Why an account is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldStatus {
    /// Since when.
    pub since: Timestamp,
    /// When it is tried again by itself.
    pub until: Timestamp,
    /// What ends it by itself; nothing from a relay that did not say yet.
    #[serde(default)]
    pub ends_by: Option<EndsBy>,
    /// The code of the diagnosis.
    pub code: String,
    /// Whose fault it is: what no person can mend, a quota for instance, ends by itself.
    pub cause: Cause,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub cure: String,
}

/// How much of `limits.recipients_per_day` is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetStatus {
    /// The most in any 24 hours.
    pub limit: u32,
    /// In the last 24 hours.
    pub used: u32,
    /// As many more may go now.
    pub left: u32,
    /// When what waits for it fits again, if something does.
    pub waits_until: Option<Timestamp>,
}

/// A provider that cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerStatus {
    /// Since when.
    pub since: Timestamp,
    /// When it is tried again.
    pub until: Timestamp,
    /// The code of the diagnosis.
    pub code: String,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub cure: String,
}

/// It bars the way as a hold does that a probe ends.
impl From<BreakerStatus> for HoldStatus {
    fn from(breaker: BreakerStatus) -> Self {
        let BreakerStatus { since, until, code, text, cure } = breaker;
        Self { since, until, ends_by: Some(EndsBy::Probe), code, cause: Cause::Network, text, cure }
    }
}

/// A pace slower than the configuration allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThrottleStatus {
    /// Since when; nothing where only a time is waited out.
    pub since: Option<Timestamp>,
    /// Connections in use at most.
    pub connections: usize,
    /// As `limits.connections` says.
    pub connections_allowed: usize,
    /// Messages a minute at most.
    pub messages_per_minute: Option<u32>,
    /// Nothing goes out before: the provider told so.
    pub paused_until: Option<Timestamp>,
}
