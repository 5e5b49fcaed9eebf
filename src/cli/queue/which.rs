//! Which messages are meant: by their ids, whole or in part, or by what they are.
//!
//! The end of an id is as good as its beginning: messages of one minute begin alike. What fits more than one message is
//! refused with all it fits, never guessed. Pure, but for the question which ids there are.

use jiff::{SignedDuration, Timestamp};

use super::clerk::Clerk;
use super::{EX_USAGE, Undone};
use crate::ids::MessageId;
use crate::queue::acts;
use crate::queue::store::{Filter, StandingKind};

/// What is listed, or meant.
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own, of which clap takes one")]
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Only {
    /// Part of the sender's address.
    #[arg(long, value_name = "TEXT")]
    pub(super) from: Option<String>,
    /// Part of a recipient's address.
    #[arg(long, value_name = "TEXT")]
    pub(super) to: Option<String>,
    /// The device that sent it.
    #[arg(long, value_name = "NAME")]
    pub(super) device: Option<String>,
    /// An account it may go through.
    #[arg(long, value_name = "NAME")]
    pub(super) account: Option<String>,
    /// What is held by itself; what only waits for a held account is due.
    #[arg(long, group = "state")]
    pub(super) held: bool,
    /// What failed and is kept for you.
    #[arg(long, group = "state")]
    pub(super) failed: bool,
    /// What waits for its next attempt.
    #[arg(long, group = "state")]
    pub(super) due: bool,
    /// What is being sent.
    #[arg(long, group = "state")]
    pub(super) sending: bool,
    /// What came at this time or later.
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// What came before this time.
    #[arg(long, value_name = "TIME")]
    pub(super) before: Option<String>,
}

impl Only {
    /// The same for the queue.
    pub(super) fn filter(&self, now: Timestamp) -> Result<Filter, Undone> {
        let standing = [
            (self.held, StandingKind::Held),
            (self.failed, StandingKind::Failed),
            (self.due, StandingKind::Due),
            (self.sending, StandingKind::Sending),
        ];
        let time = |flag: &str, text: &Option<String>| {
            let read = |text: &String| {
                time(text, now).ok_or_else(|| {
                    let expected = "a time such as 2026-11-22, 2026-11-22T07:45:00Z, or how long ago: 90m, 2h, 3d";
                    (EX_USAGE, format!("{flag}: expected {expected}"))
                })
            };
            text.as_ref().map(read).transpose()
        };
        Ok(Filter {
            from: self.from.clone(),
            to: self.to.clone(),
            device: self.device.clone(),
            account: self.account.clone(),
            standing: standing.into_iter().find_map(|(is_set, standing)| is_set.then_some(standing)),
            since: time("--since", &self.since)?,
            before: time("--before", &self.before)?,
        })
    }
}

/// `2026-11-22` in UTC, `2026-11-22T07:45:00Z`, or `90m`: so long before now.
fn time(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        return Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp());
    }
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let ago = number.parse::<u32>().ok()?;
    now.checked_sub(SignedDuration::from_secs(i64::from(ago) * seconds)).ok()
}

/// Which messages something is done with.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Which {
    /// Their ids, or the first or last digits of them.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// All there are.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    only: Only,
}

impl Which {
    /// The messages, and how they are called in an answer.
    pub(super) async fn find(&self, clerk: &Clerk, now: Timestamp) -> Result<acts::Which, Undone> {
        let filter = self.only.filter(now)?;
        let has_filter = filter != Filter::default();
        match (self.ids.is_empty(), self.all || has_filter) {
            (false, true) => {
                Err((EX_USAGE, "write either ids, or --all, or what the messages are to be like; not both".into()))
            }
            (true, false) => Err((
                EX_USAGE,
                "which messages? Write their ids, --all, or what they are to be like, as with `posthouse queue list`"
                    .into(),
            )),
            (true, true) => Ok(acts::Which::All(filter)),
            (false, false) => {
                let mut ids = Vec::new();
                for part in &self.ids {
                    ids.push(one(part, clerk).await?);
                }
                ids.dedup();
                Ok(acts::Which::Messages(ids))
            }
        }
    }
}

/// The message whose id begins or ends so.
pub(super) async fn one(part: &str, clerk: &Clerk) -> Result<MessageId, Undone> {
    let digits = digits(part)?;
    let found = clerk.find_message(&digits).await?;
    the_only(part, &found).map_err(|why| (EX_USAGE, why))
}

/// Hexadecimal digits, as few as tell messages apart; as the log writes them, or with the hyphens of a UUID.
fn digits(part: &str) -> Result<String, Undone> {
    // A part of a message is written with its number, which does not matter here.
    let digits: String = part.split('/').next().unwrap_or_default().chars().filter(|c| *c != '-').collect();
    let is_id = (4..=32).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let expected = "an id has 32 digits from 0 to 9 and a to f, of which the first or last four or more are written";
    is_id
        .then(|| digits.to_ascii_lowercase())
        .ok_or_else(|| (EX_USAGE, format!("`{}`: {expected}", part.escape_default())))
}

fn the_only(part: &str, found: &[MessageId]) -> Result<MessageId, String> {
    match found {
        [] => Err(format!("there is no message {part} in the queue; it may have been delivered, which the log tells")),
        [only] => Ok(*only),
        several => {
            let some = several.iter().take(5).map(ToString::to_string).collect::<Vec<_>>().join("\n  ");
            let more = if several.len() > 5 { "\n  …" } else { "" };
            Err(format!("{part} fits more than one message; write more digits of one of\n  {some}{more}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_days_moments_or_how_long_ago() {
        let now: Timestamp = "2026-11-22T07:45:00Z".parse().unwrap();
        for (text, expected) in [
            ("2026-11-20", Some("2026-11-20T00:00:00Z")),
            ("2026-11-20T08:00:00+01:00", Some("2026-11-20T07:00:00Z")),
            ("90m", Some("2026-11-22T06:15:00Z")),
            ("3d", Some("2026-11-19T07:45:00Z")),
            ("yesterday", None),
            ("", None),
            ("m", None),
            ("-3d", None),
            ("3µ", None),
        ] {
            assert_eq!(time(text, now), expected.map(|time| time.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn an_id_is_written_in_part_with_hyphens_or_with_the_number_of_its_part() {
        for (text, expected) in [
            ("9F3A21C0B7", "9f3a21c0b7"),
            ("0199a1b2-c3d4-7000-8000-1234567890ab", "0199a1b2c3d4700080001234567890ab"),
            ("9f3a21c0b7/1", "9f3a21c0b7"),
        ] {
            assert_eq!(digits(text).as_deref(), Ok(expected));
        }
        for bad in ["", "9f3", "scan.pdf", "0199a1b2c3d4700080001234567890ab0"] {
            assert_eq!(digits(bad).unwrap_err().0, EX_USAGE, "{bad}");
        }
    }

    #[test]
    fn what_fits_several_is_not_guessed() {
        let ids = [MessageId::new(), MessageId::new()];
        assert_eq!(the_only("ab12", &ids[..1]), Ok(ids[0]));
        let said = the_only("ab12", &ids).unwrap_err();
        assert!(ids.iter().all(|id| said.contains(&id.to_string())), "{said}");
        assert!(the_only("ab12", &[]).unwrap_err().contains("no message ab12"));
    }
}
