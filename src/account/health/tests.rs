//! Stories of an account, a clock, and what the log would say.
//!
//! Time is counted in minutes from the start of each story; nobody waits for it.

use super::super::signin::Generation;
use super::*;
use crate::secret::Secret;

/// An account, a clock, and what the log would say.
struct Story {
    health: Health,
    start: Instant,
    minutes: u64,
}

impl Story {
    fn begin() -> Self {
        Self { health: Health::Well, start: Instant::now(), minutes: 0 }
    }

    fn now(&self) -> Instant {
        self.start + MINUTE * u32::try_from(self.minutes).unwrap()
    }

    fn may_try(&mut self) -> bool {
        let now = self.now();
        self.health.may_try(now).is_ok()
    }

    fn fails(&mut self, stage: Stage, cause: Cause) -> Option<Change> {
        let now = self.now();
        self.health.failed(now, stage, &Diagnosis::because(cause))
    }

    /// The minutes between the tries when every try fails like this.
    fn waits(stage: Stage, cause: Cause, tries: usize) -> Vec<u64> {
        let mut story = Self::begin();
        let mut waits = Vec::new();
        for _ in 0..tries {
            assert!(story.may_try(), "at minute {}", story.minutes);
            story.fails(stage, cause).expect("a change to log");
            let failed_at = story.minutes;
            story.minutes = story.health.hold().unwrap().until.duration_since(story.start).as_secs() / 60;
            waits.push(story.minutes - failed_at);
            story.minutes -= 1;
            assert!(!story.may_try(), "a minute before");
            story.minutes += 1;
        }
        waits
    }
}

impl Diagnosis {
    fn because(cause: Cause) -> Self {
        Self::new("test", cause, "No.", "Help.")
    }
}

#[test]
fn each_kind_of_failure_has_its_own_rhythm() {
    assert_eq!(Story::waits(Stage::SignIn, Cause::Account, 5), [5, 15, 60, 60, 60]);
    assert_eq!(Story::waits(Stage::Mail, Cause::Account, 3), [5, 15, 60]);
    assert_eq!(Story::waits(Stage::Password, Cause::Account, 3), [5, 360, 360]);
    assert_eq!(Story::waits(Stage::SignIn, Cause::Config, 3), [60, 60, 60]);
    assert_eq!(Story::waits(Stage::Mail, Cause::Quota, 7), [60, 120, 240, 480, 960, 1440, 1440]);
    assert_eq!(Rhythm::Quota.pause(u32::MAX), 24 * HOUR);
}

#[test]
fn a_quota_is_waited_out_for_as_long_as_the_provider_says() {
    let told = |cause| Diagnosis { lifts_after: Some(Duration::from_hours(3)), ..Diagnosis::because(cause) };
    let mut story = Story::begin();
    let Some(Change::Held(hold)) = story.health.failed(story.start, Stage::Mail, &told(Cause::Quota)) else {
        panic!("held")
    };
    assert_eq!(hold.until, story.start + 3 * HOUR);
    story.minutes = 180;
    assert!(story.may_try());
    story.fails(Stage::Mail, Cause::Quota);
    assert_eq!(story.health.hold().unwrap().until, story.now() + 2 * HOUR, "without a word it doubles");
    let mut other = Health::Well;
    other.failed(story.start, Stage::SignIn, &told(Cause::Account));
    assert_eq!(other.hold().unwrap().until, story.start + 5 * MINUTE, "nobody can say when a sign-in works again");
}

#[test]
fn what_is_nobodys_fault_here_holds_nothing() {
    let mut story = Story::begin();
    for cause in [Cause::Throttle, Cause::Message, Cause::Network, Cause::Uncertain] {
        assert_eq!(story.fails(Stage::SignIn, cause), None, "{cause}");
        assert!(story.may_try());
    }
}

#[test]
fn when_the_time_is_over_exactly_one_tries_and_its_success_frees_all() {
    let mut story = Story::begin();
    assert!(matches!(story.fails(Stage::SignIn, Cause::Account), Some(Change::Held(_))));
    story.minutes = 5;
    assert!(story.may_try(), "the first");
    assert!(!story.may_try(), "the second waits for it");
    let change = story.health.succeeded(story.now(), Proof::SignIn);
    assert_eq!(change, Some(Change::Well { held_for: 5 * MINUTE }));
    assert!(story.may_try() && story.may_try());
    assert_eq!(story.health.succeeded(story.now(), Proof::SignIn), None, "said once");
}

#[test]
fn a_hold_is_said_once_and_not_lengthened_by_those_who_were_under_way() {
    let mut story = Story::begin();
    let Some(Change::Held(hold)) = story.fails(Stage::Password, Cause::Account) else { panic!("held") };
    assert_eq!(hold.diagnosis, Diagnosis::because(Cause::Account));
    story.minutes = 4;
    assert_eq!(story.fails(Stage::Password, Cause::Account), None);
    assert_eq!(story.health.hold(), Some(&hold));
}

