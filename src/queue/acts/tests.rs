//! What a person does with what is owed: with couriers beside it, and without a relay.
//!
//! What becomes of one parcel is for the tests of `schedule`; here is which parcels an order reaches, and what is told.

use std::time::Duration;

use super::*;
use crate::disk::FreeSpace;
use crate::ids::AttemptId;
use crate::journal::log::heard::Heard;
use crate::mail::address::Address;
use crate::mail::envelope::Recipient;
use crate::net::clock::Clock;
use crate::queue::fixture::{self, House, keeping};
use crate::queue::parcel::{HeldBy, Owed, Said, Standing, State, Why};
use crate::queue::store::memory::MemoryStore;
use crate::queue::{Message, Route};
use crate::words::Cause;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

const NOW: i64 = 1_000;

fn owed(state: State) -> Owed {
    Owed { recipient: Recipient::plain(Address::parse(b"a@x").unwrap()), state }
}

fn why() -> Why {
    Why { code: "c".into(), cause: Cause::Message, sentence: "No.".into(), cure: "Mend it.".into() }
}

fn never() -> State {
    State::Never { at: at(0), said: Said { reply: Some("550 No".into()), why: why() } }
}

fn held(since: i64) -> Standing {
    Standing::Held { since: at(since), until: None, by: HeldBy::Uncertain, why: why() }
}

fn sending() -> Standing {
    Standing::Sending { account: "office".into(), attempt: AttemptId::new(), since: at(0) }
}

/// A message that came at 0, of one parcel that stands so.
async fn stored(store: &Arc<dyn Store>, device: &str, standing: Standing) -> MessageId {
    let id = MessageId::new();
    let message = Message { id, ..fixture::message(device, at(0)) };
    let state = if matches!(standing, Standing::Failed { .. }) { never() } else { State::NEW };
    let parcel = Parcel {
        id: ParcelId { message: id, number: 0 },
        route: Route::only("office".into()),
        recipients: vec![owed(state)],
        standing,
        attempts: 3,
        tries: Vec::new(),
        held_s: 5,
        lacking: None,
    };
    store.commit(vec![Change::Store(Arc::new(message), vec![parcel])]).await.unwrap();
    id
}

fn store() -> (Arc<MemoryStore>, Arc<dyn Store>) {
    let memory = Arc::new(MemoryStore::default());
    (Arc::clone(&memory), memory)
}

fn stands(store: &Arc<dyn Store>, id: MessageId) -> Option<Parcel> {
    store.parcels(id).unwrap().into_iter().next()
}

async fn obeyed(store: &Arc<dyn Store>, order: Order) -> Acted {
    act(store, &order, &Keeping::default(), at(NOW), &Journal::default()).await.unwrap()
}

fn these(ids: &[MessageId]) -> Which {
    Which::Messages(ids.to_vec())
}

#[tokio::test]
async fn what_is_retried_is_due_at_once_and_a_hold_does_not_count_as_its_time() {
    let (_, store) = store();
    let (later, held) =
        (stored(&store, "fax", Standing::Due { at: at(5_000) }).await, stored(&store, "fax", held(400)).await);
    let acted = obeyed(&store, Order::Retry { which: these(&[later, held]) }).await;
    assert_eq!(acted.changed.len(), 2);
    let (later, held) = (stands(&store, later).unwrap(), stands(&store, held).unwrap());
    assert_eq!((later.standing, later.held_s, later.attempts), (Standing::Due { at: at(NOW) }, 5, 3));
    assert_eq!((held.standing, held.held_s), (Standing::Due { at: at(NOW) }, 5 + 600));
}

