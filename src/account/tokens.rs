//! What is known of an account's token: which one is current, until when, and whether the server likes it. Pure.
//!
//! A token is renewed when less than min(10 minutes, a quarter of its life) remains, a little earlier by chance, so
//! that many relays do not ask at once. A refused token is dropped; whether another try makes sense follows from
//! history: it does not when the refused token had itself replaced a refused one and no sign-in worked since. The
//! refusal of a token that had ended by then says nothing. After a call that failed for no fault of the account the
//! next one waits, each time a little longer.

use std::time::{Duration, Instant};

use super::life::Life;
use super::signin::Generation;
use crate::diagnosis::Failure;
use crate::secret::Secret;

/// After a renewal ahead of time has failed, the next one is not tried before this.
const RENEWAL_PAUSE: Duration = Duration::from_mins(1);

/// After a call that failed and left nothing to sign in with; doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Who needs a token shortly before a pause ends waits for that instead of failing: a device that hears *later* comes
/// back much later.
const PATIENCE: Duration = Duration::from_secs(5);

/// What must remain of a token when it is sent: the server looks at it a little later. Of a short life less.
const LAST_MOMENTS: Duration = Duration::from_secs(5);

/// A token and its number.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    pub token: Secret,
    pub generation: Generation,
}

/// What to do after the server refused a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterRefusal {
    /// Ask for a credential again and try once more.
    Again,
    /// The token had ended by then. Another try makes sense, but not for ever; it is nobody's fault.
    TooLate,
    /// Another credential will not help: the account is to be held.
    Final,
}

/// When to ask again after a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AskAgain {
    /// Whenever somebody needs it: whether the account may try at all is decided elsewhere.
    AtNeed,
    /// Not before a pause, or what the endpoint said if that is longer.
    AfterPause(Option<Duration>),
}

#[derive(Debug, Clone)]
struct Current {
    issued: Issued,
    renew_at: Instant,
    /// From then on it is not sent any more, if another one can be had.
    last_moments: Instant,
    ends_at: Instant,
    /// Whether the issuer said when it ends.
    is_told: bool,
}

/// Nobody is asked before `until`; who needs a token long before that hears the failure.
#[derive(Debug)]
struct Pause {
    until: Instant,
    failure: Failure,
}

/// The state of one account's tokens. Generations count from 1; 0 stands for never.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    current: Option<Current>,
    /// The last one issued, refused or not: an endpoint may repeat it when it is asked for another.
    last: Option<Secret>,
    /// The last one the server refused: it must not come back as the current one.
    refused: Option<Secret>,
    issued: u64,
    last_accepted: u64,
    last_refused: u64,
    /// Generations at or below this were issued in good standing: a refusal of one of them is worth another try.
    trusted: u64,
    pause: Option<Pause>,
    /// Calls in a row that ended in a pause.
    failures: u32,
}

impl Tokens {
    /// What can be said without asking anybody: the current token, if it need not be renewed yet, or early in a pause
    /// the failure that began it.
    pub(super) fn at_hand(&self, now: Instant) -> Option<Result<Issued, Failure>> {
        let pause = self.pause.as_ref().filter(|pause| now < pause.until);
        match (&self.current, pause) {
            (Some(current), None) if now < current.renew_at => Some(Ok(current.issued.clone())),
            (Some(current), Some(_)) if now < current.ends_at => Some(Ok(current.issued.clone())),
            (_, Some(pause)) if now + PATIENCE < pause.until => Some(Err(pause.failure.clone())),
            _ => None,
        }
    }

    /// How long to wait before anybody may be asked.
    pub(super) fn pause(&self, now: Instant) -> Duration {
        self.pause.as_ref().map(|pause| pause.until.saturating_duration_since(now)).unwrap_or_default()
    }

    /// Whether a token that was handed out a while ago is still the one to send.
    pub(super) fn is_fresh(&self, generation: Generation, now: Instant) -> bool {
        self.current
            .as_ref()
            .is_some_and(|current| current.issued.generation == generation && now < current.last_moments)
    }

