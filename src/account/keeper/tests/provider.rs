//! A token endpoint on this machine that rotates refresh tokens, and ends the sign-in when one is presented twice.
//!
//! That is the strictest provider there is (RFC 9700 §4.14.2): who pleases it pleases all. Answers wait at a gate.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use tokio::sync::Semaphore;

use super::*;

/// What it answers instead of a token.
pub(super) type Instead = (u16, &'static [(&'static str, &'static str)], &'static str);

pub(super) struct Provider {
    address: String,
    state: Mutex<Ledger>,
    gate: Semaphore,
}

#[derive(Default)]
struct Ledger {
    life: u64,
    /// The refresh token that is good; none once one was presented twice.
    good: Option<String>,
    presented: Vec<String>,
    under_way: usize,
    most_under_way: usize,
    instead: Option<Instead>,
}

impl Provider {
    /// One that answers at once; its first refresh token is `refresh-0`.
    pub(super) async fn open(life: u64) -> Arc<Self> {
        let provider = Self::closed(life).await;
        provider.gate.add_permits(10_000);
        provider
    }

    /// One that keeps all who ask waiting.
    pub(super) async fn closed(life: u64) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/token", listener.local_addr().unwrap());
        let ledger = Ledger { life, good: Some("refresh-0".into()), ..Ledger::default() };
        let provider = Arc::new(Self { address, state: Mutex::new(ledger), gate: Semaphore::new(0) });
        let asked = provider.clone();
        let answer = axum::routing::post(move |axum::Form(form): axum::Form<HashMap<String, String>>| async move {
            asked.answer(&form["refresh_token"]).await
        });
        let app = axum::Router::new().route("/token", answer);
        tokio::spawn(async move { axum::serve(listener, app).await });
        provider
    }

    /// It renews at once and answers when the gate lets it: whoever is cut meanwhile has lost the answer.
    async fn answer(&self, presented: &str) -> axum::response::Response {
        let answer = {
            let mut ledger = self.ledger();
            ledger.presented.push(presented.to_owned());
            ledger.under_way += 1;
            ledger.most_under_way = ledger.most_under_way.max(ledger.under_way);
            ledger.answer(presented)
        };
        self.gate.acquire().await.unwrap().forget();
        self.ledger().under_way -= 1;
        answer
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.state.lock().unwrap()
    }

    pub(super) fn let_answer(&self) {
        self.gate.add_permits(1);
    }

    pub(super) fn will_answer(&self, instead: Option<Instead>) {
        self.ledger().instead = instead;
    }

    pub(super) fn calls(&self) -> usize {
        self.ledger().presented.len()
    }

    pub(super) fn most_under_way(&self) -> usize {
        self.ledger().most_under_way
    }

    /// Whether every refresh token came once at most.
    pub(super) fn none_came_twice(&self) -> bool {
        let presented = &self.ledger().presented;
        (1..presented.len()).all(|at| !presented[..at].contains(&presented[at]))
    }

    pub(super) async fn called(&self, times: usize) {
        while self.calls() < times {
            tokio::task::yield_now().await;
        }
    }

    pub(super) fn grant(&self) -> Grant {
        sign_in_by_browser(&self.address)
    }

    /// The same, by way of a document that names the endpoint.
    pub(super) fn grant_by(&self, document: &Documents) -> Grant {
        let mut grant = self.grant();
        if let Grant::AuthorizationCode { application, .. } = &mut grant {
            application.endpoints = Endpoints::discovered(document.address.parse().unwrap());
        }
        grant
    }

    /// The sign-in as the login would have left it: `refresh-0`, and an access token issued now that lives so long.
    pub(super) fn signed_in(&self, life: u64, now: Timestamp) -> Record {
        let grant = self.grant();
        let token = Token {
            access_token: Secret::new("access-0".into()),
            life: Some(Duration::from_secs(life)),
            refresh_token: Some(Secret::new("refresh-0".into())),
            refresh_life: None,
            scope: None,
        };
        Record::signed_in(&grant, grant.application().unwrap(), "scanner@example.com", token, now)
    }
}

