//! The part for machines: `message/delivery-status` (RFC 3464 §2).
//!
//! Guarantees printable ASCII on every line: foreign words come out of their encoding and are cleaned again, addresses
//! that are not ASCII stand in the form of RFC 6533 §3, and a reply is cut where it is long.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{Action, Fate, Notice};
use crate::mail::address::Address;
use crate::mail::stamp;

/// Characters of a reply that are passed on. A line has room for 998 (RFC 5322 §2.1.1).
const LONGEST_REPLY: usize = 500;

pub(super) fn write(notice: &Notice<'_>) -> String {
    let date = |at: Timestamp| stamp::date(&at.to_zoned(notice.now.time_zone().clone()));
    let mut out = format!("Reporting-MTA: dns; {}\r\n", ascii(notice.hostname, 255));
    // RFC 3461 §6.3: as the sender meant it, not as it was written on the command line.
    if let Some(id) = notice.mail.envid {
        field(&mut out, "Original-Envelope-Id", &decoded(id));
    }
    field(&mut out, "Arrival-Date", &date(notice.mail.arrived));
    for fate in notice.fates {
        out.push_str("\r\n");
        recipient(&mut out, fate, &date(fate.at));
    }
    out
}

fn recipient(out: &mut String, fate: &Fate<'_>, date: &str) {
    // RFC 3464 §2.3.1: only what the sender gave. What stands before the `;` names a kind of address.
    if let Some((kind, address)) = fate.recipient.orcpt.as_deref().and_then(|given| given.split_once(';')) {
        field(out, "Original-Recipient", &format!("{};{}", ascii(kind, 64), decoded(address)));
    }
    field(out, "Final-Recipient", &typed(&fate.recipient.address));
    let (action, class) = match fate.action {
        Action::Failed { .. } => ("failed", '5'),
        Action::Relayed => ("relayed", '2'),
    };
    field(out, "Action", action);
    field(out, "Status", &status(fate.reply, class));
    if let (Some(server), Some(_)) = (fate.server, fate.reply) {
        field(out, "Remote-MTA", &format!("dns; {}", ascii(server, 255)));
    }
    if let Some(reply) = fate.reply {
        field(out, "Diagnostic-Code", &format!("smtp; {}", ascii(reply, LONGEST_REPLY)));
    }
    field(out, "Last-Attempt-Date", date);
}

fn field(out: &mut String, name: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{name}: {value}\r\n");
}

/// The enhanced code of the reply (RFC 3463) where it fits what happened: a failure may be one of a class that tries
/// later, when the time for trying is over.
fn status(reply: Option<&str>, class: char) -> String {
    let said = reply.and_then(|reply| reply.split_ascii_whitespace().nth(1));
    let fits = |code: &&str| match class {
        '2' => code.starts_with('2'),
        _ => code.starts_with(['4', '5']),
    };
    said.filter(fits).filter(|code| is_enhanced(code)).map_or(format!("{class}.0.0"), str::to_owned)
}

/// RFC 3463 §2: one digit, then twice up to three.
fn is_enhanced(code: &str) -> bool {
    let digits = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|octet| octet.is_ascii_digit());
    let parts: Vec<&str> = code.split('.').collect();
    matches!(parts[..], [class, ..] if class.len() == 1) && parts.len() == 3 && parts.iter().all(digits)
}

/// An address with its kind. RFC 6533 §3: `utf-8` and hexadecimal code points, where ASCII does not do.
fn typed(address: &Address) -> String {
    if !address.is_internationalized() {
        return format!("rfc822; {address}");
    }
    let mut out = "utf-8; ".to_owned();
    for c in address.as_str().chars() {
        match c {
            '\\' | '+' | '=' => drop(write!(out, "\\x{{{:02X}}}", u32::from(c))),
            c if c.is_ascii() => out.push(c),
            c => drop(write!(out, "\\x{{{:X}}}", u32::from(c))),
        }
    }
    out
}

/// xtext (RFC 3461 §4), decoded; what would not be printable then is a question mark.
fn decoded(xtext: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = xtext.as_bytes();
    while let [octet, after @ ..] = rest {
        let pair = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        let meant = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).filter(|_| *octet == b'+');
        octets.push(meant.unwrap_or(*octet));
        rest = if meant.is_some() { &after[2..] } else { after };
    }
    ascii(&String::from_utf8_lossy(&octets), LONGEST_REPLY)
}

/// Printable ASCII, at most so many characters.
fn ascii(text: &str, longest: usize) -> String {
    let clean = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
    text.replace(['\r', '\n', '\t'], " ").chars().take(longest).map(clean).collect()
}
