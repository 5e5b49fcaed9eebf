//! One call of a token endpoint, whatever the grant: the answer straightened, the failure put into words.
//!
//! The request is made by the `oauth2` crate, which encodes what must be encoded, or by a grant it does not know;
//! [`Call`] carries it and listens. Answers of servers that are not strict are straightened first. No failure holds a
//! secret of the call, whatever the server repeats, nor any part of an answer that may hold a token.

use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;

use oauth2::basic::{
    BasicErrorResponse, BasicRequestTokenError, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
};
use oauth2::http::StatusCode;
use oauth2::http::header::{CONTENT_TYPE, RETRY_AFTER};
use oauth2::{
    AsyncHttpClient, AuthType, Client, ClientId, ClientSecret, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    RequestTokenError, StandardRevocableToken, TokenUrl,
};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::password;
use super::token::{Answer, Token};
use super::{Application, ClientAuthentication, ClientProof, Given, NoToken};
use crate::diagnosis::{Failure, TokenFailure};
use crate::net::http::{Endpoint, HttpClient, HttpError};
use crate::redact::Redactor;
use crate::secret::Secret;

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
pub(super) struct Call<'a> {
    http: &'a HttpClient,
    endpoint: &'a Endpoint,
    redactor: Redactor,
    head: OnceLock<Head>,
}

impl<'a> Call<'a> {
    /// A call of this endpoint.
    pub(super) fn new(http: &'a HttpClient, endpoint: &'a Endpoint) -> Self {
        Self { http, endpoint, redactor: Redactor::new(), head: OnceLock::new() }
    }

    /// Looks for this secret in whatever comes back: one that is sent, or one the server knows.
    pub(super) fn watch(&mut self, secret: &Secret) {
        self.redactor.watch(secret);
    }

    /// The `oauth2` crate's client for this application; its secret, if it has one, is watched.
    pub(super) async fn client(&mut self, application: &Application) -> Result<TokenClient, Failure> {
        // An `Endpoint` is an address by type; should the two crates ever disagree, that is an odd endpoint.
        let url = TokenUrl::new(self.endpoint.as_str().to_owned()).map_err(|_| {
            Failure::Token(TokenFailure::Odd {
                endpoint: self.endpoint.to_string(),
                status: 0,
                detail: "the address of the endpoint cannot be used".into(),
                retry_after: None,
            })
        })?;
        let client = Client::new(ClientId::new(application.client_id.clone())).set_token_uri(url);
        match &application.proof {
            // A public client names itself in the body (RFC 6749 §3.2.1).
            ClientProof::None | ClientProof::Certificate { .. } => Ok(client.set_auth_type(AuthType::RequestBody)),
            ClientProof::Secret { secret, sent, .. } => {
                let secret = read(secret).await?;
                self.watch(&secret);
                Ok(client.set_client_secret(ClientSecret::new(secret.expose().to_owned())).set_auth_type(match sent {
                    ClientAuthentication::Basic => AuthType::BasicAuth,
                    ClientAuthentication::Body => AuthType::RequestBody,
                }))
            }
        }
    }

    /// What the answer to a request of [`Self::client`] means.
    pub(super) fn conclude(self, answer: Result<Answer, BasicRequestTokenError<HttpError>>) -> Result<Token, NoToken> {
        let heard = Heard {
            endpoint: self.endpoint.to_string(),
            head: self.head.into_inner().unwrap_or_default(),
            redactor: self.redactor,
        };
        match answer.map(Answer::into_token) {
            Ok(Some(token)) => Ok(token),
            Ok(None) => {
                Err(Failure::Token(heard.odd("the `access_token` in it is empty or holds odd characters")).into())
            }
            Err(RequestTokenError::Request(HttpError::Tls(failed))) => {
                let failure = TokenFailure::Tls { endpoint: heard.endpoint, problem: failed.problem };
                Err(NoToken { failure: Failure::Token(failure), presented: failed.presented })
            }
            Err(error) => Err(Failure::Token(heard.failure(error)).into()),
        }
    }
}

/// What the header of the answer said.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    status: u16,
    retry_after: Option<Duration>,
}

impl Head {
    /// RFC 9110 §10.2.3 allows a date as well; token endpoints send seconds.
    fn of(response: &HttpResponse) -> Self {
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Self { status: response.status().as_u16(), retry_after: seconds.map(Duration::from_secs) }
    }
}

