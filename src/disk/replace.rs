//! Replacing a file as a whole.
//!
//! [`replace`] guarantees that at every instant, also after a crash or a loss of power, the path shows either all of
//! the old octets or all of the new ones; that when it returns the new ones are durable; and that nobody but the owner
//! can read them, at no instant. The order is kept by type: only a [`Synced`] draft can get its name. When the very
//! last step fails (the sync of the directory) the new octets are there and may be gone again after a loss of power.
//! Neither guarantees anything about two who replace one file at once; [`super::lock()`] is for them.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::owner::{self, Owner};

/// What every draft of a file `NAME` is called: `.NAME.`, something random, and this.
const DRAFT: &str = ".new";

/// Replaces a file, or makes it; for its owner alone. Who owned the old file owns the new one, if we are root, else we
/// do.
///
/// # Errors
/// When it cannot be made durable; see the head of this file for what then stands at the path.
pub fn replace(path: &Path, octets: &[u8]) -> io::Result<()> {
    let owner = if path.exists() { Owner::of(path) } else { Owner::of(owner::parent(path)) };
    Draft::write(path, octets, owner)?.sync()?.replace(path)
}

/// Makes a file of an owner, as [`replace`] does, but only if there is none: whether we were the one. Of several who
/// try, one is.
///
/// # Errors
/// When it cannot be made durable.
pub fn create(path: &Path, octets: &[u8], owner: Owner) -> io::Result<bool> {
    Draft::write(path, octets, owner)?.sync()?.create(path)
}

/// Removes the drafts of this file that processes left behind which were killed while they replaced it. Only for who
/// keeps others from replacing it meanwhile: a draft that is removed under their hands makes their replacement fail.
pub fn sweep(path: &Path) {
    let Ok(entries) = std::fs::read_dir(owner::parent(path)) else { return };
    let prefix = prefix(path);
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_draft = name.to_str().is_some_and(|name| name.starts_with(&prefix) && name.ends_with(DRAFT));
        if is_draft {
            // What cannot be removed harms nobody: it is as private as the file.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn prefix(path: &Path) -> String {
    format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy())
}

/// New octets beside the file they shall replace, on the same volume.
struct Draft(NamedTempFile);

/// A draft that would survive a loss of power.
struct Synced(NamedTempFile);

impl Draft {
    fn write(path: &Path, octets: &[u8], owner: Owner) -> io::Result<Self> {
        let prefix = prefix(path);
        // Made by this crate for its owner alone.
        let mut file = tempfile::Builder::new().prefix(&prefix).suffix(DRAFT).tempfile_in(owner::parent(path))?;
        owner.give(file.as_file())?;
        file.write_all(octets)?;
        Ok(Self(file))
    }

    fn sync(self) -> io::Result<Synced> {
        self.0.as_file().sync_all()?;
        Ok(Synced(self.0))
    }
}

impl Synced {
    fn replace(self, path: &Path) -> io::Result<()> {
        self.0.persist(path).map_err(|error| error.error)?;
        sync_directory(owner::parent(path))
    }

    fn create(self, path: &Path) -> io::Result<bool> {
        let made = match self.0.persist_noclobber(path) {
            Ok(_) => true,
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error.error),
        };
        // Whoever was faster may not have come to this yet.
        sync_directory(owner::parent(path))?;
        Ok(made)
    }
}

/// Makes names durable, not only what stands behind them.
///
/// # Errors
/// When the disk does not take them.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        // Some network file systems know no such thing; their servers write names at once.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        // Windows cannot open a directory so; its file system writes names in order.
        Err(_) if cfg!(not(unix)) => Ok(()),
        result => result,
    }
}

/// Makes a directory that only its owner may enter, with those above it that are missing, durably. One that is there
/// stays as it is.
///
/// # Errors
/// When it cannot be made.
pub fn private_directory(path: &Path, owner: Owner) -> io::Result<()> {
    let path = owner::nonempty(path);
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        private_directory(above, owner)?;
    }
    match make_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => return Ok(()),
        result => result?,
    }
    if cfg!(unix) {
        owner.give(&File::open(path)?)?;
    }
    sync_directory(owner::parent(path))
}

#[cfg(unix)]
fn make_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(not(unix))]
fn make_directory(path: &Path) -> io::Result<()> {
    std::fs::create_dir(path)
}

#[cfg(test)]
mod tests;
