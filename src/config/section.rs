//! Reading the tree: one section at a time, each mistake noted and the reading continued.
//!
//! [`survey`] finds whatever the key table does not know. A [`Section`] then hands out its values, read by the
//! functions of `values`; what cannot be read is noted and comes back as `None`, so that one file shows all its
//! mistakes at once. A value that came back as `None` with a note ends in an error anyway, so callers fill in a
//! default.

use std::path::{Path, PathBuf};

use super::finding::{Complaint, Findings};
use super::keys::{self, Key, Kind, Shape};
use super::tree::{Node, Origin, Table, Value};
use super::values;

/// One section: `[delivery]`, one `[accounts.NAME]`, one entry of `[[listeners]]`, or the top level.
pub(super) struct Section<'a> {
    /// As in `accounts.office`; empty at the top.
    pub(super) path: String,
    /// Where the section itself stands.
    pub(super) origin: Origin,
    /// The keys it may hold.
    keys: &'static [Key],
    table: &'a Table,
    findings: &'a Findings,
}

impl<'a> Section<'a> {
    pub(super) fn root(table: &'a Table, findings: &'a Findings) -> Self {
        Self { path: String::new(), origin: Origin::Nowhere, keys: keys::ROOT, table, findings }
    }

    /// Whether the key is there at all, readable or not; written, or filled in by a preset.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    /// Whether the user wrote the key, in the file or over it.
    pub(super) fn wrote(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|entry| !matches!(entry.node.origin, Origin::Preset(..)))
    }

    /// Whether it holds a key that is none of these.
    pub(super) fn has_strangers(&self, keys: &'static [Key]) -> bool {
        self.table.0.keys().any(|name| keys::find(keys, name).is_none())
    }

    /// Reads one value.
    pub(super) fn get<T>(&self, key: &str, read: impl FnOnce(&Value) -> Result<T, Complaint>) -> Option<T> {
        let entry = self.table.get(key)?;
        match no_gap(&entry.node.value).and_then(read) {
            Ok(value) => Some(value),
            Err(complaint) => {
                self.findings.error(&entry.node.origin, &self.key(key), complaint);
                None
            }
        }
    }

    /// Reads a whole number; its range stands in the table of keys.
    pub(super) fn number(&self, key: &str) -> Option<u32> {
        let (least, most) = self.range(key)?;
        self.number_or(key, |_, complaint| complaint.hint(format!("write {key} = {least}, or a number up to {most}")))
    }

    /// Reads a whole number; `more` adds to the complaint about a value that is none or out of its range.
    pub(super) fn number_or(&self, key: &str, more: impl FnOnce(&Value, Complaint) -> Complaint) -> Option<u32> {
        let (least, most) = self.range(key)?;
        self.get(key, |value| values::number(value, least..=most).map_err(|complaint| more(value, complaint)))
    }

    fn range(&self, key: &str) -> Option<(u32, u32)> {
        match keys::find(self.keys, key)?.shape {
            Shape::Value(Kind::Number(least, most)) => Some((least, most)),
            _ => None,
        }
    }

    /// Reads one of the words that the table of keys has for this key, or another word for one of them.
    pub(super) fn word(&self, key: &str) -> Option<&'static str> {
        let Some(Key { shape: Shape::Value(Kind::Word(words)), .. }) = keys::find(self.keys, key) else {
            return None;
        };
        self.get(key, |value| match alias(key, value) {
            Some(word) => Ok(word),
            None => values::word(value, words),
        })
    }

    /// Reads a list of values, each with its place; `None` if any of them could not be read. A single value stands for
    /// a list of one; in a variable or a flag commas separate several.
    pub(super) fn list<T>(&self, key: &str, read: impl Fn(&Value) -> Result<T, Complaint>) -> Option<Vec<(T, Origin)>> {
        let node = &self.table.get(key)?.node;
        let read_one = |value: &Value, origin: &Origin| match read(value) {
            Ok(value) => Some((value, origin.clone())),
            Err(complaint) => {
                self.findings.error(origin, &self.key(key), complaint);
                None
            }
        };
        // All are read before the first failure counts, so that each gets its note.
        let items: Vec<_> = match (&node.value, &node.origin) {
            (Value::List(list), _) => list.iter().map(|item| read_one(&item.value, &item.origin)).collect(),
            (Value::Text(text), Origin::Variable(_) | Origin::Flag(_)) => {
                let parts = text.split(',').map(|part| Value::Text(part.trim().to_owned().into()));
                parts.map(|part| read_one(&part, &node.origin)).collect()
            }
            (value, origin) => vec![read_one(value, origin)],
        };
        items.into_iter().collect()
    }

    /// Reads the path of a file. A relative path in the file counts from the file's own directory, so that it means the
    /// same wherever the relay is started.
    pub(super) fn path(&self, key: &str, directory: &Path) -> Option<PathBuf> {
        let path = self.get(key, values::path)?;
        match self.origin_of(key) {
            Origin::File(_) => Some(directory.join(path)),
            Origin::Variable(_) | Origin::Flag(_) | Origin::Preset(..) | Origin::Nowhere => Some(path),
        }
    }

    /// A section inside this one.
    pub(super) fn section(&self, key: &str) -> Option<Section<'a>> {
        let entry = self.table.get(key)?;
        self.inner(key, &entry.node, self.key(key), &entry.origin)
    }

    /// The sections `[key.NAME]`, with their names; a name with bad characters is noted and passed over.
    pub(super) fn named(&self, key: &str) -> Vec<(String, Section<'a>)> {
        let Some(Value::Table(table)) = self.table.get(key).map(|entry| &entry.node.value) else { return Vec::new() };
        let mut found = Vec::new();
        for (name, entry) in &table.0 {
            if values::looks_like_name(name) {
                let section = self.inner(key, &entry.node, format!("{}.{name}", self.key(key)), &entry.origin);
                found.extend(section.map(|section| (name.clone(), section)));
            } else {
                self.findings.error(&entry.origin, &format!("{}.NAME", self.key(key)), values::bad_name());
            }
        }
        found
    }

    /// The sections `[[key]]`.
    pub(super) fn each(&self, key: &str) -> Vec<Section<'a>> {
        let Some(Value::List(list)) = self.table.get(key).map(|entry| &entry.node.value) else { return Vec::new() };
        let numbered = list.iter().enumerate();
        numbered
            .filter_map(|(i, node)| self.inner(key, node, format!("{}[{i}]", self.key(key)), &node.origin))
            .collect()
    }

    /// The names and values of a section like `[aliases]`.
    pub(super) fn entries(&self, key: &str) -> impl Iterator<Item = (&'a str, &'a Node)> {
        let table = match self.table.get(key).map(|entry| &entry.node.value) {
            Some(Value::Table(table)) => Some(table),
            _ => None,
        };
        table.into_iter().flat_map(|table| table.0.iter().map(|(name, entry)| (name.as_str(), &entry.node)))
    }

    fn inner(&self, key: &str, node: &'a Node, path: String, origin: &Origin) -> Option<Section<'a>> {
        // What is no table was noted by the survey.
        let Value::Table(table) = &node.value else { return None };
        let keys = match keys::find(self.keys, key)?.shape {
            Shape::Section(keys) | Shape::Named(keys) | Shape::Each(keys) => keys,
            Shape::Value(_) | Shape::List(_) | Shape::Map(_) | Shape::Later(_) => return None,
        };
        Some(Section { path, origin: origin.clone(), keys, table, findings: self.findings })
    }

    /// Notes what is wrong with a key, at its value; at the section if the key is not there.
    pub(super) fn error(&self, key: &str, complaint: Complaint) {
        self.findings.error(&self.origin_of(key), &self.key(key), complaint);
    }

    /// Notes what is risky about a key.
    pub(super) fn warning(&self, key: &str, complaint: Complaint) {
        self.findings.warning(&self.origin_of(key), &self.key(key), complaint);
    }

    /// Notes what is wrong somewhere else than at a key of this section.
    pub(super) fn error_at(&self, origin: &Origin, key: &str, complaint: Complaint) {
        self.findings.error(origin, key, complaint);
    }

    /// Notes what is risky somewhere else than at a key of this section.
    pub(super) fn warning_at(&self, origin: &Origin, key: &str, complaint: Complaint) {
        self.findings.warning(origin, key, complaint);
    }

    /// Notes what is wrong with the section.
    pub(super) fn error_here(&self, complaint: Complaint) {
        self.findings.error(&self.origin, &self.path, complaint);
    }

    /// Notes what is risky about the section.
    pub(super) fn warning_here(&self, complaint: Complaint) {
        self.findings.warning(&self.origin, &self.path, complaint);
    }

    /// Whether a key stands here that nobody knows.
    pub(super) fn has_unknown(&self) -> bool {
        self.table.0.keys().any(|name| keys::find(self.keys, name).is_none())
    }

    /// Where the value of a key stands, or the section if the key is not there.
    pub(super) fn origin_of(&self, key: &str) -> Origin {
        self.table.get(key).map_or_else(|| self.origin.clone(), |entry| entry.node.origin.clone())
    }

    /// The whole name of a key of this section.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// The documentation writes … where only the reader knows the value, and readers paste it.
fn no_gap(value: &Value) -> Result<&Value, Complaint> {
    match value {
        Value::Text(text) if text.trim() == "…" => {
            Err(Complaint::new("… is the gap that an example leaves").hint("write your own value in its place"))
        }
        value => Ok(value),
    }
}

/// What another word for a value means.
pub(super) fn alias(key: &str, value: &Value) -> Option<&'static str> {
    let Value::Text(text) = value else { return None };
    let mut aliases = keys::ALIASES.iter().filter(|(owner, _, _)| *owner == key);
    aliases.find(|(_, word, _)| text.trim().eq_ignore_ascii_case(word)).map(|(_, _, meaning)| *meaning)
}

