//! What an account does not say, from its provider: `provider = "gmail"`, or a guess from its address.
//!
//! Fills the tree before it is checked, so that a value of a preset is checked like a written one, and is pointed at
//! where the preset was asked for. What the user wrote is never changed. A guess is made only from a domain that one
//! provider has for its own, and is said.

use std::rc::Rc;

use super::grant;
use crate::account::Encryption;
use crate::account::provider::{Preset, Presets, RegionError, Username};
use crate::config::check;
use crate::config::finding::{Complaint, Findings};
use crate::config::keys;
use crate::config::tree::{Node, Origin, Table, Value};

/// Connections of an account when nobody says anything; a preset makes it fewer, never more.
const CONNECTIONS: u32 = 2;

/// Fills all accounts; comes back with what was guessed, one sentence each.
pub(in crate::config) fn fill(table: &mut Table, presets: &Presets, findings: &Findings) -> Vec<String> {
    let mut notes = Vec::new();
    let Some(entry) = table.0.get_mut("accounts") else { return notes };
    let Value::Table(accounts) = &mut entry.node.value else { return notes };
    for (name, entry) in &mut accounts.0 {
        let Value::Table(account) = &mut entry.node.value else { continue };
        let path = format!("accounts.{name}");
        if account.get("provider").is_none()
            && let Some((preset, address)) = guess(account, presets)
        {
            notes.push(said(&path, preset));
            put(account, "provider", Value::Text(preset.id.clone().into()), &Origin::Preset(id(preset), address));
        }
        if let Some((preset, asked)) = named(account, &path, presets, findings) {
            Filling { account, path, preset, asked, findings }.fill();
        }
    }
    notes
}

fn said(path: &str, preset: &Preset) -> String {
    let host = preset.host(None).unwrap_or_default();
    let (port, _) = preset.door();
    format!(
        "{path}: by its address this is {}, so mail goes through {host} port {port}, as with provider = \"{}\"",
        preset.title, preset.id
    )
}

/// The provider whose own domain the address has, where nothing else says where mail goes.
fn guess<'a>(account: &Table, presets: &'a Presets) -> Option<(&'a Preset, Rc<Origin>)> {
    if account.get("host").is_some() {
        return None;
    }
    let entry = account.get("address")?;
    let Value::Text(address) = &entry.node.value else { return None };
    let (_, domain) = address.trim().rsplit_once('@')?;
    Some((presets.of_domain(domain)?, Rc::new(entry.node.origin.clone())))
}

/// The provider that is named, or a finding.
fn named<'a>(
    account: &Table,
    path: &str,
    presets: &'a Presets,
    findings: &Findings,
) -> Option<(&'a Preset, Rc<Origin>)> {
    let node = &account.get("provider")?.node;
    let Value::Text(name) = &node.value else {
        let complaint = Complaint::new("expected the name of a provider in quotes, such as \"gmail\"");
        findings.error(&node.origin, &format!("{path}.provider"), complaint.hint(LIST));
        return None;
    };
    let Some(preset) = presets.find(name) else {
        findings.error(&node.origin, &format!("{path}.provider"), unknown(name, presets));
        return None;
    };
    let asked = match &node.origin {
        // A guess is asked for by the address.
        Origin::Preset(_, address) => Rc::clone(address),
        written => Rc::new(written.clone()),
    };
    Some((preset, asked))
}

const LIST: &str = "`posthouse providers` lists them; any other needs host = \"…\" instead";

fn unknown(name: &str, presets: &Presets) -> Complaint {
    let complaint = Complaint::new("there is no provider of this name");
    match nearest(name, presets)[..] {
        [] => complaint.hint(LIST),
        ref near => complaint.hint(format!("did you mean {}? {LIST}", near.join(" or "))),
    }
}

/// The names that may have been meant, in quotes: nearly the same, one the beginning of the other, the provider of that
/// domain; else whoever is called so in its title, its server or its domains (`google`, `office365`, `hotmail`).
#[must_use]
pub fn nearest(name: &str, presets: &Presets) -> Vec<String> {
    let name = name.trim().to_ascii_lowercase();
    let by_domain = presets.of_domain(&name).or_else(|| presets.of_host(&name));
    if let Some(preset) = by_domain {
        return vec![format!("\"{}\"", preset.id)];
    }
    let near = |preset: &&Preset| {
        let begins = name.len() >= 3 && (preset.id.starts_with(&name) || name.starts_with(preset.id.as_str()));
        begins || keys::slips(&preset.id, &name).is_some()
    };
    let called = |preset: &&Preset| {
        let words = [preset.title.to_ascii_lowercase(), preset.host.clone(), preset.domains.join(" ")].join(" ");
        words.split(|c: char| !c.is_alphanumeric()).any(|word| name.len() >= 4 && word.starts_with(&name))
    };
    let mut found: Vec<&str> = presets.iter().filter(near).map(|preset| preset.id.as_str()).collect();
    if found.is_empty() {
        found = presets.iter().filter(called).map(|preset| preset.id.as_str()).collect();
    }
    // The plain one of a family first.
    found.sort_by_key(|id| id.len());
    found.into_iter().take(4).map(|id| format!("\"{id}\"")).collect()
}

