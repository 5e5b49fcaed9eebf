//! The queue over `control.sock`: the commands' end of it.
//!
//! Pages are bounded, a body comes in pieces, and what is to be done is told with all it concerns, so that no answer
//! grows with the queue.

use std::fmt::Display;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Unanswered, odd, read};
use crate::app::queue::{Acted, Ask, Order, Page, Shown};
use crate::ids::MessageId;
use crate::net::control::{Method, ask, tell};
use crate::store::file::Settings as Storage;

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
