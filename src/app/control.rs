//! What a running relay can be asked and told by commands, and how they do it: JSON on `control.sock`.
//!
//! What stands here keeps its meaning within `v1`. A command never depends on it: with no relay, or one that does not
//! understand, it goes on and says so. No answer holds a secret.

pub mod queue;

use std::future::{Ready, ready};
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Path as Name, State};
use axum::http::header::SERVER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Common;
use super::accounts::{Account, of_relay};
use crate::account::Settings;
use crate::config::Config;
use crate::disk::Ownership;
use crate::ids::AccountName;
use crate::net::control::{Answer, AskError, Door, Method, ask};
use crate::outbound::Desks;
use crate::queue::Queue;
use crate::store::file::Settings as Storage;

/// Who answers, in every answer.
const NAME: &str = concat!("posthouse/", env!("CARGO_PKG_VERSION"));

/// The relay that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Its version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// When it was started.
    pub since: Timestamp,
}

/// The relay that answers, and its accounts in the order of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    /// Who says so.
    pub relay: Running,
    /// What it says.
    pub accounts: Vec<Account>,
}

/// Why something was not done, in one sentence.
#[derive(Debug, Serialize, Deserialize)]
struct Refused {
    text: String,
}

/// What became of telling the relay something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It is running and has acted on it.
    Running,
    /// Nobody is there to be told.
    NotRunning,
    /// A relay may be running and has not understood; in one sentence, with what to do.
    NotHeard(String),
}

impl Told {
    /// For programs; never changes.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::NotRunning => "not_running",
            Self::NotHeard(_) => "not_heard",
        }
    }
}

/// Why there is nothing to read from the relay; each text is one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// Nobody answers, or nobody who may be asked.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// An answer of a relay that is older or newer than this command.
    #[error("{0}")]
    Odd(String),
}

/// What the routes answer from.
#[derive(Debug)]
struct Office {
    running: Running,
    settings: Vec<Settings>,
    common: Common,
    desks: Desks,
    queue: Arc<Queue>,
}

/// Opens the relay to commands. Without it mail goes out all the same, so a failure is said and that is all.
pub(super) fn open(
    owner: &Ownership,
    config: &Config,
    common: &Common,
    (desks, queue): (&Desks, &Arc<Queue>),
) -> Option<Door> {
    let running =
        Running { version: env!("CARGO_PKG_VERSION").into(), pid: std::process::id(), since: common.clock.now() };
    let settings = config.accounts.clone();
    let office = Office { running, settings, common: common.clone(), desks: desks.clone(), queue: Arc::clone(queue) };
    Door::open(owner, routes(office))
        .inspect_err(|error| tracing::warn!("commands such as `posthouse accounts` cannot ask this relay: {error}"))
        .ok()
}

/// What can be asked and told:
///
/// | request | answer |
/// |---|---|
/// | `GET /v1/status` | [`Running`], and `takes_mail`: whether MAIL is refused for want of room or a failing disk |
/// | `GET /v1/accounts` | [`Accounts`] |
/// | `POST /v1/accounts/NAME/signed-in` | 204: a hold has ended, the next attempt uses the new sign-in |
/// | `POST /v1/accounts/NAME/signed-out` | 204: no token in memory is used any more |
/// | `POST /v1/accounts/NAME/release` | 204: it is tried at once, whatever was known against it |
///
/// and what [`queue::routes`] has.
fn routes(office: Office) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/accounts", get(all))
        .route("/v1/accounts/{name}/signed-in", post(|office, name| ready(change(office, name, Desks::signed_in))))
        .route("/v1/accounts/{name}/signed-out", post(|office, name| ready(change(office, name, Desks::signed_out))))
        .route("/v1/accounts/{name}/release", post(|office, name| ready(change(office, name, Desks::release))))
        .merge(queue::routes())
        .layer(axum::middleware::map_response(signed))
        .with_state(Arc::new(office))
}