/// Remembers what the errors of the `oauth2` crate leave out.
impl<'c> AsyncHttpClient<'c> for Call<'_> {
    type Error = HttpError;
    // Boxed, not a closure: of a closure's future the compiler cannot see that it may move between threads.
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let response = self.http.exchange(request).await?;
            // One exchange, one answer: nothing can be set already.
            let _ = self.head.set(Head::of(&response));
            Ok(straighten(response))
        })
    }
}

/// What servers that are not strict mean: an `error` without a token is an error whatever the status, every 2yz is a
/// success, and JSON is JSON whatever the header calls it.
fn straighten(mut response: HttpResponse) -> HttpResponse {
    #[derive(Deserialize)]
    struct Glance {
        error: Option<IgnoredAny>,
        access_token: Option<IgnoredAny>,
    }

    let Ok(glance) = serde_json::from_slice::<Glance>(response.body()) else { return response };
    response.headers_mut().remove(CONTENT_TYPE);
    if response.status().is_success() {
        let is_error = glance.error.is_some() && glance.access_token.is_none();
        *response.status_mut() = if is_error { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    }
    response
}

/// Whether this may be an answer with a token in it, in the names people give them.
fn names_token(text: &[u8]) -> bool {
    let plain: Vec<u8> = text.iter().filter(|c| c.is_ascii_alphabetic()).map(u8::to_ascii_lowercase).collect();
    let names: [&[u8]; 3] = [b"accesstoken", b"refreshtoken", b"idtoken"];
    names.into_iter().any(|name| memchr::memmem::find(&plain, name).is_some())
}

/// What is known of an exchange once it has failed.
struct Heard {
    endpoint: String,
    head: Head,
    redactor: Redactor,
}

impl Heard {
    fn failure(self, error: BasicRequestTokenError<HttpError>) -> TokenFailure {
        match error {
            RequestTokenError::Request(HttpError::Proxy(failure)) => TokenFailure::Proxy(failure),
            RequestTokenError::Request(error) => {
                TokenFailure::Unreachable { endpoint: self.endpoint, detail: error.to_string() }
            }
            RequestTokenError::ServerResponse(refusal) => self.refused(&refusal),
            RequestTokenError::Parse(_, body) => self.unreadable(&body),
            RequestTokenError::Other(_) => self.unreadable(&[]),
        }
    }

    fn refused(self, refusal: &BasicErrorResponse) -> TokenFailure {
        let error = self.shown(refusal.error().as_ref().as_bytes());
        let description = self.shown(refusal.error_description().map_or(&[], String::as_bytes));
        // A server that is overloaded or broken says nothing about us, even if it says it in the words of the RFC.
        if self.head.status == 429 || self.head.status >= 500 {
            return self.odd(&format!("{error} {description}"));
        }
        TokenFailure::Refused { endpoint: self.endpoint, error, description }
    }

    fn unreadable(self, body: &[u8]) -> TokenFailure {
        let is_success = (200..300).contains(&self.head.status);
        let detail = match body.trim_ascii_start() {
            [b'<', ..] if !names_token(body) => return self.page(body),
            _ if is_success => "there is no JSON with an `access_token` in it".to_owned(),
            [] => "there is nothing to read in it".to_owned(),
            // A token that comes with an error is a token all the same, and nobody has told the redactor of it.
            text if names_token(text) => "it is not shown here, because it speaks of a token".to_owned(),
            text => self.shown(text),
        };
        self.odd(&detail)
    }

    fn odd(self, detail: &str) -> TokenFailure {
        let Head { status, retry_after } = self.head;
        TokenFailure::Odd { endpoint: self.endpoint, status, detail: detail.trim().to_owned(), retry_after }
    }

    /// A web page; its title tells a captive portal from a gateway error.
    fn page(self, body: &[u8]) -> TokenFailure {
        let lower = body.to_ascii_lowercase();
        let after = |tag: &[u8], from: usize| Some(from + memchr::memmem::find(lower.get(from..)?, tag)?);
        let title = after(b"<title>", 0).and_then(|start| Some(&body[start + 7..after(b"</title>", start)?]));
        let title = title.map(|title| self.shown(title)).unwrap_or_default();
        TokenFailure::Page { endpoint: self.endpoint, status: self.head.status, title }
    }

    /// Text from outside as one short line without secrets.
    fn shown(&self, text: &[u8]) -> String {
        const LONGEST: usize = 300;
        let clean = self.redactor.clean(text);
        let words = clean.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect()
    }
}

#[cfg(test)]
mod tests;
