//! One hand at a time, and nothing told before it is so: what was found in the store is read again once nobody else can
//! change it, and alerts come behind the commits they belong to.
//!
//! Another hand is quick here: it takes what was just found, changes it and gives it back before who looked goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;
use crate::disk::durable::NotStored;
use crate::ids::AttemptId;
use crate::mail::envelope::Envelope;
use crate::queue::acts::{Order, Which};
use crate::queue::fixture::{DAY, House, Said, at, keeping, message, why};
use crate::queue::parcel::{HeldBy, Standing, Why};
use crate::queue::store::memory::MemoryStore;
use crate::queue::store::{Change, Filter};
use crate::queue::{Answer, Offered, fixture};
use crate::smtp::reply::Refusal;
use crate::words::Cause;

fn held(until: Option<i64>) -> Standing {
    Standing::Held { since: at(0), until: until.map(at), by: HeldBy::Person, why: Why::from(&why(Cause::Message)) }
}

fn sending() -> Standing {
    Standing::Sending { account: "office".into(), attempt: AttemptId::new(), since: at(0) }
}

/// Right after the next look somebody else has had this parcel in hand, and it stands so now.
fn meanwhile(house: &House, id: ParcelId, standing: Standing) {
    let (core, store) = (Arc::clone(house.core()), Arc::clone(&house.store));
    house.store.after_look(move || {
        assert!(core.out.take(id), "nobody has it yet");
        change(&store, id, standing);
        core.out.back(id);
    });
}

fn change(store: &MemoryStore, id: ParcelId, standing: Standing) {
    let parcel = store.parcels(id.message).unwrap().remove(0);
    // It is made at once: no commit is held back.
    drop(store.commit(vec![Change::Update(Parcel { standing, ..parcel })]));
}

