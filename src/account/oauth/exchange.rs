//! One call of a token endpoint, whatever the grant: the client proves itself, the answer is understood.
//!
//! The request is made by the `oauth2` crate, which encodes what must be encoded, or by a grant it does not know;
//! [`Call`] signs it where an assertion is the proof, carries it and listens. A server that does not believe our time
//! is asked once more with its own. No failure holds a secret of the call, whatever the server repeats: see [`heard`].

mod heard;

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use base64::prelude::{BASE64_STANDARD, Engine};
use jiff::Timestamp;
use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use oauth2::http::{Method, StatusCode};
use oauth2::url::form_urlencoded;
use oauth2::{
    AsyncHttpClient, AuthType, Client, ClientId, ClientSecret, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    StandardRevocableToken, TokenUrl,
};

use super::super::password;
use super::assertion::{Role, Signer, TOLERANCE};
use super::token::{Answer, Token};
use super::{Application, ClientAuthentication, ClientProof, Given, Means, NoToken};
use crate::diagnosis::{Failure, TokenFailure};
use crate::net::http::{Endpoint, HttpError};
use crate::redact::Redactor;
use crate::secret::Secret;

use heard::{Glance, Heard};
pub(super) use heard::{Head, Trouble, shown};

/// The `oauth2` crate's client, with our reading of answers and a token endpoint.
pub(super) type TokenClient = Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// A secret of the configuration, as it is now.
pub(in crate::account) async fn read(given: &Given) -> Result<Secret, Failure> {
    match given {
        Given::Here(secret) => Ok(secret.clone()),
        Given::File(path) => password::from_file(path).await,
    }
}

/// One call: what is sent goes past its redactor, and what comes back is understood.
///
/// A request of [`Self::client`] or [`Self::request`] is sent through it ([`AsyncHttpClient`], or [`Self::send`]), and
/// what came back goes into [`Self::conclude`].
pub(super) struct Call<'a> {
    means: Means<'a>,
    endpoint: &'a Endpoint,
    /// The token endpoint: whom an assertion is made out to (RFC 7523 §3), whichever endpoint is asked.
    audience: &'a Endpoint,
    assertion: Option<Assertion>,
    redactor: Mutex<Redactor>,
    head: Mutex<Head>,
}

/// What is added to every request of a call.
struct Assertion {
    signer: Signer,
    text: Secret,
}

impl<'a> Call<'a> {
    /// A call of this token endpoint.
    pub(super) fn new(endpoint: &'a Endpoint, means: Means<'a>) -> Self {
        Self::of(endpoint, endpoint, means)
    }

    /// A call of another endpoint of the server with this token endpoint.
    pub(super) fn of(endpoint: &'a Endpoint, token_endpoint: &'a Endpoint, means: Means<'a>) -> Self {
        let mut redactor = Redactor::new();
        if let Some(last) = means.last {
            redactor.watch(last);
        }
        let (redactor, head) = (Mutex::new(redactor), Mutex::default());
        Self { means, endpoint, audience: token_endpoint, assertion: None, redactor, head }
    }

    /// Looks for this secret in whatever comes back: one that is sent, or one the server knows.
    pub(super) fn watch(&self, secret: &Secret) {
        whole(&self.redactor).watch(secret);
    }

    /// The `oauth2` crate's client for this application. Its secret, if it has one, is watched; if it has a
    /// certificate, an assertion goes with every request of this call.
    pub(super) async fn client(&mut self, application: &Application) -> Result<TokenClient, Failure> {
        // An `Endpoint` is an address by type; should the two crates ever disagree, that is an odd endpoint.
        let url = TokenUrl::new(self.endpoint.as_str().to_owned()).map_err(|_| self.unusable())?;
        let client = Client::new(ClientId::new(application.client_id.clone())).set_token_uri(url);
        // Who has no secret names itself in the body (RFC 6749 §3.2.1).
        Ok(match self.prove(application).await? {
            None => client.set_auth_type(AuthType::RequestBody),
            Some((secret, sent)) => {
                client.set_client_secret(ClientSecret::new(secret.expose().to_owned())).set_auth_type(match sent {
                    ClientAuthentication::Basic => AuthType::BasicAuth,
                    ClientAuthentication::Body => AuthType::RequestBody,
                })
            }
        })
    }

    /// A request with these fields, for what the `oauth2` crate does not know, by this application.
    pub(super) async fn request(
        &mut self,
        application: &Application,
        fields: &[(&str, &str)],
    ) -> Result<HttpRequest, Failure> {
        let secret = self.prove(application).await?;
        let id = [("client_id", application.client_id.as_str())];
        let Some((secret, sent)) = secret else { return self.form(fields.iter().copied().chain(id)) };
        let secret = secret.expose();
        if sent == ClientAuthentication::Body {
            return self.form(fields.iter().copied().chain(id).chain([("client_secret", secret)]));
        }
        // RFC 6749 §2.3.1: encoded before they are joined.
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let joined = format!("{}:{}", encoded(&application.client_id), encoded(secret));
        let basic = format!("Basic {}", BASE64_STANDARD.encode(joined));
        let mut request = self.form(fields.iter().copied())?;
        let basic = HeaderValue::try_from(basic).map_err(|_| self.unusable())?;
        request.headers_mut().insert(AUTHORIZATION, basic);
        Ok(request)
    }

