//! The one bit both halves fight for: may the message still be withdrawn, or may the dot be written?
//!
//! Exactly one of [`Fate::withdraw`] and [`Fate::commit`] succeeds, once and for ever; that is what makes a refusal
//! mean that nothing can go out (promise 1).

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

const OPEN: u8 = 0;
const WITHDRAWN: u8 = 1;
const COMMITTED: u8 = 2;

/// Open, then withdrawn or committed.
#[derive(Debug, Default)]
pub(super) struct Fate {
    state: AtomicU8,
    bell: Notify,
}

impl Fate {
    pub(super) fn is_open(&self) -> bool {
        self.state.load(Ordering::Acquire) == OPEN
    }

    pub(super) fn is_committed(&self) -> bool {
        self.state.load(Ordering::Acquire) == COMMITTED
    }

    /// True if the message is withdrawn, now or before.
    pub(super) fn withdraw(&self) -> bool {
        let withdrawn = self.decide(WITHDRAWN);
        self.bell.notify_one();
        withdrawn
    }

    /// True if the dot may be written.
    pub(super) fn commit(&self) -> bool {
        self.decide(COMMITTED)
    }

    pub(super) async fn withdrawn(&self) {
        loop {
            match self.state.load(Ordering::Acquire) {
                WITHDRAWN => return,
                COMMITTED => std::future::pending().await,
                _ => self.bell.notified().await,
            }
        }
    }

    fn decide(&self, wanted: u8) -> bool {
        match self.state.compare_exchange(OPEN, wanted, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(decided) => decided == wanted,
        }
    }
}
