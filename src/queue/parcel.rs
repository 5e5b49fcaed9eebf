//! What is owed: a message's recipients that go the same way, how each of them stands, and what happens next.
//!
//! A parcel is one transaction: those of its recipients still open go out together. A message has one for each route,
//! and more where a provider takes fewer recipients at once. Plain data, as it is carried, stored and shown; what
//! becomes of it after a failure is decided in `schedule`.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Route;
use super::store::StandingKind;
use crate::diagnosis::Diagnosis;
use crate::ids::{AccountName, AttemptId, MessageId};
use crate::mail::envelope::Recipient;
use crate::words::Cause;

/// Which parcel of which message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ParcelId {
    /// The message.
    pub message: MessageId,
    /// Counted from 0.
    pub number: u16,
}

impl fmt::Display for ParcelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            0 => self.message.fmt(f),
            number => write!(f, "{}/{number}", self.message),
        }
    }
}

/// A part of a message that is delivered, tried again, held and settled by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// Which one.
    pub id: ParcelId,
    /// The accounts it may go through. After an uncertain attempt only the one it was made with.
    pub route: Route,
    /// Its recipients; at least one.
    pub recipients: Vec<Owed>,
    /// What happens next.
    pub standing: Standing,
    /// Attempts that count for the schedule.
    pub attempts: u32,
    /// The last attempts, oldest first; at most [`TRIES_KEPT`].
    pub tries: Vec<Try>,
    /// Seconds in holds that are over; they do not count towards `max_queue_lifetime`.
    pub held_s: u64,
    /// The hold it was taken out of for a look whether it still lacks what it was held for; nothing where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacking: Option<Lacking>,
}

/// A hold that goes on as the same one, where a look finds that nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lacking {
    /// When it began.
    pub since: Timestamp,
    /// Seconds in holds before it.
    pub held_s: u64,
}

/// How many attempts are remembered in detail.
pub const TRIES_KEPT: usize = 20;

/// What happens next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Standing {
    /// It goes out from then on.
    Due { at: Timestamp },
    /// The dot may have been written: found so after a crash, the attempt is uncertain.
    Sending { account: AccountName, attempt: AttemptId, since: Timestamp },
    /// It waits for a person, or for `until`.
    Held { since: Timestamp, until: Option<Timestamp>, by: HeldBy, why: Why },
    /// It failed for good, whoever was to be told is told, and it is kept for the administrator.
    Failed { since: Timestamp },
}

impl Standing {
    /// Without what belongs to it.
    #[must_use]
    pub fn kind(&self) -> StandingKind {
        match self {
            Self::Due { .. } => StandingKind::Due,
            Self::Sending { .. } => StandingKind::Sending,
            Self::Held { .. } => StandingKind::Held,
            Self::Failed { .. } => StandingKind::Failed,
        }
    }
}

/// What holds one parcel. What holds an account holds the lane, not its parcels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    /// `posthouse queue hold`
    Person,
    /// `delivery.uncertain = "hold"`
    Uncertain,
    /// None of its accounts is configured any more.
    NoAccount,
    /// What only this message needs is missing, for instance an identity to sign it with.
    Message,
    /// Its body does not lie on the disk as it was put there. Nothing but a person ends it.
    Damaged,
}

/// A recipient and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// Who, with what the device asked for.
    #[serde(flatten)]
    pub recipient: Recipient,
    /// How it stands.
    pub state: State,
}

/// How one recipient stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum State {
    /// Still to be delivered; what was last said against it.
    Open { last: Option<Said> },
    /// Taken by the provider; with DSN it reports what becomes of it from there on (RFC 3461 §5.2.1).
    Delivered {
        at: Timestamp,
        reply: String,
        #[serde(default)]
        dsn: bool,
    },
    /// Never; told or not as the notices are configured.
    Never { at: Timestamp, said: Said },
}

impl State {
    /// Nothing was said against it yet.
    pub const NEW: Self = Self::Open { last: None };

    /// What the provider said last, if it said anything.
    #[must_use]
    pub fn reply(&self) -> Option<&str> {
        match self {
            Self::Delivered { reply, .. } => Some(reply),
            Self::Open { last: Some(said) } | Self::Never { said, .. } => said.reply.as_deref(),
            Self::Open { last: None } => None,
        }
    }

    /// Whether it is still to be delivered.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }
}

/// What was said against a recipient, and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The reply, the provider's or ours; nothing where there was none.
    pub reply: Option<String>,
    /// What it means.
    pub why: Why,
}

/// A diagnosis as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// The same for the same kind of failure for ever.
    pub code: String,
    /// Whose doing it is.
    pub cause: Cause,
    /// What happened.
    pub sentence: String,
    /// What to do next.
    pub cure: String,
}

impl From<&Diagnosis> for Why {
    fn from(diagnosis: &Diagnosis) -> Self {
        Self {
            code: diagnosis.code.to_owned(),
            cause: diagnosis.cause,
            sentence: diagnosis.sentence.clone().into_owned(),
            cure: diagnosis.cure.clone().into_owned(),
        }
    }
}

/// One attempt, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Try {
    /// Which one, as in the log.
    pub id: AttemptId,
    /// Through which account.
    pub account: AccountName,
    /// When it ended.
    pub at: Timestamp,
    /// The reply that ended it, or what happened instead; one line.
    pub ended: String,
    /// Why it failed; nothing if it did not.
    pub why: Option<Why>,
    /// The server offered DSN, and was given what the device asked for.
    #[serde(default)]
    pub dsn: bool,
}
