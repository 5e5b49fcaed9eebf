//! What a running relay can be asked and told by commands, and how they do it: JSON on `control.sock`.
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/status` | [`Running`] |
//!
//! What stands here keeps its meaning within `v1`. A command never depends on it: with no relay, or one that does not
//! understand, it goes on and says so. No answer holds a secret.

use std::path::Path;

use axum::http::HeaderValue;
use axum::http::header::SERVER;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Common;
use crate::disk::sole_owner::SoleOwner;
use crate::ids::AccountName;
use crate::net::control::{Answer, AskError, Door, Method, ask};
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

/// Opens the relay to commands. Without it mail goes out all the same, so a failure is said and that is all.
pub(super) fn open(owner: &SoleOwner, common: &Common) -> Option<Door> {
    let running =
        Running { version: env!("CARGO_PKG_VERSION").into(), pid: std::process::id(), since: common.clock.now() };
    Door::open(owner, routes(running))
        .inspect_err(|error| tracing::warn!("commands such as `posthouse accounts` cannot ask this relay: {error}"))
        .ok()
}

fn routes(running: Running) -> Router {
    Router::new()
        .route("/v1/status", get(move || std::future::ready(Json(running.clone()))))
        .layer(axum::middleware::map_response(signed))
}

async fn signed(mut response: Response) -> Response {
    response.headers_mut().insert(SERVER, HeaderValue::from_static(NAME));
    response
}

/// The relay that owns this storage directory.
///
/// # Errors
/// When none answers.
pub async fn running(storage: &Storage) -> Result<Running, Unanswered> {
    read(&storage.directory, "/v1/status").await
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
    #[derive(Deserialize)]
    struct Said {
        text: String,
    }
    if let Ok(Said { text }) = serde_json::from_slice(&answer.body) {
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
