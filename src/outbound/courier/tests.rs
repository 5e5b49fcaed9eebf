//! What a courier owes a queue that keeps what it promised: the order of settling and dots, and an outcome for each
//! recipient.
//!
//! The provider is the test itself, line by line over a socket, so that it sees what is written and what is not. The
//! whole relay against the practice provider stands in `tests/relay/pipelined.rs`.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

use jiff::Timestamp;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::account::keeper::tests::tools;
use crate::account::keeper::{Keeper, Tools};
use crate::account::memory::{Memory, Remembered};
use crate::account::smime::{self, Form, IdentityFile, OverLimit, Passphrase, Signing, Without};
use crate::account::{self, Encryption, Pipelining, Settings, tests::settings};
use crate::disk::FreeSpace;
use crate::disk::durable::Durable;
use crate::ids::AccountName;
use crate::journal::Journal;
use crate::journal::log::heard::Heard;
use crate::mail::address::Address;
use crate::mail::envelope::{Envelope, Recipient};
use crate::mail::rewrite::Fixups;
use crate::mail::sender::Policy;
use crate::mail::smime::samples;
use crate::net::clock::Clock;
use crate::net::trust::{self, Anchors, ClientTls};
use crate::outbound::Known;
use crate::queue::body::Body;
use crate::queue::fixture;
use crate::queue::parcel::{HeldBy, Lacking, Parcel, Standing, State};
use crate::queue::store::memory::MemoryStore;
use crate::queue::store::{Change, Filter, NotStored, Page, Store};
use crate::queue::{AccountFacts, Keeping, Message, Offer, Offered, Queue, Route};
use crate::smtp::client::Timeouts;
use crate::upstream::Upstream;

const WAIT: Duration = Duration::from_secs(15);

/// An account with one connection, and its provider.
struct Stand {
    queue: Arc<Queue>,
    store: Arc<MemoryStore>,
    account: Settings,
    listener: TcpListener,
    couriers: Couriers,
}

impl Stand {
    /// Mail may wait in the queue before the courier comes.
    async fn new(recipients_per_message: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (host, port) = ("127.0.0.1".into(), listener.local_addr().unwrap().port());
        let (encryption, connections) = (Encryption::None, 1);
        let pipelining = Pipelining::Messages;
        // What it sends is what was offered.
        let fixups = Fixups::NONE;
        let sender = account::Sender { policy: Policy::Keep, ..account::Sender::default() };
        let mut account = Settings { host, port, encryption, connections, recipients_per_message, ..settings() };
        (account.pipelining, account.sender, account.fixups) = (pipelining, sender, fixups);
        let store = Arc::new(MemoryStore::default());
        let facts = vec![AccountFacts::from(&account)];
        let (clock, journal) = (Clock::default(), Journal::default());
        let kept = Arc::clone(&store);
        let queue =
            Queue::durable(Keeping::default(), facts, kept, clock, journal, "relay.test".into(), FreeSpace::plenty());
        Self { queue: Arc::new(queue), store, account, listener, couriers: Couriers::default() }
    }

    fn offer(&self, recipients: &[&str]) -> Offer {
        let body = Body::from_memory(b"page\r\n".to_vec());
        let message = Message { body, ..fixture::message("scanner", Timestamp::now()) };
        let sender = message.sender.clone();
        let address = |text: &&str| Recipient::plain(Address::parse(text.as_bytes()).unwrap());
        let recipients: Vec<_> = recipients.iter().map(address).collect();
        let routes = vec![Route::only(self.account.name.clone()); recipients.len()];
        let offered = Offered { message, envelope: Arc::new(Envelope { sender, recipients }), routes };
        self.queue.offer(offered, WAIT, Instant::now()).unwrap()
    }

    /// The courier comes, connects and has said EHLO.
    async fn open(&self) -> Provider {
        self.man(Known::default());
        self.connected().await
    }

    /// The courier comes.
    fn man(&self, known: Known) {
        self.man_at(known, Clock::default());
    }

    fn man_at(&self, known: Known, clock: Clock) {
        let now = Instant::now();
        let keeper = Keeper::new(&self.account, Tools { clock, ..tools() }).unwrap();
        let trust = trust::Settings { anchors: Anchors::Bundled, ..trust::Settings::default() };
        let tls = ClientTls::load(&trust, now).unwrap();
        let (ours, journal) = (Arc::new(OnceLock::new()), Journal::default());
        let (account, name, timeouts) = (self.account.clone(), "relay.test".into(), Timeouts::default());
        let upstream = Upstream::new(account, keeper, tls, ours, name, timeouts, journal.clone());
        let desk = Desk::new(upstream, Arc::clone(&self.queue), journal, known);
        // As a provider that has shown that it takes more than one message a connection.
        desk.ahead().taken(2);
        desk.open(&self.couriers);
    }

