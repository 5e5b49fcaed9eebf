//! The keeper against a token endpoint on this machine, files and programs; the clock is moved by hand.
//!
//! Nothing here waits for time to pass: the tests wait for a call to arrive, and move the clock themselves.

pub(crate) mod crash;
mod kept;
mod processes;
mod provider;
mod tending;

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::*;
use crate::account::CommandLine;
use crate::account::oauth::{Application, ClientAuthentication, ClientProof, Endpoints, Given, Redirect, Token};
use crate::account::tests::settings;
use crate::account::tokens::AskAgain;
use crate::account::vault::tests::Memory;
use crate::account::vault::{Expected, Facts, Record, Written};
use crate::diagnosis::{Context, DiscoveryProblem, KeptFailure, TokenFailure, diagnose};
use crate::secret::Secret;
use crate::words::Cause;

/// A token endpoint that counts its calls, and answers none before it is let.
struct Endpoint {
    calls: AtomicUsize,
    status: AtomicU16,
    gate: Semaphore,
}

impl Endpoint {
    /// An open one, and a keeper that asks it.
    async fn open() -> (Arc<Self>, Arc<Keeper>) {
        let (endpoint, keeper) = Self::closed().await;
        endpoint.let_answer(1000);
        (endpoint, keeper)
    }

    async fn closed() -> (Arc<Self>, Arc<Keeper>) {
        let endpoint =
            Arc::new(Self { calls: AtomicUsize::new(0), status: AtomicU16::new(200), gate: Semaphore::new(0) });
        let asked = endpoint.clone();
        let route = axum::routing::post(move || async move { asked.answer().await });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/token", listener.local_addr().unwrap());
        let app = axum::Router::new().route("/token", route);
        tokio::spawn(async move { axum::serve(listener, app).await });
        let keeper = Keeper::new(&with(Source::from(grant(&address))), tools()).unwrap();
        (endpoint, Arc::new(keeper))
    }

    async fn answer(&self) -> (StatusCode, String) {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        self.gate.acquire().await.unwrap().forget();
        let status = StatusCode::from_u16(self.status.load(Ordering::SeqCst)).unwrap();
        let body = if status.is_success() {
            format!(r#"{{"access_token":"token-{call}","expires_in":3600}}"#)
        } else {
            r#"{"error":"invalid_client"}"#.to_owned()
        };
        (status, body)
    }

    fn let_answer(&self, calls: usize) {
        self.gate.add_permits(calls);
    }

    fn will_answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    async fn called(&self, times: usize) {
        while self.calls() < times {
            tokio::task::yield_now().await;
        }
    }
}

/// Of a process alone with an empty vault.
pub(crate) fn tools() -> Tools {
    Tools {
        http: crate::net::http::tests::client(),
        vault: Arc::new(Memory::default()),
        holder: Holder::new(true),
        clock: Clock::default(),
        renewals: TaskTracker::new(),
    }
}

/// Of a sign-in about which nothing is special.
pub(crate) fn facts() -> Facts {
    let grant = sign_in_by_browser("http://127.0.0.1:1/token");
    let token = Token {
        access_token: Secret::new("access".into()),
        life: None,
        refresh_token: None,
        refresh_life: None,
        scope: None,
    };
    Record::signed_in(&grant, grant.application().unwrap(), "me", token, Timestamp::UNIX_EPOCH).facts
}

fn grant(address: &str) -> Grant {
    Grant::ClientCredentials { application: application(address) }
}

/// A person's sign-in at this token endpoint.
pub(crate) fn sign_in_by_browser(address: &str) -> Grant {
    Grant::AuthorizationCode {
        application: application(address),
        redirect: Redirect::Elsewhere("https://localhost/".into()),
        parameters: Vec::new(),
    }
}

pub(crate) fn application(address: &str) -> Application {
    Application {
        endpoints: Endpoints::token_only(address.parse().unwrap()),
        client_id: "app".into(),
        proof: ClientProof::Secret {
            secret: Given::Here(Secret::new("hunter2".into())),
            sent: ClientAuthentication::Body,
            expires: None,
        },
        scope: None,
        unused_refresh_life: None,
    }
}

fn with(credential: Source) -> Settings {
    Settings { credential, ..settings() }
}

/// The secret of a credential.
fn secret(credential: &Credential) -> &str {
    match credential {
        Credential::None => "",
        Credential::Password { password, .. } => password.expose(),
        Credential::Token { token, .. } => token.expose(),
    }
}

async fn ask(keeper: &Keeper) -> Credential {
    keeper.credential().await.unwrap()
}

/// Moves the clock; it runs on afterwards, because sockets are waited for in real time.
async fn pass(minutes: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(60 * minutes)).await;
    tokio::time::resume();
}

