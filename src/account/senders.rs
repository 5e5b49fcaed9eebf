//! Senders an account's provider has refused: what a sender policy of `fix` learns from. Pure.
//!
//! Guarantees that a sender that was refused once costs no second mail, that the list is bounded, and that it forgets:
//! after a month, since somebody may have given the account the right meanwhile, and when a person has signed it in.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::mail::address::Address;
use crate::mail::envelope::ReversePath;

/// So many are remembered; the oldest goes first.
const MOST: usize = 100;

/// How long one is remembered.
const LIFE: Duration = Duration::from_hours(24 * 30);

/// The refused senders of one account, the one learned last at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RefusedSenders(Vec<Refused>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Refused {
    sender: ReversePath,
    since: Timestamp,
}

/// Those that are remembered at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Addresses, in the envelope or in `From`.
    pub addresses: Vec<Address>,
    /// `MAIL FROM:<>`
    pub null: bool,
}

impl RefusedSenders {
    /// The provider refused mail of this sender.
    pub fn learn(&mut self, sender: ReversePath, now: Timestamp) {
        self.0.retain(|known| known.sender != sender);
        self.0.push(Refused { sender, since: now });
        self.0.drain(..self.0.len().saturating_sub(MOST));
    }

    /// Those that are remembered now.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Remembered {
        let mut remembered = Remembered::default();
        for Refused { sender, since } in &self.0 {
            let is_recent = Duration::try_from(now.duration_since(*since)).is_ok_and(|age| age < LIFE);
            match sender {
                ReversePath::Mailbox(address) if is_recent => remembered.addresses.push(address.clone()),
                ReversePath::Null if is_recent => remembered.null = true,
                _ => {}
            }
        }
        remembered
    }

    /// A person has changed what the account may do.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text.as_bytes()).unwrap()
    }

    fn mailbox(text: &str) -> ReversePath {
        ReversePath::Mailbox(address(text))
    }

    #[test]
    fn a_refused_sender_is_known_for_a_month_and_then_tried_again() {
        let (mut refused, now) = (RefusedSenders::default(), Timestamp::UNIX_EPOCH);
        refused.learn(mailbox("nas@home.example"), now);
        refused.learn(ReversePath::Null, now);
        let both = Remembered { addresses: vec![address("nas@home.example")], null: true };
        assert_eq!(refused.at(now), both);
        assert_eq!(refused.at(now + Duration::from_hours(24 * 29)), both);
        assert_eq!(refused.at(now + Duration::from_hours(24 * 31)), Remembered::default());
    }

    #[test]
    fn what_is_learned_again_is_new_and_the_oldest_of_too_many_goes() {
        let (mut refused, now) = (RefusedSenders::default(), Timestamp::UNIX_EPOCH);
        (0..100).for_each(|number| refused.learn(mailbox(&format!("{number}@home.example")), now));
        refused.learn(mailbox("0@home.example"), now);
        refused.learn(mailbox("new@home.example"), now);
        let known = refused.at(now).addresses;
        assert_eq!(known.len(), 100);
        assert!(known.contains(&address("0@home.example")) && !known.contains(&address("1@home.example")));
        refused.forget();
        assert_eq!(refused.at(now), Remembered::default());
    }
}
