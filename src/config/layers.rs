//! What is laid over the file: environment variables (`POSTHOUSE__ACCOUNTS__OFFICE__PASSWORD`) and flags.
//!
//! The key table leads each one to its place in the tree; what leads nowhere is noted. A credential that is laid over
//! another one takes its place, so that a container can replace the password of a file by `…__PASSWORD_FILE`. Reads no
//! environment itself: it is given as a map.

use std::collections::BTreeMap;

use super::Override;
use super::finding::{Complaint, Findings};
use super::keys::{self, Key, ROOT, Shape};
use super::section::{not_yet, unknown};
use super::tree::{Node, Origin, Table, Value};

/// What every variable that is a key begins with.
const PREFIX: &str = "POSTHOUSE__";

/// Keys of which a section has one.
const RIVALS: [&[&str]; 5] = [
    &["password", "password_file", "password_command"],
    &["client_secret", "client_secret_file"],
    &["refresh_token", "refresh_token_file"],
    &["key", "key_file"],
    &["proxy_password", "proxy_password_file"],
];

/// Lays the variables over the tree, in alphabetical order (so that `…__0` comes before `…__1`).
pub(super) fn environment(table: &mut Table, variables: &BTreeMap<String, String>, findings: &Findings) {
    for (name, value) in variables {
        let Some(path) = name.strip_prefix(PREFIX) else {
            if let Some(complaint) = almost_ours(name) {
                findings.warning(&Origin::Variable(name.as_str().into()), "", complaint);
            }
            continue;
        };
        let steps: Vec<&str> = path.split("__").collect();
        lay(table, &steps, value, &Origin::Variable(name.as_str().into()), findings);
    }
}

/// The complaint about a variable that was probably meant as a key; it has no effect.
fn almost_ours(name: &str) -> Option<Complaint> {
    let rest = name.strip_prefix("POSTHOUSE_")?;
    // Container engines set the last two kinds themselves for a service that is called `posthouse`.
    if rest == "CONFIG" || rest.starts_with("SERVICE_") || rest.split('_').next() == Some("PORT") {
        return None;
    }
    let plain = |text: &str| text.to_ascii_lowercase().replace(['.', '_'], "");
    let meant = keys::all().into_iter().find(|key| plain(key) == plain(rest));
    let hint = match (meant, rest) {
        (Some(key), _) => format!("did you mean {PREFIX}{}?", key.to_ascii_uppercase().replace('.', "__")),
        (None, "LOG") => format!("did you mean {PREFIX}LOG__LEVEL?"),
        (None, _) => format!("did you mean {PREFIX}…? Two underscores also stand between the levels of a key"),
    };
    Some(Complaint::new("this variable is not one of Posthouse's and has no effect").hint(hint))
}

/// Lays the flags over the tree.
pub(super) fn flags(table: &mut Table, overrides: &[Override], findings: &Findings) {
    for Override { flag, key, value } in overrides {
        let steps: Vec<&str> = key.split('.').collect();
        lay(table, &steps, value, &Origin::Flag(flag.as_str().into()), findings);
    }
}

fn lay(table: &mut Table, steps: &[&str], value: &str, origin: &Origin, findings: &Findings) {
    if let Err(complaint) = descend(table, ROOT, steps, value, origin) {
        findings.error(origin, "", complaint);
    }
}

fn descend(
    table: &mut Table,
    keys: &'static [Key],
    steps: &[&str],
    value: &str,
    origin: &Origin,
) -> Result<(), Complaint> {
    let Some((step, rest)) = steps.split_first() else { return Err(incomplete()) };
    let name = step.to_ascii_lowercase();
    let Some(key) = keys::find(keys, &name) else { return Err(unknown(keys, &name)) };
    match (&key.shape, rest) {
        (Shape::Later(instead), _) => Err(not_yet(instead)),
        (Shape::Value(_) | Shape::List(_), []) => {
            displace_rivals(table, key.name);
            table.put(key.name, text(value, origin));
            Ok(())
        }
        (Shape::List(_), [index]) => {
            displace_rivals(table, key.name);
            put_at(table.list(key.name, origin).ok_or_else(no_list)?, index, text(value, origin))
        }
        (Shape::Section(inner), rest) => {
            descend(table.table(key.name, origin).ok_or_else(no_section)?, inner, rest, value, origin)
        }
        (Shape::Named(inner), [name, rest @ ..]) => {
            let names = table.table(key.name, origin).ok_or_else(no_section)?;
            let name = as_written(names, name);
            descend(names.table(&name, origin).ok_or_else(no_section)?, inner, rest, value, origin)
        }
        (Shape::Each(inner), [index, rest @ ..]) => {
            let entries = table.list(key.name, origin).ok_or_else(no_list)?;
            let at = place(index, entries.len())?;
            if at == entries.len() {
                entries.push(Node { origin: origin.clone(), value: Value::Table(Table::default()) });
            }
            match &mut entries[at].value {
                Value::Table(entry) => descend(entry, inner, rest, value, origin),
                _ => Err(no_section()),
            }
        }
        (Shape::Map(_), [name]) => {
            let names = table.table(key.name, origin).ok_or_else(no_section)?;
            let name = as_written(names, name);
            names.put(&name, text(value, origin));
            Ok(())
        }
        (Shape::Named(_) | Shape::Each(_) | Shape::Map(_), _) => Err(incomplete()),
        (Shape::Value(_) | Shape::List(_), _) => {
            Err(Complaint::new("this name goes on where a key has ended").hint("leave out what stands behind the key"))
        }
    }
}

fn text(value: &str, origin: &Origin) -> Node {
    Node { origin: origin.clone(), value: Value::Text(value.to_owned().into()) }
}

fn displace_rivals(table: &mut Table, key: &str) {
    for rival in RIVALS.iter().filter(|rivals| rivals.contains(&key)).flat_map(|rivals| rivals.iter()) {
        // A variable does not displace its like: two of them are a contradiction, to be found by the check.
        if *rival != key && table.get(rival).is_some_and(|entry| matches!(entry.origin, Origin::File(_))) {
            table.0.remove(*rival);
        }
    }
}

/// The name of the file that a variable means, which knows no small letters, hyphens and dots; else a new name.
fn as_written(names: &Table, step: &str) -> String {
    let plain = |name: &str| name.to_ascii_lowercase().replace(['-', '.'], "_");
    let wanted = plain(step);
    names.0.keys().find(|name| plain(name) == wanted).cloned().unwrap_or(wanted)
}

fn put_at(list: &mut Vec<Node>, index: &str, node: Node) -> Result<(), Complaint> {
    match place(index, list.len())? {
        at if at == list.len() => list.push(node),
        at => list[at] = node,
    }
    Ok(())
}

/// An index into a list of this length, or the place behind its end.
fn place(index: &str, length: usize) -> Result<usize, Complaint> {
    match index.parse::<usize>() {
        Ok(at) if at <= length => Ok(at),
        Ok(_) => Err(Complaint::new("there is a gap before this entry of the list").hint("entries are counted from 0")),
        Err(_) => Err(Complaint::new("expected the number of an entry here").hint("entries are counted from 0: …__0")),
    }
}

fn incomplete() -> Complaint {
    Complaint::new("this names a section, not a key").hint("go on with two underscores and the name of a key")
}

fn no_section() -> Complaint {
    Complaint::new("this leads into something that is no section in the file")
        .hint("make it a section there, or leave this out")
}

fn no_list() -> Complaint {
    Complaint::new("this counts entries of something that is no list in the file")
        .hint("make it a list there, or write the whole list here, with commas")
}
