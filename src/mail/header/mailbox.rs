//! The mailboxes in a field of addresses, read as liberally as devices write them.
//!
//! Gives names as people read them and addresses as they stand, unchecked ([`Address::parse`] checks), and says what is
//! wrong with the writing where not every reader would find the same. Groups are opened (RFC 5322 §3.4). Never fails:
//! what cannot be read gives no mailbox. `mail-parser` would join `a@b <a@b>` into one address, so it is asked for the
//! names alone.
//!
//! [`Address::parse`]: crate::mail::address::Address::parse

use super::block::Block;
use super::parser;
use super::token::{Token, tokens, unquoted};
use crate::mail::address::Address;

/// Who is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mailbox {
    /// The display name, decoded; the comment behind an address where there is no name; the name of an empty group.
    pub name: Option<String>,
    /// `local@domain`, without its angle brackets.
    pub address: Option<String>,
}

/// A field of addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// Members of groups among them.
    pub mailboxes: Vec<Mailbox>,
    /// What is wrong with the writing, for people; the first thing, if there are several.
    pub broken: Option<&'static str>,
}

/// Who a header says the mail is from: the first mailbox in `From` that is an address.
#[must_use]
pub fn author(block: &[u8]) -> Option<Address> {
    let from = Block::read(block).first("From")?;
    let value = from.unfolded();
    let mailboxes = read(std::str::from_utf8(&value).ok()?).mailboxes;
    mailboxes.iter().find_map(|mailbox| Address::parse(mailbox.address.as_deref()?.as_bytes()).ok())
}

/// Reads the value of a field, on one line.
#[must_use]
pub fn read(value: &str) -> Reading {
    let mut reading = Reading::default();
    let (mut entry, mut group) = (Vec::new(), None);
    for token in tokens(value) {
        match token {
            // A second colon is a character like any other.
            Token::Special(":") if group.is_none() && !entry.iter().any(|t| matches!(t, Token::Angle(_))) => {
                group = Some((reading.mailboxes.len(), name_of(&entry)));
                entry.clear();
            }
            Token::Special("," | ";") => {
                reading.add(&entry);
                entry.clear();
                if token == Token::Special(";") {
                    reading.end(group.take());
                }
            }
            token => entry.push(token),
        }
    }
    reading.add(&entry);
    reading.end(group);
    reading.join_torn_name();
    reading
}

impl Reading {
    fn complain(&mut self, about: &'static str) {
        self.broken.get_or_insert(about);
    }

    /// A group that had no members is known by its name.
    fn end(&mut self, group: Option<(usize, Option<String>)>) {
        if let Some((_, name)) = group.filter(|(first, name)| *first == self.mailboxes.len() && name.is_some()) {
            self.mailboxes.push(Mailbox { name, address: None });
        }
    }

