//! The sender policy in the header: `From`, `Sender`, and where the original goes.
//!
//! A `From` that the policy lets be is not touched. One that is not allowed becomes one mailbox, the account's (RFC 5322
//! §3.6.2); one that is missing, empty, unreadable or without an address becomes the envelope's sender, if that is
//! allowed. What it was stands in `X-Original-From`. Several `From` fields become one.

use super::{Policy, Settings, same};
use crate::mail::address::Address;
use crate::mail::change::{Change, Rule};
use crate::mail::display_name::{DisplayName, LONGEST};
use crate::mail::envelope::ReversePath;
use crate::mail::header::block::{Block, Field};
use crate::mail::header::glance::one_line;
use crate::mail::header::mailbox::{self, Mailbox};
use crate::mail::header::parser::{Charset, utf8};
use crate::mail::header::splice::{Place, Splice};
use crate::mail::header::written::Written;

/// So many authors of a mail are put into `Reply-To`.
const MOST_AUTHORS: usize = 20;

/// Characters of an original that the log shows.
const SHOWN: usize = 200;

/// What the policy decides about one block.
struct Editor<'a> {
    block: Block<'a>,
    /// Whom a mail is from that names nobody.
    nobody: &'a Address,
    settings: &'a Settings,
    refused: &'a [Address],
    charset: &'a Charset,
    splice: Splice<'a>,
    changes: &'a mut Vec<Change>,
}

/// Brings the header to what the policy wants; `None` where it is that already.
pub fn edit(
    block: &[u8],
    path: &ReversePath,
    settings: &Settings,
    refused: &[Address],
    charset: &Charset,
    changes: &mut Vec<Change>,
) -> Option<Vec<u8>> {
    if settings.policy == Policy::Keep {
        return None;
    }
    let block = Block::read(block);
    let nobody = match path {
        ReversePath::Mailbox(sender) if settings.policy == Policy::Fix && settings.may_send_as(sender, refused) => {
            sender
        }
        _ => &settings.address,
    };
    let mut editor = Editor { block, nobody, settings, refused, charset, splice: Splice::new(block), changes };
    let authors = editor.from();
    editor.sender(authors);
    editor.splice.finish()
}

/// How many mailboxes `From` has in the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Authors {
    One,
    Several,
}

