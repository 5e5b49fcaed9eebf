//! The keys of `[providers.NAME]` and of `config/providers.toml`, which are the same.
//!
//! Holds names, kinds and purposes. What each one means in full stands at the head of that file; what must be written,
//! in `presets`.

use super::{Key, Kind, LIMITS, Shape, key, list, value};

/// `providers.password_kind`
pub(in crate::config) const PASSWORD_KIND: &[&str] = &["mailbox", "app", "token", "smtp", "ending", "ended"];
/// `providers.password_mechanism`
pub(in crate::config) const PASSWORD_MECHANISM: &[&str] = &["plain", "login", "cram-md5"];
/// `providers.sender`
pub(in crate::config) const SENDER: &[&str] = &["account", "alias", "rewritten", "verified", "unknown"];
/// `providers.oauth.pkce`
pub(in crate::config) const PKCE: &[&str] = &["supported", "required"];
/// `providers.replies.refused_at`
pub(in crate::config) const REFUSED_AT: &[&str] = &["mail", "end"];

/// `[providers.NAME]`
pub(in crate::config) const PROVIDER: &[Key] = &[
    value("title", Kind::Hidden).about("What people call it"),
    list("domains", Kind::Host).about("Domains whose addresses are its own beyond doubt"),
    value("host", Kind::HostByRegion).about("The server; {region} stands for the account's region"),
    key("regions", Shape::Map(Kind::Host)).about("Other servers, by region"),
    list("implicit", Kind::Number(1, 65_535)).about("Ports with TLS from the first octet"),
    list("starttls", Kind::Number(1, 65_535)).about("Ports with STARTTLS"),
    list("mechanisms", Kind::Name).about("SASL mechanisms after TLS, in the provider's order"),
    value("password_mechanism", Kind::Word(PASSWORD_MECHANISM))
        .about("The mechanism for passwords, if auto would fail"),
    list("extensions", Kind::Hidden).about("Further lines of the EHLO reply, for the practice provider"),
    value("username", Kind::Hidden).about("The login name: {address}, {local_part}, {own}, or a word"),
    value("password_kind", Kind::Word(PASSWORD_KIND)).about("What kind of password it takes"),
    value("password_help", Kind::Hidden).about("Where to get the password"),
    value("password_spaces", Kind::Flag).about("App passwords are displayed in groups with spaces"),
    value("sender", Kind::Word(SENDER)).about("Which senders it takes"),
    key("limits", Shape::Section(LIMITS)).about("What it takes of one account"),
    key("oauth", Shape::Section(OAUTH)).about("Its OAuth 2.0"),
    key("replies", Shape::Section(REPLIES)).about("How it talks, for the practice provider"),
    list("notes", Kind::Hidden).about("What else one should know"),
    list("source", Kind::Hidden).about("Where this is from"),
    value("verified", Kind::Flag).about("Whether the facts are sure enough to make a contradiction an error"),
];

const OAUTH: &[Key] = &[
    value("authorization_endpoint", Kind::Hidden).about("RFC 6749 §3.1; {tenant} stands for the account's tenant"),
    value("token_endpoint", Kind::Hidden).about("RFC 6749 §3.2; {tenant} stands for the account's tenant"),
    value("device_authorization_endpoint", Kind::Hidden).about("RFC 8628 §3.1"),
    value("revocation_endpoint", Kind::Hidden).about("RFC 7009"),
    value("issuer", Kind::Hidden).about("What iss must say (RFC 9207)"),
    value("always_names_issuer", Kind::Flag).about("Whether iss is always there (RFC 9207)"),
    value("redirect_uri", Kind::Hidden).about("Where the browser brings the answer, as it has to be registered"),
    value("scope", Kind::Hidden).about("What to ask for"),
    key("scopes", Shape::Map(Kind::Hidden)).about("What to ask for instead, by grant"),
    list("parameters", Kind::Hidden).about("What else goes into the authorization request, as name=value"),
    value("pkce", Kind::Word(PKCE)).about("Whether PKCE is a must (RFC 7636)"),
    value("wants_secret", Kind::Flag).about("Whether every application has a secret, and must send it"),
    value("unused_refresh_token_life", Kind::Duration).about("How long a refresh token is kept that nobody uses"),
    list("grants", Kind::Name).about("The grants whose tokens SMTP takes"),
    key("refused", Shape::Map(Kind::Hidden)).about("Why other grants do not work"),
    value("registration", Kind::Hidden).about("Where an application is registered"),
];

const REPLIES: &[Key] = &[
    value("greeting", Kind::Hidden).about("What stands behind the host's name in the 220"),
    value("signature", Kind::Hidden).about("What every reply ends in"),
    value("wrong_password", Kind::Hidden).about("The reply to a wrong password"),
    value("wrong_token", Kind::Hidden).about("The reply to a wrong token"),
    value("foreign_sender", Kind::Hidden).about("The reply to a sender that is not the account's"),
    value("refused_at", Kind::Word(REFUSED_AT)).about("Whether that comes at MAIL or at the end of data"),
    value("too_many_recipients", Kind::Hidden).about("The reply to one recipient too many"),
    value("quota", Kind::Hidden).about("The reply when a daily limit is used up"),
];
