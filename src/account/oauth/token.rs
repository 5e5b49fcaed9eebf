//! A token response (RFC 6749 §5.1), read from servers that are not strict about it.
//!
//! `token_type` may be missing, `expires_in` a string, missing or nonsense. Guarantees that an access token can be put
//! into a SASL response as it is. Knows nothing of errors: those are told apart in [`super::exchange`].

use std::time::Duration;

use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse, basic::BasicTokenType};
use serde::{Deserialize, Deserializer, Serialize};

use crate::secret::Secret;

/// An access token as it was issued.
#[derive(Debug, Clone)]
pub struct Token {
    /// Visible ASCII only (RFC 6750 §2.1), so it can be put into a SASL response as it is.
    pub access_token: Secret,
    /// How long it lives from now on, if the issuer said.
    pub life: Option<Duration>,
    /// What the next one is had with; a new one where the issuer rotates them.
    pub refresh_token: Option<Secret>,
    /// How long the refresh token lives from now on, if the issuer said.
    pub refresh_life: Option<Duration>,
    /// The scopes granted, with spaces between them, if the issuer said.
    pub scope: Option<String>,
}

/// A token response (RFC 6749 §5.1), read from servers that are not strict about it: `token_type` may be missing and
/// `expires_in` may be a string, missing or nonsense. Everything else in it is ignored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    access_token: AccessToken,
    #[serde(default = "bearer", deserialize_with = "any_token_type")]
    token_type: BasicTokenType,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
    #[serde(default, deserialize_with = "refresh_token")]
    refresh_token: Option<RefreshToken>,
    /// Google and Microsoft call it so; Keycloak says `refresh_expires_in`.
    #[serde(default, alias = "refresh_expires_in", deserialize_with = "seconds")]
    refresh_token_expires_in: Option<u64>,
    #[serde(default, deserialize_with = "text")]
    scope: Option<String>,
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
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

impl Answer {
    /// A token of which nothing else is known.
    pub(super) fn of(access_token: AccessToken) -> Self {
        Self {
            access_token,
            token_type: bearer(),
            expires_in: None,
            refresh_token: None,
            refresh_token_expires_in: None,
            scope: None,
        }
    }

    /// The token, unless it holds what no token may hold: it would tear the SASL response apart.
    pub(super) fn into_token(self) -> Option<Token> {
        let life = self.expires_in();
        let access_token = self.access_token.into_secret();
        let is_token = !access_token.is_empty() && access_token.bytes().all(|octet| octet.is_ascii_graphic());
        let refresh_token = self.refresh_token.map(RefreshToken::into_secret).filter(|token| !token.is_empty());
        is_token.then(|| Token {
            access_token: Secret::new(access_token),
            life,
            refresh_token: refresh_token.map(Secret::new),
            refresh_life: self.refresh_token_expires_in.filter(|seconds| *seconds > 0).map(Duration::from_secs),
            scope: self.scope.filter(|scope| !scope.trim().is_empty()),
        })
    }
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

fn any_token_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BasicTokenType, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(bearer))
}

/// Whole seconds out of a number or a string; whatever else stands there counts as not said.
pub(super) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Number(number) => number.as_u64(),
        serde_json::Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}

/// A text; whatever else stands there counts as not said.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => Some(text),
        _ => None,
    })
}

fn refresh_token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RefreshToken>, D::Error> {
    Ok(text(deserializer)?.map(RefreshToken::new))
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
