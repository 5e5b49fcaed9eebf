//! The one thread that writes: what waits goes into one transaction, one sync answers all.
//!
//! Guarantees that a caller hears Ok only when his changes are durable, and that what failed for one leaves the others
//! alone: when a transaction fails that several share, each is tried by itself. Adds no waiting time: while one sync
//! runs, the next changes gather. When the disk fails, everybody hears so, nothing is taken, and the way back leads
//! through [`super::trial`].

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::watch;

use super::bodies::{self, Job, Order};
use super::read::Readers;
use super::tally::Tally;
use super::trial::{self, Refused};
use super::trouble::{Disk, Trouble};
use super::write::{self, Effects};
use crate::failpoint;
use crate::ids::MessageId;
use crate::queue::store::{Condition, NotStored};

/// Callers in one transaction at most: what they change is in memory until it is committed.
const TOGETHER: usize = 256;

/// When the writer does what nobody asked for.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// Pages of the log after which a checkpoint is made: 64 MiB.
    pub(super) checkpoint: i32,
    /// Pages after which readers are kept away for a moment, so that the log can begin anew: 256 MiB.
    pub(super) longest_log: i32,
    /// After the disk has failed: the pause before the first trial, and the longest between two.
    pub(super) pauses: [Duration; 2],
}

impl Default for Limits {
    fn default() -> Self {
        Self { checkpoint: 8_000, longest_log: 32_000, pauses: [Duration::from_secs(1), Duration::from_secs(30)] }
    }
}

/// The writer.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) orders: Receiver<Order>,
    pub(super) database: PathBuf,
    pub(super) storage: PathBuf,
    pub(super) readers: Arc<Readers>,
    pub(super) tally: Arc<Tally>,
    pub(super) condition: watch::Sender<Condition>,
    pub(super) disk: Disk,
    pub(super) limits: Limits,
}

/// How the database does.
enum Stage {
    Well(Well),
    Failing(Failing),
}

struct Well {
    connection: Connection,
    /// Pages in the log at which the next checkpoint is due.
    checkpoint_at: i32,
}

struct Failing {
    why: String,
    /// What was said not to be there: removed, should it be there, by the trial.
    refused: Refused,
    pause: Duration,
    next_trial: Instant,
}

impl Writer {
    /// Until nobody can give orders any more.
    pub(super) fn run(self, connection: Connection) {
        let _last_word = LastWord(self.condition.clone());
        let mut stage = Stage::Well(Well { connection, checkpoint_at: self.limits.checkpoint });
        loop {
            stage = match stage {
                Stage::Well(well) => {
                    let Ok(order) = self.orders.recv() else { return self.close(&well.connection) };
                    self.serve(well, order)
                }
                Stage::Failing(failing) => {
                    let patience = failing.next_trial.saturating_duration_since(Instant::now());
                    match self.orders.recv_timeout(patience) {
                        Ok(Order::Do(job)) => Stage::Failing(refuse_while(failing, [job])),
                        Ok(Order::SpoolFails(_)) => Stage::Failing(failing),
                        Err(RecvTimeoutError::Timeout) => self.try_again(failing),
                        Err(RecvTimeoutError::Disconnected) => return self.try_last(&failing),
                    }
                }
            }
        }
    }

    fn serve(&self, mut well: Well, first: Order) -> Stage {
        let (mut batch, mut failure) = (Vec::new(), None);
        let waiting = std::iter::once(first).chain(self.orders.try_iter().take(TOGETHER - 1));
        for order in waiting {
            match order {
                Order::Do(job) => batch.push(job),
                Order::SpoolFails(why) => {
                    failure = Some(why);
                    break;
                }
            }
        }
        if let Err(failing) = self.make(&well.connection, batch) {
            return Stage::Failing(failing);
        }
        match failure.map_or_else(|| self.checkpoint(&mut well), |why| Err(Trouble::Disk(why))) {
            Ok(()) => Stage::Well(well),
            Err(Trouble::Disk(why) | Trouble::Full(why) | Trouble::Mistake(why)) => {
                Stage::Failing(self.fails(why, Refused::default()))
            }
        }
    }

    /// All in one transaction, or, when that fails for other reasons than the disk, each in its own.
    fn make(&self, connection: &Connection, batch: Vec<Job>) -> Result<(), Failing> {
        if batch.is_empty() {
            return Ok(());
        }
        match self.transact(connection, &batch) {
            Ok(effects) => {
                self.tally.count(effects.moved);
                for job in batch {
                    job.tell(Ok(()));
                }
                self.remove_files(&effects.gone);
                Ok(())
            }
            Err(Failed { trouble: Trouble::Disk(why), perhaps_there }) => {
                let refused = Refused { messages: perhaps_there, files: Vec::new() };
                Err(refuse_while(self.fails(why, refused), batch))
            }
            Err(Failed { trouble, .. }) if batch.len() == 1 => {
                self.refuse_all(connection, batch, &trouble);
                Ok(())
            }
            Err(_) => self.make_one_by_one(connection, batch),
        }
    }

    fn make_one_by_one(&self, connection: &Connection, batch: Vec<Job>) -> Result<(), Failing> {
        let mut left = batch.into_iter();
        while let Some(job) = left.next() {
            if let Err(failing) = self.make(connection, vec![job]) {
                return Err(refuse_while(failing, left));
            }
        }
        Ok(())
    }

