//! The promise of a store that something lies on the disk, and why it may not.
//!
//! A [`Durable`] resolves when a sync has returned, not before. Whoever drops it gives up waiting, not the change: it
//! is made all the same.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// Why a change was not made. After any of these nothing of it is there, now or later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotStored {
    /// No room. Nothing is wrong with the disk.
    #[error("the disk is full: {detail}")]
    Full { detail: String },
    /// The disk, or what lies on it, fails; the store looks after itself and is not used meanwhile.
    #[error("the storage fails: {detail}")]
    Failing { detail: String },
}

/// Resolves when the change is durable, or was not made.
#[derive(Debug)]
#[must_use = "nothing is promised before it has resolved"]
pub struct Durable(oneshot::Receiver<Result<(), NotStored>>);

impl Durable {
    /// A promise and the way to keep it. One that is never kept says that the store has ended.
    pub fn promise() -> (oneshot::Sender<Result<(), NotStored>>, Self) {
        let (kept, promised) = oneshot::channel();
        (kept, Self(promised))
    }
}

impl Future for Durable {
    type Output = Result<(), NotStored>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = || NotStored::Failing { detail: "the store has ended".to_owned() };
        Pin::new(&mut self.0).poll(context).map(|kept| kept.unwrap_or_else(|_| Err(ended())))
    }
}