#[tokio::test(start_paused = true)]
async fn what_waited_for_a_held_account_is_not_given_up_because_a_person_had_a_hand_in_it() {
    for order in [|which| Order::Retry { which }, |which| Order::Hold { which, reason: "not now".into() }] {
        let house = fixture::House::started(fixture::keeping(), &["office"]);
        house.close("office", Cause::Account);
        let id = house.put("fax", "office", 0).await;
        house.clock.advance(6 * fixture::DAY);
        for order in [order(these(&[id.message])), Order::Release { which: these(&[id.message]) }] {
            house.queue.act(order).await.unwrap();
        }
        house.open("office");
        house.claim("office").await.settle(vec![fixture::later()], None).await;
        let standing = house.row(id).unwrap().standing;
        assert!(matches!(standing, Standing::Due { .. }), "after its first attempt: {standing:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn mail_that_no_account_of_today_could_take_is_not_made_due() {
    let house = fixture::House::started(fixture::keeping(), &["office"]);
    let standing = |by| Standing::Held { since: at(0), until: None, by, why: why() };
    let id = house.put_as("fax", "gone", standing(HeldBy::NoAccount)).await;
    for order in [|which| Order::Release { which }, |which| Order::Retry { which }] {
        let acted = house.queue.act(order(these(&[id.message]))).await.unwrap();
        assert_eq!((acted.changed, acted.without_account), (vec![], vec![id]));
        assert!(matches!(house.row(id).unwrap().standing, Standing::Held { by: HeldBy::NoAccount, .. }));
        assert!(!house.core().out.has(id));
    }
    let acted = house.queue.act(Order::Remove { which: these(&[id.message]), reason: "old".into() }).await.unwrap();
    assert_eq!(acted.changed, [id]);
}

#[tokio::test]
async fn what_failed_is_owed_again_with_its_time_before_it() {
    let (_, store) = store();
    let failed = stored(&store, "fax", Standing::Failed { since: at(500) }).await;
    obeyed(&store, Order::Retry { which: these(&[failed]) }).await;
    let parcel = stands(&store, failed).unwrap();
    assert_eq!((parcel.attempts, parcel.held_s), (0, 1_000), "else it would be given up at its next failure");
    assert!(
        matches!(&parcel.recipients[0].state, State::Open { last: Some(said) } if said.reply.as_deref() == Some("550 No"))
    );
}

#[tokio::test]
async fn a_retry_of_all_means_what_is_held_or_failed_only_if_it_says_so() {
    let (_, store) = store();
    let due = stored(&store, "fax", Standing::Due { at: at(5_000) }).await;
    let held = stored(&store, "fax", held(0)).await;
    let failed = stored(&store, "fax", Standing::Failed { since: at(0) }).await;
    let all = |standing| Order::Retry { which: Which::All(Filter { standing, ..Filter::default() }) };
    let changed = |acted: Acted| acted.changed.into_iter().map(|id| id.message).collect::<Vec<_>>();
    assert_eq!(changed(obeyed(&store, all(None)).await), [due]);
    assert_eq!(changed(obeyed(&store, all(Some(StandingKind::Failed))).await), [failed]);
    assert_eq!(changed(obeyed(&store, all(Some(StandingKind::Held))).await), [held]);
}

#[tokio::test]
async fn a_hold_says_why_and_ends_when_it_was_to_end() {
    let (_, store) = store();
    let due = stored(&store, "fax", Standing::Due { at: at(0) }).await;
    let order = Order::Hold { which: these(&[due]), reason: "ask the boss".into() };
    let keeping = Keeping { hold_for: Some(Duration::from_hours(24)), ..Keeping::default() };
    act(&store, &order, &keeping, at(NOW), &Journal::default()).await.unwrap();
    let Standing::Held { since, until, by: HeldBy::Person, why } = stands(&store, due).unwrap().standing else {
        panic!()
    };
    assert_eq!((since, until), (at(NOW), Some(at(NOW + 86_400))));
    assert!(why.sentence.contains("ask the boss"), "{}", why.sentence);
    assert_eq!(obeyed(&store, Order::Release { which: these(&[due]) }).await.changed.len(), 1);
    assert_eq!(stands(&store, due).unwrap().standing, Standing::Due { at: at(NOW) });
}

#[tokio::test]
async fn what_is_removed_is_gone_and_nothing_else_is() {
    let (_, store) = store();
    let (fax, nas) = (stored(&store, "fax", held(0)).await, stored(&store, "nas", held(0)).await);
    let which = Which::All(Filter { device: Some("fax".into()), ..Filter::default() });
    let acted = obeyed(&store, Order::Remove { which, reason: "runaway".into() }).await;
    assert_eq!(acted.changed, [ParcelId { message: fax, number: 0 }]);
    assert!(store.message(fax).unwrap().is_none() && store.message(nas).unwrap().is_some());
}

#[tokio::test]
async fn more_than_one_commit_holds_is_all_done() {
    let (_, store) = store();
    for _ in 0..=2 * BATCH {
        stored(&store, "fax", Standing::Due { at: at(5_000) }).await;
    }
    let acted = obeyed(&store, Order::Retry { which: Which::All(Filter::default()) }).await;
    assert_eq!(acted.changed.len(), 2 * BATCH + 1);
}

#[tokio::test]
async fn after_a_crash_what_may_have_gone_out_is_left_to_the_relay_or_removed() {
    let (_, store) = store();
    let id = stored(&store, "fax", sending()).await;
    let acted = obeyed(&store, Order::Retry { which: these(&[id]) }).await;
    assert_eq!((acted.changed.len(), acted.under_way.len()), (0, 1));
    assert_eq!(
        obeyed(&store, Order::Remove { which: these(&[id]), reason: "it arrived".into() }).await.changed.len(),
        1
    );
}

/// A durable queue on this store, without couriers.
fn queue(store: &Arc<dyn Store>) -> Queue {
    Queue::durable(
        Keeping::default(),
        vec![fixture::facts("office")],
        Arc::clone(store),
        Clock::default(),
        Journal::default(),
        "relay.test".into(),
        FreeSpace::plenty(),
    )
}

#[tokio::test]
async fn what_a_courier_has_in_hand_is_left_alone_and_said() {
    let (_, store) = store();
    let ids = [stored(&store, "fax", held(0)).await, stored(&store, "fax", held(0)).await];
    let queue = queue(&store);
    let out = ParcelId { message: ids[0], number: 0 };
    assert!(queue.core().unwrap().out.take(out));
    let acted = queue.act(Order::Remove { which: these(&ids), reason: "x".into() }).await.unwrap();
    assert_eq!((acted.under_way, acted.changed.len()), (vec![out], 1));
    assert!(stands(&store, ids[0]).is_some(), "it may be going out just now");
    queue.core().unwrap().out.back(out);
    let acted = queue.act(Order::Release { which: these(&ids) }).await.unwrap();
    assert_eq!(acted.changed, [out]);
    assert!(queue.core().unwrap().out.snapshot().is_empty(), "what was in our hand was given back");
}

#[tokio::test(start_paused = true)]
async fn what_is_released_or_retried_goes_to_a_courier_at_once() {
    let house = House::started(keeping(), &["office"]);
    let held = house.put_as("nas", "office", held(0)).await.message;
    let later = house.put("nas", "office", 3_600).await.message;
    assert!(house.claimed("office").await.is_none());
    house.queue.act(Order::Release { which: these(&[held]) }).await.unwrap();
    assert_eq!(house.claimed("office").await.expect("it is due").message().id, held);
    house.queue.act(Order::Retry { which: these(&[later]) }).await.unwrap();
    assert_eq!(house.claimed("office").await.expect("it is due").message().id, later);
}

#[tokio::test]
async fn what_a_person_did_stands_in_the_journal_with_the_reason() {
    let (_, store) = store();
    let (id, log) = (stored(&store, "fax", Standing::Due { at: at(0) }).await, Heard::begin());
    obeyed(&store, Order::Retry { which: these(&[id]) }).await;
    obeyed(&store, Order::Hold { which: these(&[id]), reason: "ask the boss".into() }).await;
    obeyed(&store, Order::Release { which: these(&[id]) }).await;
    obeyed(&store, Order::Remove { which: these(&[id]), reason: "a mistake".into() }).await;
    let name = id.to_string();
    for words in [["tried at once by hand", ""], ["held by hand", "ask the boss"], ["released by hand", ""]] {
        assert_eq!(log.count(&[&name, words[0], words[1]]), 1, "{words:?}");
    }
    assert_eq!(log.count(&[&name, "removed by hand", "a mistake"]), 1);
    obeyed(&store, Order::Remove { which: these(&[id]), reason: "once more".into() }).await;
    assert_eq!(log.count(&["once more"]), 0, "what was not done is not said");
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_done_and_not_kept_in_hand() {
    let (memory, store) = store();
    let id = stored(&store, "fax", held(0)).await;
    let queue = queue(&store);
    memory.fail_next(NotStored::Full { detail: "no room".into() });
    let refused = queue.act(Order::Release { which: these(&[id]) }).await.unwrap_err();
    assert!(refused.to_string().contains("the disk is full"), "{refused}");
    assert_eq!(stands(&store, id).unwrap().standing, held(0));
    assert!(queue.core().unwrap().out.snapshot().is_empty());
    let none = Queue::proxy(["office".into()]).act(Order::Release { which: these(&[id]) }).await;
    assert_eq!(none, Err(ActError::NoQueue));
}

#[tokio::test]
async fn what_is_damaged_can_be_removed_and_what_cannot_be_read_just_now_is_not_touched() {
    let (memory, store) = store();
    let (damaged, stuck) = (stored(&store, "fax", held(0)).await, stored(&store, "fax", held(0)).await);
    memory.damage(damaged);
    memory.trouble(stuck);
    let remove = |id| Order::Remove { which: these(&[id]), reason: "its body is gone".into() };
    assert_eq!(obeyed(&store, remove(damaged)).await.changed.len(), 1, "as the list advises");
    let refused = act(&store, &remove(stuck), &Keeping::default(), at(NOW), &Journal::default()).await.unwrap_err();
    assert!(refused.to_string().contains("cannot be read"), "{refused}");
    assert!(stands(&store, stuck).is_some());
}