    /// It connects and has said EHLO.
    async fn connected(&self) -> Provider {
        let mut provider = Provider(BufReader::new(self.listener.accept().await.unwrap().0));
        provider.say("220 mx").await;
        provider.hears(&["EHLO relay.test"]).await;
        provider.say("250-mx\r\n250 PIPELINING").await;
        provider
    }
}

struct Provider(BufReader<TcpStream>);

impl Provider {
    async fn say(&mut self, lines: &str) {
        self.0.write_all(format!("{lines}\r\n").as_bytes()).await.unwrap();
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }

    async fn hears(&mut self, lines: &[&str]) {
        for expected in lines {
            let line = tokio::time::timeout(WAIT, self.line()).await.expect("a line");
            assert!(line.starts_with(expected), "expected {expected}, heard {line}");
        }
    }

    /// Fails if anything comes.
    async fn hears_nothing(&mut self) {
        tokio::time::pause();
        let heard = tokio::time::timeout(Duration::from_secs(1), self.line()).await;
        tokio::time::resume();
        assert!(heard.is_err(), "heard {heard:?}");
    }
}

const ENVELOPE_OK: &str = "250 ok\r\n250 ok\r\n354 go";

/// The provider has the first mail and has said so, nobody has told its device, and the second waits for its dot.
async fn one_taken_and_one_behind() -> (Stand, Provider, [Offer; 2]) {
    let stand = Stand::new(100).await;
    let offers = [stand.offer(&["a@example.com"]), stand.offer(&["b@example.com"])];
    let mut provider = stand.open().await;
    provider.hears(&["MAIL", "RCPT TO:<a@example.com>", "DATA"]).await;
    provider.say(ENVELOPE_OK).await;
    provider.hears(&["page", ".", "MAIL", "RCPT TO:<b@example.com>", "DATA"]).await;
    provider.say(&format!("250 taken\r\n{ENVELOPE_OK}")).await;
    (stand, provider, offers)
}

#[tokio::test]
async fn the_next_dot_waits_until_the_mail_before_is_settled() {
    let (_stand, mut provider, [mut first, mut second]) = one_taken_and_one_behind().await;
    // Nobody has told the first device yet.
    provider.hears_nothing().await;
    assert_eq!(first.answer().await.reply().to_string(), "250 taken");
    provider.hears_nothing().await;
    drop(first.into_told());
    provider.hears(&["page", "."]).await;
    provider.say("250 taken too").await;
    assert_eq!(second.answer().await.reply().to_string(), "250 taken too");
}

#[tokio::test]
async fn a_mail_that_waits_for_the_one_before_can_still_be_taken_back() {
    let (stand, mut provider, [mut first, mut second]) = one_taken_and_one_behind().await;
    assert_eq!(first.answer().await.reply().to_string(), "250 taken");
    provider.hears_nothing().await;
    // The second device gives up waiting while nobody has told the first one, and the disk is full.
    stand.store.fail_next(NotStored::Full { detail: "no room".into() });
    stand.queue.end_windows();
    let answer = tokio::time::timeout(WAIT, second.answer()).await.expect("nobody waits for a dot that is not written");
    assert!(answer.reply().to_string().starts_with("452 4.3.1"), "{}", answer.reply());
    drop(first.into_told());
    assert_eq!(provider.line().await, "", "the connection is closed, and no dot came");
}

#[tokio::test]
async fn a_mail_that_is_taken_back_frees_its_courier_though_the_provider_is_silent() {
    let stand = Stand::new(100).await;
    let mut offer = stand.offer(&["a@example.com"]);
    let mut provider = stand.open().await;
    provider.hears(&["MAIL", "RCPT TO:<a@example.com>", "DATA"]).await;
    stand.store.fail_next(NotStored::Full { detail: "no room".into() });
    stand.queue.end_windows();
    let answer = offer.answer().await;
    assert!(answer.reply().to_string().starts_with("452 4.3.1"), "{}", answer.reply());
    let last = tokio::time::timeout(WAIT / 3, provider.line()).await.expect("nobody waits for what nobody wants");
    assert_eq!(last, "", "the connection is closed, and no dot came");
}