    /// Durable when it returns; else nothing is changed, as far as that can be known.
    fn transact(&self, connection: &Connection, batch: &[Job]) -> Result<Effects, Failed> {
        failpoint::hit("store.before-begin");
        let mut effects = Effects::default();
        let mut begin = || {
            connection.execute_batch("BEGIN IMMEDIATE")?;
            batch.iter().try_for_each(|job| write::apply(connection, &job.work, &mut effects))
        };
        if let Err(error) = begin() {
            return Err(Failed { trouble: undo(connection, error), perhaps_there: Vec::new() });
        }
        failpoint::hit("store.before-commit");
        if let Err(error) = self.disk.commit(connection) {
            return Err(Failed { trouble: undo(connection, error), perhaps_there: effects.stored });
        }
        failpoint::hit("store.after-commit");
        Ok(effects)
    }

    /// Best effort: what stays has no row any more and is removed at the next start.
    fn remove_files(&self, gone: &[MessageId]) {
        for id in gone {
            failpoint::hit("store.before-unlink");
            bodies::remove(&self.storage, *id);
            failpoint::hit("store.after-unlink");
        }
    }

    /// Everybody sees it before anybody hears it.
    fn fails(&self, why: String, refused: Refused) -> Failing {
        tracing::error!(
            database = %self.database.display(),
            "the queue's storage fails: {why}; nothing is accepted until it works again, which is tried by itself: look at the disk"
        );
        self.condition.send_replace(Condition::Failing { why: why.clone() });
        let [pause, _] = self.limits.pauses;
        Failing { why, refused, pause, next_trial: Instant::now() + pause }
    }

    /// Their files go first, because after the answer a message may be offered again.
    fn refuse_all(&self, connection: &Connection, jobs: Vec<Job>, trouble: &Trouble) {
        for job in jobs {
            for (message, _) in job.spooled() {
                bodies::remove_orphan(&self.storage, connection, message.id);
            }
            job.tell(Err(trouble.clone().into()));
        }
    }

    /// Nobody can give orders any more. What was refused must not be found at the next start, if that can be had.
    fn try_last(&self, failing: &Failing) {
        match trial::pass(&self.database, &self.storage, &self.disk, &failing.refused) {
            Ok(connection) => self.close(&connection),
            Err(why) => tracing::error!(
                database = %self.database.display(),
                "the queue's storage still fails: {why}; mail that was refused meanwhile may be found at the next start"
            ),
        }
    }

    fn try_again(&self, mut failing: Failing) -> Stage {
        match trial::pass(&self.database, &self.storage, &self.disk, &failing.refused) {
            Ok(connection) => {
                tracing::info!(database = %self.database.display(), "the queue's storage works again");
                self.condition.send_replace(Condition::Well);
                Stage::Well(Well { connection, checkpoint_at: self.limits.checkpoint })
            }
            Err(why) => {
                let [_, longest] = self.limits.pauses;
                failing.pause = (failing.pause * 2).min(longest);
                failing.next_trial = Instant::now() + failing.pause;
                if failing.why != why {
                    self.condition.send_replace(Condition::Failing { why: why.clone() });
                    failing.why = why;
                }
                Stage::Failing(failing)
            }
        }
    }

    /// Moves the log into the database when it has grown enough. Nobody waits for this but who comes meanwhile.
    fn checkpoint(&self, well: &mut Well) -> Result<(), Trouble> {
        let (connection, limits) = (&well.connection, &self.limits);
        let (log, done) = connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::NOOP)?;
        if log < limits.checkpoint {
            well.checkpoint_at = limits.checkpoint;
        }
        if log < well.checkpoint_at || log == done && log < limits.longest_log {
            return Ok(());
        }
        let moved = if log < limits.longest_log {
            connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE)
        } else {
            let _nobody_reads = self.readers.pause();
            connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::RESTART)
        };
        // Where there is no room the log holds everything still; later there may be.
        well.checkpoint_at = log + limits.checkpoint / 8;
        match moved {
            // Somebody else reads, with a tool of his own.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
            moved => match moved.map_err(Trouble::from) {
                Ok(_) | Err(Trouble::Full(_)) => Ok(()),
                Err(trouble) => Err(trouble),
            },
        }
    }

    /// So that the next start finds an empty log. If that fails, it reads the log.
    fn close(&self, connection: &Connection) {
        let _nobody_reads = self.readers.pause();
        let _ = connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::TRUNCATE);
    }
}

/// Should the writer die of a fault of ours, nobody is to believe that the store is well.
struct LastWord(watch::Sender<Condition>);

impl Drop for LastWord {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let why = "its writer died of an internal error; restart the relay".to_owned();
            self.0.send_replace(Condition::Failing { why });
        }
    }
}

/// A transaction that was not made.
struct Failed {
    trouble: Trouble,
    /// Messages that might be found all the same, because it failed while it was being made durable.
    perhaps_there: Vec<MessageId>,
}

/// Rolls back, if the database has not done so already.
fn undo(connection: &Connection, error: rusqlite::Error) -> Trouble {
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        // Then the connection is not used again.
        return Trouble::Disk(error.to_string());
    }
    error.into()
}

/// Refused while the disk fails; the trial looks after what they left behind.
fn refuse_while(mut failing: Failing, jobs: impl IntoIterator<Item = Job>) -> Failing {
    for job in jobs {
        failing.refused.files.extend(job.spooled().map(|(message, _)| message.id));
        job.tell(Err(NotStored::Failing { detail: failing.why.clone() }));
    }
    failing
}
