//! `[[routes]]`: which mail goes through which accounts.
//!
//! Guarantees that each route names accounts there are, and can decide something: its devices and listeners exist, and
//! no earlier route takes all of its mail.

use super::accounts::Account;
use super::devices::Device;
use super::listeners::Listener;
use super::names;
use crate::account::book::Rule;
use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::tree::{Origin, Value};
use crate::config::values;
use crate::ids::AccountName;
use crate::mail::pattern::Pattern;

/// Reads all routes, in their order.
pub(super) fn read(root: &Section<'_>, listeners: &[Listener], devices: &[Device], accounts: &[Account]) -> Vec<Rule> {
    let listeners: Vec<&str> = listeners.iter().map(|listener| listener.settings.name.as_str()).collect();
    let devices: Vec<&str> = devices.iter().map(|device| device.settings.name.as_str()).collect();
    let mut rules: Vec<Rule> = Vec::new();
    for section in root.each("routes") {
        let rule = Rule {
            sender: values(condition(&section, "sender", values::pattern)),
            recipient: values(condition(&section, "recipient", values::pattern)),
            device: named(&section, "device", "[devices.NAME]", &devices),
            source: values(condition(&section, "source", values::network)),
            listener: named(&section, "listener", "[[listeners]]", &listeners),
            accounts: through(&section, accounts),
        };
        let conditions = [
            ("sender", rule.sender.len()),
            ("recipient", rule.recipient.len()),
            ("device", rule.device.len()),
            ("source", rule.source.len()),
            ("listener", rule.listener.len()),
        ];
        // A condition that could not be read is noted; without it the route would seem to fit more than was meant. So it
        // would without a condition that is misspelt.
        if conditions.iter().any(|(key, read)| section.has(key) && *read == 0) || section.has_unknown() {
            rules.push(Rule { sender: vec!["".into()], ..rule });
            continue;
        }
        if let Some(earlier) = rules.iter().position(|earlier| earlier.covers(&rule)) {
            let complaint = Complaint::new(format!("routes[{earlier}] above takes all mail of this route"));
            section.error_here(complaint.hint("the first route that fits decides: put the narrower one first"));
        }
        rules.push(rule);
    }
    rules
}

/// One condition: a value, or a list of which one must fit.
fn condition<T>(section: &Section<'_>, key: &str, read: impl Fn(&Value) -> Result<T, Complaint>) -> Vec<(T, Origin)> {
    let list = section.list(key, read);
    if list.as_ref().is_some_and(Vec::is_empty) {
        let complaint = Complaint::new("an empty list fits nothing");
        section.error(key, complaint.hint("leave the key out to let the route fit whatever stands here"));
    }
    list.unwrap_or_default()
}

/// A condition on names, each of which must fit one there is.
fn named(section: &Section<'_>, key: &str, of: &str, there: &[&str]) -> Vec<Pattern> {
    let list = condition(section, key, values::name_pattern);
    for (pattern, origin) in &list {
        if !there.iter().any(|name| pattern.matches(name)) {
            let complaint = Complaint::new(format!("there is no {key} of this name, so this never fits"));
            let hint = match there {
                [] => format!("add {of}, or leave this out"),
                _ => format!("configured: {}", there.join(", ")),
            };
            section.error_at(origin, &section.key(key), complaint.hint(hint));
        }
    }
    values(list)
}

fn values<T>(list: Vec<(T, Origin)>) -> Vec<T> {
    list.into_iter().map(|(value, _)| value).collect()
}

/// `accounts`: at least one, all known.
fn through(section: &Section<'_>, accounts: &[Account]) -> Vec<AccountName> {
    let list = section.list("accounts", values::name);
    if list.as_ref().map_or(!section.has("accounts"), Vec::is_empty) {
        let complaint = Complaint::new("a route leads to accounts, and none is named");
        section.error("accounts", complaint.hint("write accounts = [\"office\"], the preferred one first"));
    }
    let list = list.unwrap_or_default();
    for (name, origin) in &list {
        if !names::is_account(accounts, name) {
            section.error_at(origin, &section.key("accounts"), names::no_such_account(accounts));
        }
    }
    list.iter().map(|(name, _)| name.as_str().into()).collect()
}