    /// What stands between two commas.
    fn add(&mut self, entry: &[Token<'_>]) {
        let phrase: Vec<Token<'_>> = entry.iter().copied().take_while(|t| !matches!(t, Token::Angle(_))).collect();
        let angle = entry.iter().find_map(|t| if let Token::Angle(text) = t { Some(*text) } else { None });
        for token in entry {
            match token {
                Token::Quoted(text) if holds_encoded_word(text) => self.complain("encoded words in quotes"),
                Token::Word(text) if text.starts_with(['"', '(']) => self.complain("a quote that is not closed"),
                Token::Angle(text) if !text.ends_with('>') => self.complain("an angle bracket that is not closed"),
                _ => {}
            }
        }
        let mailbox = match angle {
            Some(angle) => {
                if phrase.iter().any(|t| matches!(t, Token::Word(text) if text.contains('@'))) {
                    self.complain("an @ in the name that is not quoted");
                }
                Mailbox { name: name_of(&phrase), address: inside(angle) }
            }
            None => self.bare(&phrase),
        };
        if mailbox != Mailbox::default() {
            self.mailboxes.push(mailbox);
        }
    }

    /// An address without angle brackets, or a name alone.
    fn bare(&mut self, phrase: &[Token<'_>]) -> Mailbox {
        let clusters: Vec<&[Token<'_>]> = phrase.split(|t| matches!(t, Token::Blank(_) | Token::Comment(_))).collect();
        let is_address =
            |cluster: &&[Token<'_>]| cluster.iter().any(|t| matches!(t, Token::Word(text) if text.contains('@')));
        let Some(i) = clusters.iter().position(is_address) else {
            return Mailbox { name: name_of(phrase), address: None };
        };
        let address: String = clusters[i].iter().map(Token::as_str).collect();
        let others: Vec<Token<'_>> =
            clusters.iter().enumerate().filter(|(n, _)| *n != i).fold(Vec::new(), |mut all, (_, cluster)| {
                all.extend_from_slice(cluster);
                all.push(Token::Blank(" "));
                all
            });
        let named = name_of(&others);
        if named.is_some() {
            self.complain("a name, but no angle brackets around the address");
        }
        Mailbox {
            name: named.or_else(|| name_of(phrase.iter().filter(|t| matches!(t, Token::Comment(_))))),
            address: Some(address),
        }
    }

    /// `Scanner, 2nd floor <a@b>`: the comma should have been quoted.
    fn join_torn_name(&mut self) {
        let [names @ .., last] = self.mailboxes.as_slice() else { return };
        let torn = !names.is_empty() && last.address.is_some() && names.iter().all(|m| m.address.is_none());
        if torn {
            let pieces: Vec<&str> = self.mailboxes.iter().filter_map(|m| m.name.as_deref()).collect();
            let (name, address) = (Some(pieces.join(", ")), last.address.clone());
            self.mailboxes = vec![Mailbox { name, address }];
            self.complain("a comma in the name that is not quoted");
        }
    }
}

/// The name that these tokens spell; comments count where there is nothing else.
pub fn name_of<'t, 'a: 't>(tokens: impl IntoIterator<Item = &'t Token<'a>>) -> Option<String> {
    let (mut words, mut comments) = (String::new(), String::new());
    for token in tokens {
        match token {
            Token::Quoted(text) => words.push_str(&unquoted(text)),
            Token::Comment(text) => comments.push_str(&unquoted(text)),
            // Of a quote that is not closed.
            Token::Word(text) => words.push_str(text.trim_start_matches(['"', '('])),
            Token::Blank(text) | Token::Special(text) => words.push_str(text),
            Token::Angle(_) => {}
        }
    }
    [words, comments].iter().map(|text| parser::text(text.as_bytes())).find(|name| !name.is_empty())
}

/// Without its brackets, and without a source route (RFC 5322 §4.4).
fn inside(angle: &str) -> Option<String> {
    let inner = angle.trim_start_matches('<').trim_end_matches('>').trim();
    let address =
        if inner.starts_with('@') { inner.split_once(':').map_or(inner, |(_, address)| address) } else { inner };
    (!address.is_empty()).then(|| address.to_owned())
}

fn holds_encoded_word(quoted: &str) -> bool {
    quoted.find("=?").is_some_and(|start| quoted[start + 2..].contains("?="))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(value: &str) -> Vec<(String, String)> {
        let mailboxes = read(value).mailboxes.into_iter();
        mailboxes.map(|m| (m.name.unwrap_or_default(), m.address.unwrap_or_default())).collect()
    }

    fn one(name: &str, address: &str) -> Vec<(String, String)> {
        vec![(name.into(), address.into())]
    }

    #[test]
    fn well_written_fields_are_read_and_nothing_is_said() {
        for (value, expected) in [
            ("a@b", one("", "a@b")),
            ("<a@b>", one("", "a@b")),
            ("Scan  2 <a@b>", one("Scan  2", "a@b")),
            ("\"Scanner, 2nd\" <a@b>", one("Scanner, 2nd", "a@b")),
            ("\"x@y\" <a@b>", one("x@y", "a@b")),
            ("=?UTF-8?Q?B=C3=BCro?= =?UTF-8?Q?_2?= <a@b>", one("B\u{fc}ro 2", "a@b")),
            ("a@b (Scanner)", one("Scanner", "a@b")),
            ("<@x,@y:a@b>", one("", "a@b")),
            ("\"odd name\"@x.example", one("", "\"odd name\"@x.example")),
            ("undisclosed-recipients:;", one("undisclosed-recipients", "")),
            ("Team: a@b, C <c@d>;, e@[IPv6:::1]", [one("", "a@b"), one("C", "c@d"), one("", "e@[IPv6:::1]")].concat()),
            ("Scanner", one("Scanner", "")),
            ("", Vec::new()),
            ("<>", Vec::new()),
        ] {
            assert_eq!((seen(value), read(value).broken), (expected, None), "{value}");
        }
    }

    #[test]
    fn what_devices_write_is_read_and_said() {
        for (value, expected, what) in [
            ("\"=?ISO-8859-1?B?QvxybyA=?= =?ISO-8859-1?B?Mg==?=\" <a@b>", one("B\u{fc}ro 2", "a@b"), "encoded words"),
            ("printer@domain.com <printer@domain.com>", one("printer@domain.com", "printer@domain.com"), "an @"),
            ("Scanner, 2nd floor <a@b>", one("Scanner, 2nd floor", "a@b"), "a comma"),
            ("\"Scanner <a@b>", one("Scanner", "a@b"), "a quote"),
            ("Scanner <a@b", one("Scanner", "a@b"), "an angle"),
            ("Scanner 2 a@b", one("Scanner 2", "a@b"), "a name"),
        ] {
            let reading = read(value);
            assert_eq!(seen(value), expected, "{value}");
            assert!(reading.broken.is_some_and(|broken| broken.starts_with(what)), "{value}: {:?}", reading.broken);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(value in "(\\PC|[\"\\\\()<>,;:@=? ]){0,80}") {
            for mailbox in read(&value).mailboxes {
                prop_assert!(mailbox.name.is_some() || mailbox.address.is_some());
            }
        }
    }
}
