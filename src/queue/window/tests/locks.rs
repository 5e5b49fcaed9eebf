//! What a courier gives back, and what ends, while others of the same message wait: nobody waits for himself.
//!
//! A row that ends looks into lanes for what is no longer wanted there, and each lease there asks its ticket. Each story
//! runs on a thread of its own, so that one that never ends is found out.

use std::sync::mpsc;

use super::*;
use crate::queue::fixture::listen;

fn ends(story: impl Future<Output = ()> + Send + 'static) {
    let (ended, ending) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(story);
        ended.send(()).unwrap();
    });
    ending.recv_timeout(Duration::from_secs(20)).expect("it waits for itself, or has panicked");
}

#[test]
fn a_stored_part_that_is_given_back_ends_while_the_next_part_of_its_message_lies_in_the_lane() {
    ends(async {
        let house = House::new();
        // More recipients than one transaction takes.
        let mut mail = house.offer("a@x b@x c@x d@x");
        let lease = house.claim("office").await;
        // Right when it lies in the store, before the lanes are looked through.
        let mut lease = Some(lease);
        let _listening = listen(move |_| lease.take().into_iter().for_each(Lease::give_back));
        assert_eq!(mail.hears().await, mail.queued());
        assert_eq!(house.states(&mail), ["a@x open", "b@x open", "c@x open", "d@x open"]);
        let out = house.queue.core().unwrap().out.snapshot();
        assert!(out.is_empty(), "whoever brings stored mail may have it: {out:?}");
    });
}

#[test]
fn a_part_that_is_given_back_while_it_is_being_stored_ends_while_it_lies_in_the_lane() {
    ends(async {
        let house = House::new();
        let mut mail = house.offer("a@x");
        let lease = house.claim("office").await;
        house.store.hold();
        let storing = async {
            house.store.asked_for(1).await;
            lease.give_back();
            house.store.release();
        };
        let (heard, ()) = tokio::join!(mail.hears(), storing);
        assert_eq!(heard, mail.queued());
        assert_eq!(house.states(&mail), ["a@x open"]);
        assert!(house.queue.core().unwrap().out.snapshot().is_empty());
    });
}
