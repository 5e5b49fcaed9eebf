//! OAuth 2.0: how an access token is had, one file a grant.
//!
//! [`Grant`] is what the configuration says. Every call goes through `exchange`: it has a deadline, follows no
//! redirect, and speaks HTTPS (plain HTTP only to loopback). Errors carry what `diagnosis` needs and never a token.
//! What a sign-in leaves behind lies in a [`super::vault`].

mod assertion;
pub mod authorization_code;
pub mod client_credentials;
pub mod command;
pub mod device_code;
pub mod discovery;
mod exchange;
pub mod password;
pub mod redirect;
pub mod refresh_token;
pub mod revocation;
#[cfg(test)]
pub(in crate::account) mod server;
pub mod service_account;
mod token;

pub use assertion::{check_identity, client_certificate_ends};
pub(super) use exchange::read;
pub use token::Token;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Date;

use super::CommandLine;
use crate::diagnosis::Failure;
use crate::net::clock::Clock;
use crate::net::http::{Endpoint, HttpClient};
use crate::net::tls::certificate::CertificateFacts;
use crate::secret::Secret;

/// `oauth = { grant = …, … }`
#[derive(Debug, Clone)]
pub enum Grant {
    /// RFC 6749 §4.1 with PKCE (RFC 7636): a person signs in with a browser.
    AuthorizationCode {
        /// Who asks.
        application: Application,
        /// How the browser brings the answer back.
        redirect: Redirect,
        /// What else goes into the authorization request, as name and value.
        parameters: Vec<(String, String)>,
    },
    /// RFC 8628: a person signs in with a browser on another machine.
    DeviceCode {
        /// Who asks.
        application: Application,
    },
    /// RFC 6749 §4.4
    ClientCredentials {
        /// Who asks.
        application: Application,
    },
    /// RFC 7523 §2.1: a key that may act for a mailbox.
    ServiceAccount(ServiceAccount),
    /// RFC 6749 §6, with a refresh token that was had elsewhere.
    RefreshToken {
        /// Whose token it is.
        application: Application,
        /// `refresh_token` or `refresh_token_file`
        token: Given,
    },
    /// RFC 6749 §4.3; RFC 9700 §2.4 forbids it, and some servers know nothing else.
    Password {
        /// Who asks.
        application: Application,
        /// `password` or `password_file` in `oauth`
        password: Given,
    },
    /// An external program prints a token, or JSON with `access_token` and `expires_in`.
    Command {
        /// Program and arguments.
        command: CommandLine,
    },
}

/// An application as it is registered at a provider.
#[derive(Debug, Clone)]
pub struct Application {
    /// Where to ask.
    pub endpoints: Endpoints,
    /// `client_id`
    pub client_id: String,
    /// How it proves to be itself.
    pub proof: ClientProof,
    /// `scope`: several are separated by spaces.
    pub scope: Option<String>,
    /// How long the provider keeps a refresh token that nobody uses, as far as it is known.
    pub unused_refresh_life: Option<Duration>,
}

/// Where an authorization server is asked.
#[derive(Debug, Clone)]
pub enum Endpoints {
    /// As written, or from a preset.
    Known(Box<KnownEndpoints>),
    /// `discovery`: the address of a document that tells them (RFC 8414, `OpenID` Connect Discovery 1.0).
    Discovered(discovery::Document),
}

/// The endpoints of an authorization server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEndpoints {
    /// RFC 6749 §3.2
    pub token: Endpoint,
    /// RFC 6749 §3.1
    pub authorization: Option<Endpoint>,
    /// RFC 8628 §3.1
    pub device_authorization: Option<Endpoint>,
    /// RFC 7009
    pub revocation: Option<Endpoint>,
    /// What `iss` in an authorization response must say, if it is there (RFC 9207).
    pub issuer: Option<String>,
    /// Whether `iss` must be there.
    pub always_names_issuer: bool,
}

/// How an application proves to be itself.
#[derive(Debug, Clone)]
pub enum ClientProof {
    /// Not at all: a public client (RFC 6749 §2.1).
    None,
    /// RFC 6749 §2.3.1
    Secret {
        /// `client_secret` or `client_secret_file`
        secret: Given,
        /// `client_authentication`
        sent: ClientAuthentication,
        /// `client_secret_expires`: the day the provider takes it no more, as its page says; nobody else tells.
        expires: Option<Date>,
    },
    /// A signed assertion (RFC 7523 §2.2), with the certificate's SHA-256 in its header.
    Certificate {
        /// `client_certificate` in `oauth`: PEM.
        certificate: PathBuf,
        /// `client_key` in `oauth`: PEM, RSA or EC P-256.
        key: PathBuf,
    },
}

/// How the client secret is sent (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// HTTP Basic.
    Basic,
    /// In the request body; what Microsoft documents. The default.
    Body,
}

/// Where a secret of the configuration stands.
#[derive(Debug, Clone)]
pub enum Given {
    /// In it.
    Here(Secret),
    /// In a file, read at each use.
    File(PathBuf),
}

