//! One message over one line: MAIL to the reply to the dot.
//!
//! Streams the composed message in blocks of 64 KiB from the courier's one buffer, the last one and the dot in one write;
//! where the next message waits already its envelope goes with them (RFC 2920 §3.1). Guarantees that the dot is written only with
//! the queue's permission and after the message before on this line was settled, and that what was heard becomes one
//! outcome per recipient.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::compose::{CannotCompose, Composed, Work};
use super::courier::{Courier, Task};
use super::findings::Findings;
use crate::diagnosis::{CannotCarry, Failure, Unsendable};
use crate::failpoint;
use crate::journal::Event as Happened;
use crate::mail::pieces::Cursor;
use crate::queue::{DotPermit, Lease};
use crate::smtp::client::{Event, Refused};
use crate::smtp::reply::{Refusal, Reply};
use crate::upstream::Line;
use crate::words::Phase;

/// Octets of body in one write; also the most rustls takes at once.
const BLOCK: usize = 64 * 1024;

/// How long a message waits behind a dot that is not answered, before somebody else may carry it.
const SLOW: Duration = Duration::from_secs(10);

/// How it ended.
pub(super) enum Ended {
    /// The provider answered for every recipient; the line is good.
    Answered(Findings),
    /// The connection is gone.
    Broken(Findings),
    /// The message was withdrawn in this phase.
    Withdrawn(Phase),
}

impl Ended {
    /// Whether a line that had rested, or an envelope sent `ahead`, was no good: dead at MAIL, or 421, or the sign-in
    /// forgotten, or the envelope lost by a server that does not bear it behind a dot. Nothing of the message was said
    /// then, and one fresh connection is worth it.
    pub(super) fn is_stale(&self, ahead: bool) -> bool {
        let given_up = match self.failure() {
            Some(Failure::Reply { phase: Phase::Mail, reply }) => matches!(reply.code, 421 | 530 | 535),
            Some(Failure::Closed { phase } | Failure::Io { phase, .. }) => *phase == Phase::Mail,
            _ => false,
        };
        given_up || ahead && self.lost_ahead()
    }

    /// Whether an envelope that was sent ahead was lost or misunderstood.
    pub(super) fn lost_ahead(&self) -> bool {
        match self.failure() {
            Some(Failure::Reply { phase: Phase::Mail, reply }) => reply.code == 503,
            Some(Failure::TimedOut { phase: Phase::Mail, .. }) => true,
            _ => false,
        }
    }

    fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Answered(findings) | Self::Broken(findings) => findings.failure.as_ref().map(|(failure, _)| failure),
            Self::Withdrawn(_) => None,
        }
    }
}

/// What stops an attempt before the reply to the dot.
enum Stop {
    CannotCarry(CannotCarry),
    Unsendable(Unsendable),
    Refused(Refused),
    Broken(Failure),
    Withdrawn(Phase),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Broken(failure)
    }
}

impl From<CannotCompose> for Stop {
    fn from(cannot: CannotCompose) -> Self {
        match cannot {
            CannotCompose::Read(error) => Self::Broken(unreadable(&error)),
            CannotCompose::Unsendable(why) => Self::Unsendable(why),
        }
    }
}

fn unreadable(error: &std::io::Error) -> Failure {
    Failure::Io { phase: Phase::Body, detail: format!("the spool file cannot be read: {error}") }
}

impl Courier {
    /// Carries the message of a task over this line. What waits behind its dot afterwards is in `self.ahead`.
    pub(super) async fn carry(&mut self, task: &Task, line: &mut Line) -> Ended {
        let fresh;
        let composed = if let Some(ahead) = &task.ahead {
            ahead
        } else {
            fresh = match self.compose(task, line).await {
                Ok(composed) => composed,
                Err(stop) => return self.ended(task, Err(stop), Vec::new()),
            };
            &fresh
        };
        let mut refused = Vec::new();
        let end = self.try_carry(task, composed, line, &mut refused).await;
        let mut ended = self.ended(task, end, refused);
        if let Ended::Answered(findings) = &mut ended
            && let Some(sender) = findings.sender_refused().and_then(|phase| composed.foreign.refused_at(phase))
        {
            self.desk.refuses(sender);
            findings.sender_may_change();
        }
        ended
    }

    /// Makes of the stored message what this account may send to this server.
    async fn compose(&self, task: &Task, line: &mut Line) -> Result<Composed, Stop> {
        let work =
            Work::new(&task.lease, line.client().offered(), self.desk.refused_senders(), self.desk.clock().moment());
        let desk = Arc::clone(&self.desk);
        if desk.composer.is_quick(&work) {
            return Ok(desk.composer.compose(&work)?);
        }
        match tokio::task::spawn_blocking(move || desk.composer.compose(&work)).await {
            Ok(composed) => Ok(composed?),
            // As if it had been done here: a courier that fails inside is replaced.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The program ends.
            Err(_) => Err(Stop::Withdrawn(Phase::Mail)),
        }
    }

