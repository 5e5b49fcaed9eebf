//! The accounts for programs: one object, whose names never change.
//!
//! Holds everything the pages for people show, with times as RFC 3339 in UTC. What is not known is `null`.

use serde_json::{Value, json};

use super::state::{State, needs_person};
use super::{Seen, Source};
use crate::app::accounts::Account;

pub(super) fn value(seen: &Seen) -> Value {
    let relay = match &seen.source {
        Source::Relay(relay) => json!(relay),
        Source::Files { .. } => Value::Null,
    };
    let why_not = match &seen.source {
        Source::Relay(_) => None,
        Source::Files { why } => Some(why),
    };
    json!({
        "relay": relay,
        "why_without_relay": why_not,
        "accounts": seen.accounts.iter().map(account).collect::<Vec<_>>(),
    })
}

fn account(account: &Account) -> Value {
    // Plain data without odd keys always becomes JSON.
    let mut value = serde_json::to_value(account).unwrap_or_default();
    value["state"] = State::of(account).code().into();
    value["needs_person"] = needs_person(account).into();
    value
}
