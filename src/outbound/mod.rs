//! The courier: takes what is owed through an account and carries it to the provider.
//!
//! Each account has a [`Desk`] with a fixed number of couriers, and each courier owns at most one connection, kept warm
//! between messages. Guarantees that a held account costs no attempt, that a stale connection is replaced once and at
//! once, and that every lease is settled or its message provably not sent. What a failure means for the mail is
//! `verdict`'s.

mod ahead;
mod attempt;
mod compose;
mod courier;
mod desk;
mod desks;
mod findings;
mod fitness;
mod leave;
mod probing;
mod tending;
pub mod throttle;
pub mod verdict;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::queue::Dot;

pub use desk::{Desk, Known};
pub use desks::Desks;

/// What all couriers of the house share.
#[derive(Debug, Clone, Default)]
pub struct Couriers {
    /// The couriers, and their goodbyes to providers, for which nobody waits but the end of the program.
    pub tasks: TaskTracker,
    /// Cancelled when nobody waits for an answer any more: idle lines are closed in order, attempts
    /// whose dot is not permitted are cut, and nothing more is claimed.
    pub ending: CancellationToken,
    /// Cancelled when attempts whose dot may be out are not waited for any longer.
    pub cut: CancellationToken,
    /// Attempts under way.
    pub attempts: TaskTracker,
}

impl Couriers {
    /// Resolves when an attempt is to be cut: at once when the relay ends, or, while its reply is what decides between
    /// delivered and sent twice, not before there is no more time.
    fn end_of(&self, dot: Dot) -> impl Future<Output = ()> + use<> {
        let (ending, cut) = (self.ending.clone(), self.cut.clone());
        async move {
            ending.cancelled().await;
            if dot.is_asked_for() {
                cut.cancelled().await;
            }
        }
    }
}
