//! One entry of `[[routes]]`: what must hold of a message, and the accounts it then goes through. Pure.
//!
//! A condition is a list of which one must fit; an empty list is no condition. All conditions must hold. Addresses of
//! the network are compared in canonical form.

use std::fmt;

use super::Origin;
use crate::ids::{AccountName, DeviceName, ListenerName};
use crate::mail::address::Address;
use crate::mail::pattern::{Pattern, any_matches};
use crate::net::network::Network;

/// One entry of `[[routes]]`.
#[derive(Debug, Clone, Default)]
pub struct Rule {
    /// `sender`: the reverse-path; `<>` for the null one.
    pub sender: Vec<Pattern>,
    /// `recipient`: where the mail goes, aliases applied.
    pub recipient: Vec<Pattern>,
    /// `device`: logins of `[devices]`. Who did not sign in is no device here, whatever its address.
    pub device: Vec<Pattern>,
    /// `source`: addresses and networks.
    pub source: Vec<Network>,
    /// `listener`
    pub listener: Vec<Pattern>,
    /// `accounts`, in order; never empty after the check.
    pub accounts: Vec<AccountName>,
}

/// A condition of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    Sender,
    Recipient,
    Device,
    Source,
    Listener,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Device => "device",
            Self::Source => "source",
            Self::Listener => "listener",
        })
    }
}

impl Rule {
    /// The first condition that does not hold; `None` when the rule fits. While no recipient is known, one that fits
    /// may still come.
    #[must_use]
    pub fn why_not(&self, origin: &Origin<'_>, recipient: Option<&Address>) -> Option<Condition> {
        let holds = |patterns: &[Pattern], text: &str| patterns.is_empty() || any_matches(patterns, text);
        let device = |login| any_matches(&self.device, login);
        let conditions = [
            (Condition::Sender, holds(&self.sender, &origin.sender.to_string())),
            (Condition::Recipient, recipient.is_none_or(|address| holds(&self.recipient, address.as_str()))),
            (Condition::Device, self.device.is_empty() || origin.login.is_some_and(|login| device(login.as_str()))),
            (Condition::Source, self.source.is_empty() || self.source.iter().any(|net| net.contains(origin.source))),
            (Condition::Listener, holds(&self.listener, origin.listener.as_str())),
        ];
        conditions.into_iter().find(|(_, holds)| !holds).map(|(condition, _)| condition)
    }

    /// What a condition asks for, as it was written.
    #[must_use]
    pub fn wanted(&self, condition: Condition) -> String {
        let patterns = match condition {
            Condition::Sender => &self.sender,
            Condition::Recipient => &self.recipient,
            Condition::Device => &self.device,
            Condition::Listener => &self.listener,
            Condition::Source => return self.source.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        patterns.iter().map(Pattern::as_str).collect::<Vec<_>>().join(", ")
    }

    /// Whether it fits every message that comes by this login, or without one, to this listener.
    #[must_use]
    pub fn takes_all_of(&self, login: Option<&DeviceName>, listener: &ListenerName) -> bool {
        everything(&self.sender)
            && everything(&self.recipient)
            && self.source.is_empty()
            && (self.device.is_empty() || login.is_some_and(|login| any_matches(&self.device, login.as_str())))
            && (self.listener.is_empty() || any_matches(&self.listener, listener.as_str()))
    }

    /// Whether every message that fits the other surely fits this one, so that the other never decides behind it. May
    /// overlook such a case, never make one up.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        // A pattern that fits another one as a text fits whatever that one does: only a `*` fits its `*`.
        let within = |ours: &[Pattern], theirs: &[Pattern]| {
            !theirs.is_empty() && theirs.iter().all(|pattern| any_matches(ours, pattern.as_str()))
        };
        let any = |ours: &[Pattern], theirs: &[Pattern]| everything(ours) || within(ours, theirs);
        let in_ours = |net: &Network| self.source.iter().any(|ours| ours.covers(net));
        any(&self.sender, &other.sender)
            && any(&self.recipient, &other.recipient)
            && any(&self.listener, &other.listener)
            // Not every message has a login, so `*` is a condition here.
            && (self.device.is_empty() || within(&self.device, &other.device))
            && (self.source.is_empty() || !other.source.is_empty() && other.source.iter().all(in_ours))
    }
}

/// Whether a condition that every message can be asked is none.
fn everything(patterns: &[Pattern]) -> bool {
    patterns.is_empty() || patterns.iter().any(Pattern::is_everything)
}
