//! A disk that fails: what callers hear, what is there afterwards, and the way back.
//!
//! The failures are made by the engine's own hook where it commits and syncs; a real device that fails is not at hand
//! here.

use std::io::ErrorKind;

use super::super::trouble::faults::Fault;
use super::*;

/// Resolves when the store is well again.
fn well(store: &Sqlite) {
    let mut condition = store.condition();
    let well = async move { condition.wait_for(|condition| *condition == Condition::Well).await.map(|_| ()) };
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(well).unwrap();
}

fn is_failing(store: &Sqlite) -> bool {
    matches!(&*store.condition().borrow(), Condition::Failing { .. })
}

/// A trial fails as often as that after the commit itself: whoever looks in between finds the store closed.
fn fails_for_long(first: Fault) -> impl Iterator<Item = Option<Fault>> {
    std::iter::once(Some(first)).chain(std::iter::repeat_n(Some(Fault::Lost), 100))
}

#[test]
fn everybody_hears_of_it_and_nothing_is_taken_until_a_trial_is_durable() {
    for fault in [Fault::Lost, Fault::Ghost] {
        for size in [10, LARGE] {
            let home = Home::new();
            let store = home.open();
            let (before, change) = home.mail(size);
            made(store.commit(vec![change])).unwrap();
            home.faults.commits_gate.close();
            home.faults.commits(fails_for_long(fault));
            let (refused, change) = home.mail(size);
            let first = store.commit(vec![change]);
            home.faults.commits_gate.reached(1);
            let second = store.commit(vec![home.mail(10).1]);
            home.faults.commits_gate.open();
            assert!(matches!(made(first), Err(NotStored::Failing { .. })));
            assert!(is_failing(&store), "it is seen before it is heard");
            assert!(matches!(made(second), Err(NotStored::Failing { .. })));
            let (later, change) = home.mail(size);
            assert!(made(store.commit(vec![change])).is_err());
            assert!(!home.names("spool").contains(&later.to_string()), "the trial must not meet one put there anew");
            assert!(made(store.remember(&"office".into(), &Remembered::default())).is_err());
            assert!(store.message(before).unwrap().is_some(), "what was promised can be read all the while");
            well(&store);
            let (after, change) = home.mail(size);
            made(store.commit(vec![change])).unwrap();
            for store in [&store, &home.crashed().open()] {
                let there = [before, refused, later, after].map(|id| store.message(id).unwrap().is_some());
                assert_eq!(there, [true, false, false, true], "{fault:?}, {size} octets");
            }
            let files = if size == LARGE { 2 } else { 0 };
            assert_eq!(home.names("spool").len(), files, "{fault:?}: what was refused leaves no file behind");
        }
    }
}

#[test]
fn updates_and_ends_whose_commit_failed_are_not_made() {
    let home = Home::new();
    let store = home.open();
    let ([updated, finished], changes): ([MessageId; 2], [Change; 2]) = {
        let [(updated, one), (finished, other)] = [home.mail(10), home.mail(LARGE)];
        ([updated, finished], [one, other])
    };
    made(store.commit(changes.into())).unwrap();
    home.faults.commits([Some(Fault::Lost)]);
    let held = Change::Update(sample::parcel(updated, 0, "office", sample::held(None)));
    assert!(made(store.commit(vec![held, finish(finished)])).is_err());
    well(&store);
    made(store.commit(Vec::new())).unwrap();
    for store in [&store, &home.crashed().open()] {
        assert_eq!(store.parcels(updated).unwrap(), [sample::parcel(updated, 0, "office", sample::due(1))]);
        assert!(store.message(finished).unwrap().is_some());
    }
}

#[test]
fn a_notice_goes_with_the_end_it_tells_of_and_both_may_be_asked_for_again() {
    for fault in [Fault::Lost, Fault::Ghost] {
        for size in [10, LARGE] {
            let home = Home::new();
            let store = home.open();
            let (failed, change) = home.mail(10);
            made(store.commit(vec![change])).unwrap();
            let notice = Arc::new(sample::message("scanner", sample::body(home.path(), size)));
            let parcel = sample::parcel(notice.id, 0, "office", sample::due(1));
            let settle = || vec![finish(failed), Change::Store(Arc::clone(&notice), vec![parcel.clone()])];
            home.faults.commits([Some(fault)]);
            assert!(made(store.commit(settle())).is_err());
            well(&store);
            let there = |store: &Sqlite| [failed, notice.id].map(|id| store.message(id).unwrap().is_some());
            let kept = if fault == Fault::Ghost { [false, true] } else { [true, false] };
            assert_eq!(there(&store), kept, "{fault:?}: one without the other is never there");
            made(store.commit(settle())).unwrap();
            assert_eq!(there(&store), [false, true]);
            let crashed = home.crashed();
            let after = crashed.open();
            assert_eq!(there(&after), [false, true]);
            assert!(sample::octets(&after.message(notice.id).unwrap().unwrap().body) == sample::octets(&notice.body));
        }
    }
}

