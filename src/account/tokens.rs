//! What is known of an account's token: which one is current, until when, and whether the server likes it. Pure.
//!
//! A token is renewed when less than min(10 minutes, a quarter of its life) remains, a little earlier by chance, so
//! that many relays do not ask at once. A refused token is dropped; whether another try makes sense follows from
//! history: it does not when the refused token had itself replaced a refused one and no sign-in worked since.

use std::time::{Duration, Instant};

use super::oauth::Token;
use super::signin::Generation;
use crate::diagnosis::Failure;
use crate::secret::Secret;

/// Never less than this remains of a token that is handed out without asking for a new one, if its life allows it.
const MARGIN: Duration = Duration::from_mins(10);

/// For a token nobody told the life of (RFC 6749 §5.1 leaves it open). Short, because a program may hand out one that
/// has been used for a while; asking too often costs little.
const UNKNOWN_LIFE: Duration = Duration::from_mins(5);

/// No server means more; keeps nonsense from overflowing the clock.
const LONGEST_LIFE: Duration = Duration::from_hours(24);

/// After a renewal ahead of time has failed, the next one is not tried before this.
const RENEWAL_PAUSE: Duration = Duration::from_mins(1);

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
    /// Another credential will not help: the account is to be held.
    Final,
}

#[derive(Debug, Clone)]
struct Current {
    issued: Issued,
    renew_at: Instant,
    ends_at: Instant,
    /// Whether the issuer said when it ends.
    is_told: bool,
}

/// How the last call for a token ended; shared by everybody who waited for it.
#[derive(Debug, Clone)]
enum Landing {
    None,
    Token,
    Failed(Failure),
}

