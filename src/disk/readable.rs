//! Whether another user may read a file, as far as modes tell.
//!
//! For a command of root's that looks at what a service of another user will read: trying it would prove nothing. Looks
//! at the file and the directories above it, and at groups in `/etc/group`. Access lists, capabilities and systems that
//! are no Unix are not understood, which is said by saying nothing.

use std::path::Path;

use super::Owner;

#[cfg(unix)]
use std::os::unix::fs::MetadataExt;

/// Whether whoever this is may read the file. Nothing where that cannot be known.
#[cfg(unix)]
#[must_use]
pub fn readable_by(owner: Owner, path: &Path) -> Option<bool> {
    let (user, group) = owner.numbers()?;
    if user == 0 {
        return Some(true);
    }
    let groups = groups(user, group, &std::fs::read_to_string("/etc/group").unwrap_or_default());
    let path = path.canonicalize().ok()?;
    let allowed = |path: &Path, bit: u32| {
        let facts = std::fs::metadata(path).ok()?;
        let shift = if facts.uid() == user {
            6
        } else if groups.contains(&facts.gid()) {
            3
        } else {
            0
        };
        Some(facts.mode() >> shift & bit != 0)
    };
    // 1: to go through a directory; 4: to read.
    let reached = path.ancestors().skip(1).map(|directory| allowed(directory, 1)).collect::<Option<Vec<_>>>()?;
    Some(reached.into_iter().all(|may| may) && allowed(&path, 4)?)
}

/// Other systems would have to be asked.
#[cfg(not(unix))]
#[must_use]
pub fn readable_by(_: Owner, _: &Path) -> Option<bool> {
    None
}

/// A user's own group, and those that list its name (group(5)).
#[cfg(unix)]
fn groups(user: u32, group: u32, listed: &str) -> Vec<u32> {
    let name = super::owner::user(user);
    let in_line = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [_, _, number, members] = fields[..] else { return None };
        members.split(',').any(|member| member == name).then(|| number.parse().ok())?
    };
    std::iter::once(group).chain(listed.lines().filter_map(in_line)).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn modes_tell_who_may_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let facts = std::fs::metadata(file.path()).unwrap();
        let (own, same_group, others) =
            ((facts.uid().max(1), 1), (facts.uid() + 7000, facts.gid()), (facts.uid() + 7000, facts.gid() + 7000));
        let may = |numbers, mode| {
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            readable_by(Owner::numbered(numbers), file.path()).unwrap()
        };
        assert!(may(same_group, 0o640) && !may(same_group, 0o604) && !may(same_group, 0o600));
        assert!(may(others, 0o604) && !may(others, 0o640));
        assert!(may((0, 0), 0o000));
        // As root, for whom its own files are no question.
        assert!(facts.uid() == 0 || may(own, 0o400) && !may(own, 0o044));
    }

    #[test]
    fn a_directory_that_is_shut_hides_what_is_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        std::fs::write(&file, "x").unwrap();
        let other = Owner::numbered((4_000_000_001, 4_000_000_001));
        let with = |mode| {
            std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            readable_by(other, &file)
        };
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!((with(0o755), with(0o750)), (Some(true), Some(false)));
        assert_eq!(readable_by(other, &directory.path().join("not there")), None);
    }

    #[test]
    fn groups_are_one_s_own_and_those_that_list_the_name() {
        let listed = "root:x:0:\nmail:x:8:nobody,4000000001\nother:x:9:40000000010\nbroken\n";
        assert_eq!(groups(4_000_000_001, 77, listed), [77, 8]);
    }
}
