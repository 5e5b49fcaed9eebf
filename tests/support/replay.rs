//! Goes through the calls of one process and notes down on the [`Disk`] what each did to files and names.
//!
//! A call it does not know the effect of ends the test: nothing is overlooked in silence.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::disk::{Change, Directory, Disk, Entry, Made, NEVER, Naming};
use crate::strace::Call;

/// What a descriptor is open on; copies of a descriptor share it.
pub(crate) enum Open {
    File { file: usize, offset: u64, appends: bool },
    Directory(PathBuf),
}

/// One process at work.
pub(crate) struct Replay<'a> {
    pub disk: &'a mut Disk,
    /// Lines of the processes before it.
    pub base: usize,
    pub open: HashMap<i64, usize>,
    pub opened: Vec<Open>,
}

impl Replay<'_> {
    pub fn follow(&mut self, call: &Call) {
        let failed = call.result.as_deref().is_some_and(|result| result.starts_with('-'));
        if failed {
            return;
        }
        match call.name.as_str() {
            "open" | "openat" | "creat" => self.opens(call),
            "close" => drop(call.descriptor(0).map(|descriptor| self.open.remove(&descriptor))),
            "dup" | "dup2" | "dup3" => self.copies(call),
            "fcntl" if call.arguments.get(1).is_some_and(|what| what.starts_with("F_DUPFD")) => self.copies(call),
            "write" | "writev" => self.writes(call, None),
            "pwrite64" | "pwritev" | "pwritev2" => self.writes(call, call.number(3)),
            "copy_file_range" => self.copies_octets(call),
            "lseek" => self.seeks(call),
            "ftruncate" => self.resizes(call, call.number(1).unwrap_or_default()),
            "fallocate" => self.allocates(call),
            "fsync" | "fdatasync" => self.syncs(call),
            "rename" | "renameat" | "renameat2" => self.renames(call),
            "link" | "linkat" => self.links(call),
            "unlink" | "unlinkat" | "rmdir" => self.unlinks(call),
            "mkdir" | "mkdirat" => self.makes_directory(call),
            // A socket, a lock, or a hint that promises nothing.
            "sendto" | "sendmsg" | "fcntl" | "sync_file_range" => {}
            other => panic!("what {other} does to the disk is not known here: {call:?}"),
        }
    }

    fn opens(&mut self, call: &Call) {
        let (Some(descriptor), Some(path)) = (call.returned(), call.returned_path()) else { return };
        let path = PathBuf::from(path);
        if !path.starts_with(&self.disk.root) {
            self.open.remove(&descriptor);
            return;
        }
        let flags = match call.name.as_str() {
            "creat" => "O_CREAT|O_TRUNC",
            "open" => call.arguments.get(1).map_or("", String::as_str),
            _ => call.arguments.get(2).map_or("", String::as_str),
        };
        let has = |flag: &str| flags.split('|').any(|given| given == flag);
        let open = if has("O_TMPFILE") {
            let Entry::File(file) = self.disk.new_file(Vec::new()) else { unreachable!("a file was asked for") };
            Open::File { file, offset: 0, appends: false }
        } else if self.disk.directories.contains_key(&path) {
            Open::Directory(path)
        } else {
            let Some(file) = self.file(&path, has("O_CREAT"), call) else { return };
            if has("O_TRUNC") {
                self.change(file, Change::Length(0), call);
            }
            Open::File { file, offset: 0, appends: has("O_APPEND") }
        };
        self.opened.push(open);
        self.open.insert(descriptor, self.opened.len() - 1);
    }

    /// The file of this name, made if it may be.
    fn file(&mut self, path: &Path, make: bool, call: &Call) -> Option<usize> {
        let (folder, name) = split(path);
        match self.folder(&folder).now.get(&name) {
            Some(Entry::File(file)) => Some(*file),
            None if make => {
                let entry = self.disk.new_file(Vec::new());
                self.name(&folder, Naming { put: Some((name, entry)), take: None, into: None }, call);
                let Entry::File(file) = entry else { unreachable!("a file was asked for") };
                Some(file)
            }
            // A directory, a socket, or gone again.
            Some(Entry::Directory) | None => None,
        }
    }

    fn copies(&mut self, call: &Call) {
        let (Some(from), Some(to)) = (call.descriptor(0), call.returned()) else { return };
        match self.open.get(&from).copied() {
            Some(open) => drop(self.open.insert(to, open)),
            None => drop(self.open.remove(&to)),
        }
    }

    fn writes(&mut self, call: &Call, at: Option<u64>) {
        let Some(open) = self.state(call, 0) else { return };
        let mut octets = call.octets(1);
        // Cut off inside: all of it may have been written.
        octets.truncate(call.returned().map_or(usize::MAX, |written| usize::try_from(written).unwrap()));
        self.put(open, at, octets, call);
    }

    fn put(&mut self, open: usize, at: Option<u64>, octets: Vec<u8>, call: &Call) {
        let Open::File { file, offset, appends } = &mut self.opened[open] else { panic!("{call:?} on a directory") };
        let start = match at {
            Some(at) => at,
            None if *appends => self.disk.files[*file].length,
            None => *offset,
        };
        if at.is_none() {
            *offset = start + octets.len() as u64;
        }
        let file = *file;
        self.change(file, Change::Write { offset: start, octets }, call);
    }

    fn copies_octets(&mut self, call: &Call) {
        let (Some(from), Some(to)) = (self.state(call, 0), self.state(call, 2)) else { return };
        let count = usize::try_from(call.returned().unwrap_or_default()).unwrap();
        let Open::File { file, offset, .. } = &mut self.opened[from] else { panic!("{call:?} on a directory") };
        assert_eq!((call.arguments[1].as_str(), call.arguments[3].as_str()), ("NULL", "NULL"), "{call:?}");
        let start = usize::try_from(*offset).unwrap();
        *offset += count as u64;
        let octets = self.disk.files[*file].now()[start..start + count].to_vec();
        self.put(to, None, octets, call);
    }

    fn seeks(&mut self, call: &Call) {
        let Some(open) = self.state(call, 0) else { return };
        if let (Open::File { offset, .. }, Some(now)) = (&mut self.opened[open], call.returned()) {
            *offset = now.try_into().expect("an offset is not negative");
        }
    }

    fn resizes(&mut self, call: &Call, length: u64) {
        let Some(open) = self.state(call, 0) else { return };
        let Open::File { file, .. } = self.opened[open] else { panic!("{call:?} on a directory") };
        self.change(file, Change::Length(length), call);
    }

    fn allocates(&mut self, call: &Call) {
        let Some(Open::File { file, .. }) = self.state(call, 0).map(|open| &self.opened[open]) else { return };
        assert_eq!(call.arguments[1], "0", "what this does is not known here: {call:?}");
        let end = call.number(2).unwrap() + call.number(3).unwrap();
        let length = self.disk.files[*file].length.max(end);
        self.resizes(call, length);
    }

    fn syncs(&mut self, call: &Call) {
        // One that was stubbed out, or never returned, has promised nothing.
        let (Some(0), Some(left)) = (call.returned(), call.left) else { return };
        let (entered, left) = (self.base + call.entered, self.base + left);
        let Some(open) = self.state(call, 0) else { return };
        match &self.opened[open] {
            Open::File { file, .. } => {
                self.disk.files[*file].changes.iter_mut().for_each(|made| made.synced(entered, left));
            }
            Open::Directory(path) => {
                let path = path.clone();
                self.folder(&path).changes.iter_mut().for_each(|made| made.synced(entered, left));
            }
        }
    }

    fn renames(&mut self, call: &Call) {
        let (from, to) = if call.name == "rename" {
            (self.path(call, None, 0), self.path(call, None, 1))
        } else {
            (self.path(call, Some(0), 1), self.path(call, Some(2), 3))
        };
        let ((folder, old), (into, new)) = (split(&from), split(&to));
        if !folder.starts_with(&self.disk.root) {
            return;
        }
        // A socket was never seen to be made.
        let Some(entry) = self.folder(&folder).now.get(&old).copied() else { return };
        assert!(matches!(entry, Entry::File(_)), "a directory that is renamed is not modelled: {call:?}");
        if folder == into {
            self.name(&folder, Naming { put: Some((new, entry)), take: Some(old), into: None }, call);
        } else {
            self.name(&into, Naming { put: Some((new, entry)), take: None, into: None }, call);
            self.name(&folder, Naming { put: None, take: Some(old), into: Some(into) }, call);
        }
    }

    fn links(&mut self, call: &Call) {
        let at = call.name == "linkat";
        let old = if at { call.text(1) } else { call.text(0) };
        let new = if at { self.path(call, Some(2), 3) } else { self.path(call, None, 1) };
        if !new.starts_with(&self.disk.root) {
            return;
        }
        let descriptor = match old.strip_prefix("/proc/self/fd/") {
            Some(number) => number.parse().ok(),
            None if old.is_empty() => call.descriptor(0),
            None => None,
        };
        let entry = if let Some(open) = descriptor.and_then(|descriptor| self.open.get(&descriptor)) {
            let Open::File { file, .. } = self.opened[*open] else { panic!("{call:?}") };
            Entry::File(file)
        } else {
            let (folder, name) = split(&if at { self.path(call, Some(0), 1) } else { self.path(call, None, 0) });
            self.folder(&folder).now[&name]
        };
        let (folder, name) = split(&new);
        self.name(&folder, Naming { put: Some((name, entry)), take: None, into: None }, call);
    }

    fn unlinks(&mut self, call: &Call) {
        let path = if call.name == "unlinkat" { self.path(call, Some(0), 1) } else { self.path(call, None, 0) };
        let (folder, name) = split(&path);
        // A socket was never seen to be made.
        if folder.starts_with(&self.disk.root) && self.folder(&folder).now.contains_key(&name) {
            self.name(&folder, Naming { put: None, take: Some(name), into: None }, call);
        }
    }

    fn makes_directory(&mut self, call: &Call) {
        let path = if call.name == "mkdirat" { self.path(call, Some(0), 1) } else { self.path(call, None, 0) };
        if !path.starts_with(&self.disk.root) {
            return;
        }
        let (folder, name) = split(&path);
        self.name(&folder, Naming { put: Some((name, Entry::Directory)), take: None, into: None }, call);
        self.disk.directories.insert(path, Directory::default());
    }

    /// What the descriptor in this place is open on, if it is ours.
    fn state(&self, call: &Call, place: usize) -> Option<usize> {
        self.open.get(&call.descriptor(place)?).copied()
    }

    fn path(&self, call: &Call, directory: Option<usize>, place: usize) -> PathBuf {
        // The program was started in the root.
        let from = directory.and_then(|place| call.opened(place)).map_or_else(|| self.disk.root.clone(), PathBuf::from);
        from.join(call.text(place))
    }

    fn folder(&mut self, path: &Path) -> &mut Directory {
        self.disk.directories.get_mut(path).unwrap_or_else(|| panic!("no directory {}", path.display()))
    }

    fn change(&mut self, file: usize, what: Change, call: &Call) {
        let (made, file) = (self.made(what, call), &mut self.disk.files[file]);
        file.length = match &made.what {
            Change::Length(length) => *length,
            Change::Write { offset, octets } => file.length.max(offset + octets.len() as u64),
        };
        file.changes.push(made);
    }

    fn name(&mut self, folder: &Path, what: Naming, call: &Call) {
        let made = self.made(what, call);
        let folder = self.folder(folder);
        made.what.apply(&mut folder.now);
        folder.changes.push(made);
    }

    fn made<T>(&self, what: T, call: &Call) -> Made<T> {
        let left = call.left.map_or(NEVER, |left| self.base + left);
        Made { what, entered: self.base + call.entered, left, durable: NEVER }
    }
}

fn split(path: &Path) -> (PathBuf, OsString) {
    let name = path.file_name().unwrap_or_else(|| panic!("{} names nothing", path.display()));
    (path.parent().expect("a file has a directory").to_owned(), name.to_owned())
}
