//! What is risky about where the relay runs: as root among other people's files, with secrets in a container's
//! environment.
//!
//! Judges facts it is given, so that a test can be any machine; [`Machine::here`] looks at this one.

use std::path::Path;

use crate::config::{Config, Finding, Place, Severity, Sources};
use crate::disk;

/// What there is to know.
pub(super) struct Machine {
    /// Whether the process may do everything.
    pub(super) root: bool,
    /// Whether it runs in a container.
    pub(super) container: bool,
}

impl Machine {
    pub(super) fn here() -> Self {
        // What Docker and Podman leave behind for this very question.
        let container = ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists());
        Self { root: disk::our_user().as_deref() == Some("root"), container }
    }
}

/// Directories everybody may write to.
const SHARED: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// A spool directory where others may put files and links before us.
pub(super) fn shared_spool(config: &Config, machine: &Machine) -> Option<Finding> {
    let directory = &config.storage.directory;
    let shared = SHARED.iter().any(|shared| directory.starts_with(shared));
    (machine.root && shared).then(|| Finding {
        severity: Severity::Warning,
        place: Place::Nowhere,
        key: "storage.directory".into(),
        message: format!(
            "as root, mail passes through {}, where every user of this machine may make files and links",
            directory.display()
        ),
        hint: Some("run as a user of its own; or write directory = \"/var/lib/posthouse\" under [storage]".into()),
    })
}

/// A note on secrets that the environment shows to whoever may inspect the container.
pub(super) fn secrets_in_environment(sources: &Sources, machine: &Machine) -> Option<String> {
    let is_secret = |name: &&String| {
        name.starts_with("POSTHOUSE__") && (name.ends_with("PASSWORD") || name.ends_with("CLIENT_SECRET"))
    };
    let names: Vec<&str> = sources.environment.keys().filter(is_secret).map(String::as_str).collect();
    let first = names.first().filter(|_| machine.container)?;
    Some(format!(
        "{} can be read by whoever may inspect this container; to keep it out of the environment mount the secret as a \
         file and write {first}_FILE=/run/secrets/NAME",
        names.join(" and ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn sources(variables: &[(&str, &str)]) -> (tempfile::NamedTempFile, Sources) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let environment = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let sources = Sources { path: Some(file.path().into()), environment, overrides: Vec::new() };
        (file, sources)
    }

    #[test]
    fn root_in_a_directory_of_everybody_is_a_risk_and_others_there_are_not() {
        let spool = |directory: &str, root| {
            let account = ("POSTHOUSE__ACCOUNTS__A__HOST", "mail.example.com");
            let (_file, sources) = sources(&[account, ("POSTHOUSE__STORAGE__DIRECTORY", directory)]);
            let config = config::load(&sources).unwrap().config;
            shared_spool(&config, &Machine { root, container: false })
        };
        let finding = spool("/tmp/posthouse", true).unwrap();
        assert!(finding.message.contains("/tmp/posthouse") && finding.hint.is_some(), "{finding:?}");
        assert!(spool("/tmp/posthouse", false).is_none());
        assert!(spool("/var/lib/posthouse", true).is_none());
        assert!(spool("/tmpfs", true).is_none());
    }

    #[test]
    fn a_secret_in_the_environment_is_noted_in_a_container() {
        let variables = [("POSTHOUSE__ACCOUNTS__A__PASSWORD", "correct-horse"), ("POSTHOUSE__ACCOUNTS__A__PORT", "25")];
        let note = |variables: &[(&str, &str)], container| {
            secrets_in_environment(&sources(variables).1, &Machine { root: false, container })
        };
        let said = note(&variables, true).unwrap();
        assert!(said.starts_with("POSTHOUSE__ACCOUNTS__A__PASSWORD can be read"), "{said}");
        assert!(said.ends_with("POSTHOUSE__ACCOUNTS__A__PASSWORD_FILE=/run/secrets/NAME"), "{said}");
        assert!(!said.contains("correct-horse"), "{said}");
        assert_eq!(note(&variables, false), None);
        assert_eq!(note(&[("POSTHOUSE__ACCOUNTS__A__PASSWORD_FILE", "/run/secrets/a")], true), None);
    }
}
