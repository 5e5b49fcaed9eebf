//! Which identity signs for a sender, if any may: by its addresses, its time and its purpose.
//!
//! An identity is for the addresses that its certificate names, and for the patterns configured beside it. Of several
//! that fit, one that may sign is taken before one that may not, and of those the one that ends last, so that a renewed
//! certificate can be put beside the old one. Who has no identity gets the reason, for a person to act on. Pure.

use std::borrow::Borrow;
use std::fmt;

use jiff::Timestamp;

use super::facts::{Facts, Purpose};
use super::identity::Identity;
use crate::mail::address::Address;
use crate::mail::pattern::{self, Pattern};

/// An identity, and for whom it may sign beside the addresses of its certificate.
#[derive(Debug)]
pub struct Held<I> {
    /// The identity, or what refers to it.
    pub identity: I,
    /// Senders it signs for though its certificate does not name them.
    pub senders: Vec<Pattern>,
}

/// Who signs.
#[derive(Debug)]
pub enum Choice<'a> {
    /// This one.
    Sign(&'a Identity),
    /// Nobody.
    Nobody(Why),
}

/// Why nobody signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The mail says nobody it is from.
    NoSender,
    /// No identity is for this sender.
    NoIdentity {
        /// The sender.
        sender: Address,
    },
    /// The one for the sender may not sign.
    Unfit {
        /// The sender.
        sender: Address,
        /// The subject of its certificate.
        subject: String,
        /// Why not.
        unfit: Unfit,
    },
}

/// Why an identity may not sign now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Its certificate begins later.
    NotYet {
        /// When.
        begins: Timestamp,
    },
    /// Its certificate has ended.
    Ended {
        /// When.
        ended: Timestamp,
    },
    /// Its certificate is for something else.
    Purpose(Purpose),
}

impl<I: Borrow<Identity>> Held<I> {
    /// Whether it is for this sender.
    #[must_use]
    pub fn is_for(&self, sender: &Address) -> bool {
        self.identity.borrow().facts().names(sender) || pattern::any_matches(&self.senders, sender.as_str())
    }
}

/// Whether a certificate that says this may sign at this moment.
#[must_use]
pub fn unfit(facts: &Facts, now: Timestamp) -> Option<Unfit> {
    if !facts.purpose.may_sign_mail() {
        return Some(Unfit::Purpose(facts.purpose));
    }
    if now < facts.not_before {
        return Some(Unfit::NotYet { begins: facts.not_before });
    }
    // RFC 5280 §4.1.2.5: the last second still counts.
    (now > facts.not_after).then_some(Unfit::Ended { ended: facts.not_after })
}

/// The identity for this sender: who the mail will say it is from.
#[must_use]
pub fn choose<'a, I: Borrow<Identity>>(held: &'a [Held<I>], sender: Option<&Address>, now: Timestamp) -> Choice<'a> {
    let Some(sender) = sender else { return Choice::Nobody(Why::NoSender) };
    let fitting = held.iter().filter(|held| held.is_for(sender)).map(|held| held.identity.borrow());
    let best = fitting.max_by_key(|identity| (unfit(identity.facts(), now).is_none(), identity.facts().not_after));
    let Some(identity) = best else { return Choice::Nobody(Why::NoIdentity { sender: sender.clone() }) };
    match unfit(identity.facts(), now) {
        None => Choice::Sign(identity),
        Some(unfit) => {
            let subject = identity.facts().subject.clone();
            Choice::Nobody(Why::Unfit { sender: sender.clone(), subject, unfit })
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYet { begins } => write!(f, "is not valid before {}", begins.strftime("%Y-%m-%d %H:%M UTC")),
            Self::Ended { ended } => write!(f, "ended at {}", ended.strftime("%Y-%m-%d %H:%M UTC")),
            // What `openssl req -x509` makes, unless it is told otherwise.
            Self::Purpose(Purpose::Authority) => f.write_str(
                "may not sign mail: it is an authority's; make one with basicConstraints=CA:FALSE and \
                 extendedKeyUsage=emailProtection",
            ),
            Self::Purpose(purpose) => write!(f, "may not sign mail: it is {purpose}"),
        }
    }
}

/// One line; names the sender where it must.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSender => f.write_str("the mail names no sender to sign for"),
            Self::NoIdentity { sender } => write!(f, "no S/MIME identity of the account is for the sender {sender}"),
            // Not its subject, which may be a person's name where addresses are masked.
            Self::Unfit { sender, unfit, .. } => write!(f, "the certificate for the sender {sender} {unfit}"),
        }
    }
}

#[cfg(test)]
mod tests;
