//! The queue over `control.sock`, both ends of it.
//!
//! Pages are bounded, a body comes in pieces, and what is to be done is told with all it concerns, so that no answer
//! grows with the queue but that of an act, which names what it has changed.

use std::fmt::Display;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post as posted};
use axum::{Json, Router};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Office, Refused, Unanswered, odd, read};
use crate::account::status::HoldStatus;
use crate::app::queue::{Ask, Holds, Page, Shown, looks};
use crate::ids::MessageId;
use crate::net::control::{Method, ask, tell};
use crate::queue::acts::{ActError, Acted, Order};
use crate::queue::store::Store;
use crate::store::file::Settings as Storage;

/// What can be asked and told of the queue:
///
/// | request | answer |
/// |---|---|
/// | `POST /v1/queue` with an [`Ask`] | [`Page`] |
/// | `GET /v1/queue/find/DIGITS` | ids that begin or end so |
/// | `GET /v1/queue/ID` | [`Shown`] |
/// | `GET /v1/queue/ID/body/OFFSET` | octets from there on; none behind the end |
/// | `POST /v1/queue/act` with an [`Order`] | [`Acted`] |
pub(super) fn routes() -> Router<Arc<Office>> {
    Router::new()
        .route("/v1/queue", posted(serve_page))
        .route("/v1/queue/act", posted(serve_act))
        .route("/v1/queue/find/{digits}", get(serve_find))
        .route("/v1/queue/{id}", get(serve_show))
        .route("/v1/queue/{id}/body/{offset}", get(serve_body))
}

async fn serve_page(State(office): State<Arc<Office>>, Json(ask): Json<Ask>) -> Result<Json<Page>, Denied> {
    Ok(Json(looks::page(kept(&office)?, ask, holds(&office).await).await.map_err(broken)?))
}

async fn serve_find(
    State(office): State<Arc<Office>>,
    Path(digits): Path<String>,
) -> Result<Json<Vec<MessageId>>, Denied> {
    Ok(Json(looks::find(kept(&office)?, digits).await.map_err(broken)?))
}

async fn serve_show(State(office): State<Arc<Office>>, Path(id): Path<MessageId>) -> Result<Json<Shown>, Denied> {
    let shown = looks::show(kept(&office)?, id, holds(&office).await).await.map_err(broken)?;
    shown.map(Json).ok_or_else(gone)
}

async fn serve_body(
    State(office): State<Arc<Office>>,
    Path((id, offset)): Path<(MessageId, u64)>,
) -> Result<Vec<u8>, Denied> {
    looks::body(kept(&office)?, id, offset).await.map_err(broken)?.ok_or_else(gone)
}

async fn serve_act(State(office): State<Arc<Office>>, Json(order): Json<Order>) -> Result<Json<Acted>, Denied> {
    let wants_it_sent = order.wants_it_sent();
    let acted = office.queue.act(order).await.map_err(|error| match error {
        ActError::NoQueue => nothing_kept(),
        error => broken(error),
    })?;
    if wants_it_sent && !acted.changed.is_empty() {
        // Who says so knows that the line is mended, or finds out.
        office.desks.reach_again();
    }
    Ok(Json(acted))
}

/// Why there is no answer.
struct Denied(StatusCode, String);

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        (self.0, Json(Refused { text: self.1 })).into_response()
    }
}

fn kept(office: &Office) -> Result<&Arc<dyn Store>, Denied> {
    office.queue.store().ok_or_else(nothing_kept)
}

fn nothing_kept() -> Denied {
    Denied(StatusCode::CONFLICT, ActError::NoQueue.to_string())
}

fn gone() -> Denied {
    Denied(StatusCode::NOT_FOUND, "the message is not in the queue any more; the log tells what became of it".into())
}

fn broken(error: impl Display) -> Denied {
    Denied(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

/// The accounts that take nothing just now: held, or not reached.
async fn holds(office: &Office) -> Holds {
    let all = office.desks.status().await.into_iter();
    all.filter_map(|status| {
        let barred = status.hold.or_else(|| status.breaker.map(HoldStatus::from))?;
        Some((status.account.as_str().into(), barred))
    })
    .collect()
}

/// A page of the list.
///
/// # Errors
/// When no relay answers, or it says why not.
pub async fn list(storage: &Storage, page: &Ask) -> Result<Page, Unanswered> {
    post(storage, "/v1/queue", page).await
}

/// The messages whose ids begin or end with these digits; a few are enough to see that there are several.
///
/// # Errors
/// When no relay answers, or it says why not.
pub async fn find(storage: &Storage, digits: impl Display) -> Result<Vec<MessageId>, Unanswered> {
    read(&storage.directory, &format!("/v1/queue/find/{digits}")).await
}

/// Everything about a message but its body.
///
/// # Errors
/// When no relay answers, or it says why not.
pub async fn show(storage: &Storage, id: MessageId) -> Result<Shown, Unanswered> {
    read(&storage.directory, &format!("/v1/queue/{id}")).await
}

/// A piece of a message's body from this octet on; nothing behind its end.
///
/// # Errors
/// When no relay answers, or it says why not.
pub async fn body(storage: &Storage, id: MessageId, offset: u64) -> Result<Vec<u8>, Unanswered> {
    let answer = ask(&storage.directory, Method::GET, &format!("/v1/queue/{id}/body/{offset}")).await?;
    if answer.status.is_success() { Ok(answer.body) } else { Err(Unanswered::Odd(odd(&answer))) }
}

/// Has something done.
///
/// # Errors
/// When no relay answers, or it says why not.
pub async fn act(storage: &Storage, order: &Order) -> Result<Acted, Unanswered> {
    post(storage, "/v1/queue/act", order).await
}

async fn post<T: DeserializeOwned>(storage: &Storage, path: &str, told: &impl Serialize) -> Result<T, Unanswered> {
    // Plain data without odd keys always becomes JSON.
    let json = serde_json::to_vec(told).unwrap_or_default();
    let answer = tell(&storage.directory, path, json).await?;
    let understood = answer.status.is_success().then(|| serde_json::from_slice(&answer.body).ok()).flatten();
    understood.ok_or_else(|| Unanswered::Odd(odd(&answer)))
}

#[cfg(test)]
mod tests;