#[tokio::test]
async fn a_line_that_falls_while_a_mail_waits_for_the_one_before_is_noticed_at_once() {
    let (_stand, mut provider, [mut first, mut second]) = one_taken_and_one_behind().await;
    assert_eq!(first.answer().await.reply().to_string(), "250 taken");
    provider.hears_nothing().await;
    drop(provider);
    let answer = tokio::time::timeout(WAIT / 3, second.answer()).await.expect("nobody waits for a line that is gone");
    assert!(answer.reply().to_string().starts_with("250 2.0.0 Ok: queued as "), "{}", answer.reply());
    drop(first.into_told());
}

#[tokio::test]
async fn the_next_dot_waits_on_another_line_too() {
    let (stand, mut provider, [mut first, mut second]) = one_taken_and_one_behind().await;
    assert_eq!(first.answer().await.reply().to_string(), "250 taken");
    provider.hears_nothing().await;
    // The first is not settled before its device has heard of it; the line of the second falls meanwhile.
    drop(provider);
    assert!(second.answer().await.reply().to_string().starts_with("250 2.0.0 Ok: queued as "));
    let _third = stand.offer(&["c@example.com"]);
    let mut provider = stand.connected().await;
    provider.hears(&["MAIL", "RCPT TO:<c@example.com>", "DATA"]).await;
    provider.say(ENVELOPE_OK).await;
    provider.hears_nothing().await;
    drop(first.into_told());
    provider.hears(&["page", "."]).await;
}

/// Writes nothing down before it is told to.
#[derive(Debug, Default)]
struct Slow(Mutex<Vec<tokio::sync::oneshot::Sender<Result<(), NotStored>>>>);

impl Memory for Slow {
    fn recall(&self) -> Result<HashMap<AccountName, Remembered>, NotStored> {
        Ok(HashMap::new())
    }