#[tokio::test(start_paused = true)]
async fn a_courier_does_not_get_what_was_held_after_it_was_found_due() {
    let house = House::new(keeping(), &["office"]);
    let id = house.put("nas", "office", 0).await;
    meanwhile(&house, id, held(None));
    let account = "office".into();
    assert!(house.core().bring(&account).unwrap().is_ok(), "it was found");
    assert!(house.core().bring(&account).unwrap().is_ok());
    assert_eq!(house.row(id).unwrap().standing, held(None));
    assert_eq!(house.core().lanes.get(&account).unwrap().stored().0, 0);
    assert!(!house.core().out.has(id));
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_was_ended_after_it_was_found_over_gives_nothing_up() {
    let house = House::new(Keeping { hold_for: Some(Duration::from_hours(24)), ..keeping() }, &["office"]);
    let id = house.put_as("nas", "office", held(Some(30))).await;
    meanwhile(&house, id, Standing::Due { at: at(DAY) });
    house.clock.advance(60);
    house.core().end_holds().await;
    let row = house.row(id).unwrap();
    assert_eq!(row.standing, Standing::Due { at: at(DAY) });
    assert!(row.recipients[0].state.is_open(), "a person has released it");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_after_a_dot_was_found_without_one_counts() {
    let house = House::new(keeping(), &["office"]);
    let id = house.put_as("nas", "office", sending()).await;
    let failed = Standing::Failed { since: at(0) };
    meanwhile(&house, id, failed.clone());
    house.core().end_unanswered().await.unwrap();
    assert_eq!(house.row(id).unwrap().standing, failed, "as its courier left it");
}

#[tokio::test(start_paused = true)]
async fn an_order_for_many_leaves_alone_what_has_gone_to_a_courier_after_it_was_listed() {
    let house = House::new(keeping(), &["office"]);
    let id = house.put("nas", "office", 0).await;
    meanwhile(&house, id, sending());
    let order = Order::Hold { which: Which::All(Filter::default()), reason: "x".into() };
    let acted = house.queue.act(order).await.unwrap();
    assert_eq!((acted.changed, acted.under_way), (vec![], vec![id]));
    assert!(matches!(house.row(id).unwrap().standing, Standing::Sending { .. }), "its dot may be out");
}

/// Whether somebody has this parcel in hand while it is read, after it was found.
fn is_out_when_read(house: &House, id: ParcelId) -> Arc<AtomicBool> {
    let (core, store, seen) = (Arc::clone(house.core()), Arc::clone(&house.store), Arc::new(AtomicBool::new(false)));
    let is_out = Arc::clone(&seen);
    house.store.after_look(move || store.after_look(move || is_out.store(core.out.has(id), Ordering::Release)));
    seen
}

#[tokio::test(start_paused = true)]
async fn what_is_read_to_be_sent_or_changed_is_in_hand_already() {
    let house = House::new(keeping(), &["office"]);
    let id = house.put("nas", "office", 0).await;
    let by_order = is_out_when_read(&house, id);
    let order = Order::Hold { which: Which::All(Filter::default()), reason: "x".into() };
    house.queue.act(order).await.unwrap();
    assert!(by_order.load(Ordering::Acquire), "an order");

    let id = house.put("nas", "office", 0).await;
    let by_supply = is_out_when_read(&house, id);
    let account = "office".into();
    assert!(house.core().bring(&account).unwrap().is_ok() && house.core().bring(&account).unwrap().is_ok());
    assert!(by_supply.load(Ordering::Acquire), "for a courier");

    let id = house.put_as("nas", "office", sending()).await;
    let by_recovery = is_out_when_read(&house, id);
    house.core().end_unanswered().await.unwrap();
    assert!(by_recovery.load(Ordering::Acquire), "a dot without an answer");

    let id = house.put_as("nas", "office", held(Some(30))).await;
    let by_time = is_out_when_read(&house, id);
    house.clock.advance(60);
    house.core().end_holds().await;
    assert!(by_time.load(Ordering::Acquire), "what time ends");
}

const ALERT: &str = "it has no sender, and no administrator is named";

fn never() -> Outcome {
    Outcome::Never(Refusal::new(550, 1, 1, "No such user"), why(Cause::Message))
}

#[tokio::test(start_paused = true)]
async fn what_nobody_can_be_told_is_said_once_the_end_of_stored_mail_is_recorded_and_not_before() {
    for fails in [false, true] {
        let said = Said::default();
        let _guard = said.listen();
        let house = House::started(keeping(), &["office"]);
        house.put("nas", "office", 0).await;
        let lease = house.claim("office").await;
        assert!(lease.permit_dot(AttemptId::new()).await.is_some());
        house.store.hold();
        if fails {
            house.store.fail_next(NotStored::Full { detail: "no room".into() });
        }
        let courier = tokio::spawn(lease.settle(vec![never()], None));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(said.times(ALERT), 0, "it may fail, and would be sent again");
        assert!(house.store.let_one_pass());
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(said.times(ALERT), usize::from(!fails));
        house.store.release();
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(courier.is_finished());
        assert_eq!(said.times(ALERT), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_can_be_told_of_waiting_mail_is_said_once_its_rest_is_stored_and_not_if_it_is_refused() {
    for fails in [false, true] {
        let said = Said::default();
        let _guard = said.listen();
        let house = House::started(keeping(), &["office"]);
        let message = message("fax", house.clock.now());
        let envelope = || {
            let parcel = fixture::parcel(ParcelId { message: message.id, number: 0 }, "office", held(None));
            let recipient = parcel.recipients[0].recipient.clone();
            Arc::new(Envelope { sender: message.sender.clone(), recipients: vec![recipient.clone(), recipient] })
        };
        let (envelope, routes) = (envelope(), vec![Route::only("office".into()); 2]);
        let offered = Offered { message, envelope, routes };
        let now = tokio::time::Instant::now().into_std();
        let mut offer = house.queue.offer(offered, Duration::from_secs(15), now).unwrap();
        let lease = house.claim("office").await;
        house.store.hold();
        if fails {
            house.store.fail_next(NotStored::Full { detail: "no room".into() });
        }
        let courier = tokio::spawn(lease.settle(vec![never(), fixture::later()], None));
        let storing = async {
            house.store.asked_for(1).await;
            assert_eq!(said.times(ALERT), 0, "its device may yet hear that it was refused");
            house.store.release();
        };
        let (answer, ()) = tokio::join!(offer.answer(), storing);
        assert_eq!(matches!(answer, Answer::Accepted(_)), !fails);
        assert_eq!(said.times(ALERT), usize::from(!fails), "a device that heard 452 knows");
        drop((offer, courier));
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_can_be_told_of_mail_that_time_ended_is_said_once_however_often_its_end_is_tried() {
    let said = Said::default();
    let _guard = said.listen();
    let house = House::started(Keeping { hold_for: Some(Duration::from_hours(24)), ..keeping() }, &["office"]);
    tokio::time::sleep(Duration::from_millis(10)).await;
    house.put_as("nas", "office", held(Some(30))).await;
    for _ in 0..3 {
        house.store.fail_next(NotStored::Full { detail: "no room".into() });
    }
    house.pass(120, 60).await;
    assert_eq!(said.times(ALERT), 0, "it is still held");
    house.pass(180, 60).await;
    assert_eq!(said.times(ALERT), 1);
}
