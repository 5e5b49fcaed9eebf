//! When a device hears `452 4.3.1`, why, and that it is over by itself.
//!
//! Free space is what the test says; the load is the store's.

use std::sync::atomic::Ordering;

use super::*;
use crate::disk::durable::NotStored;
use crate::queue::fixture::{House, keeping};

const MIB: u64 = 1024 * 1024;

fn heard(house: &House, size: u64, device: &str) -> Option<String> {
    house.queue.room(size, &device.into()).err().map(|refusal| refusal.reply().to_string())
}

#[tokio::test]
async fn a_full_disk_is_said_before_it_is_full_and_is_over_by_itself() {
    let house = House::new(keeping(), &["office"]);
    let full = Some("452 4.3.1 The relay's disk is nearly full, try again later".to_owned());
    assert_eq!(heard(&house, 0, "nas"), None);
    house.free.store(64 * MIB - 1, Ordering::SeqCst);
    assert_eq!((heard(&house, 0, "nas"), house.queue.is_ready()), (full.clone(), false));
    house.free.store(64 * MIB, Ordering::SeqCst);
    assert_eq!((heard(&house, 0, "nas"), house.queue.is_ready()), (None, true));
    assert_eq!(heard(&house, 42 * MIB, "nas"), None, "63 MiB");
    assert_eq!((heard(&house, 50 * MIB, "nas"), house.queue.is_ready()), (full, true), "1.5 times its size");
}

#[tokio::test]
async fn a_failing_store_is_said_and_is_over_when_it_is_mended() {
    let house = House::new(keeping(), &["office"]);
    house.store.fail_next(NotStored::Failing { detail: "broken".into() });
    assert!(house.store.commit(Vec::new()).await.is_err());
    let heard = |house: &House| heard(house, 0, "nas");
    assert_eq!(heard(&house).as_deref(), Some("452 4.3.1 The relay's storage fails, try again later"));
    assert!(!house.queue.is_ready());
    house.store.mend();
    assert_eq!((heard(&house), house.queue.is_ready()), (None, true));
}

#[tokio::test]
async fn one_device_has_at_most_half_of_the_queue() {
    let house = House::new(Keeping { max_messages: 4, ..keeping() }, &["office"]);
    house.put("nas", "office", 0).await;
    assert_eq!(heard(&house, 0, "nas"), None);
    let last = house.put("nas", "office", 0).await;
    let share = Some("452 4.3.1 Too much mail of this device is waiting, try again later".to_owned());
    assert_eq!((heard(&house, 0, "nas"), heard(&house, 0, "fax")), (share, None));
    assert!(house.queue.is_ready());
    house.put("fax", "office", 0).await;
    house.put("fax", "office", 0).await;
    let full = Some("452 4.3.1 The relay's queue is full, try again later".to_owned());
    assert_eq!((heard(&house, 0, "scanner"), house.queue.is_ready()), (full, false));
    house.store.commit(vec![crate::queue::store::Change::Finish(last)]).await.unwrap();
    assert_eq!((heard(&house, 0, "scanner"), heard(&house, 0, "nas")), (None, None), "one is gone, there is room");
}

#[tokio::test]
async fn octets_count_as_messages_do() {
    let house = House::new(Keeping { max_size: 1000, ..keeping() }, &["office"]);
    house.put("nas", "office", 0).await;
    assert_eq!(heard(&house, 400, "nas"), None);
    assert!(heard(&house, 500, "nas").unwrap().contains("of this device"), "more than half");
    assert!(heard(&house, 1000, "fax").unwrap().contains("queue is full"));
}

#[test]
fn what_comes_and_goes_is_said_once_a_minute_at_most() {
    let room = Room::new(FreeSpace::on("."));
    let (journal, device, start) = (Journal::default(), "nas".into(), Instant::now());
    let said = |seconds, lack: Option<&Lack>| {
        room.say(&journal, lack, &device, start + Duration::from_secs(seconds));
        room.said().last
    };
    let at = |seconds| Some(start + Duration::from_secs(seconds));
    assert_eq!(said(0, None), (Kind::None, None), "well from the beginning: nothing to say");
    assert_eq!(said(1, Some(&Lack::Space)), (Kind::Space, at(1)));
    assert_eq!(said(2, None), (Kind::Space, at(1)));
    assert_eq!(said(3, Some(&Lack::Space)), (Kind::Space, at(1)));
    assert_eq!(said(70, Some(&Lack::Space)), (Kind::Space, at(1)), "still the same");
    assert_eq!(said(71, None), (Kind::None, at(71)));
}