    fn remember(&self, _: &AccountName, _: &Remembered) -> Durable {
        let (kept, promised) = Durable::promise();
        self.0.lock().unwrap().push(kept);
        promised
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_clock_is_set_what_is_used_of_the_day_is_written_anew() {
    let mut stand = Stand::new(100).await;
    stand.account.recipients_per_day = Some(100);
    let (memory, clock) = (Arc::new(Slow::default()), Clock::set(Timestamp::UNIX_EPOCH));
    let known = Known { memory: Arc::clone(&memory) as Arc<dyn Memory>, ..Known::default() };
    stand.man_at(known, clock.clone());
    let an_hour_later = async || {
        tokio::time::sleep(Duration::from_hours(1)).await;
        std::mem::take(&mut *memory.0.lock().unwrap()).len()
    };
    an_hour_later().await;
    assert_eq!(an_hour_later().await, 0, "nothing has changed");
    clock.step(7 * 3600);
    assert_eq!(an_hour_later().await, 1, "the next run would take it for used seven hours earlier");
}

#[tokio::test]
async fn nothing_goes_out_before_its_recipients_are_written_down_as_used() {
    let mut stand = Stand::new(100).await;
    stand.account.recipients_per_day = Some(100);
    let memory = Arc::new(Slow::default());
    let mut offer = stand.offer(&["a@example.com"]);
    let known = Known { memory: Arc::clone(&memory) as Arc<dyn Memory>, ..Known::default() };
    stand.man(known);
    tokio::time::pause();
    let early = tokio::time::timeout(Duration::from_secs(1), stand.listener.accept()).await;
    tokio::time::resume();
    assert!(early.is_err(), "a crash now would forget what goes out");
    let asked = std::mem::take(&mut *memory.0.lock().unwrap());
    assert!(!asked.is_empty());
    // Who does not wait for it is gone.
    for kept in asked {
        drop(kept.send(Ok(())));
    }
    let mut provider = stand.connected().await;
    provider.hears(&["MAIL", "RCPT TO:<a@example.com>", "DATA"]).await;
    provider.say(ENVELOPE_OK).await;
    provider.hears(&["page", "."]).await;
    provider.say("250 taken").await;
    assert_eq!(offer.answer().await.reply().to_string(), "250 taken");
}

#[tokio::test]
async fn the_parcels_of_one_message_do_not_wait_for_each_other() {
    let stand = Stand::new(1).await;
    let mut offer = stand.offer(&["a@example.com", "b@example.com"]);
    let mut provider = stand.open().await;
    provider.hears(&["MAIL", "RCPT TO:<a@example.com>", "DATA"]).await;
    provider.say(ENVELOPE_OK).await;
    provider.hears(&["page", ".", "MAIL", "RCPT TO:<b@example.com>", "DATA"]).await;
    provider.say(&format!("250 taken\r\n{ENVELOPE_OK}")).await;
    provider.hears(&["page", "."]).await;
    provider.say("250 taken").await;
    assert_eq!(offer.answer().await.reply().to_string(), "250 taken");
}

#[tokio::test]
async fn of_several_recipients_each_has_its_own_outcome() {
    let stand = Stand::new(100).await;
    let mut offer = stand.offer(&["a@example.com", "b@example.com"]);
    let mut provider = stand.open().await;
    provider.hears(&["MAIL", "RCPT", "RCPT", "DATA"]).await;
    provider.say("250 ok\r\n550 5.1.1 No such user\r\n250 ok\r\n354 go").await;
    provider.hears(&["page", "."]).await;
    provider.say("250 taken").await;
    let heard = offer.answer().await.reply().to_string();
    assert!(heard.starts_with("250 ") && heard.contains("a@example.com"), "{heard}");
    assert!(!heard.contains("b@example.com"), "{heard}");
}

#[tokio::test]
async fn a_connection_that_falls_leaves_the_refused_recipient_refused_and_the_other_open() {
    let stand = Stand::new(100).await;
    let mut offer = stand.offer(&["a@example.com", "b@example.com"]);
    let mut provider = stand.open().await;
    provider.hears(&["MAIL", "RCPT", "RCPT", "DATA"]).await;
    provider.say("250 ok\r\n550 5.1.1 No such user\r\n250 ok\r\n354 go").await;
    provider.hears(&["page", "."]).await;
    drop(provider);
    let heard = offer.answer().await.reply().to_string();
    let id = heard.strip_prefix("250 2.0.0 Ok: queued as ").expect(&heard);
    let filter = Filter { to: Some("example.com".into()), ..Filter::default() };
    let stored = stand.store.list(&filter, Page { after: None, limit: 10 }).unwrap();
    let parcel = &stored.iter().find(|waiting| waiting.parcel.id.to_string() == id).expect("it is stored").parcel;
    let [refused, open] = &parcel.recipients[..] else { panic!("{parcel:?}") };
    assert!(matches!(refused.state, State::Never { .. }) && open.state.is_open(), "{parcel:?}");
    let tried = parcel.tries.last().expect("an attempt");
    assert_eq!(tried.ended, "end of data: connection closed");
}

/// Mail that waits for an identity is tried once an hour; who reads the log is told once.
#[tokio::test]
async fn what_a_look_finds_again_is_not_told_again() {
    let directory = tempfile::tempdir().unwrap();
    let identity = directory.path().join("scanner.pem");
    std::fs::write(&identity, samples::sample(samples::Kind::P256).pem()).unwrap();
    let file = IdentityFile { identity, key: None, passphrase: Passphrase::None, senders: Vec::new() };
    let smime = smime::Settings {
        identities: vec![file],
        form: Form::Clear,
        opaque_limit: smime::OPAQUE_LIMIT,
        over_limit: OverLimit::Clear,
        without: Without::Hold,
    };
    let mut stand = Stand::new(1).await;
    let signing = Some(Signing::load(&smime, Instant::now()).unwrap());
    stand.account.smime = Some(smime);
    let log = Heard::begin();
    let mut offer = stand.offer(&["a@example.com"]);
    stand.man(Known { signing, ..Known::default() });
    let _provider = stand.connected().await;
    let heard = offer.answer().await.reply().to_string();
    assert!(heard.starts_with("250 2.0.0 Ok: queued"), "{heard}");
    assert_eq!(log.count(&["attempt failed", "the mail names no sender"]), 1);

    let row = || stand.store.list(&Filter::default(), Page { after: None, limit: 1 }).unwrap().remove(0).parcel;
    let held = row();
    let Standing::Held { since, by: HeldBy::Message, .. } = held.standing else { panic!("{held:?}") };
    let (lacking, standing) = (Some(Lacking { since, held_s: 0 }), Standing::Due { at: since });
    stand.store.commit(vec![Change::Update(Parcel { standing, lacking, ..held.clone() })]).await.unwrap();
    stand.queue.start(crate::queue::Known::default());
    while row().lacking.is_some() {
        tokio::task::yield_now().await;
    }
    assert_eq!((row().standing, log.count(&["attempt failed"])), (held.standing, 1));
}
