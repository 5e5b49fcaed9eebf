//! The configuration file as a report may show it (promise 4).
//!
//! Works by permission: everything is overwritten except white space, names of keys, the signs between them, and
//! values whose key is harmless *and* which look the way that key's values look. So a password is hidden where it
//! belongs, under a misspelt key, as a wrong type, and in a file that is no TOML at all. Remarks, where old passwords
//! like to stand, are blanked. Keeps octets and lines, so that places in the file are places in its mask; characters
//! are kept up to the remark that ends a line.

use super::keys::{self, Key, Kind, ROOT, Shape};
use super::tree::{Entry, Node, Origin, Table, Value};
use super::values;
use crate::mail::display_name::DisplayName;

/// Overwrites what must not be shown; `table` is what the source says, if it could be read.
pub(super) fn mask(source: &str, table: Option<&Table>) -> String {
    let mut mask = Mask { source, shown: vec![false; source.len()], remarks: remarks(source) };
    mask.known_words();
    match table {
        Some(table) => mask.table(table, ROOT),
        None => mask.plain_lines(),
    }
    mask.draw()
}

struct Mask<'a> {
    source: &'a str,
    shown: Vec<bool>,
    /// The octets of the source that a `#` has put out of force.
    remarks: Vec<bool>,
}

/// Finds the remarks: from a `#` outside quotes to the end of its line. Where the file is no TOML this can take a value
/// for a remark, which then is blanked instead of overwritten: hidden in any case.
fn remarks(source: &str) -> Vec<bool> {
    let octets = source.as_bytes();
    let mut found = vec![false; octets.len()];
    let mut quote: Option<&[u8]> = None;
    let mut at = 0;
    while let Some(octet) = octets.get(at) {
        let here = &octets[at..];
        match quote {
            // Quotes of one line end with it, so that a forgotten one spoils no more than its line.
            Some(end) if here.starts_with(end) || (end.len() == 1 && *octet == b'\n') => {
                quote = None;
                at += end.len();
            }
            Some(b"\"" | b"\"\"\"") if *octet == b'\\' => at += 2,
            Some(_) => at += 1,
            None if *octet == b'#' => {
                let length = here.iter().position(|octet| *octet == b'\n').unwrap_or(here.len());
                found[at..at + length].fill(true);
                at += length;
            }
            None => {
                quote = [&b"\"\"\""[..], b"\'\'\'", b"\"", b"\'"].into_iter().find(|quote| here.starts_with(quote));
                at += quote.map_or(1, <[u8]>::len);
            }
        }
    }
    found
}

