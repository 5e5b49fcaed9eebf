//! `[accounts.NAME.sender]`: whom mail comes from, the relay's own and, by its policy, a device's.
//!
//! A policy, a name and an address, each with its own complaint for what people write in its place. Repeats none of it.

use crate::account::Sender;
use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::tree::Value;
use crate::config::values;
use crate::mail::display_name::{DisplayName, DisplayNameError};
use crate::mail::sender::Policy;

/// What of it is written; the account's address stands in where there is none.
pub(super) fn read(account: &Section<'_>) -> Sender {
    let Some(section) = account.section("sender") else { return Sender::default() };
    let policy = match section.word("policy") {
        Some("keep") => Policy::Keep,
        Some("force") => Policy::Force,
        _ => Policy::Fix,
    };
    Sender { policy, name: section.get("name", name), address: section.get("address", values::address) }
}

fn name(value: &Value) -> Result<DisplayName, Complaint> {
    let Value::Text(text) = value else {
        return Err(Complaint::new("expected a name in quotes").hint("write a name such as \"Scanner, 2nd floor\""));
    };
    DisplayName::parse(text).map_err(|error| {
        let complaint = Complaint::new(error.to_string());
        match error {
            DisplayNameError::Empty => complaint.hint("leave `name` out, or write one such as \"Scanner, 2nd floor\""),
            DisplayNameError::TooLong { .. } => complaint.hint("shorten it; mail programs show the first 30 or so"),
            DisplayNameError::LineEnding => {
                complaint.hint("write it in one line; what follows would become another field of the header")
            }
            DisplayNameError::Control => complaint.hint("take tabs and other control characters out of it"),
            DisplayNameError::Address => {
                complaint.hint("write the name alone; the address belongs into `address` beside it")
            }
        }
    })
}
