//! One message over one line: MAIL to the reply to the dot.
//!
//! Streams the body in blocks of 64 KiB from the courier's one buffer, the last one and the dot in one write; where the
//! next message waits already its envelope goes with them (RFC 2920 §3.1). Guarantees that the dot is written only with
//! the queue's permission and after the message before on this line was settled, and that what was heard becomes one
//! outcome per recipient.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::courier::{Courier, Task};
use super::findings::Findings;
use crate::diagnosis::{CannotCarry, Failure};
use crate::failpoint;
use crate::queue::{DotPermit, Lease};
use crate::smtp::client::{Event, Order, Refused};
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
    Refused(Refused),
    Broken(Failure),
    Withdrawn(Phase),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Broken(failure)
    }
}

impl Courier {
    /// Carries the message of a task over this line. What waits behind its dot afterwards is in `self.ahead`.
    pub(super) async fn carry(&mut self, task: &Task, line: &mut Line) -> Ended {
        let mut refused = Vec::new();
        let end = self.try_carry(task, line, &mut refused).await;
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
            Err(Stop::Broken(failure)) => Ended::Broken(failed(refused, failure)),
            Err(Stop::Withdrawn(phase)) => Ended::Withdrawn(phase),
        }
    }

    /// To the reply to the dot; the recipients that were refused on the way are noted.
    async fn try_carry(
        &mut self,
        task: &Task,
        line: &mut Line,
        refused: &mut Vec<(usize, Refusal)>,
    ) -> Result<Reply, Stop> {
        if !task.ahead {
            line.begin();
            line.client().transfer(order(&task.lease), Instant::now()).map_err(Stop::CannotCarry)?;
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
        self.desk.ahead().taken(line.messages());
        self.stream(task, line).await?;
        self.dot_answered(line).await
    }

    /// Hands the body over, and with its last block the dot.
    async fn stream(&mut self, task: &Task, line: &mut Line) -> Result<(), Stop> {
        let (lease, body) = (&task.lease, &task.lease.message().body);
        let mut offset = 0;
        loop {
            // Inline on purpose: a hop to a blocking thread per block costs more than the read from the page cache.
            body.read_at(offset, BLOCK, &mut self.block).map_err(|error| Failure::Io {
                phase: Phase::Body,
                detail: format!("the spool file cannot be read: {error}"),
            })?;
            offset += self.block.len() as u64;
            if offset >= body.size() {
                break;
            }
            line.client().body(&self.block, Instant::now());
            while wanted(lease, line).await? != Event::More {}
        }
        let _permit = self.permitted(task, line).await?;
        let next = self.next_ahead(line);
        failpoint::hit("courier.before-dot");
        let now = Instant::now();
        line.client().body(&self.block, now);
        line.client().finish(now);
        if let Some(next) = next {
            if line.client().follow(order(&next.lease), now) {
                line.begin();
                self.ahead = Some(next);
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

/// The message as the client is asked to carry it.
fn order(lease: &Lease) -> Order {
    let message = lease.message();
    Order {
        envelope: Arc::clone(lease.envelope()),
        size: message.body.size(),
        eight_bit: message.eight_bit,
        utf8_header: message.eight_bit_header,
        all_or_nothing: lease.is_all_or_nothing(),
    }
}
