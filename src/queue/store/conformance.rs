//! What every engine promises, as tests that know no engine.
//!
//! An engine's own tests call [`keeps`] with a way to make disks; a disk opens the store on it, and opens it again
//! after that one was dropped. [`same`] compares two stores by everything that can be asked. What happens when a disk
//! fails is the engine's own affair to test.

use std::collections::HashSet;
use std::sync::Arc;

use super::sample::{at, body, due, held, message, octets, parcel, route, sending};
use super::{Change, Durable, Filter, Load, NotStored, Page, StandingKind, Store};
use crate::account::memory::{Memory, Remembered};
use crate::ids::MessageId;
use crate::queue::body::MEMORY_LIMIT;
use crate::queue::parcel::{Parcel, ParcelId, Standing};
use crate::queue::{Message, Route};

/// Both ports of an engine.
pub trait Engine: Store + Memory {}
impl<T: Store + Memory> Engine for T {}

/// Opens the store on one disk; the one opened before was dropped.
pub type Open<'a> = &'a dyn Fn() -> Arc<dyn Engine>;

/// Holds an engine to every promise, each on a fresh disk.
pub fn keeps(fresh: impl Fn() -> Box<dyn Fn() -> Arc<dyn Engine>>) {
    let promises: [fn(Open<'_>); 12] = [
        what_was_stored_is_found_again,
        a_commit_is_made_whole_or_not_at_all,
        what_is_stored_again_stays_as_it_is,
        changes_are_made_in_the_order_they_were_given,
        the_last_parcel_takes_the_message_along,
        what_is_not_there_is_not_changed,
        devices_take_turns,
        only_what_is_due_and_not_out_is_handed_out,
        nothing_is_due_before_its_time,
        times_are_told_ahead,
        pages_follow_each_other_and_filters_all_hold,
        what_is_remembered_outlives_the_process,
    ];
    for promise in promises {
        promise(&*fresh());
    }
}

/// Waits for a promise.
///
/// # Errors
/// When it is not kept.
pub fn made(durable: Durable) -> Result<(), NotStored> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(durable)
}

/// Looks now, and once more after a restart.
fn twice(store: Arc<dyn Engine>, open: Open<'_>, look: impl Fn(&dyn Engine)) {
    look(&*store);
    drop(store);
    look(&*open());
}

fn commit(store: &Arc<dyn Engine>, changes: Vec<Change>) {
    made(store.commit(changes)).unwrap();
}

/// A small message of this device with these parcels, numbered from 0.
fn stored(device: &str, parcels: &[(&str, Standing)]) -> (MessageId, Change) {
    let message = message(device, body(&std::env::temp_dir(), 10));
    let id = message.id;
    let parcels = (0..).zip(parcels).map(|(number, (route, standing))| parcel(id, number, route, standing.clone()));
    (id, Change::Store(Arc::new(message), parcels.collect()))
}

fn id(message: MessageId, number: u16) -> ParcelId {
    ParcelId { message, number }
}

fn what_was_stored_is_found_again(open: Open<'_>) {
    let home = tempfile::tempdir().unwrap();
    let sizes = [0, 4096, MEMORY_LIMIT + 1, 300_000];
    let messages: Vec<Arc<Message>> =
        sizes.iter().map(|size| Arc::new(message("scanner", body(home.path(), *size)))).collect();
    let store = open();
    for message in &messages {
        let parcels = vec![parcel(message.id, 0, "office,backup", due(5)), parcel(message.id, 1, "backup", held(None))];
        commit(&store, vec![Change::Store(Arc::clone(message), parcels.clone())]);
        assert_eq!(store.parcels(message.id).unwrap(), parcels);
    }
    drop(store);
    let store = open();
    for message in &messages {
        let found = store.message(message.id).unwrap().unwrap();
        assert_eq!(without_body(&found), without_body(message));
        assert!(octets(&found.body) == octets(&message.body), "{} octets", message.body.size());
        let first = parcel(message.id, 0, "office,backup", due(5));
        assert_eq!(store.parcels(message.id).unwrap()[0], first);
    }
    assert!(store.message(MessageId::new()).unwrap().is_none());
    assert_eq!(store.parcels(MessageId::new()).unwrap(), []);
    let octets = messages.iter().map(|message| message.body.size()).sum();
    assert_eq!(store.stock().unwrap().by_device, [("scanner".into(), (4, octets))].into());
    commit(&store, vec![stored("fax", &[("office", due(1))]).1]);
    let fax = store.stock().unwrap().by_device[&"fax".into()];
    let all = (5, octets + fax.1);
    assert_eq!(store.load(&"scanner".into()), Load { all, of_device: (4, octets) });
    commit(&store, vec![Change::Finish(id(messages[0].id, 0))]);
    assert_eq!(store.load(&"fax".into()), Load { all, of_device: fax });
    commit(&store, vec![Change::Finish(id(messages[0].id, 1))]);
    let all = (4, all.1 - messages[0].body.size());
    twice(store, open, |store| assert_eq!(store.load(&"nas".into()), Load { all, of_device: (0, 0) }));
}