fn id(preset: &Preset) -> Rc<str> {
    preset.id.as_str().into()
}

fn put(table: &mut Table, key: &str, value: Value, origin: &Origin) {
    if table.get(key).is_none() {
        table.put(key, Node { origin: origin.clone(), value });
    }
}

/// One account that is being filled.
struct Filling<'a> {
    account: &'a mut Table,
    path: String,
    preset: &'a Preset,
    asked: Rc<Origin>,
    findings: &'a Findings,
}

impl Filling<'_> {
    fn fill(mut self) {
        self.host();
        self.door();
        self.sign_in();
        self.limits();
        self.oauth();
    }

    fn origin(&self) -> Origin {
        Origin::Preset(id(self.preset), Rc::clone(&self.asked))
    }

    fn put(&mut self, key: &str, value: Value) {
        let origin = self.origin();
        put(self.account, key, value, &origin);
    }

    fn text(&self, key: &str) -> Option<String> {
        match &self.account.get(key)?.node.value {
            Value::Text(text) => Some(text.trim().to_owned()),
            _ => None,
        }
    }

    fn host(&mut self) {
        if self.account.get("host").is_some() {
            return;
        }
        match self.preset.host(self.text("region").as_deref()) {
            Ok(host) => self.put("host", Value::Text(host.into())),
            Err(error) => {
                let origin = self.account.get("region").map_or(&*self.asked, |entry| &entry.node.origin);
                let complaint = Complaint::new(error.to_string());
                let example = self.preset.regions.keys().next().map_or("eu-west-1", String::as_str);
                let complaint = match error {
                    RegionError::None { .. } => complaint.hint("leave it out"),
                    _ => complaint.hint(format!("write region = \"{example}\", or whichever is yours")),
                };
                self.findings.error(origin, &format!("{}.region", self.path), complaint);
            }
        }
    }

    /// Port and encryption; of the two, one that is written leads to the other.
    fn door(&mut self) {
        let written = (self.encryption(), self.port());
        let (port, encryption) = match written {
            (Some(encryption), _) => (self.preset.port(encryption), encryption),
            (None, Some(port)) => (None, self.preset.encryption(port).unwrap_or(self.preset.door().1)),
            (None, None) => (Some(self.preset.door().0), self.preset.door().1),
        };
        let word = if encryption == Encryption::Implicit { "implicit" } else { "starttls" };
        self.put("encryption", Value::Text(word.to_owned().into()));
        if let Some(port) = port {
            self.put("port", Value::Integer(port.into()));
        }
    }

    fn encryption(&self) -> Option<Encryption> {
        let node = &self.account.get("encryption")?.node;
        check::encryption(&node.value).ok()
    }

    fn port(&self) -> Option<u16> {
        match &self.account.get("port")?.node.value {
            Value::Integer(port) => u16::try_from(*port).ok(),
            Value::Text(port) => port.trim().parse().ok(),
            _ => None,
        }
    }

    fn sign_in(&mut self) {
        // The rule for whole addresses is what an account does anyway.
        if self.preset.username != Username::Address
            && let Some(name) = self.text("address").and_then(|address| self.preset.login_name(&address))
        {
            self.put("username", Value::Text(name.into()));
        }
        let has = |key| self.account.get(key).is_some();
        let by_password = has("password") || has("password_file") || has("password_command");
        if let Some(mechanism) = self.preset.password_mechanism.as_ref().filter(|_| by_password && !has("oauth")) {
            self.put("mechanism", Value::Text(mechanism.to_ascii_lowercase().replace('-', "_").into()));
        }
    }

    fn limits(&mut self) {
        let (known, origin) = (self.preset.limits, self.origin());
        let Some(limits) = self.account.table("limits", &origin) else { return };
        let mut limit = |key, number: Option<u64>| {
            if let Some(number) = number.and_then(|number| i64::try_from(number).ok()) {
                put(limits, key, Value::Integer(number), &origin);
            }
        };
        limit("connections", known.connections.map(|most| most.min(CONNECTIONS).into()));
        limit("recipients_per_message", known.recipients_per_message.map(u64::from));
        limit("messages_per_minute", known.messages_per_minute.map(u64::from));
        limit("recipients_per_day", known.recipients_per_day.map(u64::from));
        limit("size", known.size);
        if let Some(taken) = known.null_sender {
            put(limits, "null_sender", Value::Boolean(taken), &origin);
        }
    }

    fn oauth(&mut self) {
        let Some(known) = &self.preset.oauth else { return };
        if let Some(Value::Table(section)) = self.account.0.get_mut("oauth").map(|entry| &mut entry.node.value) {
            let (path, preset, asked, findings) = (&self.path, self.preset, &self.asked, self.findings);
            grant::Filling { section, path, preset, known, asked, findings }.fill();
        }
    }
}
