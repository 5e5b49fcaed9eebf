//! The table of answers, row by row, and its notes: what the device hears, and what was on disk before.
//!
//! The store is in memory and can be held back or made to fail; time stands still unless a test moves it.

mod crossed;
mod ending;
mod failover;
mod locks;
mod notes;
mod rows;
mod stored;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::diagnosis::Diagnosis;
use crate::disk::FreeSpace;
use crate::disk::durable::NotStored;
use crate::ids::{AccountName, AttemptId, MessageId};
use crate::journal::Journal;
use crate::mail::address::Address;
use crate::mail::envelope::{Envelope, Recipient, ReversePath, Sender};
use crate::net::clock::Clock;
use crate::queue::body::Draft;
use crate::queue::fixture;
use crate::queue::parcel::{Parcel, Standing, State};
use crate::queue::store::Store;
use crate::queue::store::memory::MemoryStore;
use crate::queue::{AccountFacts, Answer, Keeping, Lease, Message, Offer, Offered, Outcome, Queue, Route};
use crate::smtp::reply::{Enhanced, Refusal, Reply};
use crate::words::Cause;

/// A queue with two accounts over a store without a disk.
struct House {
    queue: Queue,
    store: Arc<MemoryStore>,
}

/// A message on its way and who waits for it.
struct Waiting {
    id: MessageId,
    offer: Offer,
}

const WAIT: Duration = Duration::from_secs(15);

/// Longer than anything waits: so that what never comes fails a test and does not stop it.
const LONG: Duration = Duration::from_hours(1);

impl House {
    fn new() -> Self {
        Self::on(Arc::default())
    }

    fn on(store: Arc<MemoryStore>) -> Self {
        Self::with(store, FreeSpace::plenty())
    }

    fn with(store: Arc<MemoryStore>, free: FreeSpace) -> Self {
        // What failed for good is not kept: only what is owed, and notices, touch the disk.
        let keeping = Keeping { keep_failed: Duration::ZERO, ..Keeping::default() };
        let accounts = vec![facts("office"), facts("backup")];
        let shared: Arc<dyn Store> = Arc::clone(&store) as _;
        let queue =
            Queue::durable(keeping, accounts, shared, Clock::default(), Journal::default(), "relay.test".into(), free);
        Self { queue, store }
    }

    /// Offers a mail to these recipients: `a@x`, or `a@x>office,backup` with a route.
    fn offer(&self, recipients: &str) -> Waiting {
        self.offer_for(recipients, WAIT)
    }

    fn offer_for(&self, recipients: &str, wait: Duration) -> Waiting {
        self.offer_this(mail(recipients), wait)
    }

    fn offer_this(&self, offered: Offered, wait: Duration) -> Waiting {
        let id = offered.message.id;
        let offer = self.queue.offer(offered, wait, tokio::time::Instant::now().into_std()).unwrap();
        Waiting { id, offer }
    }

    /// A courier of this account takes the next parcel.
    async fn claim(&self, account: &str) -> Lease {
        let account = account.into();
        let claimed = tokio::time::timeout(LONG, self.queue.claim(&account)).await;
        claimed.expect("something is to be handed out")
    }

    /// Whether a courier of this account would find anything.
    fn has_work_for(&self, account: &str) -> bool {
        // Dropped untried: a test asks this last.
        self.queue.try_claim(&account.into()).is_some()
    }

    fn parcels(&self, message: &Waiting) -> Vec<Parcel> {
        self.store.parcels(message.id).unwrap()
    }

    /// Each recipient of the message as it is stored: `a@x open`, `b@x delivered`.
    fn states(&self, message: &Waiting) -> Vec<String> {
        states(&self.parcels(message))
    }
}

impl Waiting {
    /// What the device hears.
    async fn hears(&mut self) -> String {
        let answer = tokio::time::timeout(LONG, self.offer.answer()).await;
        match answer.expect("an answer, whatever it is") {
            Answer::Accepted(proof) => proof.reply().to_string(),
            Answer::Refused(refusal, _) => refusal.reply().to_string(),
        }
    }

