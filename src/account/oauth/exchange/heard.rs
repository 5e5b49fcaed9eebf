//! What a call of a token endpoint brought, in words: answers straightened, failures told apart.
//!
//! Guarantees that no failure holds a secret of the call, whatever the server repeats, nor any part of an answer that
//! may hold a token. Judges nothing: what a failure means is for `diagnosis` to say.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use oauth2::basic::{BasicErrorResponse, BasicRequestTokenError};
use oauth2::http::StatusCode;
use oauth2::http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use oauth2::{HttpResponse, RequestTokenError};
use serde::Deserialize;
use serde_json::Value;

use crate::diagnosis::TokenFailure;
use crate::net::http::HttpError;
use crate::redact::Redactor;
use crate::secret::Secret;

/// What the header of an answer said.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct Head {
    pub status: u16,
    pub retry_after: Option<Duration>,
}

impl Head {
    /// RFC 9110 §10.2.3 allows a date as well; token endpoints send seconds.
    pub(in super::super) fn of(response: &HttpResponse) -> Self {
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Self { status: response.status().as_u16(), retry_after: seconds.map(Duration::from_secs) }
    }
}

/// What time it is at the server (RFC 9110 §6.6.1).
pub(super) fn date(response: &HttpResponse) -> Option<Timestamp> {
    let date = response.headers().get(DATE)?.to_str().ok()?;
    rfc2822::DateTimeParser::new().parse_timestamp(date).ok()
}

/// What can be seen of an answer before it is understood.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Glance {
    error: Option<Value>,
    access_token: Option<Value>,
    refresh_token: Option<Value>,
    id_token: Option<Value>,
}

impl Glance {
    pub(super) fn at(response: &HttpResponse) -> Option<Self> {
        serde_json::from_slice(response.body()).ok()
    }

    /// The name of the error (RFC 6749 §5.2).
    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_ref()?.as_str()
    }

    /// Every token in it.
    pub(super) fn tokens(&self) -> impl Iterator<Item = Secret> {
        let found = [&self.access_token, &self.refresh_token, &self.id_token];
        found.into_iter().filter_map(|token| token.as_ref()?.as_str()).map(|token| Secret::new(token.to_owned()))
    }
}

/// What servers that are not strict mean: an `error` without a token is an error whatever the status, every 2yz is a
/// success, and JSON is JSON whatever the header calls it. What is not is looked at all the same, to tell what it is.
pub(super) fn straighten(mut response: HttpResponse, glance: &Glance) -> HttpResponse {
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
    let names: [&[u8]; 4] = [b"accesstoken", b"refreshtoken", b"idtoken", b"devicecode"];
    names.into_iter().any(|name| memchr::memmem::find(&plain, name).is_some())
}

/// Why an exchange brought nothing.
#[derive(Debug)]
pub(in super::super) enum Trouble {
    /// There was no whole answer.
    Way(HttpError),
    /// RFC 6749 §5.2
    Refused(BasicErrorResponse),
    /// It is not what the RFC says; with the body.
    Unreadable(Vec<u8>),
}

impl Trouble {
    /// Of an answer that is no success.
    pub(in super::super) fn of(response: HttpResponse) -> Self {
        let refusal = serde_json::from_slice(response.body());
        refusal.map_or_else(|_| Self::Unreadable(response.into_body()), Self::Refused)
    }
}

impl From<BasicRequestTokenError<HttpError>> for Trouble {
    fn from(error: BasicRequestTokenError<HttpError>) -> Self {
        match error {
            RequestTokenError::Request(error) => Self::Way(error),
            RequestTokenError::ServerResponse(refusal) => Self::Refused(refusal),
            RequestTokenError::Parse(_, body) => Self::Unreadable(body),
            // Of an answer there was only the header.
            RequestTokenError::Other(_) => Self::Unreadable(Vec::new()),
        }
    }
}

/// What is known of an exchange once it has failed.
pub(super) struct Heard {
    pub endpoint: String,
    pub head: Head,
    pub redactor: Redactor,
}

impl Heard {
    pub(super) fn failure(self, trouble: Trouble) -> TokenFailure {
        match trouble {
            Trouble::Way(HttpError::Proxy(failure)) => TokenFailure::Proxy(failure),
            Trouble::Way(HttpError::Tls(failed)) => {
                TokenFailure::Tls { endpoint: self.endpoint, problem: failed.problem }
            }
            Trouble::Way(error) => TokenFailure::Unreachable { endpoint: self.endpoint, detail: error.to_string() },
            Trouble::Refused(refusal) => self.refused(&refusal),
            Trouble::Unreadable(body) => self.unreadable(&body),
        }
    }

    fn refused(self, refusal: &BasicErrorResponse) -> TokenFailure {
        let error = shown(refusal.error().as_ref().as_bytes(), &self.redactor);
        let description = shown(refusal.error_description().map_or(&[], String::as_bytes), &self.redactor);
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
            text => shown(text, &self.redactor),
        };
        self.odd(&detail)
    }

    pub(super) fn odd(self, detail: &str) -> TokenFailure {
        let Head { status, retry_after } = self.head;
        TokenFailure::Odd { endpoint: self.endpoint, status, detail: detail.trim().to_owned(), retry_after }
    }

    fn page(self, body: &[u8]) -> TokenFailure {
        let title = title(body).map(|title| shown(title, &self.redactor)).unwrap_or_default();
        TokenFailure::Page { endpoint: self.endpoint, status: self.head.status, title }
    }
}

/// The title of a web page; it tells a captive portal from a gateway error.
fn title(body: &[u8]) -> Option<&[u8]> {
    let lower = body.to_ascii_lowercase();
    let after = |tag: &[u8], from: usize| Some(from + memchr::memmem::find(lower.get(from..)?, tag)?);
    let start = after(b"<title>", 0)? + b"<title>".len();
    Some(&body[start..after(b"</title>", start)?])
}

/// Text from outside as one short line without secrets.
pub(in super::super) fn shown(text: &[u8], redactor: &Redactor) -> String {
    const LONGEST: usize = 300;
    let clean = redactor.clean(text);
    let words = clean.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect()
}
