//! Reading files that are nobody else's business: keys, tokens, whatever gives power to who reads or changes it.
//!
//! Who may use a file is asked of the opened file, not of its path, so that it cannot be swapped between the look and
//! the read. Its owner is us, root, or whoever owns the directory it stands in, who could put another one there
//! anyway. A file put there by anybody else is refused, whatever its mode; so a directory others can write to costs
//! the file at worst, and never gives a secret away. Access lists are not looked at.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Who looks after a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptBy {
    /// We make and replace it: a plain file that only its owner may read.
    Us,
    /// Somebody else. Service managers and orchestrators hand files over as links, and owned by root with a group
    /// that may read (systemd's `LoadCredential` shows its access list so); that is private enough.
    SomebodyElse,
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is a link, where a plain file is expected")]
    Link,
    #[error("it is not a file")]
    NotAFile,
    #[error("it is longer than {limit} octets")]
    TooLong { limit: u64 },
    #[error(transparent)]
    Exposed(#[from] Exposed),
}

/// What is wrong with who may use a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Exposed {
    #[error("others may read or change it (its mode is {mode:o})")]
    Mode { mode: u32 },
    #[error("it belongs to user {owner}, who could change it")]
    Owner { owner: String },
}

/// The octets of a file that only its owner may use; nothing if it is not there.
///
/// # Errors
/// When it cannot be read, is no plain file, is longer than `limit`, or could be used by others.
pub fn read_private(path: &Path, kept_by: KeptBy, limit: u64) -> Result<Option<Vec<u8>>, ReadError> {
    let file = match open(path, kept_by) {
        Ok(file) => file,
        Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !file.metadata()?.is_file() {
        return Err(ReadError::NotAFile);
    }
    is_private(&file, path, kept_by)?;
    let mut octets = Vec::new();
    file.take(limit + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > limit { Err(ReadError::TooLong { limit }) } else { Ok(Some(octets)) }
}

#[cfg(unix)]
fn open(path: &Path, kept_by: KeptBy) -> Result<File, ReadError> {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;
    // To open a pipe or a device must neither wait nor do anything.
    let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    if kept_by == KeptBy::Us {
        flags |= OFlags::NOFOLLOW;
    }
    let opened = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    opened.map_err(|error| match error.raw_os_error() {
        Some(code) if code == rustix::io::Errno::LOOP.raw_os_error() => ReadError::Link,
        _ => ReadError::Io(error),
    })
}

#[cfg(not(unix))]
fn open(path: &Path, _: KeptBy) -> Result<File, ReadError> {
    Ok(File::open(path)?)
}

#[cfg(unix)]
fn is_private(file: &File, path: &Path, kept_by: KeptBy) -> Result<(), ReadError> {
    use std::os::unix::fs::MetadataExt;

    use super::owner;
    let facts = file.metadata()?;
    let mode = facts.mode() & 0o7777;
    if mode & too_open(kept_by, facts.uid() == 0, path) != 0 {
        return Err(Exposed::Mode { mode }.into());
    }
    let above = std::fs::metadata(owner::parent(path))?.uid();
    if ![0, owner::our_number(), above].contains(&facts.uid()) {
        return Err(Exposed::Owner { owner: owner::user(facts.uid()) }.into());
    }
    Ok(())
}

/// The bits of a mode that open a file to too many.
#[cfg(unix)]
fn too_open(kept_by: KeptBy, is_roots: bool, path: &Path) -> u32 {
    match kept_by {
        KeptBy::Us => 0o077,
        KeptBy::SomebodyElse if !is_roots => 0o077,
        // Container engines let everybody read them inside the container, where nobody else is.
        KeptBy::SomebodyElse if path.starts_with("/run/secrets") => 0o033,
        KeptBy::SomebodyElse => 0o037,
    }
}

/// Other systems keep access lists, which are not looked at.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "there is something to refuse elsewhere")]
fn is_private(_: &File, _: &Path, _: KeptBy) -> Result<(), ReadError> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn file(directory: &Path, mode: u32) -> std::path::PathBuf {
        let path = directory.join(format!("{mode:o}"));
        std::fs::write(&path, "secret").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn said(path: &Path, kept_by: KeptBy, limit: u64) -> String {
        match read_private(path, kept_by, limit) {
            Ok(Some(octets)) => String::from_utf8(octets).unwrap(),
            Ok(None) => "nothing".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_others_may_read_or_change_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        for mode in [0o600, 0o400] {
            assert_eq!(said(&file(directory.path(), mode), KeptBy::Us, 6), "secret", "{mode:o}");
        }
        for mode in [0o640, 0o660, 0o604, 0o602, 0o620, 0o601] {
            let expected = format!("others may read or change it (its mode is {mode:o})");
            assert_eq!(said(&file(directory.path(), mode), KeptBy::Us, 6), expected);
        }
    }

    #[test]
    fn what_root_hands_to_a_group_is_private_and_nothing_more_than_that() {
        let directory = tempfile::tempdir().unwrap();
        let we_are_root = super::super::our_user().as_deref() == Some("root");
        let handed_over = said(&file(directory.path(), 0o440), KeptBy::SomebodyElse, 6);
        assert_eq!(handed_over == "secret", we_are_root, "{handed_over}");
        for mode in [0o444, 0o460, 0o450] {
            let said = said(&file(directory.path(), mode), KeptBy::SomebodyElse, 6);
            assert!(said.starts_with("others may"), "{mode:o}: {said}");
        }
    }

    #[test]
    fn a_secret_of_a_container_may_be_read_by_all_in_it_and_changed_by_none() {
        let path = Path::new("/run/secrets/vault_key");
        assert_eq!(0o444 & too_open(KeptBy::SomebodyElse, true, path), 0);
        assert_ne!(0o446 & too_open(KeptBy::SomebodyElse, true, path), 0);
        assert_ne!(0o444 & too_open(KeptBy::SomebodyElse, false, path), 0);
        assert_ne!(0o444 & too_open(KeptBy::SomebodyElse, true, Path::new("/run/other/vault_key")), 0);
    }

    #[test]
    fn a_file_of_a_stranger_is_not_read() {
        if super::super::our_user().as_deref() != Some("root") {
            return; // Only root can make one.
        }
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path(), 0o600);
        std::os::unix::fs::chown(&path, Some(4_000_001), None).unwrap();
        assert_eq!(said(&path, KeptBy::Us, 6), "it belongs to user 4000001, who could change it");
        std::os::unix::fs::chown(directory.path(), Some(4_000_001), None).unwrap();
        assert_eq!(said(&path, KeptBy::Us, 6), "secret", "whose the directory is, has the file anyway");
    }

    #[test]
    fn links_pipes_directories_and_long_files_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path(), 0o600);
        let link = directory.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(said(&link, KeptBy::Us, 6), "it is a link, where a plain file is expected");
        assert_eq!(said(&link, KeptBy::SomebodyElse, 6), "secret");
        assert_eq!(said(directory.path(), KeptBy::Us, 6), "it is not a file");
        let pipe = directory.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(said(&pipe, KeptBy::Us, 6), "it is not a file", "and nobody waits for who writes to it");
        assert_eq!(said(&path, KeptBy::Us, 5), "it is longer than 5 octets");
        assert_eq!(said(&directory.path().join("none"), KeptBy::Us, 5), "nothing");
    }
}
