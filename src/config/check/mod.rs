//! From what the user wrote to every room's settings, and everything that contradicts itself on the way. Pure: the
//! one file it needs, a device's password, is read through a function it is given.
//!
//! Each part of the configuration has its page: [`listeners`], [`devices`], [`accounts`], [`oauth`], [`proxy`],
//! [`trust`], [`content`], [`smime`], [`limits`], [`names`], [`notices`], [`routes`], [`delivery`];
//! [`between`] looks at what fits each other across them, [`risks`] at what is dangerous although it fits. Guarantees:
//! without an error among the findings the result is usable as it is.

mod accounts;
mod between;
mod content;
mod delivery;
mod devices;
mod limits;
mod listeners;
mod names;
mod notices;
mod oauth;
mod provider;
mod proxy;
mod risks;
mod routes;
mod scopes;
mod sender;
mod smime;
mod trust;

pub(super) use accounts::encryption;
pub(super) use oauth::redirect;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::{HOW_TO_MAKE_A_KEY, Named, NamedFile};
use super::finding::Complaint;
use super::section::Section;
use super::tree::{Origin, Value};
use super::{Config, keys, values};
use crate::account::provider::Presets;
use crate::inbound::settings::{Caps, Fixups};
use crate::journal::log;
use crate::mail::address::Address;
use crate::queue::AccountFacts;
use crate::secret::Secret;
use crate::store::{
    self,
    file::{KeySource, check_key},
};

pub(super) use proxy::Environment;

/// What the check must be told of the world.
pub(super) struct Surroundings<'a> {
    /// Where relative paths of the file count from.
    pub(super) directory: &'a Path,
    /// `storage.directory` when it is not written.
    pub(super) storage: PathBuf,
    /// Where the key of the vault comes from when nothing is written.
    pub(super) vault_key: KeySource,
    /// The providers there are.
    pub(super) presets: &'a Presets,
    /// What the environment says about proxies.
    pub(super) proxies: Environment,
    /// Reads a file of one line with a secret.
    pub(super) read_secret: &'a dyn Fn(&Path) -> Result<Secret, Complaint>,
}

/// What came out.
pub(super) struct Checked {
    pub(super) config: Config,
    /// Files to be looked at.
    pub(super) named_files: Vec<Named>,
    /// Whether the configuration file itself holds a password or a client secret.
    pub(super) holds_secret: bool,
}

/// What the pages gather on the side.
#[derive(Default)]
struct Aside {
    named_files: Vec<Named>,
    holds_secret: bool,
}

impl Aside {
    /// Has the file that this key names looked at.
    fn name(&mut self, section: &Section<'_>, key: &str, file: NamedFile) {
        self.named_files.push(Named { origin: section.origin_of(key), key: section.key(key), file });
    }
}

/// Checks everything.
pub(super) fn check(root: &Section<'_>, surroundings: &Surroundings<'_>) -> Checked {
    let mut aside = Aside::default();
    let listeners = listeners::read(root, surroundings.directory, &mut aside);
    let devices = devices::read(root, surroundings, &mut aside);
    let accounts = accounts::read(root, surroundings, &mut aside);
    let default_account = root.get("default_account", values::name);
    names::check(root, &accounts);
    let routes = routes::read(root, &listeners, &devices, &accounts);
    between::check(root, &listeners, &devices, &accounts, &routes, default_account.as_deref());

    let hostname = root.get("hostname", values::domain);
    risks::name(root, &listeners, &accounts, hostname.as_deref());

    let listeners: Vec<_> = listeners.into_iter().map(|listener| listener.settings).collect();
    let (delivery, mut queue) = delivery::read(root, &listeners);
    let facts: Vec<AccountFacts> = accounts.iter().map(|account| (&account.settings).into()).collect();
    notices::read(root, &listeners, &facts, &mut queue);
    let config = Config {
        hostname,
        default_domain: root.get("default_domain", values::domain),
        default_account: default_account.as_deref().map(Into::into),
        aliases: aliases(root),
        listeners,
        routes,
        devices: devices.into_iter().map(|device| device.settings).collect(),
        accounts: accounts.into_iter().map(|account| account.settings).collect(),
        caps: caps(root),
        delivery,
        queue,
        storage: storage(root, surroundings, &mut aside),
        fixups: fixups(root),
        log: log(root),
    };
    Checked { config, named_files: aside.named_files, holds_secret: aside.holds_secret }
}

fn aliases(root: &Section<'_>) -> BTreeMap<String, Address> {
    let mut aliases = BTreeMap::new();
    for (name, node) in root.entries("aliases") {
        let readable = Address::parse(name.as_bytes()).is_ok();
        let key = if values::looks_like_name(name) { format!("aliases.{name}") } else { "aliases.NAME".into() };
        if !readable {
            let complaint =
                Complaint::new("the name of an alias is a recipient as devices write it: `root`, or a mail address");
            root.error_at(&node.origin, &key, complaint);
        }
        match values::address(&node.value) {
            Ok(address) => drop(aliases.insert(name.to_ascii_lowercase(), address)),
            Err(complaint) => root.error_at(&node.origin, &key, complaint),
        }
    }
    aliases
}

