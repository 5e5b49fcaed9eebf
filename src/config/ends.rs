//! What of an account's sign-in ends soon by its configuration alone: the client secret and the client certificate.
//!
//! The words are those of `account::warning`, which the running relay says too; here they get the place of the key.
//! What a provider told of its tokens is not known here. Reads the certificates; time is an argument.

use jiff::Timestamp;

use super::finding::{Complaint, Findings};
use super::tree::{Origin, Table, Value};
use crate::account::warning::{self, Known};
use crate::account::{Settings, oauth};

/// Notes what ends, at the key that says so.
pub(super) fn look(table: &Table, accounts: &[Settings], now: Timestamp, findings: &Findings) {
    for settings in accounts {
        // A certificate that cannot be read is noted where files are looked at.
        let certificate_ends = settings.credential.grant().and_then(oauth::client_certificate_ends);
        let known = Known { settings, facts: None, is_renewable: false, certificate_ends };
        for warning in warning::warnings(known, now) {
            let key = match &*warning.code {
                "client_certificate_ends" => "client_certificate",
                _ => "client_secret_expires",
            };
            let complaint = Complaint::new(warning.sentence).hint(warning.cure);
            let name = settings.name.as_str();
            let origin = origin(table, &["accounts", name, "oauth", key]);
            findings.warning(&origin, &format!("accounts.{name}.oauth.{key}"), complaint);
        }
    }
}

/// Where the value at the end of this path stands.
fn origin(table: &Table, path: &[&str]) -> Origin {
    let entry = path.split_first().and_then(|(first, rest)| Some((table.get(first)?, rest)));
    match entry {
        Some((entry, rest)) => match &entry.node.value {
            Value::Table(inner) if !rest.is_empty() => origin(inner, rest),
            _ => entry.node.origin.clone(),
        },
        None => Origin::Nowhere,
    }
}
