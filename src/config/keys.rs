//! Every key of the configuration, in one table: its name, its place, what kind of value it takes and what it is for.
//!
//! The table finds unknown keys and variables, guides environment variables to their place, decides what a report may
//! show, makes the JSON Schema, and lets a test hold the example file against it. Keys that a later version will know
//! stand here too, with what to write until then. How it is searched stands in `lookup`; what a value must be like in
//! detail is for `values`; what fits together, for `check`.

mod lookup;
mod oauth;
pub(super) mod providers;
pub(super) mod smime;

pub use lookup::{all, with_later};
pub(super) use lookup::{find, homes, is_one_letter_off, kinds, nearest, nearest_word, own_word, slips};
use oauth::OAUTH;

/// One key.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// What it is for, on one line; empty for keys of a later version.
    pub(super) about: &'static str,
}

/// What stands behind a key.
pub(super) enum Shape {
    /// One value.
    Value(Kind),
    /// A list of values; a single one stands for a list of one.
    List(Kind),
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

/// What kind of value; decides what a report may show of it, and its type and form in the schema.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A secret.
    Secret,
    /// Could hold a secret, so reports never show it. A `password_file` too: people write the password there.
    Hidden,
    /// One of these.
    Word(&'static [&'static str]),
    /// A whole number, not below the first and not above the second.
    Number(u32, u32),
    /// `true` or `false`.
    Flag,
    /// A number with a unit of time: `15s`.
    Duration,
    /// A day: `2027-03-01`.
    Date,
    /// Octets, as a number or with a unit: `50MiB`.
    Size,
    /// A name of the administrator's choice.
    Name,
    /// A name in which `*` stands for anything.
    NamePattern,
    /// A host name; where an account connects, an address too.
    Host,
    /// A host name in which `{region}` may stand.
    HostByRegion,
    /// An IP address and a port.
    Socket,
    /// An address or a range of them.
    Network,
    /// A mail address.
    Mail,
    /// A mail address in which `*` stands for anything.
    Pattern,
    /// A key or certificate by its SHA-256: `sha256/…` or `certificate/…`.
    Pin,
    /// The path of a file.
    Path,
    /// A name for people: words on one line.
    Phrase,
}

impl Kind {
    /// Whether values of this kind cannot be secrets.
    pub(super) fn is_harmless(self) -> bool {
        !matches!(self, Self::Secret | Self::Hidden)
    }
}

impl Key {
    /// Says what the key is for, on one line.
    const fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }
}

const fn key(name: &'static str, shape: Shape) -> Key {
    Key { name, shape, about: "" }
}

const fn value(name: &'static str, kind: Kind) -> Key {
    key(name, Shape::Value(kind))
}

const fn list(name: &'static str, kind: Kind) -> Key {
    key(name, Shape::List(kind))
}

const fn later(name: &'static str, instead: &'static str) -> Key {
    key(name, Shape::Later(instead))
}

/// `listeners.tls`
pub(super) const LISTENER_TLS: &[&str] = &["none", "starttls", "implicit"];
/// `listeners.auth`
pub(super) const DEVICE_AUTH: &[&str] = &["none", "accept_any", "optional", "required"];
/// `listeners.line_endings`
pub(super) const LINE_ENDINGS: &[&str] = &["auto", "strict", "reject"];
/// `accounts.encryption`
pub(super) const ENCRYPTION: &[&str] = &["implicit", "starttls", "starttls_auto", "none"];
/// `accounts.verify`
pub(super) const VERIFY: &[&str] = &["full", "chain", "pin", "none"];
/// `accounts.roots`
pub(super) const ROOTS: &[&str] = &["system", "bundled"];
/// `accounts.mechanism`
pub(super) const MECHANISM: &[&str] = &["auto", "xoauth2", "oauthbearer", "plain", "login", "cram_md5", "none"];
/// `accounts.pipelining`
pub(super) const PIPELINING: &[&str] = &["off", "message", "messages"];
/// `accounts.sender.policy`
pub(super) const SENDER_POLICY: &[&str] = &["keep", "fix", "force"];
/// `accounts.received`
pub(super) const RECEIVED: &[&str] = &["full", "minimal"];
/// `delivery.uncertain`
pub(super) const UNCERTAIN: &[&str] = &["retry", "hold"];
/// `notices.to`
pub(super) const NOTICES_TO: &[&str] = &["sender", "admin", "none"];
/// `log.level`
pub(super) const LEVEL: &[&str] = &["error", "warn", "info", "debug", "trace"];
/// `log.format`
pub(super) const FORMAT: &[&str] = &["auto", "text", "json"];

