//! A test for each row of the table.
//!
//! Each looks at both columns: what the device hears, and what was on disk before it heard that. How many commits were
//! made counts, too: what the provider has costs none.

use super::*;
use crate::journal::log::heard::Heard;

#[tokio::test(start_paused = true)]
async fn all_delivered_is_the_provider_s_250_and_nothing_touches_the_disk() {
    let house = House::new();
    let mut mail = house.offer("a@x b@x");
    let courier = settles(house.claim("office").await, [delivered(), delivered()]);
    assert_eq!(mail.hears().await, "250 2.6.0 taken as 7");
    mail.was_told();
    courier.await.unwrap();
    assert_eq!(house.store.commits(), 0);
}

#[tokio::test(start_paused = true)]
async fn all_never_is_the_most_frequent_5xx_with_the_names_and_nothing_on_disk() {
    let house = House::new();
    let mut mail = house.offer("a@x b@x c@x>backup d@x>backup");
    settles(house.claim("office").await, [never(553), never(550)]);
    settles(house.claim("backup").await, [never(550), never(554)]);
    assert_eq!(mail.hears().await, "550 5.1.1 b@x, c@x: No such user (sent to nobody)");
    mail.was_told();
    assert_eq!(house.store.commits(), 0, "the device knows, and tells whoever it likes");
}

#[tokio::test(start_paused = true)]
async fn some_delivered_and_the_rest_never_is_250_once_the_notice_is_durable() {
    let house = House::new();
    let mut mail = house.offer("a@x b@x c@x");
    let lease = house.claim("office").await;
    house.store.hold();
    settles(lease, [delivered(), never(550), delivered()]);
    tokio::select! {
        heard = mail.hears() => panic!("{heard} before the notice was durable"),
        () = house.store.asked_for(1) => {}
    }
    house.store.release();
    assert_eq!(mail.hears().await, "250 2.0.0 Ok, but not for b@x: No such user");
    assert_eq!((house.store.commits(), house.store.messages()), (1, 1), "the notice, and nothing else");
    assert_eq!(house.states(&mail), Vec::<String>::new(), "the message is done with");
}

#[tokio::test(start_paused = true)]
async fn whoever_is_later_held_uncertain_or_open_is_queued_with_the_state_of_each() {
    for outcome in [later(), hold(), uncertain(), unreachable()] {
        let house = House::new();
        let mut mail = house.offer("a@x b@x");
        let courier = settles(house.claim("office").await, [delivered(), outcome]);
        assert_eq!(mail.hears().await, mail.queued());
        assert_eq!(house.states(&mail), ["a@x delivered", "b@x open"]);
        assert!(due(&house.parcels(&mail)[0]));
        courier.await.unwrap();
        assert_eq!(house.store.commits(), 1);
    }
    let house = House::new();
    let mut mail = house.offer("a@x b@x");
    let began = now();
    assert_eq!(mail.hears().await, mail.queued(), "nobody came for it");
    assert_eq!(now() - began, WAIT);
    assert_eq!(house.states(&mail), ["a@x open", "b@x open"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_owed_and_the_notice_for_the_rest_are_one_commit() {
    let house = House::new();
    let mut mail = house.offer("a@x b@x c@x");
    settles(house.claim("office").await, [delivered(), never(550), later()]);
    assert_eq!(mail.hears().await, mail.queued());
    assert_eq!(house.states(&mail), ["a@x delivered", "b@x never", "c@x open"]);
    assert_eq!((house.store.commits(), house.store.messages()), (1, 2), "the mail and its notice");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_stored_is_452_and_nothing_of_it_goes_out_later() {
    let house = House::new();
    let mut mail = house.offer("a@x");
    let lease = house.claim("office").await;
    house.store.fail_next(full());
    assert_eq!(mail.hears().await, "452 4.3.1 The message cannot be stored, try again later");
    lease.withdrawn().await;
    assert!(!permit(&lease).await, "the dot must not be written any more");
    assert!(!lease.is_wanted());
    assert_eq!((house.store.commits(), house.store.messages()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_stored_and_went_out_to_some_is_451() {
    for rest in [later(), uncertain(), never(550)] {
        let (house, log) = (House::new(), Heard::begin());
        let mut mail = house.offer("a@x b@x");
        let lease = house.claim("office").await;
        house.store.fail_next(full());
        let courier = settles(lease, [delivered(), rest]);
        let heard = mail.hears().await;
        assert_eq!(heard, "451 4.3.0 Delivered to some recipients only, the rest cannot be stored, try again later");
        mail.was_told();
        courier.await.unwrap();
        assert_eq!(house.store.messages(), 0);
        assert_eq!(log.count(&["partly delivered: to 1 of 2 recipients"]), 1, "whoever reads the log knows");
    }
}
