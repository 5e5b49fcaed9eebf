//! Repairs that add or remove whole fields: `Return-Path`, `Bcc`, `To` and `MIME-Version`.
//!
//! Who is in a `Bcc` is not told: the log is read by others than the sender.

use super::Page;
use crate::mail::change::Rule;
use crate::mail::header::block::Field;
use crate::mail::header::mailbox;
use crate::mail::header::parser::{Charset, utf8};
use crate::mail::header::splice::{Place, Splice};
use crate::mail::header::written::Written;

/// What an earlier delivery left: RFC 5321 §4.4, and the first line of a mailbox file, behind which some servers see text.
pub(super) fn return_path(page: &mut Page<'_>) -> Option<Vec<u8>> {
    let mut splice = Splice::new(page.block);
    if page.block.mailbox_lines().next().is_some() {
        page.tell(Rule::ReturnPath, "the From line of a mailbox file was taken out");
    }
    for line in page.block.mailbox_lines() {
        splice.remove(line);
    }
    remove(page, &mut splice, "Return-Path", Rule::ReturnPath);
    splice.finish()
}

/// RFC 5322 §3.6.3: who is in it must not be seen by the others.
pub(super) fn bcc(page: &mut Page<'_>) -> Option<Vec<u8>> {
    let mut splice = Splice::new(page.block);
    for name in ["Bcc", "Resent-Bcc"] {
        remove(page, &mut splice, name, Rule::Bcc);
    }
    splice.finish()
}

fn remove(page: &mut Page<'_>, splice: &mut Splice<'_>, name: &str, rule: Rule) {
    let fields: Vec<Field<'_>> = page.block.named(name).collect();
    // Whatever signature covers it: one of the device's own is worth less than what would be disclosed.
    if fields.is_empty() {
        return;
    }
    for field in fields {
        splice.remove(field.whole);
    }
    page.tell(rule, format!("{name} was taken out"));
}

/// A mail needs no recipient in its header (RFC 5322 §3.6), but many servers want one, and an empty `To` is not allowed.
pub(super) fn undisclosed(page: &mut Page<'_>) -> Option<Vec<u8>> {
    let names_nobody =
        |field: &Field<'_>| mailbox::read(&utf8(&field.unfolded(), &Charset::default())).mailboxes.is_empty();
    let others = ["To", "Cc", "Bcc"];
    let somebody = others.iter().any(|name| page.block.named(name).any(|field| !names_nobody(&field)));
    let empty: Vec<Field<'_>> = page.block.named("To").filter(names_nobody).collect();
    if somebody && empty.is_empty() || !page.may_change("To", Rule::Undisclosed) {
        return None;
    }
    let mut splice = Splice::new(page.block);
    let field = Written::structured("To", "undisclosed-recipients:;");
    match empty.first() {
        Some(first) if !somebody => splice.replace(first, &field),
        Some(first) => splice.remove(first.whole.clone()),
        None => splice.insert(Place::End, &field),
    }
    for further in empty.iter().skip(1) {
        splice.remove(further.whole.clone());
    }
    page.tell(
        Rule::Undisclosed,
        if somebody { "an empty To was taken out" } else { "To became undisclosed-recipients:;" },
    );
    splice.finish()
}

/// RFC 2045 §4: without it the `Content-` fields mean nothing.
pub(super) fn mime_version(page: &mut Page<'_>) -> Option<Vec<u8>> {
    let is_content =
        |field: &Field<'_>| field.name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-"));
    let needs = page.block.fields().any(|field| is_content(&field)) && page.block.first("MIME-Version").is_none();
    if !needs || !page.may_change("MIME-Version", Rule::MimeVersion) {
        return None;
    }
    let mut splice = Splice::new(page.block);
    splice.insert(Place::End, &Written::structured("MIME-Version", "1.0"));
    page.tell(Rule::MimeVersion, "1.0 was added");
    splice.finish()
}
