//! Is the account held, why, and what ends it? Pure.
//!
//! A failure of sign-in, quota or configuration holds the account: nothing goes out through it, so that a wrong
//! password costs one attempt and not one per message. What ends a hold is tried by nobody but whoever minds the
//! account, on the hold's own rhythm; where only a mail can tell, the account is opened on trial. A sign-in ends any
//! hold, and what an attempt begun before it finds out afterwards holds nothing. Every change is returned once, for the
//! log. What a failure means is decided in `diagnosis`; how a hold outlives a restart, in [`kept`].

pub mod kept;

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::signin::Credential;
use super::status::HoldStatus;
use crate::diagnosis::{Diagnosis, Failure};
use crate::net::clock::Moment;
use crate::words::{Cause, Phase};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Where in an attempt a failure stood, as far as a hold cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before any credential was sent: the server itself does not suit the configuration.
    Server,
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

/// What ends a hold by itself; a sign-in and a person's word end any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndsBy {
    /// A sign-in that works, tried without mail.
    Probe,
    /// Time. Whether it was long enough shows the first mail, which goes alone.
    Time,
    /// A change of the configuration or of the server, which is looked at without credentials.
    Change,
}

/// How often a person has had a hand in the account. What an attempt of an earlier one fails with holds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation(u64);

/// Whether an account is in a state to be used.
#[derive(Debug, Default)]
pub struct Health {
    state: State,
    generation: u64,
}

#[derive(Debug, Default)]
enum State {
    /// Nothing is known against it.
    #[default]
    Well,
    /// Nothing goes out.
    Held(Hold),
    /// The time is over: mail goes, one at a time, until it is known whether it was long enough.
    Trial(Hold),
}

/// Why an account is held and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// When it began.
    pub since: Instant,
    /// When it is tried.
    pub until: Instant,
    /// How many tries have failed since it began.
    pub step: u32,
    /// What is wrong, and what to do.
    pub diagnosis: Diagnosis,
    rhythm: Rhythm,
    ends_by: EndsBy,
    /// When the last try failed.
    tried: Instant,
    /// How often the relay was started while it lasted.
    starts: u32,
}

/// How long to wait for the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// The time is over; the next mail shows whether the account can be used.
    OnTrial(Hold),
    /// The account can be used again.
    Well {
        /// How long it was held.
        held_for: Duration,
    },
}

impl Stage {
    /// The stage of a failure with this credential.
    #[must_use]
    pub fn of(failure: &Failure, credential: &Credential) -> Self {
        // What we found out ourselves before anything was sent.
        if matches!(failure, Failure::WouldSendInClear { .. } | Failure::NoMechanism { .. }) {
            return Self::Server;
        }
        match (failure.phase(), credential) {
            (Phase::Auth, Credential::Password { .. }) => Self::Password,
            (Phase::Credential | Phase::Auth, _) => Self::SignIn,
            (phase, _) if phase < Phase::Auth => Self::Server,
            _ => Self::Mail,
        }
    }
}

impl Health {
    /// The generation an attempt that begins now belongs to.
    #[must_use]
    pub fn generation(&self) -> Generation {
        Generation(self.generation)
    }

    /// The hold, if there is one.
    #[must_use]
    pub fn hold(&self) -> Option<&Hold> {
        match &self.state {
            State::Well => None,
            State::Held(hold) | State::Trial(hold) => Some(hold),
        }
    }

    /// The hold that lets nothing out.
    #[must_use]
    pub fn closed_by(&self) -> Option<&Hold> {
        match &self.state {
            State::Held(hold) => Some(hold),
            State::Well | State::Trial(_) => None,
        }
    }

    /// Whether mail goes one at a time, to find out whether a hold is over.
    #[must_use]
    pub fn is_on_trial(&self) -> bool {
        matches!(self.state, State::Trial(_))
    }

