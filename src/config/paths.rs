//! Where the configuration file is looked for, and where data lies when nobody said.
//!
//! Only looks whether files are there. Reads no environment itself: it is given as a map.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Sources;
use super::finding::Complaint;

/// Tried in this order when neither `--config` nor `$POSTHOUSE_CONFIG` is given.
pub(super) const USUAL: [&str; 2] = ["posthouse.toml", "/etc/posthouse/posthouse.toml"];

/// The file to read; `None` if none was asked for and none is in the usual places.
///
/// # Errors
/// When a file was asked for by name and is not there.
pub(super) fn find(sources: &Sources) -> Result<Option<PathBuf>, Complaint> {
    let variable = sources.environment.get("POSTHOUSE_CONFIG").filter(|path| !path.is_empty());
    if let Some(path) = &sources.path {
        return asked_for(path, "--config");
    }
    if let Some(path) = variable {
        return asked_for(Path::new(path), "$POSTHOUSE_CONFIG");
    }
    Ok(USUAL.iter().map(PathBuf::from).find(|path| path.exists()))
}

fn asked_for(path: &Path, by: &str) -> Result<Option<PathBuf>, Complaint> {
    if path.exists() {
        return Ok(Some(path.into()));
    }
    let missing = format!("the configuration file {} named by {by} is not there", path.display());
    Err(Complaint::new(missing).hint("`posthouse check --config FILE` tells what it thinks of a file"))
}

/// The directory for spool files: what systemd gives a service, `/var/lib/posthouse` for root and for users without a
/// home, else the place XDG names for a user's data.
pub(super) fn spool(environment: &BTreeMap<String, String>) -> PathBuf {
    let given = |name: &str| environment.get(name).map(String::as_str).filter(|value| value.starts_with('/'));
    if let Some(directories) = given("STATE_DIRECTORY") {
        // Several are separated by colons (systemd.exec); the first is ours.
        return directories.split(':').next().unwrap_or(directories).into();
    }
    match (given("XDG_DATA_HOME"), given("HOME")) {
        (_, None | Some("/" | "/root" | "/nonexistent")) => "/var/lib/posthouse".into(),
        (Some(data), _) => Path::new(data).join("posthouse"),
        (None, Some(home)) => Path::new(home).join(".local/share/posthouse"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_lies_where_the_field_expects_it() {
        let at = |pairs: &[(&str, &str)]| {
            let map = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            spool(&map).display().to_string()
        };
        assert_eq!(at(&[]), "/var/lib/posthouse");
        assert_eq!(at(&[("HOME", "/root"), ("XDG_DATA_HOME", "/root/.local/share")]), "/var/lib/posthouse");
        assert_eq!(at(&[("HOME", "/home/a")]), "/home/a/.local/share/posthouse");
        assert_eq!(at(&[("HOME", "/home/a"), ("XDG_DATA_HOME", "/data/a")]), "/data/a/posthouse");
        assert_eq!(at(&[("HOME", "/home/a"), ("STATE_DIRECTORY", "/var/lib/x:/var/lib/y")]), "/var/lib/x");
    }
}