impl Ledger {
    fn answer(&mut self, presented: &str) -> axum::response::Response {
        if let Some((status, fields, body)) = self.instead {
            return (StatusCode::from_u16(status).unwrap(), HeaderPairs(fields), body).into_response();
        }
        if self.good.as_deref() != Some(presented) {
            self.good = None;
            return (StatusCode::BAD_REQUEST, r#"{"error":"invalid_grant"}"#).into_response();
        }
        let (number, life) = (self.presented.len(), self.life);
        self.good = Some(format!("refresh-{number}"));
        let body =
            format!(r#"{{"access_token":"access-{number}","refresh_token":"refresh-{number}","expires_in":{life}}}"#);
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}

struct HeaderPairs(&'static [(&'static str, &'static str)]);

impl axum::response::IntoResponseParts for HeaderPairs {
    type Error = std::convert::Infallible;

    fn into_response_parts(
        self,
        mut parts: axum::response::ResponseParts,
    ) -> Result<axum::response::ResponseParts, Self::Error> {
        for (name, value) in self.0 {
            parts.headers_mut().insert(*name, value.parse().unwrap());
        }
        Ok(parts)
    }
}

/// An office with one vault, in which every keeper is another process.
pub(super) struct Office {
    pub provider: Arc<Provider>,
    pub vault: Arc<Memory>,
    pub clock: Clock,
}

impl Office {
    /// In which somebody signed in an hour ago: the access token has ended.
    pub(super) fn signed_in(provider: Arc<Provider>) -> Self {
        let office = Self { provider, vault: Arc::default(), clock: Clock::set(at(0)) };
        office.sign_in(0);
        office.clock.advance(3600);
        office
    }

    /// Somebody signs in, and gets an access token of this life.
    pub(super) fn sign_in(&self, life: u64) {
        let record = self.provider.signed_in(life, self.clock.now());
        let written = self.vault.put(&"office".into(), &record, Expected::Any, &Holder::new(false)).unwrap();
        assert!(matches!(written, Written::Done(_)));
    }

    pub(super) fn keeper(&self) -> Arc<Keeper> {
        self.keeper_with(self.provider.grant(), self.vault.clone())
    }

    pub(super) fn keeper_with(&self, grant: Grant, vault: Arc<dyn Vault>) -> Arc<Keeper> {
        let tools = Tools { vault, clock: self.clock.clone(), ..tools() };
        Arc::new(Keeper::new(&with(Source::from(grant)), tools).unwrap())
    }

    /// Time passes, on the wall and inside the program.
    pub(super) async fn pass(&self, seconds: u64) {
        self.clock.advance(i64::try_from(seconds).unwrap());
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
    }

    pub(super) fn record(&self) -> Record {
        self.vault.get(&"office".into()).unwrap().expect("the vault is never empty").record
    }

    /// The refresh token in the vault.
    pub(super) fn refresh_token(&self) -> String {
        self.record().refresh_token.unwrap().expose().to_owned()
    }
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub(super) fn cause(failure: &Failure) -> Cause {
    diagnose(failure, Context::default()).cause
}

/// A server that gives out the document which names a provider's token endpoint. Answers wait at a gate.
pub(super) struct Documents {
    address: String,
    asked: AtomicUsize,
    gate: Semaphore,
    instead: Mutex<Option<Instead>>,
}

impl Documents {
    pub(super) async fn of(provider: &Provider) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let path = "/.well-known/openid-configuration";
        let document = format!(r#"{{"issuer":"{issuer}","token_endpoint":"{}"}}"#, provider.address);
        let (asked, gate, instead) = (AtomicUsize::new(0), Semaphore::new(0), Mutex::default());
        let documents = Arc::new(Self { address: format!("{issuer}{path}"), asked, gate, instead });
        let server = documents.clone();
        let answer = axum::routing::get(move || async move {
            server.asked.fetch_add(1, Ordering::SeqCst);
            server.gate.acquire().await.unwrap().forget();
            let (status, fields, body) = server.instead.lock().unwrap().unwrap_or((200, &[], ""));
            let body = if body.is_empty() { document } else { body.to_owned() };
            (StatusCode::from_u16(status).unwrap(), HeaderPairs(fields), body)
        });
        let app = axum::Router::new().route(path, answer);
        tokio::spawn(async move { axum::serve(listener, app).await });
        documents
    }

    pub(super) async fn asked(&self) {
        while self.asked.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    }

    pub(super) fn let_answer(&self, instead: Option<Instead>) {
        *self.instead.lock().unwrap() = instead;
        self.gate.add_permits(1);
    }

    pub(super) fn times_asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}
