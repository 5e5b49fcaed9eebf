//! Stored mail on its way to couriers: when, to whom, and in which turn.
//!
//! The queue's clock stands still unless a test moves it; the runtime's runs ahead whenever everybody waits.

mod turns;

use std::collections::HashMap;
use std::time::Instant;

use super::super::Offered;
use super::super::fixture::{DAY, House, Said, at, delivered, keeping, later, message, parcel};
use super::super::lane::READY;
use super::super::resting::MOST;
use super::super::store::{Filter, Page, StandingKind, Store};
use super::*;
use crate::mail::envelope::Envelope;
use crate::queue::{Known, Lease, Outcome, Route};
use crate::words::Cause;

async fn settle(lease: Lease, outcome: Outcome) {
    let outcomes = vec![outcome; lease.envelope().recipients.len()];
    lease.settle(outcomes, None).await;
}

#[tokio::test(start_paused = true)]
async fn stored_mail_is_handed_out_when_it_is_due_and_once() {
    let house = House::started(keeping(), &["office"]);
    let id = house.put("scanner", "office", 60).await;
    assert!(house.claimed("office").await.is_none(), "not due");
    house.clock.advance(60);
    let lease = house.claim("office").await;
    assert_eq!((lease.message().id, lease.account().as_str()), (id.message, "office"));
    assert!(house.claimed("office").await.is_none(), "it is out");
    settle(lease, delivered()).await;
    assert!(house.rows().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_a_courier_waits_is_handed_to_it() {
    let house = House::started(keeping(), &["office"]);
    assert!(house.claimed("office").await.is_none(), "it has been looked, and nothing is there");
    let claimed = async { tokio::join!(house.claimed("office"), house.put("scanner", "office", 0)) };
    let (lease, id) = claimed.await;
    assert_eq!(lease.expect("at once").message().id, id.message);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_took_after_it_was_found_due_is_not_brought() {
    let house = House::new(keeping(), &["office"]);
    let (taken, free) = (house.put("nas", "office", 0).await, house.put("nas", "office", 0).await);
    let put_off = house.put("nas", "office", 3_600).await;
    let account = "office".into();
    let lane = house.core().lanes.get(&account).unwrap();
    lane.hint(lane.orders().unwrap().0, [taken, put_off, free]);
    assert!(house.core().out.take(taken), "a person removes it");
    assert!(house.core().bring(&account).unwrap().is_ok_and(|brought| brought.found));
    assert_eq!(lane.stored().0, 1, "the other one");
    assert!(house.core().out.has(free) && !house.core().out.has(put_off));
}

#[tokio::test]
async fn a_lane_is_brought_no_more_than_it_has_room_for() {
    let house = House::new(keeping(), &["office"]);
    for _ in 0..100 {
        house.put("nas", "office", 0).await;
    }
    let account = "office".into();
    let lane = house.core().lanes.get(&account).unwrap();
    for _ in 0..20 {
        assert!(house.core().bring(&account).is_none_or(|brought| brought.is_ok()));
        let (ready, names) = lane.stored();
        assert!(ready <= READY && names <= HINTS, "{ready} messages and {names} names");
    }
    assert_eq!(lane.stored().0, READY);
    assert!(house.core().bring(&account).is_none(), "it has enough");
}

#[tokio::test(start_paused = true)]
async fn mail_goes_to_the_next_account_and_back_and_nothing_is_written_for_that() {
    let house = House::started(keeping(), &["office", "backup"]);
    for _ in 0..20 {
        house.put("nas", "office,backup", 0).await;
    }
    let written = house.store.commits();
    let first = house.claim("office").await;
    house.close("office", Cause::Account);
    assert!(house.claimed("office").await.is_none(), "closed");
    let second = house.claim("backup").await;
    assert_eq!(second.account().as_str(), "backup");
    house.open("office");
    assert!(house.claimed("backup").await.is_none(), "the first account is back");
    let third = house.claim("office").await;
    let mut three = [&first, &second, &third].map(|lease| lease.message().id);
    three.sort();
    assert!(three[0] != three[1] && three[1] != three[2], "in one hand at a time");
    assert_eq!(house.store.commits(), written);
}

#[tokio::test(start_paused = true)]
async fn what_lay_ready_for_an_account_that_closes_goes_through_the_next() {
    let house = House::started(keeping(), &["office", "backup"]);
    for _ in 0..READY + 2 {
        house.put("nas", "office,backup", 0).await;
    }
    let first = house.claim("office").await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    house.close("office", Cause::Account);
    let mut ids = vec![first.message().id];
    for _ in 0..=READY {
        let lease = house.claimed("backup").await.expect("it is due, and this account can be used");
        ids.push(lease.message().id);
        settle(lease, delivered()).await;
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), READY + 2, "each of them once");
}

#[tokio::test(start_paused = true)]
async fn while_the_store_fails_nothing_stored_is_handed_out() {
    let house = House::started(keeping(), &["office"]);
    house.put("nas", "office", 0).await;
    let lease = house.claim("office").await;
    house.put("nas", "office", 0).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    house.store.fail_next(crate::disk::durable::NotStored::Failing { detail: "broken".into() });
    assert!(house.store.commit(Vec::new()).await.is_err());
    assert!(house.claimed("office").await.is_none(), "its dot could not be recorded");
    house.store.mend();
    assert!(house.claimed("office").await.is_some());
    drop(lease);
}

#[tokio::test(start_paused = true)]
async fn after_three_days_without_the_provider_everything_arrives_exactly_once() {
    let house = House::started(keeping(), &["office"]);
    let mut owed: HashMap<_, usize> = HashMap::new();
    for number in 0..12 {
        owed.insert(house.put(["nas", "fax"][number % 2], "office", 0).await.message, 0);
    }
    let mut attempts = 0;
    while house.clock.now() < at(3 * DAY) {
        match house.claimed("office").await {
            Some(lease) => {
                attempts += 1;
                assert!(attempts < 12 * 100, "no busy loop");
                settle(lease, later()).await;
            }
            None => house.clock.advance(600),
        }
    }
    assert!(house.rows().len() == 12 && attempts > 12 * 60, "tried by schedule all the time: {attempts}");
    for _ in 0..1000 {
        match house.claimed("office").await {
            Some(lease) => {
                *owed.get_mut(&lease.message().id).unwrap() += 1;
                settle(lease, delivered()).await;
            }
            None => house.clock.advance(600),
        }
    }
    assert!(house.rows().is_empty() && owed.values().all(|times| *times == 1), "{owed:?}");
}

#[tokio::test(start_paused = true)]
async fn ten_days_of_a_held_account_bounce_nothing() {
    let house = House::started(keeping(), &["office"]);
    for _ in 0..5 {
        house.put("nas", "office", 0).await;
    }
    house.close("office", Cause::Account);
    house.pass(10 * DAY, 1800).await;
    house.open("office");
    for _ in 0..5 {
        settle(house.claim("office").await, later()).await;
    }
    let filter = Filter { standing: Some(StandingKind::Due), ..Filter::default() };
    assert_eq!(house.store.list(&filter, Page { after: None, limit: 9 }).unwrap().len(), 5, "still owed");
    house.clock.advance(2 * 3600);
    for _ in 0..5 {
        settle(house.claim("office").await, delivered()).await;
    }
    assert!(house.rows().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_read_is_set_aside_and_the_others_go() {
    let house = House::started(keeping(), &["office"]);
    house.close("office", Cause::Network);
    let bad = house.put("nas", "office", -1).await;
    let good = house.put("nas", "office", 0).await;
    house.store.damage(bad.message);
    house.open("office");
    assert_eq!(house.claim("office").await.message().id, good.message);
    tokio::time::sleep(Duration::from_millis(10)).await;
    let standing = house.row(bad).unwrap().standing;
    assert!(matches!(standing, Standing::Held { by: HeldBy::Damaged, .. }), "{standing:?}");
    assert!(!house.core().out.has(bad), "nobody has it in hand, a person can act on it");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_messages_lie_in_the_store_and_not_in_memory() {
    let house = House::new(keeping(), &["office"]);
    let body = Arc::new(message("nas", at(0)));
    for _ in 0..100 {
        let changes = (0..1000).map(|_| {
            let id = crate::ids::MessageId::new();
            let message = crate::queue::Message {
                id,
                body: body.body.under(String::new()),
                device: "nas".into(),
                kind: body.kind,
                sender: body.sender.clone(),
                ..message("nas", at(0))
            };
            Change::Store(
                Arc::new(message),
                vec![parcel(ParcelId { message: id, number: 0 }, "office", Standing::Due { at: at(0) })],
            )
        });
        house.store.commit(changes.collect()).await.unwrap();
    }
    house.queue.start(Known::default());
    for _ in 0..20 {
        settle(house.claim("office").await, delivered()).await;
    }
    let lane = house.core().lanes.get(&"office".into()).unwrap();
    let (ready, hints) = lane.stored();
    assert!(ready <= READY && hints <= HINTS, "{ready} messages and {hints} names in the lane");
    assert!(house.core().out.snapshot().len() <= READY + 1);
    assert_eq!(house.store.messages(), 99_980);
}

#[tokio::test(start_paused = true)]
async fn what_an_uncertain_attempt_narrowed_is_found_on_its_new_route() {
    let house = House::started(keeping(), &["office", "backup"]);
    house.close("office", Cause::Network);
    let id = house.put("nas", "office,backup", 0).await;
    settle(house.claim("backup").await, Outcome::Uncertain(crate::queue::fixture::why(Cause::Uncertain))).await;
    house.open("office");
    house.clock.advance(3600);
    assert!(house.claimed("office").await.is_none(), "never another account");
    assert_eq!(house.claim("backup").await.message().id, id.message);
}

#[tokio::test(start_paused = true)]
async fn a_dot_that_could_not_be_recorded_is_not_asked_for_again_at_once() {
    let house = House::started(keeping(), &["office"]);
    house.put("nas", "office", 0).await;
    let lease = house.claim("office").await;
    house.store.fail_next(crate::disk::durable::NotStored::Full { detail: "full".into() });
    assert!(lease.permit_dot(crate::ids::AttemptId::new()).await.is_none());
    drop(lease);
    assert!(house.claimed("office").await.is_none(), "the disk is as full as it was");
    assert!(house.claim("office").await.is_wanted(), "and tried again later");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_read_just_now_is_tried_again_and_said_once_while_the_others_go() {
    let said = Said::default();
    let _guard = said.listen();
    let house = House::started(keeping(), &["office"]);
    house.close("office", Cause::Network);
    let stuck = house.put("nas", "office", -1).await;
    house.store.trouble(stuck.message);
    let good = house.put("nas", "office", 0).await;
    house.open("office");
    let lease = house.claim("office").await;
    assert_eq!(lease.message().id, good.message);
    settle(lease, delivered()).await;
    for _ in 0..10 {
        house.pass(60, 60).await;
        assert!(house.claimed("office").await.is_none());
        assert!(matches!(house.row(stuck).unwrap().standing, Standing::Due { .. }), "nobody is asked to look at it");
        assert!(!house.core().out.has(stuck), "nobody has it in hand, a person can act on it");
    }
    assert_eq!(said.times("a stored message cannot be read just now"), 1);
    house.store.heal(stuck.message);
    house.pass(120, 60).await;
    settle(house.claim("office").await, later()).await;
    house.store.trouble(stuck.message);
    house.pass(300, 60).await;
    assert_eq!(said.times("a stored message cannot be read just now"), 2, "it is another trouble");
}

#[tokio::test(start_paused = true)]
async fn where_nothing_can_be_read_the_store_is_left_alone_for_a_while_and_nothing_is_held() {
    let said = Said::default();
    let _guard = said.listen();
    let house = House::new(keeping(), &["office"]);
    let mut ids = Vec::new();
    for _ in 0..3 * MOST {
        ids.push(house.put("nas", "office", 0).await);
        house.store.trouble(ids[ids.len() - 1].message);
    }
    house.queue.start(Known::default());
    house.pass(600, 60).await;
    assert!(house.rows().iter().all(|row| matches!(row.parcel.standing, Standing::Due { .. })));
    assert!(house.core().resting.len() <= MOST, "memory does not grow with the queue");
    assert_eq!(said.times("a stored message cannot be read just now"), MOST);
    for id in &ids {
        house.store.heal(id.message);
    }
    for _ in 0..ids.len() {
        let lease = loop {
            match house.claimed("office").await {
                Some(lease) => break lease,
                None => house.clock.advance(60),
            }
        };
        settle(lease, delivered()).await;
    }
    assert!(house.rows().is_empty());
}