/// `log.mask`
pub(super) const MASK: &[&str] = &["addresses", "subjects", "attachments"];

/// The whole file.
pub(super) const ROOT: &[Key] = &[
    value("hostname", Kind::Host).about("The name this machine gives itself towards devices"),
    value("default_domain", Kind::Host).about("Completes addresses that have no domain, such as root"),
    value("default_account", Kind::Name).about("The account that sends when nothing else decides"),
    key("aliases", Shape::Map(Kind::Mail)).about("Recipients that devices write, and where their mail goes instead"),
    key("listeners", Shape::Each(LISTENER)).about("Where devices connect"),
    key("devices", Shape::Named(DEVICE)).about("Logins of devices"),
    key("routes", Shape::Each(ROUTE)).about("Which mail goes through which account; the first one that fits decides"),
    key("accounts", Shape::Named(ACCOUNT)).about("Where mail goes, and how to sign in there"),
    key("providers", Shape::Named(providers::PROVIDER)).about("Providers of your own, and changes to known ones"),
    key("fixups", Shape::Section(INTAKE_FIXUPS)).about("What is added to mail and repaired in it while it comes in"),
    key("delivery", Shape::Section(DELIVERY)).about("How mail is passed on"),
    key("sessions", Shape::Section(SESSIONS)).about("Limits on the connections of devices"),
    key("storage", Shape::Section(STORAGE)).about("Where Posthouse keeps its own files"),
    key("log", Shape::Section(LOG)).about("What is written to standard error"),
    key("notices", Shape::Section(NOTICES)).about("Who is told that a mail was not delivered"),
    later("alerts", "watch the log for lines of level warn and error instead"),
    later("journal", "the log holds what happened; write [log] level = \"debug\" for the lines of each session"),
    later("console", "use `posthouse check` and the log instead"),
];

const LISTENER: &[Key] = &[
    value("name", Kind::Name).about("What the log calls this listener"),
    list("bind", Kind::Socket).about("Addresses and ports to listen on"),
    value("tls", Kind::Word(LISTENER_TLS)).about("Encryption towards devices"),
    value("certificate", Kind::Path).about("This machine's certificate and its chain, a PEM file"),
    value("key", Kind::Path).about("The private key of the certificate, a PEM file without a passphrase"),
    value("auth", Kind::Word(DEVICE_AUTH)).about("Whether devices may or must sign in"),
    value("auth_in_clear", Kind::Flag).about("Let devices on other machines sign in without TLS"),
    list("allow", Kind::Network).about("Addresses and ranges that may connect"),
    value("line_endings", Kind::Word(LINE_ENDINGS)).about("Which line endings of devices are taken"),
    value("max_message_size", Kind::Size).about("The largest mail that is taken, 64KiB to 4GiB"),
    value("max_recipients", Kind::Number(100, 100_000)).about("The most recipients of one mail"),
    list("senders", Kind::Pattern).about("Senders that are let through"),
    list("recipients", Kind::Pattern).about("Recipients that are let through"),
    value("messages_per_hour", Kind::Number(1, 1_000_000)).about("The most mails of one device in any 60 minutes"),
    value("recipients_per_day", Kind::Number(1, 1_000_000)).about("The most recipients of one device in any 24 hours"),
];

const DEVICE: &[Key] = &[
    value("password", Kind::Secret).about("The password the device signs in with"),
    value("password_file", Kind::Hidden).about("A file with that password on one line"),
    value("account", Kind::Name).about("The account this device's mail goes through when no route says otherwise"),
    list("senders", Kind::Pattern).about("Senders that are let through, beside those of the listener"),
    list("recipients", Kind::Pattern).about("Recipients that are let through, beside those of the listener"),
    value("messages_per_hour", Kind::Number(1, 1_000_000)).about("The most mails of one device in any 60 minutes"),
    value("recipients_per_day", Kind::Number(1, 1_000_000)).about("The most recipients of one device in any 24 hours"),
];

const ROUTE: &[Key] = &[
    list("sender", Kind::Pattern).about("Senders it fits; <> for mail without one"),
    list("recipient", Kind::Pattern).about("Recipients it fits, aliases applied"),
    list("device", Kind::NamePattern).about("Logins of [devices] it fits"),
    list("source", Kind::Network).about("Addresses and ranges it fits"),
    list("listener", Kind::NamePattern).about("Listeners it fits"),
    list("accounts", Kind::Name).about("The accounts its mail goes through, the preferred one first"),
];