fn a_commit_is_made_whole_or_not_at_all(open: Open<'_>) {
    let store = open();
    let (first, change) = stored("scanner", &[("office", due(1))]);
    commit(&store, vec![change]);
    let (second, change) = stored("scanner", &[("office", due(1))]);
    let (third, none) = stored("scanner", &[]);
    let all = vec![change, Change::Finish(id(first, 0)), none];
    assert!(made(store.commit(all)).is_err(), "one of them has no parcel");
    twice(store, open, |store| {
        let there = [first, second, third].map(|id| store.message(id).unwrap().is_some());
        assert_eq!(there, [true, false, false]);
    });
}

fn what_is_stored_again_stays_as_it_is(open: Open<'_>) {
    let home = tempfile::tempdir().unwrap();
    let store = open();
    for size in [10, 100_000] {
        let message = Arc::new(message("scanner", body(home.path(), size)));
        let change = |standing| Change::Store(Arc::clone(&message), vec![parcel(message.id, 0, "office", standing)]);
        commit(&store, vec![change(due(1))]);
        let (notice, new) = stored("scanner", &[("office", due(1))]);
        commit(&store, vec![change(due(2)), new]);
        assert_eq!(store.parcels(message.id).unwrap(), [parcel(message.id, 0, "office", due(1))]);
        assert!(store.message(notice).unwrap().is_some(), "what came along is new");
        assert!(octets(&store.message(message.id).unwrap().unwrap().body) == octets(&message.body));
    }
    assert_eq!(store.load(&"scanner".into()).all.0, 4);
}

fn changes_are_made_in_the_order_they_were_given(open: Open<'_>) {
    let home = tempfile::tempdir().unwrap();
    let store = open();
    // A large body takes its time; what is asked of its message afterwards must not overtake it.
    let large = Arc::new(message("scanner", body(home.path(), 1_000_000)));
    let id = large.id;
    let change = |standing| Change::Update(parcel(id, 0, "office", standing));
    let promises = [
        store.commit(vec![Change::Store(large, vec![parcel(id, 0, "office", due(1))])]),
        store.commit(vec![change(due(2)), change(due(3))]),
        store.commit(vec![change(held(Some(4)))]),
    ];
    for promise in promises {
        made(promise).unwrap();
    }
    assert_eq!(store.parcels(id).unwrap(), [parcel(id, 0, "office", held(Some(4)))]);
}

fn the_last_parcel_takes_the_message_along(open: Open<'_>) {
    let store = open();
    let (message, change) = stored("scanner", &[("office", due(1)), ("backup", due(1))]);
    commit(&store, vec![change]);
    commit(&store, vec![Change::Finish(id(message, 0))]);
    assert!(store.message(message).unwrap().is_some());
    assert_eq!(store.routes().unwrap(), [route("backup")]);
    let (notice, change) = stored("scanner", &[("office", due(1))]);
    commit(&store, vec![Change::Finish(id(message, 1)), change]);
    twice(store, open, |store| {
        assert!(store.message(message).unwrap().is_none());
        assert!(store.message(notice).unwrap().is_some());
        assert_eq!(store.routes().unwrap(), [route("office")]);
        assert_eq!(store.stock().unwrap().by_device.values().map(|(messages, _)| messages).sum::<u64>(), 1);
    });
}