/// Twenty at once, all waiting when the first call has reached the endpoint.
async fn crowd(endpoint: &Endpoint, keeper: &Arc<Keeper>) -> JoinSet<Result<Credential, Failure>> {
    let mut crowd = JoinSet::new();
    for _ in 0..20 {
        let keeper = keeper.clone();
        crowd.spawn(async move { keeper.credential().await });
    }
    endpoint.called(1).await;
    crowd
}

#[tokio::test]
async fn a_token_is_kept_and_renewed_ten_minutes_before_it_ends() {
    let (endpoint, keeper) = Endpoint::open().await;
    assert_eq!(secret(&ask(&keeper).await), "token-1");
    pass(48).await;
    assert_eq!(secret(&ask(&keeper).await), "token-1");
    pass(2).await;
    assert_eq!(secret(&ask(&keeper).await), "token-2");
    assert_eq!(endpoint.calls(), 2);
}

#[tokio::test]
async fn however_many_wait_the_endpoint_is_asked_once() {
    let (endpoint, keeper) = Endpoint::closed().await;
    let crowd = crowd(&endpoint, &keeper).await;
    endpoint.let_answer(20);
    for credential in crowd.join_all().await {
        assert_eq!(secret(&credential.unwrap()), "token-1");
    }
    assert_eq!(endpoint.calls(), 1);
}

#[tokio::test]
async fn a_failure_is_shared_by_those_who_waited_and_by_nobody_else() {
    let (endpoint, keeper) = Endpoint::closed().await;
    endpoint.will_answer(400);
    let crowd = crowd(&endpoint, &keeper).await;
    endpoint.let_answer(20);
    for credential in crowd.join_all().await {
        let failure = credential.unwrap_err();
        assert!(matches!(failure, Failure::Token(TokenFailure::Refused { .. })), "{failure:?}");
    }
    assert_eq!(endpoint.calls(), 1);
    endpoint.will_answer(200);
    assert_eq!(secret(&ask(&keeper).await), "token-2");
}

#[tokio::test]
async fn when_the_one_who_asked_is_gone_the_call_goes_on_and_others_have_what_it_brings() {
    let (endpoint, keeper) = Endpoint::closed().await;
    let first = tokio::spawn({
        let keeper = keeper.clone();
        async move { keeper.credential().await }
    });
    endpoint.called(1).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    endpoint.let_answer(1);
    assert_eq!(secret(&ask(&keeper).await), "token-1");
    assert_eq!(endpoint.calls(), 1);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let (endpoint, keeper) = Endpoint::open().await;
    let first = ask(&keeper).await;
    assert_eq!(keeper.refused(&first), AfterRefusal::Again);
    let second = ask(&keeper).await;
    assert_eq!(secret(&second), "token-2");
    assert_eq!(keeper.refused(&second), AfterRefusal::Final);
    assert_eq!(endpoint.calls(), 2, "no third call");
    let probe = ask(&keeper).await;
    keeper.accepted(&probe);
    assert_eq!(keeper.refused(&probe), AfterRefusal::Again, "it had worked");
}

#[tokio::test]
async fn a_token_that_lives_is_used_on_while_the_endpoint_is_away() {
    let (endpoint, keeper) = Endpoint::open().await;
    ask(&keeper).await;
    endpoint.will_answer(503);
    pass(55).await;
    assert_eq!(secret(&ask(&keeper).await), "token-1");
    assert_eq!(secret(&ask(&keeper).await), "token-1");
    assert_eq!(endpoint.calls(), 2, "not asked again within a minute");
    pass(6).await;
    assert!(keeper.credential().await.is_err(), "over is over");
}

