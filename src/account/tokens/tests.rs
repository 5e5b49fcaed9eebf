//! What is known of tokens, told step by step; time is an argument.
//!
//! Nobody waits for anything here.

use super::*;

const MINUTE: u64 = 60;

fn put(tokens: &mut Tokens, life: Option<u64>, now: Instant) -> Issued {
    tokens.put(Secret::new("ey".into()), Life::begin(life.map(Duration::from_secs)), now, 0)
}

fn fresh(tokens: &Tokens, now: Instant) -> Option<Issued> {
    tokens.at_hand(now).and_then(Result::ok)
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
        let mut tokens = Tokens::default();
        put(&mut tokens, life, start);
        assert!(fresh(&tokens, later(start, fresh_for)).is_none(), "{life:?}");
        if let Some(before) = fresh_for.checked_sub(1) {
            assert!(fresh(&tokens, later(start, before)).is_some(), "{life:?}");
        }
    }
}

#[test]
fn chance_moves_the_renewal_ahead_by_a_tenth_of_the_margin_at_most() {
    let start = Instant::now();
    let mut tokens = Tokens::default();
    tokens.put(Secret::new("ey".into()), Life::begin(Some(Duration::from_secs(60 * MINUTE))), start, 255);
    assert!(fresh(&tokens, later(start, 49 * MINUTE - 1)).is_some());
    assert!(fresh(&tokens, later(start, 49 * MINUTE)).is_none());
}

#[test]
fn a_failed_renewal_does_not_waste_a_token_that_still_lives() {
    for again in [AskAgain::AtNeed, AskAgain::AfterPause(None)] {
        let start = Instant::now();
        let mut tokens = Tokens::default();
        let first = put(&mut tokens, Some(60 * MINUTE), start);
        let now = later(start, 55 * MINUTE);
        assert!(fresh(&tokens, now).is_none());
        assert_eq!(tokens.put_failure(failure(), again, now).unwrap().generation, first.generation);
        assert!(fresh(&tokens, later(start, 55 * MINUTE + 59)).is_some(), "no call for a minute");
        assert!(tokens.at_hand(later(start, 56 * MINUTE)).is_none(), "then it is tried again");
        let over = later(start, 60 * MINUTE);
        assert_eq!(tokens.put_failure(failure(), again, over).unwrap_err(), failure(), "over is over");
    }
}

/// The seconds in which nobody is asked, when each call fails.
fn pauses(told: &[Option<u64>]) -> Vec<u64> {
    let mut tokens = Tokens::default();
    let mut now = Instant::now();
    let pause = |told: &Option<u64>| {
        assert!(tokens.at_hand(now).is_none());
        let again = AskAgain::AfterPause(told.map(Duration::from_secs));
        assert!(tokens.put_failure(failure(), again, now).is_err());
        let pause = tokens.pause(now).as_secs();
        assert!(tokens.pause(later(now, pause)).is_zero());
        now = later(now, pause);
        pause
    };
    told.iter().map(pause).collect()
}

#[test]
fn an_endpoint_that_fails_is_left_alone_for_longer_and_longer_up_to_a_minute() {
    assert_eq!(pauses(&[None; 9]), [1, 2, 4, 8, 16, 32, 60, 60, 60]);
}

#[test]
fn what_the_endpoint_says_is_heeded_when_it_is_longer() {
    assert_eq!(pauses(&[Some(120), Some(0), Some(3), Some(30)]), [120, 2, 4, 30]);
}

#[test]
fn early_in_a_long_pause_the_reason_is_told_and_near_its_end_it_is_waited_for() {
    let now = Instant::now();
    let mut tokens = Tokens::default();
    let again = AskAgain::AfterPause(Some(Duration::from_secs(30)));
    assert!(tokens.put_failure(failure(), again, now).is_err());
    assert_eq!(tokens.at_hand(later(now, 24)).unwrap().unwrap_err(), failure());
    assert!(tokens.at_hand(later(now, 25)).is_none());
    assert_eq!(tokens.pause(later(now, 25)), Duration::from_secs(5));
}

#[test]
fn a_token_ends_the_pauses() {
    let now = Instant::now();
    let mut tokens = Tokens::default();
    for _ in 0..5 {
        assert!(tokens.put_failure(failure(), AskAgain::AfterPause(None), now).is_err());
    }
    put(&mut tokens, Some(0), now);
    assert!(tokens.pause(now).is_zero());
    assert!(tokens.put_failure(failure(), AskAgain::AfterPause(None), now).is_err());
    assert_eq!(tokens.pause(now), Duration::from_secs(1), "the first pause again");
}

#[test]
fn a_told_pause_does_not_cost_a_token_that_still_lives() {
    let start = Instant::now();
    let mut tokens = Tokens::default();
    put(&mut tokens, Some(100), start);
    assert!(tokens.put_failure(failure(), AskAgain::AfterPause(Some(Duration::from_mins(10))), start).is_ok());
    assert!(fresh(&tokens, later(start, 99)).is_some());
    assert_eq!(tokens.at_hand(later(start, 100)).unwrap().unwrap_err(), failure());
}

