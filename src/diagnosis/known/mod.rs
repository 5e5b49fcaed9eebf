//! The table of known replies: what providers say, word for word, and what they mean by it.
//!
//! A row matches on code, enhanced code and words; the first row that matches decides, so the narrow ones stand above
//! the wide ones of the same provider. To add a row: write it next to its provider and put the reply as it was seen
//! into `seen.txt`; a test fails for a row no reply shows. Only what digit and phase would judge wrongly, or what
//! deserves a better cure, is worth a row.

mod microsoft;
mod others;

use crate::smtp::reply::{Enhanced, Reply};
use crate::words::Cause;

/// One known reply.
pub(super) struct Row {
    /// [`super::Diagnosis::code`]; unique, the provider first.
    pub code: &'static str,
    /// One of these reply codes; none means any.
    pub replies: &'static [u16],
    /// This enhanced code, when given. Leave it out where providers are careless with it.
    pub enhanced: Option<Enhanced>,
    /// All of these in the text; lower case.
    pub words: &'static [&'static str],
    pub cause: Cause,
    pub sentence: &'static str,
    pub cure: &'static str,
}

impl Row {
    fn matches(&self, reply: &Reply, lower_case_text: &str) -> bool {
        (self.replies.is_empty() || self.replies.contains(&reply.code))
            && self.enhanced.is_none_or(|wanted| reply.enhanced == Some(wanted))
            && self.words.iter().all(|word| lower_case_text.contains(word))
    }
}

/// Every row, in the order in which they are tried.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    microsoft::ROWS.iter().chain(others::ROWS)
}

/// The first row that matches.
pub(super) fn find(reply: &Reply) -> Option<&'static Row> {
    let text = reply.text.to_ascii_lowercase().replace('\n', " ");
    rows().find(|row| row.matches(reply, &text))
}
