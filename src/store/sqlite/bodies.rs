//! Large bodies, made durable on their way to the writer.
//!
//! Guarantees that the file of a body lies under its message's id, durably, before the writer hears of the message:
//! its octets are synced, then it is renamed, then the directory is synced. A failed sync is not repeated on that
//! file: the octets are written anew, once. While that goes on for one message nobody waits but those who ask for
//! changes of the same message, in the order in which they asked.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use super::read;
use super::trouble::{Disk, Trouble};
use super::write::{self, Work};
use crate::disk::spool::SpoolFile;
use crate::disk::{self, spool};
use crate::failpoint;
use crate::ids::MessageId;
use crate::queue::Message;
use crate::queue::store::{Change, Condition, NotStored, Unreadable};

/// What a caller wants, and whom to tell.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) kept: oneshot::Sender<Result<(), NotStored>>,
}

impl Job {
    /// Who gave up waiting need not be told.
    pub(super) fn tell(self, result: Result<(), NotStored>) {
        let _ = self.kept.send(result);
    }

    /// Messages with a file that are to be stored.
    pub(super) fn spooled(&self) -> impl Iterator<Item = (&Message, &SpoolFile)> {
        let Work::Changes(changes) = &self.work else { return [].iter().filter_map(spooled as Spooled) };
        changes.iter().filter_map(spooled as Spooled)
    }

    fn messages(&self) -> impl Iterator<Item = MessageId> + '_ {
        let changes = match &self.work {
            Work::Changes(changes) => changes.as_slice(),
            Work::Remember(..) | Work::SetAside(_) => &[],
        };
        changes.iter().map(|change| match change {
            Change::Store(message, _) => message.id,
            Change::Update(parcel) => parcel.id.message,
            Change::Finish(id) => id.message,
        })
    }
}

type Spooled = fn(&Change) -> Option<(&Message, &SpoolFile)>;

fn spooled(change: &Change) -> Option<(&Message, &SpoolFile)> {
    let Change::Store(message, _) = change else { return None };
    message.body.parts().1.map(|file| (&**message, file))
}

/// What the writer is given.
#[derive(Debug)]
pub(super) enum Order {
    /// Changes; what lies in files is durable.
    Do(Job),
    /// The disk failed a body, twice.
    SpoolFails(String),
}

/// Where jobs come in.
#[derive(Debug)]
pub(super) struct Intake {
    writer: Sender<Order>,
    /// Jobs whose bodies are not durable yet, and what came after them.
    underway: Mutex<Underway>,
    storage: PathBuf,
    disk: Disk,
    condition: watch::Receiver<Condition>,
}

#[derive(Debug, Default)]
struct Underway {
    /// Messages whose bodies are being kept.
    messages: HashSet<MessageId>,
    /// What has to do with them, oldest first.
    parked: Vec<Job>,
}

/// Where a job goes next.
enum Next {
    Writer(Job),
    Bodies(Job),
    Parked,
}

impl Underway {
    fn admit(&mut self, job: Job) -> Next {
        let waits = |id| self.messages.contains(&id) || self.parked.iter().any(|job| job.messages().any(|m| m == id));
        if (!self.messages.is_empty() || !self.parked.is_empty()) && job.messages().any(waits) {
            self.parked.push(job);
            return Next::Parked;
        }
        if job.spooled().next().is_none() {
            return Next::Writer(job);
        }
        self.messages.extend(job.messages());
        Next::Bodies(job)
    }
}

impl Intake {
    pub(super) fn new(
        writer: Sender<Order>,
        storage: &Path,
        disk: Disk,
        condition: watch::Receiver<Condition>,
    ) -> Self {
        Self { writer, underway: Mutex::default(), storage: storage.to_owned(), disk, condition }
    }

    /// Sends a job on its way.
    pub(super) fn take(&self, job: Job, bodies: &Sender<Job>) {
        let mut underway = self.underway();
        match underway.admit(job) {
            // Under the lock, so that the writer gets them in the order in which they came. If it has ended, nobody
            // keeps the promise, which says so.
            Next::Writer(job) => drop(self.writer.send(Order::Do(job))),
            Next::Bodies(job) => drop(bodies.send(job)),
            Next::Parked => {}
        }
    }

    /// Keeps bodies until nobody sends any more.
    pub(super) fn keep_bodies(&self, jobs: &Mutex<Receiver<Job>>) {
        loop {
            let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = job else { return };
            let mut waiting = vec![job];
            while let Some(job) = waiting.pop() {
                waiting.extend(self.keep_and_hand_on(job));
            }
        }
    }