    /// What is to be tried now, if anything is: a sign-in, or a look.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<EndsBy> {
        self.closed_by().filter(|hold| now >= hold.until).map(|hold| hold.ends_by)
    }

    /// The time of a hold that ends by time is over: mail may go on trial.
    pub fn open_on_trial(&mut self, now: Instant) -> Option<Change> {
        let hold = self.closed_by().filter(|hold| now >= hold.until && hold.ends_by == EndsBy::Time)?.clone();
        self.state = State::Trial(hold.clone());
        Some(Change::OnTrial(hold))
    }

    /// Something worked: a sign-in that was under way when the hold began counts as well.
    pub fn succeeded(&mut self, now: Instant, proof: Proof) -> Option<Change> {
        let needed = match self.hold()?.ends_by {
            EndsBy::Probe | EndsBy::Change => Proof::SignIn,
            EndsBy::Time => Proof::Delivery,
        };
        if proof < needed { None } else { self.end(now) }
    }

    /// An attempt of this generation failed with mail in its hand.
    pub fn failed(
        &mut self,
        now: Instant,
        generation: Generation,
        stage: Stage,
        diagnosis: &Diagnosis,
    ) -> Option<Change> {
        let rhythm = Rhythm::of(stage, diagnosis.cause).filter(|_| generation.0 == self.generation)?;
        let change = match &self.state {
            State::Well => Change::Held(Hold::begin(now, rhythm, stage, diagnosis)),
            State::Trial(hold) => Change::StillHeld(hold.renewed(now, rhythm, stage, diagnosis)),
            // A second connection that fails like the first is no news and must not lengthen the wait.
            State::Held(_) => return None,
        };
        Some(self.hold_by(change))
    }

    /// What was tried without mail, to end a hold, failed. What proves nothing is tried again soon.
    pub fn tried(&mut self, now: Instant, generation: Generation, stage: Stage, why: &Diagnosis) -> Option<Change> {
        let hold = self.closed_by().filter(|_| generation.0 == self.generation)?;
        let hold = match Rhythm::of(stage, why.cause) {
            Some(rhythm) => hold.renewed(now, rhythm, stage, why),
            None => hold.put_off(now),
        };
        Some(self.hold_by(Change::StillHeld(hold)))
    }

    /// The look at the server found nothing amiss any more.
    pub fn looks_well(&mut self, now: Instant) -> Option<Change> {
        self.closed_by().filter(|hold| hold.ends_by == EndsBy::Change)?;
        self.end(now)
    }

    /// A person has signed in, or says that it is to be tried: whatever the hold was for, the account is open at once,
    /// and attempts that began before know nothing of it.
    pub fn signed_in(&mut self, now: Instant) -> Option<Change> {
        self.generation += 1;
        self.end(now)
    }

    fn end(&mut self, now: Instant) -> Option<Change> {
        let held_for = now.saturating_duration_since(self.hold()?.since);
        self.state = State::Well;
        Some(Change::Well { held_for })
    }

    fn hold_by(&mut self, change: Change) -> Change {
        if let Change::Held(hold) | Change::StillHeld(hold) = &change {
            self.state = State::Held(hold.clone());
        }
        change
    }
}

impl Hold {
    fn begin(now: Instant, rhythm: Rhythm, stage: Stage, diagnosis: &Diagnosis) -> Self {
        let until = now + rhythm.wait(0, diagnosis);
        let (ends_by, diagnosis) = (EndsBy::of(stage, diagnosis.cause), diagnosis.clone());
        Self { since: now, until, step: 0, diagnosis, rhythm, ends_by, tried: now, starts: 0 }
    }

    /// What ends it by itself.
    #[must_use]
    pub fn ends_by(&self) -> EndsBy {
        self.ends_by
    }

    /// Whether a new sign-in may well end it.
    #[must_use]
    pub fn is_for_sign_in(&self) -> bool {
        matches!(self.rhythm, Rhythm::SignIn | Rhythm::Config) && self.ends_by != EndsBy::Time
    }

    /// For people, who read the wall clock.
    #[must_use]
    pub fn status(&self, now: Moment) -> HoldStatus {
        HoldStatus {
            since: now.wall_at(self.since),
            until: now.wall_at(self.until.max(now.steady)),
            ends_by: Some(self.ends_by),
            code: self.diagnosis.code.to_owned(),
            cause: self.diagnosis.cause,
            text: self.diagnosis.sentence.clone().into_owned(),
            cure: self.diagnosis.cure.clone().into_owned(),
        }
    }

    /// After a try that proved nothing: the reason stays, and the next try is soon, but not so soon that a password
    /// is sent again and again.
    fn put_off(&self, now: Instant) -> Self {
        Self { until: now + 5 * MINUTE, ..self.clone() }
    }

    /// After a try that failed. Another kind of failure starts its own rhythm; the hold as such goes on.
    fn renewed(&self, now: Instant, rhythm: Rhythm, stage: Stage, diagnosis: &Diagnosis) -> Self {
        let step = if rhythm == self.rhythm { self.step.saturating_add(1) } else { 0 };
        let until = now + rhythm.wait(step, diagnosis);
        let (since, starts) = (self.since, self.starts);
        Self { since, until, step, starts, ..Self::begin(now, rhythm, stage, diagnosis) }
    }
}

impl EndsBy {
    fn of(stage: Stage, cause: Cause) -> Self {
        match (cause, stage) {
            (Cause::Quota, _) | (_, Stage::Mail) => Self::Time,
            (Cause::Config, Stage::Server) => Self::Change,
            // A look cannot see what was answered to AUTH, or by a token endpoint; the server was verified by then.
            _ => Self::Probe,
        }
    }
}

impl Rhythm {
    fn of(stage: Stage, cause: Cause) -> Option<Self> {
        match (cause, stage) {
            (Cause::Account, Stage::Password) => Some(Self::Password),
            (Cause::Account, _) => Some(Self::SignIn),
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
