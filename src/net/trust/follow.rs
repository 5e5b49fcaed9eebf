//! Something made from files, made again when they change.
//!
//! Renewal tools replace files and expect nothing more. Guarantees: the files are looked at no more than once a minute;
//! new ones that are broken or do not match are reported once and what was made of the old ones stays in use. Does not
//! watch directories and does not know what the files hold.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How often the files are looked at.
pub(in crate::net) const INTERVAL: Duration = Duration::from_mins(1);

/// What follows its files. Without files nothing is ever looked at.
#[derive(Debug)]
pub(crate) struct Followed<T> {
    files: Vec<PathBuf>,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    value: T,
    /// What the files looked like when they were last read, well or badly.
    stamps: Vec<Option<Stamp>>,
    looked: Instant,
}

/// Time of the last change and length: enough to notice a replaced file.
type Stamp = (SystemTime, u64);

/// What a look at the files led to.
#[derive(Debug)]
pub(in crate::net) enum Look<E> {
    NotDue,
    Unchanged,
    Replaced,
    Kept(E),
}

impl<T: Clone> Followed<T> {
    /// Makes it for the first time; `read` reads `files`.
    pub(crate) fn new<E>(files: Vec<PathBuf>, now: Instant, read: impl FnOnce() -> Result<T, E>) -> Result<Self, E> {
        // Taken before reading: a change in between is then seen at the next look.
        let stamps = stamps(&files);
        let state = Mutex::new(State { value: read()?, stamps, looked: now });
        Ok(Self { files, state })
    }

    /// What is in use now. Looks at the files when the last look is a minute old.
    pub(crate) fn current<E: fmt::Display>(&self, now: Instant, read: impl FnOnce() -> Result<T, E>) -> T {
        let (look, value) = self.look(now, read);
        match look {
            Look::NotDue | Look::Unchanged => {}
            Look::Replaced => tracing::info!(files = self.names(), "certificate files have changed and are in use"),
            Look::Kept(error) => {
                tracing::error!(%error, "certificate files have changed and cannot be used; the old ones stay in use");
            }
        }
        value
    }

    pub(in crate::net) fn look<E>(&self, now: Instant, read: impl FnOnce() -> Result<T, E>) -> (Look<E>, T) {
        // A value is set whole or not at all, so a panic elsewhere left nothing half done.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let look = self.renew(&mut state, now, read);
        (look, state.value.clone())
    }

    fn renew<E>(&self, state: &mut State<T>, now: Instant, read: impl FnOnce() -> Result<T, E>) -> Look<E> {
        if now.saturating_duration_since(state.looked) < INTERVAL {
            return Look::NotDue;
        }
        state.looked = now;
        let stamps = stamps(&self.files);
        if stamps == state.stamps {
            return Look::Unchanged;
        }
        state.stamps = stamps;
        match read() {
            Ok(value) => {
                state.value = value;
                Look::Replaced
            }
            Err(error) => Look::Kept(error),
        }
    }

    fn names(&self) -> String {
        self.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    files.iter().map(|file| stamp(file)).collect()
}

/// Nothing when the file cannot be looked at, which is a change like any other.
fn stamp(path: &Path) -> Option<Stamp> {
    let look = || -> io::Result<Stamp> {
        let data = std::fs::metadata(path)?;
        Ok((data.modified()?, data.len()))
    };
    look().ok()
}
