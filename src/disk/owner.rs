//! Who we are, whom a file belongs to, and on which volume it lies.
//!
//! Names are looked up in `/etc/passwd` only; a user that stands elsewhere is told by number. Systems that are no Unix
//! would have to be asked in another way, and are not.

use std::path::Path;

#[cfg(unix)]
use std::os::unix::fs::MetadataExt;

/// Whom a new file is to belong to. Only root can give files away: a command of root's, run beside a relay of another
/// user, must not leave files behind that this relay cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner(#[cfg(unix)] Option<(u32, u32)>);

#[cfg(unix)]
impl Owner {
    /// Whoever owns what is at this path, or where it will be.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let there = path.ancestors().find_map(|path| std::fs::metadata(nonempty(path)).ok());
        Self(there.map(|facts| (facts.uid(), facts.gid())))
    }

    /// Their numbers, if anything was there.
    pub(super) fn numbers(self) -> Option<(u32, u32)> {
        self.0
    }

    /// Whoever has these numbers.
    #[cfg(test)]
    pub(super) fn numbered(numbers: (u32, u32)) -> Self {
        Self(Some(numbers))
    }

    /// Makes a file theirs, if we may give files away.
    pub(super) fn give(self, file: &std::fs::File) -> std::io::Result<()> {
        match self.0 {
            Some((user, group)) if is_root() && file.metadata()?.uid() != user => {
                std::os::unix::fs::fchown(file, Some(user), Some(group))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(not(unix))]
impl Owner {
    /// Nobody in particular: what is made is ours.
    #[must_use]
    pub fn of(_: &Path) -> Self {
        Self()
    }

    #[allow(clippy::unnecessary_wraps, reason = "files can be given away elsewhere")]
    pub(super) fn give(self, _: &std::fs::File) -> std::io::Result<()> {
        Ok(())
    }
}

/// The parent of a relative path of one part is the empty path, which means here.
pub(super) fn nonempty(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// The directory a file stands in.
pub(super) fn parent(path: &Path) -> &Path {
    nonempty(path.parent().unwrap_or(path))
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(unix)]
pub(super) fn our_number() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The name of the user this process runs as, or its number if it has no name.
#[cfg(unix)]
#[must_use]
pub fn our_user() -> Option<String> {
    Some(user(our_number()))
}

/// Other systems would have to be asked.
#[cfg(not(unix))]
#[must_use]
pub fn our_user() -> Option<String> {
    None
}

/// The name of a user, or the number if it has none.
#[cfg(unix)]
pub(super) fn user(number: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let number = number.to_string();
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    named.unwrap_or(number)
}

/// The user whom what is at this path belongs to, or, if that cannot be seen, the nearest directory above that can.
#[cfg(unix)]
#[must_use]
pub fn user_of(path: &Path) -> Option<String> {
    let there = path.ancestors().find_map(|path| std::fs::metadata(nonempty(path)).ok());
    there.map(|facts| user(facts.uid()))
}

/// Other systems would have to be asked.
#[cfg(not(unix))]
#[must_use]
pub fn user_of(_: &Path) -> Option<String> {
    None
}

/// Whether two paths lie on one volume, so that a copy of it is a copy of both; for what is not there yet the nearest
/// directory above counts. Nothing where that cannot be known.
#[cfg(unix)]
#[must_use]
pub fn same_volume(one: &Path, other: &Path) -> Option<bool> {
    let volume = |path: &Path| {
        let path = std::path::absolute(path).ok()?;
        path.ancestors().find_map(|path| std::fs::metadata(path).ok()).map(|facts| facts.dev())
    };
    Some(volume(one)? == volume(other)?)
}

/// Other systems would have to be asked.
#[cfg(not(unix))]
#[must_use]
pub fn same_volume(_: &Path, _: &Path) -> Option<bool> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_yet_lies_where_its_directory_does() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(same_volume(directory.path(), &directory.path().join("not/yet")), Some(true));
        assert_eq!(same_volume(directory.path(), Path::new("/proc/self")), Some(false));
    }

    #[test]
    fn a_user_without_a_name_is_told_by_number() {
        assert_eq!(user(0), "root");
        assert_eq!(user(4_000_000_001), "4000000001");
    }
}
