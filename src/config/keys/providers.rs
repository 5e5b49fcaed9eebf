//! The keys of `[providers.NAME]` and of `config/providers.toml`, which are the same.
//!
//! Holds names and kinds only. What each one means stands at the head of that file; what must be written, in `presets`.

use super::{Key, Kind, LIMITS, Shape, value};

/// `providers.password_kind`
pub(in crate::config) const PASSWORD_KIND: &[&str] = &["mailbox", "app", "token", "smtp", "ended"];
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
    value("title", Kind::Hidden),
    value("domains", Kind::Name),
    value("host", Kind::Name),
    Key { name: "regions", shape: Shape::Map(Kind::Name) },
    value("implicit", Kind::Number),
    value("starttls", Kind::Number),
    value("mechanisms", Kind::Name),
    value("password_mechanism", Kind::Word(PASSWORD_MECHANISM)),
    value("extensions", Kind::Hidden),
    value("username", Kind::Hidden),
    value("password_kind", Kind::Word(PASSWORD_KIND)),
    value("password_help", Kind::Hidden),
    value("password_spaces", Kind::Flag),
    value("sender", Kind::Word(SENDER)),
    Key { name: "limits", shape: Shape::Section(LIMITS) },
    Key { name: "oauth", shape: Shape::Section(OAUTH) },
    Key { name: "replies", shape: Shape::Section(REPLIES) },
    value("notes", Kind::Hidden),
    value("source", Kind::Hidden),
    value("verified", Kind::Flag),
];

const OAUTH: &[Key] = &[
    value("authorization_endpoint", Kind::Hidden),
    value("token_endpoint", Kind::Hidden),
    value("device_authorization_endpoint", Kind::Hidden),
    value("issuer", Kind::Hidden),
    value("scope", Kind::Hidden),
    Key { name: "scopes", shape: Shape::Map(Kind::Hidden) },
    value("parameters", Kind::Hidden),
    value("pkce", Kind::Word(PKCE)),
    value("grants", Kind::Name),
    Key { name: "refused", shape: Shape::Map(Kind::Hidden) },
    value("registration", Kind::Hidden),
];

const REPLIES: &[Key] = &[
    value("greeting", Kind::Hidden),
    value("signature", Kind::Hidden),
    value("wrong_password", Kind::Hidden),
    value("wrong_token", Kind::Hidden),
    value("foreign_sender", Kind::Hidden),
    value("refused_at", Kind::Word(REFUSED_AT)),
    value("too_many_recipients", Kind::Hidden),
    value("quota", Kind::Hidden),
];
