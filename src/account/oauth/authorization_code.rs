//! The authorization code grant (RFC 6749 §4.1): a person agrees in a browser, and the browser brings a code back.
//!
//! Always with PKCE S256 (RFC 7636) and an unguessable `state`. [`Request`] knows what it asked and judges what comes
//! back: only an answer with its own `state` counts, one that names another issuer ends the sign-in (RFC 9207). The
//! first half is pure but for its randomness; `redeem` is the one call. No text here holds code, state or verifier.

mod pasted;

use std::borrow::Cow;

use oauth2::url::form_urlencoded;
use oauth2::{
    AuthUrl, AuthorizationCode, Client, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
};
use subtle::ConstantTimeEq;

pub use pasted::Unusable;

use super::exchange::{Call, TokenClient};
use super::{Application, KnownEndpoints, Means, NoToken, Token, scopes};
use crate::diagnosis::TokenFailure;
use crate::net::http::Endpoint;
use crate::redact::Redactor;
use crate::secret::Secret;

/// What is asked of the authorization server, and what its answer must prove.
#[derive(Debug)]
pub struct Request {
    /// Where the browser is sent; holds nothing that has to be kept secret from whoever signs in.
    address: String,
    /// Letter by letter the same in the request and at the exchange (RFC 6749 §4.1.3).
    redirect: RedirectUrl,
    /// The server that is asked, for what is said about it.
    endpoint: Endpoint,
    state: Secret,
    verifier: Secret,
    issuer: Issuer,
}

/// What `iss` in the answer must say (RFC 9207 §2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
enum Issuer {
    /// Nobody knows what this server calls itself.
    Unknown,
    /// This, if it is there.
    IfNamed(String),
    /// This, and it must be there.
    Always(String),
}

/// A code, to be redeemed once.
#[derive(Debug)]
pub struct Code(Secret);

/// An answer that belongs to the request. It ends the sign-in, one way or the other.
#[derive(Debug)]
pub enum Redirected {
    /// The person agreed.
    Code(Code),
    /// They did not, or the server would not have it.
    Refused(TokenFailure),
}

/// Why something that came is not the answer to the request. The sign-in goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTheAnswer {
    /// Neither a code nor an error.
    #[error("there is no answer of the provider in it")]
    Nothing,
    /// RFC 6749 §3.1: a parameter must not stand there twice.
    #[error("`{0}` stands in it more than once")]
    Twice(&'static str),
    /// Nothing says whose it is.
    #[error("it does not say which sign-in it belongs to (`state` is missing)")]
    NoState,
    /// Made up, or from before.
    #[error("it belongs to another sign-in, perhaps an earlier one")]
    OtherSignIn,
}

/// Why there is nothing to ask; a fault of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotAsk {
    #[error("nobody has said where to sign in: `oauth.authorization_endpoint` is missing")]
    NoEndpoint,
    #[error("nobody has said where to ask for a code: `oauth.device_authorization_endpoint` is missing")]
    NoDeviceEndpoint,
    #[error("`oauth.redirect_uri` is not an address")]
    Redirect,
}

