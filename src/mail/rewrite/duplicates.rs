//! Fields that a mail may have once and that stand in it several times: one stays, the first that says something.
//!
//! Providers refuse a mail with two of them as none by RFC 5322 §3.6, and of those that take it each reader may see
//! another one. No recipient is lost: the addresses of `To` and `Cc` are joined where they can be read without doubt.
//! A subject that was taken out, and what `Content-` fields said, is not told: the log leaves those out by switches of
//! their own. Several `From` are for whoever takes the mail in to refuse.

use std::collections::HashSet;

use super::Page;
use crate::mail::address::Address;
use crate::mail::change::Rule;
use crate::mail::header::block::Field;
use crate::mail::header::glance::one_line;
use crate::mail::header::mailbox;
use crate::mail::header::parser::{Charset, utf8};
use crate::mail::header::splice::Splice;
use crate::mail::header::usable;
use crate::mail::header::written::Written;

/// What stands in a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Date,
    MessageId,
    /// Addresses that belong together.
    Recipients,
    /// Addresses that stand for each other.
    Mailboxes,
    Text,
    /// How the body is read: always by the first.
    Body,
}

/// RFC 5322 §3.6, RFC 2045 §3 to §5.
const ONCE: [(&str, Kind); 12] = [
    ("Date", Kind::Date),
    ("Sender", Kind::Mailboxes),
    ("Reply-To", Kind::Mailboxes),
    ("To", Kind::Recipients),
    ("Cc", Kind::Recipients),
    ("Message-ID", Kind::MessageId),
    ("In-Reply-To", Kind::Text),
    ("References", Kind::Text),
    ("Subject", Kind::Text),
    ("MIME-Version", Kind::Body),
    ("Content-Type", Kind::Body),
    ("Content-Transfer-Encoding", Kind::Body),
];

/// Characters of a field that was taken out that the log shows.
const SHOWN: usize = 200;

pub(super) fn repair(page: &mut Page<'_>, charset: &Charset) -> Option<Vec<u8>> {
    let mut splice = Splice::new(page.block);
    for (name, kind) in ONCE {
        let fields: Vec<Field<'_>> = page.block.named(name).collect();
        if fields.len() < 2 || !page.may_change(name, Rule::Duplicates) {
            continue;
        }
        let kept = fields.iter().position(|field| says_something(kind, field, charset)).unwrap_or(0);
        let all = if kind == Kind::Recipients { joined(name, &fields, charset) } else { None };
        for (_, field) in fields.iter().enumerate().filter(|(i, _)| *i != kept) {
            splice.remove(field.whole.clone());
        }
        let done = match &all {
            Some(_) => ", with the addresses of all".to_owned(),
            None => taken_out(kind, &fields[usize::from(kept == 0)], charset),
        };
        if let Some(all) = all {
            splice.replace(&fields[kept], &all);
        }
        page.tell(Rule::Duplicates, format!("one {name} of {} stays{done}", fields.len()));
    }
    splice.finish()
}

fn taken_out(kind: Kind, field: &Field<'_>, charset: &Charset) -> String {
    if matches!(kind, Kind::Text | Kind::Body) {
        return String::new();
    }
    match one_line(&text(field, charset), SHOWN).as_str() {
        "" => ", an empty one was taken out".to_owned(),
        was => format!(", {was} was taken out"),
    }
}

fn says_something(kind: Kind, field: &Field<'_>, charset: &Charset) -> bool {
    match kind {
        Kind::Date => usable::date(field.value),
        Kind::MessageId => usable::message_id(field.value),
        Kind::Recipients | Kind::Mailboxes => {
            mailbox::read(&text(field, charset)).mailboxes.iter().any(|mailbox| mailbox.address.is_some())
        }
        Kind::Text => !field.unfolded().is_empty(),
        Kind::Body => true,
    }
}

/// One field with the values of all, those left out that name nobody new; `None` where fewer than two are left, or where
/// a reader might not find the same addresses in it.
fn joined(name: &str, fields: &[Field<'_>], charset: &Charset) -> Option<Written> {
    let (mut known, mut values, mut addresses) = (HashSet::new(), Vec::new(), Vec::new());
    for field in fields {
        let value = text(field, charset);
        let found = readable(&value)?;
        let news = found.iter().filter(|address| known.insert(address.to_ascii_lowercase())).count();
        if news > 0 {
            values.push(value.trim_matches([',', ' ', '\t']).to_owned());
            addresses.extend(found);
        }
    }
    let all = values.join(", ");
    (values.len() > 1 && readable(&all)? == addresses).then(|| Written::structured(name, &all))
}

/// The addresses, if every reader finds the same.
fn readable(value: &str) -> Option<Vec<String>> {
    let reading = mailbox::read(value);
    let addresses: Vec<String> = reading.mailboxes.into_iter().filter_map(|mailbox| mailbox.address).collect();
    let sound = reading.broken.is_none() && addresses.iter().all(|a| Address::parse(a.as_bytes()).is_ok());
    sound.then_some(addresses)
}

fn text(field: &Field<'_>, charset: &Charset) -> String {
    utf8(&field.unfolded(), charset).into_owned()
}