impl Editor<'_> {
    fn from(&mut self) -> Authors {
        let mut fields = self.block.named("From");
        let Some(from) = fields.next() else {
            let field = self.mailbox(None, self.nobody);
            self.splice.insert(Place::End, &field);
            self.tell(Rule::From, format!("was missing, became {}", self.nobody));
            return Authors::One;
        };
        let further: Vec<Field<'_>> = fields.collect();
        for field in &further {
            self.splice.remove(field.whole.clone());
        }
        if let Some(field) = further.first() {
            let shown = one_line(&self.text(field), SHOWN);
            self.tell(Rule::From, format!("there were {}, the second was {shown}", further.len() + 1));
        }
        let original = self.text(&from);
        let authors = mailbox::read(&original).mailboxes;
        if self.stays(&authors) {
            return if authors.len() == 1 { Authors::One } else { Authors::Several };
        }
        self.replace(&from, &original, &authors);
        Authors::One
    }

    /// Whether the policy lets these authors be.
    fn stays(&self, authors: &[Mailbox]) -> bool {
        match (self.settings.policy, authors) {
            (Policy::Force, [author]) => {
                let name = self.settings.name.as_ref().map(DisplayName::as_str);
                address(author).is_some_and(|address| same(&address, &self.settings.address))
                    && name.is_none_or(|name| author.name.as_deref() == Some(name))
            }
            (Policy::Force, _) => false,
            (Policy::Keep | Policy::Fix, authors) => {
                !authors.is_empty() && authors.iter().all(|author| self.is_allowed(author))
            }
        }
    }

    fn is_allowed(&self, mailbox: &Mailbox) -> bool {
        address(mailbox).is_some_and(|address| self.settings.may_send_as(&address, self.refused))
    }

    fn replace(&mut self, from: &Field<'_>, original: &str, authors: &[Mailbox]) {
        let device = authors.first().and_then(|author| author.name.as_deref());
        let names_somebody = authors.iter().filter_map(address).any(|author| author.domain().is_some());
        let own = if names_somebody { &self.settings.address } else { self.nobody };
        let field = self.mailbox(device, own);
        self.splice.replace(from, &field);
        let was = if original.is_empty() { "nobody".to_owned() } else { one_line(original, SHOWN) };
        if !matches!(authors, [author] if address(author).is_some_and(|address| same(&address, own))) {
            self.tell(Rule::From, format!("{was} became {own}"));
        }
        if let Some(name) = self.settings.name.as_ref().filter(|name| device != Some(name.as_str())) {
            self.tell(Rule::SenderName, format!("became {}", name.as_str()));
        }
        self.reply_to(from, authors);
        if !original.is_empty() {
            self.splice.insert(Place::Below(from), &Written::text("X-Original-From", original));
            self.tell(Rule::OriginalFrom, was);
        }
    }

    /// Answers go to whom the device named, if the device named no one for them and they could get there.
    fn reply_to(&mut self, from: &Field<'_>, authors: &[Mailbox]) {
        let present: Vec<Field<'_>> = self.block.named("Reply-To").collect();
        if present.iter().any(|field| !mailbox::read(&self.text(field)).mailboxes.is_empty()) {
            return;
        }
        let others = authors.iter().filter_map(|author| {
            // To `root@nas.local` no answer gets, and an address beyond ASCII would ask SMTPUTF8 of the provider (RFC 6531);
            // either stands in X-Original-From.
            let address = address(author).filter(|a| self.settings.can_be_answered(a) && !a.is_internationalized())?;
            (!same(&address, &self.settings.address)).then(|| mailbox_text(author.name.as_deref(), &address))
        });
        let others: Vec<String> = others.take(MOST_AUTHORS).collect();
        if others.is_empty() {
            return;
        }
        for field in present {
            self.splice.remove(field.whole.clone());
        }
        let value = others.join(", ");
        self.splice.insert(Place::Below(from), &Written::structured("Reply-To", &value));
        self.tell(Rule::ReplyTo, one_line(&value, SHOWN));
    }

    /// `Sender` says who has sent it in place of its authors (RFC 5322 §3.6.2): the account, if it must be there.
    fn sender(&mut self, authors: Authors) {
        let present: Vec<Field<'_>> = self.block.named("Sender").collect();
        let own = &self.settings.address;
        let stays = |editor: &Self, field: &Field<'_>| match mailbox::read(&editor.text(field)).mailboxes.as_slice() {
            [sender] if editor.settings.policy == Policy::Fix => editor.is_allowed(sender),
            [sender] => address(sender).is_some_and(|address| same(&address, own)),
            _ => false,
        };
        let good = present.iter().position(|field| stays(self, field));
        let bad = || present.iter().enumerate().filter(|(i, _)| Some(*i) != good).map(|(_, field)| field);
        for field in bad() {
            self.splice.remove(field.whole.clone());
        }
        if let Some(first) = bad().next() {
            let was = one_line(&self.text(first), SHOWN);
            self.tell(Rule::Sender, format!("{was} was taken out"));
        }
        if authors == Authors::Several && good.is_none() {
            self.splice.insert(Place::End, &Written::structured("Sender", &format!("<{own}>")));
            self.tell(Rule::Sender, format!("became {own}, because From names several"));
        }
    }

    /// `From` with this address, and the account's name or else the device's.
    fn mailbox(&self, device: Option<&str>, address: &Address) -> Written {
        let name = self.settings.name.as_ref().map(DisplayName::as_str).or(device);
        Written::structured("From", &mailbox_text(name, address))
    }

    fn text(&self, field: &Field<'_>) -> String {
        utf8(&field.unfolded(), self.charset).into_owned()
    }

    fn tell(&mut self, rule: Rule, detail: impl Into<String>) {
        self.changes.push(Change::new(rule, detail));
    }
}

fn address(mailbox: &Mailbox) -> Option<Address> {
    Address::parse(mailbox.address.as_deref()?.as_bytes()).ok()
}

/// `name <address>`, the name as it may stand in a field. One that cannot, an address for instance, is left out.
pub fn mailbox_text(name: Option<&str>, address: &Address) -> String {
    let name = name.and_then(|name| {
        let line: String = one_line(name, LONGEST).chars().take(LONGEST).collect();
        DisplayName::parse(&line).ok()
    });
    match name {
        // Folding is the writer's.
        Some(name) => format!("{} <{address}>", name.to_string().replace("\r\n", "")),
        None => format!("<{address}>"),
    }
}
