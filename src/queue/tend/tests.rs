//! What time does to kept mail, with nobody's help.
//!
//! Days pass in steps of half an hour, and everybody has a turn after each.

use super::*;
use crate::journal::log::heard::Heard;
use crate::queue::fixture::{DAY, House, at, delivered, keeping, later, why};
use crate::queue::parcel::{HeldBy, State, Try, Why};
use crate::queue::settings::Keeping;
use crate::words::Cause;

const STEP: i64 = 1800;

fn held(until: Option<Timestamp>) -> Standing {
    let why = Why { code: "x".into(), cause: Cause::Message, sentence: "by hand".into(), cure: String::new() };
    Standing::Held { since: at(0), until, by: HeldBy::Person, why }
}

fn said(house: &House, id: ParcelId) -> String {
    match &house.row(id).unwrap().recipients[0].state {
        State::Never { said, .. } => said.reply.clone().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_ends_by_its_time_and_one_without_never() {
    let house = House::started(Keeping { hold_for: Some(Duration::from_hours(24)), ..keeping() }, &["office"]);
    let timed = house.put_as("nas", "office", held(Some(at(DAY)))).await;
    let kept = house.put_as("nas", "office", held(None)).await;
    house.pass(DAY - STEP, STEP).await;
    assert!(matches!(house.row(timed).unwrap().standing, Standing::Held { .. }));
    house.pass(2 * STEP, STEP).await;
    assert_eq!(said(&house, timed), "451 4.4.7 Held for 1 day: by hand");
    house.pass(60 * DAY, DAY).await;
    assert!(matches!(house.row(kept).unwrap().standing, Standing::Held { .. }));
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_said_once_a_day() {
    let (house, log) = (House::started(keeping(), &["office", "away", "held"]), Heard::begin());
    house.pass(120, 60).await;
    house.close("away", Cause::Network);
    house.close("held", Cause::Account);
    house.put_as("nas", "office", held(None)).await;
    house.put("nas", "away", 0).await;
    house.put("nas", "held", 0).await;
    house.put("nas", "held", 0).await;
    let said = || {
        let [by_itself, account] = ["messages held by themselves", "account held: because"]
            .map(|why| log.count(&["mail is held", why, "oldest=\"1970-01-01T00:02:00Z\""]));
        assert_eq!(log.count(&["account away"]), 0, "what only the network keeps is no hold");
        (by_itself, account)
    };
    house.pass(DAY - 2 * STEP, STEP).await;
    assert_eq!(said(), (0, 0));
    house.pass(3 * STEP, STEP).await;
    assert_eq!(said(), (1, 1));
    assert_eq!(log.count(&["account held: because", "parcels=2"]), 1);
    house.pass(DAY - 3 * STEP, STEP).await;
    assert_eq!(said(), (1, 1), "and not with every look");
    house.pass(3 * STEP, STEP).await;
    assert_eq!(said(), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn what_failed_is_kept_for_its_time() {
    let house = House::started(Keeping { keep_failed: Duration::from_hours(48), ..keeping() }, &["office"]);
    let failed = house.put_as("nas", "office", Standing::Failed { since: at(0) }).await;
    house.pass(2 * DAY - STEP, STEP).await;
    assert!(house.row(failed).is_some());
    house.pass(4 * STEP, STEP).await;
    assert!(house.row(failed).is_none() && house.store.messages() == 0);
}

#[tokio::test(start_paused = true)]
async fn behind_a_breaker_a_lifetime_ends_and_behind_a_hold_it_does_not() {
    let house = House::started(keeping(), &["office", "held"]);
    house.close("office", Cause::Network);
    house.close("held", Cause::Account);
    let cut_off = house.put("nas", "office", 0).await;
    let held = house.put("nas", "held", 0).await;
    house.pass(5 * DAY - 2 * STEP, STEP).await;
    assert!(house.row(cut_off).unwrap().recipients[0].state.is_open());
    house.pass(6 * STEP, STEP).await;
    assert!(said(&house, cut_off).starts_with("451 4.4.7 Not delivered within 5 days"), "{}", said(&house, cut_off));
    house.pass(5 * DAY, STEP).await;
    assert!(house.row(held).unwrap().recipients[0].state.is_open());
}

#[tokio::test(start_paused = true)]
async fn mail_of_a_held_account_is_kept_as_long_as_hold_for_says() {
    let house = House::started(Keeping { hold_for: Some(Duration::from_hours(72)), ..keeping() }, &["office"]);
    house.close("office", Cause::Account);
    let id = house.put("nas", "office", 0).await;
    house.pass(3 * DAY - 2 * STEP, STEP).await;
    assert!(house.row(id).unwrap().recipients[0].state.is_open());
    house.pass(6 * STEP, STEP).await;
    assert!(said(&house, id).starts_with("451 4.4.7 Held for 3 days"), "{}", said(&house, id));
}

#[tokio::test(start_paused = true)]
async fn a_dot_that_was_recorded_after_all_does_not_sleep_until_the_next_start() {
    let house = House::started(keeping(), &["office"]);
    tokio::time::sleep(Duration::from_millis(10)).await;
    let sending = Standing::Sending { account: "office".into(), attempt: crate::ids::AttemptId::new(), since: at(0) };
    let id = house.put_as("nas", "office", sending.clone()).await;
    let in_hand = house.put_as("nas", "office", sending).await;
    assert!(house.core().out.take(in_hand), "a courier waits for its answer");
    house.pass(120, 60).await;
    assert!(matches!(house.row(id).unwrap().standing, Standing::Due { .. }));
    assert!(matches!(house.row(in_hand).unwrap().standing, Standing::Sending { .. }));
    assert!(!house.core().out.has(id));
}

#[tokio::test(start_paused = true)]
async fn failed_mail_makes_room_before_anybody_is_refused() {
    let house = House::started(Keeping { max_messages: 20, ..keeping() }, &["office"]);
    let oldest = house.put_as("nas", "office", Standing::Failed { since: at(0) }).await;
    for _ in 0..9 {
        house.put_as("fax", "office", Standing::Failed { since: at(0) }).await;
    }
    for _ in 0..9 {
        house.put("nas", "office", DAY / 48).await;
    }
    house.pass(120, 60).await;
    assert_eq!(house.store.messages(), 17, "as many went as had to");
    assert!(house.row(oldest).is_none(), "the oldest first");
}

#[tokio::test(start_paused = true)]
async fn failed_mail_of_a_device_does_not_keep_it_from_being_heard() {
    let house = House::started(Keeping { max_messages: 40, ..keeping() }, &["office"]);
    let oldest = house.put_as("nas", "office", Standing::Failed { since: at(0) }).await;
    for _ in 0..14 {
        house.put_as("nas", "office", Standing::Failed { since: at(0) }).await;
    }
    for _ in 0..5 {
        house.put("nas", "office", DAY / 48).await;
    }
    house.put_as("fax", "office", Standing::Failed { since: at(0) }).await;
    assert!(house.queue.room(0, &"nas".into()).is_err(), "it has half of the queue");
    house.pass(120, 60).await;
    assert!(house.queue.room(0, &"nas".into()).is_ok());
    assert_eq!(house.store.messages(), 18, "as many went as had to, and nobody else's");
    assert!(house.row(oldest).is_none(), "the oldest first");
}

#[tokio::test(start_paused = true)]
async fn what_a_clock_that_was_ahead_put_off_for_years_is_due_soon() {
    let house = House::new(keeping(), &["office"]);
    let years = house.put("nas", "office", 3000 * DAY).await;
    let hour = house.put("nas", "office", 3600).await;
    house.queue.start(crate::queue::Known::default());
    house.pass(120, 60).await;
    let due = |id| match house.row(id).unwrap().standing {
        Standing::Due { at } => at.as_second(),
        other => panic!("{other:?}"),
    };
    assert_eq!(due(hour), 3600);
    assert!(due(years) <= 4320 + 120, "{}", due(years));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_given_up_while_its_message_cannot_be_read_to_tell_its_sender() {
    let house = House::started(Keeping { hold_for: Some(Duration::from_hours(24)), ..keeping() }, &["office"]);
    let id = house.put_as("nas", "office", held(Some(at(60)))).await;
    house.store.trouble(id.message);
    house.pass(600, 60).await;
    assert!(matches!(house.row(id).unwrap().standing, Standing::Held { .. }), "nobody could have been told");
    assert!(!house.core().out.has(id));
    house.store.heal(id.message);
    house.pass(120, 60).await;
    assert!(said(&house, id).starts_with("451 4.4.7 Held for"), "{}", said(&house, id));
}

/// A courier takes what is due, and finds that this mail lacks something.
async fn found_lacking(house: &House) {
    let (lease, why) = (house.claim("office").await, why(Cause::Config));
    let (id, at, ended) = (crate::ids::AttemptId::new(), house.clock.now(), "not signed".to_owned());
    let tried = Try { id, account: "office".into(), at, ended, why: Some((&why).into()), dsn: false };
    lease.settle(vec![Outcome::HoldMessage(why)], Some(tried)).await;
}

/// Who renewed a certificate has nothing more to do; who has not is not told each hour.
#[tokio::test(start_paused = true)]
async fn what_lacks_something_is_tried_once_an_hour_and_what_has_not_changed_is_not_said_again() {
    let (house, log) = (House::started(keeping(), &["office"]), Heard::begin());
    let id = house.put("nas", "office", 0).await;
    found_lacking(&house).await;
    let said = log.count(&["still owed"]);
    assert_eq!(said, 1);
    for hour in 1..=3 {
        house.pass(2 * STEP, STEP).await;
        found_lacking(&house).await;
        let row = house.row(id).unwrap();
        let Standing::Held { since, by: HeldBy::Message, .. } = row.standing else { panic!("{row:?}") };
        assert_eq!((since, row.tries.len()), (at(0), 1), "it is one hold after {hour} hours");
        assert!(house.claimed("office").await.is_none());
    }
    assert_eq!(log.count(&["still owed"]), said);

    house.pass(2 * STEP, STEP).await;
    let lease = house.claim("office").await;
    assert!(lease.knows(&why(Cause::Config)) && !lease.knows(&why(Cause::Account)), "another reason is news");
    lease.settle(vec![delivered()], None).await;
    assert!(house.row(id).is_none(), "it has all it needs now");
}

#[tokio::test(start_paused = true)]
async fn looks_do_not_make_a_hold_longer_nor_a_lifetime_shorter() {
    let house = House::started(Keeping { hold_for: Some(Duration::from_hours(6)), ..keeping() }, &["office"]);
    let id = house.put("nas", "office", 0).await;
    found_lacking(&house).await;
    for _ in 1..6 {
        house.pass(2 * STEP, STEP).await;
        found_lacking(&house).await;
    }
    assert!(
        matches!(house.row(id).unwrap().standing, Standing::Held { until: Some(until), .. } if until == at(6 * 3600))
    );
    house.pass(2 * STEP, STEP).await;
    assert!(said(&house, id).starts_with("451 4.4.7 Held for 6 hours"), "{}", said(&house, id));

    let house = House::started(keeping(), &["office"]);
    let id = house.put("nas", "office", 0).await;
    found_lacking(&house).await;
    for _ in 0..4 {
        house.pass(2 * STEP, STEP).await;
        found_lacking(&house).await;
    }
    house.pass(2 * STEP, STEP).await;
    house.claim("office").await.settle(vec![later()], None).await;
    let row = house.row(id).unwrap();
    assert_eq!((row.held_s, row.lacking), (5 * 3600, None), "five hours in a hold, and no hour twice");
}

#[tokio::test(start_paused = true)]
async fn what_a_person_holds_is_not_looked_at() {
    let house = House::started(keeping(), &["office"]);
    let id = house.put_as("nas", "office", held(None)).await;
    house.pass(6 * STEP, STEP).await;
    assert!(matches!(house.row(id).unwrap().standing, Standing::Held { by: HeldBy::Person, .. }));
}