/// The relay, and whether it takes mail.
#[derive(Debug, Serialize)]
struct Stand<'a> {
    #[serde(flatten)]
    running: &'a Running,
    takes_mail: bool,
}

async fn status(State(office): State<Arc<Office>>) -> Response {
    let takes_mail = office.queue.is_ready();
    Json(Stand { running: &office.running, takes_mail }).into_response()
}

async fn all(State(office): State<Arc<Office>>) -> Json<Accounts> {
    let Office { running, settings, common, desks, .. } = &*office;
    Json(Accounts { relay: running.clone(), accounts: of_relay(settings, common, desks).await })
}

fn change(
    State(office): State<Arc<Office>>,
    Name(name): Name<String>,
    tell: fn(&Desks, &AccountName) -> bool,
) -> Response {
    if tell(&office.desks, &name.as_str().into()) {
        return StatusCode::NO_CONTENT.into_response();
    }
    let text = "the running relay has no account of this name: restart it, so that it reads the configuration anew";
    (StatusCode::NOT_FOUND, Json(Refused { text: text.into() })).into_response()
}

/// With who answers.
fn signed(mut response: Response) -> Ready<Response> {
    response.headers_mut().insert(SERVER, HeaderValue::from_static(NAME));
    ready(response)
}

/// The relay that owns this storage directory.
///
/// # Errors
/// When none answers.
pub async fn running(storage: &Storage) -> Result<Running, Unanswered> {
    read(&storage.directory, "/v1/status").await
}

/// The accounts as the relay that owns this storage directory sees them.
///
/// # Errors
/// When none answers.
pub async fn accounts(storage: &Storage) -> Result<(Running, Vec<Account>), Unanswered> {
    let all: Accounts = read(&storage.directory, "/v1/accounts").await?;
    Ok((all.relay, all.accounts))
}

/// Tells the relay that somebody has signed this account in and the vault has it: the account is released, and what
/// waits for it goes out.
pub async fn tell_signed_in(storage: &Storage, account: &AccountName) -> Told {
    tell(storage, account, "signed-in").await
}

/// Tells the relay that the vault has nothing of this account any more.
pub async fn tell_signed_out(storage: &Storage, account: &AccountName) -> Told {
    tell(storage, account, "signed-out").await
}

/// Tells the relay that this account is to be tried at once, whatever is known against it.
pub async fn tell_released(storage: &Storage, account: &AccountName) -> Told {
    tell(storage, account, "release").await
}

async fn tell(storage: &Storage, account: &AccountName, what: &str) -> Told {
    let path = format!("/v1/accounts/{account}/{what}");
    match ask(&storage.directory, Method::POST, &path).await {
        Ok(answer) if answer.status.is_success() => Told::Running,
        Ok(answer) => Told::NotHeard(odd(&answer)),
        Err(AskError::NotRunning { .. }) => Told::NotRunning,
        Err(error) => Told::NotHeard(error.to_string()),
    }
}

async fn read<T: DeserializeOwned>(directory: &Path, path: &str) -> Result<T, Unanswered> {
    let answer = ask(directory, Method::GET, path).await?;
    let understood = answer.status.is_success().then(|| serde_json::from_slice(&answer.body).ok()).flatten();
    understood.ok_or_else(|| Unanswered::Odd(odd(&answer)))
}

/// What an answer that is not understood most likely means.
fn odd(answer: &Answer) -> String {
    if let Ok(Refused { text }) = serde_json::from_slice(&answer.body) {
        return one_line(&text);
    }
    let status = answer.status.as_u16();
    match answer.server.strip_prefix("posthouse/") {
        Some(version) if answer.server != NAME => format!(
            "the running relay is version {} and this command is version {}: restart the relay",
            one_line(version),
            env!("CARGO_PKG_VERSION")
        ),
        _ => format!("the running relay did not understand this command (status {status}): restart the relay"),
    }
}

/// Text of another process goes to a terminal.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