impl Mask<'_> {
    /// Shows names of the key table where a line begins with them (`host =`) or is a header made of them. Needs no
    /// understanding of the file, so it works for lines that are not TOML.
    fn known_words(&mut self) {
        let mut start = 0;
        for line in self.source.split_inclusive('\n') {
            let is_header = line.trim_start().starts_with('[');
            let head = if is_header { line.len() } else { line.find('=').map_or(0, |at| at + 1) };
            let words = line[..head].split(|c: char| !is_word(c)).filter(|word| !word.is_empty());
            if is_header || words.clone().all(is_known) {
                for word in words.filter(|word| is_known(word)) {
                    let at = start + (word.as_ptr() as usize - line.as_ptr() as usize);
                    self.set(at..at + word.len(), true);
                }
                self.signs(start..start + head);
            }
            start += line.len();
        }
    }

    /// Shows harmless values of a file that is no TOML, where a line is `key = value` and no section has a key of that
    /// name whose values are hidden.
    fn plain_lines(&mut self) {
        let mut start = 0;
        for line in self.source.split_inclusive('\n') {
            if let Some((key, value)) = line.split_once('=') {
                let written = value.split('#').next().unwrap_or_default().trim();
                let text = Value::Text(written.trim_matches(['"', '\'']).to_owned().into());
                let kinds = keys::kinds(key.trim());
                if !kinds.is_empty() && kinds.into_iter().all(|kind| may_be_shown(kind, &text)) {
                    let at = start + (written.as_ptr() as usize - line.as_ptr() as usize);
                    self.set(at..at + written.len(), true);
                }
            }
            start += line.len();
        }
    }

    fn table(&mut self, table: &Table, keys: &'static [Key]) {
        for (name, entry) in &table.0 {
            if let Some(key) = keys::find(keys, name) {
                self.behind(&entry.node, &key.shape);
                self.header(&entry.node);
                self.key(entry);
                continue;
            }
            // Hidden first: a table that a header implies has its key for its span.
            match keys::kinds(name)[..] {
                // A key of another section is as harmless here as there.
                [kind, ..] if keys::kinds(name).into_iter().all(Kind::is_harmless) => self.value(&entry.node, kind),
                _ => self.hide(&entry.node),
            }
            self.header(&entry.node);
            if values::looks_like_key(name) {
                self.key(entry);
            }
        }
    }

    fn behind(&mut self, node: &Node, shape: &Shape) {
        match (shape, &node.value) {
            (Shape::Value(kind) | Shape::List(kind), _) => self.value(node, *kind),
            (Shape::Section(keys), Value::Table(table)) => {
                self.frame(node);
                self.table(table, keys);
            }
            (Shape::Each(keys), Value::List(list)) => {
                self.frame(node);
                for node in list {
                    self.behind(node, &Shape::Section(keys));
                }
            }
            (Shape::Named(keys), Value::Table(table)) => {
                self.frame(node);
                for entry in self.named(table) {
                    self.behind(&entry.node, &Shape::Section(keys));
                }
            }
            (Shape::Map(kind), Value::Table(table)) => {
                self.frame(node);
                for entry in self.named(table) {
                    self.value(&entry.node, *kind);
                }
            }
            _ => self.hide(node),
        }
    }

    /// Shows the names an administrator gave, where they look like such names.
    fn named<'t>(&mut self, table: &'t Table) -> Vec<&'t Entry> {
        for (name, entry) in &table.0 {
            if values::looks_like_name(name) {
                self.key(entry);
            }
        }
        table.0.values().collect()
    }

    fn value(&mut self, node: &Node, kind: Kind) {
        match &node.value {
            Value::List(list) if kind.is_harmless() => {
                self.frame(node);
                for node in list {
                    self.value(node, kind);
                }
            }
            value => self.at(node, may_be_shown(kind, value)),
        }
    }

    /// Shows a key and the `=` behind it.
    fn key(&mut self, entry: &Entry) {
        let Origin::File(span) = &entry.origin else { return };
        self.set(span.clone(), true);
        let behind = self.source.get(span.end..).unwrap_or_default();
        let gap = behind.len() - behind.trim_start_matches([' ', '\t']).len();
        if behind[gap..].starts_with('=') {
            self.set(span.end + gap..span.end + gap + 1, true);
        }
    }

    /// Shows the brackets, braces and commas of an inline table or a list; what lies between is decided later.
    fn frame(&mut self, node: &Node) {
        if let Origin::File(span) = &node.origin {
            self.signs(span.clone());
        }
    }

    /// Shows the brackets of a header: the one kind of table that begins with one.
    fn header(&mut self, node: &Node) {
        let Origin::File(span) = &node.origin else { return };
        let is_header = self.source.as_bytes().get(span.start) == Some(&b'[');
        if is_header && matches!(node.value, Value::Table(_)) {
            self.signs(span.clone());
        }
    }

    fn signs(&mut self, span: std::ops::Range<usize>) {
        for at in span {
            if matches!(self.source.as_bytes().get(at), Some(b'[' | b']' | b'{' | b'}' | b'=' | b',' | b'.')) {
                self.set(at..at + 1, true);
            }
        }
    }

    fn hide(&mut self, node: &Node) {
        self.at(node, false);
    }

    fn at(&mut self, node: &Node, shown: bool) {
        if let Origin::File(span) = &node.origin {
            self.set(span.clone(), shown);
        }
    }

    fn set(&mut self, span: std::ops::Range<usize>, shown: bool) {
        if let Some(part) = self.shown.get_mut(span) {
            part.fill(shown);
        }
    }

    fn draw(&self) -> String {
        let mut drawn = String::with_capacity(self.source.len());
        for (at, c) in self.source.char_indices() {
            match c {
                _ if self.shown[at] || c.is_ascii_whitespace() => drawn.push(c),
                // As many octets as the character had.
                _ if self.remarks[at] => drawn.extend(std::iter::repeat_n(' ', c.len_utf8())),
                _ => drawn.push(['*', '·', '•', '🞄'][c.len_utf8() - 1]),
            }
        }
        drawn
    }
}

