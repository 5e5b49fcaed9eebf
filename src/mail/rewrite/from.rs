//! A `From` that is written so that not every reader finds the same in it is written anew.
//!
//! Encoded words in quotes, an unquoted `@` or comma in the name, brackets and quotes that are not closed. Addresses stay;
//! a name that is an address itself is left out, because receivers take such a one for a forgery. Where an address cannot
//! be read nothing is done: that is for the sender policy to judge.

use super::Page;
use crate::mail::address::Address;
use crate::mail::change::Rule;
use crate::mail::header::mailbox::{self, Mailbox};
use crate::mail::header::parser::{Charset, utf8};
use crate::mail::header::splice::Splice;
use crate::mail::header::written::Written;
use crate::mail::sender::mailbox_text;

pub(super) fn repair(page: &mut Page<'_>, charset: &Charset) -> Option<Vec<u8>> {
    let from = page.block.first("From")?;
    let reading = mailbox::read(&utf8(&from.unfolded(), charset));
    let broken = reading.broken?;
    let written = |mailbox: &Mailbox| {
        let address = Address::parse(mailbox.address.as_deref()?.as_bytes()).ok()?;
        Some(mailbox_text(mailbox.name.as_deref(), &address))
    };
    let mailboxes: Option<Vec<String>> = reading.mailboxes.iter().map(written).collect();
    let value = mailboxes.filter(|all| !all.is_empty())?.join(", ");
    if !page.may_change("From", Rule::BrokenFrom) {
        return None;
    }
    let mut splice = Splice::new(page.block);
    splice.replace(&from, &Written::structured("From", &value));
    page.tell(Rule::BrokenFrom, format!("{broken}; it became {value}"));
    splice.finish()
}
