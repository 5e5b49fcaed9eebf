//! What becomes of a parcel, outcome by outcome, and what holds whatever the outcomes are.
//!
//! Times are seconds since the message came. The last test plays whole lives of parcels with any outcomes in any order:
//! what it asserts must hold for all of them.

use proptest::prelude::*;

use super::*;
use crate::ids::{AttemptId, MessageId};
use crate::mail::address::Address;
use crate::mail::envelope::Recipient;
use crate::queue::parcel::ParcelId;

const ARRIVED: Timestamp = Timestamp::UNIX_EPOCH;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn parcel(recipients: usize) -> Parcel {
    let owed = |i| Owed {
        recipient: Recipient::plain(Address::parse(format!("r{i}@x.example").as_bytes()).unwrap()),
        state: State::NEW,
    };
    Parcel {
        id: ParcelId { message: MessageId::new(), number: 0 },
        route: Route::try_from("office,backup".to_owned()).unwrap(),
        recipients: (0..recipients).map(owed).collect(),
        standing: Standing::Due { at: ARRIVED },
        attempts: 0,
        tries: Vec::new(),
        held_s: 0,
        lacking: None,
    }
}

fn why(cause: Cause) -> Diagnosis {
    Diagnosis::new("test", cause, "because", "mend it")
}

fn delivered() -> Outcome {
    Outcome::Delivered(Reply::new(250, 0, 0, "taken"))
}

fn later() -> Outcome {
    Outcome::Later(None, why(Cause::Network))
}

fn refused(code: u16, subject: u16, detail: u16) -> Outcome {
    let refusal = Refusal::new(code, subject, detail, "no");
    if code < 500 {
        Outcome::Later(Some(refusal), why(Cause::Throttle))
    } else {
        Outcome::Never(refusal, why(Cause::Message))
    }
}

fn moment<'a>(seconds: i64, keeping: &'a Keeping, account: &'a AccountName) -> Moment<'a> {
    Moment { now: at(seconds), arrived: ARRIVED, keeping, spread: 0.0, account }
}

/// With the default rules, through the first account.
fn settled(parcel: Parcel, outcomes: &[Outcome], seconds: i64) -> Settled {
    settle(parcel, outcomes, None, &moment(seconds, &Keeping::default(), &"office".into()))
}

fn due(parcel: &Parcel) -> i64 {
    let Standing::Due { at } = parcel.standing else { panic!("not due: {:?}", parcel.standing) };
    at.as_second()
}

#[test]
fn the_waits_are_the_configured_ones_and_the_last_is_repeated() {
    let mut parcel = parcel(1);
    let mut now = 0;
    let mut waits = Vec::new();
    for _ in 0..9 {
        parcel = settled(parcel, &[later()], now).parcel;
        waits.push((due(&parcel) - now) / 60);
        now = due(&parcel);
    }
    assert_eq!(waits, [1, 2, 5, 10, 15, 30, 60, 60, 60]);
}

#[test]
fn the_waits_are_spread_by_a_fifth() {
    let (keeping, account) =
        (Keeping { retry: vec![Duration::from_secs(1000)], ..Keeping::default() }, "office".into());
    let next =
        |spread| due(&settle(parcel(1), &[later()], None, &Moment { spread, ..moment(0, &keeping, &account) }).parcel);
    assert_eq!([next(-1.0), next(0.0), next(1.0)], [800, 1000, 1200]);
    assert_eq!([next(7.0), next(f64::NAN)], [1200, 1000], "chance is never trusted beyond its range");
}

#[test]
fn with_everyone_delivered_nothing_is_left() {
    let Settled { parcel, finished, is_finished } = settled(parcel(2), &[delivered(), delivered()], 5);
    assert!(is_finished && finished == [0, 1], "{parcel:?}");
    assert!(
        parcel
            .recipients
            .iter()
            .all(|owed| matches!(&owed.state, State::Delivered { reply, .. } if reply == "250 2.0.0 taken"))
    );
}

#[test]
fn who_is_finished_is_not_asked_for_again() {
    let first = settled(parcel(3), &[delivered(), later(), refused(550, 1, 1)], 5);
    assert_eq!((first.finished, first.is_finished), (vec![0, 2], false));
    let kept = first.parcel.recipients.clone();
    let second = settled(first.parcel, &[delivered()], 65);
    assert_eq!(second.finished, [1]);
    assert_eq!([&second.parcel.recipients[0], &second.parcel.recipients[2]], [&kept[0], &kept[2]]);
    assert_eq!(second.parcel.standing, Standing::Failed { since: at(65) }, "one of them failed: kept for a look");
}

#[test]
fn what_failed_is_kept_only_if_that_is_wanted() {
    let keeping = Keeping { keep_failed: Duration::ZERO, ..Keeping::default() };
    let settled = settle(parcel(1), &[refused(550, 1, 1)], None, &moment(0, &keeping, &"office".into()));
    assert!(settled.is_finished && settled.finished == [0]);
}

