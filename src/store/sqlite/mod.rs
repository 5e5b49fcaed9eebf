//! The queue in `SQLite`, with large bodies in files beside it.
//!
//! [`Sqlite`] is the engine behind [`queue::store::Store`](Store) and [`account::memory::Memory`](Memory). One thread
//! writes, and one sync makes durable what many callers gave it (`writer`); bodies above 64 KiB are durable before
//! the writer hears of them (`bodies`); reading disturbs nobody (`read`). `queue.db` and `spool/` stand in the
//! storage directory and belong together. Guarantees what the ports promise; nothing when they lie on a network.

mod bodies;
mod read;
mod recover;
mod rows;
mod schema;
mod tally;
#[cfg(test)]
mod tests;
mod trial;
mod trouble;
mod turns;
mod write;
mod writer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::account::memory::{Memory, Remembered};
use crate::disk::{Ownership, spool};
use crate::ids::{AccountName, DeviceName, MessageId};
use crate::queue::parcel::{HeldBy, Parcel, Standing};
use crate::queue::store::{
    Change, Condition, Due, Durable, Filter, Load, NotStored, Page, Stock, Store, Unreadable, Waiting,
};
use crate::queue::{Message, Route};
use bodies::{Intake, Job};
use read::Readers;
pub use schema::OpenError;
use tally::Tally;
use trouble::{Disk, Trouble};
use write::Work;
use writer::{Limits, Writer};

/// The database's name in the storage directory.
const NAME: &str = "queue.db";

/// The engine. Dropped, it finishes what it was given, which blocks for as long as the disk takes.
#[derive(Debug)]
pub struct Sqlite {
    intake: Option<(Arc<Intake>, Sender<Job>)>,
    threads: Vec<JoinHandle<()>>,
    readers: Arc<Readers>,
    tally: Arc<Tally>,
    condition: watch::Receiver<Condition>,
    storage: PathBuf,
}

impl Sqlite {
    /// Whether there is a queue in this directory.
    #[must_use]
    pub fn is_there(directory: &Path) -> bool {
        directory.join(NAME).exists()
    }

    /// Opens the queue of this directory, makes it if it is not there, and puts in order what a crash left behind.
    /// Blocks. To be dropped before the ownership is.
    ///
    /// # Errors
    /// When it cannot be used; see [`OpenError`]. Nothing of it was changed then.
    pub fn open(owner: &Ownership) -> Result<Self, OpenError> {
        Self::open_on(owner, Disk::default(), Limits::default())
    }

    fn open_on(owner: &Ownership, disk: Disk, limits: Limits) -> Result<Self, OpenError> {
        let storage = owner.directory().to_owned();
        let database = storage.join(NAME);
        let schema::Opened { connection, is_new } = schema::open(&database)?;
        recover::files(owner, &connection, is_new)?;
        let stock = read::stock(&connection).map_err(|error| OpenError::of(&database, &error))?;
        let tally = Arc::new(Tally::new(stock));
        let readers = Arc::new(Readers::open(&database).map_err(|error| OpenError::of(&database, &error))?);
        let (well, condition) = watch::channel(Condition::Well);
        let (writer, orders) = mpsc::channel();
        let (bodies, jobs) = mpsc::channel();
        let intake = Arc::new(Intake::new(writer, &storage, disk.clone(), condition.clone()));
        let spawned = |error| OpenError::disk(&storage, &error);
        let mut threads = bodies::spawn(&intake, jobs).map_err(spawned)?;
        let writer = Writer {
            orders,
            database,
            storage: storage.clone(),
            readers: Arc::clone(&readers),
            tally: Arc::clone(&tally),
            condition: well,
            disk,
            limits,
        };
        let thread = std::thread::Builder::new().name("queue".into()).spawn(move || writer.run(connection));
        threads.push(thread.map_err(spawned)?);
        Ok(Self { intake: Some((intake, bodies)), threads, readers, tally, condition, storage })
    }