#[test]
fn a_refused_token_is_replaced_once_and_the_second_refusal_is_final() {
    let now = Instant::now();
    let mut tokens = Tokens::default();
    let first = put(&mut tokens, None, now).generation;
    tokens.accepted(first);
    assert_eq!(tokens.refused(first, now), AfterRefusal::Again);
    assert!(fresh(&tokens, now).is_none(), "it is dropped");
    let second = put(&mut tokens, None, now).generation;
    assert_eq!(tokens.refused(second, now), AfterRefusal::Final);
    let probe = put(&mut tokens, None, now).generation;
    assert_eq!(tokens.refused(probe, now), AfterRefusal::Final, "a probe costs one try, not two");
}

#[test]
fn a_sign_in_that_works_restores_the_trust() {
    let now = Instant::now();
    let mut tokens = Tokens::default();
    let first = put(&mut tokens, None, now).generation;
    assert_eq!(tokens.refused(first, now), AfterRefusal::Again);
    let second = put(&mut tokens, None, now).generation;
    tokens.accepted(second);
    assert_eq!(tokens.refused(second, now), AfterRefusal::Again, "it had worked");
    let third = put(&mut tokens, None, now).generation;
    tokens.accepted(third);
    let fourth = put(&mut tokens, None, now).generation;
    assert_eq!(tokens.refused(fourth, now), AfterRefusal::Again);
}

#[test]
fn several_connections_refused_with_one_token_all_get_the_next() {
    let now = Instant::now();
    let mut tokens = Tokens::default();
    let first = put(&mut tokens, None, now).generation;
    assert_eq!(tokens.refused(first, now), AfterRefusal::Again);
    let second = put(&mut tokens, None, now).generation;
    assert_eq!(tokens.refused(first, now), AfterRefusal::Again, "the late one of the same token");
    assert_eq!(fresh(&tokens, now).unwrap().generation, second, "which does not cost the new one");
    assert_eq!([tokens.refused(second, now), tokens.refused(second, now)], [AfterRefusal::Final; 2]);
}

#[test]
fn after_a_new_sign_in_nothing_from_before_is_held_against_it() {
    let now = Instant::now();
    let mut tokens = Tokens::default();
    let first = put(&mut tokens, None, now).generation;
    assert_eq!(tokens.refused(first, now), AfterRefusal::Again);
    let second = put(&mut tokens, None, now).generation;
    assert_eq!(tokens.refused(second, now), AfterRefusal::Final);
    assert!(tokens.put_failure(failure(), AskAgain::AfterPause(None), now).is_err());
    tokens.forget();
    assert!(tokens.at_hand(now).is_none() && tokens.last_refused().is_none());
    assert_eq!(tokens.refused(second, now), AfterRefusal::Again, "one that was still out there");
    let third = put(&mut tokens, None, now).generation;
    assert!(third.number > second.number, "numbers never come back");
}

#[test]
fn a_token_is_sent_until_its_last_moments_and_only_while_it_is_the_current_one() {
    let start = Instant::now();
    for (life, sent_for) in [(3600, 3595), (40, 35), (8, 6), (4, 3)] {
        let mut tokens = Tokens::default();
        let first = put(&mut tokens, Some(life), start).generation;
        assert!(tokens.is_fresh(first, later(start, sent_for - 1)), "{life}");
        assert!(!tokens.is_fresh(first, later(start, sent_for)), "{life}");
    }
    let mut tokens = Tokens::default();
    let first = put(&mut tokens, Some(3600), start).generation;
    let second = put(&mut tokens, Some(3600), start).generation;
    assert!(!tokens.is_fresh(first, start) && tokens.is_fresh(second, start));
    tokens.forget();
    assert!(!tokens.is_fresh(second, start), "somebody has signed in anew");
}

#[test]
fn the_refusal_of_a_token_that_had_ended_says_nothing_about_the_account() {
    let start = Instant::now();
    let mut tokens = Tokens::default();
    for _ in 0..3 {
        let ended = put(&mut tokens, Some(2), start).generation;
        assert_eq!(tokens.refused(ended, later(start, 2)), AfterRefusal::TooLate);
        assert!(tokens.at_hand(start).is_none(), "it is not handed out again");
    }
    let living = put(&mut tokens, Some(2), start).generation;
    assert_eq!(tokens.refused(living, later(start, 1)), AfterRefusal::Again, "the first that counts");
    let untold = put(&mut tokens, None, start).generation;
    assert_eq!(
        tokens.refused(untold, later(start, 100 * MINUTE)),
        AfterRefusal::Final,
        "nobody knows that it had ended"
    );
}
