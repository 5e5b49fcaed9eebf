//! The client credentials grant (RFC 6749 §4.4): the application signs in as itself, no person involved.
//!
//! The request is made by the `oauth2` crate, which encodes what must be encoded. Answers of servers that are not
//! strict are straightened first. No failure holds the client secret, whatever the server repeats, nor any part of an
//! answer that may hold a token.

use std::iter;
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;

use oauth2::basic::{
    BasicErrorResponse, BasicRequestTokenError, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
};
use oauth2::http::StatusCode;
use oauth2::http::header::{CONTENT_TYPE, RETRY_AFTER};
use oauth2::{
    AsyncHttpClient, AuthType, Client, ClientId, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    RequestTokenError, Scope, StandardRevocableToken, TokenUrl,
};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::password;
use super::{Answer, ClientAuthentication, ClientSecret, NoToken, Token};
use crate::diagnosis::{Failure, TokenFailure};
use crate::net::http::{Endpoint, HttpClient, HttpError};
use crate::redact::Redactor;
use crate::secret::Secret;

/// All that is needed to ask for a token.
#[derive(Debug, Clone)]
pub(in crate::account) struct ClientCredentials {
    pub endpoint: Endpoint,
    pub client_id: String,
    pub client_secret: ClientSecret,
    pub scope: Option<String>,
    pub authentication: ClientAuthentication,
}

type TokenClient = Client<
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

impl ClientCredentials {
    /// Asks the endpoint once. `last` is the token it issued before, which it may repeat as well.
    pub(in crate::account) async fn token(&self, http: &HttpClient, last: Option<&Secret>) -> Result<Token, NoToken> {
        let secret = match &self.client_secret {
            ClientSecret::Given(secret) => secret.clone(),
            ClientSecret::File(path) => password::from_file(path).await?,
        };
        let exchange = Exchange { http, head: OnceLock::new() };
        let client = self.client(&secret)?;
        let scopes = self.scope.iter().flat_map(|scope| scope.split_whitespace());
        let request = client.exchange_client_credentials().add_scopes(scopes.map(|scope| Scope::new(scope.to_owned())));
        let answer = request.request_async(&exchange).await;
        let heard = Heard {
            endpoint: self.endpoint.to_string(),
            head: exchange.head.into_inner().unwrap_or_default(),
            redactor: watch(&secret, last),
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

    fn client(&self, secret: &Secret) -> Result<TokenClient, Failure> {
        // An `Endpoint` is an address by type; should the two crates ever disagree, that is an odd endpoint.
        let url = TokenUrl::new(self.endpoint.as_str().to_owned()).map_err(|_| {
            Failure::Token(TokenFailure::Odd {
                endpoint: self.endpoint.to_string(),
                status: 0,
                detail: "the address of the endpoint cannot be used".into(),
                retry_after: None,
            })
        })?;
        Ok(Client::new(ClientId::new(self.client_id.clone()))
            .set_client_secret(oauth2::ClientSecret::new(secret.expose().to_owned()))
            .set_auth_type(match self.authentication {
                ClientAuthentication::Basic => AuthType::BasicAuth,
                ClientAuthentication::Body => AuthType::RequestBody,
            })
            .set_token_uri(url))
    }
}

/// The HTTP client as the `oauth2` crate wants it; remembers what that crate's errors leave out.
struct Exchange<'a> {
    http: &'a HttpClient,
    head: OnceLock<Head>,
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

impl<'c> AsyncHttpClient<'c> for Exchange<'_> {
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

/// Looks for the secret, and for the last token.
fn watch(secret: &Secret, last: Option<&Secret>) -> Redactor {
    let mut redactor = Redactor::new();
    for secret in iter::once(secret).chain(last) {
        redactor.watch(secret);
    }
    redactor
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
