//! Senders an account's provider has refused: what a sender policy of `fix` learns from. Pure.
//!
//! Guarantees that a sender that was refused once costs no second mail, that the list is bounded, and that it forgets:
//! after a month, since somebody may have given the account the right meanwhile, and when a person has signed it in.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::mail::address::Address;

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
    address: Address,
    since: Timestamp,
}

impl RefusedSenders {
    /// The provider refused mail of these senders.
    pub fn learn(&mut self, senders: impl IntoIterator<Item = Address>, now: Timestamp) {
        for address in senders {
            self.0.retain(|known| known.address != address);
            self.0.push(Refused { address, since: now });
        }
        self.0.drain(..self.0.len().saturating_sub(MOST));
    }

    /// Those that are remembered now.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Vec<Address> {
        let recent = |known: &&Refused| Duration::try_from(now.duration_since(known.since)).is_ok_and(|age| age < LIFE);
        self.0.iter().filter(recent).map(|known| known.address.clone()).collect()
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

    #[test]
    fn a_refused_sender_is_known_for_a_month_and_then_tried_again() {
        let (mut refused, now) = (RefusedSenders::default(), Timestamp::UNIX_EPOCH);
        refused.learn([address("nas@home.example")], now);
        assert_eq!(refused.at(now), [address("nas@home.example")]);
        assert_eq!(refused.at(now + Duration::from_hours(24 * 29)).len(), 1);
        assert_eq!(refused.at(now + Duration::from_hours(24 * 31)), []);
    }

    #[test]
    fn what_is_learned_again_is_new_and_the_oldest_of_too_many_goes() {
        let (mut refused, now) = (RefusedSenders::default(), Timestamp::UNIX_EPOCH);
        let first = address("0@home.example");
        refused.learn((0..100).map(|number| address(&format!("{number}@home.example"))), now);
        refused.learn([first.clone(), address("new@home.example")], now);
        let known = refused.at(now);
        assert_eq!(known.len(), 100);
        assert!(known.contains(&first) && !known.contains(&address("1@home.example")));
        refused.forget();
        assert_eq!(refused.at(now), []);
    }
}
