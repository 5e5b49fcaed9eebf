//! What a failure of the disk means, and the places where tests make one happen.
//!
//! Told apart: there is no room (nothing is wrong, the caller hears it), the caller asked for what cannot be (he alone
//! hears it), and everything else, which counts as a disk that fails: better closed for a second than trusted once too
//! often.

use std::io;

use rusqlite::{Connection, ErrorCode};

use crate::disk::spool::SpoolFile;
use crate::queue::store::NotStored;

/// Why changes were not made.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// No room.
    Full(String),
    /// They cannot be made: a fault of ours, not of the disk.
    Mistake(String),
    /// The disk, or what lies on it.
    Disk(String),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        let detail = error.to_string();
        match error {
            rusqlite::Error::SqliteFailure(code, _) => match code.code {
                ErrorCode::DiskFull => Self::Full(detail),
                ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch => Self::Mistake(detail),
                _ => Self::Disk(detail),
            },
            // Made by this program, before or behind the database.
            _ => Self::Mistake(detail),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&io::Error> for Trouble {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full(error.to_string())
            }
            _ => Self::Disk(error.to_string()),
        }
    }
}

impl From<Trouble> for NotStored {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Full(detail) => Self::Full { detail },
            Trouble::Mistake(detail) => Self::Failing { detail: format!("internal error: {detail}") },
            Trouble::Disk(detail) => Self::Failing { detail },
        }
    }
}

/// The disk under the engine: as it is, or as a test wants it.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    #[cfg(test)]
    pub(super) faults: std::sync::Arc<faults::Faults>,
}

impl Disk {
    /// Ends a transaction; its changes are durable when this returns.
    #[allow(clippy::unused_self, reason = "tests have the disk fail here")]
    pub(super) fn commit(&self, connection: &Connection) -> rusqlite::Result<()> {
        #[cfg(test)]
        self.faults.commit(connection)?;
        connection.execute_batch("COMMIT")
    }

    /// Makes the octets of a body durable.
    #[allow(clippy::unused_self, reason = "tests have the disk fail here")]
    pub(super) fn sync(&self, file: &SpoolFile) -> io::Result<()> {
        #[cfg(test)]
        self.faults.sync()?;
        file.sync()
    }
}

#[cfg(test)]
pub(super) mod faults {
    //! A disk that fails on demand.

    use std::collections::VecDeque;
    use std::io;
    use std::sync::{Condvar, Mutex};

    use rusqlite::{Connection, ffi};

    /// How a commit fails.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(in super::super) enum Fault {
        /// Its sync fails, and nothing of it reaches the disk.
        Lost,
        /// Its sync fails, and yet all of it is on the disk.
        Ghost,
        /// There is no room.
        Full,
        /// The writer dies.
        Panic,
    }

    /// What is still to fail, in order; nothing is a disk that is well.
    #[derive(Debug, Default)]
    pub(in super::super) struct Faults {
        commits: Mutex<VecDeque<Option<Fault>>>,
        syncs: Mutex<VecDeque<Option<io::ErrorKind>>>,
        pub(in super::super) commits_gate: Gate,
        pub(in super::super) syncs_gate: Gate,
    }

    /// A place where the disk can be made to wait.
    #[derive(Debug, Default)]
    pub(in super::super) struct Gate {
        /// Whether it is closed, and how many wait before it.
        state: Mutex<(bool, usize)>,
        changed: Condvar,
    }

    impl Gate {
        pub(in super::super) fn close(&self) {
            self.state.lock().unwrap().0 = true;
        }

        pub(in super::super) fn open(&self) {
            self.state.lock().unwrap().0 = false;
            self.changed.notify_all();
        }

        /// Returns when so many wait.
        pub(in super::super) fn reached(&self, wanted: usize) {
            drop(self.changed.wait_while(self.state.lock().unwrap(), |(_, waiting)| *waiting < wanted).unwrap());
        }

        fn pass(&self) {
            let mut state = self.state.lock().unwrap();
            state.1 += 1;
            self.changed.notify_all();
            state = self.changed.wait_while(state, |(closed, _)| *closed).unwrap();
            state.1 -= 1;
        }
    }

    impl Faults {
        /// The next commits do so; `None` is one that works.
        pub(in super::super) fn commits(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
            self.commits.lock().unwrap().extend(faults);
        }

        /// The next syncs of bodies do so; `None` is one that works.
        pub(in super::super) fn syncs(&self, faults: impl IntoIterator<Item = Option<io::ErrorKind>>) {
            self.syncs.lock().unwrap().extend(faults);
        }

        pub(super) fn commit(&self, connection: &Connection) -> rusqlite::Result<()> {
            self.commits_gate.pass();
            let Some(fault) = self.commits.lock().unwrap().pop_front().flatten() else { return Ok(()) };
            if fault == Fault::Ghost {
                connection.execute_batch("COMMIT")?;
            }
            assert_ne!(fault, Fault::Panic, "as the test wanted it");
            let code = if fault == Fault::Full { ffi::SQLITE_FULL } else { ffi::SQLITE_IOERR_FSYNC };
            Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
        }

        pub(super) fn sync(&self) -> io::Result<()> {
            self.syncs_gate.pass();
            let fault = self.syncs.lock().unwrap().pop_front().flatten();
            fault.map_or(Ok(()), |kind| Err(kind.into()))
        }
    }
}
