//! What an account changes in the header of a message before it goes to the provider.
//!
//! [`rewrite`] takes the header block as it is stored and gives the one that is sent. It is the same for every attempt, as
//! long as the rules are. Fields that no rule names keep every octet, and every change is told. A field that a signature
//! covers is left alone by fix-ups; where the sender policy must change one, that is told as well. Octets that no rule can
//! read stay as they are.

mod duplicates;
mod eight_bit;
mod fields;
mod from;
mod received;
pub mod rule;
mod rules;
mod signed;

use std::borrow::Cow;

use super::address::Address;
use super::change::{Change, Rule};
use super::envelope::ReversePath;
use super::header::block::Block;
use super::header::parser::Charset;
use super::sender;
use rule::{HeaderRule, SubjectRule};
use signed::Protection;

/// How much `Received` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Received {
    /// All of it.
    #[default]
    Full,
    /// No names and addresses of the own network: of each field only the moment stays, of the relay's own also the protocol
    /// and the identifier. Their number stays, so that a loop is seen (RFC 5321 §6.3).
    Minimal,
}

/// Which fix-ups are done; all are by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Fixups {
    /// A `From` in which not every reader finds the same is written anew.
    pub broken_from: bool,
    /// Where nobody is named, `To` becomes `undisclosed-recipients:;`.
    pub undisclosed: bool,
    /// `Bcc` and `Resent-Bcc` are taken out (RFC 5322 §3.6.3).
    pub bcc: bool,
    /// `Return-Path` (RFC 5321 §4.4) and the `From ` line of a mailbox file are taken out.
    pub return_path: bool,
    /// Of a field that may stand once (RFC 5322 §3.6), one stays; the addresses of `To` and `Cc` are joined.
    pub duplicates: bool,
    /// `MIME-Version` is added where there is a `Content-` field without it (RFC 2045 §4).
    pub mime_version: bool,
    /// Raw text beyond ASCII becomes encoded words (RFC 2047), in parameters percent signs (RFC 2231).
    pub encoded_words: bool,
    /// A body of 8-bit text is encoded for a provider that does not take it (RFC 6152 §3): not here, but by whoever sends
    /// the body ([`super::mime::seven_bit`]).
    pub eight_bit_body: bool,
}

impl Fixups {
    /// Nothing is repaired.
    pub const NONE: Self = Self {
        broken_from: false,
        undisclosed: false,
        bcc: false,
        return_path: false,
        duplicates: false,
        mime_version: false,
        encoded_words: false,
        eight_bit_body: false,
    };
}

impl Default for Fixups {
    fn default() -> Self {
        Self {
            broken_from: true,
            undisclosed: true,
            bcc: true,
            return_path: true,
            duplicates: true,
            mime_version: true,
            encoded_words: true,
            eight_bit_body: true,
        }
    }
}

/// The settings of one account.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Who a mail may say it is from; nothing where the account has no address that could stand in.
    pub sender: Option<sender::Settings>,
    /// Which repairs are done.
    pub fixups: Fixups,
    /// How much `Received` tells.
    pub received: Received,
    /// What raw text beyond ASCII is in where it is not UTF-8.
    pub charset: Charset,
    /// Fields that are added, set or removed, in this order.
    pub headers: Vec<HeaderRule>,
    /// What is done to `Subject`.
    pub subject: Option<SubjectRule>,
}

impl Rules {
    /// The defaults, with this policy.
    #[must_use]
    pub fn of(sender: Option<sender::Settings>) -> Self {
        Self {
            sender,
            fixups: Fixups::default(),
            received: Received::default(),
            charset: Charset::default(),
            headers: Vec::new(),
            subject: None,
        }
    }
}

/// What goes to the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The header block, or `None` if it is the one that was given.
    pub block: Option<Vec<u8>>,
    /// For `MAIL FROM`.
    pub reverse_path: ReversePath,
    /// What was changed, and what was not because a signature covers it, in the order it was done.
    pub changes: Vec<Change>,
    /// The provider must offer SMTPUTF8 (RFC 6531), because of the header or of the reverse-path.
    pub needs_utf8: bool,
}

