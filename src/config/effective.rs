//! The configuration in force, every key with its value and where the value came from.
//!
//! Made from the settings the rooms are given, never from a table of defaults of its own, so that it cannot say
//! anything else than what holds. On paper it is TOML that can be used again: secrets, and what could hold one, stand
//! there as remarks and are for the reader to fill in; so does what is only decided when the relay runs.

mod content;
mod oauth;
mod page;
mod pages;
mod providers;
mod signing;
mod words;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::files::{Named, NamedFile};
use super::finding::{Findings, Place};
use super::tree::{Node, Origin, Table, Value};

/// Where each key that was written stands, and the files with secrets that were named.
#[derive(Debug, Default)]
pub struct Origins {
    /// By key, in few words: `posthouse.toml:12`, `POSTHOUSE__LOG__LEVEL`, `--log-level`, or `provider gmail,` and
    /// where it was asked for.
    written: BTreeMap<String, String>,
    secret_files: BTreeMap<String, PathBuf>,
    /// What only filled gaps in other values, and stands in no setting: regions and tenants.
    templates: BTreeMap<String, String>,
}

/// The whole of it, in the order of a configuration file.
#[derive(Debug)]
pub struct Effective {
    file: Option<PathBuf>,
    sections: Vec<Section>,
}

/// One section; its lines are never empty.
#[derive(Debug)]
struct Section {
    /// `[accounts.office]`; empty for the top of the file.
    header: String,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    /// As a finding writes it: `accounts.office.port`.
    path: String,
    /// As it stands in its section: `port`.
    key: String,
    shown: Shown,
    whence: Whence,
}

/// What is to be seen of a value.
#[derive(Debug)]
enum Shown {
    /// All of it.
    Whole(toml::Value),
    /// Not what makes it a secret.
    Hidden(toml::Value),
    /// What the relay will use, although nothing was written: a remark, because written it would mean more.
    Unwritten(toml::Value),
}

/// Who said so.
#[derive(Debug)]
enum Whence {
    /// The user, at this place (several for a list that was written in several); or the provider.
    Written(String),
    /// Nobody.
    Default,
    /// Another value or the machine; the text says which.
    Derived(String),
}

impl Origins {
    pub(super) fn new(table: &Table, findings: &Findings, named_files: &[Named]) -> Self {
        let mut origins = Self::default();
        origins.table(table, "", findings);
        for Named { key, file, .. } in named_files {
            if let NamedFile::Secret(path) | NamedFile::VaultKey(path) = file {
                origins.secret_files.insert(key.clone(), path.clone());
            }
        }
        origins
    }

    /// Whether anything was written below this, which ends in a dot.
    fn has_section(&self, prefix: &str) -> bool {
        self.written.range(prefix.to_owned()..).next().is_some_and(|(path, _)| path.starts_with(prefix))
    }

    fn table(&mut self, table: &Table, prefix: &str, findings: &Findings) {
        for (name, entry) in &table.0 {
            self.node(&entry.node, format!("{prefix}{name}"), findings);
        }
    }

    fn node(&mut self, node: &Node, path: String, findings: &Findings) {
        let mut written = in_words(&node.origin, findings);
        match &node.value {
            Value::Table(table) => return self.table(table, &format!("{path}."), findings),
            Value::List(list) => {
                for (i, item) in list.iter().enumerate() {
                    if let Value::Table(table) = &item.value {
                        self.table(table, &format!("{path}[{i}]."), findings);
                        continue;
                    }
                    // Where the file's own entries stand is known from where their list begins.
                    let by = in_words(&item.origin, findings);
                    if !matches!(item.origin, Origin::File(_)) && !written.split(", ").any(|other| other == by) {
                        written = format!("{written}, {by}");
                    }
                }
            }
            Value::Text(text) if path.ends_with(".region") || path.ends_with(".tenant") => {
                self.templates.insert(path.clone(), text.trim().to_owned());
            }
            _ => {}
        }
        if path.ends_with(".provider") && matches!(node.origin, Origin::Preset(..)) {
            // The guess itself has nothing else to go by.
            "from address".clone_into(&mut written);
        }
        self.written.insert(path, written);
    }
}

