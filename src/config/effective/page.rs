//! One section of [`super::Effective`] in the making, line by line.
//!
//! Looks up who wrote each value; what nobody wrote is what its caller says it is.

use super::{Line, Origins, Section, Shown, Whence, words};

/// One section in the making.
pub(super) struct Page<'a> {
    /// As in `accounts.office.`; empty at the top.
    prefix: String,
    pub(super) section: Section,
    origins: &'a Origins,
}

impl<'a> Page<'a> {
    pub(super) fn new(header: &str, path: &str, origins: &'a Origins) -> Self {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
        Self { prefix, section: Section { header: header.to_owned(), lines: Vec::new() }, origins }
    }

    /// A value that was written, or is the default.
    pub(super) fn put(&mut self, key: &str, value: impl Into<toml::Value>) {
        self.line(key, Shown::Whole(value.into()), Whence::Default);
    }

    /// A value that has no default.
    pub(super) fn put_some(&mut self, key: &str, value: Option<impl Into<toml::Value>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// A value that only filled a gap in others, as it was written.
    pub(super) fn put_template(&mut self, key: &str) {
        let written = self.origins.templates.get(&format!("{}{key}", self.prefix)).map(String::as_str);
        self.put_some(key, written);
    }

    /// A list that has no default.
    pub(super) fn put_list<T: ToString>(&mut self, key: &str, items: &[T]) {
        if !items.is_empty() {
            self.put(key, words::list(items));
        }
    }

    /// A value that follows from something else when it was not written.
    pub(super) fn derived(&mut self, key: &str, value: impl Into<toml::Value>, how: &str) {
        self.line(key, Shown::Whole(value.into()), Whence::Derived(how.to_owned()));
    }

    /// What the relay uses although nobody wrote it.
    pub(super) fn unwritten(&mut self, key: &str, value: impl Into<toml::Value>, how: &str) {
        self.line(key, Shown::Unwritten(value.into()), Whence::Derived(how.to_owned()));
    }

    /// A value of which only this may be seen.
    pub(super) fn hidden(&mut self, key: &str, seen: impl Into<toml::Value>) {
        self.line(key, Shown::Hidden(seen.into()), Whence::Default);
    }

    pub(super) fn is_written(&self, key: &str) -> bool {
        self.origins.written.contains_key(&format!("{}{key}", self.prefix))
    }

    /// The file with a secret that was named by this key.
    pub(super) fn secret_file(&self, key: &str) -> Option<toml::Value> {
        self.origins.secret_files.get(&format!("{}{key}", self.prefix)).map(|path| words::path(path))
    }

    fn line(&mut self, key: &str, shown: Shown, otherwise: Whence) {
        let path = format!("{}{key}", self.prefix);
        let whence = self.origins.written.get(&path).map_or(otherwise, |by| Whence::Written(by.clone()));
        self.section.lines.push(Line { path, key: words::key(key), shown, whence });
    }
}
