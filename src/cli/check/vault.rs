//! What is risky about where sign-ins are kept: a key that is copied, or stolen, together with what it seals; a vault
//! that does not open.
//!
//! Concerns only configurations with an account whose sign-in is kept. Looks, and makes nothing.

use std::path::Path;

use crate::config::{Config, Finding, Place, Severity};
use crate::disk;
use crate::store::file::{FileVault, KeyState};

/// All that is risky about vault and key on this machine.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    if !config.accounts.iter().any(|account| account.credential.is_kept()) {
        return Vec::new();
    }
    together(config, disk::same_volume).into_iter().chain(unusable(config)).collect()
}

/// A key beside its vault protects it from nobody who copies both.
fn together(config: &Config, same_volume: impl Fn(&Path, &Path) -> Option<bool>) -> Option<Finding> {
    let (key, directory) = (config.storage.key.path()?, &config.storage.directory);
    if inside(key, directory) {
        return Some(warning(
            format!(
                "the key of the vault, {}, lies in storage.directory: whoever copies, backs up or steals {} has the \
                 sign-ins and the key to them",
                key.display(),
                directory.display()
            ),
            "move the file to another directory, better to another volume, and name it with key_file under [storage]",
        ));
    }
    let together = same_volume(key, directory) == Some(true);
    together.then(|| {
        warning(
            format!(
                "the key of the vault, {}, lies on the same volume as storage.directory: a backup or a copy of the whole \
                 volume holds the sign-ins and the key to them",
                key.display()
            ),
            "leave one of the two out of backups; or keep the key elsewhere: LoadCredential=posthouse-vault-key:FILE in \
             the systemd unit, a secret mounted into the container, or another volume, with key_file under [storage]",
        )
    })
}

/// Whether the key is in the directory, seen through links as far as the two are there.
fn inside(key: &Path, directory: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.into());
    let parent = key.parent().unwrap_or(key);
    real(parent).starts_with(real(directory)) || real(key).starts_with(real(directory))
}

/// The relay starts all the same, and holds the accounts.
fn unusable(config: &Config) -> Vec<Finding> {
    let survey = match FileVault::new(config.storage.clone()).survey() {
        Ok(survey) => survey,
        Err(error) => return vec![warning(error.to_string(), STATUS)],
    };
    if let KeyState::Unusable(error) = survey.keys {
        let key = if config.storage.key.path().is_some() { KEY_FILE } else { "storage" };
        return vec![Finding { key: key.into(), ..warning(error.to_string(), STATUS) }];
    }
    let of_config = |name| config.accounts.iter().any(|account| account.name == name);
    let kept = survey.accounts.into_iter().filter(|kept| of_config(kept.account.clone()));
    kept.filter_map(|kept| kept.problem).map(|problem| warning(problem.to_string(), STATUS)).collect()
}

/// Where the configuration itself may have been told of the same fault.
pub(super) const KEY_FILE: &str = "storage.key_file";

const STATUS: &str = "`posthouse vault` shows what is kept and whether it opens";

fn warning(message: String, hint: &str) -> Finding {
    let (severity, place, key) = (Severity::Warning, Place::Nowhere, "storage".into());
    Finding { severity, place, key, message, hint: Some(hint.into()) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::account::Source;
    use crate::account::oauth::Grant;
    use crate::account::tests::application;
    use crate::account::vault::tests::conformance::{put, record};
    use crate::account::vault::{Expected, Holder};
    use crate::config::{self, Sources};
    use crate::secret::Secret;
    use crate::store::file::{KeySource, Settings};

    const ENDPOINT: &str = "https://login.example.com/token";

    /// An account that keeps its sign-in, or one that does not; the vault in `data`.
    fn config(root: &Path, key: KeySource, kept: bool) -> Config {
        let file = root.join("posthouse.toml");
        std::fs::write(&file, "[accounts.office]\nhost = \"mail.example.com\"\nmechanism = \"none\"\n").unwrap();
        let mut config = config::load(&Sources { path: Some(file), ..Sources::default() }).unwrap().config;
        config.storage = Settings { directory: root.join("data"), key };
        let application = application(ENDPOINT);
        let its_own = || Source::from(Grant::ClientCredentials { application });
        config.accounts[0].credential = if kept { kept_sign_in() } else { its_own() };
        config
    }

    pub(in crate::cli::check) fn kept_sign_in() -> Source {
        Source::from(Grant::DeviceCode { application: application(ENDPOINT) })
    }

    #[test]
    fn a_key_on_the_vaults_volume_is_a_risk_and_one_elsewhere_is_not() {
        let root = tempfile::tempdir().unwrap();
        let beside = |volume| {
            let config = config(root.path(), KeySource::Made(root.path().join("key/vault.key")), true);
            together(&config, |_, _| volume)
        };
        let finding = beside(Some(true)).unwrap();
        assert!(finding.message.contains("on the same volume") && finding.hint.is_some(), "{finding:?}");
        assert_eq!((beside(Some(false)), beside(None)), (None, None));
        let given = config(root.path(), KeySource::Given(Secret::new("11".repeat(32))), true);
        assert_eq!(together(&given, |_, _| Some(true)), None);
    }

    #[test]
    fn a_key_in_the_storage_directory_is_a_risk_however_it_is_written() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("data")).unwrap();
        let said = |key: &str| {
            let config = config(root.path(), KeySource::File(root.path().join(key)), true);
            together(&config, |_, _| Some(false)).map(|finding| finding.message)
        };
        assert!(said("data/vault.key").unwrap().contains("lies in storage.directory"));
        assert!(said("data/deeper/vault.key").is_some());
        assert_eq!((said("database/vault.key"), said("vault.key")), (None, None));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(root.path().join("data"), root.path().join("link")).unwrap();
            assert!(said("link/vault.key").is_some());
        }
    }

    #[test]
    fn where_no_sign_in_is_kept_there_is_nothing_to_warn_of() {
        let root = tempfile::tempdir().unwrap();
        let key = || KeySource::Made(root.path().join("data/vault.key"));
        assert!(look(&config(root.path(), key(), false)).is_empty());
        assert_eq!(look(&config(root.path(), key(), true)).len(), 1);
    }

    #[test]
    fn a_vault_that_does_not_open_is_told_before_mail_waits_for_it() {
        let root = tempfile::tempdir().unwrap();
        let key = root.path().join("key/vault.key");
        let config = config(root.path(), KeySource::Made(key.clone()), true);
        assert!(unusable(&config).is_empty(), "nothing is kept yet");
        let vault = FileVault::new(config.storage.clone());
        for account in ["office", "former"] {
            put(&vault, account, &record("r", "a"), Expected::Any, &Holder::new(false));
        }
        assert!(unusable(&config).is_empty());
        std::fs::write(&key, format!("{}\n", "11".repeat(32))).unwrap();
        let said: Vec<String> = unusable(&config).into_iter().map(|finding| finding.message).collect();
        assert!(said.len() == 1 && said[0].contains("account office"), "the account of nobody is not told: {said:?}");
        std::fs::remove_file(&key).unwrap();
        assert!(unusable(&config)[0].message.contains("is not there"));
        std::fs::write(vault.path(), "{").unwrap();
        assert!(unusable(&config)[0].message.contains("is damaged"));
    }
}
