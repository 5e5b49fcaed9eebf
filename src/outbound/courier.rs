//! A courier at work: one message after the other, over one connection that is kept warm between them.
//!
//! Guarantees that a line that had rested and is no longer good is replaced once, at once, and is no attempt; that a
//! message nobody waits for any more is not sent; and that what it took is settled before it takes the next.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tracing::Instrument;

use super::attempt::{self, Ended};
use super::desk::Desk;
use super::{Couriers, verdict};
use super::leave::Leave;
use crate::account::health::Stage;
use crate::diagnosis::{Diagnosis, Failure, diagnose};
use crate::ids::AttemptId;
use crate::journal::Event as Happened;
use crate::queue::{Lease, Outcome};
use crate::upstream::{ConnectError, Line, Progress};

/// How long a sign-in may go on when the message it was for has been withdrawn.
const AFTERWARDS: Duration = Duration::from_secs(30);

impl Desk {
    pub(super) async fn courier(self: Arc<Self>, number: usize, couriers: Couriers) {
        let mut line: Option<Line> = None;
        while let Some(lease) = couriers.ending.run_until_cancelled(self.next_lease(number, &mut line, &couriers)).await {
            let id = AttemptId::new();
            let message = lease.message();
            let span = tracing::info_span!(
                "attempt", %id, account = %self.account(), message_id = %message.id, session = %message.session
            );
            // On the heap: a courier that waits is small.
            let attempt = Box::pin(Arc::clone(&self).attempt(lease, id, line.take())).instrument(span);
            let Some(after) = couriers.ending.run_until_cancelled(attempt).await else { return };
            line = after;
            if let Some(used) = line.take_if(|line| !line.is_good()) {
                couriers.tasks.spawn(used.close());
            }
        }
        if let Some(idle) = line {
            idle.close().await;
        }
    }

    async fn next_lease(&self, number: usize, line: &mut Option<Line>, couriers: &Couriers) -> Lease {
        loop {
            let Some(warm) = line else { return self.claim(number).await };
            tokio::select! {
                biased;
                lease = self.claim(number) => return lease,
                () = warm.idle() => {
                    if let Some(old) = line.take() {
                        couriers.tasks.spawn(old.close());
                    }
                }
            }
        }
    }

    /// Carries one message, and hands the line back if it can carry another.
    async fn attempt(self: Arc<Self>, lease: Lease, id: AttemptId, warm: Option<Line>) -> Option<Line> {
        let _turn = if warm.is_none() { self.first.turn().await } else { None };
        let leave = match self.leave(lease.envelope().recipients.len()).await {
            Ok(granted) => granted,
            Err(why) => {
                settle_all(lease, &verdict::of_closed(why)).await;
                return warm;
            }
        };
        if let Some(mut line) = warm {
            let ended = attempt::carry(&lease, id, &mut line, self.upstream.settings.context()).await;
            line.write_down(&self.journal);
            if !ended.is_stale() {
                return self.conclude(lease, leave, ended).await.then_some(line);
            }
            // The provider had given the line up while it was idle: not an attempt.
            tracing::debug!("the idle connection was no longer good, connecting anew");
        }
        let mut line = match self.connect(&lease, &leave).await {
            Ok(line) => line?,
            Err((failed, stage)) => {
                let outcome = verdict::of_failure(&failed.0, failed.1.clone());
                leave.ended(stage, Some(&failed), &vec![outcome.clone(); lease.envelope().recipients.len()]);
                settle_all(lease, &outcome).await;
                return None;
            }
        };
        if !lease.is_wanted() {
            // The device did not wait so long; the next message finds a warm line.
            leave.withdrawn();
            return Some(line);
        }
        let ended = attempt::carry(&lease, id, &mut line, self.upstream.settings.context()).await;
        line.write_down(&self.journal);
        self.conclude(lease, leave, ended).await.then_some(line)
    }

    /// Settles, and says whether the line is still of use.
    async fn conclude(&self, lease: Lease, leave: Leave, ended: Ended) -> bool {
        match ended {
            Ended::Answered(answered) => {
                if let (false, Some((failure, diagnosis))) = (answered.delivered(), answered.failure()) {
                    self.journal.record(Happened::AttemptFailed { failure, diagnosis });
                }
                let failure = answered.failure().map(|(failure, why)| (failure.clone(), why.clone()));
                let outcomes = answered.into_outcomes();
                leave.ended(Stage::Mail, failure.as_ref(), &outcomes);
                lease.settle(outcomes, None).await;
                true
            }
            Ended::Broken(failure) => {
                let diagnosis = diagnose(&failure, self.upstream.settings.context());
                self.journal.record(Happened::AttemptFailed { failure: &failure, diagnosis: &diagnosis });
                let outcome = verdict::of_failure(&failure, diagnosis.clone());
                let outcomes = vec![outcome; lease.envelope().recipients.len()];
                leave.ended(Stage::Mail, Some(&(failure, diagnosis)), &outcomes);
                lease.settle(outcomes, None).await;
                false
            }
            Ended::Withdrawn(phase) => {
                leave.withdrawn();
                self.no_answer(phase);
                false
            }
        }
    }

    /// `Ok(None)`: it took so long that nobody waits any more, and was given up.
    async fn connect(
        &self,
        lease: &Lease,
        leave: &Leave,
    ) -> Result<Option<Line>, ((Failure, Diagnosis), Stage)> {
        let (began, progress) = (Instant::now(), Progress::new());
        let mut connecting = std::pin::pin!(self.upstream.connect(&progress));
        let connected = tokio::select! {
            biased;
            connected = &mut connecting => connected,
            () = lease.withdrawn() => {
                self.no_answer(progress.phase());
                // The next message may still gain from it, but a courier must not be lost to a silent provider.
                match tokio::time::timeout(AFTERWARDS, connecting).await {
                    Ok(connected) => connected,
                    Err(_) => return Ok(None),
                }
            }
        };
        let now = Instant::now();
        self.first.worked.store(connected.is_ok(), Ordering::Release);
        match connected {
            Ok(line) => {
                leave.connected();
                let detail = self.upstream.settings.host.as_str();
                self.journal.record(Happened::Connected { detail, took: now - began });
                Ok(Some(line))
            }
            Err(ConnectError { failure, stage }) => {
                let diagnosis = diagnose(&failure, self.upstream.settings.context());
                self.journal.record(Happened::AttemptFailed { failure: &failure, diagnosis: &diagnosis });
                Err(((failure, diagnosis), stage))
            }
        }
    }
}

async fn settle_all(lease: Lease, outcome: &Outcome) {
    let outcomes = vec![outcome.clone(); lease.envelope().recipients.len()];
    lease.settle(outcomes, None).await;
}
