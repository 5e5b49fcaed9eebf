//! The file system as several rooms need it, with what differs between systems in one place.
//!
//! Tells whether a file is open to every user of the machine. Guarantees nothing about access lists or about the
//! directories above the file.

use std::path::Path;

/// Whether the file's mode lets every user of this machine read it.
#[cfg(unix)]
#[must_use]
pub fn open_to_everyone(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|facts| facts.permissions().mode() & 0o004 != 0)
}

/// Other systems keep access lists, which are not looked at.
#[cfg(not(unix))]
#[must_use]
pub fn open_to_everyone(_: &Path) -> bool {
    false
}
