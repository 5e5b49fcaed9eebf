//! A test for each note to the table: dots under way, nobody who waits, devices that are gone, the end of the relay,
//! verdicts beside a commit, and when a courier may go on.
//!
//! Commits are held back where it matters what comes before them.

use std::sync::atomic::AtomicU64;

use super::*;
use crate::journal::log::heard::Heard;
use crate::mail::envelope::Notify;

#[tokio::test(start_paused = true)]
async fn a_dot_that_was_permitted_is_waited_for_and_its_reply_counts() {
    for (outcome, heard) in [
        (delivered(), "250 2.6.0 taken as 7"),
        (never(554), "554 5.1.1 No such user"),
        (uncertain(), "451 4.4.2 The provider did not confirm the message, it may have arrived"),
        (later(), "452 4.3.1 The message cannot be stored, try again later"),
    ] {
        let house = House::new();
        let mut mail = house.offer("a@x");
        let lease = house.claim("office").await;
        assert!(permit(&lease).await);
        house.store.fail_next(full());
        let late = async {
            tokio::time::sleep(WAIT * 20).await;
            settles(lease, [outcome]);
        };
        let (answer, ()) = tokio::join!(mail.hears(), late);
        assert_eq!(answer, heard);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_to_the_dot_that_never_comes_is_451_4_4_2() {
    let house = House::new();
    let mut mail = house.offer("a@x");
    let lease = house.claim("office").await;
    assert!(permit(&lease).await);
    house.store.fail_next(full());
    let gone = async {
        tokio::time::sleep(WAIT * 20).await;
        drop(lease);
    };
    let (answer, ()) = tokio::join!(mail.hears(), gone);
    assert!(answer.starts_with("451 4.4.2"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn of_several_parcels_only_those_whose_dot_was_permitted_are_waited_for() {
    let house = House::new();
    let mut mail = house.offer("a@x b@x>backup");
    let (dotted, open) = (house.claim("office").await, house.claim("backup").await);
    assert!(permit(&dotted).await);
    house.store.fail_next(full());
    let late = async {
        open.withdrawn().await;
        assert!(!permit(&open).await);
        settles(dotted, [delivered()]);
    };
    let (answer, ()) = tokio::join!(mail.hears(), late);
    assert!(answer.starts_with("451 4.3.0 Delivered to some"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn with_no_wait_nobody_waits_and_250_is_said_after_the_commit() {
    let house = House::new();
    let began = now();
    house.store.hold();
    let mut mail = house.offer_for("a@x", Duration::ZERO);
    assert!(!house.has_work_for("office"), "it is stored first");
    tokio::select! {
        heard = mail.hears() => panic!("{heard} before it was durable"),
        () = house.store.asked_for(1) => {}
    }
    house.store.release();
    assert_eq!(mail.hears().await, mail.queued());
    assert_eq!(now(), began);
    assert_eq!(house.states(&mail), ["a@x open"]);
}

#[tokio::test(start_paused = true)]
async fn where_every_account_of_the_route_is_closed_nobody_waits() {
    let (house, log) = (House::new(), Heard::begin());
    let began = now();
    house.queue.close(&"office".into(), why(Cause::Account));
    let mut mail = house.offer("a@x");
    assert_eq!(mail.hears().await, mail.queued());
    assert_eq!(log.count(&["kept in the queue", "because"]), 1, "whoever reads the log sees why");
    assert_eq!(now(), began);
    let State::Open { last: Some(said) } = &house.parcels(&mail)[0].recipients[0].state else { panic!() };
    assert_eq!(said.why.sentence, "because", "whoever looks at the queue sees why");
    assert!(due(&house.parcels(&mail)[0]));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_closes_while_a_device_waits_ends_its_wait() {
    let house = House::new();
    let began = now();
    let mut mail = house.offer("a@x");
    let closes = async {
        settled_down().await;
        house.queue.close(&"office".into(), why(Cause::Account));
    };
    let (heard, ()) = tokio::join!(mail.hears(), closes);
    assert_eq!(heard, mail.queued());
    assert_eq!(now(), began);
}

#[tokio::test(start_paused = true)]
async fn a_closed_account_does_not_keep_the_recipients_of_another_from_their_window() {
    let (house, began) = (House::new(), now());
    house.queue.close(&"office".into(), why(Cause::Account));
    let mut mail = house.offer("a@x b@x>backup");
    let taken = async {
        tokio::time::sleep(WAIT / 2).await;
        settles(house.claim("backup").await, [delivered()]).await.unwrap();
    };
    let (heard, ()) = tokio::join!(mail.hears(), taken);
    assert_eq!(heard, mail.queued());
    assert_eq!(now() - began, WAIT / 2, "the other one has its window, and nobody waits for the closed one");
    assert_eq!(house.states(&mail), ["a@x open"], "what the provider has is not stored");
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_gone_changes_nothing() {
    let house = House::new();
    let mail = house.offer("a@x");
    let id = mail.id;
    drop(mail);
    let lease = house.claim("office").await;
    assert!(permit(&lease).await, "it still goes out");
    settles(lease, [later()]);
    house.store.asked_for(1).await;
    settled_down().await;
    assert_eq!(states(&house.store.parcels(id).unwrap()), ["a@x open"]);
    house.queue.end_windows();
    house.queue.finished().await;
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_gone_and_a_provider_that_is_slow_is_stored_at_the_end_of_the_window() {
    let house = House::new();
    let (mail, began) = (house.offer("a@x"), now());
    let id = mail.id;
    drop(mail);
    house.store.asked_for(1).await;
    assert_eq!(now() - began, WAIT);
    settled_down().await;
    assert_eq!(states(&house.store.parcels(id).unwrap()), ["a@x open"]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_relay_ends_every_window_at_once() {
    let house = House::new();
    let began = now();
    let (mut one, mut other) = (house.offer("a@x"), house.offer("b@x"));
    house.queue.end_windows();
    let mut late = house.offer("c@x");
    for mail in [&mut one, &mut other, &mut late] {
        assert_eq!(mail.hears().await, mail.queued());
    }
    assert_eq!(now(), began);
    house.queue.finished().await;
    assert_eq!(house.store.messages(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_verdict_that_comes_while_the_commit_runs_is_applied_to_what_it_stores() {
    for (outcome, left) in [(delivered(), vec![]), (later(), vec!["a@x open"])] {
        let house = House::new();
        let mut mail = house.offer("a@x");
        let lease = house.claim("office").await;
        assert!(permit(&lease).await);
        house.store.hold();
        let storing = async {
            house.store.asked_for(1).await;
            let courier = settles(lease, [outcome]);
            settled_down().await;
            assert!(house.store.let_one_pass());
            [courier]
        };
        let (heard, [courier]) = tokio::join!(mail.hears(), storing);
        assert_eq!(heard, mail.queued());
        assert_eq!(sending(&house.parcels(&mail)[0]), Some(&"office".into()), "as it was when the commit began");
        house.store.release();
        courier.await.unwrap();
        settled_down().await;
        house.store.asked_for(2).await;
        settled_down().await;
        assert_eq!(house.states(&mail), left);
    }
}

#[tokio::test(start_paused = true)]
async fn a_verdict_that_comes_while_a_commit_fails_counts_as_if_it_came_before() {
    let house = House::new();
    let mut mail = house.offer("a@x");
    let lease = house.claim("office").await;
    assert!(permit(&lease).await);
    house.store.hold();
    house.store.fail_next(full());
    let storing = async {
        house.store.asked_for(1).await;
        settles(lease, [delivered()]);
        settled_down().await;
        house.store.release();
    };
    let (heard, ()) = tokio::join!(mail.hears(), storing);
    assert_eq!(heard, "250 2.6.0 taken as 7");
}

#[tokio::test(start_paused = true)]
async fn a_courier_goes_on_only_when_the_device_has_its_answer() {
    let house = House::new();
    let mut mail = house.offer("a@x");
    let courier = settles(house.claim("office").await, [delivered()]);
    assert_eq!(mail.hears().await, "250 2.6.0 taken as 7");
    settled_down().await;
    assert!(!courier.is_finished(), "a crash now would have the device send it again, and the next one, too");
    mail.was_told();
    courier.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_courier_goes_on_when_its_outcome_is_durable() {
    let house = House::new();
    let mut mail = house.offer("a@x b@x>backup");
    let courier = settles(house.claim("office").await, [delivered()]);
    settled_down().await;
    assert!(!courier.is_finished());
    assert_eq!(mail.hears().await, mail.queued());
    courier.await.unwrap();
    assert_eq!(house.states(&mail), ["b@x open"]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_account_keeps_the_courier_of_another_for_a_second_at_most() {
    let house = House::new();
    let mut mail = house.offer("a@x b@x>backup");
    let slow = house.claim("backup").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let out = now();
    let courier = settles(house.claim("office").await, [delivered()]);
    assert_eq!(mail.hears().await, mail.queued());
    courier.await.unwrap();
    assert_eq!(now() - out, Duration::from_secs(1));
    assert!(permit(&slow).await, "the other goes on");
}

#[tokio::test(start_paused = true)]
async fn a_message_for_which_there_is_no_room_is_452_only_if_it_must_be_stored() {
    let house = House::with(Arc::default(), FreeSpace::set(Arc::new(AtomicU64::new(1))));
    let mut mail = house.offer("a@x");
    settles(house.claim("office").await, [delivered()]);
    assert_eq!(mail.hears().await, "250 2.6.0 taken as 7");
    let mut mail = house.offer("a@x");
    settles(house.claim("office").await, [later()]);
    assert_eq!(mail.hears().await, "452 4.3.1 The message cannot be stored, try again later");
    assert_eq!(house.store.messages(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_asked_to_hear_of_success_is_told_in_a_commit_before_250() {
    let house = House::new();
    let mut offered = mail("a@x b@x");
    let recipients = &mut Arc::get_mut(&mut offered.envelope).expect("nobody else has it").recipients;
    recipients[0].notify = Some(Notify::On { success: true, failure: true, delay: false });
    let mut mail = house.offer_this(offered, WAIT);
    let lease = house.claim("office").await;
    house.store.hold();
    settles(lease, [delivered(), delivered()]);
    tokio::select! {
        heard = mail.hears() => panic!("{heard} before the report was durable"),
        () = house.store.asked_for(1) => {}
    }
    house.store.release();
    assert_eq!(mail.hears().await, "250 2.6.0 taken as 7", "the provider's own words");
    assert_eq!((house.store.messages(), house.states(&mail)), (1, Vec::new()), "the report, and nothing else");
}

#[tokio::test(start_paused = true)]
async fn an_outcome_with_which_nothing_can_have_gone_out_keeps_no_courier() {
    let house = House::new();
    let _mail = house.offer("a@x b@x>backup");
    settles(house.claim("office").await, [never(550)]).await.unwrap();
}