/// `[accounts.NAME]`
pub(super) const ACCOUNT: &[Key] = &[
    value("provider", Kind::Name).about("A known provider, which fills in what is not written"),
    value("region", Kind::Name).about("Which of the provider's servers, where it has one in each region"),
    list("renamed_from", Kind::Name).about("What the account was called before; these names still mean it"),
    value("host", Kind::Host).about("The provider's server for sending: a name or an IP address"),
    value("port", Kind::Number(1, 65_535)).about("Its port; without it 465 with implicit encryption, else 587"),
    value("encryption", Kind::Word(ENCRYPTION)).about("How the connection is encrypted"),
    value("verify", Kind::Word(VERIFY)).about("How much of the server's certificate has to be right"),
    value("roots", Kind::Word(ROOTS)).about("Whose certificate authorities are trusted"),
    list("pins", Kind::Pin).about("Keys or certificates of which the server must show one"),
    value("client_certificate", Kind::Path).about("Our certificate, for servers that ask for one, a PEM file"),
    value("client_key", Kind::Path).about("The private key of client_certificate, a PEM file without a passphrase"),
    value("ca_file", Kind::Path).about("Certificate authorities to trust in place of the system's, a PEM file"),
    value("helo_name", Kind::Host).about("What Posthouse calls itself towards the provider"),
    value("username", Kind::Hidden).about("The login name, if it is not the address"),
    value("address", Kind::Mail).about("The address mail is sent from, and the login name"),
    value("mechanism", Kind::Word(MECHANISM)).about("How to sign in; auto takes what the server offers"),
    value("password", Kind::Secret).about("The password, for many providers an app password"),
    value("password_file", Kind::Hidden).about("A file with the password on one line"),
    list("password_command", Kind::Hidden).about("A program that prints the password, and its arguments"),
    key("oauth", Shape::Section(OAUTH)).about("Sign-in with OAuth 2.0 instead of a password"),
    value("proxy", Kind::Hidden)
        .about("The proxy to go through: socks5://USER@host:1080, http://USER@host:3128 or none"),
    value("proxy_password", Kind::Secret).about("The password for the proxy"),
    value("proxy_password_file", Kind::Hidden).about("A file with the password for the proxy on one line"),
    value("allow_plaintext_credentials", Kind::Flag).about("Send the password without encryption too"),
    value("pipelining", Kind::Word(PIPELINING))
        .about("What leaves without waiting for replies: nothing, a message's commands, the next one's too"),
    key("limits", Shape::Section(LIMITS)).about("What the provider puts up with"),
    key("sender", Shape::Section(SENDER)).about("Whom mail comes from"),
    list("may_send_as", Kind::Pattern)
        .about("Senders of its mail that the provider takes and that are real, beside its own"),
    key("fixups", Shape::Section(ACCOUNT_FIXUPS)).about("Repairs of mail that goes through this account; all are on"),
    value("received", Kind::Word(RECEIVED)).about("How much the trace tells of your own network"),
    value("header_charset", Kind::Name).about("What raw text beyond ASCII is in when it is not UTF-8"),
    key("headers", Shape::Section(HEADERS)).about("Fields that are added, set or removed, and the subject"),
    key("smime", Shape::Section(smime::SMIME)).about("Sign its mail, so that recipients see who it is from (S/MIME)"),
];

const SENDER: &[Key] = &[
    value("policy", Kind::Word(SENDER_POLICY)).about("What becomes of senders that devices write"),
    value("name", Kind::Phrase).about("The name beside the address, at most 100 characters"),
    value("address", Kind::Mail).about("The address, if it is not that of the account"),
];

const ACCOUNT_FIXUPS: &[Key] = &[
    value("broken_from", Kind::Flag).about("Write a From anew that not every program reads alike"),
    value("undisclosed", Kind::Flag).about("Add To: undisclosed-recipients:; where nobody is named"),
    value("bcc", Kind::Flag).about("Take Bcc out"),
    value("return_path", Kind::Flag).about("Take Return-Path out"),
    value("duplicates", Kind::Flag).about("Keep one of a field that may stand once, such as Date or Subject"),
    value("mime_version", Kind::Flag).about("Add MIME-Version where it is missing"),
    value("encoded_words", Kind::Flag).about("Encode raw text beyond ASCII in the header"),
    value("eight_bit_body", Kind::Flag).about("Encode an 8-bit body for a provider that does not take it"),
];

const HEADERS: &[Key] = &[
    list("add", Kind::Hidden).about("Fields to add, such as \"X-Site: Basel\""),
    list("set", Kind::Hidden).about("Fields that replace all of their name"),
    list("remove", Kind::Name).about("Names of fields to take out"),
    value("subject", Kind::Hidden).about("The subject, in place of the device's"),
    value("subject_prefix", Kind::Hidden).about("What stands before the device's subject, once"),
];