/// How a pause grows, and who waits for it, stands in `tokens`.
#[test]
fn whatever_is_no_fault_of_the_account_is_followed_by_a_pause() {
    let endpoint = || "https://login.example.com/token".to_owned();
    let again = |failure: TokenFailure| {
        let failure = Failure::Token(failure);
        issuer::ask_again(&failure, diagnose(&failure, Context::default()).cause)
    };
    let refused =
        |error: &str| TokenFailure::Refused { endpoint: endpoint(), error: error.into(), description: String::new() };
    let odd = |status, retry_after| TokenFailure::Odd { endpoint: endpoint(), status, detail: "x".into(), retry_after };
    let away = DiscoveryProblem::Unreachable { detail: "refused".into() };
    for failure in [
        TokenFailure::Unreachable { endpoint: endpoint(), detail: "refused".into() },
        TokenFailure::Page { endpoint: endpoint(), status: 502, title: String::new() },
        TokenFailure::Page { endpoint: endpoint(), status: 200, title: "Hotel".into() },
        TokenFailure::Discovery { document: endpoint(), problem: away },
        refused("temporarily_unavailable"),
        odd(500, None),
        odd(302, None),
    ] {
        assert_eq!(again(failure.clone()), AskAgain::AfterPause(None), "{failure:?}");
    }
    let (told, too_long) = (Some(Duration::from_secs(90)), Some(Duration::from_hours(9)));
    assert_eq!(again(odd(429, told)), AskAgain::AfterPause(told));
    assert_eq!(again(odd(503, too_long)), AskAgain::AfterPause(Some(Duration::from_hours(1))));
    let problem = DiscoveryProblem::Odd { status: 503, retry_after: told };
    assert_eq!(again(TokenFailure::Discovery { document: endpoint(), problem }), AskAgain::AfterPause(told));
    for error in ["invalid_grant", "invalid_client", "invalid_scope"] {
        assert_eq!(again(refused(error)), AskAgain::AtNeed, "{error}: the hold says when");
    }
}

#[tokio::test]
async fn a_program_may_print_the_token() {
    let command = ["/bin/sh", "-c", "echo printed"].map(str::to_owned).to_vec();
    let keeper =
        Keeper::new(&with(Source::from(Grant::Command { command: CommandLine::new(command) })), tools()).unwrap();
    assert_eq!(secret(&ask(&keeper).await), "printed");
}

#[tokio::test]
async fn a_password_file_is_read_at_each_sign_in_and_a_refusal_is_final() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "old-one\n").unwrap();
    let keeper = Keeper::new(&with(Source::PasswordFile(file.path().into())), tools()).unwrap();
    let old = ask(&keeper).await;
    std::fs::write(file.path(), "new-one\n").unwrap();
    let new = ask(&keeper).await;
    assert_eq!((secret(&old), secret(&new)), ("old-one", "new-one"));
    assert_eq!(keeper.refused(&new), AfterRefusal::Final);
}

#[tokio::test]
async fn the_login_name_is_the_username_else_the_address() {
    let mut settings = with(Source::Password(Secret::new("hunter2".into())));
    for (username, expected) in [(None, "scanner@example.com"), (Some("apikey".to_owned()), "apikey")] {
        settings.username = username;
        let credential = ask(&Keeper::new(&settings, tools()).unwrap()).await;
        assert!(matches!(credential, Credential::Password { username, .. } if username == expected));
    }
}

#[test]
fn what_cannot_be_kept_is_refused_at_once() {
    let mut nameless = with(Source::Password(Secret::new("hunter2".into())));
    nameless.address = None;
    let account = || AccountName::from("office");
    assert_eq!(Keeper::new(&nameless, tools()).unwrap_err(), KeeperError::NoUsername { account: account() });
    nameless.credential = Source::None;
    assert!(Keeper::new(&nameless, tools()).is_ok(), "who does not sign in needs no name");
}