fn what_is_not_there_is_not_changed(open: Open<'_>) {
    let store = open();
    let (message, change) = stored("scanner", &[("office", due(1))]);
    commit(&store, vec![change]);
    let unknown = MessageId::new();
    let update = |message, number| Change::Update(parcel(message, number, "office", due(9)));
    commit(&store, vec![update(unknown, 0), update(message, 7), Change::Finish(id(unknown, 0))]);
    commit(&store, vec![Change::Finish(id(message, 7)), Change::Finish(id(message, 7))]);
    commit(&store, Vec::new());
    assert_eq!(store.parcels(unknown).unwrap(), []);
    assert_eq!(store.parcels(message).unwrap(), [parcel(message, 0, "office", due(1))]);
    assert!(store.message(message).unwrap().is_some(), "an end of a parcel that is not there ends nothing");
}

fn names(store: &dyn Engine, ask: &super::Due<'_>) -> Vec<(String, i64)> {
    let due = store.due(ask).unwrap();
    due.iter()
        .map(|waiting| match waiting.parcel.standing {
            Standing::Due { at } => (waiting.device.to_string(), at.as_second()),
            _ => panic!("not due: {waiting:?}"),
        })
        .collect()
}

fn devices_take_turns(open: Open<'_>) {
    let store = open();
    for (device, route, second) in [
        ("flood", "office", 1),
        ("flood", "office", 2),
        ("flood", "backup", 3),
        ("flood", "office", 4),
        ("calm", "office", 9),
        ("calm", "office", 10),
        ("early", "backup", 0),
        ("elsewhere", "other", 0),
    ] {
        commit(&store, vec![stored(device, &[(route, due(second))]).1]);
    }
    let routes = [route("office"), route("backup")];
    let but = HashSet::new();
    let ask = |per_device, limit| super::Due { routes: &routes, now: at(100), but: &but, per_device, limit };
    let got = |per_device, limit| -> Vec<String> {
        names(&*store, &ask(per_device, limit)).iter().map(|(device, second)| format!("{device} {second}")).collect()
    };
    let all = ["early 0", "flood 1", "calm 9", "flood 2", "calm 10", "flood 3", "flood 4"];
    assert_eq!(got(10, 10), all);
    assert_eq!(got(2, 10), all[..5]);
    assert_eq!(got(10, 4), all[..4]);
    assert_eq!(got(10, 2), all[..2]);
    assert!(got(0, 10).is_empty() && got(10, 0).is_empty());
}

fn only_what_is_due_and_not_out_is_handed_out(open: Open<'_>) {
    let store = open();
    let (message, change) = stored(
        "scanner",
        &[("office", due(5)), ("office", due(6)), ("office", held(Some(1))), ("office", sending()), ("backup", due(5))],
    );
    commit(&store, vec![change]);
    let routes = [route("office")];
    let got = |store: &dyn Engine, now, but: &[ParcelId]| -> Vec<u16> {
        let but = but.iter().copied().collect();
        let ask = super::Due { routes: &routes, now: at(now), but: &but, per_device: 9, limit: 9 };
        store.due(&ask).unwrap().iter().map(|waiting| waiting.parcel.id.number).collect()
    };
    assert_eq!(got(&*store, 4, &[]), [0; 0]);
    assert_eq!(got(&*store, 5, &[]), [0]);
    assert_eq!(got(&*store, 6, &[]), [0, 1]);
    assert_eq!(got(&*store, 6, &[id(message, 0)]), [1]);
    commit(&store, vec![Change::Update(parcel(message, 0, "office", sending()))]);
    commit(&store, vec![Change::Update(parcel(message, 1, "office", Standing::Failed { since: at(1) }))]);
    commit(&store, vec![Change::Update(parcel(message, 2, "office", due(2)))]);
    twice(store, open, |store| {
        assert_eq!(got(store, 6, &[]), [2]);
        let unfinished = store.unfinished().unwrap();
        assert_eq!(unfinished.iter().map(|waiting| waiting.parcel.id.number).collect::<Vec<_>>(), [0, 3]);
        assert_eq!(store.routes().unwrap(), [route("backup"), route("office")]);
    });
}