    fn queued(&self) -> String {
        format!("250 2.0.0 Ok: queued as {}", self.id)
    }

    /// The answer was written to the device's socket.
    fn was_told(self) {
        drop(self.offer.into_told());
    }
}

fn states(parcels: &[Parcel]) -> Vec<String> {
    let owed = parcels.iter().flat_map(|parcel| &parcel.recipients);
    let state = |state: &State| match state {
        State::Open { .. } => "open",
        State::Delivered { .. } => "delivered",
        State::Never { .. } => "never",
    };
    owed.map(|owed| format!("{} {}", owed.recipient.address, state(&owed.state))).collect()
}

fn facts(name: &str) -> AccountFacts {
    let address = Address::parse(format!("{name}@x.example").as_bytes()).ok();
    let settings = crate::account::Settings { name: name.into(), ..crate::account::tests::settings() };
    AccountFacts {
        name: name.into(),
        recipients_per_message: 3,
        takes_null_sender: true,
        address,
        ..AccountFacts::from(&settings)
    }
}

fn mail(recipients: &str) -> Offered {
    let address = |text: &str| Address::parse(text.as_bytes()).unwrap();
    let mut routes = Vec::new();
    let recipients = recipients.split(' ').map(|text| {
        let (to, route) = text.split_once('>').unwrap_or((text, "office"));
        routes.push(Route::try_from(route.to_owned()).unwrap());
        Recipient::plain(address(to))
    });
    let recipients: Vec<_> = recipients.collect();
    let reverse_path = ReversePath::Mailbox(address("scanner@x.example"));
    let sender = Sender { reverse_path, declared_size: None, smtputf8: false, ret: None, envid: None };
    let (_, unstamped) =
        Draft::new(std::path::Path::new("unused"), crate::mail::repair::Settings::default()).finish().unwrap();
    let body = unstamped.stamp("Subject: scan\r\n".to_owned());
    let message = Message { sender: sender.clone(), body, ..fixture::message("scanner", jiff::Timestamp::now()) };
    Offered { message, envelope: Arc::new(Envelope { sender, recipients }), routes }
}

/// The courier settles so, and goes on when it may.
fn settles(lease: Lease, outcomes: impl Into<Vec<Outcome>>) -> JoinHandle<()> {
    tokio::spawn(lease.settle(outcomes.into(), None))
}

/// Everybody has done what can be done without time passing.
async fn settled_down() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

async fn permit(lease: &Lease) -> bool {
    lease.permit_dot(AttemptId::new()).await.is_some()
}

fn why(cause: Cause) -> Diagnosis {
    Diagnosis::new("test", cause, "because", "mend it")
}

fn delivered() -> Outcome {
    Outcome::Delivered(Reply { code: 250, enhanced: Some(Enhanced(2, 6, 0)), text: "taken as 7".into() })
}

fn never(code: u16) -> Outcome {
    Outcome::Never(Refusal::new(code, 1, 1, "No such user"), why(Cause::Message))
}

fn later() -> Outcome {
    Outcome::Later(Some(Refusal::new(450, 2, 0, "Greylisted")), why(Cause::Throttle))
}

fn unreachable() -> Outcome {
    Outcome::Later(None, why(Cause::Network))
}

fn hold() -> Outcome {
    Outcome::Hold(why(Cause::Account))
}

fn uncertain() -> Outcome {
    Outcome::Uncertain(why(Cause::Uncertain))
}

fn full() -> NotStored {
    NotStored::Full { detail: "no space left".into() }
}

fn due(parcel: &Parcel) -> bool {
    matches!(parcel.standing, Standing::Due { .. })
}

fn sending(parcel: &Parcel) -> Option<&AccountName> {
    match &parcel.standing {
        Standing::Sending { account, .. } => Some(account),
        _ => None,
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
