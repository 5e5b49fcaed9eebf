//! What time it is: for people the wall clock, for spans a steady one; or both as a test sets them.
//!
//! The wall clock is for what must be right across restarts and on other machines: when a token ends, when somebody
//! signed in. It may be moved under us, either way: who compares two of its times must bear that the later one is
//! smaller. The steady clock only goes forward, and means nothing outside this run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// A source of the current time; clones of a set clock show the same time.
#[derive(Debug, Clone, Default)]
pub struct Clock(Source);

#[derive(Debug, Clone, Default)]
enum Source {
    #[default]
    System,
    Set(Arc<Set>),
}

/// A clock that a test moves.
#[derive(Debug)]
struct Set {
    began: Instant,
    hands: watch::Sender<Hands>,
}

#[derive(Debug, Clone, Copy)]
struct Hands {
    /// Since the clock was set.
    gone: Duration,
    /// Seconds since the epoch.
    wall: i64,
}

/// Both times of one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// For spans inside this run.
    pub steady: Instant,
    /// For people, and for the next run.
    pub wall: Timestamp,
}

impl Moment {
    /// What the wall clock shows when the steady one shows this, unless somebody moves it.
    #[must_use]
    pub fn wall_at(self, steady: Instant) -> Timestamp {
        let wall = match steady.checked_duration_since(self.steady) {
            Some(ahead) => SignedDuration::try_from(ahead).ok().and_then(|ahead| self.wall.checked_add(ahead).ok()),
            None => SignedDuration::try_from(self.steady.duration_since(steady))
                .ok()
                .and_then(|ago| self.wall.checked_sub(ago).ok()),
        };
        wall.unwrap_or(self.wall)
    }
}

impl Clock {
    /// One that stands still at `now`, to whole seconds, until it is moved.
    #[must_use]
    pub fn set(now: Timestamp) -> Self {
        let hands = watch::Sender::new(Hands { gone: Duration::ZERO, wall: now.as_second() });
        Self(Source::Set(Arc::new(Set { began: Instant::now(), hands })))
    }

    /// The time for people.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::now(),
            // Only times that were timestamps get in; should moving have left their range, its end is the nearest.
            Source::Set(set) => Timestamp::from_second(set.hands.borrow().wall).unwrap_or(Timestamp::MAX),
        }
    }

    /// The time for spans. The system's is the runtime's, which a test may hold still.
    #[must_use]
    pub fn steady(&self) -> Instant {
        match &self.0 {
            Source::System => tokio::time::Instant::now().into_std(),
            Source::Set(set) => set.began + set.hands.borrow().gone,
        }
    }

    /// Both at once.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment { steady: self.steady(), wall: self.now() }
    }

    /// Returns once the steady clock shows this time. Cancel-safe.
    pub async fn until(&self, time: Instant) {
        match &self.0 {
            Source::System => tokio::time::sleep_until(time.into()).await,
            Source::Set(set) => {
                // The sender lives in `set`, so this ends only when the time has come.
                let _ = set.hands.subscribe().wait_for(|hands| set.began + hands.gone >= time).await;
            }
        }
    }

    /// Moves a set clock on by so many seconds, back if they are negative, which the steady clock cannot follow; the
    /// system's clock goes its own way.
    pub fn advance(&self, seconds: i64) {
        self.step(seconds);
        if let Source::Set(set) = &self.0 {
            let gone = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
            set.hands.send_modify(|hands| hands.gone += gone);
        }
    }

    /// Sets the wall clock of a set clock by so many seconds, as a time server does: no time goes by.
    pub fn step(&self, seconds: i64) {
        if let Source::Set(set) = &self.0 {
            set.hands.send_modify(|hands| hands.wall = hands.wall.saturating_add(seconds));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_set_clock_moves_for_all_who_hold_it_and_wakes_who_waits() {
        let clock = Clock::set(Timestamp::UNIX_EPOCH);
        let (other, began) = (clock.clone(), clock.steady());
        let waits = tokio::spawn(async move {
            other.until(began + Duration::from_secs(90)).await;
            other.now().as_second()
        });
        clock.step(-30);
        clock.advance(60);
        assert_eq!(clock.steady(), began + Duration::from_mins(1), "a step is not time");
        clock.advance(30);
        assert_eq!(waits.await.unwrap(), 60);
    }

    #[test]
    fn the_wall_time_of_a_steady_one_lies_as_far_away() {
        let moment = Clock::set(Timestamp::UNIX_EPOCH).moment();
        let later = Moment { steady: moment.steady + Duration::from_secs(5), ..moment };
        assert_eq!(moment.wall_at(moment.steady + Duration::from_secs(5)).as_second(), 5);
        assert_eq!(later.wall_at(moment.steady).as_second(), -5);
    }
}