/// Notes every key the table does not know, those of a later version, and sections that are no sections.
pub(super) fn survey(table: &Table, keys: &'static [Key], path: &str, findings: &Findings) {
    for (name, entry) in &table.0 {
        let Some(key) = keys::find(keys, name) else {
            let complaint = unknown(keys, name);
            // `account` in a route is `accounts`, although devices have a key of that very name.
            let is_of_here = keys::is_one_letter_off(keys, name) || keys::own_word(keys, name).is_some();
            let elsewhere = elsewhere(name).filter(|_| !is_of_here);
            findings.error(
                &entry.origin,
                path,
                match elsewhere {
                    Some(hint) => complaint.hint(hint),
                    None => complaint,
                },
            );
            continue;
        };
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match &key.shape {
            Shape::Later(instead) => findings.error(&entry.origin, &path, not_yet(instead)),
            shape => survey_behind(&entry.node, &entry.origin, shape, &path, findings),
        }
    }
}

fn survey_behind(node: &Node, origin: &Origin, shape: &Shape, path: &str, findings: &Findings) {
    let wanted = match (shape, &node.value) {
        (Shape::Section(keys), Value::Table(table)) => return survey(table, keys, path, findings),
        (Shape::Named(keys), Value::Table(table)) => {
            for (name, entry) in &table.0 {
                let name = if values::looks_like_name(name) { name } else { "NAME" };
                let path = format!("{path}.{name}");
                survey_behind(&entry.node, &entry.origin, &Shape::Section(keys), &path, findings);
            }
            return;
        }
        (Shape::Each(keys), Value::List(list)) => {
            for (i, node) in list.iter().enumerate() {
                survey_behind(node, &node.origin, &Shape::Section(keys), &format!("{path}[{i}]"), findings);
            }
            return;
        }
        (Shape::Value(_) | Shape::List(_) | Shape::Later(_), _) | (Shape::Map(_), Value::Table(_)) => return,
        (Shape::Section(_), _) => ("a section", format!("[{path}], or {{ … }} on one line")),
        (Shape::Named(_), _) => ("sections with names", format!("[{path}.NAME]")),
        (Shape::Each(_), _) => ("a list of sections", format!("[[{path}]] with two brackets")),
        (Shape::Map(_), _) => ("a section", format!("[{path}], and lines NAME = \"…\" under it")),
    };
    let (expected, write) = wanted;
    findings.error(origin, path, Complaint::new(format!("expected {expected}")).hint(format!("write {write}")));
}

