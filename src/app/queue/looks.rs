//! Looking at the queue, in a running relay or in its files alone: what one answer holds is bounded.
//!
//! Reads only, through the port of the store, on a thread where the disk may take its time.

use std::sync::Arc;

use super::{Ask, Holds, Page, Row, Shown};
use crate::ids::MessageId;
use crate::queue::store::{self, Store, Unreadable};

/// So many messages with the same digits are enough to see that more digits are wanted.
const ALIKE: usize = 6;

/// Octets of a body in one answer.
const PIECE: usize = 512 * 1024;

/// A page of the list.
///
/// # Errors
/// When the disk fails.
pub async fn page(store: &Arc<dyn Store>, ask: Ask, holds: Holds) -> Result<Page, Unreadable> {
    on_disk(store, move |store| {
        let page = store::Page { after: ask.after, limit: ask.limit.min(Ask::MOST) };
        let rows = store.list(&ask.filter, page)?.into_iter().map(Row::from).collect();
        Ok(Page { rows, matching: store.count(&ask.filter)?, holds })
    })
    .await
}

/// The messages whose ids begin or end so.
///
/// # Errors
/// When the disk fails.
pub async fn find(store: &Arc<dyn Store>, digits: String) -> Result<Vec<MessageId>, Unreadable> {
    on_disk(store, move |store| store.find(&digits, ALIKE)).await
}

/// Everything about a message but its body; nothing if it is not there (any more).
///
/// # Errors
/// When the disk fails.
pub async fn show(store: &Arc<dyn Store>, id: MessageId, holds: Holds) -> Result<Option<Shown>, Unreadable> {
    on_disk(store, move |store| {
        let Some(message) = store.message(id)? else { return Ok(None) };
        Ok(Some(Shown::new(&message, store.parcels(id)?, holds)?))
    })
    .await
}

/// A piece of a message's body from this octet on, empty behind its end; nothing if it is not there (any more).
///
/// # Errors
/// When the disk fails.
pub async fn body(store: &Arc<dyn Store>, id: MessageId, offset: u64) -> Result<Option<Vec<u8>>, Unreadable> {
    on_disk(store, move |store| {
        let Some(message) = store.message(id)? else { return Ok(None) };
        let mut piece = Vec::new();
        message.body.read_at(offset, PIECE, &mut piece)?;
        Ok(Some(piece))
    })
    .await
}

async fn on_disk<T: Send + 'static>(
    store: &Arc<dyn Store>,
    look: impl FnOnce(&dyn Store) -> Result<T, Unreadable> + Send + 'static,
) -> Result<T, Unreadable> {
    let store = Arc::clone(store);
    let looked = tokio::task::spawn_blocking(move || look(&*store)).await;
    looked.unwrap_or_else(|error| Err(Unreadable::passing(&error)))
}