const LIMITS: &[Key] = &[
    value("connections", Kind::Number(1, 100)).about("Connections at the same time"),
    value("recipients_per_message", Kind::Number(1, 10_000)).about("Recipients in one mail"),
    value("messages_per_minute", Kind::Number(1, 10_000_000)).about("Messages in one minute"),
    value("recipients_per_day", Kind::Number(1, 10_000_000)).about("Recipients in any 24 hours"),
    value("size", Kind::Size).about("The largest mail; listeners tell it to devices"),
    value("null_sender", Kind::Flag).about("Whether mail without a sender is taken: failure reports have none"),
];

const NOTICES: &[Key] = &[
    value("to", Kind::Word(NOTICES_TO)).about("Who gets the failure report"),
    value("admin", Kind::Mail).about("The administrator, who gets those that no sender can get"),
];

const DELIVERY: &[Key] = &[
    value("queue", Kind::Flag).about("Keep what the provider does not take at once, and try again"),
    value("wait", Kind::Duration).about("How long a device waits for the provider to take its mail, at most 10m"),
    value("max_queue_lifetime", Kind::Duration).about("How long a mail is tried, times in hold not counted, 1h to 30d"),
    list("retry", Kind::Duration).about("Waits before the second, third, … attempt; the last one is repeated"),
    value("uncertain", Kind::Word(UNCERTAIN)).about("What becomes of mail that the provider may have taken"),
    value("uncertain_delay", Kind::Duration).about("How long such mail waits before it is tried again, at most 1d"),
    value("hold_for", Kind::Duration)
        .about("How long held mail is kept, 1h or more; without it until somebody decides"),
    value("keep_failed", Kind::Duration)
        .about("How long mail that failed is kept for you, at most 365d; 0 for not at all"),
    value("redirect_to", Kind::Mail).about("For trials: every mail goes to this address, and to nobody else"),
    value("archive_to", Kind::Mail).about("A copy of every mail goes to this address too"),
    value("shutdown_grace", Kind::Duration)
        .about("How long mail on its way may go on when Posthouse stops, at most 5m"),
];

const INTAKE_FIXUPS: &[Key] = &[
    value("date", Kind::Flag).about("Add Date where it is missing or nobody can read it"),
    value("message_id", Kind::Flag).about("Add Message-ID where it is missing or says nothing"),
    value("nul", Kind::Flag).about("Take NUL octets out"),
    value("long_lines", Kind::Flag).about("Break lines over 998 octets"),
];

const SESSIONS: &[Key] = &[
    value("max", Kind::Number(1, 100_000)).about("Connections of devices at the same time, in all"),
    value("per_device", Kind::Number(1, 100_000)).about("Connections of one device at the same time, at most max"),
    value("idle", Kind::Duration).about("Silence after which a connection is closed, 30s to 1h"),
    value("minimum_rate", Kind::Number(1, 1_000_000)).about("Octets a second a device must send at least"),
];

const STORAGE: &[Key] = &[
    value("directory", Kind::Path).about("Where sign-ins and the queue are kept"),
    value("max_messages", Kind::Number(100, 100_000_000)).about("The most mails in the queue"),
    value("max_size", Kind::Size).about("The most octets in the queue, 64MiB or more; half of it for one device"),
    value("key", Kind::Secret).about("The key that sign-ins are sealed with; better from the environment"),
    value("key_file", Kind::Hidden).about("A file with that key, made and kept by you"),
    later("url", "write directory = \"…\": this version keeps its queue in files of its own"),
];

const LOG: &[Key] = &[
    value("level", Kind::Word(LEVEL)).about("How much is written; debug shows the lines of each session"),
    value("format", Kind::Word(FORMAT)).about("For people (auto, text) or for machines (json)"),
    list("mask", Kind::Word(MASK)).about("What is left out of the lines about mail"),
];

/// Other words for some values, as mail programs say them: the key, the word, and what it means.
pub(super) const ALIASES: &[(&str, &str, &str)] = &[
    ("encryption", "ssl", "implicit"),
    ("encryption", "tls", "starttls"),
    // OpenSSL's names for the two, as other relays have them in their settings.
    ("verify", "verify_none", "none"),
    ("verify", "verify_peer", "full"),
    ("verify", "verify_fail_if_no_peer_cert", "full"),
];

/// Of these keys a section needs one, whatever else it holds.
pub(super) const NEEDED: &[(&str, &[&str])] = &[
    ("", &["accounts"]),
    ("devices.NAME", &["password", "password_file"]),
    // Some addresses lead to their provider.
    ("accounts.NAME", &["host", "provider", "address"]),
    ("accounts.NAME.oauth", &["grant"]),
];