#[test]
fn what_was_refused_does_not_come_back_when_the_program_ends_first() {
    let pauses = [std::time::Duration::from_hours(1); 2];
    let home = Home { limits: Limits { pauses, ..Limits::default() }, ..Home::new() };
    let store = home.open();
    home.faults.commits([Some(Fault::Ghost)]);
    let (refused, change) = home.mail(LARGE);
    assert!(made(store.commit(vec![change])).is_err());
    drop(store);
    let store = home.open();
    assert!(store.message(refused).unwrap().is_none());
    assert!(home.names("spool").is_empty());
}

#[test]
fn no_room_is_told_to_those_who_ask_for_too_much_and_nobody_else() {
    let home = Home::new();
    let store = home.open();
    home.faults.commits_gate.close();
    // The first alone; the two behind it together, which is too much; then the second alone, and the third.
    home.faults.commits([None, Some(Fault::Full), None, Some(Fault::Full)]);
    let first = store.commit(vec![home.mail(10).1]);
    home.faults.commits_gate.reached(1);
    let (fits, change) = home.mail(10);
    let second = store.commit(vec![change]);
    let (too_much, change) = home.mail(10);
    let third = store.commit(vec![change]);
    home.faults.commits_gate.open();
    made(first).unwrap();
    made(second).unwrap();
    assert!(matches!(made(third), Err(NotStored::Full { .. })));
    assert!(!is_failing(&store));
    assert!(store.message(fits).unwrap().is_some() && store.message(too_much).unwrap().is_none());
}

#[test]
fn no_room_for_a_large_body_leaves_nothing_behind_and_it_may_be_offered_again() {
    let home = Home::new();
    let store = home.open();
    let message = Arc::new(sample::message("scanner", sample::body(home.path(), LARGE)));
    let parcel = sample::parcel(message.id, 0, "office", sample::due(1));
    let change = || Change::Store(Arc::clone(&message), vec![parcel.clone()]);
    home.faults.syncs([Some(ErrorKind::StorageFull)]);
    assert!(matches!(made(store.commit(vec![change()])), Err(NotStored::Full { .. })));
    let both = vec![home.mail(LARGE).1, home.mail(LARGE).1];
    home.faults.syncs([None, Some(ErrorKind::StorageFull)]);
    assert!(matches!(made(store.commit(both)), Err(NotStored::Full { .. })), "the one that fitted goes as well");
    home.faults.commits([Some(Fault::Full)]);
    assert!(matches!(made(store.commit(vec![change()])), Err(NotStored::Full { .. })));
    assert!(home.names("spool").is_empty() && !is_failing(&store));
    // Its first name is gone by now: it is written anew.
    made(store.commit(vec![change()])).unwrap();
    let found = home.crashed().open().message(message.id).unwrap().unwrap();
    assert!(sample::octets(&found.body) == sample::octets(&message.body));
}

#[test]
fn a_body_whose_sync_failed_is_written_anew_once() {
    let home = Home::new();
    let store = home.open();
    let (anew, change) = home.mail(LARGE);
    home.faults.syncs([Some(ErrorKind::Other)]);
    made(store.commit(vec![change])).unwrap();
    assert!(store.message(anew).unwrap().is_some() && !is_failing(&store));
    let (twice, change) = home.mail(LARGE);
    home.faults.syncs(std::iter::repeat_n(Some(ErrorKind::Other), 100));
    let small = home.mail(10).1;
    assert!(matches!(made(store.commit(vec![change])), Err(NotStored::Failing { .. })));
    // What is asked for afterwards stands behind the news.
    assert!(made(store.commit(vec![small])).is_err());
    well(&store);
    assert!(store.message(twice).unwrap().is_none());
    assert_eq!(home.names("spool"), [anew.to_string()]);
    assert!(home.names("spool/incoming").is_empty());
    made(store.commit(vec![home.mail(LARGE).1])).unwrap();
}

#[test]
fn a_writer_that_dies_leaves_nobody_waiting_and_nobody_believing_that_all_is_well() {
    let home = Home::new();
    let store = home.open();
    home.faults.commits([Some(Fault::Panic)]);
    for _ in 0..2 {
        let result = made(store.commit(vec![home.mail(10).1]));
        assert!(matches!(result, Err(NotStored::Failing { .. })), "{result:?}");
    }
    let mut condition = store.condition();
    let failing = condition.wait_for(|condition| *condition != Condition::Well);
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(failing).unwrap();
    drop(store);
    made(home.open().commit(vec![home.mail(10).1])).unwrap();
}

#[test]
fn who_ends_the_program_does_not_wait_for_a_disk_that_fails() {
    let pauses = [std::time::Duration::from_hours(1); 2];
    let home = Home { limits: Limits { pauses, ..Limits::default() }, ..Home::new() };
    let store = home.open();
    let (before, change) = home.mail(10);
    made(store.commit(vec![change])).unwrap();
    home.faults.commits([Some(Fault::Lost)]);
    assert!(made(store.commit(vec![home.mail(10).1])).is_err());
    drop(store);
    assert!(home.open().message(before).unwrap().is_some());
}
