//! What the log tells of a message besides its envelope: who writes to whom, about what, and what is attached.
//!
//! Guarantees single lines without control characters, cut where they are long, and a bounded number of them: what a
//! device writes can neither begin a line of the log nor fill it. Nothing here decides anything.

use std::fmt;

use super::head::Head;
use super::part::Nature;
use crate::mail::header::block::Block;
use crate::mail::header::glance::one_line;
use crate::mail::header::parser;

/// Characters of a field at most.
const LONGEST: usize = 200;

/// Characters of the name of a file at most.
const LONGEST_NAME: usize = 100;

/// Octets of a field that are looked at.
const LOOKED_AT: usize = 4096;

/// Attachments that are named.
const MOST: usize = 10;

/// What is known of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// `From:`, decoded.
    pub from: Option<String>,
    /// `To:`, decoded.
    pub to: Option<String>,
    /// `Subject:`, decoded.
    pub subject: Option<String>,
    /// `Message-ID:` without its angle brackets.
    pub message_id: Option<String>,
    /// The first of them, in the order in which they ended.
    pub attachments: Vec<Attachment>,
    /// How many more there are.
    pub more: usize,
}

/// A file in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// What it is called, if it has a name.
    pub name: Option<String>,
    /// For instance `application/pdf`.
    pub media_type: String,
    /// Octets, decoded.
    pub size: u64,
}

impl Facts {
    /// What the header says.
    #[must_use]
    pub fn of(block: &Block<'_>) -> Self {
        let text = |name| {
            let field = block.first(name)?;
            let value = &field.value[..field.value.len().min(LOOKED_AT)];
            Some(one_line(&parser::text(value), LONGEST)).filter(|text| !text.is_empty())
        };
        let id = block.first("Message-ID").filter(|field| field.value.len() <= LOOKED_AT);
        Self {
            from: text("From").as_deref().map(without_blanks_in_quotes),
            to: text("To").as_deref().map(without_blanks_in_quotes),
            subject: text("Subject"),
            message_id: id.and_then(|field| parser::message_id(field.value)),
            attachments: Vec::new(),
            more: 0,
        }
    }

    /// A part has ended that is in no message within this one.
    pub(super) fn add(&mut self, head: &Head, nature: Nature, size: u64) {
        let name = head.file_name().map(|name| one_line(name, LONGEST_NAME)).filter(|name| !name.is_empty());
        let attached = head.disposition.as_ref().is_some_and(|disposition| disposition.kind == "attachment");
        let text = head.content.kind == "text" && !attached && name.is_none();
        if nature == Nature::Multipart || text {
            return;
        }
        if self.attachments.len() == MOST {
            self.more += 1;
            return;
        }
        let media_type = one_line(&format!("{}/{}", head.content.kind, head.content.subtype), LONGEST_NAME);
        self.attachments.push(Attachment { name, media_type, size });
    }
}

/// Copiers encode the blanks of their name too: `" Copier " <a@b>` is `"Copier" <a@b>`.
fn without_blanks_in_quotes(text: &str) -> String {
    let pieces = text.split('"').enumerate().map(|(i, piece)| if i % 2 == 1 { piece.trim() } else { piece });
    pieces.collect::<Vec<_>>().join("\"")
}

/// `scan.pdf (application/pdf, 48211 octets)`
impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or("without a name");
        write!(f, "{name} ({}, {} octets)", self.media_type, self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_without_the_blanks_a_copier_encodes() {
        let shown = |from: &str| Facts::of(&Block::read(format!("From: {from}\r\n\r\n").as_bytes())).from.unwrap();
        assert_eq!(shown("\"=?UTF-8?Q?_Copier_2_?=\" <a@b>"), "\"Copier 2\" <a@b>");
        assert_eq!(shown("\"A, B\" <a@b>, \" C\" <c@d>"), "\"A, B\" <a@b>, \"C\" <c@d>");
        assert_eq!(shown("a@b (\" x)"), "a@b (\"x)");
    }
}
