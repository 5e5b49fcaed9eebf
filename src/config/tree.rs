//! What the user wrote, as a tree in which every key and value knows where it was written.
//!
//! Made from TOML here and overlaid with environment variables and flags by `layers`. Texts are wiped on drop, and
//! nothing in the tree has a `Debug`, because any of them may be a secret (promise 4). Says nothing about meaning.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

/// Where something was written.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// These octets of the file.
    File(Range<usize>),
    /// This environment variable.
    Variable(Rc<str>),
    /// This flag of the command line.
    Flag(Rc<str>),
    /// The preset of this name, which was asked for there.
    Preset(Rc<str>, Rc<Origin>),
    /// Nowhere: it is missing.
    Nowhere,
}

/// A value and its origin.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) value: Value,
}

/// A value as written.
#[derive(Clone)]
pub(super) enum Value {
    Text(Zeroizing<String>),
    Integer(i64),
    Boolean(bool),
    List(Vec<Node>),
    Table(Table),
    /// A float, a date, or a number too large: no key takes one.
    Other,
}

/// One entry of a table: where the key stands, and what stands behind it.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) origin: Origin,
    pub(super) node: Node,
}

/// Keys in alphabetical order.
#[derive(Clone, Default)]
pub(super) struct Table(pub(super) BTreeMap<String, Entry>);

impl Table {
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.0.get(key)
    }

    /// The table behind a key, made if it is not there; `None` if something else stands there.
    pub(super) fn table(&mut self, key: &str, origin: &Origin) -> Option<&mut Table> {
        match &mut self.entry(key, origin, Value::Table(Table::default())).value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The list behind a key, made if it is not there; `None` if something else stands there.
    pub(super) fn list(&mut self, key: &str, origin: &Origin) -> Option<&mut Vec<Node>> {
        match &mut self.entry(key, origin, Value::List(Vec::new())).value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    fn entry(&mut self, key: &str, origin: &Origin, value: Value) -> &mut Node {
        let fresh = || Entry { origin: origin.clone(), node: Node { origin: origin.clone(), value } };
        &mut self.0.entry(key.to_owned()).or_insert_with(fresh).node
    }

    /// Puts a value behind a key, whatever stood there.
    pub(super) fn put(&mut self, key: &str, node: Node) {
        self.0.insert(key.to_owned(), Entry { origin: node.origin.clone(), node });
    }
}

/// A syntax error: where, and what the parser says. Its sentences are fixed ones and repeat nothing of the file.
pub(super) struct Syntax {
    pub(super) span: Range<usize>,
    pub(super) message: String,
}

/// Reads TOML.
///
/// # Errors
/// All syntax errors of the file at once.
pub(super) fn parse(source: &str) -> Result<Table, Vec<Syntax>> {
    let (table, errors) = DeTable::parse_recoverable(source);
    if errors.is_empty() {
        return Ok(from_table(table.get_ref()));
    }
    let end = source.len();
    Err(errors
        .into_iter()
        .map(|error| Syntax { span: error.span().unwrap_or(end..end), message: error.message().to_owned() })
        .collect())
}

fn from_table(table: &DeTable<'_>) -> Table {
    let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let key: &Spanned<std::borrow::Cow<'_, str>> = key;
        (key.get_ref().to_string(), Entry { origin: Origin::File(key.span()), node: from_value(value) })
    };
    Table(table.iter().map(entry).collect())
}

fn from_value(value: &Spanned<DeValue<'_>>) -> Node {
    let origin = Origin::File(value.span());
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(Zeroizing::new(text.to_string())),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Other, Value::Integer)
        }
        DeValue::Boolean(flag) => Value::Boolean(*flag),
        DeValue::Array(list) => Value::List(list.iter().map(from_value).collect()),
        DeValue::Table(table) => Value::Table(from_table(table)),
        DeValue::Float(_) | DeValue::Datetime(_) => Value::Other,
    };
    Node { origin, value }
}
