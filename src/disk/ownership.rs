//! Whose a storage directory is: the process that holds the lock on the file `lock` in it.
//!
//! An [`Ownership`] can only be had by taking that lock, so whatever must not be done by two processes at once asks for
//! one. The system lets the lock go when the process ends, however it ends: a file that was left behind stands in
//! nobody's way. Guarantees nothing on network file systems whose servers ignore locks.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Locked, Owner, lock, private_directory};

/// The file's name in the directory. It is never removed: who removes a locked file lets a second owner in.
const NAME: &str = "lock";

/// The proof that this process owns a storage directory, until it is dropped.
#[derive(Debug)]
pub struct Ownership {
    directory: PathBuf,
    _locked: Locked,
}

/// Why this process does not own the directory; each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OwnershipError {
    /// Somebody else does.
    #[error(
        "{} belongs to another Posthouse that is running{}; end that one first, or give this one a directory of its own with `storage.directory`",
        directory.display(),
        pid.map(|pid| format!(" with process id {pid}")).unwrap_or_default()
    )]
    Taken {
        /// The directory.
        directory: PathBuf,
        /// The process that has it, as far as it has said.
        pid: Option<u32>,
    },
    /// It cannot be made.
    #[error(
        "{} cannot be made: {source}; make it and give it to the user Posthouse runs as, or write another one into `storage.directory`",
        directory.display()
    )]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be locked.
    #[error(
        "{} cannot be locked: {source}; the user Posthouse runs as must be able to write to `storage.directory`, which must lie on a local file system",
        file.display()
    )]
    Lock {
        /// The lock file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Ownership {
    /// Takes the directory, which is made for its user alone if it is not there. Waits for nobody.
    ///
    /// # Errors
    /// When another process has it, or it cannot be used.
    pub fn take(directory: &Path) -> Result<Self, OwnershipError> {
        private_directory(directory, Owner::of(directory))
            .map_err(|source| OwnershipError::Directory { directory: directory.into(), source })?;
        let path = directory.join(NAME);
        let failed = |source| OwnershipError::Lock { file: path.clone(), source };
        let Some(locked) = lock(&path, Duration::ZERO).map_err(failed)? else {
            return Err(OwnershipError::Taken { directory: directory.into(), pid: read_pid(&path) });
        };
        // For people, and for the text above. What counts is the lock: on a full disk mail goes through all the same.
        let _ = std::fs::write(&path, format!("{}\n", std::process::id()));
        Ok(Self { directory: directory.into(), _locked: locked })
    }

    /// What it owns.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

/// The longest process id, and nothing of a file that is not ours.
fn read_pid(lock: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(lock).ok()?.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_directory_has_one_owner_who_is_named_to_the_second() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("deep/storage");
        let owner = Ownership::take(&directory).unwrap();
        let Err(OwnershipError::Taken { pid, .. }) = Ownership::take(&directory) else { panic!("a second owner") };
        assert_eq!(pid, Some(std::process::id()));
        drop(owner);
        assert_eq!(Ownership::take(&directory).unwrap().directory(), directory);
    }

    #[test]
    fn what_a_dead_process_left_behind_stands_in_nobodys_way() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(NAME), "4194304999 and the rest of a longer file\n").unwrap();
        let owner = Ownership::take(home.path()).unwrap();
        assert_eq!(fs::read_to_string(home.path().join(NAME)).unwrap(), format!("{}\n", std::process::id()));
        drop(owner);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_made_is_for_its_user_alone_and_what_is_there_is_left_alone() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("made");
        let owner = Ownership::take(&directory).unwrap();
        assert_eq!((mode(&directory), mode(&directory.join(NAME))), (0o700, 0o600));
        drop(owner);
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o750)).unwrap();
        let owner = Ownership::take(&directory).unwrap();
        assert_eq!(mode(owner.directory()), 0o750);
    }

    #[test]
    fn a_directory_that_cannot_be_is_named_with_what_to_do() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        let text = Ownership::take(&file.join("storage")).unwrap_err().to_string();
        assert!(text.contains("file/storage cannot be made") && text.contains("`storage.directory`"), "{text}");
        fs::create_dir(home.path().join(NAME)).unwrap();
        let text = Ownership::take(home.path()).unwrap_err().to_string();
        assert!(text.contains("/lock cannot be locked") && text.contains("local file system"), "{text}");
    }
}
