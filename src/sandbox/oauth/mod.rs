//! The authorization server: every grant of RFC 6749 and its kin over the sandbox's own TLS, and no leniency.
//!
//! A browser comes to [`authorize`], a device to [`device`], everybody to [`token`]; [`discovery`] says where they are
//! and [`revoke`] takes back. Tokens really sign the user in at the SMTP ports. What a client does against the RFCs is
//! refused and recorded as a breach, a refresh token that comes twice above all. Every request is bounded in size, and
//! so is all that is kept.

mod answer;
mod assertion;
mod authorize;
mod calls;
mod client;
mod connection;
mod device;
mod discovery;
mod form;
mod ledger;
mod registered;
mod revoke;
mod setup;
mod shelf;
mod spoil;
mod token;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::time::Instant;

pub use calls::TokenCall;
pub(super) use ledger::Family;
pub use setup::{Consent, ELSEWHERE, OAuth, RefreshTokens};
pub use token::SignedIn;
pub(super) use token::sign_in;

use super::Shared;
use super::record::Rule;
use crate::secret::Secret;
use answer::Refusal;
use assertion::Registered;
use ledger::Ledger;
use registered::ServiceAccount;

/// Longest request body read.
const BODY: usize = 64 * 1024;
/// Assertions remembered, so that none is used twice.
const ASSERTIONS: usize = 10_000;

const TOKEN: &str = "/token";
const AUTHORIZE: &str = "/authorize";
const CONSENT: &str = "/consent";
const DEVICE_AUTHORIZATION: &str = "/device_authorization";
const DEVICE: &str = "/device";
const REVOKE: &str = "/revoke";
/// `OpenID` Connect Discovery 1.0 §4.
const OPENID: &str = "/.well-known/openid-configuration";
/// RFC 8414 §3.
const METADATA: &str = "/.well-known/oauth-authorization-server";

/// Serves the authorization server for as long as the task lives.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let routes = axum::Router::new()
        .route(OPENID, get(discovery::document))
        .route(METADATA, get(discovery::document))
        .route(AUTHORIZE, get(authorize::ask))
        .route(CONSENT, post(authorize::decide))
        .route(DEVICE_AUTHORIZATION, post(device::begin))
        .route(DEVICE, get(device::page).post(device::decide))
        .route(TOKEN, post(token::token))
        .route(REVOKE, post(revoke::revoke))
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(Arc::clone(&shared));
    connection::serve(listener, routes, shared).await;
}

/// What the authorization server knows.
#[derive(Debug)]
pub(super) struct Server {
    /// Who it says it is; every endpoint lies below.
    issuer: String,
    calls: calls::Calls,
    ledger: Mutex<Ledger>,
    /// The key of the client's certificate.
    client_key: Registered,
    service_account: OnceLock<Option<ServiceAccount>>,
    /// The `jti` of assertions that were used.
    assertions: Mutex<VecDeque<String>>,
}

impl Server {
    /// `certificate`: what signs the client's assertions, PEM.
    pub(super) fn new(bound: SocketAddr, certificate: &str) -> io::Result<Self> {
        Ok(Self {
            issuer: format!("https://{bound}"),
            calls: calls::Calls::default(),
            ledger: Mutex::default(),
            client_key: Registered::certificate(certificate)?,
            service_account: OnceLock::new(),
            assertions: Mutex::default(),
        })
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn token_endpoint(&self) -> String {
        format!("{}{TOKEN}", self.issuer)
    }

    pub(super) fn discovery(&self) -> String {
        format!("{}{OPENID}", self.issuer)
    }

    pub(super) fn calls(&self) -> Vec<TokenCall> {
        self.calls.all()
    }

    /// The key file of the service account; nothing if there is no randomness.
    pub(super) fn key_file(&self) -> Option<Secret> {
        self.service_account().map(|account| account.key_file().clone())
    }

    /// What a person decided about a device; false if none waits with this code.
    pub(super) fn decide_device(&self, user_code: &str, yes: bool) -> bool {
        self.ledger().decide(&device::normal(user_code), yes, Instant::now())
    }

    /// Takes back all that was granted.
    pub(super) fn revoke_all(&self) {
        self.ledger().revoke_all();
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn service_account(&self) -> Option<&ServiceAccount> {
        self.service_account.get_or_init(|| ServiceAccount::new(&self.token_endpoint()).ok()).as_ref()
    }

    /// Takes back all that came of one sign-in.
    fn revoke(&self, shared: &Shared, family: Family) {
        self.ledger().revoke(family);
        shared.credentials.revoke_family(family);
    }

    /// Whether an assertion for this audience is for us (RFC 7523 §3: the token endpoint, or the issuer).
    fn is_us(&self, audience: &str) -> bool {
        audience == self.issuer || audience == self.token_endpoint()
    }

    /// Whether an assertion with this `jti` was never used before.
    fn first_time(&self, jti: &str) -> bool {
        let mut used = self.assertions.lock().unwrap_or_else(PoisonError::into_inner);
        if used.iter().any(|own| own == jti) {
            return false;
        }
        if used.len() == ASSERTIONS {
            used.pop_front();
        }
        used.push_back(jti.into());
        true
    }
}

/// A refusal as an answer. What a client must not do goes on record; who is merely unlucky is not accused.
fn refused(shared: &Shared, refusal: Refusal) -> Response {
    match refusal {
        Refusal::InvalidRequest(_) | Refusal::Missing(_) => {
            shared.record.breach(0, Rule::OAuth, &refusal.description());
        }
        Refusal::SlowDown => shared.record.breach(0, Rule::Polling, "a device asked again too soon"),
        _ => {}
    }
    refusal.into_response()
}
