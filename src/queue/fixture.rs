//! A durable queue on a store without a disk, for the tests of what is stored.
//!
//! The clock is set and moved by the test; a restart is another queue over the same store.

use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use jiff::Timestamp;

use super::body::Draft;
use super::core::Core;
use super::parcel::{Owed, Parcel, ParcelId, Standing, State};
use super::store::memory::MemoryStore;
use super::store::{Change, Filter, Page, Store, Waiting};
use super::{AccountFacts, Keeping, Kept, Kind, Known, Lease, Message, Outcome, Queue, Route};
use crate::diagnosis::Diagnosis;
use crate::disk::FreeSpace;
use crate::ids::{AccountName, MessageId, SessionId};
use crate::journal::Journal;
use crate::mail::address::Address;
use crate::mail::envelope::{Recipient, ReversePath, Sender};
use crate::mail::repair;
use crate::net::clock::Clock;
use crate::smtp::reply::Reply;
use crate::words::Cause;

pub const DAY: i64 = 24 * 3600;

/// The queue and what it stands on.
pub struct House {
    pub store: Arc<MemoryStore>,
    pub clock: Clock,
    pub queue: Queue,
    pub free: Arc<AtomicU64>,
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

pub fn why(cause: Cause) -> Diagnosis {
    Diagnosis::new("test", cause, "because", "mend it")
}

pub fn delivered() -> Outcome {
    Outcome::Delivered(Reply::new(250, 0, 0, "taken"))
}

pub fn later() -> Outcome {
    Outcome::Later(None, why(Cause::Network))
}

pub fn facts(name: &str) -> AccountFacts {
    AccountFacts {
        name: name.into(),
        recipients_per_message: 100,
        takes_null_sender: true,
        address: None,
        sender_name: None,
        host: "smtp.test".into(),
        may_send_as: Vec::new(),
    }
}

/// Waits exactly as configured but for chance, which tests must bear.
pub fn keeping() -> Keeping {
    Keeping { retry: vec![Duration::from_mins(1), Duration::from_hours(1)], ..Keeping::default() }
}

impl House {
    /// With nothing in it, for these accounts; nothing stored is handed out yet.
    pub fn new(keeping: Keeping, accounts: &[&str]) -> Self {
        Self::over(Arc::default(), Clock::set(at(0)), keeping, accounts)
    }

    /// The same with what an earlier one left behind.
    pub fn over(store: Arc<MemoryStore>, clock: Clock, keeping: Keeping, accounts: &[&str]) -> Self {
        let free = Arc::new(AtomicU64::new(u64::MAX));
        let accounts = accounts.iter().map(|name| facts(name)).collect();
        let queue = Queue::durable(
            keeping,
            accounts,
            Arc::clone(&store) as Arc<dyn Store>,
            clock.clone(),
            Journal::default(),
            "relay.test".into(),
            FreeSpace::set(Arc::clone(&free)),
        );
        Self { store, clock, queue, free }
    }

    /// One that hands out what is stored.
    pub fn started(keeping: Keeping, accounts: &[&str]) -> Self {
        let house = Self::new(keeping, accounts);
        house.queue.start(Known::default());
        house
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        let Kept::Durable(core) = &self.queue.0 else { panic!("a proxy") };
        core
    }

    /// Stores one message, due at this second.
    pub async fn put(&self, device: &str, route: &str, due: i64) -> ParcelId {
        self.put_as(device, route, Standing::Due { at: at(due) }).await
    }

    pub async fn put_as(&self, device: &str, route: &str, standing: Standing) -> ParcelId {
        let message = Arc::new(message(device, self.clock.now()));
        let id = ParcelId { message: message.id, number: 0 };
        let parcel = parcel(id, route, standing);
        let route = parcel.route.clone();
        self.store.commit(vec![Change::Store(message, vec![parcel])]).await.unwrap();
        self.core().look(&route);
        id
    }