/// Whether a report may show this value: it is of a harmless kind and looks the way that kind looks.
fn may_be_shown(kind: Kind, value: &Value) -> bool {
    match (kind, value) {
        (Kind::Number(..) | Kind::Duration | Kind::Size, Value::Integer(_))
        | (Kind::Flag, Value::Boolean(_) | Value::Integer(0 | 1)) => true,
        // Misspelt values are what the reader wants to see; of digits and signs there are none in those words.
        (Kind::Word(words), Value::Text(text)) => {
            keys::nearest_word(words.iter().copied(), text).is_some() || is_plain_word(text, 16)
        }
        (Kind::Flag, Value::Text(text)) => is_plain_word(text, 8),
        (Kind::Number(..), Value::Text(text)) => {
            let text = text.trim();
            (text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit())) || is_plain_word(text, 8)
        }
        (Kind::Duration | Kind::Size, Value::Text(text)) => {
            let unit = |unit: &str| unit.len() <= 3 || is_plain_word(unit, 8);
            text.len() <= 12 && values::split_unit(text).is_some_and(|(_, rest)| unit(rest))
        }
        (Kind::Date, Value::Text(text)) => {
            text.len() <= 10 && text.bytes().all(|b| b.is_ascii_digit() || b"-./".contains(&b))
        }
        (Kind::Name | Kind::Host | Kind::HostByRegion, Value::Text(text)) => {
            text.len() <= 255 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/[]".contains(&b))
        }
        (Kind::NamePattern, Value::Text(text)) => values::looks_like_name(&text.replace('*', "x")),
        (Kind::Socket | Kind::Network, Value::Text(text)) => {
            let octets = |b: u8| b.is_ascii_hexdigit() || b".:/[]%*".contains(&b);
            let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
            let port_alone = text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit());
            let is_number = text.contains([':', '.']) && text.bytes().all(octets);
            // Names are no addresses, but a common mistake where one is wanted.
            let is_name = host.is_empty() || host == "*" || host == "localhost" || host.contains('.');
            let is_port = port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit()) || is_plain_word(port, 8);
            let named = is_name && is_port && (host.len() < 2 || values::is_domain(host) || host.bytes().all(octets));
            text.len() <= 100 && (port_alone || is_number || named)
        }
        (Kind::Mail | Kind::Pattern, Value::Text(text)) => {
            text.len() <= 254 && text.contains(['@', '*']) && !text.contains(char::is_whitespace)
        }
        // A digest says nothing about what it was made of.
        (Kind::Pin, Value::Text(text)) => {
            text.len() <= 120 && (text.starts_with("sha256/") || text.starts_with("certificate/"))
        }
        (Kind::Path, Value::Text(text)) => {
            text.len() <= 255 && text.contains(['/', '\\', '.']) && !text.contains(['\n', '\r'])
        }
        (Kind::Phrase, Value::Text(text)) => DisplayName::parse(text).is_ok(),
        _ => false,
    }
}

/// Letters alone, and few of them.
fn is_plain_word(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphabetic() || b"_/ ".contains(&b))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn is_known(word: &str) -> bool {
    fn within(keys: &'static [Key], word: &str) -> bool {
        keys.iter().any(|key| {
            key.name == word
                || match key.shape {
                    Shape::Section(keys) | Shape::Named(keys) | Shape::Each(keys) => within(keys, word),
                    Shape::Value(_) | Shape::List(_) | Shape::Map(_) | Shape::Later(_) => false,
                }
        })
    }
    within(ROOT, word)
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    fn masked(source: &str) -> String {
        let table = tree::parse(source).ok();
        let masked = mask(source, table.as_ref());
        assert_eq!(masked.len(), source.len());
        masked
    }

    #[test]
    fn harmless_values_are_shown_and_all_others_are_not() {
        assert_eq!(
            masked(
                "[accounts.office]\nhost = \"smtp.example.com\"\nport = 465\npassword = \"hünter2\" # old: hunter1\n"
            ),
            "[accounts.office]\nhost = \"smtp.example.com\"\nport = 465\npassword = **·******               \n"
        );
        assert_eq!(
            masked("[accounts.a]\noauth = { grant = \"command\", command = [\"get\", \"-p\", \"s3cret\"] }\n"),
            "[accounts.a]\noauth = { grant = \"command\", command = ******* ***** ********* }\n"
        );
    }

    #[test]
    fn values_of_the_wrong_kind_or_under_unknown_keys_are_hidden() {
        assert_eq!(
            masked("[accounts.a]\npasword = \"x\"\nport = \"y1\"\n"),
            "[accounts.a]\npasword = ***\nport = ****\n"
        );
        assert_eq!(masked("[accounts.a.password.inner]\nkey = 1\n"), "[accounts.a.password.*****]\nkey = *\n");
    }

    #[test]
    fn a_file_that_is_no_toml_shows_its_known_words_only() {
        assert_eq!(
            masked("password = \"open\nopen sesame\n[accounts.x]\n"),
            "password = *****\n**** ******\n[accounts.*]\n"
        );
    }

    #[test]
    fn only_values_that_look_like_their_kind_may_be_shown() {
        let text = |text: &str| Value::Text(text.to_owned().into());
        assert!(may_be_shown(Kind::Host, &text("smtp.example.com:465")));
        assert!(!may_be_shown(Kind::Host, &text("user:pass@smtp.example.com")));
        assert!(may_be_shown(Kind::Network, &text("localhost:25")));
        assert!(!may_be_shown(Kind::Network, &text("deadbeefcafe")));
        assert!(may_be_shown(Kind::Word(&["implicit"]), &text("implict")));
        assert!(!may_be_shown(Kind::Word(&["implicit"]), &text("hunter2")));
        assert!(may_be_shown(Kind::Word(&["implicit"]), &text("ssl/tls")));
        assert!(may_be_shown(Kind::Number(1, 9), &text("smtps")));
        assert!(!may_be_shown(Kind::Number(1, 9), &text("123456")));
        assert!(!may_be_shown(Kind::Network, &text("deadbeefcafe:hunter2")));
        assert!(!may_be_shown(Kind::Hidden, &Value::Integer(1)));
        assert!(!may_be_shown(Kind::Secret, &Value::Integer(1)));
    }
}