/// The state of one account's tokens. Generations count from 1; 0 stands for never.
#[derive(Debug)]
pub(super) struct Tokens {
    current: Option<Current>,
    /// The last one issued, refused or not: an endpoint may repeat it when it is asked for another.
    last: Option<Secret>,
    issued: u64,
    last_accepted: u64,
    last_refused: u64,
    /// Generations at or below this were issued in good standing: a refusal of one of them is worth another try.
    trusted: u64,
    calls: u64,
    landing: Landing,
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self {
            current: None,
            last: None,
            issued: 0,
            last_accepted: 0,
            last_refused: 0,
            trusted: 0,
            calls: 0,
            landing: Landing::None,
        }
    }

    /// The current token, if it need not be renewed yet.
    pub(super) fn fresh(&self, now: Instant) -> Option<Issued> {
        self.current.as_ref().filter(|current| now < current.renew_at).map(|current| current.issued.clone())
    }

    /// How long the current token is still good, if its issuer said.
    pub(super) fn life(&self, now: Instant) -> Option<Duration> {
        let current = self.current.as_ref().filter(|current| current.is_told)?;
        Some(current.ends_at.saturating_duration_since(now))
    }

    /// The last token issued, to be looked for in what comes back.
    pub(super) fn last(&self) -> Option<Secret> {
        self.last.clone()
    }

    /// How many calls for a token have ended.
    pub(super) fn calls(&self) -> u64 {
        self.calls
    }

    /// What the last call brought, if one has ended after `since` were counted. `None` asks for another call.
    pub(super) fn landed(&self, since: u64) -> Option<Result<Issued, Failure>> {
        if self.calls == since {
            return None;
        }
        match &self.landing {
            Landing::None => None,
            Landing::Token => self.current.as_ref().map(|current| Ok(current.issued.clone())),
            Landing::Failed(failure) => Some(Err(failure.clone())),
        }
    }

    /// A call brought a token. `chance` moves its renewal: 0 not at all, 255 by a tenth of the margin.
    pub(super) fn put(&mut self, token: Token, now: Instant, chance: u8) -> Issued {
        let life = token.life.unwrap_or(UNKNOWN_LIFE).min(LONGEST_LIFE);
        let margin = MARGIN.min(life / 4);
        let early = margin / 10 * u32::from(chance) / 255;
        let is_doubted = self.last_refused != 0 && self.last_refused >= self.last_accepted;
        self.issued += 1;
        if !is_doubted {
            self.trusted = self.issued;
        }
        let issued = Issued { token: token.access_token, generation: Generation(self.issued) };
        let renew_at = now + life.saturating_sub(margin + early);
        self.last = Some(issued.token.clone());
        let (ends_at, is_told) = (now + life, token.life.is_some());
        self.current = Some(Current { issued: issued.clone(), renew_at, ends_at, is_told });
        self.calls += 1;
        self.landing = Landing::Token;
        issued
    }

    /// A call failed. A token that still lives goes on being used, and the next call waits a little.
    pub(super) fn put_failure(&mut self, failure: Failure, now: Instant) -> Result<Issued, Failure> {
        self.calls += 1;
        match &mut self.current {
            Some(current) if now < current.ends_at => {
                current.renew_at = current.ends_at.min(now + RENEWAL_PAUSE);
                self.landing = Landing::Token;
                Ok(current.issued.clone())
            }
            _ => {
                self.landing = Landing::Failed(failure.clone());
                Err(failure)
            }
        }
    }

    /// A sign-in with this token worked.
    pub(super) fn accepted(&mut self, Generation(number): Generation) {
        self.last_accepted = self.last_accepted.max(number);
    }

    /// A sign-in with this token was refused.
    pub(super) fn refused(&mut self, Generation(number): Generation) -> AfterRefusal {
        self.last_refused = self.last_refused.max(number);
        if self.current.as_ref().is_some_and(|current| current.issued.generation == Generation(number)) {
            self.current = None;
        }
        let worked_once = self.last_accepted >= number;
        if number <= self.trusted || worked_once { AfterRefusal::Again } else { AfterRefusal::Final }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60;

    fn token(life: Option<u64>) -> Token {
        Token {
            access_token: Secret::new("ey".into()),
            life: life.map(Duration::from_secs),
            refresh_token: None,
            refresh_life: None,
            scope: None,
        }
    }

    fn later(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    fn failure() -> Failure {
        Failure::Password { detail: "away".into() }
    }

    #[test]
    fn a_token_is_renewed_before_it_ends() {
        let start = Instant::now();
        for (life, fresh_for) in [
            (Some(60 * MINUTE), 50 * MINUTE),
            (Some(20 * MINUTE), 15 * MINUTE),
            (Some(40), 30),
            (None, 225),
            (Some(0), 0),
            (Some(u64::MAX), (24 * 60 - 10) * MINUTE),
        ] {
            let mut tokens = Tokens::new();
            tokens.put(token(life), start, 0);
            assert!(tokens.fresh(later(start, fresh_for)).is_none(), "{life:?}");
            if let Some(before) = fresh_for.checked_sub(1) {
                assert!(tokens.fresh(later(start, before)).is_some(), "{life:?}");
            }
        }
    }

    #[test]
    fn chance_moves_the_renewal_ahead_by_a_tenth_of_the_margin_at_most() {
        let start = Instant::now();
        let mut tokens = Tokens::new();
        tokens.put(token(Some(60 * MINUTE)), start, 255);
        assert!(tokens.fresh(later(start, 49 * MINUTE - 1)).is_some());
        assert!(tokens.fresh(later(start, 49 * MINUTE)).is_none());
    }

    #[test]
    fn a_failed_renewal_does_not_waste_a_token_that_still_lives() {
        let start = Instant::now();
        let mut tokens = Tokens::new();
        let first = tokens.put(token(Some(60 * MINUTE)), start, 0);
        let now = later(start, 55 * MINUTE);
        assert!(tokens.fresh(now).is_none());
        assert_eq!(tokens.put_failure(failure(), now).unwrap().generation, first.generation);
        assert!(tokens.fresh(later(start, 55 * MINUTE + 59)).is_some(), "no call for a minute");
        assert!(tokens.fresh(later(start, 56 * MINUTE)).is_none(), "then it is tried again");
        assert_eq!(tokens.put_failure(failure(), later(start, 60 * MINUTE)).unwrap_err(), failure(), "over is over");
    }

    #[test]
    fn those_who_waited_share_what_came_and_latecomers_do_not() {
        let start = Instant::now();
        let mut tokens = Tokens::new();
        let before = tokens.calls();
        assert!(tokens.landed(before).is_none(), "nothing has ended yet");
        assert!(tokens.put_failure(failure(), start).is_err());
        assert_eq!(tokens.landed(before).unwrap().unwrap_err(), failure());
        assert!(tokens.landed(tokens.calls()).is_none(), "who comes now asks anew");

        let before = tokens.calls();
        tokens.put(token(Some(0)), start, 0);
        assert!(tokens.landed(before).unwrap().is_ok(), "even of a token that has no life");
    }

    #[test]
    fn a_refused_token_is_replaced_once_and_the_second_refusal_is_final() {
        let now = Instant::now();
        let mut tokens = Tokens::new();
        let first = tokens.put(token(None), now, 0).generation;
        tokens.accepted(first);
        assert_eq!(tokens.refused(first), AfterRefusal::Again);
        assert!(tokens.fresh(now).is_none(), "it is dropped");
        let second = tokens.put(token(None), now, 0).generation;
        assert_eq!(tokens.refused(second), AfterRefusal::Final);
        let probe = tokens.put(token(None), now, 0).generation;
        assert_eq!(tokens.refused(probe), AfterRefusal::Final, "a probe costs one try, not two");
    }

    #[test]
    fn a_sign_in_that_works_restores_the_trust() {
        let now = Instant::now();
        let mut tokens = Tokens::new();
        let first = tokens.put(token(None), now, 0).generation;
        assert_eq!(tokens.refused(first), AfterRefusal::Again);
        let second = tokens.put(token(None), now, 0).generation;
        tokens.accepted(second);
        assert_eq!(tokens.refused(second), AfterRefusal::Again, "it had worked");
        let third = tokens.put(token(None), now, 0).generation;
        tokens.accepted(third);
        let fourth = tokens.put(token(None), now, 0).generation;
        assert_eq!(tokens.refused(fourth), AfterRefusal::Again);
    }

    #[test]
    fn several_connections_refused_with_one_token_all_get_the_next() {
        let now = Instant::now();
        let mut tokens = Tokens::new();
        let first = tokens.put(token(None), now, 0).generation;
        assert_eq!(tokens.refused(first), AfterRefusal::Again);
        let second = tokens.put(token(None), now, 0).generation;
        assert_eq!(tokens.refused(first), AfterRefusal::Again, "the late one of the same token");
        assert_eq!(tokens.fresh(now).unwrap().generation, second, "which does not cost the new one");
        assert_eq!([tokens.refused(second), tokens.refused(second)], [AfterRefusal::Final; 2]);
    }
}
