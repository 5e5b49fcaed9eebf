//! How far a connection has come: for a courier that loses patience, and step by step for somebody who watches.
//!
//! The same code connects in both cases. Unwatched, a phase is noted and nothing else is made or kept. Watched, what
//! happens becomes [`News`], told at the moment it happens; a watcher who has left is told nothing and stops nobody.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::step::{End, Fact, Kind, News, Step};
use crate::diagnosis::Failure;
use crate::net::dial::Seen;
use crate::smtp::client::Client;
use crate::smtp::reply::Reply;
use crate::words::Phase;

/// How far it has come.
#[derive(Debug)]
pub struct Progress {
    phase: Mutex<Phase>,
    watch: Option<Watch>,
}

/// Someone watches. A connection has a dozen steps, so what waits to be read is bounded by what is done.
#[derive(Debug)]
struct Watch {
    current: Mutex<Option<Current>>,
    news: UnboundedSender<News>,
}

/// The step under way.
#[derive(Debug)]
struct Current {
    kind: Kind,
    began: Instant,
    facts: Vec<Fact>,
}

impl Progress {
    /// Nothing has begun, and nobody watches.
    #[must_use]
    pub fn new() -> Self {
        Self { phase: Mutex::new(Phase::Credential), watch: None }
    }

    /// The same for somebody who watches. The news end when this is dropped.
    #[must_use]
    pub fn watched() -> (Self, UnboundedReceiver<News>) {
        let (news, heard) = unbounded_channel();
        let watch = Watch { current: Mutex::new(None), news };
        (Self { watch: Some(watch), ..Self::new() }, heard)
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        // A phase is set whole or not at all, so a panic elsewhere left nothing half done.
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_watched(&self) -> bool {
        self.watch.is_some()
    }

    /// A phase begins, unless it is under way already.
    pub(super) fn set(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
        if let (Some(watch), Some(kind)) = (&self.watch, Kind::of(phase)) {
            watch.enter(kind);
        }
    }

    /// Whatever is waited for now begins, once all that happened before was told.
    pub(super) fn follow(&self, dialogue: &Client) {
        if !dialogue.has_news() {
            self.set(dialogue.phase());
        }
    }

    /// A step that is no phase of its own begins.
    pub(super) fn enter(&self, kind: Kind) {
        if let Some(watch) = &self.watch {
            watch.enter(kind);
        }
    }

    /// Something was seen in the step under way. Without a watcher it is not even put together.
    pub(super) fn see(&self, fact: impl FnOnce() -> Fact) {
        if let Some(watch) = &self.watch {
            watch.change(|current| current.facts.push(fact()));
        }
    }

    /// The server said something. What it asks for in the midst of AUTH (3yz) is no news.
    pub(super) fn hear(&self, phase: Phase, reply: Reply) {
        self.set(phase);
        if phase != Phase::Quit && !(phase == Phase::Auth && reply.code / 100 == 3) {
            self.see(|| Fact::Reply(reply));
        }
    }

    /// Something was seen on the way to a connection.
    pub(super) fn dial(&self, seen: Seen) {
        match seen {
            Seen::Addresses(addresses) => {
                self.see(|| Fact::Addresses(addresses));
                self.enter(Kind::Tcp);
            }
            Seen::Failed(address, error) => self.see(|| Fact::AddressFailed(address, error)),
            Seen::Connected(peer) => self.see(|| Fact::Connected(peer)),
            Seen::ProxyAsked { proxy, target } => {
                self.enter(Kind::Proxy);
                self.see(|| Fact::Through { proxy, target });
            }
        }
    }

    /// The step under way failed, and everything is tried once more.
    pub(super) fn again(&self, failure: &Failure) {
        if let Some(watch) = &self.watch {
            watch.fail(failure, End::Again);
        }
    }

    /// It is over.
    pub(super) fn end(&self, result: Result<(), &Failure>) {
        match (&self.watch, result) {
            (Some(watch), Ok(())) => watch.finish(End::Done),
            (Some(watch), Err(failure)) => watch.fail(failure, End::Failed),
            (None, _) => {}
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Watch {
    fn enter(&self, kind: Kind) {
        if self.change(|current| current.kind) == Some(kind) {
            return;
        }
        self.finish(End::Done);
        *self.lock() = Some(Current { kind, began: now(), facts: Vec::new() });
        self.tell(News::Begins(kind));
    }

    /// A failure may belong to a step that had not begun, because what was needed for it is missing, or to the one
    /// before, when a server says late what it thinks of it: then nothing was seen in this one.
    fn fail(&self, failure: &Failure, end: fn(Failure) -> End) {
        if let Some(kind) = Kind::of_failure(failure) {
            self.change(|current| current.kind = if current.facts.is_empty() { kind } else { current.kind });
            self.enter(kind);
        }
        self.finish(end(failure.clone()));
    }

    fn finish(&self, end: End) {
        let Some(Current { kind, began, facts }) = self.lock().take() else { return };
        let took = now().saturating_duration_since(began);
        self.tell(News::Ends(Step { kind, took, facts, end }));
    }

    fn change<R>(&self, change: impl FnOnce(&mut Current) -> R) -> Option<R> {
        self.lock().as_mut().map(change)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Current>> {
        // A step is put in and taken out whole.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, news: News) {
        // Who does not listen any more need not be told.
        let _ = self.news.send(news);
    }
}

/// tokio's clock, which stands still in tests.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::TlsProblem;

    fn told(heard: &mut UnboundedReceiver<News>) -> Vec<String> {
        let mut told = Vec::new();
        while let Ok(news) = heard.try_recv() {
            told.push(match news {
                News::Begins(kind) => format!("{kind:?}…"),
                News::Ends(Step { kind, facts, end, .. }) => {
                    let end = match end {
                        End::Done => "done",
                        End::Again(_) => "again",
                        End::Failed(_) => "failed",
                    };
                    format!("{kind:?} {end}, {} seen", facts.len())
                }
            });
        }
        told
    }

    #[tokio::test]
    async fn each_step_is_told_when_it_begins_and_when_it_ends() {
        let (progress, mut heard) = Progress::watched();
        progress.set(Phase::Connect);
        progress.set(Phase::Connect);
        assert_eq!(told(&mut heard), ["Dns…"], "once, and at once");
        progress.dial(Seen::Addresses(Vec::new()));
        progress.set(Phase::Greeting);
        progress.hear(Phase::Greeting, Reply::bare(220, "mx"));
        progress.set(Phase::Quit);
        progress.end(Ok(()));
        let expected = ["Dns done, 1 seen", "Tcp…", "Tcp done, 0 seen", "Greeting…", "Greeting done, 1 seen"];
        assert_eq!(told(&mut heard), expected, "QUIT is no step");
    }

    #[tokio::test]
    async fn a_failure_ends_the_step_it_belongs_to() {
        let (progress, mut heard) = Progress::watched();
        progress.set(Phase::Hello);
        progress.hear(Phase::Hello, Reply::bare(250, "mx"));
        progress.end(Err(&Failure::StartTlsNotOffered { host: "h".into() }));
        let expected = ["Hello…", "Hello done, 1 seen", "StartTls…", "StartTls failed, 0 seen"];
        assert_eq!(told(&mut heard), expected);
    }

    /// With TLS 1.3 a server refuses our certificate when we think the handshake is over.
    #[tokio::test]
    async fn a_verdict_that_comes_late_is_no_success_of_the_step_under_way() {
        let (progress, mut heard) = Progress::watched();
        progress.set(Phase::Greeting);
        let problem = TlsProblem::ClientCertificateRequired;
        progress.end(Err(&Failure::Tls { host: "h".into(), port: 465, starttls: false, problem }));
        assert_eq!(told(&mut heard), ["Greeting…", "Tls failed, 0 seen"]);
    }

    #[test]
    fn unwatched_nothing_is_put_together() {
        let progress = Progress::new();
        progress.set(Phase::Auth);
        progress.see(|| unreachable!("nobody watches"));
        assert_eq!(progress.phase(), Phase::Auth);
    }
}
