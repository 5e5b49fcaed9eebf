//! A disk that forgets: what of a traced run would be there after a power cut at any line of the trace.
//!
//! Knows each write and each name, and from which line on a sync has made it durable. The most pessimistic disk that
//! POSIX allows: data is kept by a sync of the file alone, a name by a sync of its directory alone. Memory that is
//! mapped is not seen; the database maps only its `-shm`, an index of the log that the first process to open the
//! database makes anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::replay::Replay;
use crate::strace::Call;

/// All that happened below a directory.
#[derive(Debug)]
pub struct Disk {
    pub(crate) root: PathBuf,
    pub(crate) files: Vec<File>,
    pub(crate) directories: BTreeMap<PathBuf, Directory>,
    /// Lines that earlier traces had.
    lines: usize,
}

#[derive(Debug, Default)]
pub(crate) struct File {
    content: Vec<u8>,
    /// As the running system sees it.
    pub length: u64,
    pub changes: Vec<Made<Change>>,
}

#[derive(Debug, Default)]
pub(crate) struct Directory {
    entries: BTreeMap<OsString, Entry>,
    /// As the running system sees it.
    pub now: BTreeMap<OsString, Entry>,
    pub changes: Vec<Made<Naming>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    File(usize),
    Directory,
}

/// Something that was done, and since when it survives.
#[derive(Debug)]
pub(crate) struct Made<T> {
    pub what: T,
    pub entered: usize,
    pub left: usize,
    pub durable: usize,
}

#[derive(Debug)]
pub(crate) enum Change {
    Write { offset: u64, octets: Vec<u8> },
    Length(u64),
}

/// One step of a directory: all of it or nothing.
#[derive(Debug)]
pub(crate) struct Naming {
    pub put: Option<(OsString, Entry)>,
    pub take: Option<OsString>,
    /// What moves to another directory leaves this one only if it has come there: a rename is never half lost.
    pub into: Option<PathBuf>,
}

pub(crate) const NEVER: usize = usize::MAX;

/// What becomes of something that was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Lost,
    /// Of a write, the first half.
    Torn,
    Kept,
}

impl Disk {
    /// Everything below this directory as it is now, and durable.
    pub fn of(root: &Path) -> Self {
        let root = root.canonicalize().unwrap();
        let mut disk = Self { root: root.clone(), files: Vec::new(), directories: BTreeMap::new(), lines: 0 };
        let mut folders = vec![root];
        while let Some(folder) = folders.pop() {
            let mut entries = BTreeMap::new();
            for found in std::fs::read_dir(&folder).unwrap() {
                let path = found.unwrap().path();
                let name = path.file_name().unwrap().to_owned();
                if path.is_dir() {
                    entries.insert(name, Entry::Directory);
                    folders.push(path);
                } else if path.is_file() {
                    entries.insert(name, disk.new_file(std::fs::read(&path).unwrap()));
                }
            }
            disk.directories.insert(folder, Directory { now: entries.clone(), entries, changes: Vec::new() });
        }
        disk
    }

    pub(crate) fn new_file(&mut self, content: Vec<u8>) -> Entry {
        self.files.push(File { length: content.len() as u64, content, changes: Vec::new() });
        Entry::File(self.files.len() - 1)
    }

    /// How many lines there are; a cut is a number up to this and leaves what was entered before.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// The lines at which something became durable.
    pub fn turning_points(&self) -> BTreeSet<usize> {
        let files = self.files.iter().flat_map(|file| file.changes.iter().map(|made| made.durable));
        let names = self.directories.values().flat_map(|folder| folder.changes.iter().map(|made| made.durable));
        files.chain(names).filter(|line| *line != NEVER).collect()
    }

    /// The lines at which this file was changed, each with the one at which that became durable; only what did.
    pub fn made_durable(&self, path: &Path) -> Vec<(usize, usize)> {
        let changes = self.file(path).map_or(&[][..], |file| &self.files[file].changes);
        let durable = changes.iter().filter(|made| made.durable != NEVER);
        durable.map(|made| (made.entered, made.durable)).collect()
    }

    /// As if no sync had ever reached this file.
    pub fn forget_syncs_of(&mut self, path: &Path) {
        if let Some(file) = self.file(path) {
            self.files[file].changes.iter_mut().for_each(|made| made.durable = NEVER);
        }
    }

    /// The file that has this name below the root.
    fn file(&self, path: &Path) -> Option<usize> {
        let path = self.root.join(path);
        match self.directories.get(path.parent()?)?.now.get(path.file_name()?)? {
            Entry::File(file) => Some(*file),
            Entry::Directory => None,
        }
    }

