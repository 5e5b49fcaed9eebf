//! A hold from one run to the next: written when it changes, read when the relay starts. Pure.
//!
//! A restart may mean that somebody has mended something, so what is found out without mail is tried at once; but only
//! after the first few starts, because a relay that crashes again and again must not lock the account with a wrong
//! password. A hold that ends by time goes on for as long as was left. If the wall clock was set back meanwhile, the
//! whole wait begins anew; if what was written makes no sense, nothing is held.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{EndsBy, HOUR, Health, Hold, Rhythm, State};
use crate::account::status::HoldStatus;
use crate::diagnosis::Diagnosis;
use crate::net::clock::Moment;
use crate::words::Cause;

/// After so many starts the rhythm counts again.
const STARTS: u32 = 3;
/// Nothing is held for longer without a try.
const LONGEST: Duration = HOUR.saturating_mul(24);

/// A hold as it lies on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    since: Timestamp,
    /// When the last try failed.
    tried: Timestamp,
    until: Timestamp,
    step: u32,
    starts: u32,
    rhythm: Rhythm,
    ends_by: EndsBy,
    code: String,
    cause: Cause,
    sentence: String,
    cure: String,
}

impl Hold {
    /// For the next run.
    #[must_use]
    pub fn keep(&self, now: Moment) -> Kept {
        let Self { step, diagnosis, rhythm, ends_by, starts, .. } = self;
        Kept {
            since: now.wall_at(self.since),
            tried: now.wall_at(self.tried),
            until: now.wall_at(self.until),
            step: *step,
            starts: *starts,
            rhythm: *rhythm,
            ends_by: *ends_by,
            code: diagnosis.code.to_owned(),
            cause: diagnosis.cause,
            sentence: diagnosis.sentence.clone().into_owned(),
            cure: diagnosis.cure.clone().into_owned(),
        }
    }
}

impl Kept {
    /// What there is to be seen of it, while no relay knows better.
    #[must_use]
    pub fn status(&self) -> HoldStatus {
        HoldStatus {
            since: self.since,
            until: self.until,
            ends_by: Some(self.ends_by),
            code: self.code.clone(),
            cause: self.cause,
            text: self.sentence.clone(),
            cure: self.cure.clone(),
        }
    }
}

impl Health {
    /// As the run before this one left it.
    #[must_use]
    pub fn recall(kept: &Kept, now: Moment) -> Self {
        let began = span(kept.tried, kept.until).min(LONGEST);
        let left = if now.wall < kept.tried { began } else { span(now.wall, kept.until).min(LONGEST) };
        let starts = kept.starts.saturating_add(1);
        let at_once = kept.ends_by != EndsBy::Time && starts <= STARTS;
        let hold = Hold {
            since: ago(now, span(kept.since, now.wall)),
            until: if at_once { now.steady } else { now.steady + left },
            step: kept.step,
            diagnosis: Diagnosis::recalled(&kept.code, kept.cause, kept.sentence.clone(), kept.cure.clone()),
            rhythm: kept.rhythm,
            ends_by: kept.ends_by,
            tried: ago(now, span(kept.tried, now.wall)),
            starts,
        };
        Self { state: State::Held(hold), generation: 0 }
    }
}

/// Nothing where it would be negative.
fn span(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(from.duration_until(to)).unwrap_or_default()
}

/// The steady clock may not reach back that far.
fn ago(now: Moment, span: Duration) -> std::time::Instant {
    now.steady.checked_sub(span).unwrap_or(now.steady)
}
