//! The providers there are: those of the program's own file, and `[providers.NAME]` of the user's laid over them.
//!
//! Both are the same kind of table with the same keys, so that a block of the one can be copied into the other, changed
//! there, given by a variable, and is told what is wrong with it like everything else. What stands in the program's own
//! file is held by a test to have no finding. `fill` gives accounts what their provider knows.

pub(super) mod fill;
mod grant;
mod read;

use std::path::Path;

use super::finding::{Complaint, Findings};
use super::section::Section;
use super::tree::{self, Entry, Node, Origin, Table, Value};
use super::{Sources, files, layers, paths};
use crate::account::provider::{Preset, Presets};
pub use fill::nearest;

/// The file of the program.
const FILE: &str = include_str!("../../../config/providers.toml");

const PROVIDERS: &str = "providers";

/// The providers of the program alone.
#[must_use]
pub fn builtin() -> Presets {
    // What the test holds to have no finding needs nobody to hear one.
    gather(&Table::default(), &Findings::new(None))
}

/// All providers, those of the configuration among them, if there is one that can be read. What is wrong with it is not
/// said here.
#[must_use]
pub fn known(sources: &Sources) -> Presets {
    let path = paths::find(sources, Path::exists).ok().flatten();
    let source = path.and_then(|path| files::read_source(&path).ok());
    let mut table = source.and_then(|source| tree::parse(&source).ok()).unwrap_or_default();
    let unheard = Findings::new(None);
    layers::environment(&mut table, &sources.environment, &unheard);
    gather(&table, &unheard)
}

/// All providers; what is wrong with those of the user is noted. `user` is the whole tree the user wrote.
pub(super) fn gather(user: &Table, findings: &Findings) -> Presets {
    let mut table = file();
    if let Some(Entry { node: Node { value: Value::Table(own), .. }, .. }) = user.get(PROVIDERS)
        && let Some(known) = table.table(PROVIDERS, &Origin::Nowhere)
    {
        lay_over(known, own);
    }
    let root = Section::root(&table, findings);
    let presets: Vec<Preset> = root.named(PROVIDERS).iter().map(|(id, section)| read::preset(id, section)).collect();
    unique_domains(&root, &presets);
    Presets::new(presets)
}

/// The program's own file as a tree without places: a finding must never point into a file that is not the user's.
fn file() -> Table {
    // An unreadable one would be no provider at all, which the test below does not let through.
    let mut table = tree::parse(FILE).unwrap_or_default();
    forget_places(&mut table);
    table
}

fn forget_places(table: &mut Table) {
    for entry in table.0.values_mut() {
        entry.origin = Origin::Nowhere;
        forget_place(&mut entry.node);
    }
}

fn forget_place(node: &mut Node) {
    node.origin = Origin::Nowhere;
    match &mut node.value {
        Value::Table(table) => forget_places(table),
        Value::List(list) => list.iter_mut().for_each(forget_place),
        _ => {}
    }
}

/// Key by key; a section goes into the section, anything else takes the place of what was there.
fn lay_over(known: &mut Table, own: &Table) {
    for (name, entry) in &own.0 {
        match (known.0.get_mut(name), &entry.node.value) {
            (Some(Entry { origin, node: Node { value: Value::Table(known), origin: place } }), Value::Table(own)) => {
                (*origin, *place) = (entry.origin.clone(), entry.node.origin.clone());
                lay_over(known, own);
            }
            _ => drop(known.0.insert(name.clone(), entry.clone())),
        }
    }
}

/// An address must lead to one provider.
fn unique_domains(root: &Section<'_>, presets: &[Preset]) {
    for (at, preset) in presets.iter().enumerate() {
        let (before, behind) = (&presets[..at], &presets[at + 1..]);
        for domain in &preset.domains {
            let Some(other) = before.iter().chain(behind).find(|other| other.domains.contains(domain)) else {
                continue;
            };
            let (key, origin) = (format!("providers.{}.domains", preset.id), read::place(root, &preset.id, "domains"));
            // Said where the user wrote it; what both wrote is said twice.
            if origin != Origin::Nowhere {
                let complaint = Complaint::new(format!("the domain {domain} belongs to `{}` already", other.id));
                root.error_at(
                    &origin,
                    &key,
                    complaint.hint(format!("leave it out here, or in [providers.{}]", other.id)),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests;
