//! The engine under test: what every engine promises, any sequence of changes, and callers that come together.
//!
//! Every test has a directory of its own, owned as the relay owns it; `disk.faults` makes it fail or wait.

mod failing;
mod recovery;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::trouble::faults::Faults;
use super::*;
use crate::queue::parcel::{ParcelId, Standing};
use crate::queue::store::conformance::{self, Engine, made, same};
use crate::queue::store::memory::MemoryStore;
use crate::queue::store::sample;

/// A storage directory.
struct Home {
    owner: Ownership,
    faults: Arc<Faults>,
    limits: Limits,
    _directory: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let owner = Ownership::take(directory.path()).unwrap();
        let limits = Limits { pauses: [Duration::from_millis(1); 2], ..Limits::default() };
        Self { owner, faults: Arc::default(), limits, _directory: directory }
    }

    fn open(&self) -> Sqlite {
        self.try_open().unwrap()
    }

    fn try_open(&self) -> Result<Sqlite, OpenError> {
        Sqlite::open_on(&self.owner, Disk { faults: Arc::clone(&self.faults) }, self.limits.clone())
    }

    fn path(&self) -> &Path {
        self.owner.directory()
    }

    /// What a process that died now would leave behind.
    fn crashed(&self) -> Self {
        let after = Self::new();
        copy(self.path(), after.path());
        after
    }

    /// A message, large if it is to have a file.
    fn mail(&self, size: usize) -> (MessageId, Change) {
        let message = sample::message("scanner", sample::body(self.path(), size));
        let (id, parcel) = (message.id, sample::parcel(message.id, 0, "office", sample::due(1)));
        (id, Change::Store(Arc::new(message), vec![parcel]))
    }

    /// How many rows a table has.
    fn rows(&self, table: &str) -> u64 {
        let looks = rusqlite::Connection::open(self.path().join(NAME)).unwrap();
        looks.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    /// Names of files in a directory below this one.
    fn names(&self, below: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path().join(below)).unwrap().map(Result::unwrap);
        let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
        files.map(|entry| entry.file_name().into_string().unwrap()).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else if entry.file_name() != "lock" {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

const LARGE: usize = 200_000;

/// Returns when the writer has done all it was told, also what it does after it has answered.
fn rests(store: &Sqlite) {
    made(store.commit(Vec::new())).unwrap();
}

fn finish(message: MessageId) -> Change {
    Change::Finish(ParcelId { message, number: 0 })
}

#[test]
fn it_keeps_what_every_engine_promises() {
    conformance::keeps(|| {
        let home = Home::new();
        Box::new(move || Arc::new(home.open()) as Arc<dyn Engine>)
    });
}

#[test]
fn many_callers_share_one_commit_and_a_fault_of_one_is_his_alone() {
    let home = Home::new();
    let store = home.open();
    home.faults.commits_gate.close();
    let first = store.commit(vec![home.mail(10).1]);
    home.faults.commits_gate.reached(1);
    // While the first is synced the others gather.
    let (one, change) = home.mail(10);
    let nonsense = Change::Store(Arc::new(sample::message("scanner", sample::body(home.path(), 10))), Vec::new());
    let (other, second) = home.mail(10);
    let waiting = [store.commit(vec![change]), store.commit(vec![nonsense]), store.commit(vec![second])];
    home.faults.commits_gate.open();
    made(first).unwrap();
    let results = waiting.map(made);
    assert!(matches!(&results, [Ok(()), Err(NotStored::Failing { detail }), Ok(())] if detail.starts_with("internal")));
    assert_eq!(*store.condition().borrow(), Condition::Well, "nothing is wrong with the disk");
    assert!(store.message(one).unwrap().is_some() && store.message(other).unwrap().is_some());
}

#[test]
fn a_large_body_keeps_nobody_waiting_but_who_asks_for_the_same_message() {
    let home = Home::new();
    let store = home.open();
    home.faults.syncs_gate.close();
    let (large, change) = home.mail(LARGE);
    let stored = store.commit(vec![change]);
    let finished = store.commit(vec![finish(large)]);
    home.faults.syncs_gate.reached(1);
    made(store.commit(vec![home.mail(10).1])).unwrap();
    assert!(store.message(large).unwrap().is_none(), "its body is not durable");
    home.faults.syncs_gate.open();
    made(stored).unwrap();
    made(finished).unwrap();
    rests(&store);
    assert!(store.message(large).unwrap().is_none());
    assert!(home.names("spool").is_empty() && home.names("spool/incoming").is_empty());
}

#[test]
fn the_file_of_a_large_body_goes_with_its_message() {
    let home = Home::new();
    let store = home.open();
    let (large, change) = home.mail(LARGE);
    made(store.commit(vec![change])).unwrap();
    assert_eq!(home.names("spool"), [large.to_string()]);
    let lent = store.message(large).unwrap().unwrap();
    made(store.commit(vec![finish(large)])).unwrap();
    rests(&store);
    assert!(home.names("spool").is_empty());
    assert_eq!(sample::octets(&lent.body).len() as u64, lent.body.size(), "who has it reads it to its end");
}

#[test]
fn messages_that_share_a_large_body_have_a_file_each() {
    let home = Home::new();
    let store = home.open();
    let mail = sample::message("scanner", sample::body(home.path(), LARGE));
    let copy = sample::message("scanner", mail.body.under("X-Copy: 1\r\n".to_owned()));
    let messages = [Arc::new(mail), Arc::new(copy)];
    let parcel = |message: &Message| sample::parcel(message.id, 0, "office", sample::due(1));
    let change = |message: &Arc<Message>| Change::Store(Arc::clone(message), vec![parcel(message)]);
    // Together on their way, in two commits.
    home.faults.syncs_gate.close();
    let stored = messages.each_ref().map(|message| store.commit(vec![change(message)]));
    home.faults.syncs_gate.reached(2);
    home.faults.syncs_gate.open();
    for stored in stored {
        made(stored).unwrap();
    }
    let [mail, copy] = messages;
    made(store.commit(vec![finish(mail.id)])).unwrap();
    drop(mail);
    let found = home.crashed().open().message(copy.id).unwrap().unwrap();
    assert!(sample::octets(&found.body) == sample::octets(&copy.body));
}

#[test]
fn the_log_does_not_grow_for_ever() {
    let home = Home { limits: Limits { checkpoint: 40, longest_log: 80, ..Limits::default() }, ..Home::new() };
    let store = home.open();
    let log = || std::fs::metadata(home.path().join("queue.db-wal")).unwrap().len();
    for _ in 0..20 {
        // Somebody always reads, as couriers do.
        std::thread::scope(|scope| {
            let reads = scope.spawn(|| store.stock().unwrap());
            for _ in 0..5 {
                made(store.commit(vec![home.mail(30_000).1])).unwrap();
            }
            reads.join().unwrap();
        });
    }
    assert!(log() < 160 * 8192, "{} octets after 3 MB", log());
    drop(store);
    assert_eq!(log(), 0, "the next start finds all in its place");
    assert_eq!(home.open().stock().unwrap().by_device[&"scanner".into()].0, 100);
}

/// A change of one of a few messages, by number.
#[derive(Debug, Clone)]
enum Step {
    Store(usize, Vec<(u8, Kind)>, bool),
    Update(usize, u16, u8, Kind),
    Finish(usize, u16),
}

#[derive(Debug, Clone)]
enum Kind {
    Due(i64),
    Held(Option<i64>),
    Sending,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => (0..6_i64).prop_map(Kind::Due),
        1 => proptest::option::of(0..6_i64).prop_map(Kind::Held),
        1 => Just(Kind::Sending),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..6_usize, proptest::collection::vec((0..3_u8, kind()), 1..4), proptest::bool::weighted(0.2))
            .prop_map(|(message, parcels, large)| Step::Store(message, parcels, large)),
        3 => (0..6_usize, 0..4_u16, 0..3_u8, kind()).prop_map(|(m, n, route, kind)| Step::Update(m, n, route, kind)),
        2 => (0..6_usize, 0..4_u16).prop_map(|(message, number)| Step::Finish(message, number)),
    ]
}