    /// The lines of what a cut there may lose.
    pub fn unsynced(&self, cut: usize) -> BTreeSet<usize> {
        let files =
            self.files.iter().flat_map(|file| file.changes.iter().filter(|made| made.is_open(cut)).map(Made::line));
        let folders = self.directories.values();
        let names = folders.flat_map(|folder| folder.changes.iter().filter(|made| made.is_open(cut)).map(Made::line));
        files.chain(names).collect()
    }

    /// Goes on with what another process did after those before it.
    pub fn replay(&mut self, calls: &[Call]) {
        let mut replay = Replay { base: self.lines, disk: self, open: HashMap::new(), opened: Vec::new() };
        // A descriptor is there from the end of the call that made it.
        let mut ordered: Vec<&Call> = calls.iter().collect();
        ordered.sort_by_key(|call| if makes_descriptor(call) { call.left.unwrap_or(NEVER) } else { call.entered });
        for call in ordered {
            replay.follow(call);
        }
        let last = calls.iter().map(|call| call.left.unwrap_or(call.entered) + 1).max();
        self.lines += last.unwrap_or_default();
    }

    /// Writes what is left after a cut there; `fate` decides about what was not synced, by its line.
    pub fn rebuild(&self, cut: usize, into: &Path, fate: &dyn Fn(usize) -> Fate) {
        self.rebuild_folder(&self.root, cut, into, fate);
    }

    /// Fails unless the files below the root are what the trace says: then nothing was overlooked. But for `-shm`.
    pub fn assert_complete(&self) {
        let place = tempfile::tempdir().unwrap();
        self.rebuild(self.lines, place.path(), &|_| Fate::Kept);
        let (real, made) = (contents(&self.root), contents(place.path()));
        let names = |all: &BTreeMap<PathBuf, Vec<u8>>| all.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&real), names(&made), "files that are there, and those the trace knows");
        for (name, octets) in &real {
            assert!(made[name] == *octets, "{}: somebody wrote and was not seen", name.display());
        }
    }

    fn rebuild_folder(&self, folder: &Path, cut: usize, into: &Path, fate: &dyn Fn(usize) -> Fate) {
        std::fs::create_dir_all(into).unwrap();
        std::fs::set_permissions(into, std::fs::Permissions::from_mode(0o700)).unwrap();
        let directory = &self.directories[folder];
        let mut entries = directory.entries.clone();
        for made in directory.changes.iter().filter(|made| made.survives(cut, fate)) {
            let come = |into: &PathBuf| {
                let there = &self.directories[into].changes;
                there.iter().any(|put| put.entered == made.entered && put.survives(cut, fate))
            };
            if made.what.into.as_ref().is_none_or(come) {
                made.what.apply(&mut entries);
            }
        }
        for (name, entry) in entries {
            match entry {
                Entry::Directory => self.rebuild_folder(&folder.join(&name), cut, &into.join(&name), fate),
                Entry::File(file) => {
                    let path = into.join(&name);
                    std::fs::write(&path, self.files[file].after(cut, fate)).unwrap();
                    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
                }
            }
        }
    }
}

impl<T> Made<T> {
    fn is_open(&self, cut: usize) -> bool {
        self.entered < cut && self.durable >= cut
    }

    /// Whether a cut there leaves it.
    fn survives(&self, cut: usize, fate: &dyn Fn(usize) -> Fate) -> bool {
        self.entered < cut && (self.durable < cut || fate(self.entered) != Fate::Lost)
    }

    fn line(&self) -> usize {
        self.entered
    }

    /// A sync that began when this was done makes it durable.
    pub fn synced(&mut self, entered: usize, left: usize) {
        if self.left < entered {
            self.durable = self.durable.min(left);
        }
    }
}

impl File {
    /// As the running system sees it.
    pub fn now(&self) -> Vec<u8> {
        self.after(NEVER, &|_| Fate::Kept)
    }

    fn after(&self, cut: usize, fate: &dyn Fn(usize) -> Fate) -> Vec<u8> {
        let mut content = self.content.clone();
        for made in self.changes.iter().filter(|made| made.entered < cut) {
            let fate = if made.durable < cut { Fate::Kept } else { fate(made.entered) };
            match (&made.what, fate) {
                (_, Fate::Lost) | (Change::Length(_), Fate::Torn) => {}
                (Change::Length(length), Fate::Kept) => content.resize(usize::try_from(*length).unwrap(), 0),
                (Change::Write { offset, octets }, fate) => {
                    let octets = if fate == Fate::Torn { &octets[..octets.len() / 2] } else { octets };
                    let offset = usize::try_from(*offset).unwrap();
                    content.resize(content.len().max(offset + octets.len()), 0);
                    content[offset..offset + octets.len()].copy_from_slice(octets);
                }
            }
        }
        content
    }
}

