//! `posthouse queue retry`, `hold`, `release` and `remove`: what a person may do with messages.
//!
//! Says how many it was done with. What is being sent just now is left alone and said; nothing is removed without a
//! yes, which a program gives by a flag.

use std::io::{BufRead, IsTerminal, Write};

use jiff::Timestamp;

use super::clerk::Clerk;
use super::which::Which;
use super::{EX_TEMPFAIL, EX_USAGE, Undone, json};
use crate::app::queue::Ask;
use crate::cli::sysexits::EX_CONFIG;
use crate::queue::acts::{self, Acted, Order};
use crate::queue::parcel::ParcelId;

type Done = Result<(String, u8), Undone>;

pub(super) async fn retry(which: &Which, json: bool, clerk: &Clerk, now: Timestamp) -> Done {
    let which = which.find(clerk, now).await?;
    let acted = clerk.act(&Order::Retry { which }).await?;
    Ok(said(&acted, "Tried again at once", clerk, json))
}

pub(super) async fn hold(which: &Which, reason: &str, json: bool, clerk: &Clerk, now: Timestamp) -> Done {
    let reason = reason_of(reason)?;
    let which = which.find(clerk, now).await?;
    let acted = clerk.act(&Order::Hold { which, reason }).await?;
    Ok(said(&acted, "Held until `posthouse queue release`", clerk, json))
}

pub(super) async fn release(which: &Which, json: bool, clerk: &Clerk, now: Timestamp) -> Done {
    let which = which.find(clerk, now).await?;
    let acted = clerk.act(&Order::Release { which }).await?;
    Ok(said(&acted, "Released", clerk, json))
}

pub(super) async fn remove(which: &Which, reason: &str, yes: bool, json: bool, clerk: &Clerk, now: Timestamp) -> Done {
    let reason = reason_of(reason)?;
    let which = which.find(clerk, now).await?;
    if !yes {
        agree(&which, clerk).await?;
    }
    let acted = clerk.act(&Order::Remove { which, reason }).await?;
    Ok(said(&acted, "Removed; nobody was told", clerk, json))
}

/// A reason is one line that says something.
fn reason_of(text: &str) -> Result<String, Undone> {
    let text = super::super::words::plain(text);
    match text.chars().count() {
        1..=500 => Ok(text),
        _ => Err((EX_USAGE, "--reason wants a few words, at most 500 characters".into())),
    }
}

/// Asks whoever sits at the terminal.
async fn agree(which: &acts::Which, clerk: &Clerk) -> Result<(), Undone> {
    if !std::io::stdin().is_terminal() {
        return Err((EX_USAGE, "nobody can be asked whether to remove them: write --yes".into()));
    }
    let number = match which {
        acts::Which::Messages(ids) => ids.len() as u64,
        acts::Which::All(filter) => clerk.page(&Ask { filter: filter.clone(), after: None, limit: 1 }).await?.matching,
    };
    eprint!("Remove {}? Nothing more of it is delivered, and nobody is told. [y/N] ", counted(number));
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
    match line.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err((EX_TEMPFAIL, "nothing was removed".into())),
    }
}

fn counted(messages: u64) -> String {
    format!("{messages} message{}", if messages == 1 { "" } else { "s" })
}

/// A message may have several parts.
fn messages(ids: &[ParcelId]) -> u64 {
    let mut ids: Vec<_> = ids.iter().map(|id| id.message).collect();
    ids.dedup();
    ids.len() as u64
}

fn said(acted: &Acted, what: &str, clerk: &Clerk, as_json: bool) -> (String, u8) {
    let code = match acted {
        Acted { without_account, .. } if !without_account.is_empty() => EX_CONFIG,
        Acted { under_way, .. } if !under_way.is_empty() => EX_TEMPFAIL,
        _ => 0,
    };
    if as_json {
        return (format!("{:#}\n", json::acted(acted, clerk.source())), code);
    }
    let mut text = format!("{what}: {}.\n", counted(messages(&acted.changed)));
    if !acted.under_way.is_empty() {
        let left = counted(messages(&acted.under_way));
        text.extend(["Being sent just now and left alone: ", &left, ". Try again in a moment.\n"]);
    }
    if !acted.without_account.is_empty() {
        let left = counted(messages(&acted.without_account));
        let cure = ". Configure one of them, or name the new one in its `renamed_from`, and start the relay anew.\n";
        text.extend(["None of their accounts is configured, left alone: ", &left, cure]);
    }
    (text, code)
}