/// How the browser brings the answer of an authorization request back: `redirect_uri`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// To a listener of ours (RFC 8252 §7.3). Without a port any free one is put behind the host; all else is sent
    /// exactly as it is written, because providers compare letter by letter.
    Loopback {
        /// `http://127.0.0.1`, `http://localhost` or `http://[::1]`, without a port.
        origin: String,
        /// Always this one; for providers that compare the port, too.
        port: Option<u16>,
        /// What follows, from the slash on; may be empty.
        path: String,
    },
    /// To a page that is not ours: the person pastes its address.
    Elsewhere(String),
}

/// As it was written.
impl fmt::Display for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback { origin, port: None, path } => write!(f, "{origin}{path}"),
            Self::Loopback { origin, port: Some(port), path } => write!(f, "{origin}:{port}{path}"),
            Self::Elsewhere(address) => f.write_str(address),
        }
    }
}

/// A key that may act for mailboxes.
#[derive(Debug, Clone)]
pub struct ServiceAccount {
    /// `key_file`: the JSON file the provider gave out; holds the key, who it belongs to and where to ask.
    pub key_file: PathBuf,
    /// `token_endpoint`, in place of the one in the file.
    pub token_endpoint: Option<Endpoint>,
    /// `scope`
    pub scope: String,
    /// `subject`: the mailbox to act for; default: the account's login name.
    pub subject: String,
}

impl Grant {
    /// As it stands behind `grant = …`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::AuthorizationCode { .. } => "authorization_code",
            Self::DeviceCode { .. } => "device_code",
            Self::ClientCredentials { .. } => "client_credentials",
            Self::ServiceAccount(_) => "service_account",
            Self::RefreshToken { .. } => "refresh_token",
            Self::Password { .. } => "password",
            Self::Command { .. } => "command",
        }
    }

    /// Whether a person has to sign in before mail can go out.
    #[must_use]
    pub fn needs_sign_in(&self) -> bool {
        matches!(self, Self::AuthorizationCode { .. } | Self::DeviceCode { .. })
    }

    /// Whether what it brings is kept in the vault.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.needs_sign_in() || matches!(self, Self::RefreshToken { .. })
    }

    /// What a renewal asks for. Nothing asks for what was granted, which a person may have made less than what is
    /// configured, and more is refused (RFC 6749 §6). A token brought from elsewhere may be good for more than mail.
    #[must_use]
    pub fn renewal_scope(&self) -> Option<&str> {
        match self {
            Self::RefreshToken { application, .. } => application.scope.as_deref(),
            _ => None,
        }
    }

    /// The application, where there is one.
    #[must_use]
    pub fn application(&self) -> Option<&Application> {
        match self {
            Self::AuthorizationCode { application, .. }
            | Self::DeviceCode { application }
            | Self::ClientCredentials { application }
            | Self::RefreshToken { application, .. }
            | Self::Password { application, .. } => Some(application),
            Self::ServiceAccount(_) | Self::Command { .. } => None,
        }
    }
}

impl Endpoints {
    /// The token endpoint, or the document that will tell it.
    #[must_use]
    pub fn address(&self) -> &Endpoint {
        match self {
            Self::Known(known) => &known.token,
            Self::Discovered(document) => document.address(),
        }
    }

    /// What this document will tell.
    #[must_use]
    pub fn discovered(address: Endpoint) -> Self {
        Self::Discovered(discovery::Document::new(address))
    }

    /// A token endpoint and nothing else.
    #[must_use]
    pub fn token_only(token: Endpoint) -> Self {
        Self::from(KnownEndpoints {
            token,
            authorization: None,
            device_authorization: None,
            revocation: None,
            issuer: None,
            always_names_issuer: false,
        })
    }
}

impl From<KnownEndpoints> for Endpoints {
    fn from(known: KnownEndpoints) -> Self {
        Self::Known(Box::new(known))
    }
}

/// What a call of an authorization server is made with.
#[derive(Debug, Clone, Copy)]
pub struct Means<'a> {
    /// Asks it; must trust whom the account trusts.
    pub http: &'a HttpClient,
    /// What time it is, for what is signed.
    pub clock: &'a Clock,
    /// The access token issued before, which the server may repeat as well.
    pub last: Option<&'a Secret>,
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoToken {
    pub failure: Box<Failure>,
    /// What the endpoint presented in a handshake that failed, leaf first; nothing of it is proven.
    pub presented: Vec<CertificateFacts>,
}

impl From<Failure> for NoToken {
    fn from(failure: Failure) -> Self {
        Self { failure: Box::new(failure), presented: Vec::new() }
    }
}

/// The scopes of a configured text.
fn scopes(scope: Option<&str>) -> impl Iterator<Item = oauth2::Scope> {
    let words = scope.into_iter().flat_map(str::split_whitespace);
    words.map(|scope| oauth2::Scope::new(scope.to_owned()))
}
