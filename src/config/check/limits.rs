//! What listeners and devices have in common: who may send, to whom, and how much.
//!
//! No limit is ever zero: that would be a way to switch something off that nobody finds again.

use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::values;
use crate::inbound::settings::Limits;
use crate::mail::pattern::Pattern;

/// `senders` or `recipients`; without the key everyone.
pub(super) fn patterns(section: &Section<'_>, key: &str) -> Vec<Pattern> {
    let Some(list) = section.list(key, values::pattern) else { return vec!["*".into()] };
    if list.is_empty() {
        let complaint = Complaint::new("an empty list lets nothing through");
        section.error(key, complaint.hint("leave the key out to let everything through"));
    }
    list.into_iter().map(|(pattern, _)| pattern).collect()
}

/// `messages_per_hour` and `recipients_per_day`.
pub(super) fn limits(section: &Section<'_>) -> Limits {
    let limit = |key| {
        let read = |value: &_| {
            values::number(value, 1..=1_000_000).map_err(|complaint| complaint.hint("leave the key out for no limit"))
        };
        section.get(key, read)
    };
    Limits { messages_per_hour: limit("messages_per_hour"), recipients_per_day: limit("recipients_per_day") }
}
