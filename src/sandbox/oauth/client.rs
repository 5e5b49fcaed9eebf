//! Which client asks, and whether it proves to be that (RFC 6749 §2.3, RFC 7523 §2.2).
//!
//! By HTTP Basic, in the body or by a signed assertion, and by one of them only. The public client proves nothing, and
//! who is registered with a secret cannot do without.

use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use super::super::Shared;
use super::super::echo::Received;
use super::answer::Refusal;
use super::assertion;
use super::form::Fields;
use crate::secret::Secret;

/// RFC 7523 §2.2
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client that is who it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client {
    pub id: String,
    pub is_public: bool,
}

/// What a client says of itself.
#[derive(Debug)]
pub(super) enum Claim {
    Nothing { id: Option<String> },
    Secret { id: String, received: Received },
    Assertion { id: Option<String>, received: Received },
}

impl Claim {
    pub(super) fn read(headers: &HeaderMap, fields: &Fields) -> Result<Self, Refusal> {
        let id = fields.text("client_id").map(str::to_owned);
        let (secret, assertion) = (fields.secret("client_secret"), fields.secret("client_assertion"));
        let received = |secret: &Secret| Received { secret: secret.clone(), as_sent: secret.clone() };
        match (headers.get(AUTHORIZATION), secret, assertion) {
            (Some(header), None, None) => {
                let (own, received) = basic(header).ok_or(Refusal::InvalidClient("this is not HTTP Basic"))?;
                if id.is_some_and(|id| id != own) {
                    return Err(Refusal::InvalidRequest("two clients at once"));
                }
                Ok(Self::Secret { id: own, received })
            }
            (None, Some(secret), None) => {
                Ok(Self::Secret { id: id.ok_or(Refusal::InvalidClient(UNKNOWN))?, received: received(secret) })
            }
            (None, None, Some(assertion)) if fields.text("client_assertion_type") == Some(ASSERTION_TYPE) => {
                Ok(Self::Assertion { id, received: received(assertion) })
            }
            (None, None, Some(_)) => Err(Refusal::InvalidRequest("client_assertion_type is missing or unknown")),
            (None, None, None) => Ok(Self::Nothing { id }),
            _ => Err(Refusal::InvalidRequest("two ways to prove the client")),
        }
    }

    /// What it was proved with, for a provider that repeats it.
    pub(super) fn received(&self) -> Option<&Received> {
        match self {
            Self::Nothing { .. } => None,
            Self::Secret { received, .. } | Self::Assertion { received, .. } => Some(received),
        }
    }

    /// The client, if it is one.
    pub(super) fn prove(&self, shared: &Shared) -> Result<Client, Refusal> {
        let (public, own) = (&shared.settings.oauth.public_client_id, &shared.credentials.client_id);
        match self {
            Self::Nothing { id: Some(id) } if id == public => Ok(Client { id: id.clone(), is_public: true }),
            Self::Secret { id, received } if shared.credentials.client_fits(id, &received.secret) => {
                Ok(Client { id: id.clone(), is_public: false })
            }
            Self::Assertion { id, received } if id.as_ref().is_none_or(|id| id == own) => {
                assertion::of_client(shared, &received.secret)?;
                Ok(Client { id: own.clone(), is_public: false })
            }
            _ => Err(Refusal::InvalidClient(UNKNOWN)),
        }
    }
}

const UNKNOWN: &str = "unknown client or wrong secret";

/// RFC 6749 §2.3.1: both halves are form-encoded before they are joined and put into base64.
fn basic(header: &HeaderValue) -> Option<(String, Received)> {
    let as_sent = header.to_str().ok()?.strip_prefix("Basic ")?;
    let joined = String::from_utf8(STANDARD.decode(as_sent).ok()?).ok()?;
    let (id, secret) = joined.split_once(':')?;
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
    };
    let received = Received { secret: Secret::new(decode(secret)?), as_sent: Secret::new(as_sent.into()) };
    Some((decode(id)?, received))
}