    /// How long the current token is still good, if its issuer said.
    pub(super) fn life(&self, now: Instant) -> Option<Duration> {
        let current = self.current.as_ref().filter(|current| current.is_told)?;
        Some(current.ends_at.saturating_duration_since(now))
    }

    /// How long the current token will go on being handed out without a call.
    pub(super) fn renewal_in(&self, now: Instant) -> Option<Duration> {
        self.current.as_ref().map(|current| current.renew_at.saturating_duration_since(now))
    }

    /// The last token issued, to be looked for in what comes back.
    pub(super) fn last(&self) -> Option<Secret> {
        self.last.clone()
    }

    /// The token the server refused last.
    pub(super) fn last_refused(&self) -> Option<Secret> {
        self.refused.clone()
    }

    /// Here is a new token. `chance` moves its renewal: 0 not at all, 255 by a tenth of the margin.
    pub(super) fn put(&mut self, token: Secret, life: Life, now: Instant, chance: u8) -> Issued {
        let margin = life.margin();
        let early = margin / 10 * u32::from(chance) / 255;
        let is_doubted = self.last_refused != 0 && self.last_refused >= self.last_accepted;
        self.issued += 1;
        if !is_doubted {
            self.trusted = self.issued;
        }
        let ends_at = now + life.left;
        let told = life.is_told.then_some(ends_at);
        let issued = Issued { token, generation: Generation { number: self.issued, ends_at: told } };
        self.last = Some(issued.token.clone());
        self.current = Some(Current {
            issued: issued.clone(),
            renew_at: now + life.left.saturating_sub(margin + early),
            last_moments: now + life.left.saturating_sub(margin.min(LAST_MOMENTS)),
            ends_at,
            is_told: life.is_told,
        });
        (self.pause, self.failures) = (None, 0);
        issued
    }

    /// There is none. A token that still lives goes on being used, and the next call waits a little.
    pub(super) fn put_failure(&mut self, failure: Failure, again: AskAgain, now: Instant) -> Result<Issued, Failure> {
        let living = self.current.as_mut().filter(|current| now < current.ends_at);
        let pause = match again {
            AskAgain::AtNeed => None,
            AskAgain::AfterPause(told) => {
                let grown = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST_PAUSE);
                self.failures = self.failures.saturating_add(1);
                Some(told.unwrap_or_default().max(grown))
            }
        };
        self.pause = pause.map(|pause| Pause { until: now + pause, failure: failure.clone() });
        let Some(current) = living else { return Err(failure) };
        current.renew_at = current.ends_at.min(now + RENEWAL_PAUSE);
        Ok(current.issued.clone())
    }

    /// A sign-in with this token worked.
    pub(super) fn accepted(&mut self, Generation { number, .. }: Generation) {
        self.last_accepted = self.last_accepted.max(number);
    }

    /// A sign-in with this token was refused.
    pub(super) fn refused(&mut self, generation: Generation, now: Instant) -> AfterRefusal {
        let Generation { number, ends_at } = generation;
        if let Some(current) = self.current.take_if(|current| current.issued.generation == generation) {
            self.refused = Some(current.issued.token);
        }
        if ends_at.is_some_and(|ends_at| now >= ends_at) {
            return AfterRefusal::TooLate;
        }
        self.last_refused = self.last_refused.max(number);
        let worked_once = self.last_accepted >= number;
        if number <= self.trusted || worked_once { AfterRefusal::Again } else { AfterRefusal::Final }
    }

    /// A person signed in anew: nothing that was known of the tokens before says anything about the next, and a
    /// refusal of one that is still out there is worth another try.
    pub(super) fn forget(&mut self) {
        let (issued, last) = (self.issued, self.last.take());
        *self = Self { issued, trusted: issued, last, ..Self::default() };
    }
}

#[cfg(test)]
mod tests;
