//! A lock between processes, for the moment between reading a file and replacing it.
//!
//! Advisory: it binds only who takes it. The system gives it back when its holder dies, whatever it died of, and it
//! also keeps threads of one process apart. It stands on a file of its own, which is never replaced or removed. Nobody
//! waits for ever: a holder that was stopped with the lock in its hands must not stop everybody else.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::owner::{self, Owner};

/// The lock, until it is dropped.
#[derive(Debug)]
#[must_use = "dropped, it is given back"]
pub struct Locked {
    file: File,
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing would do, but for copies of the file in a program that is just being started. It cannot fail on a file
        // that was locked.
        let _ = self.file.unlock();
    }
}

/// Pauses between two tries: short at first, because locks are held for a few writes.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(50)];

/// Takes the lock, waiting at most this long; nothing if somebody else had it all the time. Makes the file, for its
/// owner alone, if it is not there. Blocks.
///
/// # Errors
/// When the file cannot be opened, or the file system knows no locks.
pub fn lock(path: &Path, patience: Duration) -> io::Result<Option<Locked>> {
    let file = open(path)?;
    let [mut pause, longest] = PAUSES;
    let until = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(Locked { file })),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => return Ok(None),
            Err(TryLockError::WouldBlock) => std::thread::sleep(pause),
        }
        pause = (pause * 2).min(longest);
    }
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = flags.bits().cast_signed();
    let opening = || File::options().read(true).write(true).custom_flags(flags).mode(0o600).clone();
    match opening().create_new(true).open(path) {
        Ok(file) => {
            Owner::of(owner::parent(path)).give(&file)?;
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => opening().open(path),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that is being started has a copy of every file of its parent until it is loaded.
    #[test]
    fn it_ends_with_its_holder_and_not_with_the_last_copy_of_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.lock");
        let held = lock(&path, Duration::ZERO).unwrap().unwrap();
        let copy = held.file.try_clone().unwrap();
        drop(held);
        assert!(lock(&path, Duration::ZERO).unwrap().is_some());
        drop(copy);
    }

    #[test]
    fn one_at_a_time_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.lock");
        let held = lock(&path, Duration::ZERO).unwrap().unwrap();
        assert!(lock(&path, Duration::ZERO).unwrap().is_none(), "also within one process");
        drop(held);
        assert!(lock(&path, Duration::ZERO).unwrap().is_some());
        assert!(path.exists());
    }

    #[test]
    fn who_waits_gets_it_when_it_is_given_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.lock");
        let held = lock(&path, Duration::ZERO).unwrap().unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| lock(&path, Duration::from_mins(1)).unwrap().is_some());
            drop(held);
            assert!(waiting.join().unwrap());
        });
    }
}