#[test]
fn the_rest_of_too_many_recipients_goes_at_once_and_only_after_progress() {
    for outcome in
        [refused(452, 5, 3), Outcome::Later(Refusal::try_from(Reply::bare(552, "many")).ok(), why(Cause::Throttle))]
    {
        let rest = settled(parcel(2), &[delivered(), outcome.clone()], 7).parcel;
        assert_eq!((due(&rest), rest.attempts), (7, 0), "{outcome:?}");
        let none = settled(parcel(2), &[outcome.clone(), outcome], 7).parcel;
        assert_eq!((due(&none), none.attempts), (67, 1), "nobody was taken: as any other refusal");
    }
    let full = settled(parcel(2), &[delivered(), refused(452, 2, 2)], 7).parcel;
    assert_eq!(due(&full), 67, "a full mailbox is not too many recipients");
}

#[test]
fn a_hold_of_the_account_costs_no_attempt() {
    let held = settled(parcel(2), &[Outcome::Hold(why(Cause::Account)), later()], 9).parcel;
    assert_eq!((due(&held), held.attempts), (10, 0));
    assert_eq!(held.route.to_string(), "office,backup");
}

#[test]
fn a_hold_of_the_message_waits_for_a_person() {
    let held = settled(parcel(1), &[Outcome::HoldMessage(why(Cause::Config))], 9).parcel;
    let Standing::Held { since, until, by: HeldBy::Message, why } = held.standing else { panic!("{held:?}") };
    assert_eq!((since, until, why.sentence.as_str()), (at(9), None, "because"));
}

#[test]
fn an_uncertain_attempt_is_repeated_through_its_own_account_and_not_soon() {
    let account = "backup".into();
    let outcomes = [Outcome::Uncertain(why(Cause::Uncertain)), delivered(), refused(550, 1, 1)];
    let retried = settle(parcel(3), &outcomes, None, &moment(0, &Keeping::default(), &account)).parcel;
    assert_eq!((retried.route.to_string().as_str(), due(&retried)), ("backup", 600));
    let keeping = Keeping { uncertain: Uncertain::Hold, hold_for: Some(Duration::from_secs(50)), ..Keeping::default() };
    let held = settle(parcel(3), &outcomes, None, &moment(0, &keeping, &account)).parcel;
    assert!(
        matches!(held.standing, Standing::Held { by: HeldBy::Uncertain, until: Some(until), .. } if until == at(50))
    );
    assert_eq!(held.route.to_string(), "backup");
}

#[test]
fn when_its_time_is_over_it_is_given_up_with_4_4_7() {
    let days = 24 * 3600;
    let near = settled(parcel(2), &[delivered(), later()], 5 * days - 10);
    assert_eq!(due(&near.parcel), 5 * days, "the last attempt is made when the time ends");
    let Settled { parcel, finished, .. } = settled(near.parcel, &[refused(450, 2, 0)], 5 * days);
    let State::Never { said, .. } = &parcel.recipients[1].state else { panic!("{parcel:?}") };
    assert_eq!(said.reply.as_deref(), Some("451 4.4.7 Not delivered within 5 days; last: 450 4.2.0 no"));
    assert_eq!((finished, said.why.code.as_str()), (vec![1], "expired"));
}

#[test]
fn ten_days_in_a_hold_of_the_account_take_nothing_of_its_lifetime() {
    let days = 24 * 3600;
    let held = settled(parcel(1), &[Outcome::Hold(why(Cause::Account))], 60).parcel;
    let back = claimed(held, at(10 * days + 30), at(10 * days));
    let tried = settled(back, &[later()], 10 * days + 60).parcel;
    assert_eq!(due(&tried), 10 * days + 120, "it is tried on, not given up");
    let end = expires(&tried, ARRIVED, &Keeping::default()).as_second();
    let left = 15 * days - end;
    assert!((0..=100).contains(&left), "what it waited for its own failures counts: {left} s");
}

#[test]
fn time_it_was_due_and_the_account_could_be_used_counts() {
    let waited = claimed(parcel(1), at(1000), at(300));
    assert_eq!(waited.held_s, 300);
    assert_eq!(claimed(waited.clone(), at(1000), at(300)), waited, "counted once");
    assert_eq!(claimed(parcel(1), at(1000), at(-5)).held_s, 0);
}

#[test]
fn what_was_sending_when_the_process_died_is_uncertain_and_nothing_else_is() {
    let attempt = AttemptId::new();
    let standing = Standing::Sending { account: "backup".into(), attempt, since: at(100) };
    let found = recovered(Parcel { standing, ..parcel(1) }, ARRIVED, at(160), &Keeping::default(), 0.0);
    assert_eq!((found.route.to_string().as_str(), due(&found), found.attempts), ("backup", 700, 1));
    assert_eq!(found.tries[0].id, attempt);
    let untouched = parcel(1);
    assert_eq!(recovered(untouched.clone(), ARRIVED, at(160), &Keeping::default(), 0.0), untouched);
}

