//! Settings back in the words of the configuration file.
//!
//! Each function undoes one of `values` or `check`, so that what is printed can be read again. Values whose owner may
//! have put a secret into them are judged here: shown only if they look like what they should be.

use std::path::Path;
use std::time::Duration;

use crate::account::oauth::ClientAuthentication;
use crate::account::{Encryption, Mechanism, Pipelining};
use crate::inbound::settings::{DeviceAuth, LineEndings};
use crate::journal::Masks;
use crate::journal::log::Format;
use crate::mail::rewrite::Received;
use crate::mail::sender::Policy;
use crate::net::trust::Verify;
use crate::queue::{NoticesTo, Uncertain};
use crate::smtp::sasl::Mechanism as Sasl;

/// `accounts.received`
pub(super) fn received(received: Received) -> &'static str {
    match received {
        Received::Full => "full",
        Received::Minimal => "minimal",
    }
}

/// `accounts.sender.policy`
pub(super) fn sender_policy(policy: Policy) -> &'static str {
    match policy {
        Policy::Keep => "keep",
        Policy::Fix => "fix",
        Policy::Force => "force",
    }
}

/// The largest unit that says it without a fraction.
pub(super) fn duration(duration: Duration) -> toml::Value {
    let millis = duration.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
    let unit = units.into_iter().find(|(unit, _)| millis >= *unit && millis.is_multiple_of(*unit));
    let (size, name) = unit.unwrap_or((1, "ms"));
    format!("{}{name}", millis / size).into()
}

/// The largest unit that says it without a fraction.
pub(super) fn size(octets: u64) -> toml::Value {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| octets >= *unit && octets.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", octets / unit).into(),
        None => whole(octets),
    }
}

/// Settings are far below the largest number TOML has.
pub(super) fn whole(number: impl TryInto<i64>) -> toml::Value {
    toml::Value::Integer(number.try_into().unwrap_or(i64::MAX))
}

/// A list of texts.
pub(super) fn list<T: ToString>(items: &[T]) -> toml::Value {
    items.iter().map(|item| toml::Value::String(item.to_string())).collect::<Vec<_>>().into()
}

/// The path from the root, so that it means the same in another directory.
pub(super) fn path(path: &Path) -> toml::Value {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.into());
    whole.display().to_string().into()
}

/// A name of the administrator's choice as a key, in quotes where TOML wants them.
pub(super) fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if bare { name.to_owned() } else { toml::Value::String(name.to_owned()).to_string() }
}

/// Whether a login name or a client's identity looks like one: an address, a UUID, a client of Google's. Some
/// providers give a secret for a login name.
pub(super) fn looks_like_identity(text: &str) -> bool {
    let is_address = text.contains('@') && super::super::values::is_mail_address(text);
    let is_uuid = uuid::Uuid::try_parse(text).is_ok() && text.contains('-');
    is_address || is_uuid || text.ends_with(".apps.googleusercontent.com")
}

/// Whether each word is an address without a query, or a plain word such as `offline_access`.
pub(super) fn looks_like_scope(text: &str) -> bool {
    let plain = |word: &str| word.len() <= 24 && word.bytes().all(|b| b.is_ascii_lowercase() || b"_.".contains(&b));
    text.split(' ').all(|word| plain(word) || (word.starts_with("https://") && !word.contains(['?', '#', '@'])))
}

/// Whether it says how the sign-in page behaves, in a few plain letters: `prompt=consent`.
pub(super) fn looks_like_parameter(text: &str) -> bool {
    let plain =
        |part: &str| part.len() <= 24 && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b));
    text.split_once('=').is_some_and(|(name, value)| plain(name) && plain(value))
}

pub(super) fn encryption(encryption: Encryption) -> &'static str {
    match encryption {
        Encryption::Implicit => "implicit",
        Encryption::StartTls => "starttls",
        Encryption::StartTlsAuto => "starttls_auto",
        Encryption::None => "none",
    }
}

pub(super) fn verify(verify: Verify) -> &'static str {
    match verify {
        Verify::Full => "full",
        Verify::Chain => "chain",
        Verify::Pin => "pin",
        Verify::None => "none",
    }
}

pub(super) fn pipelining(pipelining: Pipelining) -> &'static str {
    match pipelining {
        Pipelining::Off => "off",
        Pipelining::Message => "message",
        Pipelining::Messages => "messages",
    }
}

pub(super) fn mechanism(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Auto => "auto",
        Mechanism::Only(Sasl::XOAuth2) => "xoauth2",
        Mechanism::Only(Sasl::OAuthBearer) => "oauthbearer",
        Mechanism::Only(Sasl::Plain) => "plain",
        Mechanism::Only(Sasl::Login) => "login",
        Mechanism::Only(Sasl::CramMd5) => "cram_md5",
        Mechanism::None => "none",
    }
}

pub(super) fn client_authentication(authentication: ClientAuthentication) -> &'static str {
    match authentication {
        ClientAuthentication::Basic => "basic",
        ClientAuthentication::Body => "body",
    }
}

pub(super) fn device_auth(auth: DeviceAuth) -> &'static str {
    match auth {
        DeviceAuth::None => "none",
        DeviceAuth::AcceptAny => "accept_any",
        DeviceAuth::Optional => "optional",
        DeviceAuth::Required => "required",
    }
}

pub(super) fn line_endings(endings: LineEndings) -> &'static str {
    match endings {
        LineEndings::Auto => "auto",
        LineEndings::Strict => "strict",
        LineEndings::Reject => "reject",
    }
}

pub(super) fn notices_to(to: NoticesTo) -> &'static str {
    match to {
        NoticesTo::Sender => "sender",
        NoticesTo::Admin => "admin",
        NoticesTo::Nobody => "none",
    }
}

pub(super) fn uncertain(uncertain: Uncertain) -> &'static str {
    match uncertain {
        Uncertain::Retry => "retry",
        Uncertain::Hold => "hold",
    }
}

pub(super) fn log_format(format: Format) -> &'static str {
    match format {
        Format::Auto => "auto",
        Format::Text => "text",
        Format::Json => "json",
    }
}

pub(super) fn masks(masks: Masks) -> Vec<&'static str> {
    let words = [("addresses", masks.addresses), ("subjects", masks.subjects), ("attachments", masks.attachments)];
    words.into_iter().filter_map(|(word, masked)| masked.then_some(word)).collect()
}
