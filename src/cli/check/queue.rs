//! Where the queue lies, how much of it there may be, and what is risky about the place.
//!
//! Concerns only configurations with a queue. Looks, and makes nothing; what cannot be known is not said.

use std::path::Path;

use crate::config::{Config, Finding, Place, Severity};
use crate::disk::FreeSpace;
use crate::disk::volume::Volume;
use crate::queue::Settings;

/// Directories that are emptied by the system, at a restart or before.
const PASSING: [&str; 4] = ["/tmp", "/var/tmp", "/dev/shm", "/run"];

/// A note on the place, and what is risky about it.
pub(super) fn look(config: &Config) -> (Option<String>, Vec<Finding>) {
    let directory = &config.storage.directory;
    let there = directory.ancestors().find(|above| above.is_dir());
    let free = there.and_then(|there| FreeSpace::on(there).octets());
    judge(config, Volume::of(directory), free)
}

/// `free`: octets, if that is known.
fn judge(config: &Config, volume: Volume, free: Option<u64>) -> (Option<String>, Vec<Finding>) {
    let Settings::Durable(keeping) = &config.queue else { return (None, Vec::new()) };
    let directory = &config.storage.directory;
    let left = free.map(|free| format!("; {} are free there", size(free))).unwrap_or_default();
    let note = format!(
        "the queue lies in {} and takes up to {} messages and {}{left}",
        directory.display(),
        keeping.max_messages,
        size(keeping.max_size)
    );
    let passing = PASSING.iter().any(|passing| directory.starts_with(passing));
    let short = free.is_some_and(|free| free < keeping.max_size);
    let findings = [
        on_volume(directory, volume, passing),
        short.then(|| {
            let message =
                format!("the queue may grow to {}, and the volume has less room than that", size(keeping.max_size));
            let hint = "mail is refused (452) in time when the volume is nearly full; write a smaller max_size under \
                        [storage] to leave room for others";
            warning("storage.max_size", message, hint)
        }),
    ];
    (Some(note), findings.into_iter().flatten().collect())
}

fn on_volume(directory: &Path, volume: Volume, passing: bool) -> Option<Finding> {
    let directory = directory.display();
    let (message, hint) = match volume {
        Volume::Network => (
            format!("{directory} lies on another machine: a lock or a sync may mean nothing there, and mail be lost"),
            "write a directory on a disk of this machine under [storage]",
        ),
        Volume::Memory => (
            format!("{directory} lies in memory: what is queued is lost when the machine stops"),
            "write a directory on a disk under [storage], /var/lib/posthouse for a service",
        ),
        Volume::Layer => (
            format!("{directory} lies in the container itself: what is queued is lost with the container"),
            "mount a volume there: docker run -v posthouse:/var/lib/posthouse …",
        ),
        Volume::Disk if passing => (
            format!("{directory} is a place the system empties: what is queued may be lost"),
            "write a directory of its own under [storage], /var/lib/posthouse for a service",
        ),
        Volume::Disk => return None,
    };
    Some(warning("storage.directory", message, hint))
}

fn warning(key: &str, message: String, hint: &str) -> Finding {
    let (severity, place) = (Severity::Warning, Place::Nowhere);
    Finding { severity, place, key: key.into(), message, hint: Some(hint.into()) }
}

fn size(octets: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB")];
    let unit = units.into_iter().find(|(unit, _)| octets >= *unit);
    unit.map_or_else(|| format!("{octets} octets"), |(unit, name)| format!("{} {name}", octets / unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Sources};

    fn config(queue: &str, directory: &str) -> Config {
        let file = tempfile::NamedTempFile::new().unwrap();
        let variables = [
            ("POSTHOUSE__ACCOUNTS__A__HOST", "mail.example.com"),
            ("POSTHOUSE__DELIVERY__QUEUE", queue),
            ("POSTHOUSE__STORAGE__DIRECTORY", directory),
        ];
        let environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        config::load(&Sources { path: Some(file.path().into()), environment, overrides: Vec::new() }).unwrap().config
    }

    #[test]
    fn the_place_is_said_with_its_caps_and_its_room() {
        let (note, findings) = judge(&config("true", "/var/lib/posthouse"), Volume::Disk, Some(64 << 30));
        let expected = "the queue lies in /var/lib/posthouse and takes up to 100000 messages and 10 GiB; 64 GiB are \
                        free there";
        assert_eq!(note.as_deref(), Some(expected));
        assert_eq!(findings, []);
        assert_eq!(judge(&config("false", "/tmp/posthouse"), Volume::Memory, Some(0)), (None, Vec::new()));
    }

    #[test]
    fn a_place_that_loses_mail_is_a_risk() {
        for (directory, volume, expected) in [
            ("/srv/mail", Volume::Network, "lies on another machine"),
            ("/srv/mail", Volume::Memory, "lies in memory"),
            ("/srv/mail", Volume::Layer, "lies in the container itself"),
            ("/tmp/posthouse", Volume::Disk, "is a place the system empties"),
        ] {
            let (_, findings) = judge(&config("true", directory), volume, None);
            let [finding] = &findings[..] else { panic!("{findings:?}") };
            assert!(finding.message.contains(expected) && finding.hint.is_some(), "{finding:?}");
        }
        let (_, findings) = judge(&config("true", "/srv/mail"), Volume::Disk, Some(1 << 30));
        assert!(findings[0].message.contains("less room"), "{findings:?}");
    }
}
