//! Is it worth asking a provider that could not be reached? Pure.
//!
//! After three network failures in a row the breaker opens: nobody tries any more but one, on the schedule of retries.
//! When that one signs in, mail may go again on trial: the next network failure opens the breaker for longer, a reply
//! from the provider, whatever it says, closes it. What is a network failure is decided in `diagnosis`.

use std::time::{Duration, Instant};

use super::chance::spread;
use crate::diagnosis::Diagnosis;

/// So many failures in a row open it.
const FAILURES: u32 = 3;

/// The breaker of one account.
#[derive(Debug)]
pub struct Breaker {
    /// The waits before the first, second, … try; the last one is repeated.
    retry: Vec<Duration>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// So many failures since the provider last answered; fewer than [`FAILURES`].
    Closed { failures: u32 },
    /// Nobody tries before `until`.
    Open(Open),
    /// The provider was reached, and mail goes; what stands here counts if it fails again.
    Trial { since: Instant, step: usize },
}

/// Why nobody tries, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// When it opened.
    pub since: Instant,
    /// When the next try is due.
    pub until: Instant,
    /// What the last try found.
    pub diagnosis: Diagnosis,
    step: usize,
}

impl Breaker {
    /// A closed one. `retry`: the waits between the tries while it is open.
    #[must_use]
    pub fn new(retry: Vec<Duration>) -> Self {
        Self { retry, state: State::Closed { failures: 0 } }
    }

    /// The network failed. `chance` spreads the next try, so that many relays do not come back at once. True if it
    /// opened now.
    pub fn failed(&mut self, now: Instant, diagnosis: &Diagnosis, chance: u8) -> bool {
        let (since, step) = match &self.state {
            State::Closed { failures } if failures + 1 < FAILURES => {
                self.state = State::Closed { failures: failures + 1 };
                return false;
            }
            State::Closed { .. } => (now, 0),
            State::Trial { since, step } => (*since, step + 1),
            // Somebody who was under way; it says nothing new.
            State::Open(_) => return false,
        };
        self.open(now, since, step, diagnosis, chance);
        true
    }

    /// The try of an open breaker failed.
    pub fn tried(&mut self, now: Instant, diagnosis: &Diagnosis, chance: u8) {
        if let State::Open(Open { since, step, .. }) = self.state {
            self.open(now, since, step + 1, diagnosis, chance);
        }
    }

    /// The provider took the sign-in; mail will show whether the way holds. True if it was open.
    pub fn reached(&mut self) -> bool {
        let State::Open(Open { since, step, .. }) = self.state else { return false };
        self.state = State::Trial { since, step };
        true
    }

    /// The provider answered for a mail. True if the breaker was open.
    pub fn answered(&mut self) -> bool {
        let was_open = matches!(self.state, State::Open(_));
        self.state = State::Closed { failures: 0 };
        was_open
    }

    /// Why nobody tries, if it is open.
    #[must_use]
    pub fn open_now(&self) -> Option<&Open> {
        match &self.state {
            State::Open(open) => Some(open),
            State::Closed { .. } | State::Trial { .. } => None,
        }
    }

    fn open(&mut self, now: Instant, since: Instant, step: usize, diagnosis: &Diagnosis, chance: u8) {
        let wait = self.retry.get(step).or(self.retry.last()).copied().unwrap_or(Duration::from_mins(1));
        let until = now + spread(wait, chance);
        self.state = State::Open(Open { since, until, diagnosis: diagnosis.clone(), step });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Cause;

    const MINUTE: Duration = Duration::from_mins(1);
    /// In the middle of the spread.
    const EVEN: u8 = 127;

    fn away() -> Diagnosis {
        Diagnosis::new("closed", Cause::Network, "Nobody answers.", "Wait.")
    }

    struct Story(Breaker, Instant);

    impl Story {
        fn begin() -> Self {
            Self(Breaker::new(vec![MINUTE, 2 * MINUTE, 5 * MINUTE]), Instant::now())
        }

        fn fails(&mut self) -> bool {
            self.0.failed(self.1, &away(), EVEN)
        }

        /// Whole minutes until the next try.
        fn wait(&self) -> Option<u64> {
            self.0.open_now().map(|open| (open.until.duration_since(self.1).as_secs() + 30) / 60)
        }
    }

    #[test]
    fn three_failures_in_a_row_open_it_and_two_do_not() {
        let mut story = Story::begin();
        assert!(!story.fails() && !story.fails());
        assert_eq!(story.0.open_now(), None);
        assert!(story.fails(), "said once");
        assert_eq!(story.wait(), Some(1));
        assert!(!story.fails(), "who was under way adds nothing");
        assert_eq!(story.wait(), Some(1));
    }

    #[test]
    fn any_answer_in_between_begins_the_count_anew() {
        let mut story = Story::begin();
        for _ in 0..5 {
            story.fails();
            story.fails();
            story.0.answered();
        }
        assert_eq!(story.0.open_now(), None);
    }

    #[test]
    fn it_tries_again_on_schedule_and_then_keeps_to_the_last_step() {
        let mut story = Story::begin();
        for _ in 0..3 {
            story.fails();
        }
        let mut waits = Vec::new();
        for _ in 0..4 {
            waits.extend(story.wait());
            story.0.tried(story.1, &away(), EVEN);
        }
        assert_eq!(waits, [1, 2, 5, 5]);
    }

    #[test]
    fn a_sign_in_lets_mail_go_on_trial_and_only_an_answer_to_it_closes() {
        let mut story = Story::begin();
        for _ in 0..3 {
            story.fails();
        }
        assert!(story.0.reached());
        assert_eq!(story.0.open_now(), None, "mail goes");
        assert!(story.fails(), "one failure is enough now");
        assert_eq!(story.wait(), Some(2), "and the schedule goes on where it was");
        assert!(story.0.reached());
        story.0.answered();
        assert!(!story.fails() && !story.fails(), "closed, it takes three again");
    }

    #[test]
    fn many_relays_do_not_come_back_at_once() {
        let wait = |chance| {
            let mut story = Story::begin();
            for _ in 0..3 {
                story.0.failed(story.1, &away(), chance);
            }
            story.0.open_now().unwrap().until.duration_since(story.1)
        };
        assert_eq!((wait(0), wait(255)), (Duration::from_secs(48), Duration::from_secs(72)), "20 % either way");
    }
}
