//! OAuth 2.0: how an access token is had, one file a grant.
//!
//! Every call has a deadline, follows no redirect, and speaks HTTPS (plain HTTP only to loopback). Errors carry what
//! `diagnosis` needs and never a token. Grants that need a vault are not here yet.

pub mod client_credentials;
pub mod command;

use std::path::PathBuf;

use crate::secret::Secret;

/// `oauth = { grant = …, … }`
#[derive(Debug, Clone)]
pub enum Grant {
    /// RFC 6749 §4.4
    ClientCredentials {
        /// `token_endpoint`
        token_endpoint: String,
        /// `client_id`
        client_id: String,
        /// `client_secret` or `client_secret_file`
        client_secret: ClientSecret,
        /// `scope`: several are separated by spaces.
        scope: Option<String>,
        /// `ca_file` of the account serves the token endpoint as well when this is set.
        ca_file: Option<PathBuf>,
        /// `client_authentication = "basic" | "body"`
        authentication: ClientAuthentication,
    },
    /// An external program prints a token, or JSON with `access_token` and `expires_in`.
    Command {
        /// Program and arguments; no shell.
        command: Vec<String>,
    },
}

/// How the client proves itself to the token endpoint (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// HTTP Basic.
    Basic,
    /// In the request body; what Microsoft documents. The default.
    Body,
}

/// Where the client secret stands.
#[derive(Debug, Clone)]
pub enum ClientSecret {
    /// `client_secret = …`
    Given(Secret),
    /// `client_secret_file = …`, read at each call.
    File(PathBuf),
}
