//! Every key of the configuration, in one table: its name, its place, and what kind of value it takes.
//!
//! The table finds unknown keys and variables, guides environment variables to their place, decides what a report may
//! show, and lets a test hold the example file against it. Keys that a later version will know stand here too, with
//! what to write until then. What a value must be like in detail is for `values`; what fits together, for `check`.

pub(super) mod providers;

/// One key.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
}

/// What stands behind a key.
pub(super) enum Shape {
    /// One value, or a list of them.
    Value(Kind),
    /// `[sessions]`, or an inline table.
    Section(&'static [Key]),
    /// `[accounts.NAME]`
    Named(&'static [Key]),
    /// `[[listeners]]`
    Each(&'static [Key]),
    /// `[aliases]`: any name, each with one value.
    Map(Kind),
    /// Not in this version; the text says what to write instead.
    Later(&'static str),
}

/// What kind of value; decides what a report may show of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Never shown: secrets, and whatever could hold one. A `password_file` too: people write the password there.
    Hidden,
    /// One of these.
    Word(&'static [&'static str]),
    /// A whole number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A number with a unit: `15s`, `50MiB`.
    Measure,
    /// A host name, an account's name.
    Name,
    /// Socket addresses and networks.
    Network,
    /// A mail address or a pattern for some.
    Mail,
    /// The path of a file.
    Path,
}

const fn value(name: &'static str, kind: Kind) -> Key {
    Key { name, shape: Shape::Value(kind) }
}

const fn later(name: &'static str, instead: &'static str) -> Key {
    Key { name, shape: Shape::Later(instead) }
}

/// `listeners.tls`
pub(super) const LISTENER_TLS: &[&str] = &["none", "starttls", "implicit"];
/// `listeners.auth`
pub(super) const DEVICE_AUTH: &[&str] = &["none", "accept_any", "optional", "required"];
/// `listeners.line_endings`
pub(super) const LINE_ENDINGS: &[&str] = &["auto", "strict", "reject"];
/// `accounts.encryption`
pub(super) const ENCRYPTION: &[&str] = &["implicit", "starttls", "starttls_auto", "none"];
/// `accounts.mechanism`
pub(super) const MECHANISM: &[&str] = &["auto", "xoauth2", "plain", "login", "none"];
/// `accounts.oauth.grant`
pub(super) const GRANT: &[&str] = &["client_credentials", "command"];
/// `accounts.oauth.client_authentication`
pub(super) const CLIENT_AUTHENTICATION: &[&str] = &["body", "basic"];
/// `log.level`
pub(super) const LEVEL: &[&str] = &["error", "warn", "info", "debug", "trace"];
/// `log.format`
pub(super) const FORMAT: &[&str] = &["auto", "text", "json"];

const NO_QUEUE: &str = "this version has no queue and passes every mail on while the device waits; leave this key out";
const NO_VERIFY: &str =
    "the server's certificate is always verified in full; for a private authority write ca_file = \"…\"";
const NO_GRANT_KEY: &str =
    "only the grants client_credentials and command are there; a program named in `command` can do any other";

/// The whole file.
pub(super) const ROOT: &[Key] = &[
    value("hostname", Kind::Name),
    value("default_domain", Kind::Name),
    value("default_account", Kind::Name),
    Key { name: "aliases", shape: Shape::Map(Kind::Mail) },
    Key { name: "listeners", shape: Shape::Each(LISTENER) },
    Key { name: "devices", shape: Shape::Named(DEVICE) },
    Key { name: "accounts", shape: Shape::Named(ACCOUNT) },
    Key { name: "providers", shape: Shape::Named(providers::PROVIDER) },
    Key { name: "delivery", shape: Shape::Section(DELIVERY) },
    Key { name: "sessions", shape: Shape::Section(SESSIONS) },
    Key { name: "storage", shape: Shape::Section(STORAGE) },
    Key { name: "log", shape: Shape::Section(LOG) },
    later(
        "routes",
        "write default_account = \"NAME\", or give a device its own account: [devices.NAME] account = \"…\"",
    ),
    later("notices", "the device hears every refusal itself, so there is nothing to send; leave this section out"),
    later("alerts", "watch the log for lines of level warn and error instead"),
    later("journal", "the log holds what happened; write [log] level = \"debug\" for the lines of each session"),
    later("console", "use `posthouse check` and the log instead"),
];

const LISTENER: &[Key] = &[
    value("name", Kind::Name),
    value("bind", Kind::Network),
    value("tls", Kind::Word(LISTENER_TLS)),
    value("certificate", Kind::Path),
    value("key", Kind::Path),
    value("auth", Kind::Word(DEVICE_AUTH)),
    value("auth_in_clear", Kind::Flag),
    value("allow", Kind::Network),
    value("line_endings", Kind::Word(LINE_ENDINGS)),
    value("max_message_size", Kind::Measure),
    value("max_recipients", Kind::Number),
    value("senders", Kind::Mail),
    value("recipients", Kind::Mail),
    later("messages_per_hour", "limit the number of connections with [sessions] per_device = … instead"),
    later("recipients_per_day", "limit one mail with max_recipients = … instead"),
];

const DEVICE: &[Key] = &[
    value("password", Kind::Hidden),
    value("password_file", Kind::Hidden),
    value("account", Kind::Name),
    later("senders", "write senders = [\"…\"] in the listener the device connects to"),
    later("recipients", "write recipients = [\"…\"] in the listener the device connects to"),
    later("messages_per_hour", "limit the number of connections with [sessions] per_device = … instead"),
    later("recipients_per_day", "limit one mail with max_recipients = … in the listener instead"),
];

/// `[accounts.NAME]`
pub(super) const ACCOUNT: &[Key] = &[
    value("provider", Kind::Name),
    value("region", Kind::Name),
    value("host", Kind::Name),
    value("port", Kind::Number),
    value("encryption", Kind::Word(ENCRYPTION)),
    value("ca_file", Kind::Path),
    value("helo_name", Kind::Name),
    value("username", Kind::Hidden),
    value("address", Kind::Mail),
    value("mechanism", Kind::Word(MECHANISM)),
    value("password", Kind::Hidden),
    value("password_file", Kind::Hidden),
    value("password_command", Kind::Hidden),
    Key { name: "oauth", shape: Shape::Section(OAUTH) },
    value("allow_plaintext_credentials", Kind::Flag),
    Key { name: "limits", shape: Shape::Section(LIMITS) },
    later("verify", NO_VERIFY),
    later("roots", NO_VERIFY),
    later("pins", NO_VERIFY),
    later("client_certificate", "sign in with a password or oauth instead"),
    later("client_key", "sign in with a password or oauth instead"),
    later("sender", "make the device send from an address the provider accepts"),
    later("may_send_as", "make the device send from an address the provider accepts"),
    later("smime", "mail is sent as the device made it; leave this key out"),
];

const OAUTH: &[Key] = &[
    value("grant", Kind::Word(GRANT)),
    value("token_endpoint", Kind::Hidden),
    value("client_id", Kind::Hidden),
    value("client_secret", Kind::Hidden),
    value("client_secret_file", Kind::Hidden),
    value("scope", Kind::Hidden),
    value("client_authentication", Kind::Word(CLIENT_AUTHENTICATION)),
    value("command", Kind::Hidden),
    value("tenant", Kind::Name),
    later("authorization_endpoint", NO_GRANT_KEY),
    later("device_authorization_endpoint", NO_GRANT_KEY),
    later("refresh_token", NO_GRANT_KEY),
    later("redirect_uri", NO_GRANT_KEY),
    later("key_file", NO_GRANT_KEY),
    later("subject", NO_GRANT_KEY),
];

const LIMITS: &[Key] = &[
    value("connections", Kind::Number),
    value("recipients_per_message", Kind::Number),
    value("messages_per_minute", Kind::Number),
    value("recipients_per_day", Kind::Number),
    value("size", Kind::Measure),
];

const DELIVERY: &[Key] = &[
    value("wait", Kind::Measure),
    value("queue", Kind::Flag),
    value("shutdown_grace", Kind::Measure),
    later("max_queue_lifetime", NO_QUEUE),
    later("retry", NO_QUEUE),
    later("uncertain", NO_QUEUE),
    later("uncertain_delay", NO_QUEUE),
    later("hold_for", NO_QUEUE),
    later("redirect_to", "send test mail to an address of your own with [aliases] instead"),
    later("archive_to", "let the provider keep the copy"),
];

const SESSIONS: &[Key] = &[
    value("max", Kind::Number),
    value("per_device", Kind::Number),
    value("idle", Kind::Measure),
    value("minimum_rate", Kind::Number),
];

const STORAGE: &[Key] = &[
    value("directory", Kind::Path),
    later("url", "this version stores no mail; write directory = \"…\" for its temporary files"),
];

const LOG: &[Key] = &[value("level", Kind::Word(LEVEL)), value("format", Kind::Word(FORMAT))];

/// The key of this name, if there is one.
pub(super) fn find(keys: &'static [Key], name: &str) -> Option<&'static Key> {
    keys.iter().find(|key| key.name == name)
}

/// The headers of the sections that have a value of this name; the empty one for the top of the file.
pub(super) fn homes(name: &str) -> Vec<String> {
    // Nobody who mislaid a key of an account meant to describe a provider.
    places(name).into_iter().map(|(header, _)| header).filter(|header| !header.starts_with("[providers.")).collect()
}

/// The kinds of all values of this name, whatever section they are in.
pub(super) fn kinds(name: &str) -> Vec<Kind> {
    places(name).into_iter().map(|(_, kind)| kind).collect()
}

fn places(name: &str) -> Vec<(String, Kind)> {
    fn within(keys: &'static [Key], header: &str, path: &str, name: &str, found: &mut Vec<(String, Kind)>) {
        for key in keys {
            let inner = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
            match key.shape {
                Shape::Value(kind) if key.name == name => found.push((header.to_owned(), kind)),
                Shape::Section(keys) => within(keys, &format!("[{inner}]"), &inner, name, found),
                Shape::Each(keys) => within(keys, &format!("[[{inner}]]"), &inner, name, found),
                Shape::Named(keys) => {
                    let inner = format!("{inner}.NAME");
                    within(keys, &format!("[{inner}]"), &inner, name, found);
                }
                Shape::Value(_) | Shape::Map(_) | Shape::Later(_) => {}
            }
        }
    }
    let mut found = Vec::new();
    within(ROOT, "", "", name, &mut found);
    found
}

/// The key that was probably meant: the nearest name of this version within two slips of the pen.
pub(super) fn nearest(keys: &'static [Key], written: &str) -> Option<&'static str> {
    let here = keys.iter().filter(|key| !matches!(key.shape, Shape::Later(_))).map(|key| key.name);
    nearest_word(here, written)
}

/// The nearest of these words, if one is near enough to have been meant.
pub(super) fn nearest_word(words: impl Iterator<Item = &'static str>, written: &str) -> Option<&'static str> {
    let written = written.trim().to_ascii_lowercase().replace('-', "_");
    // A long text is no slip of the pen, and the distance costs its length squared.
    if written.len() > 40 {
        return None;
    }
    words
        .map(|word| (strsim::damerau_levenshtein(word, &written), word))
        .filter(|(distance, word)| *distance <= 2.min(word.len() / 2))
        .min()
        .map(|(_, word)| word)
}

/// Whether a word is a slip of the pen away from another.
pub(super) fn is_near(word: &str, written: &str) -> bool {
    written.len() <= 40 && strsim::damerau_levenshtein(word, written) <= 2.min(word.len() / 2)
}

/// Every key of this version, sections first, as `accounts.NAME.host` or `listeners.name`.
#[must_use]
pub fn all() -> Vec<String> {
    let mut found = Vec::new();
    gather(ROOT, "", &mut found);
    found
}

fn gather(keys: &'static [Key], prefix: &str, found: &mut Vec<String>) {
    for key in keys {
        let path = format!("{prefix}{}", key.name);
        match key.shape {
            Shape::Later(_) => {}
            Shape::Value(_) => found.push(path),
            Shape::Map(_) => found.push(format!("{path}.NAME")),
            Shape::Section(inner) | Shape::Each(inner) => gather(inner, &format!("{path}."), found),
            Shape::Named(inner) => gather(inner, &format!("{path}.NAME."), found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_are_understood_and_other_words_are_not() {
        assert_eq!(nearest(ACCOUNT, "pasword"), Some("password"));
        assert_eq!(nearest(ACCOUNT, "password-file"), Some("password_file"));
        assert_eq!(nearest(ACCOUNT, "hsot"), Some("host"));
        assert_eq!(nearest(ACCOUNT, "colour"), None);
        assert_eq!(nearest(ACCOUNT, &"password".repeat(1000)), None);
    }

    #[test]
    fn no_name_stands_twice_in_one_section() {
        for keys in [ROOT, LISTENER, DEVICE, ACCOUNT, OAUTH, LIMITS, DELIVERY, SESSIONS, STORAGE, LOG] {
            let names: std::collections::BTreeSet<_> = keys.iter().map(|key| key.name).collect();
            assert_eq!(names.len(), keys.len());
        }
    }
}
