//! The commands' end against the relay's end, over a real socket, with a store that has no disk.
//!
//! What is asked for comes back, and what is told is done when the answer comes; couriers are not at work here.

use std::net::Ipv4Addr;

use jiff::Timestamp;

use super::super::{Office, Running, routes as all_routes};
use super::*;
use crate::app::Common;
use crate::config::{self, Config, Sources};
use crate::disk::Ownership;
use crate::journal::Journal;
use crate::mail::address::Address;
use crate::mail::envelope::{Recipient, ReversePath, Sender};
use crate::net::clock::Clock;
use crate::net::control::Door;
use crate::outbound::{Couriers, Desks};
use crate::queue::acts::Which;
use crate::queue::body::Body;
use crate::queue::parcel::{Owed, Parcel, ParcelId, Standing, State};
use crate::queue::store::memory::MemoryStore;
use crate::queue::store::{Change, Filter, StandingKind};
use crate::queue::{Keeping, Kind, Message, Queue, Route};
use crate::smtp::client::Timeouts;

/// A relay as far as commands see it, and the store its queue is kept in.
struct Relay {
    home: tempfile::TempDir,
    store: Arc<dyn Store>,
    config: Config,
    _owner: Ownership,
    _door: Door,
}

fn config(directory: &std::path::Path) -> Config {
    let file = tempfile::NamedTempFile::new().unwrap();
    let environment = [
        ("POSTHOUSE__ACCOUNTS__OFFICE__HOST".to_owned(), Ipv4Addr::LOCALHOST.to_string()),
        ("POSTHOUSE__STORAGE__DIRECTORY".to_owned(), directory.display().to_string()),
    ]
    .into();
    config::load(&Sources { path: Some(file.path().into()), environment, overrides: Vec::new() }).unwrap().config
}

impl Relay {
    fn with(queue: impl FnOnce(Arc<dyn Store>, &std::path::Path) -> Queue) -> Self {
        let home = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let config = config(&home.path().join("storage"));
        let owner = Ownership::take(&config.storage.directory).unwrap();
        let running = Running { version: "0".into(), pid: 1, since: Timestamp::UNIX_EPOCH };
        let common = Common::new(&config, Journal::default(), Timeouts::default());
        let queue = Arc::new(queue(Arc::clone(&store), home.path()));
        let office = Office {
            running,
            settings: Vec::new(),
            common,
            desks: Desks::open(Vec::new(), &Couriers::default()),
            queue,
        };
        let door = Door::open(&owner, all_routes(office)).unwrap();
        Self { home, store, config, _owner: owner, _door: door }
    }

    fn durable() -> Self {
        Self::with(|store, home| {
            let free = crate::disk::FreeSpace::on(home);
            let name = "relay.test".into();
            Queue::durable(Keeping::default(), Vec::new(), store, Clock::default(), Journal::default(), name, free)
        })
    }

    /// A message of this device with this body, which waits until then.
    async fn stored(&self, device: &str, body: Vec<u8>, due: Timestamp) -> MessageId {
        let id = MessageId::new();
        let sender =
            Sender { reverse_path: ReversePath::Null, declared_size: None, smtputf8: false, ret: None, envid: None };
        let message = Message {
            id,
            session: crate::ids::SessionId::new(),
            device: device.into(),
            kind: Kind::Mail,
            sender,
            body: Body::from_memory(body),
            eight_bit: false,
            eight_bit_header: false,
            arrived: Timestamp::UNIX_EPOCH,
        };
        let address = Address::parse(b"boss@example.net").unwrap();
        let parcel = Parcel {
            id: ParcelId { message: id, number: 0 },
            route: Route::only("office".into()),
            recipients: vec![Owed { recipient: Recipient::plain(address), state: State::NEW }],
            standing: Standing::Due { at: due },
            attempts: 0,
            tries: Vec::new(),
            held_s: 0,
            lacking: None,
        };
        self.store.commit(vec![Change::Store(Arc::new(message), vec![parcel])]).await.unwrap();
        id
    }
}

const SAMPLE: &[u8] = b"Subject: Scan\r\nTo: boss@example.net\r\n\r\nA page.\r\n";