    /// A request with these fields and nothing else.
    pub(super) fn form<'f>(&self, fields: impl Iterator<Item = (&'f str, &'f str)>) -> Result<HttpRequest, Failure> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = HttpRequest::new(body.into_bytes());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.as_str().parse().map_err(|_| self.unusable())?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        Ok(request)
    }

    /// Reads what proves the application: its secret and how it is sent, or the key of its certificate.
    async fn prove(&mut self, application: &Application) -> Result<Option<(Secret, ClientAuthentication)>, Failure> {
        match &application.proof {
            ClientProof::None => Ok(None),
            ClientProof::Secret { secret, sent, .. } => {
                let secret = read(secret).await?;
                self.watch(&secret);
                Ok(Some((secret, *sent)))
            }
            ClientProof::Certificate { certificate, key } => {
                let (audience, now) = (self.audience.as_str().to_owned(), self.means.clock.now());
                let signer = Signer::of_client((certificate, key), &application.client_id, audience, now).await;
                self.sign(signer.map_err(Failure::Token)?)?;
                Ok(None)
            }
        }
    }

    /// Adds what this one signs to every request.
    pub(super) fn sign(&mut self, signer: Signer) -> Result<(), Failure> {
        let text = signer.sign(self.means.clock.now()).map_err(Failure::Token)?;
        self.watch(&text);
        self.assertion = Some(Assertion { signer, text });
        Ok(())
    }

    /// The answer to a request of [`Self::request`] or [`Self::form`].
    pub(super) async fn send(&self, request: HttpRequest) -> Result<Answer, Trouble> {
        let response = self.carry(request).await.map_err(Trouble::Way)?;
        if response.status() != StatusCode::OK {
            return Err(Trouble::of(response));
        }
        serde_json::from_slice(response.body()).map_err(|_| Trouble::Unreadable(response.into_body()))
    }

    /// Sends a request, with the assertion if there is one; an odd answer comes back straightened.
    pub(super) async fn carry(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let Some(Assertion { signer, text }) = &self.assertion else { return self.listen(request).await };
        let response = self.listen(with(request.clone(), signer.role, text)).await?;
        let Some(theirs) = self.disbelieved(&response, signer.role) else { return Ok(response) };
        // The key has just signed; should it not do so again, what was heard stands.
        let Ok(text) = signer.sign(theirs) else { return Ok(response) };
        tracing::warn!(
            endpoint = %self.endpoint, here = %self.means.clock.now(), there = %theirs,
            "this machine's clock is wrong and the token endpoint refused for it; asking once more with its time"
        );
        self.watch(&text);
        self.listen(with(request, signer.role, &text)).await
    }

    async fn listen(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.means.http.exchange(request).await?;
        *whole(&self.head) = Head::of(&response);
        let glance = Glance::at(&response).unwrap_or_default();
        // Before anything of it becomes text.
        glance.tokens().for_each(|token| self.watch(&token));
        Ok(heard::straighten(response, &glance))
    }

    /// The server's time, if it refused the assertion and its clock and ours are too far apart to agree on one.
    fn disbelieved(&self, response: &HttpResponse, role: Role) -> Option<Timestamp> {
        // RFC 7521 §4.1.1 and §4.2.1. What else a refused client sent was not looked at, so it can be sent again.
        let name = match role {
            Role::Client => "invalid_client",
            Role::Grant => "invalid_grant",
        };
        let is_refusal = matches!(response.status(), StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED);
        let is_refusal = is_refusal && Glance::at(response)?.error() == Some(name);
        let theirs = heard::date(response)?;
        let apart = theirs.duration_since(self.means.clock.now()).abs();
        (is_refusal && apart > TOLERANCE).then_some(theirs)
    }

    /// What the answer to a request means.
    pub(super) fn conclude(self, answer: Result<Answer, impl Into<Trouble>>) -> Result<Token, NoToken> {
        match answer.map(Answer::into_token) {
            Ok(Some(token)) => Ok(token),
            Ok(None) => {
                let failure = self.heard().odd("the `access_token` in it is empty or holds odd characters");
                Err(Failure::Token(failure).into())
            }
            Err(trouble) => Err(self.failed(trouble.into())),
        }
    }

    /// What it means that nothing came back.
    pub(super) fn failed(self, trouble: Trouble) -> NoToken {
        let presented = match &trouble {
            Trouble::Way(HttpError::Tls(failed)) => failed.presented.clone(),
            _ => Vec::new(),
        };
        NoToken { failure: Box::new(Failure::Token(self.heard().failure(trouble))), presented }
    }

    fn heard(self) -> Heard {
        Heard {
            endpoint: self.endpoint.to_string(),
            head: self.head.into_inner().unwrap_or_else(PoisonError::into_inner),
            redactor: self.redactor.into_inner().unwrap_or_else(PoisonError::into_inner),
        }
    }

    fn unusable(&self) -> Failure {
        Failure::Token(TokenFailure::Odd {
            endpoint: self.endpoint.to_string(),
            status: 0,
            detail: "the address of the endpoint cannot be used".into(),
            retry_after: None,
        })
    }
}

/// The request with an assertion among its fields (RFC 7521 §4.1 and §4.2).
fn with(mut request: HttpRequest, role: Role, assertion: &Secret) -> HttpRequest {
    let (kind, urn, name) = match role {
        Role::Client => {
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion")
        }
        Role::Grant => ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion"),
    };
    let more = [(kind, urn), (name, assertion.expose())];
    let more = form_urlencoded::Serializer::new(String::new()).extend_pairs(more).finish();
    let body = request.body_mut();
    if !body.is_empty() {
        body.push(b'&');
    }
    body.extend_from_slice(more.as_bytes());
    request
}

/// No code panics between two changes that belong together, so what a poisoned lock guards is whole.
fn whole<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers what the errors of the `oauth2` crate leave out.
impl<'c> AsyncHttpClient<'c> for Call<'_> {
    type Error = HttpError;
    // Boxed, not a closure: of a closure's future the compiler cannot see that it may move between threads.
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.carry(request))
    }
}

#[cfg(test)]
mod tests;
