//! One thing that is wrong or risky, and the list they are gathered in.
//!
//! A finding names its place, says what was expected, and gives a hint. Its texts never repeat a value as it was
//! written (promise 4): only what was understood as a name, a number or an address is said again, and the file it
//! points into is the masked one. How findings look on paper is decided in `report`.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::tree::Origin;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The relay does not start with it.
    Error,
    /// It works, at a risk the administrator should know.
    Warning,
}

/// Where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the file; line and column count from 1, columns in characters.
    File { file: Arc<Masked>, line: usize, column: usize, span: Range<usize> },
    /// In an environment variable.
    Variable(String),
    /// In a flag of the command line.
    Flag(String),
    /// Something is missing, or the whole is meant.
    Nowhere,
}

/// The configuration file as it may be shown: every value that could be a secret is overwritten.
#[derive(Debug, PartialEq, Eq)]
pub struct Masked {
    /// The path as it was asked for.
    pub name: String,
    /// As many characters on as many lines as the file has.
    pub text: String,
}

/// One thing that is wrong or risky.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where it stands.
    pub place: Place,
    /// The key, as in `accounts.office.port`; empty for the whole.
    pub key: String,
    /// What is wrong and what was expected.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line, .. } => write!(f, "{} line {line}", file.name),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
            Self::Nowhere => Ok(()),
        }
    }
}

impl Finding {
    /// The whole of it on one line, for a log: key, message, place and cure.
    #[must_use]
    pub fn one_line(&self) -> String {
        let key = if self.key.is_empty() { String::new() } else { format!("{}: ", self.key) };
        let place = if self.place == Place::Nowhere { String::new() } else { format!(" ({})", self.place) };
        let cure = self.hint.as_ref().map(|hint| format!("; {}", hint.replace('\n', " "))).unwrap_or_default();
        format!("{key}{}{place}{cure}", self.message)
    }
}

/// What is wrong with a value, before it is known where the value stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Complaint {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The list findings are gathered in, and the file they point into.
pub(super) struct Findings {
    file: Option<Arc<Masked>>,
    found: RefCell<Vec<Finding>>,
}

impl Findings {
    pub(super) fn new(file: Option<Masked>) -> Self {
        Self { file: file.map(Arc::new), found: RefCell::default() }
    }

    pub(super) fn error(&self, origin: &Origin, key: &str, complaint: Complaint) {
        self.add(Severity::Error, origin, key, complaint);
    }

    pub(super) fn warning(&self, origin: &Origin, key: &str, complaint: Complaint) {
        self.add(Severity::Warning, origin, key, complaint);
    }

    fn add(&self, severity: Severity, origin: &Origin, key: &str, complaint: Complaint) {
        let Complaint { message, hint } = complaint;
        let place = self.place(origin);
        self.found.borrow_mut().push(Finding { severity, place, key: key.to_owned(), message, hint });
    }

    /// The place of an origin, as it may be shown.
    pub(super) fn place(&self, origin: &Origin) -> Place {
        match (origin, &self.file) {
            (Origin::File(span), Some(file)) => {
                let (line, column) = position(&file.text, span.start);
                Place::File { file: file.clone(), line, column, span: span.clone() }
            }
            (Origin::Variable(name), _) => Place::Variable(name.to_string()),
            (Origin::Flag(name), _) => Place::Flag(name.to_string()),
            // What a preset filled in is looked for where the preset was asked for.
            (Origin::Preset(_, asked), _) => self.place(asked),
            (Origin::Nowhere | Origin::File(_), _) => Place::Nowhere,
        }
    }

    /// All findings: those of the file from top to bottom, then variables and flags, then the rest.
    pub(super) fn into_sorted(self) -> Vec<Finding> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|finding| match &finding.place {
            Place::File { span, .. } => (0, span.start),
            Place::Variable(_) => (1, 0),
            Place::Flag(_) => (2, 0),
            Place::Nowhere => (3, 0),
        });
        found
    }
}

/// Line and column of an octet, both from 1.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
