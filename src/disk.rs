//! The file system as several rooms need it, with what differs between systems in one place.
//!
//! Tells whether a file is open to every user of the machine, and which user this process is. Guarantees nothing about
//! access lists or about the directories above the file.

pub mod owner;

use std::path::Path;

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

/// The name of the user this process runs as, or its number if it has no name.
#[cfg(unix)]
#[must_use]
pub fn our_user() -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    // Linux shows a process's own directory as owned by the user whose rights it has.
    let number = std::fs::metadata("/proc/self").ok()?.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    Some(named.unwrap_or(number))
}

/// Other systems would have to be asked.
#[cfg(not(unix))]
#[must_use]
pub fn our_user() -> Option<String> {
    None
}