impl Naming {
    pub fn apply(&self, entries: &mut BTreeMap<OsString, Entry>) {
        if let Some(taken) = &self.take {
            entries.remove(taken);
        }
        if let Some((name, entry)) = &self.put {
            entries.insert(name.clone(), *entry);
        }
    }
}

fn makes_descriptor(call: &Call) -> bool {
    matches!(call.name.as_str(), "open" | "openat" | "creat" | "dup" | "dup2" | "dup3" | "fcntl")
}

/// The files below this directory.
fn contents(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() && !path.to_string_lossy().ends_with("-shm") {
                files.insert(path.strip_prefix(root).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// `name=content` of each file, `name/` of each directory.
#[cfg(test)]
fn listed(folder: &Path, before: &str) -> String {
    let mut all: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{before}{}", path.file_name().unwrap().to_str().unwrap());
        all.push(if path.is_dir() {
            format!("{name}/ {}", listed(&path, &format!("{name}/"))).trim_end().to_owned()
        } else {
            format!("{name}={}", std::fs::read_to_string(&path).unwrap())
        });
    }
    all.sort();
    all.join(" ")
}

#[test]
fn only_what_was_synced_survives() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().canonicalize().unwrap();
    std::fs::write(root.join("old"), b"old").unwrap();
    let mut disk = Disk::of(&root);
    let lines = r#"
1 1.0 openat(AT_FDCWD</>, "%/a", O_RDWR|O_CREAT, 0600) = 3<%/a>
1 1.0 pwrite64(3<%/a>, "1234", 4, 0) = 4
1 1.0 pwrite64(3<%/a>, "5678", 4, 4 <unfinished ...>
2 1.0 fdatasync(3<%/a> <unfinished ...>
1 1.0 <... pwrite64 resumed>) = 4
2 1.0 <... fdatasync resumed>) = 0
1 1.0 openat(AT_FDCWD</>, "%", O_RDONLY|O_DIRECTORY) = 4<%>
1 1.0 fsync(4<%>) = 0
1 1.0 rename("%/a", "%/b") = 0
1 1.0 unlink("%/old") = 0
1 1.0 openat(AT_FDCWD</>, "%", O_RDWR|O_TMPFILE, 0600) = 5<%/#7>(deleted)
1 1.0 write(5<%/#7>(deleted), "x", 1) = 1
1 1.0 linkat(AT_FDCWD</>, "/proc/self/fd/5", AT_FDCWD</>, "%/c", AT_SYMLINK_FOLLOW) = 0
1 1.0 fsync(5<%/c>) = 0 (INJECTED)
1 1.0 fsync(4<%>) = 0
1 1.0 mkdir("%/d", 0700) = 0
1 1.0 rename("%/b", "%/d/e") = 0
1 1.0 openat(AT_FDCWD</>, "%/d", O_RDONLY|O_DIRECTORY) = 6<%/d>
1 1.0 fsync(4<%>) = 0
1 1.0 fsync(6<%/d>) = 0"#;
    let calls = crate::strace::calls(&lines.trim_start().replace('%', root.to_str().unwrap()));
    disk.replay(&calls);
    let found = |cut: usize, fate: &dyn Fn(usize) -> Fate| {
        let place = tempfile::tempdir().unwrap();
        disk.rebuild(cut, place.path(), fate);
        listed(place.path(), "")
    };
    let (lost, kept) = (|_: usize| Fate::Lost, |_: usize| Fate::Kept);
    assert_eq!(found(6, &lost), "old=old", "data is there, its name is not");
    assert_eq!(found(8, &lost), "a=1234 old=old", "a sync does not cover what was under way when it began");
    let named = |line: usize| if line == 0 { Fate::Kept } else { Fate::Lost };
    assert_eq!(found(5, &named), "a= old=old", "a sync that has not returned has done nothing");
    assert_eq!(found(6, &named), "a=1234 old=old");
    assert_eq!(found(8, &kept), "a=12345678 old=old");
    assert_eq!(found(8, &|_| Fate::Torn), "a=123456 old=old");
    assert_eq!(found(14, &lost), "a=1234 old=old", "renamed, removed and linked, and no sync of the directory");
    assert_eq!(found(15, &lost), "b=1234 c=", "a name without the octets behind it");
    assert_eq!(found(15, &kept), "b=12345678 c=x");
    assert_eq!(found(19, &lost), "b=1234 c= d/", "it has not left before it has come");
    assert_eq!(found(20, &lost), "c= d/ d/e=1234");
}