impl Whence {
    fn in_words(&self) -> &str {
        match self {
            Self::Written(how) | Self::Derived(how) => how,
            Self::Default => "default",
        }
    }
}

/// Where somebody wrote it, short enough for the end of a line.
fn in_words(origin: &Origin, findings: &Findings) -> String {
    if let Origin::Preset(provider, asked) = origin {
        return format!("provider {provider}, {}", in_words(asked, findings));
    }
    match findings.place(origin) {
        Place::File { file, line, .. } => {
            let name =
                Path::new(&file.name).file_name().map_or(file.name.as_str().into(), |name| name.to_string_lossy());
            format!("{name}:{line}")
        }
        Place::Variable(name) | Place::Flag(name) => name,
        Place::Nowhere => "default".into(),
    }
}

/// Values longer than this do not push the remarks of the others to the right.
const WIDEST: usize = 56;

impl Effective {
    /// As a configuration file, each value with a remark that says where it came from.
    #[must_use]
    pub fn toml(&self) -> String {
        let file = self.file.as_ref().map(|path| format!("{}, ", path.display())).unwrap_or_default();
        let mut text = format!(
            "# The configuration in force, from {file}environment variables, flags and defaults.\n\
             # A line that begins with # shows something hidden, or what Posthouse finds out by itself.\n"
        );
        for section in &self.sections {
            text.push('\n');
            if !section.header.is_empty() {
                text.push_str(&section.header);
                text.push('\n');
            }
            let written: Vec<(String, &Line)> = section.lines.iter().map(|line| (line.toml(), line)).collect();
            let lengths = written.iter().map(|(text, _)| text.chars().count());
            let width = lengths.filter(|length| *length <= WIDEST).max().unwrap_or(0);
            for (written, line) in written {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{written:width$}  # {}", line.whence.in_words());
            }
        }
        text
    }

    /// For programs: the file, and `settings`, an array of objects with `key`, `origin`, and `value` or, if it may not
    /// be seen, `hidden`; `unwritten` marks what Posthouse finds out by itself.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let lines = self.sections.iter().flat_map(|section| &section.lines);
        let settings: Vec<serde_json::Value> = lines.map(Line::json).collect();
        serde_json::json!({ "file": self.file, "settings": settings })
    }

    /// The defaults among the values, by key.
    pub(super) fn defaults(&self) -> BTreeMap<&str, &toml::Value> {
        let lines = self.sections.iter().flat_map(|section| &section.lines);
        let defaults = lines.filter_map(|line| match (&line.shown, &line.whence) {
            (Shown::Whole(value), Whence::Default) => Some((line.path.as_str(), value)),
            _ => None,
        });
        defaults.collect()
    }
}

impl Line {
    fn toml(&self) -> String {
        match &self.shown {
            Shown::Whole(value) => format!("{} = {value}", self.key),
            Shown::Hidden(value) | Shown::Unwritten(value) => format!("# {} = {value}", self.key),
        }
    }

    fn json(&self) -> serde_json::Value {
        let mut object = serde_json::json!({ "key": self.path, "origin": self.whence.in_words() });
        match &self.shown {
            Shown::Whole(value) => object["value"] = as_json(value),
            Shown::Hidden(_) => object["hidden"] = true.into(),
            Shown::Unwritten(value) => {
                object["value"] = as_json(value);
                object["unwritten"] = true.into();
            }
        }
        object
    }
}

/// Texts, numbers, flags and lists of texts are all there is.
pub(super) fn as_json(value: &toml::Value) -> serde_json::Value {
    match value {
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Boolean(flag) => (*flag).into(),
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Array(list) => list.iter().map(as_json).collect(),
        other => other.to_string().into(),
    }
}
