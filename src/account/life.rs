//! How long a token lives, how much of that is left, and when that is too little. Pure.
//!
//! Guarantees that a token of any life, seconds included, is good for three quarters of it. A record is judged by the
//! wall clock, which may have jumped: one from the future says nothing about the age of its token, so the token counts
//! as old, which costs one renewal and nothing else.

use std::time::Duration;

use jiff::Timestamp;

use super::vault::Facts;

/// Never less than this remains of a token that is handed out without asking for a new one, if its life allows it.
const MARGIN: Duration = Duration::from_mins(10);

/// For a token nobody told the life of (RFC 6749 §5.1 leaves it open). Short, because a program may hand out one that
/// has been used for a while; asking too often costs little.
const UNKNOWN: Duration = Duration::from_mins(5);

/// No server means more; keeps nonsense from overflowing the clock.
const LONGEST: Duration = Duration::from_hours(24);

/// The life of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    whole: Duration,
    /// What remains of it.
    pub left: Duration,
    /// Whether the issuer said.
    pub is_told: bool,
}

impl Life {
    /// Of a token issued just now, of whose life this was said.
    pub(super) fn begin(told: Option<Duration>) -> Self {
        let whole = told.unwrap_or(UNKNOWN).min(LONGEST);
        Self { whole, left: whole, is_told: told.is_some() }
    }

    /// The same, so much later.
    pub(super) fn after(self, age: Duration) -> Self {
        Self { left: self.whole.saturating_sub(age), ..self }
    }

    /// Of the kept access token; nothing if it cannot be told.
    pub(super) fn of_kept(facts: &Facts, now: Timestamp) -> Option<Self> {
        let age = span(facts.renewed, now)?;
        let told = match facts.access_ends {
            None => None,
            Some(ends) => Some(span(facts.renewed, ends)?),
        };
        Some(Self::begin(told).after(age))
    }

    /// What must remain of a token that is handed out without asking for a new one.
    pub(super) fn margin(self) -> Duration {
        MARGIN.min(self.whole / 4)
    }

    /// Whether enough remains.
    pub(super) fn is_enough(self) -> bool {
        self.left > self.margin()
    }
}

/// From one time to a later one.
fn span(from: Timestamp, to: Timestamp) -> Option<Duration> {
    to.duration_since(from).try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::keeper::tests::facts;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// What is left at that second of a token that was issued at 1000 and ends at 4600.
    fn left(now: i64) -> Option<(u64, bool)> {
        let facts = Facts { renewed: at(1000), access_ends: Some(at(4600)), ..facts() };
        Life::of_kept(&facts, at(now)).map(|life| (life.left.as_secs(), life.is_enough()))
    }

    #[test]
    fn a_kept_token_is_good_until_ten_minutes_before_its_end() {
        assert_eq!(left(1000), Some((3600, true)));
        assert_eq!(left(3999), Some((601, true)));
        assert_eq!(left(4000), Some((600, false)));
        assert_eq!(left(9999), Some((0, false)));
    }

    #[test]
    fn a_record_from_the_future_says_nothing_about_the_age_of_its_token() {
        assert_eq!(left(999), None);
        let ends_before_it_begins = Facts { renewed: at(1000), access_ends: Some(at(10)), ..facts() };
        assert_eq!(Life::of_kept(&ends_before_it_begins, at(1001)), None);
    }

    #[test]
    fn a_token_of_two_seconds_is_good_for_a_second_and_a_half() {
        let life = Life::begin(Some(Duration::from_secs(2)));
        for (millis, is_enough) in [(0, true), (1400, true), (1500, false)] {
            assert_eq!(life.after(Duration::from_millis(millis)).is_enough(), is_enough, "{millis}");
        }
    }

    #[test]
    fn of_a_token_whose_end_nobody_told_little_is_expected() {
        let facts = Facts { renewed: at(1000), access_ends: None, ..facts() };
        let life = |now| Life::of_kept(&facts, at(now)).unwrap();
        assert!(life(1200).is_enough() && !life(1300).is_enough() && !life(1000).is_told);
    }
}
