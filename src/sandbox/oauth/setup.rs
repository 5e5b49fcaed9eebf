//! How the authorization server is set up: who is registered, what a person decides, how refresh tokens behave.
//!
//! Two clients are always registered: the one of [`super::super::Settings`], which proves itself with its secret or
//! its certificate, and a public one. The defaults are those of a strict provider.

use std::time::Duration;

use crate::net::clock::Clock;

/// How the authorization server is set up.
#[derive(Debug, Clone)]
pub struct OAuth {
    /// The client that proves nothing (RFC 6749 §2.1): a program on somebody's machine.
    pub public_client_id: String,
    /// The addresses a browser may be sent back to, compared letter by letter; those on loopback that name no port fit
    /// any (RFC 8252 §7.3). Default: the loopback hosts with and without a slash, and [`ELSEWHERE`].
    pub redirects: Vec<String>,
    /// What the person decides. Default: a page asks.
    pub consent: Consent,
    /// Whether answers to the browser say who answers (RFC 9207). Default: yes.
    pub names_issuer: bool,
    /// Default: [`RefreshTokens::Once`].
    pub refresh_tokens: RefreshTokens,
    /// How long a refresh token is good, told as `refresh_token_expires_in`. Default: until it is revoked.
    pub refresh_token_lifetime: Option<Duration>,
    /// How long an authorization code is good. Default: 60 s; RFC 6749 §4.1.2 wants less than 10 minutes.
    pub code_lifetime: Duration,
    /// How long a device code is good. Default: 10 minutes.
    pub device_lifetime: Duration,
    /// How long a device waits between two questions; told in whole seconds. Default: 5 s (RFC 8628 §3.2).
    pub device_interval: Duration,
    /// The certificate, PEM, whose key signs the assertions of the client with the secret. Default: that of
    /// [`super::super::Sandbox::client_identity`].
    pub client_certificate: Option<String>,
    /// By which assertions are judged. Default: the system's.
    pub clock: Clock,
}

/// A redirect address that is not on this machine: the person pastes it.
pub const ELSEWHERE: &str = "https://sandbox.example/signed-in";

/// What the person at the browser decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Nothing yet: a page with a button asks.
    Page,
    /// Yes, at once and without a page; to device codes as well.
    Granted,
    /// No, at once and without a page; to device codes as well.
    Denied,
}

/// Whether there are refresh tokens, and what becomes of one that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshTokens {
    /// None is given.
    Never,
    /// The first one stays, and no other is given: Google.
    Kept,
    /// Each use brings another one, and the old ones stay good: Microsoft.
    Replaced,
    /// Each is good once. Whoever presents one a second time may be a thief: all that came of this sign-in is revoked
    /// (RFC 9700 §4.14.2), and it is a breach.
    Once,
}

impl Default for OAuth {
    fn default() -> Self {
        let hosts = ["http://127.0.0.1", "http://[::1]", "http://localhost"];
        let loopback = hosts.iter().flat_map(|host| [(*host).to_owned(), format!("{host}/")]);
        Self {
            public_client_id: "posthouse-desktop".into(),
            redirects: loopback.chain([ELSEWHERE.to_owned()]).collect(),
            consent: Consent::Page,
            names_issuer: true,
            refresh_tokens: RefreshTokens::Once,
            refresh_token_lifetime: None,
            code_lifetime: Duration::from_mins(1),
            device_lifetime: Duration::from_mins(10),
            device_interval: Duration::from_secs(5),
            client_certificate: None,
            clock: Clock::default(),
        }
    }
}
