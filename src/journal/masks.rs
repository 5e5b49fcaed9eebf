//! What the log leaves out, where it is read by people who should not see whose mail it was.
//!
//! Guarantees that with `addresses` no address and no name of a person comes into the log through an event: not from an
//! envelope, a header, or the reply of a provider, nor from the lines of a session. The first letter and the domain
//! stay, because with neither nobody finds a mail any more.

use std::borrow::Cow;

use crate::mail::change::{Change, Rule};

/// `[log] mask = […]`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Masks {
    /// `addresses`: of senders and recipients, and their names.
    pub addresses: bool,
    /// `subjects`
    pub subjects: bool,
    /// `attachments`: the names of files; their types and sizes stay.
    pub attachments: bool,
}

impl Masks {
    /// A text in which addresses may stand.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.addresses && text.contains('@') { Cow::Owned(without_local_parts(text)) } else { Cow::Borrowed(text) }
    }

    /// What was changed in a message, on one line. Whoever is not to see addresses does not see names either.
    #[must_use]
    pub fn changes(&self, changes: &[Change]) -> String {
        let of_people = [
            Rule::From,
            Rule::SenderName,
            Rule::BrokenFrom,
            Rule::Sender,
            Rule::ReplyTo,
            Rule::OriginalFrom,
            Rule::Duplicates,
            // The subject of a certificate may be a person.
            Rule::Signed,
            Rule::NotSigned,
        ];
        let told = |change: &Change| {
            let hidden = self.addresses && of_people.contains(&change.rule);
            if hidden { change.rule.word().to_owned() } else { self.text(&change.to_string()).into_owned() }
        };
        changes.iter().map(told).collect::<Vec<_>>().join("; ")
    }
}

/// `jane@example.com` as `j…@example.com`, wherever it stands.
fn without_local_parts(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut pieces = text.split('@').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            out.push_str(piece);
            break;
        }
        let local = local_part(piece);
        out.push_str(&piece[..piece.len() - local.len()]);
        out.extend(local.chars().next());
        out.push_str(if local.is_empty() { "@" } else { "…@" });
    }
    out
}

/// The end of the text that could be a local part (RFC 5321 §4.1.2).
fn local_part(text: &str) -> &str {
    if let Some(quoted) = text.strip_suffix('"') {
        return quoted.rfind('"').map_or(text, |start| &text[start..]);
    }
    let apart = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | ',' | ';' | ':' | '"');
    text.rfind(apart).map_or(text, |before| text[before..].trim_start_matches(apart))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_name_no_person_where_addresses_are_masked() {
        let changes = [
            Change::new(Rule::EnvelopeSender, "jane@home.example became fax@example.com"),
            Change::new(Rule::From, "Jane Doe <jane@home.example> became fax@example.com"),
            Change::new(Rule::Duplicates, "one Cc of 2 stays, Jane Doe <jane@home.example> was taken out"),
            Change::new(Rule::Bcc, "was taken out"),
        ];
        let shown = |masks: Masks| masks.changes(&changes);
        assert!(shown(Masks::default()).contains("from: Jane Doe <jane@home.example> became"));
        let masked = shown(Masks { addresses: true, ..Masks::default() });
        assert_eq!(
            masked,
            "envelope_sender: j…@home.example became f…@example.com; from; duplicates; bcc: was taken out"
        );
    }

    #[test]
    fn only_the_first_letter_of_a_local_part_is_shown() {
        let masks = Masks { addresses: true, ..Masks::default() };
        for (text, shown) in [
            ("jane@example.com", "j…@example.com"),
            ("550 5.1.1 <jane.doe+x@example.com>: unknown", "550 5.1.1 <j…@example.com>: unknown"),
            ("a@b.example,ü.x@c.example and 3 more", "a…@b.example,ü…@c.example and 3 more"),
            ("\"jane doe\"@example.com", "\"…@example.com"),
            ("RCPT TO:<jane@example.com>", "RCPT TO:<j…@example.com>"),
            ("250 ok", "250 ok"),
            ("@ @", "@ @"),
        ] {
            assert_eq!(masks.text(text), shown);
            assert_eq!(Masks::default().text(text), text);
        }
    }
}
