//! Files that are written once, from front to back, and then kept under a name of their own, or not at all.
//!
//! A [`SpoolFile`] is begun in a directory for such drafts and removed from there when it is dropped without having
//! been kept; what a crash leaves behind is removed by [`sweep`]. The steps of keeping one (its octets synced, then
//! renamed, then the directory synced) are here one by one: their order is the business of whoever promises something.
//! Only its owner can read it, at no instant anybody else.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::TempPath;

use super::Ownership;
use super::owner::Owner;
use super::replace::private_directory;

/// Where kept bodies lie, in the storage directory.
const SPOOL: &str = "spool";
/// Where bodies on their way in lie, in the spool.
const INCOMING: &str = "incoming";

/// Where kept bodies lie.
#[must_use]
pub fn kept(storage: &Path) -> PathBuf {
    storage.join(SPOOL)
}

/// Where bodies on their way in lie.
#[must_use]
pub fn incoming(storage: &Path) -> PathBuf {
    kept(storage).join(INCOMING)
}

/// Removes what was on its way in when a process before this one died; how many files that were.
///
/// # Errors
/// When the directory cannot be read.
pub fn sweep(owner: &Ownership) -> io::Result<usize> {
    let entries = match std::fs::read_dir(incoming(owner.directory())) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut removed = 0;
    for entry in entries {
        // What cannot be removed harms nobody and is tried again at the next start.
        removed += usize::from(std::fs::remove_file(entry?.path()).is_ok());
    }
    Ok(removed)
}

/// A file of octets that do not change once they are written.
#[derive(Debug)]
pub struct SpoolFile {
    file: File,
    size: u64,
    /// The name it is removed under when this is dropped; nothing once it was kept or given up.
    draft: Mutex<Option<TempPath>>,
    #[cfg(not(unix))]
    cursor: Mutex<()>,
}