#[test]
fn what_is_found_after_its_lifetime_is_tried_once_more() {
    let standing = Standing::Sending { account: "office".into(), attempt: AttemptId::new(), since: at(100) };
    let month = 30 * 24 * 3600;
    let found = recovered(Parcel { standing, ..parcel(1) }, ARRIVED, at(month), &Keeping::default(), 0.0);
    assert_eq!(due(&found), month);
}

#[test]
fn a_hold_that_a_person_ended_took_nothing_of_its_lifetime() {
    let keeping = Keeping::default();
    let held = hold(parcel(1), "wrong paper", at(100), &keeping).unwrap();
    let Standing::Held { by: HeldBy::Person, ref why, .. } = held.standing else { panic!() };
    assert_eq!(why.sentence, "held by hand: wrong paper");
    assert_eq!(retry(held.clone(), ARRIVED, at(200)), Err(Refused::Held));
    let released = release(held, at(900)).unwrap();
    assert_eq!((due(&released), released.held_s), (900, 800));
    assert_eq!(release(released, at(900)), Err(Refused::NotHeld));
}

#[test]
fn what_failed_can_be_tried_anew_with_a_lifetime_of_its_own() {
    let month = 30 * 24 * 3600;
    let failed = settled(parcel(2), &[delivered(), refused(550, 1, 1)], 5).parcel;
    let again = retry(failed, ARRIVED, at(month)).unwrap();
    assert_eq!((due(&again), again.recipients[1].state.is_open()), (month, true));
    assert!(!again.recipients[0].state.is_open(), "who has it gets it once");
    assert!(matches!(settled(again, &[later()], month).parcel.standing, Standing::Due { .. }));
}

#[test]
fn a_hold_that_lasted_too_long_is_given_up() {
    let keeping = Keeping { hold_for: Some(Duration::from_hours(24)), ..Keeping::default() };
    let held = hold(parcel(1), "", at(0), &keeping).unwrap();
    let Settled { parcel, finished, is_finished } = give_up_held(held, at(24 * 3600), &keeping);
    let State::Never { said, .. } = &parcel.recipients[0].state else { panic!() };
    assert_eq!(said.reply.as_deref(), Some("451 4.4.7 Held for 1 day: held by hand"));
    assert_eq!((finished, is_finished), (vec![0], false));
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(delivered()),
        Just(later()),
        Just(refused(452, 5, 3)),
        Just(refused(450, 2, 0)),
        Just(refused(550, 1, 1)),
        Just(Outcome::Hold(why(Cause::Account))),
        Just(Outcome::HoldMessage(why(Cause::Config))),
        Just(Outcome::Uncertain(why(Cause::Uncertain))),
    ]
}

proptest! {
    /// Whatever happens to a parcel for years: finished stays finished, it is never due in the past, never dropped while
    /// somebody is open, remembers a bounded number of attempts, and a life of attempts ends.
    #[test]
    fn a_parcel_comes_to_an_end_and_forgets_nobody(
        rounds in prop::collection::vec((prop::collection::vec(any_outcome(), 4), 0u32..200_000, -1.0..1.0f64), 1..60)
    ) {
        let (keeping, account) = (Keeping::default(), AccountName::from("office"));
        let (mut parcel, mut now) = (parcel(4), 0i64);
        for (outcomes, idle, spread) in rounds {
            let before = parcel.clone();
            now = match before.standing {
                Standing::Due { at } => at.as_second().max(now) + i64::from(idle % 600),
                Standing::Held { .. } => {
                    now += i64::from(idle);
                    parcel = release(parcel, at(now)).unwrap();
                    now
                }
                Standing::Sending { .. } | Standing::Failed { .. } => break,
            };
            let open = parcel.recipients.iter().filter(|owed| is_open(owed)).count();
            let tried = Try { id: AttemptId::new(), account: account.clone(), at: at(now), ended: String::new(), why: None, dsn: false };
            let moment = Moment { spread, ..moment(now, &keeping, &account) };
            let after = settle(parcel, &outcomes[..open], Some(tried), &moment);
            for (old, new) in before.recipients.iter().zip(&after.parcel.recipients) {
                prop_assert!(old.state.is_open() || old == new);
            }
            prop_assert!(after.parcel.tries.len() <= TRIES_KEPT);
            prop_assert!(!after.is_finished || after.parcel.recipients.iter().all(|owed| !is_open(owed)));
            if after.is_finished { break }
            match after.parcel.standing {
                Standing::Due { at } => {
                    prop_assert!(at.as_second() >= now);
                    let soon = after.parcel.attempts == before.attempts;
                    prop_assert!(soon || now < 5 * 24 * 3600 + i64::try_from(after.parcel.held_s).unwrap());
                }
                Standing::Failed { .. } => prop_assert!(after.parcel.recipients.iter().all(|owed| !is_open(owed))),
                _ => {}
            }
            parcel = after.parcel;
        }
    }
}
