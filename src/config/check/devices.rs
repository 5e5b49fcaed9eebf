//! `[devices.NAME]`: local logins.
//!
//! A password comes from the key or from its file, never from both. Guarantees that each login can be typed by a
//! device.

use super::{Aside, Surroundings, limits};
use crate::config::files::{Named, NamedFile};
use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::tree::Origin;
use crate::config::values;
use crate::inbound::settings::DeviceSettings;
use crate::secret::Secret;

/// A device and where its parts stand.
pub(super) struct Device {
    pub(super) settings: DeviceSettings,
    pub(super) origin: Origin,
    pub(super) key: String,
}

/// Reads all devices.
pub(super) fn read(root: &Section<'_>, surroundings: &Surroundings<'_>, aside: &mut Aside) -> Vec<Device> {
    let one = |(name, section): (String, Section<'_>)| {
        let account = section.get("account", values::name);
        let password = password(&section, surroundings, aside);
        Device {
            settings: DeviceSettings {
                name: name.as_str().into(),
                password: password.unwrap_or_else(|| Secret::new(String::new())),
                account: account.as_deref().map(Into::into),
                senders: limits::patterns(&section, "senders"),
                recipients: limits::patterns(&section, "recipients"),
                limits: limits::limits(&section),
            },
            origin: section.origin_of("account"),
            key: section.key("account"),
        }
    };
    root.named("devices").into_iter().map(one).collect()
}

/// The password; `None` only after an error was noted, so that no device ever has an empty one.
fn password(section: &Section<'_>, surroundings: &Surroundings<'_>, aside: &mut Aside) -> Option<Secret> {
    match (section.has("password"), section.has("password_file")) {
        (true, true) => {
            let complaint = Complaint::new("`password` and `password_file` are both given");
            section.error("password_file", complaint.hint("keep one of them"));
            None
        }
        (true, false) => {
            aside.holds_secret |= matches!(section.origin_of("password"), Origin::File(_));
            section.get("password", values::secret)
        }
        (false, true) => {
            let path = section.path("password_file", surroundings.directory)?;
            match (surroundings.read_secret)(&path) {
                Ok(secret) => {
                    let (origin, key) = (section.origin_of("password_file"), section.key("password_file"));
                    aside.named_files.push(Named { origin, key, file: NamedFile::Secret(path) });
                    Some(secret)
                }
                Err(complaint) => {
                    section.error("password_file", complaint);
                    None
                }
            }
        }
        (false, false) => {
            let complaint = Complaint::new("a device needs a password");
            section.error_here(complaint.hint("write password_file = \"…\" or password = \"…\""));
            None
        }
    }
}
