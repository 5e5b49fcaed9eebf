//! The file system as several rooms need it, with what differs between systems in one place.
//!
//! Tells who may use a file and who we are, reads files that are nobody else's business ([`read_private`]), replaces a
//! file as a whole ([`replace()`]), keeps what was written piece by piece ([`spool`]), locks ([`lock()`]) and proves
//! whose a directory is ([`Ownership`]). Guarantees nothing about access lists, nor, where the system is not a Unix,
//! about who may use a file.

pub mod durable;
mod lock;
mod owner;
mod ownership;
mod private;
mod readable;
mod replace;
mod space;
pub mod spool;
pub mod volume;

use std::path::Path;

pub use lock::{Locked, lock};
pub use owner::{Owner, our_user, same_volume, user_of};
pub use ownership::{Ownership, OwnershipError};
pub use private::{Exposed, KeptBy, ReadError, read_private};
pub use readable::readable_by;
pub use replace::{create, private_directory, replace, sweep, sync_directory};
pub use space::FreeSpace;

/// Whether the file's mode lets every user of this machine read it.
#[cfg(unix)]
#[must_use]
pub fn open_to_everyone(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|facts| facts.permissions().mode() & 0o004 != 0)
}

/// Whether every user of this machine may change the file, or put others in the place of those in the directory. A
/// directory such as `/tmp`, where everybody may only change what is theirs (the sticky bit), is not one.
#[cfg(unix)]
#[must_use]
pub fn changeable_by_everyone(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|facts| {
        let mode = facts.permissions().mode();
        mode & 0o002 != 0 && !(facts.is_dir() && mode & 0o1000 != 0)
    })
}

/// Other systems keep access lists, which are not looked at.
#[cfg(not(unix))]
#[must_use]
pub fn changeable_by_everyone(_: &Path) -> bool {
    false
}

/// Other systems keep access lists, which are not looked at.
#[cfg(not(unix))]
#[must_use]
pub fn open_to_everyone(_: &Path) -> bool {
    false
}