#[test]
fn a_caller_that_vanishes_does_not_hold_the_account_for_ever() {
    let mut story = Story::begin();
    story.fails(Stage::SignIn, Cause::Account);
    story.minutes = 5;
    assert!(story.may_try());
    story.minutes = 24;
    assert!(!story.may_try());
    story.minutes = 25;
    assert!(story.may_try(), "another one takes its place");
    assert!(!story.may_try());
}

#[test]
fn a_try_that_was_cut_short_keeps_the_reason_and_comes_back_soon() {
    let mut story = Story::begin();
    story.fails(Stage::SignIn, Cause::Config);
    story.minutes = 60;
    assert!(story.may_try());
    let Some(Change::StillHeld(hold)) = story.fails(Stage::SignIn, Cause::Network) else { panic!("still held") };
    assert_eq!((hold.diagnosis.cause, hold.step), (Cause::Config, 0));
    assert_eq!(hold.until, story.now() + 5 * MINUTE);
}

#[test]
fn a_caller_that_gives_up_lets_another_try_after_five_minutes() {
    let mut story = Story::begin();
    story.fails(Stage::Password, Cause::Account);
    story.minutes = 5;
    assert!(story.may_try());
    story.health.gave_up(story.now());
    story.minutes = 9;
    assert!(!story.may_try());
    story.minutes = 10;
    assert!(story.may_try());
    let mut well = Health::Well;
    well.gave_up(story.now());
    assert_eq!(well, Health::Well);
}

#[test]
fn what_failed_after_the_sign_in_is_over_only_with_a_delivery() {
    let mut story = Story::begin();
    story.fails(Stage::Mail, Cause::Quota);
    story.minutes = 60;
    assert!(story.may_try());
    assert_eq!(story.health.succeeded(story.now(), Proof::SignIn), None);
    assert!(!story.may_try(), "a sign-in does not say that the quota is back");
    assert!(story.health.succeeded(story.now(), Proof::Delivery).is_some());
    assert!(story.may_try());
}

#[test]
fn another_reason_starts_its_own_rhythm_within_the_same_hold() {
    let mut story = Story::begin();
    story.fails(Stage::SignIn, Cause::Account);
    story.minutes = 5;
    assert!(story.may_try());
    let Some(Change::StillHeld(hold)) = story.fails(Stage::Password, Cause::Account) else { panic!("still held") };
    assert_eq!((hold.step, hold.since, hold.until), (0, story.start, story.now() + 5 * MINUTE));
}

#[test]
fn only_a_password_refused_at_auth_counts_as_a_refused_password() {
    let secret = || Secret::new("hunter2".into());
    let password = Credential::Password { username: "u".into(), password: secret() };
    let token = Credential::Token {
        username: "u".into(),
        token: secret(),
        generation: Generation { number: 1, ends_at: None },
    };
    assert_eq!(Stage::of(Phase::Auth, &password), Stage::Password);
    assert_eq!(Stage::of(Phase::Tls, &password), Stage::SignIn);
    assert_eq!(Stage::of(Phase::Auth, &token), Stage::SignIn);
    assert_eq!(Stage::of(Phase::Credential, &token), Stage::SignIn);
    assert_eq!(Stage::of(Phase::Mail, &password), Stage::Mail);
}

#[test]
fn a_new_sign_in_ends_every_hold_and_the_next_attempt_goes_at_once() {
    for (stage, cause) in [
        (Stage::SignIn, Cause::Account),
        (Stage::Password, Cause::Account),
        (Stage::Mail, Cause::Account),
        (Stage::SignIn, Cause::Config),
        (Stage::Mail, Cause::Quota),
    ] {
        let mut story = Story::begin();
        assert_eq!(story.health.signed_in(story.now()), None, "nothing to end");
        story.fails(stage, cause);
        story.minutes = 2;
        assert!(!story.may_try());
        assert_eq!(story.health.signed_in(story.now()), Some(Change::Well { held_for: 2 * MINUTE }));
        assert!(story.may_try());
        assert!(matches!(story.fails(stage, cause), Some(Change::Held(hold)) if hold.step == 0), "a rhythm of its own");
    }
}

#[test]
fn only_holds_that_a_sign_in_may_end_are_watched_for_one() {
    let watched = |stage, cause| {
        let mut story = Story::begin();
        story.fails(stage, cause);
        story.health.hold().unwrap().is_for_sign_in()
    };
    assert!(watched(Stage::SignIn, Cause::Account) && watched(Stage::SignIn, Cause::Config));
    assert!(!watched(Stage::Mail, Cause::Quota) && !watched(Stage::Password, Cause::Account));
}