    /// Gives back what had waited for this one and has bodies of its own.
    fn keep_and_hand_on(&self, job: Job) -> Vec<Job> {
        let ids: Vec<MessageId> = job.messages().collect();
        let kept = self.keep_all(&job);
        let mut underway = self.underway();
        match kept {
            Ok(()) => drop(self.writer.send(Order::Do(job))),
            Err(why) => job.tell(Err(why)),
        }
        for id in &ids {
            underway.messages.remove(id);
        }
        let mut bodies = Vec::new();
        for job in std::mem::take(&mut underway.parked) {
            match underway.admit(job) {
                Next::Writer(job) => drop(self.writer.send(Order::Do(job))),
                Next::Bodies(job) => bodies.push(job),
                Next::Parked => {}
            }
        }
        bodies
    }

    fn keep_all(&self, job: &Job) -> Result<(), NotStored> {
        // Not only to spare the disk: the trial removes the files of those who were refused, and must not meet one
        // that was put there anew.
        if let Condition::Failing { why } = &*self.condition.borrow() {
            return Err(NotStored::Failing { detail: why.clone() });
        }
        let mut kept = Vec::new();
        let all = job.spooled().try_for_each(|(message, file)| self.keep(message.id, file, &mut kept));
        all.map_err(|trouble| {
            for id in kept {
                remove(&self.storage, id);
            }
            if let Trouble::Disk(why) = &trouble {
                // Before anybody hears of it: what is asked for afterwards finds the store closed.
                drop(self.writer.send(Order::SpoolFails(why.clone())));
            }
            trouble.into()
        })
    }

    /// `kept` tells which files are there by our doing, should a later step fail.
    fn keep(&self, id: MessageId, file: &SpoolFile, kept: &mut Vec<MessageId>) -> Result<(), Trouble> {
        failpoint::hit("store.body-written");
        let path = path(&self.storage, id);
        let first = if file.is_draft() { self.name(file, &path) } else { Err(gone()) };
        let named = match first {
            Err(error) if matches!(Trouble::from(&error), Trouble::Disk(_)) => {
                file.give_up();
                self.name(&file.copy(&spool::incoming(&self.storage))?, &path)
            }
            first => first,
        };
        match named {
            Ok(()) => kept.push(id),
            // It was kept before, for a commit of which nobody knew how it ended. Only what was synced has that name.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                read::whole_file(&path, file.size()).map_err(|problem| match problem {
                    Unreadable::Damaged { detail } => Trouble::Mistake(detail),
                    Unreadable::Passing { detail } => Trouble::Disk(detail),
                })?;
            }
            Err(error) => return Err(error.into()),
        }
        disk::sync_directory(&spool::kept(&self.storage))?;
        failpoint::hit("store.directory-synced");
        Ok(())
    }

    /// Only what is whole gets a name that is looked for.
    fn name(&self, file: &SpoolFile, path: &Path) -> std::io::Result<()> {
        self.disk.sync(file)?;
        failpoint::hit("store.body-synced");
        file.keep(path)?;
        failpoint::hit("store.body-renamed");
        Ok(())
    }

    fn underway(&self) -> MutexGuard<'_, Underway> {
        self.underway.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It was kept before, for a commit that failed, or for a message that shares it: its name is gone, its octets are
/// not.
fn gone() -> std::io::Error {
    ErrorKind::NotFound.into()
}

/// Where the file of a message lies.
pub(super) fn path(storage: &Path, id: MessageId) -> PathBuf {
    spool::kept(storage).join(id.to_string())
}

/// Removes the file of a message, as far as that is possible: what stays is removed at the next start.
pub(super) fn remove(storage: &Path, id: MessageId) {
    let _ = std::fs::remove_file(path(storage, id));
}

/// Removes the file of a message unless the message is there.
pub(super) fn remove_orphan(storage: &Path, connection: &Connection, id: MessageId) {
    if let Ok(false) = write::is_there(connection, id) {
        remove(storage, id);
    }
}

/// So many bodies are synced at once: a sync of 10 ms lets 400 a second pass.
pub(super) const THREADS: usize = 4;

/// The threads that keep bodies; they end when nobody can send jobs any more.
pub(super) fn spawn(intake: &Arc<Intake>, jobs: Receiver<Job>) -> std::io::Result<Vec<std::thread::JoinHandle<()>>> {
    let jobs = Arc::new(Mutex::new(jobs));
    let spawn = |_| {
        let (intake, jobs) = (Arc::clone(intake), Arc::clone(&jobs));
        std::thread::Builder::new().name("bodies".into()).spawn(move || intake.keep_bodies(&jobs))
    };
    (0..THREADS).map(spawn).collect()
}