impl Request {
    /// A new request with a state and a verifier of its own. `hint` is the login name, if it is worth telling.
    ///
    /// # Errors
    /// When there is no authorization endpoint, or `redirect` is no address.
    pub fn new(
        application: &Application,
        endpoints: &KnownEndpoints,
        redirect: String,
        parameters: &[(String, String)],
        hint: Option<&str>,
    ) -> Result<Self, CannotAsk> {
        let endpoint = endpoints.authorization.clone().ok_or(CannotAsk::NoEndpoint)?;
        let redirect = RedirectUrl::new(redirect).map_err(|_| CannotAsk::Redirect)?;
        // An `Endpoint` is an address by type; should the two crates ever disagree, there is none to ask.
        let asked = AuthUrl::new(endpoint.as_str().to_owned()).map_err(|_| CannotAsk::NoEndpoint)?;
        let client: TokenClient = Client::new(ClientId::new(application.client_id.clone())).set_token_uri(
            // Not asked here; the type wants to know it.
            oauth2::TokenUrl::new(endpoints.token.as_str().to_owned()).map_err(|_| CannotAsk::NoEndpoint)?,
        );
        let client = client.set_auth_uri(asked);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(CsrfToken::new_random)
            .set_pkce_challenge(challenge)
            .set_redirect_uri(Cow::Borrowed(&redirect))
            .add_scopes(scopes(application.scope.as_deref()));
        for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.add_extra_param(name, value);
        }
        // OpenID Connect Core §3.1.2.1; servers that do not know it must ignore it (RFC 6749 §3.1).
        let hinted = parameters.iter().any(|(name, _)| name == "login_hint");
        if let Some(hint) = hint.filter(|_| !hinted) {
            request = request.add_extra_param("login_hint", hint);
        }
        let (address, state) = request.url();
        Ok(Self {
            address: address.into(),
            redirect,
            endpoint,
            state: Secret::new(state.into_secret()),
            verifier: Secret::new(verifier.into_secret()),
            issuer: Issuer::of(endpoints),
        })
    }

    /// Where the browser goes.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where the browser ends up.
    #[must_use]
    pub fn redirect(&self) -> &str {
        self.redirect.as_str()
    }

    /// Judges the query of an address the browser was sent to (RFC 6749 §4.1.2).
    ///
    /// # Errors
    /// When it is not the answer to this request.
    pub fn hear(&self, query: &str) -> Result<Redirected, NotTheAnswer> {
        let said = Said::read(query)?;
        if said.code.is_none() && said.error.is_none() {
            return Err(NotTheAnswer::Nothing);
        }
        let state = said.state.as_deref().ok_or(NotTheAnswer::NoState)?;
        if !bool::from(state.as_bytes().ct_eq(self.state.expose().as_bytes())) {
            return Err(NotTheAnswer::OtherSignIn);
        }
        if let Err(failure) = self.check_issuer(said.issuer.as_deref()) {
            return Ok(Redirected::Refused(failure));
        }
        Ok(match (said.error, said.code) {
            (Some(error), _) => Redirected::Refused(TokenFailure::Refused {
                endpoint: self.endpoint.to_string(),
                error: self.shown(&error),
                description: self.shown(said.description.as_deref().unwrap_or_default()),
            }),
            (None, code) => Redirected::Code(Code(Secret::new(code.unwrap_or_default()))),
        })
    }

    /// The mix-up defence: a code that another server issued must not go to this one's token endpoint.
    fn check_issuer(&self, said: Option<&str>) -> Result<(), TokenFailure> {
        let (Issuer::IfNamed(expected) | Issuer::Always(expected)) = &self.issuer else { return Ok(()) };
        match (said, &self.issuer) {
            // Compared octet by octet (RFC 3986 §6.2.1).
            (Some(said), _) if said == expected => Ok(()),
            (None, Issuer::IfNamed(_) | Issuer::Unknown) => Ok(()),
            (said, _) => Err(TokenFailure::OtherIssuer {
                endpoint: self.endpoint.to_string(),
                expected: expected.clone(),
                said: said.map(|said| self.shown(said)),
            }),
        }
    }

    /// Text from outside as one short line, without what is secret here.
    fn shown(&self, text: &str) -> String {
        const LONGEST: usize = 500;
        let mut redactor = Redactor::new();
        redactor.watch(&self.state);
        let clean = redactor.clean(text.as_bytes());
        clean.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect()
    }
}

impl Issuer {
    fn of(endpoints: &KnownEndpoints) -> Self {
        match (&endpoints.issuer, endpoints.always_names_issuer) {
            (None, _) => Self::Unknown,
            (Some(issuer), false) => Self::IfNamed(issuer.clone()),
            (Some(issuer), true) => Self::Always(issuer.clone()),
        }
    }
}

/// The parameters of an authorization response, each at most once.
#[derive(Default)]
struct Said {
    code: Option<String>,
    state: Option<String>,
    issuer: Option<String>,
    error: Option<String>,
    description: Option<String>,
}

impl Said {
    fn read(query: &str) -> Result<Self, NotTheAnswer> {
        let mut said = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let (name, place) = match &*name {
                "code" => ("code", &mut said.code),
                "state" => ("state", &mut said.state),
                "iss" => ("iss", &mut said.issuer),
                "error" => ("error", &mut said.error),
                "error_description" => ("error_description", &mut said.description),
                // Unknown ones are ignored (§4.1.2), such as Microsoft's `session_state` and Google's `scope`.
                _ => continue,
            };
            // Without a value it counts as left out (§3.1).
            if value.is_empty() {
                continue;
            }
            if place.replace(value.into_owned()).is_some() {
                return Err(NotTheAnswer::Twice(name));
            }
        }
        Ok(said)
    }
}

/// Redeems the code at the token endpoint (RFC 6749 §4.1.3), with the verifier and the secret of the application, if
/// it has one: Google wants both.
pub(in crate::account) async fn redeem(
    application: &Application,
    endpoints: &KnownEndpoints,
    means: Means<'_>,
    request: &Request,
    Code(code): &Code,
) -> Result<Token, NoToken> {
    let mut call = Call::new(&endpoints.token, means);
    call.watch(code);
    call.watch(&request.verifier);
    let client = call.client(application).await?;
    let exchange = client
        .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
        .set_pkce_verifier(PkceCodeVerifier::new(request.verifier.expose().to_owned()))
        .set_redirect_uri(Cow::Borrowed(&request.redirect));
    let answer = exchange.request_async(&call).await;
    call.conclude(answer)
}

#[cfg(test)]
pub(in crate::account) mod tests;
