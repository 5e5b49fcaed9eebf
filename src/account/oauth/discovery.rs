//! The endpoints of an authorization server, from the document in which it tells them (RFC 8414,
//! `OpenID` Connect Discovery 1.0).
//!
//! A document counts only if its `issuer` is the one its address is made of, so that no server can speak for another
//! (mix-up), and if every endpoint in it is one secrets may be sent to. What was found is remembered for an hour, by
//! everything that was cloned from one configuration; a failure is not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oauth2::HttpRequest;
use oauth2::http::StatusCode;
use oauth2::http::header::{ACCEPT, HeaderValue};
use serde::Deserialize;
use tokio::time::Instant;

use super::exchange::{Head, shown};
use super::{Endpoints, KnownEndpoints, NoToken};
use crate::diagnosis::{DiscoveryProblem, Failure, TokenFailure};
use crate::net::http::{Endpoint, HttpClient, HttpError};
use crate::redact::Redactor;

/// Servers move their endpoints with months of notice.
const REMEMBERED: Duration = Duration::from_hours(1);

/// The address of a document, and what was last read in it.
#[derive(Debug, Clone)]
pub struct Document {
    address: Endpoint,
    found: Arc<Mutex<Option<(Instant, KnownEndpoints)>>>,
}

/// What of such a document is used (RFC 8414 §2, RFC 8628 §4, RFC 9207 §3).
#[derive(Deserialize)]
struct Metadata {
    issuer: Option<String>,
    token_endpoint: Option<String>,
    authorization_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// The endpoints as configured, or as the document tells them.
pub(in crate::account) async fn known(endpoints: &Endpoints, http: &HttpClient) -> Result<KnownEndpoints, NoToken> {
    match endpoints {
        Endpoints::Known(known) => Ok(KnownEndpoints::clone(known)),
        Endpoints::Discovered(document) => document.read(http).await,
    }
}

impl Document {
    /// The document at this address; nothing is read yet.
    #[must_use]
    pub fn new(address: Endpoint) -> Self {
        Self { address, found: Arc::default() }
    }

    /// Where it lies.
    #[must_use]
    pub fn address(&self) -> &Endpoint {
        &self.address
    }

    async fn read(&self, http: &HttpClient) -> Result<KnownEndpoints, NoToken> {
        if let Some((_, known)) = self.found().clone().filter(|(since, _)| since.elapsed() < REMEMBERED) {
            return Ok(known);
        }
        let body = self.fetch(http).await?;
        let unfit = |detail| NoToken::from(self.failed(DiscoveryProblem::Unfit { detail }));
        let known = understand(&self.address, &body).map_err(unfit)?;
        *self.found() = Some((Instant::now(), known.clone()));
        Ok(known)
    }

    async fn fetch(&self, http: &HttpClient) -> Result<Vec<u8>, NoToken> {
        let mut request = HttpRequest::new(Vec::new());
        let unusable = |_| self.failed(DiscoveryProblem::Unfit { detail: "its address cannot be used".into() });
        *request.uri_mut() = self.address.as_str().parse().map_err(unusable)?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let response = http.exchange(request).await.map_err(|error| self.away(error))?;
        if response.status() != StatusCode::OK {
            let Head { status, retry_after } = Head::of(&response);
            return Err(self.failed(DiscoveryProblem::Odd { status, retry_after }).into());
        }
        Ok(response.into_body())
    }

    fn away(&self, error: HttpError) -> NoToken {
        match error {
            HttpError::Proxy(failure) => Failure::Token(TokenFailure::Proxy(failure)).into(),
            HttpError::Tls(failed) => {
                let endpoint = self.address.to_string();
                let failure = Failure::Token(TokenFailure::Tls { endpoint, problem: failed.problem });
                NoToken { failure: Box::new(failure), presented: failed.presented }
            }
            error => self.failed(DiscoveryProblem::Unreachable { detail: error.to_string() }).into(),
        }
    }

    fn failed(&self, problem: DiscoveryProblem) -> Failure {
        Failure::Token(TokenFailure::Discovery { document: self.address.to_string(), problem })
    }

    /// It is written at once, so what a poisoned lock guards is whole.
    fn found(&self) -> MutexGuard<'_, Option<(Instant, KnownEndpoints)>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the document says, or what is wrong with it.
fn understand(address: &Endpoint, body: &[u8]) -> Result<KnownEndpoints, String> {
    let metadata: Metadata = serde_json::from_slice(body)
        .map_err(|_| "it is not the JSON document that names the endpoints of a server".to_owned())?;
    let issuer = metadata.issuer.ok_or("it does not say whose it is (`issuer`)")?;
    if !speaks_for(address, &issuer) {
        let issuer = shown(issuer.as_bytes(), &Redactor::new());
        return Err(format!("it speaks for another server: its `issuer` is {issuer}"));
    }
    let endpoint = |name: &str, written: Option<String>| match written {
        None => Ok(None),
        Some(written) => match written.parse::<Endpoint>() {
            // A server elsewhere has nothing to say about services on this machine.
            Ok(endpoint) if endpoint.is_https() || !address.is_https() => Ok(Some(endpoint)),
            Ok(_) => Err(format!("its `{name}` is on this machine itself")),
            Err(error) => Err(format!("its `{name}` cannot be used: {error}")),
        },
    };
    Ok(KnownEndpoints {
        token: endpoint("token_endpoint", metadata.token_endpoint)?.ok_or("it names no `token_endpoint`")?,
        authorization: endpoint("authorization_endpoint", metadata.authorization_endpoint)?,
        device_authorization: endpoint("device_authorization_endpoint", metadata.device_authorization_endpoint)?,
        revocation: endpoint("revocation_endpoint", metadata.revocation_endpoint)?,
        issuer: Some(issuer),
        always_names_issuer: metadata.authorization_response_iss_parameter_supported,
    })
}

/// Whether a document at this address may have this `issuer` (RFC 8414 §3.3): the one between or before whose parts
/// `/.well-known/NAME` was put to make the address (§3.1; `OpenID` Connect Discovery 1.0 §4.1).
fn speaks_for(address: &Endpoint, issuer: &str) -> bool {
    let address = address.as_str().split(['?', '#']).next().unwrap_or_default();
    let Some((before, after)) = address.split_once("/.well-known/") else {
        // An address of somebody's own making: at least it must lie below the issuer.
        let rest = address.strip_prefix(issuer.trim_end_matches('/'));
        return is_server(issuer) && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    };
    let path = after.split_once('/').map_or("", |(_name, path)| path);
    let made_of = if path.is_empty() { before.to_owned() } else { format!("{before}/{path}") };
    issuer.trim_end_matches('/') == made_of.trim_end_matches('/')
}

/// A scheme alone is a prefix of everything.
fn is_server(issuer: &str) -> bool {
    issuer.parse::<Endpoint>().is_ok()
}

#[cfg(test)]
mod tests;
