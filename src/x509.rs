//! How what stands in a certificate is told to people: names in one printable line, moments as timestamps.
//!
//! Guarantees that the texts are short and printable whatever somebody wrote into a certificate. Reads no certificate
//! itself and believes none.

use std::fmt::{self, Write};

use jiff::Timestamp;
use x509_cert::name::Name;
use x509_cert::time::Time;

/// Characters of a text that are kept.
pub const LENGTH: usize = 200;

/// As RFC 4514 writes names: `CN=smtp.example.com,O=Example`. Often empty.
#[must_use]
pub fn distinguished(name: &Name) -> String {
    let mut text = String::new();
    // `to_string` would panic where the library cannot write an attribute.
    match write!(text, "{name}") {
        Ok(()) => printable(&text),
        Err(fmt::Error) => "unreadable".to_owned(),
    }
}

/// Letters of any language, and what else ASCII prints: no control characters, nothing that turns the line round.
#[must_use]
pub fn printable(text: &str) -> String {
    let kept = |c: char| if c.is_alphanumeric() || c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    text.chars().take(LENGTH).map(kept).collect()
}

/// RFC 5280 §4.1.2.5: `99991231235959Z` says that there is no end. It is later than the last moment a [`Timestamp`] has.
#[must_use]
pub fn moment(time: Time) -> Timestamp {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}
