//! A message that was stored while a courier had it, and a stored parcel in a courier's hand.
//!
//! The disk knows of each dot before it is written, and of each outcome before the courier goes on; what it cannot be
//! told yet is kept until it can.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_message_is_born_sending_only_if_its_dot_was_permitted() {
    for dot in [true, false] {
        let house = House::new();
        let mut mail = house.offer("a@x");
        let lease = house.claim("office").await;
        if dot {
            assert!(permit(&lease).await);
        }
        assert_eq!(mail.hears().await, mail.queued());
        assert_eq!(sending(&house.parcels(&mail)[0]).is_some(), dot);
        drop(mail.offer.into_told());
        settles(lease, [delivered()]).await.unwrap();
        assert_eq!(house.store.messages(), 0, "delivered, and the last word of it is on disk");
    }
}

#[tokio::test(start_paused = true)]
async fn the_disk_knows_of_a_dot_before_it_is_written() {
    let house = House::new();
    let mut mail = house.offer("a@x");
    let lease = house.claim("office").await;
    assert_eq!(mail.hears().await, mail.queued());
    house.store.hold();
    tokio::select! {
        _ = permit(&lease) => panic!("permitted before it is on disk"),
        () = house.store.asked_for(2) => {}
    }
    house.store.release();
    assert!(permit(&lease).await);
    assert_eq!(sending(&house.parcels(&mail)[0]), Some(&"office".into()));
}

#[tokio::test(start_paused = true)]
async fn a_dot_waits_for_the_commit_that_runs() {
    let house = House::new();
    let mut mail = house.offer("a@x");
    let lease = house.claim("office").await;
    house.store.hold();
    let storing = async {
        house.store.asked_for(1).await;
        let mut dot = std::pin::pin!(permit(&lease));
        tokio::select! {
            biased;
            _ = &mut dot => panic!("the row says that it is not being sent"),
            () = settled_down() => {}
        }
        house.store.release();
        assert!(dot.await);
    };
    let (heard, ()) = tokio::join!(mail.hears(), storing);
    assert_eq!(heard, mail.queued());
    assert!(sending(&house.parcels(&mail)[0]).is_some());
}

#[tokio::test(start_paused = true)]
async fn no_dot_of_a_stored_parcel_is_permitted_while_the_store_fails() {
    let house = House::new();
    let mut mail = house.offer("a@x");
    let lease = house.claim("office").await;
    assert_eq!(mail.hears().await, mail.queued());
    house.store.fail_next(NotStored::Failing { detail: "the disk is gone".into() });
    assert!(!permit(&lease).await);
    drop(lease);
    house.store.mend();
    settled_down().await;
    assert_eq!(house.states(&mail), ["a@x open"]);
    assert!(due(&house.parcels(&mail)[0]) && house.parcels(&mail)[0].attempts == 0, "it stands as it stood");
}

#[tokio::test(start_paused = true)]
async fn what_waits_in_a_lane_when_it_is_stored_is_the_store_s() {
    let house = House::new();
    let mut mail = house.offer("a@x");
    assert_eq!(mail.hears().await, mail.queued());
    let ready = house.store.parcels(mail.id).unwrap();
    assert_eq!(ready.len(), 1);
    assert!(due(&ready[0]));
    house.queue.core().unwrap().look(&ready[0].route);
    assert!(!house.has_work_for("office"), "and not the lane's as well: memory would grow with the queue");
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_cannot_be_recorded_is_kept_and_recorded_as_soon_as_it_can_be() {
    let house = House::new();
    let mut mail = house.offer("a@x");
    let lease = house.claim("office").await;
    assert!(permit(&lease).await);
    assert_eq!(mail.hears().await, mail.queued());
    house.store.fail_next(NotStored::Failing { detail: "the disk is gone".into() });
    let courier = settles(lease, [delivered()]);
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert!(!courier.is_finished(), "the next dot on that connection would be a second one in doubt");
    assert!(sending(&house.parcels(&mail)[0]).is_some(), "nobody is given it meanwhile");
    house.store.mend();
    courier.await.unwrap();
    assert_eq!(house.store.messages(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_kept_outcome_outlives_the_courier_that_brought_it() {
    let house = House::new();
    let mut mail = house.offer("a@x");
    let lease = house.claim("office").await;
    assert!(permit(&lease).await);
    assert_eq!(mail.hears().await, mail.queued());
    house.store.fail_next(full());
    let courier = settles(lease, [delivered()]);
    settled_down().await;
    courier.abort();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(house.store.messages(), 0, "the disk has room again");
}

#[tokio::test(start_paused = true)]
async fn a_refused_recipient_of_a_stored_parcel_and_its_notice_are_one_commit() {
    let house = House::new();
    let mut mail = house.offer("a@x b@x");
    let lease = house.claim("office").await;
    assert_eq!(mail.hears().await, mail.queued());
    assert!(permit(&lease).await);
    let before = house.store.commits();
    settles(lease, [never(550), delivered()]).await.unwrap();
    assert_eq!(house.store.commits() - before, 1);
    assert_eq!(house.states(&mail), Vec::<String>::new());
    assert_eq!(house.store.messages(), 1, "the notice");
}

#[tokio::test(start_paused = true)]
async fn a_courier_that_dies_is_uncertain_only_after_the_dot() {
    for (dot, cause) in [(true, Cause::Uncertain), (false, Cause::Throttle)] {
        for stored in [true, false] {
            let house = House::new();
            let mut mail = house.offer("a@x");
            let lease = house.claim("office").await;
            if dot {
                assert!(permit(&lease).await);
            }
            if stored {
                assert_eq!(mail.hears().await, mail.queued());
            }
            drop(lease);
            if !stored {
                assert_eq!(mail.hears().await, mail.queued());
            }
            settled_down().await;
            let parcels = house.parcels(&mail);
            let State::Open { last: Some(said) } = &parcels[0].recipients[0].state else { panic!("{parcels:?}") };
            assert_eq!(said.why.cause, cause, "dot {dot}, stored {stored}");
            assert!(due(&parcels[0]));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_courier_that_is_cut_off_at_the_end_before_the_dot_leaves_the_row_as_it_stands() {
    let house = House::new();
    let mut mail = house.offer("a@x");
    let lease = house.claim("office").await;
    house.queue.end_windows();
    assert_eq!(mail.hears().await, mail.queued());
    let before = house.parcels(&mail);
    drop(lease);
    house.queue.finished().await;
    assert_eq!(house.parcels(&mail), before);
    assert_eq!(house.store.commits(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_ahead_and_not_tried_comes_back_before_all_others() {
    let house = House::new();
    let (_first, _second) = (house.offer("a@x"), house.offer("b@x"));
    let lease = house.claim("office").await;
    assert_eq!(lease.envelope().recipients[0].address.as_str(), "a@x");
    lease.give_back();
    assert_eq!(house.claim("office").await.envelope().recipients[0].address.as_str(), "a@x");
}
