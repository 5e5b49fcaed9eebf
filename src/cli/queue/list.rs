//! `posthouse queue list`: a line for each part of a message, the oldest first, and how many there are.
//!
//! Reads no more than is shown. Under the lines it says which accounts take nothing, and who told all this.

use jiff::Timestamp;

use super::super::words::{away, plain};
use super::super::{table, words::both};
use super::clerk::Clerk;
use super::{Asked, ConfigFile, Only, Undone, json, words};
use crate::app::queue::{Ask, Page, Row};
use crate::cli::source::Source;
use crate::queue::Kind;

/// Flags of `posthouse queue list`.
#[derive(Debug, clap::Args)]
pub(super) struct Flags {
    #[command(flatten)]
    only: Only,
    /// At most so many lines.
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    asked: Asked,
}

impl Flags {
    pub(super) fn file(&self) -> &ConfigFile {
        &self.asked.file
    }
}

const HEADING: [&str; 7] = ["ID", "ARRIVED", "FROM", "TO", "SIZE", "STATE", "LAST REPLY"];

pub(super) async fn list(
    flags: &Flags,
    clerk: &Clerk,
    width: Option<u16>,
    now: Timestamp,
) -> Result<(String, u8), Undone> {
    let filter = flags.only.filter(now)?;
    let mut all = clerk.page(&Ask { filter: filter.clone(), after: None, limit: flags.limit.min(Ask::MOST) }).await?;
    while all.rows.len() < flags.limit {
        let Some(last) = all.rows.last() else { break };
        let limit = (flags.limit - all.rows.len()).min(Ask::MOST);
        let next = clerk.page(&Ask { filter: filter.clone(), after: Some(last.id), limit }).await?;
        if next.rows.is_empty() {
            break;
        }
        all.rows.extend(next.rows);
    }
    let source = clerk.source();
    let text = if flags.asked.json {
        format!("{:#}\n", json::page(&all, source))
    } else {
        text(&all, filter != crate::queue::store::Filter::default(), source, width, now)
    };
    Ok((text, 0))
}

/// `is_filtered`: whether something may be left out.
pub(super) fn text(page: &Page, is_filtered: bool, source: &Source, width: Option<u16>, now: Timestamp) -> String {
    let origin = origin(source, now);
    if page.rows.is_empty() {
        let what = match (page.matching, is_filtered) {
            (0, true) => "Nothing in the queue is like that.".to_owned(),
            (0, false) => "The queue is empty.".to_owned(),
            (matching, _) => format!("0 of {matching} shown."),
        };
        return format!("{what}\n{origin}");
    }
    let lines = table::text(HEADING, page.rows.iter().map(|line| row(line, page, now)), width);
    let held: Vec<String> = page
        .holds
        .iter()
        .map(|(account, hold)| {
            let word = words::in_word(hold);
            format!("Account {account} is {word}: {} What to do: {}\n", plain(&hold.text), plain(&hold.cure))
        })
        .collect();
    format!("{lines}\n{} of {} shown.\n{}{origin}", page.rows.len(), page.matching, held.concat())
}

fn row(row: &Row, page: &Page, now: Timestamp) -> [String; 7] {
    let part = if row.id.number == 0 { String::new() } else { format!("/{}", row.id.number) };
    let from = match row.kind {
        Kind::Mail => plain(&row.from.to_string()),
        Kind::Notice { of } => format!("notice of {}", words::short(of)),
        Kind::Copy { of } => format!("copy of {}", words::short(of)),
    };
    let first = row.to.first().map(|address| plain(address.as_str())).unwrap_or_default();
    let to = match row.recipients {
        0 | 1 => first,
        several => format!("{first} and {} more", several - 1),
    };
    [
        words::short(row.id.message) + &part,
        away(row.arrived, now),
        from,
        to,
        words::size(row.size),
        words::state(&row.standing, &row.route, &page.holds, now),
        words::last(row.last.as_ref()),
    ]
}

/// Where all this is known from.
pub(super) fn origin(source: &Source, now: Timestamp) -> String {
    match source {
        Source::Relay(relay) => {
            format!("As the running relay sees it: process {}, running since {}.\n", relay.pid, both(relay.since, now))
        }
        Source::Files { why } => format!("From the files of the queue, and nothing goes out: {}.\n", plain(why)),
    }
}
