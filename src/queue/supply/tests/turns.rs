//! Who is served next: fresh mail and stored mail in turns, devices in turns, accounts beside each other.
//!
//! Guarantees nothing about when mail is due, which is for the tests around these. The queue's clock stands still unless
//! a test moves it.

use super::*;

#[tokio::test(start_paused = true)]
async fn fresh_and_stored_mail_take_turns() {
    let house = House::started(keeping(), &["office"]);
    let mut stored = Vec::new();
    for _ in 0..4 {
        stored.push(house.put("nas", "office", 0).await.message);
    }
    let first = house.claim("office").await;
    // The others lie in the lane.
    tokio::time::sleep(Duration::from_millis(10)).await;
    let _offers = [offer(&house), offer(&house), offer(&house)];
    let mut leases = vec![first];
    for _ in 0..6 {
        leases.push(house.claim("office").await);
    }
    let kinds: Vec<bool> = leases.iter().map(|lease| stored.contains(&lease.message().id)).collect();
    assert_eq!(kinds, [true, false, true, false, true, false, true]);
}

/// A device that waits.
fn offer(house: &House) -> crate::queue::Offer {
    let message = message("fax", house.clock.now());
    let id = ParcelId { message: message.id, number: 0 };
    let recipient = parcel(id, "office", Standing::Due { at: at(0) }).recipients.remove(0).recipient;
    let envelope = Arc::new(Envelope { sender: message.sender.clone(), recipients: vec![recipient] });
    let offered = Offered { message, envelope, routes: vec![Route::only("office".into())] };
    house.queue.offer(offered, Duration::from_secs(15), Instant::now()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_flooding_device_waits_behind_nobodys_first() {
    let house = House::new(keeping(), &["office"]);
    for _ in 0..100 {
        house.put("nas", "office", -100).await;
    }
    for device in ["fax", "scanner"] {
        house.put(device, "office", -1).await;
    }
    house.queue.start(Known::default());
    let mut leases = Vec::new();
    for _ in 0..4 {
        leases.push(house.claim("office").await);
    }
    let devices: Vec<&str> = leases.iter().map(|lease| lease.message().device.as_str()).collect();
    assert_eq!(devices, ["nas", "fax", "scanner", "nas"]);
}

#[tokio::test(start_paused = true)]
async fn an_account_whose_couriers_are_stuck_stands_in_nobodys_way() {
    let house = House::started(keeping(), &["office", "backup"]);
    for _ in 0..50 {
        house.put("nas", "office", 0).await;
    }
    let _stuck = [house.claim("office").await, house.claim("office").await];
    let other = house.put("nas", "backup", 0).await;
    assert_eq!(house.claim("backup").await.message().id, other.message);
}

#[tokio::test(start_paused = true)]
async fn a_courier_that_is_busy_leaves_mail_to_one_that_is_not() {
    let house = House::started(keeping(), &["office"]);
    for _ in 0..3 {
        house.put("nas", "office", 0).await;
    }
    let _first = house.claim("office").await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    let second = house.queue.try_claim(&"office".into());
    assert!(second.is_some(), "nobody else waits: its envelope may ride along");
    let account = "office".into();
    let _third = house.claim("office").await;
    let mut waiting = Box::pin(house.queue.claim(&account));
    assert!(still_waits(&mut waiting).await);
    let _offer = offer(&house);
    assert!(house.queue.try_claim(&"office".into()).is_none(), "the idle one has it");
    assert_eq!(waiting.await.message().device.as_str(), "fax");
}

/// Whether it still waits when everybody has had a turn.
async fn still_waits(future: &mut (impl Future + Unpin)) -> bool {
    tokio::time::timeout(Duration::from_millis(50), future).await.is_err()
}
