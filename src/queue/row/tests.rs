//! What an attempt brought and the disk would not take at once.
//!
//! It is recorded once there is room again, with its notice; and with no second one, should the first have been there all
//! the while. The store is in memory, and time passes by itself.

use std::time::Duration;

use super::*;
use crate::disk::durable::NotStored;
use crate::mail::address::Address;
use crate::queue::fixture::{House, keeping, why};
use crate::queue::store::Store;
use crate::queue::{Keeping, Notices, NoticesTo, Outcome};
use crate::smtp::reply::Refusal;
use crate::words::Cause;

/// Failures are told to the administrator.
fn told(keep_failed: Duration) -> Keeping {
    let admin = Address::parse(b"admin@x.example").ok();
    Keeping { notices: Notices { to: NoticesTo::Admin, admin }, keep_failed, ..keeping() }
}

fn never() -> Vec<Outcome> {
    vec![Outcome::Never(Refusal::new(550, 1, 1, "No such user"), why(Cause::Message))]
}

#[tokio::test(start_paused = true)]
async fn an_outcome_the_disk_did_not_take_is_recorded_later_with_its_notice() {
    let house = House::started(told(Duration::ZERO), &["office"]);
    house.put("fax", "office", 0).await;
    let lease = house.claim("office").await;
    house.store.fail_next(NotStored::Full { detail: "no space left".into() });
    lease.settle(never(), None).await;
    let rows = house.rows();
    assert!(matches!(rows.as_slice(), [notice] if notice.reverse_path.to_string() == "<>"), "{rows:?}");
}

#[tokio::test(start_paused = true)]
async fn a_notice_is_not_stored_again_when_its_commit_seemed_to_fail_and_it_has_gone_out_since() {
    let house = House::started(told(Duration::ZERO), &["office"]);
    let id = house.put("fax", "office", 0).await;
    let lease = house.claim("office").await;
    house.store.fail_next(NotStored::Full { detail: "no space left".into() });
    let settling = tokio::spawn(lease.settle(never(), None));
    tokio::time::sleep(TRY_AGAIN / 2).await;
    // All of it lay on the disk, and the notice was delivered.
    house.store.commit(vec![Change::Finish(id)]).await.unwrap();
    settling.await.unwrap();
    assert_eq!(house.rows(), [], "the administrator would be told twice");
}