fn nothing_is_due_before_its_time(open: Open<'_>) {
    let store = open();
    let nanoseconds = |n| at(5) + std::time::Duration::from_nanos(n);
    let (message, change) = stored("scanner", &[("office", Standing::Due { at: nanoseconds(1_500) })]);
    commit(&store, vec![change]);
    let (routes, but) = ([route("office")], HashSet::new());
    twice(store, open, |store| {
        let due = |now| {
            let ask = super::Due { routes: &routes, now, but: &but, per_device: 9, limit: 9 };
            store.due(&ask).unwrap().iter().map(|waiting| waiting.parcel.id).collect::<Vec<_>>()
        };
        assert_eq!(due(nanoseconds(1_400)), []);
        assert_eq!(due(nanoseconds(2_500)), [id(message, 0)]);
    });
}

fn times_are_told_ahead(open: Open<'_>) {
    let store = open();
    let (message, change) = stored(
        "scanner",
        &[("office", due(5)), ("backup", due(7)), ("office", held(Some(6))), ("office", held(None)), ("other", due(1))],
    );
    commit(&store, vec![change]);
    let next = |routes: &[Route], after| store.next_due(routes, at(after)).unwrap().map(jiff::Timestamp::as_second);
    let routes = [route("office"), route("backup")];
    let told: Vec<_> = [4, 5, 6, 7].into_iter().map(|after| next(&routes, after)).collect();
    assert_eq!(told, [Some(5), Some(6), Some(7), None]);
    assert_eq!(next(&[], 0), None);
    assert_eq!(store.hold_over(at(5), 9).unwrap(), []);
    let over = store.hold_over(at(6), 9).unwrap();
    assert_eq!(over.iter().map(|waiting| waiting.parcel.id).collect::<Vec<_>>(), [id(message, 2)]);
    assert_eq!(store.hold_over(at(6), 0).unwrap(), []);
}

fn pages_follow_each_other_and_filters_all_hold(open: Open<'_>) {
    let store = open();
    let changes: Vec<(MessageId, Change)> = [("fax", "office,backup"), ("scanner", "back"), ("fax", "backup")]
        .iter()
        .map(|(device, route)| stored(device, &[(route, due(1)), ("office", held(None))]))
        .collect();
    let ids: Vec<MessageId> = changes.iter().map(|(id, _)| *id).collect();
    // The oldest message comes first, whenever it was stored.
    changes.into_iter().rev().for_each(|(_, change)| commit(&store, vec![change]));
    let list = |filter: &Filter, after, limit| -> Vec<ParcelId> {
        let page = Page { after, limit };
        store.list(filter, page).unwrap().iter().map(|waiting| waiting.parcel.id).collect()
    };
    let all: Vec<ParcelId> = ids.iter().flat_map(|message| [id(*message, 0), id(*message, 1)]).collect();
    let everything = Filter::default();
    assert_eq!(list(&everything, None, 99), all);
    assert_eq!(list(&everything, Some(all[1]), 2), all[2..4]);
    assert_eq!(list(&everything, Some(all[5]), 2), []);
    let digits: Vec<String> = ids.iter().map(ToString::to_string).collect();
    assert_eq!(store.find(&digits[1][24..], 9).unwrap(), ids[1..2]);
    assert_eq!(store.find(&digits[1], 9).unwrap(), ids[1..2]);
    assert_eq!(store.find("0", 2).unwrap(), ids[..2], "ids of our days begin so");
    assert_eq!(store.find(&digits[1][8..24], 9).unwrap(), [], "neither its beginning nor its end");
    let text = |text: &str| Some(text.to_owned());
    let filters = [
        (Filter { from: text("sCanner@"), ..Filter::default() }, 6),
        (Filter { from: text("office"), ..Filter::default() }, 0),
        (Filter { to: text("OFFICE@"), ..Filter::default() }, 6),
        (Filter { to: text("scanner"), ..Filter::default() }, 0),
        (Filter { device: text("fax"), ..Filter::default() }, 4),
        (Filter { device: text("fa"), ..Filter::default() }, 0),
        (Filter { account: text("backup"), ..Filter::default() }, 2),
        (Filter { account: text("office"), ..Filter::default() }, 4),
        (Filter { standing: Some(StandingKind::Held), ..Filter::default() }, 3),
        (Filter { standing: Some(StandingKind::Sending), ..Filter::default() }, 0),
        (Filter { since: Some(at(1_000)), before: Some(at(1_001)), ..Filter::default() }, 6),
        (Filter { since: Some(at(1_001)), ..Filter::default() }, 0),
        (Filter { before: Some(at(1_000)), ..Filter::default() }, 0),
        (Filter { device: text("fax"), standing: Some(StandingKind::Due), to: text("e@e"), ..Filter::default() }, 2),
    ];
    for (filter, count) in filters {
        assert_eq!(list(&filter, None, 99).len(), count, "{filter:?}");
        assert_eq!(store.count(&filter).unwrap(), count as u64, "{filter:?}");
    }
}

