//! Stories of an account, a clock, and what the log would say.
//!
//! Time is counted in minutes from the start of each story; nobody waits for it.

use jiff::Timestamp;

use super::super::signin;
use super::*;
use crate::secret::Secret;
use crate::smtp::reply::Reply;

/// An account, a clock, and what the log would say.
struct Story {
    health: Health,
    start: Instant,
    minutes: u64,
    /// Minutes by which the wall clock is off.
    off: i64,
}

impl Story {
    fn begin() -> Self {
        Self { health: Health::default(), start: Instant::now(), minutes: 0, off: 0 }
    }

    fn now(&self) -> Instant {
        self.start + MINUTE * u32::try_from(self.minutes).unwrap()
    }

    fn moment(&self) -> Moment {
        let wall = Timestamp::from_second((100_000 + i64::try_from(self.minutes).unwrap() + self.off) * 60).unwrap();
        Moment { steady: self.now(), wall }
    }

    fn is_open(&self) -> bool {
        self.health.closed_by().is_none()
    }

    fn fails(&mut self, stage: Stage, cause: Cause) -> Option<Change> {
        self.health.failed(self.now(), self.health.generation(), stage, &Diagnosis::because(cause))
    }

    /// What is to be tried is tried, and fails like this.
    fn tries(&mut self, stage: Stage, cause: Cause) -> Option<Change> {
        match self.health.due(self.now()).expect("nothing is to be tried") {
            EndsBy::Time => {
                self.health.open_on_trial(self.now()).expect("the time is over");
                self.fails(stage, cause)
            }
            _ => self.health.tried(self.now(), self.health.generation(), stage, &Diagnosis::because(cause)),
        }
    }

    fn hold(&self) -> &Hold {
        self.health.hold().expect("held")
    }

    /// Minutes until the next try.
    fn wait(&self) -> u64 {
        self.hold().until.duration_since(self.now()).as_secs() / 60
    }

    /// The minutes between the tries when every try fails like this.
    fn waits(stage: Stage, cause: Cause, tries: usize) -> Vec<u64> {
        let mut story = Self::begin();
        story.fails(stage, cause).expect("a change to log");
        let mut waits = Vec::new();
        loop {
            waits.push(story.wait());
            if waits.len() == tries {
                return waits;
            }
            story.minutes += story.wait() - 1;
            assert_eq!(story.health.due(story.now()), None, "a minute before");
            story.minutes += 1;
            story.tries(stage, cause).expect("a change to log");
        }
    }

    /// The relay dies and is started again.
    fn restarted(&mut self) {
        self.restarted_after_a_step(0);
    }

