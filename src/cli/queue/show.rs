//! `posthouse queue show`: a message in full, but for its body.
//!
//! What is not known is left out, never guessed. Pure, but for the question itself.

use std::fmt::Write;

use jiff::Timestamp;

use super::super::words::{both, plain};
use super::clerk::Clerk;
use super::list::origin;
use super::{Undone, json, which, words};
use crate::app::queue::Shown;
use crate::cli::source::Source;
use crate::queue::Kind;
use crate::queue::parcel::{Parcel, Try};

pub(super) async fn show(id: &str, as_json: bool, clerk: &Clerk, now: Timestamp) -> Result<(String, u8), Undone> {
    let id = which::one(id, clerk).await?;
    let shown = clerk.show(id).await?;
    let source = clerk.source();
    let text = if as_json { format!("{:#}\n", json::shown(&shown, source)) } else { text(&shown, source, now) };
    Ok((text, 0))
}

pub(super) fn text(message: &Shown, source: &Source, now: Timestamp) -> String {
    let mut page = Page(format!("Message {}\n\n", message.id));
    match message.kind {
        Kind::Mail => {}
        Kind::Notice { of } => page.row("kind", &format!("notice of message {of}")),
        Kind::Copy { of } => page.row("kind", &format!("copy of message {of} for the archive")),
    }
    page.row("from", &message.sender.reverse_path.to_string());
    page.row("device", message.device.as_str());
    page.row("session", &message.session.to_string());
    page.row("arrived", &both(message.arrived, now));
    page.row("size", &words::size(message.size));
    let several = message.parcels.len() > 1;
    for parcel in &message.parcels {
        page.part(parcel, message, several, now);
    }
    page.line("\nHeader");
    for line in message.header.lines() {
        // Folded lines stay folded; nothing in them moves the cursor.
        let indent = if line.starts_with([' ', '\t']) { "    " } else { "" };
        page.line(format!("  {indent}{}", plain(line)).trim_end());
    }
    format!("{}\n{}", page.0, origin(source, now))
}

struct Page(String);

impl Page {
    fn line(&mut self, text: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{text}");
    }

    fn row(&mut self, name: &str, value: &str) {
        self.line(&format!("  {name:8}  {}", plain(value)));
    }

    fn part(&mut self, parcel: &Parcel, message: &Shown, several: bool, now: Timestamp) {
        let number = if several { format!("Part {}: ", parcel.id.number) } else { String::new() };
        let sentences = words::next(&parcel.standing, &parcel.route, &message.holds, now);
        for (i, sentence) in sentences.iter().enumerate() {
            self.line(&if i == 0 { format!("\n{number}{sentence}") } else { format!("  {sentence}") });
        }
        self.line("\n  Recipients");
        for owed in &parcel.recipients {
            self.line(&format!(
                "    {}  {}",
                plain(owed.recipient.address.as_str()),
                words::recipient(&owed.state, now)
            ));
        }
        if parcel.attempts == 0 && parcel.tries.is_empty() {
            return;
        }
        let forgotten = (parcel.attempts as usize).saturating_sub(parcel.tries.len());
        let of = if forgotten > 0 {
            format!(" (the last {} of {})", parcel.tries.len(), parcel.attempts)
        } else {
            String::new()
        };
        self.line(&format!("\n  Attempts{of}"));
        for attempt in &parcel.tries {
            self.attempt(attempt, now);
        }
    }

    fn attempt(&mut self, attempt: &Try, now: Timestamp) {
        let Try { id, account, at, ended, why, .. } = attempt;
        self.line(&format!("    {}  {account}  {}", both(*at, now), plain(ended)));
        if let Some(why) = why {
            self.line(&format!(
                "      {}. What to do: {}",
                plain(&why.sentence).trim_end_matches('.'),
                plain(&why.cure)
            ));
        }
        self.line(&format!("      attempt {id} in the log"));
    }
}
