//! What stands at the path after every step of a replacement, and after it.
//!
//! A crash is played by stopping between two of the real steps, with the draft left where it is. What a loss of power
//! does to octets that were not synced cannot be played here; that they are synced in this order is held by type.

use super::*;

/// The process dies: nobody tidies up.
fn leave(file: NamedTempFile) {
    drop(file.keep().unwrap());
}

#[test]
fn at_every_step_the_path_shows_all_of_the_old_or_all_of_the_new() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let there = || std::fs::read_to_string(&path).unwrap();
    let owner = Owner::of(directory.path());
    replace(&path, b"old").unwrap();

    leave(Draft::write(&path, b"", owner).unwrap().0);
    assert_eq!(there(), "old");
    leave(Draft::write(&path, b"torn of", owner).unwrap().0);
    assert_eq!(there(), "old");
    leave(Draft::write(&path, b"the new", owner).unwrap().sync().unwrap().0);
    assert_eq!(there(), "old");
    Draft::write(&path, b"the new", owner).unwrap().sync().unwrap().0.persist(&path).unwrap();
    assert_eq!(there(), "the new", "before the directory is synced");

    let drafts = || std::fs::read_dir(directory.path()).unwrap().count() - 1;
    assert_eq!(drafts(), 3);
    let other = directory.path().join("file.new");
    std::fs::write(&other, "").unwrap();
    sweep(&path);
    assert_eq!(drafts(), 1, "what is no draft of this file stays");
    assert!(other.exists() && there() == "the new");
}

#[test]
fn of_many_who_create_a_file_one_does_and_all_see_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let owner = Owner::of(directory.path());
    let start = std::sync::Barrier::new(8);
    let made: Vec<bool> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8u8)
            .map(|number| {
                let (path, start) = (&path, &start);
                scope.spawn(move || {
                    start.wait();
                    let made = create(path, &[number; 32], owner).unwrap();
                    (made, std::fs::read(path).unwrap())
                })
            })
            .collect();
        let results: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(results.iter().all(|(_, seen)| *seen == results[0].1 && seen.len() == 32));
        results.into_iter().map(|(made, _)| made).collect()
    });
    assert_eq!(made.iter().filter(|made| **made).count(), 1);
}

#[cfg(unix)]
#[test]
fn what_is_made_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let inner = directory.path().join("a/b");
    private_directory(&inner, Owner::of(directory.path())).unwrap();
    assert_eq!((mode(&inner), mode(&directory.path().join("a"))), (0o700, 0o700));
    let path = inner.join("file");
    std::fs::write(&path, "open to all").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    replace(&path, b"new").unwrap();
    assert_eq!(mode(&path), 0o600, "a mode that was too wide is not taken over");
}

#[cfg(unix)]
#[test]
fn what_root_replaces_stays_whose_it_was() {
    use std::os::unix::fs::{MetadataExt, chown};
    if super::super::our_user().as_deref() != Some("root") {
        return; // Only root can give files away.
    }
    let directory = tempfile::tempdir().unwrap();
    chown(directory.path(), Some(4_000_001), Some(4_000_002)).unwrap();
    let path = directory.path().join("file");
    let owner = || std::fs::metadata(&path).map(|facts| (facts.uid(), facts.gid())).unwrap();
    replace(&path, b"new").unwrap();
    assert_eq!(owner(), (4_000_001, 4_000_002), "a new file is whose the directory is");
    chown(&path, Some(4_000_003), Some(4_000_003)).unwrap();
    replace(&path, b"newer").unwrap();
    assert_eq!(owner(), (4_000_003, 4_000_003));
}