#[tokio::test]
async fn the_queue_is_listed_page_by_page() {
    let relay = Relay::durable();
    let storage = &relay.config.storage;
    assert_eq!(list(storage, &Ask { limit: 10, ..Ask::default() }).await.unwrap().matching, 0);
    let mut ids = Vec::new();
    for device in ["fax", "nas", "fax"] {
        ids.push(relay.stored(device, SAMPLE.to_vec(), Timestamp::MAX).await);
    }
    let first = list(storage, &Ask { limit: 2, ..Ask::default() }).await.unwrap();
    assert_eq!((first.rows.len(), first.matching), (2, 3));
    let after = first.rows.last().map(|row| row.id);
    let rest = list(storage, &Ask { after, limit: 2, ..Ask::default() }).await.unwrap();
    let seen: Vec<_> = first.rows.iter().chain(&rest.rows).map(|row| row.id.message).collect();
    assert_eq!(seen, ids);
    let filter = Filter { device: Some("fax".into()), ..Filter::default() };
    let fax = list(storage, &Ask { filter, after: None, limit: 10 }).await.unwrap();
    assert_eq!((fax.rows.len(), fax.matching), (2, 2));
    assert!(relay.home.path().exists());
}

#[tokio::test]
async fn a_message_is_found_by_both_ends_of_its_id_and_shown_with_its_header_alone() {
    let relay = Relay::durable();
    let storage = &relay.config.storage;
    let id = relay.stored("fax", SAMPLE.to_vec(), Timestamp::MAX).await;
    let text = id.to_string();
    for part in [&text[..12], &text[22..], &text] {
        assert_eq!(find(storage, part).await.unwrap(), [id], "{part}");
    }
    assert_eq!(find(storage, "ffff0000ffff").await.unwrap(), []);
    let shown = show(storage, id).await.unwrap();
    assert_eq!(shown.header, "Subject: Scan\r\nTo: boss@example.net\r\n");
    assert_eq!((shown.parcels.len(), shown.size), (1, SAMPLE.len() as u64));
    let gone = show(storage, MessageId::new()).await.unwrap_err().to_string();
    assert!(gone.contains("not in the queue any more"), "{gone}");
}

#[tokio::test]
async fn a_body_comes_whole_in_pieces() {
    let relay = Relay::durable();
    let octets: Vec<u8> = (0..1_300_000_u32).flat_map(u32::to_le_bytes).collect();
    let id = relay.stored("nas", octets.clone(), Timestamp::MAX).await;
    let (mut whole, mut pieces) = (Vec::new(), 0);
    loop {
        let piece = body(&relay.config.storage, id, whole.len() as u64).await.unwrap();
        if piece.is_empty() {
            break;
        }
        whole.extend(piece);
        pieces += 1;
    }
    assert!(whole == octets && pieces > 5, "{pieces} pieces, {} octets", whole.len());
}

#[tokio::test]
async fn what_is_told_is_done_before_it_is_answered() {
    let relay = Relay::durable();
    let storage = &relay.config.storage;
    let id = relay.stored("fax", SAMPLE.to_vec(), Timestamp::MAX).await;
    let which = Which::Messages(vec![id]);
    let held = act(storage, &Order::Hold { which: which.clone(), reason: "ask first".into() }).await.unwrap();
    assert_eq!(held.changed, [ParcelId { message: id, number: 0 }]);
    assert_eq!(relay.store.parcels(id).unwrap()[0].standing.kind(), StandingKind::Held);
    act(storage, &Order::Remove { which, reason: "a mistake".into() }).await.unwrap();
    assert!(relay.store.message(id).unwrap().is_none());
}

#[tokio::test]
async fn a_relay_that_keeps_nothing_says_so() {
    let relay = Relay::with(|_, _| Queue::proxy(["office".into()]));
    let storage = &relay.config.storage;
    let why = list(storage, &Ask::default()).await.unwrap_err().to_string();
    assert_eq!(why, "this relay keeps nothing (`delivery.queue = false`)");
    let order = Order::Retry { which: Which::All(Filter::default()) };
    assert_eq!(act(storage, &order).await.unwrap_err().to_string(), why);
}
