//! The promise of the budget against any sequence of takes, crashes and clocks that are set; and its small print.
//!
//! True time is counted in seconds from the start of each story; the wall clock may say something else.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A provider that counts, and a relay that may crash.
struct Story {
    limit: u32,
    start: Instant,
    /// Seconds that have truly gone by.
    now: u64,
    /// How far the wall clock is off.
    off: i64,
    budget: Budget,
    disk: Option<Written>,
    /// What the provider saw.
    sent: Vec<(u64, u32)>,
}

impl Story {
    fn begin(limit: u32) -> Self {
        let start = Instant::now();
        let wall = Timestamp::UNIX_EPOCH;
        let budget = Budget::new(limit, None, Moment { steady: start, wall });
        Self { limit, start, now: 0, off: 0, budget, disk: None, sent: Vec::new() }
    }

    fn moment(&self) -> Moment {
        let seconds = i64::try_from(self.now).unwrap() + self.off;
        Moment {
            steady: self.start + Duration::from_secs(self.now),
            wall: Timestamp::from_second(seconds.max(0)).unwrap(),
        }
    }

    /// Sends if it may; otherwise says how many seconds later it may.
    fn send(&mut self, count: u32) -> Result<(), u64> {
        loop {
            match self.budget.take(count, self.moment()) {
                Asked::Granted(_taken) => break,
                Asked::NotReserved => {
                    self.disk = self.budget.write_ahead(count, self.moment());
                    self.budget.reserved();
                }
                Asked::UsedUp(until) => {
                    return Err(until.duration_since(self.start).as_secs().saturating_sub(self.now));
                }
            }
        }
        self.sent.push((self.now, count));
        Ok(())
    }

    fn used(&self) -> u32 {
        self.budget.used(self.moment().steady)
    }

    fn crash(&mut self) {
        self.budget = Budget::new(self.limit, self.disk.as_ref(), self.moment());
    }

    /// What the relay does every few seconds.
    fn tick(&mut self) {
        if self.budget.is_out_of_date(self.moment()) {
            self.disk = Some(self.budget.write(self.moment()));
        }
    }

    /// What the provider counts in the 24 hours that end now.
    fn counted(&self) -> u32 {
        let day = DAY.as_secs();
        self.sent.iter().filter(|(at, _)| at + day > self.now).map(|(_, count)| count).sum()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Send(u32),
    Wait(u64),
    /// The clock is set, and the relay lives on for a few seconds.
    Set(i64),
    /// It is down for so long, and the clock goes back by so much meanwhile.
    Crash {
        down: u64,
        back: i64,
    },
    /// Power fails when the block is durable and nothing of it used.
    CrashAhead(u32),
    /// Something was refused and did not go out after all.
    Refused(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..40_u32).prop_map(Step::Send),
        3 => (0..30_000_u64).prop_map(Step::Wait),
        1 => (-100_000..100_000_i64).prop_map(Step::Set),
        1 => (0..50_000_u64, 0..100_000_i64).prop_map(|(down, back)| Step::Crash { down, back }),
        1 => (1..40_u32).prop_map(Step::CrashAhead),
        1 => (1..40_u32).prop_map(Step::Refused),
    ]
}

proptest! {
    #[test]
    fn in_no_24_hours_do_more_go_out_than_the_limit_allows(steps in vec(step(), 1..120), limit in 40..200_u32) {
        let mut story = Story::begin(limit);
        for step in steps {
            match step {
                Step::Send(count) => drop(story.send(count)),
                Step::Wait(seconds) => story.now += seconds,
                Step::Set(seconds) => {
                    story.off += seconds;
                    story.tick();
                }
                Step::Crash { down, back } => {
                    story.now += down;
                    story.off -= back;
                    story.crash();
                }
                Step::CrashAhead(count) => {
                    if story.budget.take(count, story.moment()) == Asked::NotReserved {
                        story.disk = story.budget.write_ahead(count, story.moment());
                        story.crash();
                    }
                }
                Step::Refused(count) => {
                    if let Asked::Granted(taken) = story.budget.take(count, story.moment()) {
                        story.budget.give_back(&taken, count);
                    }
                }
            }
            prop_assert!(story.counted() <= limit, "{} of {limit}", story.counted());
        }
    }
}

