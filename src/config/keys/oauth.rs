//! The keys of `[accounts.NAME.oauth]`.
//!
//! Holds names, kinds and purposes. Which of them a grant takes, and which it needs, stands in `check::oauth`.

use super::{Key, Kind, list, value};

/// `accounts.oauth.grant`
pub(in crate::config) const GRANT: &[&str] = &[
    "authorization_code",
    "device_code",
    "client_credentials",
    "service_account",
    "refresh_token",
    "password",
    "command",
];
/// `accounts.oauth.client_authentication`
pub(in crate::config) const CLIENT_AUTHENTICATION: &[&str] = &["body", "basic"];

pub(super) const OAUTH: &[Key] = &[
    value("grant", Kind::Word(GRANT)).about("How an access token is obtained"),
    value("tenant", Kind::Name).about("Your organisation at the provider: its domain or id"),
    value("discovery", Kind::Hidden).about("The https:// address of a document that tells the endpoints"),
    value("token_endpoint", Kind::Hidden).about("The https:// address that gives out tokens"),
    value("authorization_endpoint", Kind::Hidden).about("The https:// address where a person signs in"),
    value("device_authorization_endpoint", Kind::Hidden).about("The https:// address that gives out device codes"),
    value("revocation_endpoint", Kind::Hidden).about("The https:// address that takes tokens back"),
    value("issuer", Kind::Hidden).about("What the provider must call itself in its answers (RFC 9207)"),
    value("client_id", Kind::Hidden).about("The application's identity, as the provider gave it"),
    value("client_secret", Kind::Secret).about("The application's secret, if it has one"),
    value("client_secret_file", Kind::Hidden).about("A file with the application's secret on one line"),
    value("client_secret_expires", Kind::Date).about("The last day of the secret, as the provider shows it"),
    value("client_authentication", Kind::Word(CLIENT_AUTHENTICATION))
        .about("Where the token endpoint wants the secret"),
    value("client_certificate", Kind::Path).about("The application's certificate in place of a secret, a PEM file"),
    value("client_key", Kind::Path).about("The private key of client_certificate, a PEM file without a passphrase"),
    value("scope", Kind::Hidden).about("What the token is to allow; several with spaces between them"),
    list("parameters", Kind::Hidden).about("What else goes into the sign-in page's address, as name=value"),
    value("redirect_uri", Kind::Hidden).about("Where the browser brings the answer, as it is registered"),
    value("key_file", Kind::Path).about("The JSON file with a service account's key"),
    value("subject", Kind::Hidden).about("The mailbox a service account acts for, if it is not the login name"),
    value("refresh_token", Kind::Secret).about("A refresh token that was had elsewhere"),
    value("refresh_token_file", Kind::Hidden).about("A file with that token on one line"),
    value("password", Kind::Secret).about("The mailbox's password, for grant = \"password\""),
    value("password_file", Kind::Hidden).about("A file with that password on one line"),
    list("command", Kind::Hidden).about("A program that prints an access token, and its arguments"),
];
