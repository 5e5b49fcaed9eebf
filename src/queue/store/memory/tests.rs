//! The store of the tests keeps what every engine promises, and does on top what a test wants of it.
//!
//! The promises are those of the conformance suite; the rest is held back commits, failures, and a process that dies.

use super::super::conformance::{self, Engine, made};
use super::super::sample;
use super::*;

#[test]
fn it_keeps_what_every_engine_promises() {
    conformance::keeps(|| {
        let store = Arc::new(MemoryStore::default());
        Box::new(move || Arc::clone(&store) as Arc<dyn Engine>)
    });
}

fn change() -> Change {
    let message = sample::message("scanner", sample::body(std::path::Path::new("unused"), 1));
    let parcel = sample::parcel(message.id, 0, "office", sample::due(1));
    Change::Store(Arc::new(message), vec![parcel])
}

#[test]
fn it_fails_and_holds_back_as_a_test_wants_it() {
    let store = MemoryStore::default();
    store.fail_next(NotStored::Full { detail: "test".to_owned() });
    assert!(matches!(made(store.commit(vec![change()])), Err(NotStored::Full { .. })));
    store.fail_next(NotStored::Failing { detail: "test".to_owned() });
    assert!(made(store.commit(vec![change()])).is_err());
    assert!(made(store.commit(vec![change()])).is_err(), "until it is mended");
    assert_eq!(*store.condition().borrow(), Condition::Failing { why: "test".to_owned() });
    store.mend();
    store.hold();
    let [first, second] = [store.commit(vec![change()]), store.commit(vec![change()])];
    assert_eq!((store.commits(), store.messages()), (0, 0));
    assert!(store.let_one_pass());
    made(first).unwrap();
    store.release();
    made(second).unwrap();
    assert_eq!((store.commits(), store.messages()), (2, 2));
    store.hold();
    let lost = store.commit(vec![change()]);
    store.lose_waiting();
    assert!(made(lost).is_err());
}
