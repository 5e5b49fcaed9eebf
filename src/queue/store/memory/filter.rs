//! What a filter lets through, by the words of its documentation.
//!
//! Slow and plain, so that engines with indexes can be compared with it. Decides about one row and knows no others.
//! The conformance suite asks both.

use super::{Filter, Waiting};

/// Whether everything the filter gives holds.
pub(super) fn admits(filter: &Filter, waiting: &Waiting) -> bool {
    let Filter { from, to, device, account, standing, since, before } = filter;
    let holds = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
    let parcel = &waiting.parcel;
    from.as_ref().is_none_or(|from| holds(&waiting.reverse_path.to_string(), from))
        && to.as_ref().is_none_or(|to| parcel.recipients.iter().any(|r| holds(r.recipient.address.as_str(), to)))
        && device.as_ref().is_none_or(|device| waiting.device.as_str() == device)
        && account.as_ref().is_none_or(|account| parcel.route.accounts().iter().any(|a| a.as_str() == account))
        && standing.is_none_or(|standing| parcel.standing.kind() == standing)
        && since.is_none_or(|since| waiting.arrived >= since)
        && before.is_none_or(|before| waiting.arrived < before)
}
