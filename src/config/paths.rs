//! Where the configuration file is looked for, and where data lies when nobody said.
//!
//! Only looks whether files are there. Reads no environment itself: it is given as a map.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Sources;
use super::finding::Complaint;
use crate::store::file::KeySource;

/// Tried in this order when neither `--config` nor `$POSTHOUSE_CONFIG` is given.
const USUAL: [&str; 2] = ["posthouse.toml", "/etc/posthouse/posthouse.toml"];

/// The file to read; `None` if none was asked for and none is in the usual places.
///
/// # Errors
/// When a file was asked for by name and is not there.
pub(super) fn find(sources: &Sources, is_there: impl Fn(&Path) -> bool) -> Result<Option<PathBuf>, Complaint> {
    let variable = sources.environment.get("POSTHOUSE_CONFIG").filter(|path| !path.is_empty()).map(Path::new);
    let flag = sources.path.as_deref();
    let asked_for = flag.map(|path| (path, "--config")).or(variable.map(|path| (path, "$POSTHOUSE_CONFIG")));
    match asked_for {
        Some((path, _)) if is_there(path) => Ok(Some(path.into())),
        Some((path, by)) => {
            let missing = format!("the configuration file {} named by {by} is not there", path.display());
            Err(Complaint::new(missing)
                .hint("write the path of a file that is, or leave it out to look in the usual places"))
        }
        None => Ok(USUAL.iter().map(PathBuf::from).find(|path| is_there(path))),
    }
}

/// Where a file was looked for when none was found.
pub(super) fn looked_for() -> String {
    let [here, system] = USUAL;
    let directory = std::path::absolute(here).ok().and_then(|path| Some(path.parent()?.display().to_string()));
    let directory = directory.map(|directory| format!(" (in {directory})")).unwrap_or_default();
    format!("no configuration file found; looked for ./{here}{directory} and {system}")
}

/// The directory for what must survive a restart, and for spool files: what systemd gives a service,
/// `/var/lib/posthouse` for root and for users without a home, else the place XDG names for a user's data.
pub(super) fn storage(environment: &BTreeMap<String, String>) -> PathBuf {
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

/// Where the key of the vault comes from: a credential of systemd; else a file that is made at the first start, where
/// configuration lies and not data, so that a copy of the one is not a copy of the other.
pub(super) fn vault_key(environment: &BTreeMap<String, String>) -> KeySource {
    let given = |name: &str| environment.get(name).map(String::as_str).filter(|value| value.starts_with('/'));
    // The process is asked for the directory only; whether the credential is in it, the vault will see.
    if let Some(file) = given("CREDENTIALS_DIRECTORY").map(|directory| Path::new(directory).join(CREDENTIAL))
        && file.exists()
    {
        return KeySource::File(file);
    }
    let directory = match (given("CONFIGURATION_DIRECTORY"), given("XDG_CONFIG_HOME"), given("HOME")) {
        (Some(directories), _, _) => directories.split(':').next().unwrap_or(directories).into(),
        (None, _, None | Some("/" | "/root" | "/nonexistent")) => PathBuf::from("/etc/posthouse"),
        (None, Some(config), _) => Path::new(config).join("posthouse"),
        (None, None, Some(home)) => Path::new(home).join(".config/posthouse"),
    };
    KeySource::Made(directory.join("vault.key"))
}

/// `LoadCredential=` of a systemd unit, by this name.
const CREDENTIAL: &str = "posthouse-vault-key";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_that_holds_a_file_is_taken() {
        let mut sources = Sources {
            path: Some("flag.toml".into()),
            environment: BTreeMap::from([("POSTHOUSE_CONFIG".to_owned(), "variable.toml".to_owned())]),
            overrides: Vec::new(),
        };
        let found =
            |sources: &Sources, there: &[&str]| find(sources, |path| there.iter().any(|t| Path::new(t) == path));
        let all = ["flag.toml", "variable.toml", USUAL[0], USUAL[1]];
        assert_eq!(found(&sources, &all), Ok(Some("flag.toml".into())));
        assert!(found(&sources, &all[1..]).is_err(), "a file that was asked for is not replaced by another");
        sources.path = None;
        assert_eq!(found(&sources, &all), Ok(Some("variable.toml".into())));
        assert!(found(&sources, &all[2..]).is_err());
        sources.environment.clear();
        assert_eq!(found(&sources, &all), Ok(Some("posthouse.toml".into())));
        assert_eq!(found(&sources, &all[3..]), Ok(Some("/etc/posthouse/posthouse.toml".into())));
        assert_eq!(found(&sources, &[]), Ok(None));
    }

    #[test]
    fn data_lies_where_the_field_expects_it() {
        let at = |pairs: &[(&str, &str)]| {
            let map = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            storage(&map).display().to_string()
        };
        assert_eq!(at(&[]), "/var/lib/posthouse");
        assert_eq!(at(&[("HOME", "/root"), ("XDG_DATA_HOME", "/root/.local/share")]), "/var/lib/posthouse");
        assert_eq!(at(&[("HOME", "/home/a")]), "/home/a/.local/share/posthouse");
        assert_eq!(at(&[("HOME", "/home/a"), ("XDG_DATA_HOME", "/data/a")]), "/data/a/posthouse");
        assert_eq!(at(&[("HOME", "/home/a"), ("STATE_DIRECTORY", "/var/lib/x:/var/lib/y")]), "/var/lib/x");
    }

    #[test]
    fn the_key_lies_where_configuration_does_unless_systemd_hands_it_over() {
        let credentials = tempfile::tempdir().unwrap();
        let at = |pairs: &[(&str, &str)]| {
            let map = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            match vault_key(&map) {
                KeySource::Made(path) => format!("made: {}", path.display()),
                KeySource::File(path) => format!("given: {}", path.display()),
                KeySource::Given(_) => "nobody gave it".to_owned(),
            }
        };
        assert_eq!(at(&[]), "made: /etc/posthouse/vault.key");
        assert_eq!(at(&[("HOME", "/root"), ("XDG_CONFIG_HOME", "/root/x")]), "made: /etc/posthouse/vault.key");
        assert_eq!(at(&[("HOME", "/home/a")]), "made: /home/a/.config/posthouse/vault.key");
        assert_eq!(at(&[("HOME", "/home/a"), ("XDG_CONFIG_HOME", "/x")]), "made: /x/posthouse/vault.key");
        let service = [("HOME", "/"), ("CONFIGURATION_DIRECTORY", "/etc/a:/etc/b")];
        assert_eq!(at(&service), "made: /etc/a/vault.key");
        let handed_over = [service[0], service[1], ("CREDENTIALS_DIRECTORY", credentials.path().to_str().unwrap())];
        assert_eq!(at(&handed_over), "made: /etc/a/vault.key", "there are credentials, and none is ours");
        let file = credentials.path().join("posthouse-vault-key");
        std::fs::write(&file, "").unwrap();
        assert_eq!(at(&handed_over), format!("given: {}", file.display()));
    }
}