impl SpoolFile {
    /// An empty draft in this directory, which is made if it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(directory: &Path) -> io::Result<Self> {
        private_directory(directory, Owner::of(directory))?;
        // Made by this crate for its owner alone.
        let (file, path) = tempfile::Builder::new().prefix("").tempfile_in(directory)?.into_parts();
        Ok(Self::new(file, 0, Some(path)))
    }

    /// One that was kept.
    ///
    /// # Errors
    /// When it cannot be opened, or is no plain file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let facts = file.metadata()?;
        if !facts.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a file"));
        }
        Ok(Self::new(file, facts.len(), None))
    }

    fn new(file: File, size: u64, draft: Option<TempPath>) -> Self {
        Self {
            file,
            size,
            draft: Mutex::new(draft),
            #[cfg(not(unix))]
            cursor: Mutex::default(),
        }
    }

    /// Puts octets behind those that are there.
    ///
    /// # Errors
    /// When they cannot be written; then it is of no use any more.
    pub fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        self.file.write_all(octets)?;
        self.size += octets.len() as u64;
        Ok(())
    }

    /// Octets in it.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Fills the buffer with what stands from `offset` on. Several may read at once.
    ///
    /// # Errors
    /// When it cannot be read or is shorter than that.
    #[cfg(unix)]
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, buffer, offset)
    }

    /// Fills the buffer with what stands from `offset` on. One reads at a time.
    ///
    /// # Errors
    /// When it cannot be read or is shorter than that.
    #[cfg(not(unix))]
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let _alone = self.cursor.lock().unwrap_or_else(PoisonError::into_inner);
        (&self.file).seek(SeekFrom::Start(offset))?;
        (&self.file).read_exact(buffer)
    }

    /// Returns when its octets would survive a loss of power. Its name would not. After an error the file is never to
    /// be synced again: the system may have forgotten what it could not write, and would say that all is well.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Gives it its name, on the same volume; from then on it is not removed when this is dropped. What has that name
    /// already is never replaced.
    ///
    /// # Errors
    /// When it cannot be renamed, or has no name any more because it was given up.
    pub fn keep(&self, path: &Path) -> io::Result<()> {
        let mut draft = self.draft.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(name) = draft.take() else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "its name was given up"));
        };
        name.persist_noclobber(path).map_err(|error| {
            *draft = Some(error.path);
            error.error
        })
    }

    /// Whether it is still a draft: it has its first name and no other.
    #[must_use]
    pub fn is_draft(&self) -> bool {
        self.draft.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Takes its name away. Whoever has this can read it to the end.
    pub fn give_up(&self) {
        // To drop the name is to remove it; what cannot be removed is swept at the next start.
        drop(self.draft.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// The same octets, written anew, as a draft in this directory.
    ///
    /// # Errors
    /// When they cannot be read or written.
    pub fn copy(&self, directory: &Path) -> io::Result<Self> {
        let mut copy = Self::create(directory)?;
        let mut buffer = vec![0; 64 * 1024];
        while copy.size < self.size {
            let left = usize::try_from(self.size - copy.size).unwrap_or(usize::MAX);
            let part = &mut buffer[..left.min(64 * 1024)];
            self.read_exact_at(part, copy.size)?;
            copy.append(part)?;
        }
        Ok(copy)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_draft_goes_with_its_owner_and_what_was_kept_stays() {
        let home = tempfile::tempdir().unwrap();
        let (spool, incoming) = (kept(home.path()), incoming(home.path()));
        let mut file = SpoolFile::create(&incoming).unwrap();
        file.append(b"one ").unwrap();
        file.append(b"two").unwrap();
        assert_eq!(names(&incoming).len(), 1);
        drop(file);
        assert_eq!(names(&incoming).len(), 0, "dropped without being kept");
        let mut file = SpoolFile::create(&incoming).unwrap();
        file.append(b"three").unwrap();
        file.sync().unwrap();
        file.keep(&spool.join("kept")).unwrap();
        assert!(!file.is_draft());
        drop(file);
        assert_eq!((names(&incoming).len(), names(&spool)), (0, vec!["incoming".into(), "kept".to_owned()]));
        let file = SpoolFile::open(&spool.join("kept")).unwrap();
        let mut buffer = [0; 3];
        file.read_exact_at(&mut buffer, 2).unwrap();
        assert_eq!((&buffer, file.size()), (b"ree", 5));
        assert!(file.read_exact_at(&mut buffer, 3).is_err(), "it ends before that");
    }

    #[test]
    fn who_has_no_name_any_more_is_copied_not_kept() {
        let home = tempfile::tempdir().unwrap();
        let incoming = incoming(home.path());
        let mut file = SpoolFile::create(&incoming).unwrap();
        let octets: Vec<u8> = (0..200_000u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
        file.append(&octets).unwrap();
        file.give_up();
        assert_eq!(names(&incoming).len(), 0);
        assert_eq!(file.keep(&home.path().join("x")).unwrap_err().kind(), io::ErrorKind::NotFound);
        let copy = file.copy(&incoming).unwrap();
        fs::write(home.path().join("theirs"), "x").unwrap();
        assert_eq!(copy.keep(&home.path().join("theirs")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(copy.is_draft(), "it may be kept elsewhere");
        copy.keep(&home.path().join("x")).unwrap();
        assert!(fs::read(home.path().join("x")).unwrap() == octets);
    }

    #[test]
    fn what_a_crash_left_on_its_way_in_is_swept() {
        let home = tempfile::tempdir().unwrap();
        let owner = Ownership::take(home.path()).unwrap();
        assert_eq!(sweep(&owner).unwrap(), 0, "there is no such directory yet");
        fs::create_dir_all(incoming(home.path())).unwrap();
        fs::write(incoming(home.path()).join(".tmpX"), "half").unwrap();
        fs::write(kept(home.path()).join("0"), "whole").unwrap();
        assert_eq!(sweep(&owner).unwrap(), 1);
        assert_eq!((names(&incoming(home.path())).len(), names(&kept(home.path())).len()), (0, 2));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let file = SpoolFile::create(&incoming(home.path())).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(file.file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!((mode(&kept(home.path())), mode(&incoming(home.path()))), (0o700, 0o700));
    }
}