    /// What a courier gets that waits as long as it takes, but not for ever.
    pub async fn claim(&self, account: &str) -> Lease {
        let account = account.into();
        let claimed = tokio::time::timeout(Duration::from_hours(1), self.queue.claim(&account)).await;
        claimed.expect("something is to be handed out")
    }

    /// What a courier that waits gets, if anything; the clock of the queue stands still meanwhile.
    pub async fn claimed(&self, account: &str) -> Option<Lease> {
        tokio::time::timeout(Duration::from_millis(100), self.queue.claim(&account.into())).await.ok()
    }

    /// All that is stored.
    pub fn rows(&self) -> Vec<Waiting> {
        self.store.list(&Filter::default(), Page { after: None, limit: usize::MAX }).unwrap()
    }

    pub fn row(&self, id: ParcelId) -> Option<Parcel> {
        self.store.parcels(id.message).unwrap().into_iter().find(|parcel| parcel.id == id)
    }

    /// Moves the clock in steps, and lets everybody look after each.
    pub async fn pass(&self, seconds: i64, step: i64) {
        for _ in 0..seconds / step {
            self.clock.advance(step);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn close(&self, account: &str, cause: Cause) {
        self.queue.close(&account.into(), why(cause));
    }

    pub fn open(&self, account: &str) {
        self.queue.open(&AccountName::from(account));
    }
}

pub fn message(device: &str, arrived: Timestamp) -> Message {
    let draft = Draft::new(Path::new("unused"), repair::Settings::default());
    let draft = draft.write(b"Subject: x\r\n\r\nbody\r\n".to_vec()).unwrap();
    let (_, unstamped) = draft.finish().unwrap();
    let sender =
        Sender { reverse_path: ReversePath::Null, declared_size: None, smtputf8: false, ret: None, envid: None };
    Message {
        id: MessageId::new(),
        session: SessionId::new(),
        device: device.into(),
        kind: Kind::Mail,
        sender,
        body: unstamped.stamp(String::new()),
        eight_bit: false,
        eight_bit_header: false,
        arrived,
    }
}

pub fn parcel(id: ParcelId, route: &str, standing: Standing) -> Parcel {
    let recipient = Recipient::plain(Address::parse(b"a@x.example").unwrap());
    Parcel {
        id,
        route: Route::try_from(route.to_owned()).unwrap(),
        recipients: vec![Owed { recipient, state: State::NEW }],
        standing,
        attempts: 0,
        tries: Vec::new(),
        held_s: 0,
        lacking: None,
    }
}

/// What is written into the log on this thread.
#[derive(Clone, Default)]
pub struct Said(Arc<Mutex<String>>);

impl Said {
    pub fn listen(&self) -> Listening {
        let said = Arc::clone(&self.0);
        listen(move |text| said.lock().unwrap().push_str(text))
    }

    pub fn times(&self, text: &str) -> usize {
        self.0.lock().unwrap().matches(text).count()
    }
}

/// Hears what is written into the log on this thread, until the guard goes.
pub fn listen(ear: impl FnMut(&str) + 'static) -> Listening {
    static LOG: Once = Once::new();
    // One log for all threads: one for each would now and then miss what another thread said first.
    LOG.call_once(|| tracing_subscriber::fmt().with_ansi(false).with_writer(|| Log).init());
    EAR.set(Some(Box::new(ear)));
    Listening(())
}

type Ear = Box<dyn FnMut(&str)>;

thread_local! {
    static EAR: Cell<Option<Ear>> = const { Cell::new(None) };
}

/// Nobody listens any more when this is dropped.
pub struct Listening(());

impl Drop for Listening {
    fn drop(&mut self) {
        EAR.set(None);
    }
}

struct Log;

impl std::io::Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        // Not there while it hears: it may do what is written into the log.
        if let Some(mut ear) = EAR.take() {
            ear(&String::from_utf8_lossy(octets));
            EAR.set(Some(ear));
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