    /// What nobody can act on is held from now on, where people find it in the list.
    fn readable(&self, mut found: Vec<Waiting>) -> Vec<Waiting> {
        let is_damaged =
            |waiting: &mut Waiting| matches!(waiting.parcel.standing, Standing::Held { by: HeldBy::Damaged, .. });
        for Waiting { parcel, .. } in found.extract_if(.., is_damaged) {
            tracing::error!(
                message_id = %parcel.id.message,
                "the record of a queued message cannot be read; it is held and cannot be sent: see `posthouse queue list`"
            );
            // Should it fail, it is found again.
            drop(self.give(Work::SetAside(Box::new(parcel))));
        }
        found
    }

    fn give(&self, work: Work) -> Durable {
        let (kept, promised) = Durable::promise();
        if let Some((intake, bodies)) = &self.intake {
            intake.take(Job { work, kept }, bodies);
        }
        promised
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        // Nobody can give orders any more: the threads that keep bodies end, and with them the writer's orders.
        self.intake = None;
        for thread in self.threads.drain(..) {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Store for Sqlite {
    fn commit(&self, changes: Vec<Change>) -> Durable {
        self.give(Work::Changes(changes))
    }

    fn condition(&self) -> watch::Receiver<Condition> {
        self.condition.clone()
    }

    fn routes(&self) -> Result<Vec<Route>, Unreadable> {
        self.readers.ask(read::routes)
    }

    fn due(&self, ask: &Due<'_>) -> Result<Vec<Waiting>, Unreadable> {
        self.readers.ask(|from| turns::due(from, ask)).map(|found| self.readable(found))
    }

    fn next_due(&self, routes: &[Route], after: Timestamp) -> Result<Option<Timestamp>, Unreadable> {
        self.readers.ask(|from| read::next_due(from, routes, after))
    }

    fn hold_over(&self, now: Timestamp, limit: usize) -> Result<Vec<Waiting>, Unreadable> {
        self.readers.ask(|from| read::hold_over(from, now, limit)).map(|found| self.readable(found))
    }

    fn unfinished(&self) -> Result<Vec<Waiting>, Unreadable> {
        self.readers.ask(read::unfinished).map(|found| self.readable(found))
    }

    fn message(&self, id: MessageId) -> Result<Option<Arc<Message>>, Unreadable> {
        let read = self.readers.ask(|from| read::message(from, id))?;
        read.map(|read| read.open(id, &spool::kept(&self.storage)).map(Arc::new)).transpose()
    }

    fn parcels(&self, id: MessageId) -> Result<Vec<Parcel>, Unreadable> {
        self.readers.ask(|from| read::parcels(from, id))
    }

    fn list(&self, filter: &Filter, page: Page) -> Result<Vec<Waiting>, Unreadable> {
        self.readers.ask(|from| read::list(from, filter, page))
    }

    fn load(&self, device: &DeviceName) -> Load {
        self.tally.load(device)
    }

    fn count(&self, filter: &Filter) -> Result<u64, Unreadable> {
        self.readers.ask(|from| read::count(from, filter))
    }

    fn find(&self, digits: &str, limit: usize) -> Result<Vec<MessageId>, Unreadable> {
        self.readers.ask(|from| read::find(from, digits, limit))
    }

    fn stock(&self) -> Result<Stock, Unreadable> {
        self.readers.ask(read::stock)
    }
}

impl Memory for Sqlite {
    fn recall(&self) -> Result<HashMap<AccountName, Remembered>, NotStored> {
        let recalled = self.readers.ask(read::recall);
        recalled.map_err(|problem| NotStored::Failing { detail: problem.to_string() })
    }

    fn remember(&self, account: &AccountName, what: &Remembered) -> Durable {
        match rows::to_json(what) {
            Ok(content) => self.give(Work::Remember(account.clone(), content)),
            Err(error) => {
                let (kept, promised) = Durable::promise();
                let _ = kept.send(Err(Trouble::from(error).into()));
                promised
            }
        }
    }
}
