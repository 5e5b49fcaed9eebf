//! What time it is for people: the wall clock, or one that a test sets.
//!
//! For what must be right across restarts and on other machines: when a token ends, when somebody signed in. Spans
//! inside one run are measured with tokio's clock instead. Guarantees nothing about steps of the wall clock: who
//! compares two times must bear that the later one is smaller.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// A source of the current time; clones of a set clock show the same time.
#[derive(Debug, Clone, Default)]
pub struct Clock(Source);

#[derive(Debug, Clone, Default)]
enum Source {
    #[default]
    System,
    /// Seconds since the epoch.
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// One that stands still at `now`, to whole seconds, until it is moved.
    #[must_use]
    pub fn set(now: Timestamp) -> Self {
        Self(Source::Set(Arc::new(AtomicI64::new(now.as_second()))))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::now(),
            // Only times that were timestamps get in; should moving have left their range, its end is the nearest.
            Source::Set(second) => Timestamp::from_second(second.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX),
        }
    }

    /// Moves a set clock on by so many seconds; the system's clock goes its own way.
    pub fn advance(&self, seconds: i64) {
        if let Source::Set(second) = &self.0 {
            second.fetch_add(seconds, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_clock_moves_for_all_who_hold_it() {
        let clock = Clock::set(Timestamp::UNIX_EPOCH);
        let other = clock.clone();
        clock.advance(90);
        assert_eq!(other.now().as_second(), 90);
    }
}