#[test]
fn all_of_the_limit_can_be_used_and_comes_back_after_a_day() {
    let mut story = Story::begin(100);
    for _ in 0..10 {
        story.send(10).unwrap();
    }
    assert_eq!((story.used(), story.budget.limit()), (100, 100));
    let wait = story.send(1).unwrap_err();
    assert!((24 * 3600..=24 * 3600 + 600).contains(&wait), "{wait}");
    story.now += wait;
    story.send(100).unwrap();
}

#[test]
fn what_has_to_wait_is_told_when_enough_of_the_rest_is_a_day_old() {
    let mut story = Story::begin(100);
    story.send(60).unwrap();
    story.now = 6 * 3600;
    story.send(40).unwrap();
    assert_eq!(story.send(50).unwrap_err() / 3600, 18, "when the 60 no longer count");
    assert_eq!(story.send(70).unwrap_err() / 3600, 24, "when nothing of it does");
}

#[test]
fn a_crash_costs_no_more_than_the_block_that_was_written_ahead() {
    let mut story = Story::begin(1_000);
    story.send(1).unwrap();
    story.crash();
    assert_eq!(story.used(), 10, "one in a hundred");
    let mut exact = Story::begin(1_000);
    exact.send(1).unwrap();
    exact.disk = Some(exact.budget.close(exact.moment()));
    exact.crash();
    assert_eq!(exact.used(), 1, "who ends in order loses nothing");
}

#[test]
fn what_is_being_written_ahead_is_in_whatever_else_is_written_meanwhile() {
    let mut story = Story::begin(1_000);
    let ahead = story.budget.write_ahead(5, story.moment());
    let counted = |written: &Option<Written>| written.as_ref().map(|written| written.spans[0].1);
    assert_eq!(counted(&ahead), Some(10), "one in a hundred");
    assert_eq!(Some(story.budget.write(story.moment())), ahead, "a hold that begins meanwhile, say");
    story.budget.reserved();
    assert_eq!(Some(story.budget.write(story.moment())), ahead);
    assert_eq!(story.budget.write_ahead(10, story.moment()), None, "so many are reserved");
}

#[test]
fn blocks_are_written_once_and_not_for_each_mail() {
    let mut budget = Story::begin(10_000);
    let mut writes = 0;
    for _ in 0..1_000 {
        let before = budget.disk.take();
        budget.send(1).unwrap();
        writes += u32::from(budget.disk.is_some());
        budget.disk = budget.disk.take().or(before);
    }
    assert_eq!(writes, 10);
}

#[test]
fn what_did_not_go_out_is_given_back() {
    let mut story = Story::begin(100);
    story.send(100).unwrap();
    assert!(story.send(1).is_err());
    let taken = Taken { counts_until: story.budget.spans[0].counts_until, count: 30 };
    story.budget.give_back(&taken, 30);
    assert_eq!(story.used(), 70);
    story.send(30).unwrap();
    story.crash();
    assert_eq!(story.used(), 100);
}

#[test]
fn a_mail_beyond_the_whole_limit_does_not_wait_for_ever() {
    let mut story = Story::begin(50);
    story.send(1).unwrap();
    let wait = story.send(80).unwrap_err();
    story.now += wait;
    story.send(80).unwrap();
    assert!(story.send(1).is_err(), "and it counts");
}

#[test]
fn a_smaller_limit_counts_what_went_out_before() {
    let mut story = Story::begin(100);
    story.send(90).unwrap();
    story.limit = 50;
    story.crash();
    assert!(story.send(1).is_err());
    story.now += 25 * 3600;
    story.send(50).unwrap();
}

#[test]
fn what_went_out_before_a_restart_counts_for_its_day_and_no_longer() {
    let mut story = Story::begin(100);
    story.send(100).unwrap();
    story.now = 20 * 3600;
    story.crash();
    let wait = story.send(1).unwrap_err();
    assert!((4 * 3600..=4 * 3600 + 601).contains(&wait), "{wait}");
    story.now += wait;
    story.crash();
    story.send(100).unwrap();
}

#[test]
fn what_is_written_is_read_again_by_another_version() {
    let mut story = Story::begin(1_000);
    story.send(7).unwrap();
    let json = serde_json::to_string(story.disk.as_ref().unwrap()).unwrap();
    assert_eq!(json, r#"{"at":"1970-01-01T00:00:00Z","spans":[[87001,10]]}"#);
    assert_eq!(serde_json::from_str::<Written>(&json).unwrap(), story.disk.unwrap());
}