/// The same change for both stores; bodies are made twice, because a store keeps the file of the one it is given.
fn change(home: &Home, ids: &[MessageId], step: &Step) -> Change {
    let standing = |kind: &Kind| match kind {
        Kind::Due(at) => sample::due(*at),
        Kind::Held(until) => sample::held(*until),
        Kind::Sending => Standing::Sending { account: "a".into(), attempt: same_attempt(), since: sample::at(1) },
    };
    let route = |number: u8| ["office", "backup", "office,backup"][usize::from(number)];
    let parcel = |message, number, at, kind| sample::parcel(message, number, route(at), standing(kind));
    match step {
        Step::Store(number, parcels, large) => {
            let body = sample::body(home.path(), if *large { 70_000 } else { 100 });
            let message = Message {
                id: ids[*number],
                session: same_session(),
                ..sample::message(["fax", "nas"][number % 2], body)
            };
            let message = Message { kind: crate::queue::Kind::Mail, ..message };
            let parcels = (0..).zip(parcels).map(|(n, (at, kind))| parcel(ids[*number], n, *at, kind)).collect();
            Change::Store(Arc::new(message), parcels)
        }
        Step::Update(message, number, at, kind) => Change::Update(parcel(ids[*message], *number, *at, kind)),
        Step::Finish(message, number) => Change::Finish(ParcelId { message: ids[*message], number: *number }),
    }
}

fn same_attempt() -> crate::ids::AttemptId {
    crate::ids::AttemptId::from_bytes([7; 16])
}

fn same_session() -> crate::ids::SessionId {
    crate::ids::SessionId::from_bytes([7; 16])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn any_sequence_of_commits_is_found_again(
        commits in proptest::collection::vec(proptest::collection::vec(step(), 1..4), 1..12),
    ) {
        let (home, model) = (Home::new(), MemoryStore::default());
        let ids: Vec<MessageId> = (0..6).map(|_| MessageId::new()).collect();
        let store = home.open();
        for steps in &commits {
            let changes = || steps.iter().map(|step| change(&home, &ids, step)).collect();
            let (ours, theirs) = (made(store.commit(changes())), made(model.commit(changes())));
            prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?}", steps);
        }
        same(&store, &model, 6);
        prop_assert_eq!(home.rows("body"), home.rows("message"), "no octets stay behind a message that is finished");
        drop(store);
        same(&home.open(), &model, 6);
        same(&home.crashed().open(), &model, 6);
    }
}
