//! The table of known replies: what providers say, word for word, and what they mean by it.
//!
//! A row matches on who speaks, how we signed in, phase, code, enhanced code and words; the first row that matches
//! decides, so the narrow ones stand above the wide ones and those that fit anybody stand last. To add a row: write it
//! next to its provider and put the reply as it was seen into `tests/replies.txt`; a test fails for a row no reply
//! shows. Only what digit and phase would judge wrongly, or what deserves a better cure, is worth a row.

mod anyone;
pub(super) mod entra;
mod google;
mod mailboxes;
mod microsoft;
mod services;
mod speaker;
pub(super) mod tokens;

pub(super) use speaker::Speaker;

use super::echo::own_words;
use super::{Context, SignIn};
use crate::smtp::reply::{Enhanced, Reply};
use crate::words::{Cause, Phase};

/// One known reply.
pub(super) struct Row {
    /// [`super::Diagnosis::code`]; unique, the provider first.
    pub code: &'static str,
    /// Only when this one speaks: for words that others use as well.
    pub speaker: Option<Speaker>,
    /// Only when this is how we signed in.
    pub sign_in: Option<SignIn>,
    /// Only in one of these phases; none means any.
    pub phases: &'static [Phase],
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

/// A row that would match anything; each row says what it wants beyond that.
const ANY: Row = Row {
    code: "",
    speaker: None,
    sign_in: None,
    phases: &[],
    replies: &[],
    enhanced: None,
    words: &[],
    cause: Cause::Network,
    sentence: "",
    cure: "",
};

const LATER: &str = "Nothing to do: it is tried again later.";
const WAIT_A_DAY: &str = "Nothing but waiting up to 24 hours helps; look in the log for a device that sends too much.";
const SEND_AS_ADDRESS: &str =
    "Let the device send as `address` of this account, or let Posthouse see to it: sender = { policy = \"fix\" }.";

impl Row {
    fn matches(&self, phase: Phase, reply: &Reply, text: &str, context: Context<'_>) -> bool {
        (self.replies.is_empty() || self.replies.contains(&reply.code))
            && (self.phases.is_empty() || self.phases.contains(&phase))
            && self.enhanced.is_none_or(|wanted| reply.enhanced == Some(wanted))
            && self.sign_in.is_none_or(|wanted| context.sign_in == wanted)
            && self.words.iter().all(|word| text.contains(word))
            && self.speaker.is_none_or(|speaker| speaker.speaks(context, text))
    }
}

/// Every row, in the order in which they are tried.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    [microsoft::ROWS, google::ROWS, mailboxes::ROWS, services::ROWS, anyone::ROWS].into_iter().flatten()
}

/// The first row that matches.
pub(super) fn find(phase: Phase, reply: &Reply, context: Context<'_>) -> Option<&'static Row> {
    all(phase, reply, context).next()
}

/// Every row that matches.
pub(super) fn all(phase: Phase, reply: &Reply, context: Context<'_>) -> impl Iterator<Item = &'static Row> {
    let text = own_words(&reply.text);
    rows().filter(move |row| row.matches(phase, reply, &text, context))
}

/// The rows that are no provider's.
#[cfg(test)]
pub(super) fn anyone() -> impl Iterator<Item = &'static Row> {
    anyone::ROWS.iter()
}
