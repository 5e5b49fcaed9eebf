//! OAuth 2.0: how an access token is had, one file a grant.
//!
//! Every call has a deadline, follows no redirect, and speaks HTTPS (plain HTTP only to loopback). Errors carry what
//! `diagnosis` needs and never a token. Grants that need a vault are not here yet.

pub mod client_credentials;
pub mod command;

use std::path::PathBuf;
use std::time::Duration;

use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse, basic::BasicTokenType};
use serde::{Deserialize, Deserializer, Serialize};

use super::CommandLine;
use crate::diagnosis::Failure;
use crate::net::http::Endpoint;
use crate::net::tls::certificate::CertificateFacts;
use crate::secret::Secret;

/// `oauth = { grant = …, … }`
#[derive(Debug, Clone)]
pub enum Grant {
    /// RFC 6749 §4.4
    ClientCredentials {
        /// `token_endpoint`
        token_endpoint: Endpoint,
        /// `client_id`
        client_id: String,
        /// `client_secret` or `client_secret_file`
        client_secret: ClientSecret,
        /// `scope`: several are separated by spaces.
        scope: Option<String>,
        /// `client_authentication = "basic" | "body"`
        authentication: ClientAuthentication,
    },
    /// An external program prints a token, or JSON with `access_token` and `expires_in`.
    Command {
        /// Program and arguments.
        command: CommandLine,
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

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoToken {
    pub failure: Failure,
    /// What the endpoint presented in a handshake that failed, leaf first; nothing of it is proven.
    pub presented: Vec<CertificateFacts>,
}

impl From<Failure> for NoToken {
    fn from(failure: Failure) -> Self {
        Self { failure, presented: Vec::new() }
    }
}

/// An access token as it was issued.
#[derive(Debug, Clone)]
pub struct Token {
    /// Visible ASCII only (RFC 6750 §2.1), so it can be put into a SASL response as it is.
    pub access_token: Secret,
    /// How long it lives from now on, if the issuer said.
    pub life: Option<Duration>,
}

/// A token response (RFC 6749 §5.1), read from servers that are not strict about it: `token_type` may be missing and
/// `expires_in` may be a string, missing or nonsense. Everything else in it is ignored.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    access_token: AccessToken,
    #[serde(default = "bearer", deserialize_with = "any_token_type")]
    token_type: BasicTokenType,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
}

impl TokenResponse for Answer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        None
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

impl Answer {
    /// The token, unless it holds what no token may hold: it would tear the SASL response apart.
    fn into_token(self) -> Option<Token> {
        let life = self.expires_in();
        let access_token = self.access_token.into_secret();
        let is_token = !access_token.is_empty() && access_token.bytes().all(|octet| octet.is_ascii_graphic());
        is_token.then(|| Token { access_token: Secret::new(access_token), life })
    }
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

fn any_token_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BasicTokenType, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(bearer))
}

/// Whole seconds out of a number or a string; whatever else stands there counts as not said.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Number(number) => number.as_u64(),
        serde_json::Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<(String, Option<u64>)> {
        let token = serde_json::from_str::<Answer>(json).ok()?.into_token()?;
        Some((token.access_token.expose().to_owned(), token.life.map(|life| life.as_secs())))
    }

    #[test]
    fn the_life_is_understood_however_it_is_written() {
        let life = |written: &str| read(&format!(r#"{{"access_token":"ey.x","expires_in":{written}}}"#)).unwrap().1;
        assert_eq!(life("3599"), Some(3599));
        assert_eq!(life("\"3599\""), Some(3599));
        for nonsense in ["null", "-5", "\"soon\"", "[]", "1e99", "true"] {
            assert_eq!(life(nonsense), None, "{nonsense}");
        }
        assert_eq!(read(r#"{"access_token":"ey.x"}"#), Some(("ey.x".into(), None)));
    }

    #[test]
    fn the_type_of_a_token_is_not_insisted_on() {
        for token_type in ["\"Bearer\"", "\"bearer\"", "\"odd\"", "null"] {
            let json = format!(r#"{{"access_token":"ey.x","token_type":{token_type},"scope":["a"]}}"#);
            assert!(read(&json).is_some(), "{token_type}");
        }
    }

    #[test]
    fn what_would_tear_a_sasl_response_apart_is_no_token() {
        for bad in ["", "a b", r"a\u0001auth=Bearer b", r"a\nb", "é"] {
            assert_eq!(read(&format!(r#"{{"access_token":"{bad}"}}"#)), None, "{bad}");
        }
        assert_eq!(read(r#"{"accessToken":"ey.x"}"#), None);
    }

    #[test]
    fn debug_does_not_show_a_token() {
        let answer: Answer = serde_json::from_str(r#"{"access_token":"ey.x"}"#).unwrap();
        let shown = format!("{answer:?}") + &format!("{:?}", answer.into_token());
        assert!(!shown.contains("ey.x"), "{shown}");
    }
}
