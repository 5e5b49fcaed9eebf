//! Is the account held, until when, and who may find out whether it is over? Pure.
//!
//! A failure of sign-in, quota or configuration holds the account: nobody tries, so that a wrong password costs one
//! attempt and not one per message. When the time is over exactly one caller may try; the others stay held until that
//! one has reported. Every change is returned once, for the log. What a failure means is decided in `diagnosis`.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::signin::Credential;
use super::status::HoldStatus;
use crate::diagnosis::Diagnosis;
use crate::words::{Cause, Phase};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// A caller that may try and never reports is forgotten after this: longer than a sign-in whose every step is slow.
const LONGEST_TRY: Duration = Duration::from_mins(20);

/// Where in an attempt a failure stood, as far as a hold cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The server refused a password. Trying it again soon locks accounts.
    Password,
    /// Anything else up to and including AUTH.
    SignIn,
    /// After AUTH: only a delivery proves that it is over.
    Mail,
}

/// What a caller has proved by succeeding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// AUTH worked.
    SignIn,
    /// A message was taken.
    Delivery,
}

/// Whether an account is in a state to be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Nothing is known against it.
    Well,
    /// Nobody tries before `until`.
    Held(Hold),
    /// The time is over and somebody is trying; everybody else is still held.
    Trying {
        /// What is being found out about.
        hold: Hold,
        /// When the try began.
        began: Instant,
    },
}

/// Why an account is held and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// When it began.
    pub since: Instant,
    /// When somebody may try.
    pub until: Instant,
    /// How many tries have failed since it began.
    pub step: u32,
    /// What is wrong, and what to do.
    pub diagnosis: Diagnosis,
    rhythm: Rhythm,
    ends_by: Proof,
}

/// How long to wait for the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rhythm {
    SignIn,
    Password,
    Config,
    Quota,
}

/// What has changed, to be logged once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The account is held from now on.
    Held(Hold),
    /// The try failed; the account is held further.
    StillHeld(Hold),
    /// The account can be used again.
    Well {
        /// How long it was held.
        held_for: Duration,
    },
}

impl Stage {
    /// The stage of a failure at `phase` with this credential.
    #[must_use]
    pub fn of(phase: Phase, credential: &Credential) -> Self {
        match (phase, credential) {
            (Phase::Auth, Credential::Password { .. }) => Self::Password,
            (phase, _) if phase <= Phase::Auth => Self::SignIn,
            _ => Self::Mail,
        }
    }
}

impl Health {
    /// Asks whether a caller may try now. Whoever hears `Ok` reports [`Self::succeeded`], [`Self::failed`] or
    /// [`Self::gave_up`].
    ///
    /// # Errors
    /// The hold that stands in the way.
    pub fn may_try(&mut self, now: Instant) -> Result<(), Box<Hold>> {
        let (hold, is_over) = match &*self {
            Self::Well => return Ok(()),
            Self::Held(hold) => (hold.clone(), now >= hold.until),
            Self::Trying { hold, began } => (hold.clone(), now >= *began + LONGEST_TRY),
        };
        if !is_over {
            return Err(Box::new(hold));
        }
        *self = Self::Trying { hold, began: now };
        Ok(())
    }

    /// The hold, if there is one.
    #[must_use]
    pub fn hold(&self) -> Option<&Hold> {
        match self {
            Self::Well => None,
            Self::Held(hold) | Self::Trying { hold, .. } => Some(hold),
        }
    }

    /// Something worked, with or without leave: a sign-in that was under way when the hold began counts as well.
    pub fn succeeded(&mut self, now: Instant, proof: Proof) -> Option<Change> {
        let hold = self.hold().filter(|hold| proof >= hold.ends_by)?;
        let held_for = now.saturating_duration_since(hold.since);
        *self = Self::Well;
        Some(Change::Well { held_for })
    }

    /// Something failed.
    pub fn failed(&mut self, now: Instant, stage: Stage, diagnosis: &Diagnosis) -> Option<Change> {
        let rhythm = Rhythm::of(stage, diagnosis.cause);
        let change = match (&*self, rhythm) {
            (Self::Well, Some(rhythm)) => Change::Held(Hold::begin(now, rhythm, stage, diagnosis)),
            (Self::Trying { hold, .. }, Some(rhythm)) => Change::StillHeld(hold.renewed(now, rhythm, stage, diagnosis)),
            (Self::Trying { hold, .. }, None) => Change::StillHeld(hold.put_off(now)),
            // Well, and no reason not to stay so; or held already: a second connection that fails like the first is
            // no news and must not lengthen the wait.
            (Self::Well, None) | (Self::Held(_), _) => return None,
        };
        if let Change::Held(hold) | Change::StillHeld(hold) = &change {
            *self = Self::Held(hold.clone());
        }
        Some(change)
    }

