//! The part for people: which mail, what became of it, why, and what to do.
//!
//! Says first what happened, in words a newcomer knows. Recipients that failed for the same reason share one paragraph.
//! Foreign text stands on one line, whatever it was; whether it is ASCII is the encoding's concern.

use std::fmt::Write as _;

use super::{Action, Fate, Notice, Reader};
use crate::mail::envelope::ReversePath;
use crate::mail::header::glance::{Glance, one_line};
use crate::mail::stamp;

/// Columns of the text: with these no encoding has to wrap a line again.
const WIDTH: usize = 72;
/// Characters of a foreign sentence or reply.
const LONGEST: usize = 500;

pub(super) fn write(notice: &Notice<'_>, seen: &Glance) -> String {
    let mut out = String::new();
    paragraph(&mut out, opening(notice));
    about(&mut out, notice, seen);
    let failed = |fate: &&Fate<'_>| matches!(fate.action, Action::Failed { .. });
    for group in groups(notice.fates.iter().filter(failed)) {
        reasons(&mut out, &group);
    }
    if notice.is_failure() {
        paragraph(&mut out, "It will not be tried again.");
    }
    let relayed: Vec<&Fate<'_>> = notice.fates.iter().filter(|fate| fate.action == Action::Relayed).collect();
    if !relayed.is_empty() {
        paragraph(&mut out, "Passed on to the next server, which does not report what becomes of it there:");
        recipients(&mut out, &relayed);
    }
    if notice.mail.kept {
        paragraph(
            &mut out,
            "The mail is kept on the relay for a while. Its administrator can look at it, and export it:",
        );
        // Never wrapped: it is there to be copied.
        let _ = write!(out, "    posthouse queue show {}\r\n\r\n", notice.mail.id);
    }
    let _ = write!(out, "Posthouse, the mail relay on {}\r\n", one_line(notice.hostname, 255));
    out
}

fn opening(notice: &Notice<'_>) -> &'static str {
    let some = notice.fates.iter().any(|fate| fate.action == Action::Relayed);
    match (notice.reader, notice.is_failure()) {
        (_, false) => "Your mail was passed on, as you asked to be told.",
        (Reader::Sender, true) if some => "Your mail did not reach all of its recipients.",
        (Reader::Sender, true) => "Your mail could not be delivered.",
        (Reader::Admin { .. }, true) => {
            "A mail could not be delivered. You get this report because you are named as the administrator of the relay."
        }
    }
}

/// What the mail can be recognised by.
fn about(out: &mut String, notice: &Notice<'_>, seen: &Glance) {
    let mail = &notice.mail;
    let date = || stamp::date(&mail.arrived.to_zoned(notice.now.time_zone().clone()));
    line(out, "Subject:", seen.subject.as_deref().unwrap_or("(none)"));
    line(out, "Date:", &seen.date.clone().unwrap_or_else(date));
    match mail.reverse_path {
        ReversePath::Null => line(out, "From:", "(no sender)"),
        ReversePath::Mailbox(address) => line(out, "From:", address.as_str()),
    }
    if let Reader::Admin { device } = notice.reader {
        line(out, "Device:", device);
    }
    out.push_str("\r\n");
}

/// Fates with the same reason, in the order of the first of each.
fn groups<'a>(fates: impl Iterator<Item = &'a Fate<'a>>) -> Vec<Vec<&'a Fate<'a>>> {
    let mut groups: Vec<Vec<&Fate<'_>>> = Vec::new();
    for fate in fates {
        let same = |group: &&mut Vec<&Fate<'_>>| (group[0].action, group[0].reply) == (fate.action, fate.reply);
        match groups.iter_mut().find(same) {
            Some(group) => group.push(fate),
            None => groups.push(vec![fate]),
        }
    }
    groups
}

fn reasons(out: &mut String, group: &[&Fate<'_>]) {
    let Some(Fate { action: Action::Failed { sentence, cure }, reply, .. }) = group.first().copied() else { return };
    paragraph(out, "Not delivered to:");
    recipients(out, group);
    line(out, "Why:", sentence);
    line(out, "What to do:", cure);
    if let Some(reply) = reply {
        line(out, "Answer:", reply);
    }
    out.push_str("\r\n");
}

fn recipients(out: &mut String, fates: &[&Fate<'_>]) {
    for fate in fates {
        let _ = write!(out, "    {}\r\n", fate.recipient.address);
    }
    out.push_str("\r\n");
}

/// `  Subject:    words`, what is long wrapped below the words.
fn line(out: &mut String, name: &str, text: &str) {
    wrapped(out, &format!("  {name:<13}"), &" ".repeat(15), &one_line(text, LONGEST));
}

fn paragraph(out: &mut String, text: &str) {
    wrapped(out, "", "", text);
    out.push_str("\r\n");
}

fn wrapped(out: &mut String, first: &str, next: &str, text: &str) {
    out.push_str(first);
    let mut column = first.chars().count();
    let mut fresh = true;
    for word in text.split(' ') {
        let length = word.chars().count();
        if !fresh && column + 1 + length > WIDTH {
            out.extend(["\r\n", next]);
            (column, fresh) = (next.len(), true);
        }
        if !fresh {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
        fresh = false;
    }
    out.push_str("\r\n");
}