/// Does what the rules say to a header block, which ends with its empty line, and to the reverse-path. `refused` are the
/// senders that this account's provider refused before.
#[must_use]
pub fn rewrite(block: &[u8], reverse_path: &ReversePath, rules: &Rules, refused: &[Address]) -> Rewritten {
    let mut changes = Vec::new();
    let mut path = reverse_path.clone();
    let policy = rules.sender.as_ref();
    if let Some((other, change)) = policy.and_then(|policy| sender::reverse_path(policy, refused, reverse_path)) {
        path = other;
        changes.push(change);
    }
    let mut draft = Draft { block: Cow::Borrowed(block), changes, protection: Protection::of(&Block::read(block)) };
    draft.all(&path, rules, refused);
    let Draft { block: edited, mut changes, protection } = draft;
    let needs_utf8 = !edited.is_ascii() || matches!(&path, ReversePath::Mailbox(a) if a.is_internationalized());
    let edited = match edited {
        Cow::Owned(edited) if edited != block => Some(edited),
        _ => None,
    };
    if let Some(edited) = &edited {
        changes.extend(protection.broken(&Block::read(block), &Block::read(edited)));
    }
    Rewritten { block: edited, reverse_path: path, changes, needs_utf8 }
}

/// The block as far as it is done.
struct Draft<'a> {
    block: Cow<'a, [u8]>,
    changes: Vec<Change>,
    protection: Protection,
}

impl Draft<'_> {
    /// The order is part of the contract: the sender policy sees what the device wrote; what it leaves is repaired; what
    /// the administrator asks for comes on top of that.
    fn all(&mut self, path: &ReversePath, rules: &Rules, refused: &[Address]) {
        let Rules { fixups, charset, .. } = rules;
        self.step(fixups.return_path, fields::return_path);
        self.step(fixups.bcc, fields::bcc);
        if let Some(policy) = &rules.sender {
            let edited = sender::edit(&self.block, path, policy, refused, charset, &mut self.changes);
            self.take(edited);
        }
        self.step(fixups.duplicates, |page| duplicates::repair(page, charset));
        self.step(fixups.broken_from, |page| from::repair(page, charset));
        self.step(fixups.encoded_words, |page| eight_bit::encode(page, charset));
        self.step(fixups.mime_version, fields::mime_version);
        for rule in &rules.headers {
            self.step(true, |page| rules::header(page, rule));
        }
        self.step(true, |page| rules.subject.as_ref().and_then(|rule| rules::subject(page, rule)));
        self.step(fixups.undisclosed, fields::undisclosed);
        self.step(rules.received == Received::Minimal, received::reduce);
    }

    fn step(&mut self, wanted: bool, step: impl FnOnce(&mut Page<'_>) -> Option<Vec<u8>>) {
        if wanted {
            let protection = &self.protection;
            let mut page = Page { block: Block::read(&self.block), protection, changes: &mut self.changes };
            let edited = step(&mut page);
            self.take(edited);
        }
    }

    fn take(&mut self, edited: Option<Vec<u8>>) {
        if let Some(edited) = edited {
            self.block = Cow::Owned(edited);
        }
    }
}

/// What a step works on.
struct Page<'a> {
    block: Block<'a>,
    protection: &'a Protection,
    changes: &'a mut Vec<Change>,
}

impl Page<'_> {
    fn tell(&mut self, rule: Rule, detail: impl Into<String>) {
        self.changes.push(Change::new(rule, detail));
    }

    /// Whether a field of this name may be changed, added or removed. If not, it is told which rule was not applied.
    fn may_change(&mut self, name: &str, rule: Rule) -> bool {
        let covered = self.protection.covers(name);
        if covered {
            self.tell_covered(name, rule);
        }
        !covered
    }

    fn tell_covered(&mut self, name: &str, rule: Rule) {
        self.tell(Rule::Signature, format!("a signature covers {name}, so {} was not applied", rule.word()));
    }
}

#[cfg(test)]
mod tests;