const SHORTEST_IDLE: Duration = Duration::from_secs(30);

fn caps(root: &Section<'_>) -> Caps {
    let mut caps = Caps { sessions: 1000, sessions_per_device: 100, idle: Duration::from_mins(5), minimum_rate: 500 };
    let Some(section) = root.section("sessions") else { return caps };
    let count = |key| section.number(key).map(|number| number as usize);
    if let Some(max) = count("max") {
        caps.sessions = max;
        caps.sessions_per_device = caps.sessions_per_device.min(max);
    }
    if let Some(per_device) = count("per_device") {
        caps.sessions_per_device = per_device;
        if per_device > caps.sessions {
            section.error(
                "per_device",
                Complaint::new("one device cannot have more sessions than there are in all (`max`)")
                    .hint("write a smaller number here, or a larger max"),
            );
        }
    }
    if let Some(idle) = section.get("idle", values::duration) {
        caps.idle = idle;
        if idle < SHORTEST_IDLE || idle > Duration::from_hours(1) {
            let complaint = Complaint::new("expected a time from 30 seconds to 1 hour");
            section.error("idle", complaint.hint("RFC 5321 §4.5.3.2.7 asks for 5 minutes; slow scanners need them"));
        }
    }
    if let Some(rate) = section.number("minimum_rate") {
        caps.minimum_rate = rate.into();
    }
    caps
}

/// Whether the key opens what is kept is looked at on the machine.
fn storage(root: &Section<'_>, surroundings: &Surroundings<'_>, aside: &mut Aside) -> store::file::Settings {
    let usual = store::file::Settings { directory: surroundings.storage.clone(), key: surroundings.vault_key.clone() };
    let Some(section) = root.section("storage") else { return usual };
    let directory = section.path("directory", surroundings.directory);
    if section.has("key") && section.has("key_file") {
        let complaint = Complaint::new("`key` and `key_file` are both given");
        section.error("key_file", complaint.hint("keep one of them"));
    }
    aside.holds_secret |= section.has("key") && matches!(section.origin_of("key"), Origin::File(_));
    let file = section.path("key_file", surroundings.directory);
    if section.get("key_file", |value| Ok(is_vault_key(value))) == Some(true) {
        let complaint = Complaint::new("this is a key, and the path of a file that holds it is wanted");
        section.error("key_file", complaint.hint("write it to a file of its own, readable to Posthouse's user alone"));
    } else if let Some(path) = &file {
        aside.name(&section, "key_file", NamedFile::VaultKey(path.clone()));
    }
    let key = section.get("key", vault_key).map(KeySource::Given).or(file.map(KeySource::File));
    store::file::Settings { directory: directory.unwrap_or(usual.directory), key: key.unwrap_or(usual.key) }
}

fn vault_key(value: &Value) -> Result<Secret, Complaint> {
    let key = values::secret(value)?;
    match check_key(&key) {
        Ok(()) => Ok(key),
        Err(error) => {
            Err(Complaint::new(format!("this cannot be the key of the vault: {error}")).hint(HOW_TO_MAKE_A_KEY))
        }
    }
}

fn is_vault_key(value: &Value) -> bool {
    matches!(value, Value::Text(text) if check_key(&Secret::new(text.to_string())).is_ok())
}

fn fixups(root: &Section<'_>) -> Fixups {
    let mut fixups = Fixups::default();
    let Some(section) = root.section("fixups") else { return fixups };
    let set = |key, switch: &mut bool| *switch = section.get(key, values::flag).unwrap_or(*switch);
    set("date", &mut fixups.fields.date);
    set("message_id", &mut fixups.fields.message_id);
    set("nul", &mut fixups.octets.nul);
    set("long_lines", &mut fixups.octets.long_lines);
    fixups
}

fn log(root: &Section<'_>) -> log::Settings {
    let mut log = log::Settings::default();
    let Some(section) = root.section("log") else { return log };
    match section.word("level") {
        Some("error") => log.level = tracing::Level::ERROR,
        Some("warn") => log.level = tracing::Level::WARN,
        Some("debug") => log.level = tracing::Level::DEBUG,
        Some("trace") => log.level = tracing::Level::TRACE,
        _ => {}
    }
    match section.word("format") {
        Some("text") => log.format = log::Format::Text,
        Some("json") => log.format = log::Format::Json,
        _ => {}
    }
    for (word, _) in section.list("mask", |value| values::word(value, keys::MASK)).unwrap_or_default() {
        match word {
            "addresses" => log.masks.addresses = true,
            "subjects" => log.masks.subjects = true,
            _ => log.masks.attachments = true,
        }
    }
    log
}