    /// What it came to, for each recipient.
    fn ended(&self, task: &Task, end: Result<Reply, Stop>, refused: Vec<(usize, Refusal)>) -> Ended {
        let context = self.desk.upstream.settings.context();
        let all = task.lease.envelope().recipients.len();
        let failed = |refused, failure| Findings::failed(all, refused, failure, context);
        let said = |phase, reply| Failure::Reply { phase, reply };
        match end {
            Ok(reply) if reply.is_positive() => Ended::Answered(Findings::taken(all, refused, reply, context)),
            Ok(reply) => Ended::Answered(failed(refused, said(Phase::Dot, reply))),
            Err(Stop::Refused(why)) => Ended::Answered(match why {
                Refused::Mail(refusal) => failed(refused, said(Phase::Mail, refusal.into_reply())),
                Refused::Recipients(these) => Findings::refused(all, these, context),
                Refused::Data(refusal) => failed(refused, said(Phase::Data, refusal.into_reply())),
            }),
            Err(Stop::CannotCarry(why)) => Ended::Answered(failed(refused, Failure::CannotCarry(why))),
            Err(Stop::Unsendable(why)) => Ended::Answered(failed(refused, Failure::Unsendable(why))),
            Err(Stop::Broken(failure)) => Ended::Broken(failed(refused, failure)),
            Err(Stop::Withdrawn(phase)) => Ended::Withdrawn(phase),
        }
    }

    /// To the reply to the dot; the recipients that were refused on the way are noted.
    async fn try_carry(
        &mut self,
        task: &Task,
        composed: &Composed,
        line: &mut Line,
        refused: &mut Vec<(usize, Refusal)>,
    ) -> Result<Reply, Stop> {
        if task.ahead.is_none() {
            line.begin();
            line.client().transfer(composed.order.clone(), Instant::now()).map_err(Stop::CannotCarry)?;
        }
        loop {
            match wanted(&task.lease, line).await? {
                Event::Recipient { index, reply } => {
                    refused.extend(Refusal::try_from(reply).map(|refusal| (index, refusal)));
                }
                Event::Refused(why) => return Err(Stop::Refused(why)),
                Event::Go => break,
                _ => {}
            }
        }
        if !composed.changes.is_empty() {
            self.desk.journal.record(Happened::Changed { changes: &composed.changes });
        }
        self.desk.ahead().taken(line.messages());
        self.stream(task, composed, line).await?;
        self.dot_answered(line).await
    }

    /// Hands the body over, and with its last block the dot.
    async fn stream(&mut self, task: &Task, composed: &Composed, line: &mut Line) -> Result<(), Stop> {
        let (lease, body) = (&task.lease, &task.lease.message().body);
        let mut cursor = Cursor::new(&composed.pieces);
        // Inline on purpose: a hop to a blocking thread per block costs more than the read from the page cache.
        let mut read = |offset, octets: &mut [u8]| body.read_exact_at(offset, octets);
        while cursor.fill(BLOCK, &mut self.block, &mut read).map_err(|error| unreadable(&error))? {
            line.client().body(&self.block, Instant::now());
            while wanted(lease, line).await? != Event::More {}
        }
        let _permit = self.permitted(task, line).await?;
        let next = self.next_ahead(line);
        failpoint::hit("courier.before-dot");
        let now = Instant::now();
        line.client().body(&self.block, now);
        line.client().finish(now);
        if let Some((next, composed)) = next {
            if line.client().follow(composed.order.clone(), now) {
                line.begin();
                self.ahead = Some(next.sent_ahead(composed));
                failpoint::hit("courier.sent-ahead");
            } else {
                next.lease.give_back();
            }
        }
        Ok(())
    }

    /// Waits until the dot may be written: what went out before on this line is settled, and the queue permits it. Until
    /// then the message can be taken back, and the line can fail.
    async fn permitted(&mut self, task: &Task, line: &mut Line) -> Result<DotPermit, Stop> {
        let lease = &task.lease;
        let before = self.settling.done_but(lease.message().id);
        let permit = async {
            if lease.settles_alone() {
                // Both wait for the disk if at all, and together for the same commit.
                return tokio::join!(lease.permit_dot(task.id), before).0;
            }
            // Whoever waits for this one cannot have it back after the permit.
            before.await;
            lease.permit_dot(task.id).await
        };
        let mut permit = std::pin::pin!(permit);
        loop {
            tokio::select! {
                biased;
                permit = &mut permit => return permit.ok_or(Stop::Withdrawn(Phase::Body)),
                event = wanted(lease, line) => drop(event?),
            }
        }
    }

    /// Waits for the reply to the dot, but lets nobody wait behind it for too long: who stands there then goes to
    /// another courier, or comes back to this one.
    async fn dot_answered(&mut self, line: &mut Line) -> Result<Reply, Stop> {
        let mut slow = std::pin::pin!(tokio::time::sleep(SLOW));
        let mut written = false;
        loop {
            tokio::select! {
                biased;
                event = line.next() => if let Event::Finished(reply) = event? {
                    failpoint::hit("courier.dot-answered");
                    return Ok(reply);
                },
                // The line was looked at before, and has written what it could.
                () = std::future::ready(()), if !written => {
                    written = true;
                    failpoint::hit("courier.dot-written");
                }
                () = &mut slow, if self.ahead.is_some() => {
                    tracing::debug!("the reply to the end of data is slow: what waits behind it is given back");
                    self.give_back_ahead();
                    self.desk.ahead().pause(Instant::now());
                }
            }
        }
    }
}

/// What happens next, as long as the message is wanted.
async fn wanted(lease: &Lease, line: &mut Line) -> Result<Event, Stop> {
    tokio::select! {
        biased;
        event = line.next() => Ok(event?),
        () = lease.withdrawn() => Err(Stop::Withdrawn(line.client().phase())),
    }
}
