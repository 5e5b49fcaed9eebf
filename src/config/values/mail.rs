//! Mail addresses, and what people write in their place: display names, lists, domains that are not ASCII.
//!
//! No complaint repeats an address; a domain is said again only in a form that DNS knows.

use super::host::punycode;
use super::{Read, text};
use crate::config::finding::Complaint;
use crate::config::tree::Value;
use crate::mail::address::Address;

/// A mail address with a domain.
pub(in crate::config) fn address(value: &Value) -> Read<Address> {
    let expected = |why: &str| Complaint::new(why).hint("write a mail address alone, such as \"scanner@example.com\"");
    if matches!(value, Value::List(_)) {
        return Err(expected("one address stands here, in quotes and without brackets"));
    }
    let text = text(value, "a mail address such as \"scanner@example.com\"")?.trim();
    if let Some(why) = not_alone(text) {
        return Err(expected(why));
    }
    let address = Address::parse(text.as_bytes()).map_err(|error| expected(&error.to_string()))?;
    match address.domain() {
        Some(domain) if !domain.is_ascii() => Err(other_letters(domain)),
        Some(_) => Ok(address),
        None => Err(expected("the part from the @ on is missing")),
    }
}

/// What stands beside the address that should stand alone. In quotes a local part may hold anything.
fn not_alone(text: &str) -> Option<&'static str> {
    if text.starts_with('"') {
        return None;
    }
    if text.contains(['<', '>']) {
        return Some("an address stands alone here, without a name and without < and >");
    }
    if text.contains([',', ';']) {
        return Some("one address stands here, not a list of them");
    }
    if text.to_ascii_lowercase().starts_with("mailto:") {
        return Some("there is a `mailto:` before the address");
    }
    if text.matches('@').count() > 1 {
        return Some("there is more than one @ in this address");
    }
    text.contains(char::is_whitespace).then_some("there is white space in this address")
}

/// Without SMTPUTF8 (RFC 6531) a domain crosses SMTP only in its ASCII form.
fn other_letters(domain: &str) -> Complaint {
    let complaint = Complaint::new("a domain with other letters than a to z is written in its ASCII form here");
    match punycode(domain).filter(|name| name.contains('.')) {
        Some(name) => complaint.hint(format!("write \"{name}\" behind the @")),
        None => complaint,
    }
}

/// Whether a text is a mail address with a domain.
pub(in crate::config) fn is_mail_address(text: &str) -> bool {
    Address::parse(text.as_bytes()).is_ok_and(|address| address.domain().is_some())
}
