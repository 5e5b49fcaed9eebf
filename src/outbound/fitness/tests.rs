//! What follows for the lane, the couriers and the background when several things are known of an account at once.
//!
//! Time is counted in seconds from the start of each story.

use jiff::Timestamp;

use super::*;
use crate::account::budget::Asked;
use crate::account::health::Stage;
use crate::words::Phase;

const MINUTE: Duration = Duration::from_mins(1);
const WINDOW: Duration = Duration::from_secs(15);

struct Story(Fitness, Moment);

impl Story {
    fn begin(limits: (usize, Option<u32>, Option<u32>)) -> Self {
        let now = Moment { steady: Instant::now(), wall: Timestamp::UNIX_EPOCH };
        Self(Fitness::new(limits, vec![MINUTE], WINDOW, &Remembered::default(), now), now)
    }

    fn now(&self) -> Instant {
        self.1.steady
    }

    fn later(&mut self, span: Duration) {
        self.1.wall = self.1.wall_at(self.now() + span);
        self.1.steady += span;
    }

    fn fails(&mut self, stage: Stage, cause: Cause) {
        let generation = self.0.health.generation();
        self.0.health.failed(self.now(), generation, stage, &why(cause));
    }

    fn goes_away(&mut self) {
        for _ in 0..3 {
            self.0.breaker.failed(self.now(), &why(Cause::Network), 127);
        }
    }

    fn shut(&self) -> Option<Shut> {
        self.0.shut(self.now())
    }

    fn duty(&self) -> Option<Duty> {
        self.0.duty(self.now())
    }

    fn turns(&self) -> [Turn; 3] {
        [0, 1, 2].map(|number| self.0.turn(number, self.now()))
    }
}

fn why(cause: Cause) -> Diagnosis {
    Diagnosis::new("test", cause, "No.", "Help.")
}

#[test]
fn a_held_account_is_probed_and_its_provider_not_tried_beside_that() {
    let mut story = Story::begin((3, None, None));
    story.fails(Stage::Password, Cause::Account);
    story.goes_away();
    assert_eq!((story.shut(), story.duty()), (Some(Shut::Held), None));
    story.later(2 * MINUTE);
    assert_eq!(story.duty(), None, "the provider would be tried by now, were it not for the hold");
    story.later(3 * MINUTE);
    assert_eq!(story.duty(), Some(Duty::SignIn));
    story.0.health.signed_in(story.now());
    assert_eq!((story.shut(), story.duty()), (Some(Shut::Away), Some(Duty::Reach)), "the rest is still true");
    story.0.forgive();
    assert_eq!((story.shut(), story.duty()), (None, None));
}

#[test]
fn each_hold_is_tried_in_its_own_way() {
    let duty = |stage, cause| {
        let mut story = Story::begin((3, None, None));
        story.fails(stage, cause);
        assert_eq!(story.duty(), None, "not at once");
        story.later(60 * MINUTE);
        story.duty()
    };
    assert_eq!(duty(Stage::SignIn, Cause::Account), Some(Duty::SignIn));
    assert_eq!(duty(Stage::Server, Cause::Config), Some(Duty::Look));
    assert_eq!(duty(Stage::Mail, Cause::Quota), None, "mail tells, nothing else does");
}

#[test]
fn on_trial_one_courier_has_its_turn_and_with_one_message() {
    let mut story = Story::begin((3, None, None));
    assert_eq!(story.turns(), [Turn::Now; 3]);
    assert!(story.0.may_send_ahead(story.now()));
    story.fails(Stage::Mail, Cause::Quota);
    story.later(60 * MINUTE);
    story.0.health.open_on_trial(story.now());
    assert_eq!(story.shut(), None);
    assert!(story.0.sit_down(1) && !story.0.sit_down(2), "the first that comes");
    assert_eq!(story.turns(), [Turn::Later, Turn::Now, Turn::Later]);
    assert!(!story.0.may_send_ahead(story.now()));
}

#[test]
fn of_a_throttled_account_some_couriers_rest_and_who_has_a_line_goes_before_who_has_none() {
    let mut story = Story::begin((3, None, None));
    assert!(story.0.sit_down(2) && story.0.sit_down(1));
    story.0.throttle.complained(story.now(), story.now(), Phase::Mail, &why(Cause::Throttle));
    assert_eq!(story.turns(), [Turn::Later, Turn::Later, Turn::Now], "the longest seated");
    assert!(!story.0.sit_down(0) && story.0.sit_down(2));
    assert!(!story.0.may_send_ahead(story.now()));
    story.0.stand_up(2);
    assert_eq!(story.turns(), [Turn::Later, Turn::Now, Turn::Later]);
    story.0.stand_up(1);
    assert!(story.0.sit_down(0), "a place is free");
}

#[test]
fn a_full_minute_shuts_the_lane_only_for_longer_than_a_message_waits() {
    let mut story = Story::begin((3, Some(2), None));
    story.0.throttle.sent(story.now());
    story.0.throttle.sent(story.now());
    assert_eq!(story.shut(), Some(Shut::TooFast), "nothing goes out for a minute");
    let opens = story.0.changes_at(story.now()).unwrap();
    story.later(opens - story.now());
    assert_eq!(story.shut(), None, "now it is worth waiting");
    assert!(matches!(story.turns()[0], Turn::At(until) if until - story.now() == WINDOW));
}

#[test]
fn what_does_not_fit_into_the_budget_shuts_the_lane_until_it_does() {
    let mut story = Story::begin((3, None, Some(10)));
    let (now, budget) = (story.1, story.0.budget.as_mut().unwrap());
    budget.write_ahead(10, now);
    budget.reserved();
    assert!(matches!(budget.take(10, now), Asked::Granted(_)));
    let Asked::UsedUp(until) = budget.take(1, now) else { panic!("beyond the limit") };
    story.0.wait_for_budget(until);
    assert_eq!(story.shut(), Some(Shut::UsedUp));
    let said = story.0.why(Shut::UsedUp, story.now());
    assert_eq!(said.cause, Cause::Quota);
    assert!(said.sentence.contains("10 recipients in 24 hours, and 10 are used"), "{}", said.sentence);
    assert_eq!(story.0.changes_at(story.now()), Some(until));
    story.later(until - story.now());
    assert_eq!(story.shut(), None);
}

#[test]
fn what_others_go_by_is_told_once_and_when_it_changes() {
    let mut story = Story::begin((3, None, None));
    assert_eq!(story.0.moved(story.now()), Some(Gate::AsBefore), "how many may work");
    assert_eq!(story.0.moved(story.now()), None);
    story.fails(Stage::SignIn, Cause::Account);
    assert_eq!(story.0.moved(story.now()), Some(Gate::Shut(why(Cause::Account))));
    assert_eq!(story.0.moved(story.now()), None);
    story.0.health.signed_in(story.now());
    assert_eq!(story.0.moved(story.now()), Some(Gate::Open));
}