    /// A person has signed in: whatever the hold was for, the account is tried at once.
    pub fn signed_in(&mut self, now: Instant) -> Option<Change> {
        let held_for = now.saturating_duration_since(self.hold()?.since);
        *self = Self::Well;
        Some(Change::Well { held_for })
    }

    /// A caller that was let through was cancelled before it could find out anything.
    pub fn gave_up(&mut self, now: Instant) {
        if let Self::Trying { hold, .. } = self {
            *self = Self::Held(hold.put_off(now));
        }
    }
}

impl Hold {
    fn begin(now: Instant, rhythm: Rhythm, stage: Stage, diagnosis: &Diagnosis) -> Self {
        let ends_by = match stage {
            Stage::Password | Stage::SignIn => Proof::SignIn,
            Stage::Mail => Proof::Delivery,
        };
        let until = now + rhythm.wait(0, diagnosis);
        Self { since: now, until, step: 0, diagnosis: diagnosis.clone(), rhythm, ends_by }
    }

    /// Whether a new sign-in may well end it.
    #[must_use]
    pub fn is_for_sign_in(&self) -> bool {
        matches!(self.rhythm, Rhythm::SignIn | Rhythm::Config) && self.ends_by == Proof::SignIn
    }

    /// For people, who read the wall clock, which shows `wall` now.
    #[must_use]
    pub fn status(&self, now: Instant, wall: Timestamp) -> HoldStatus {
        let ago = SignedDuration::try_from(now.saturating_duration_since(self.since)).unwrap_or_default();
        let left = SignedDuration::try_from(self.until.saturating_duration_since(now)).unwrap_or_default();
        HoldStatus {
            since: wall.checked_sub(ago).unwrap_or(wall),
            until: wall.checked_add(left).unwrap_or(wall),
            code: self.diagnosis.code.to_owned(),
            cause: self.diagnosis.cause,
            text: self.diagnosis.sentence.clone().into_owned(),
            cure: self.diagnosis.cure.clone().into_owned(),
        }
    }

    /// After a try that proved nothing: the reason stays, and the next try is soon, but not so soon that a password
    /// is sent again and again by callers that are cut short.
    fn put_off(&self, now: Instant) -> Self {
        Self { until: now + 5 * MINUTE, ..self.clone() }
    }

    /// After a try that failed. Another kind of failure starts its own rhythm; the hold as such goes on.
    fn renewed(&self, now: Instant, rhythm: Rhythm, stage: Stage, diagnosis: &Diagnosis) -> Self {
        let step = if rhythm == self.rhythm { self.step.saturating_add(1) } else { 0 };
        let until = now + rhythm.wait(step, diagnosis);
        Self { since: self.since, until, step, ..Self::begin(now, rhythm, stage, diagnosis) }
    }
}

impl Rhythm {
    fn of(stage: Stage, cause: Cause) -> Option<Self> {
        match (cause, stage) {
            (Cause::Account, Stage::Password) => Some(Self::Password),
            (Cause::Account, Stage::SignIn | Stage::Mail) => Some(Self::SignIn),
            (Cause::Config, _) => Some(Self::Config),
            (Cause::Quota, _) => Some(Self::Quota),
            (Cause::Throttle | Cause::Message | Cause::Network | Cause::Uncertain, _) => None,
        }
    }

    /// The wait before try number `step`, counted from 0; of a quota the provider may know better.
    fn wait(self, step: u32, diagnosis: &Diagnosis) -> Duration {
        match (self, diagnosis.lifts_after) {
            (Self::Quota, Some(told)) => told,
            _ => self.pause(step),
        }
    }

    /// The wait when nobody says how long.
    fn pause(self, step: u32) -> Duration {
        match (self, step) {
            (Self::SignIn | Self::Password, 0) => 5 * MINUTE,
            (Self::SignIn, 1) => 15 * MINUTE,
            (Self::SignIn | Self::Config, _) => HOUR,
            (Self::Password, _) => 6 * HOUR,
            (Self::Quota, step) => HOUR * 2_u32.saturating_pow(step).min(24),
        }
    }
}

#[cfg(test)]
mod tests;