    /// The same, and the clock is set by so many minutes meanwhile.
    fn restarted_after_a_step(&mut self, minutes: i64) {
        let kept = self.hold().keep(self.moment());
        self.off += minutes;
        let json = serde_json::to_string(&kept).unwrap();
        self.health = Health::recall(&serde_json::from_str(&json).unwrap(), self.moment());
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
    assert_eq!(Story::waits(Stage::Server, Cause::Config, 3), [60, 60, 60]);
    assert_eq!(Story::waits(Stage::SignIn, Cause::Config, 3), [60, 60, 60]);
    assert_eq!(Story::waits(Stage::Mail, Cause::Quota, 7), [60, 120, 240, 480, 960, 1440, 1440]);
    assert_eq!(Rhythm::Quota.pause(u32::MAX), 24 * HOUR);
}

#[test]
fn what_ends_a_hold_follows_from_what_could_not_be_done() {
    let ends = |stage, cause| {
        let mut story = Story::begin();
        story.fails(stage, cause);
        story.hold().ends_by()
    };
    assert_eq!(ends(Stage::Password, Cause::Account), EndsBy::Probe);
    assert_eq!(ends(Stage::SignIn, Cause::Account), EndsBy::Probe);
    assert_eq!(ends(Stage::Server, Cause::Config), EndsBy::Change, "looked at without credentials");
    assert_eq!(ends(Stage::SignIn, Cause::Config), EndsBy::Probe, "a look cannot see it");
    assert_eq!(ends(Stage::Mail, Cause::Quota), EndsBy::Time);
    assert_eq!(ends(Stage::Password, Cause::Quota), EndsBy::Time);
    assert_eq!(ends(Stage::Mail, Cause::Account), EndsBy::Time, "a sign-in without mail would prove nothing");
}

#[test]
fn a_quota_is_waited_out_for_as_long_as_the_provider_says() {
    let told = |cause| Diagnosis { lifts_after: Some(3 * HOUR), ..Diagnosis::because(cause) };
    let mut story = Story::begin();
    story.health.failed(story.start, Generation(0), Stage::Mail, &told(Cause::Quota));
    assert_eq!(story.wait(), 180);
    story.minutes = 180;
    story.tries(Stage::Mail, Cause::Quota);
    assert_eq!(story.wait(), 120, "without a word it doubles");
    let mut other = Story::begin();
    other.health.failed(other.start, Generation(0), Stage::SignIn, &told(Cause::Account));
    assert_eq!(other.wait(), 5, "nobody can say when a sign-in works again");
}

#[test]
fn what_is_nobodys_fault_here_holds_nothing() {
    let mut story = Story::begin();
    for cause in [Cause::Throttle, Cause::Message, Cause::Network, Cause::Uncertain] {
        assert_eq!(story.fails(Stage::SignIn, cause), None, "{cause}");
        assert!(story.is_open());
    }
}

#[test]
fn a_hold_is_said_once_and_not_lengthened_by_those_who_were_under_way() {
    let mut story = Story::begin();
    assert!(matches!(story.fails(Stage::Password, Cause::Account), Some(Change::Held(_))));
    let hold = story.hold().clone();
    assert_eq!(hold.diagnosis, Diagnosis::because(Cause::Account));
    story.minutes = 4;
    assert_eq!(story.fails(Stage::Password, Cause::Account), None);
    assert_eq!(story.health.hold(), Some(&hold));
}

#[test]
fn a_sign_in_that_works_ends_a_hold_that_a_probe_ends() {
    let mut story = Story::begin();
    story.fails(Stage::SignIn, Cause::Account);
    story.minutes = 5;
    assert_eq!(story.health.due(story.now()), Some(EndsBy::Probe));
    assert!(!story.is_open(), "mail waits for what the probe says");
    let change = story.health.succeeded(story.now(), Proof::SignIn);
    assert_eq!(change, Some(Change::Well { held_for: 5 * MINUTE }));
    assert!(story.is_open());
    assert_eq!(story.health.succeeded(story.now(), Proof::SignIn), None, "said once");
}

#[test]
fn a_look_ends_a_hold_of_the_configuration_and_no_other() {
    let mut story = Story::begin();
    story.fails(Stage::Server, Cause::Config);
    story.minutes = 60;
    assert_eq!(story.health.due(story.now()), Some(EndsBy::Change));
    assert!(story.health.looks_well(story.now()).is_some());
    assert!(story.is_open());
    story.fails(Stage::Password, Cause::Account);
    assert_eq!(story.health.looks_well(story.now()), None, "a server that answers says nothing of the password");
}

#[test]
fn what_time_ends_is_opened_on_trial_and_only_a_delivery_ends_the_trial() {
    let mut story = Story::begin();
    story.fails(Stage::Mail, Cause::Quota);
    story.minutes = 59;
    assert_eq!(story.health.open_on_trial(story.now()), None);
    story.minutes = 60;
    assert!(matches!(story.health.open_on_trial(story.now()), Some(Change::OnTrial(_))));
    assert!(story.is_open() && story.health.is_on_trial());
    assert_eq!(story.health.succeeded(story.now(), Proof::SignIn), None, "a sign-in says nothing of the quota");
    assert_eq!(story.fails(Stage::Mail, Cause::Network), None, "nor does the network");
    assert!(story.health.is_on_trial());
    assert!(story.health.succeeded(story.now(), Proof::Delivery).is_some());
    assert!(story.is_open() && !story.health.is_on_trial());
}

#[test]
fn a_try_that_proved_nothing_keeps_the_reason_and_comes_back_soon() {
    let mut story = Story::begin();
    story.fails(Stage::Server, Cause::Config);
    story.minutes = 60;
    let Some(Change::StillHeld(hold)) = story.tries(Stage::Server, Cause::Network) else { panic!("still held") };
    assert_eq!((hold.diagnosis.cause, hold.step), (Cause::Config, 0));
    assert_eq!(story.wait(), 5);
}

#[test]
fn another_reason_starts_its_own_rhythm_within_the_same_hold() {
    let mut story = Story::begin();
    story.fails(Stage::SignIn, Cause::Account);
    story.minutes = 5;
    let Some(Change::StillHeld(hold)) = story.tries(Stage::Password, Cause::Account) else { panic!("still held") };
    assert_eq!((hold.step, hold.since, story.wait()), (0, story.start, 5));
}

#[test]
fn the_stage_says_what_had_been_sent() {
    let secret = || Secret::new("hunter2".into());
    let password = Credential::Password { username: "u".into(), password: secret() };
    let token = Credential::Token {
        username: "u".into(),
        token: secret(),
        generation: signin::Generation { number: 1, ends_at: None },
    };
    let said = |phase| Failure::Reply { phase, reply: Reply::bare(535, "no") };
    assert_eq!(Stage::of(&said(Phase::Auth), &password), Stage::Password);
    assert_eq!(Stage::of(&said(Phase::Auth), &token), Stage::SignIn);
    assert_eq!(Stage::of(&Failure::Closed { phase: Phase::Tls }, &password), Stage::Server);
    assert_eq!(Stage::of(&Failure::Password { detail: String::new() }, &token), Stage::SignIn);
    assert_eq!(Stage::of(&said(Phase::Mail), &password), Stage::Mail);
    let clear = Failure::WouldSendInClear { host: String::new() };
    assert_eq!(Stage::of(&clear, &password), Stage::Server, "nothing was sent");
}

#[test]
fn a_new_sign_in_ends_every_hold_and_the_next_attempt_goes_at_once() {
    for (stage, cause) in [
        (Stage::SignIn, Cause::Account),
        (Stage::Password, Cause::Account),
        (Stage::Mail, Cause::Account),
        (Stage::Server, Cause::Config),
        (Stage::Mail, Cause::Quota),
    ] {
        let mut story = Story::begin();
        assert_eq!(story.health.signed_in(story.now()), None, "nothing to end");
        story.fails(stage, cause);
        story.minutes = 2;
        assert!(!story.is_open());
        assert_eq!(story.health.signed_in(story.now()), Some(Change::Well { held_for: 2 * MINUTE }));
        assert!(story.is_open());
        assert!(matches!(story.fails(stage, cause), Some(Change::Held(hold)) if hold.step == 0), "a rhythm of its own");
    }
}

#[test]
fn what_began_before_a_sign_in_cannot_hold_the_account_again() {
    let mut story = Story::begin();
    let before = story.health.generation();
    story.fails(Stage::SignIn, Cause::Account);
    story.health.signed_in(story.now());
    let why = Diagnosis::because(Cause::Account);
    assert_eq!(story.health.failed(story.now(), before, Stage::SignIn, &why), None, "the old token, refused late");
    assert!(story.is_open());
    story.fails(Stage::SignIn, Cause::Account);
    assert_eq!(story.health.tried(story.now(), before, Stage::SignIn, &why), None, "nor lengthen a new hold");
    assert_eq!(story.hold().step, 0);
}

#[test]
fn only_holds_that_a_sign_in_may_end_are_watched_for_one() {
    let watched = |stage, cause| {
        let mut story = Story::begin();
        story.fails(stage, cause);
        story.hold().is_for_sign_in()
    };
    assert!(watched(Stage::SignIn, Cause::Account) && watched(Stage::Server, Cause::Config));
    assert!(!watched(Stage::Mail, Cause::Quota) && !watched(Stage::Password, Cause::Account));
}

#[test]
fn a_quota_survives_a_restart_with_what_was_left_of_it() {
    let mut story = Story::begin();
    story.fails(Stage::Mail, Cause::Quota);
    story.minutes = 20;
    let before = story.hold().status(story.moment());
    story.restarted();
    assert_eq!((story.is_open(), story.wait()), (false, 40));
    assert_eq!(story.hold().status(story.moment()), before, "people read the same");
    story.restarted_after_a_step(-600);
    assert_eq!(story.wait(), 60, "a clock that was set back says nothing: the whole wait");
    story.minutes += 60;
    story.tries(Stage::Mail, Cause::Quota);
    assert_eq!(story.wait(), 120, "and the rhythm goes on");
}

#[test]
fn what_can_be_found_out_without_mail_is_tried_when_the_relay_starts_but_not_by_one_that_keeps_crashing() {
    let mut story = Story::begin();
    story.fails(Stage::Password, Cause::Account);
    let mut waits = Vec::new();
    for _ in 0..5 {
        story.restarted();
        assert!(!story.is_open(), "mail waits for what the probe says");
        waits.push(story.wait());
        if story.wait() == 0 {
            story.tries(Stage::Password, Cause::Account);
        }
    }
    assert_eq!(waits, [0, 0, 0, 360, 360]);
}

#[test]
fn nonsense_on_the_disk_holds_nothing_for_longer_than_a_day() {
    let mut story = Story::begin();
    story.fails(Stage::Mail, Cause::Quota);
    let mut json = serde_json::to_value(story.hold().keep(story.moment())).unwrap();
    json["until"] = "2999-01-01T00:00:00Z".into();
    story.health = Health::recall(&serde_json::from_value(json).unwrap(), story.moment());
    assert_eq!(story.wait(), 24 * 60);
}
