//! What the token endpoint was asked, call by call, with the time each began and ended.
//!
//! So a test can say that no two renewals were under way at once, and that none came twice. Holds no secret: a refresh
//! token is told by its SHA-256. Bounded: the oldest calls go.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

const KEPT: usize = 10_000;

/// One call of the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenCall {
    /// `grant_type`, or nothing if the request had none.
    pub grant: String,
    /// The SHA-256 of the refresh token that was presented, in hexadecimal.
    pub presented: Option<String>,
    /// When it came.
    pub begun: Instant,
    /// When it was answered or given up; nothing while it is under way.
    pub ended: Option<Instant>,
    /// The HTTP status it was answered with; nothing if it was not.
    pub status: Option<u16>,
    /// Whether a token was issued, and what was presented is used up; whether or not the answer got through.
    pub is_granted: bool,
}

impl TokenCall {
    /// Whether both were under way at some moment.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let before = |a: &Self, b: &Self| a.ended.is_some_and(|ended| ended <= b.begun);
        !before(self, other) && !before(other, self)
    }
}

/// All calls.
#[derive(Debug, Default)]
pub(super) struct Calls(Arc<Mutex<Log>>);

#[derive(Debug, Default)]
struct Log {
    /// The number of the first one kept.
    first: usize,
    calls: VecDeque<TokenCall>,
}

/// A call under way; it has ended when this is dropped.
#[derive(Debug)]
pub(super) struct Ongoing {
    log: Arc<Mutex<Log>>,
    number: usize,
}

impl Calls {
    pub(super) fn begin(&self, grant: &str, presented: Option<String>) -> Ongoing {
        let mut log = lock(&self.0);
        if log.calls.len() == KEPT {
            log.calls.pop_front();
            log.first += 1;
        }
        let grant = grant.chars().take(100).collect();
        log.calls.push_back(TokenCall {
            grant,
            presented,
            begun: Instant::now(),
            ended: None,
            status: None,
            is_granted: false,
        });
        Ongoing { log: Arc::clone(&self.0), number: log.first + log.calls.len() - 1 }
    }

    pub(super) fn all(&self) -> Vec<TokenCall> {
        lock(&self.0).calls.iter().cloned().collect()
    }
}

impl Ongoing {
    pub(super) fn answered(&self, status: u16) {
        self.change(|call| call.status = Some(status));
    }

    pub(super) fn granted(&self) {
        self.change(|call| call.is_granted = true);
    }

    fn change(&self, change: impl FnOnce(&mut TokenCall)) {
        let mut log = lock(&self.log);
        let at = self.number.checked_sub(log.first);
        if let Some(call) = at.and_then(|at| log.calls.get_mut(at)) {
            change(call);
        }
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        self.change(|call| call.ended = Some(Instant::now()));
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_overlap_while_both_are_under_way() {
        let calls = Calls::default();
        let tick = || tokio::time::advance(std::time::Duration::from_secs(1));
        let first = calls.begin("refresh_token", None);
        tick().await;
        let second = calls.begin("refresh_token", None);
        first.answered(200);
        tick().await;
        drop(first);
        tick().await;
        let third = calls.begin("refresh_token", None);
        let all = calls.all();
        assert!(all[0].overlaps(&all[1]) && all[1].overlaps(&all[2]), "{all:?}");
        assert!(!all[0].overlaps(&all[2]), "the first was over before the third came: {all:?}");
        assert_eq!((all[0].status, all[1].status), (Some(200), None));
        drop((second, third));
    }

    #[test]
    fn the_oldest_calls_go() {
        let calls = Calls::default();
        let early = calls.begin("early", None);
        for _ in 0..KEPT {
            calls.begin("later", None);
        }
        early.answered(200);
        let all = calls.all();
        assert_eq!(all.len(), KEPT);
        assert!(all.iter().all(|call| call.grant == "later" && call.status.is_none()));
    }
}
