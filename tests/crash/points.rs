//! The fail points there are, and how often each was passed.
//!
//! The names are read out of the sources, so that none can be forgotten here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every name that the program passes to `failpoint::hit`. Each must stand at one place only.
pub fn names() -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "failpoint.rs") {
                names.extend(named_in(&path));
            }
        }
    }
    names.sort();
    for pair in names.windows(2) {
        assert_ne!(pair[0], pair[1], "two places of one name: nobody can say which of them was passed");
    }
    names
}

fn named_in(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let calls = text.split("failpoint::hit(").skip(1);
    calls
        .map(|rest| {
            let name = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
            name.unwrap_or_else(|| panic!("{}: the name of a fail point is a literal", path.display())).to_owned()
        })
        .collect()
}

/// How often each was passed, by the file they write.
pub fn hits(names: &[String], log: &Path) -> BTreeMap<String, u64> {
    let mut hits: BTreeMap<String, u64> = names.iter().map(|name| (name.clone(), 0)).collect();
    // Nothing is written before the first point is passed.
    for name in std::fs::read_to_string(log).unwrap_or_default().lines() {
        *hits.get_mut(name).unwrap_or_else(|| panic!("{name} stands nowhere in the sources")) += 1;
    }
    hits
}