/// The complaint about a key that does not exist. The key is said again only if it reads like one: people paste
/// passwords at the oddest places.
pub(super) fn unknown(keys: &'static [Key], name: &str) -> Complaint {
    let complaint = if values::looks_like_key(name) {
        Complaint::new(format!("unknown key `{name}`"))
    } else {
        Complaint::new("unknown key")
    };
    if let Some(near) = keys::nearest(keys, name) {
        return complaint.hint(format!("did you mean `{near}`?"));
    }
    if let Some(own) = keys::own_word(keys, name) {
        return complaint.hint(format!("here it is `{own}`"));
    }
    let here = keys.iter().filter(|key| !matches!(key.shape, Shape::Later(_))).map(|key| key.name);
    complaint.hint(format!("the keys here are {}", here.collect::<Vec<_>>().join(", ")))
}

/// Where a key belongs that stands in the wrong section: mostly because the header above it is still a remark.
fn elsewhere(name: &str) -> Option<String> {
    let homes = keys::homes(name);
    if homes.is_empty() {
        return None;
    }
    Some(if homes.iter().any(String::is_empty) {
        format!("`{name}` belongs at the top of the file, above the first [section]")
    } else {
        format!("`{name}` belongs under {}; take the # from that line too", homes.join(" or "))
    })
}

/// The complaint about a key of a later version.
pub(super) fn not_yet(instead: &str) -> Complaint {
    Complaint::new("not available in this version").hint(instead)
}
