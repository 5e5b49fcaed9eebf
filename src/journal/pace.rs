//! What happened to the pace of an account, and how it reads in the log.
//!
//! Said once for each change. Holds no secret: a diagnosis repeats only what was cleaned before.

use std::time::Duration;

use super::Masks;
use crate::diagnosis::Diagnosis;
use crate::ids::AccountName;

/// What happened.
#[derive(Debug)]
pub enum Pace<'a> {
    /// The provider cannot be reached; nobody tries but one, on schedule.
    Away { diagnosis: &'a Diagnosis, next_try: Duration },
    /// It can again.
    Reached,
    /// The provider complained: from now on at most so much.
    Slowed { connections: usize, per_minute: Option<u32>, diagnosis: &'a Diagnosis },
    /// As fast as the configuration allows again.
    Full,
    /// The day's recipients are used up.
    UsedUp { lifts_in: Duration },
    /// Mail goes again, one at a time, to find out whether the time of a hold was long enough.
    OnTrial,
    /// What was learned of the account could not be kept for the next run.
    Forgotten { why: String },
}

impl Pace<'_> {
    pub(super) fn log(&self, account: &AccountName, masks: Masks) {
        match self {
            Self::Away { diagnosis, next_try } => tracing::warn!(
                %account, code = diagnosis.code, cause = %diagnosis.cause, cure = %masks.text(&diagnosis.cure),
                next_try_s = next_try.as_secs(),
                "provider cannot be reached, mail waits: {}", masks.text(&diagnosis.sentence)
            ),
            Self::Reached => tracing::info!(%account, "provider can be reached again"),
            Self::Slowed { connections, per_minute, diagnosis } => tracing::warn!(
                %account, code = diagnosis.code, cause = %diagnosis.cause, cure = %masks.text(&diagnosis.cure), connections, per_minute,
                "slowed down, and back by a step each minute that goes well: {}", masks.text(&diagnosis.sentence)
            ),
            Self::Full => tracing::info!(%account, "at full pace again"),
            Self::UsedUp { lifts_in } => tracing::warn!(
                %account, lifts_in_s = lifts_in.as_secs(),
                cure = "nothing to do: what waits goes out as soon as it fits; if the provider allows more, raise `limits.recipients_per_day` of this account",
                "recipients of the day are used up, mail waits"
            ),
            Self::OnTrial => tracing::info!(%account, "the hold is over if the next mail goes out"),
            Self::Forgotten { why } => tracing::error!(
                %account,
                cure = "see to the disk of `storage.directory`",
                "cannot be remembered for the next run, holds and the day's recipients for instance: {why}"
            ),
        }
    }
}