fn what_is_remembered_outlives_the_process(open: Open<'_>) {
    let store = open();
    assert_eq!(store.recall().unwrap(), [].into());
    // As a run before this one may have written it, whatever else is remembered by now.
    let remembered: Remembered = serde_json::from_str(r#"{ "starttls_seen": true }"#).unwrap();
    made(store.remember(&"office".into(), &Remembered::default())).unwrap();
    made(store.remember(&"office".into(), &remembered)).unwrap();
    made(store.remember(&"backup".into(), &Remembered::default())).unwrap();
    twice(store, open, |store| {
        let expected = [("office".into(), remembered.clone()), ("backup".into(), Remembered::default())];
        assert_eq!(store.recall().unwrap(), expected.into());
    });
}

/// Everything of a message but its octets.
#[must_use]
pub fn without_body(message: &Message) -> String {
    let Message { id, session, device, kind, sender, body, eight_bit, eight_bit_header, arrived } = message;
    let size = body.size();
    format!("{id} {session} {device} {kind:?} {sender:?} {size} {eight_bit} {eight_bit_header} {arrived}")
}

/// Whether two stores give the same answers, for times up to `until`.
pub fn same(one: &dyn Store, other: &dyn Store, until: i64) {
    let both = [one, other];
    let [mine, theirs] = both.map(|store| store.list(&Filter::default(), Page { after: None, limit: 1000 }).unwrap());
    assert_eq!(mine, theirs);
    let [routes, theirs] = both.map(|store| store.routes().unwrap());
    assert_eq!(routes, theirs);
    let [stock, theirs] = both.map(|store| store.stock().unwrap());
    assert_eq!(stock, theirs);
    let [unfinished, theirs] = both.map(|store| store.unfinished().unwrap());
    assert_eq!(unfinished, theirs);
    for now in (0..=until).map(at) {
        let but: HashSet<ParcelId> = mine.iter().map(|waiting| waiting.parcel.id).take(1).collect();
        for (per_device, limit) in [(1, 100), (2, 3), (100, 100)] {
            let ask = super::Due { routes: &routes, now, but: &but, per_device, limit };
            let [due, theirs] = both.map(|store| store.due(&ask).unwrap());
            assert_eq!(due, theirs, "{ask:?}");
        }
        let [next, theirs] = both.map(|store| store.next_due(&routes, now).unwrap());
        assert_eq!(next, theirs, "after {now}");
        let [over, theirs] = both.map(|store| store.hold_over(now, 2).unwrap());
        assert_eq!(over, theirs, "at {now}");
    }
    for message in mine.iter().map(|waiting| waiting.parcel.id.message) {
        let [mine, theirs] = both.map(|store| store.message(message).unwrap().unwrap());
        assert_eq!(without_body(&mine), without_body(&theirs));
        assert!(octets(&mine.body) == octets(&theirs.body));
        let [mine, theirs]: [Vec<Parcel>; 2] = both.map(|store| store.parcels(message).unwrap());
        assert_eq!(mine, theirs);
    }
}
