//! A courier at work: one message after the other, over one connection that is kept warm between them.
//!
//! Guarantees that a line that had rested and is no longer good is replaced once, at once, and is no attempt; that a
//! message nobody waits for any more is not sent; that a dot is written only when what was sent before is settled, be
//! it on another line; and that it has at most one message behind the one it carries, which is in nobody's way: it takes
//! it only when no other courier of the account is free, and gives it back when the line falls.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tracing::{Instrument, Span};

use super::Couriers;
use super::attempt::Ended;
use super::compose::{Composed, Work};
use super::desk::Desk;
use super::findings::Findings;
use super::leave::Leave;
use crate::account::health::Stage;
use crate::failpoint;
use crate::ids::{AttemptId, MessageId};
use crate::journal::Event as Happened;
use crate::queue::parcel::Try;
use crate::queue::{Lease, Outcome};
use crate::upstream::{ConnectError, Line, Progress};

/// How long a sign-in may go on when the message it was for has been withdrawn.
const AFTERWARDS: Duration = Duration::from_secs(30);

/// So many messages that never came to a dot may be settled while the next is begun; then the disk is waited for.
const UNSETTLED: usize = 8;

/// One courier and what it has in its hands.
pub(super) struct Courier {
    pub desk: Arc<Desk>,
    /// Counted from 0: the last ones rest when the account is slowed down.
    number: usize,
    couriers: Couriers,
    /// The warm line, between two messages.
    line: Option<Line>,
    /// The message whose envelope went out behind the dot of the one before.
    pub ahead: Option<Task>,
    /// What went out before, on this line or one that has fallen, and is being settled.
    pub settling: Settling,
    /// A block of body; kept between messages, so that its memory is not asked for again each time.
    pub block: Vec<u8>,
}

/// What is being settled, by message, and whether it will be without the message's other parcels: a device waits for
/// all of them, and its message is settled with the last one.
#[derive(Default)]
pub(super) struct Settling(Vec<(MessageId, bool, JoinHandle<()>)>);

impl Settling {
    /// Waits for everything but the parcels of this message that wait for the next one of it. Who stops waiting has the
    /// next one wait for the same.
    pub(super) async fn done_but(&mut self, message: MessageId) {
        while let Some(next) = self.0.iter().position(|&(of, alone, _)| of != message || alone) {
            let ended = (&mut self.0[next].2).await;
            self.0.remove(next);
            // As if it had been done here: a courier that fails inside is replaced.
            if let Err(error) = ended
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }
}

/// A message to be carried.
pub(super) struct Task {
    pub lease: Lease,
    pub id: AttemptId,
    /// As it was composed when its envelope went out, if that is on the line already.
    pub ahead: Option<Composed>,
    span: Span,
}

impl Task {
    fn new(lease: Lease) -> Self {
        let (id, message) = (AttemptId::new(), lease.message());
        // Never a child of the attempt whose dot it rides behind.
        let span = tracing::info_span!(
            parent: None, "attempt", %id, account = %lease.account(), message_id = %message.id, session = %message.session
        );
        Self { lease, id, ahead: None, span }
    }

    /// Its envelope is on the line, for what was composed.
    pub(super) fn sent_ahead(self, composed: Composed) -> Self {
        Self { ahead: Some(composed), ..self }
    }
}

impl Desk {
    pub(super) async fn courier(self: Arc<Self>, number: usize, couriers: Couriers) {
        let (settling, block) = (Settling::default(), Vec::new());
        Courier { desk: self, number, couriers, line: None, ahead: None, settling, block }.work().await;
    }
}

impl Courier {
    async fn work(mut self) {
        let ending = self.couriers.ending.clone();
        while let Some(task) = ending.run_until_cancelled(self.next_task()).await {
            let span = task.span.clone();
            // On the heap: a courier that waits is small.
            let (_under_way, end) = (self.couriers.attempts.token(), self.couriers.end_of(task.lease.dot()));
            let attempt = Box::pin(self.attempt(task)).instrument(span);
            tokio::select! {
                biased;
                () = attempt => {}
                () = end => return,
            }
            self.look_at_line();
            if self.line.is_none() && self.ahead.is_none() {
                self.desk.stand_up(self.number);
            }
        }
        if let Some(idle) = self.line {
            idle.close().await;
        }
    }

    async fn next_task(&mut self) -> Task {
        if let Some(ahead) = self.ahead.take() {
            return ahead;
        }
        let (desk, number) = (&self.desk, self.number);
        loop {
            let Some(warm) = &mut self.line else { return Task::new(desk.claim(number).await) };
            tokio::select! {
                biased;
                lease = desk.claim(number) => return Task::new(lease),
                () = warm.idle() => {
                    self.block = Vec::new();
                    if let Some(old) = self.line.take() {
                        self.couriers.tasks.spawn(old.close());
                    }
                    desk.stand_up(number);
                }
            }
        }
    }

    /// The next message, if its envelope may leave behind the dot that is about to be written. One that cannot be
    /// composed at once waits for its own turn.
    pub(super) fn next_ahead(&self, line: &mut Line) -> Option<(Task, Composed)> {
        let desk = &self.desk;
        let may = line.takes_another() && desk.may_send_ahead(line.messages() + 1);
        let lease = may.then(|| desk.queue.try_claim(desk.account())).flatten()?;
        let work = Work::new(&lease, line.client().offered(), desk.refused_senders(), desk.clock().moment());
        let composed = desk.composer.is_quick(&work).then(|| desk.composer.compose(&work));
        if let Some(Ok(composed)) = composed {
            return Some((Task::new(lease), composed));
        }
        lease.give_back();
        None
    }

    /// Nothing was said of it but its envelope: anybody may carry it.
    pub(super) fn give_back_ahead(&mut self) {
        if let Some(ahead) = self.ahead.take() {
            ahead.lease.give_back();
        }
    }

    /// Carries one message. The line is in `self.line` again afterwards, if there still is one.
    async fn attempt(&mut self, task: Task) {
        let desk = Arc::clone(&self.desk);
        let _turn = if self.line.is_none() { desk.first.turn().await } else { None };
        let Some(leave) = desk.leave(task.lease.envelope().recipients.len()).await else {
            // Its lane is shut: another account has it, or it waits.
            return task.lease.give_back();
        };
        let task = match self.line.take() {
            None => task,
            Some(mut warm) => {
                let ended = self.carry(&task, &mut warm).await;
                warm.write_down(&desk.journal);
                let ahead = task.ahead.is_some();
                if !ended.is_stale(ahead) {
                    return self.conclude(task, leave, ended, warm).await;
                }
                desk.ahead().ended_at(warm.messages());
                if ahead && ended.lost_ahead() {
                    desk.ahead().pause(Instant::now());
                }
                // The provider had given the line up while it was idle, or behind the message before: not an attempt.
                tracing::debug!("the connection was no longer good, connecting anew");
                Task { ahead: None, ..task }
            }
        };
        let mut line = match self.connect(&task, &leave).await {
            Ok(Some(line)) => line,
            Ok(None) => return leave.withdrawn(),
            Err((findings, stage)) => return self.settle(task, leave, findings, stage).await,
        };
        failpoint::hit("courier.connected");
        if !task.lease.is_wanted() {
            // The device did not wait so long; the next message finds a warm line.
            self.line = Some(line);
            return leave.withdrawn();
        }
        let ended = self.carry(&task, &mut line).await;
        line.write_down(&desk.journal);
        self.conclude(task, leave, ended, line).await;
    }

    async fn conclude(&mut self, task: Task, leave: Leave, ended: Ended, line: Line) {
        match ended {
            Ended::Answered(findings) => {
                self.line = Some(line);
                self.settle(task, leave, findings, Stage::Mail).await;
            }
            Ended::Broken(findings) => {
                if self.ahead.is_some() {
                    self.desk.ahead().ended_at(line.messages());
                }
                drop(line);
                self.give_back_ahead();
                self.settle(task, leave, findings, Stage::Mail).await;
            }
            Ended::Withdrawn(phase) => {
                self.line = Some(line);
                leave.withdrawn();
                // Else its dot could not be recorded, and the queue has said so.
                if !task.lease.is_wanted() {
                    self.desk.no_answer(phase);
                }
            }
        }
    }

    /// Looks whether the line may carry another message, and says goodbye if not.
    fn look_at_line(&mut self) {
        if self.ahead.is_some() {
            return;
        }
        if let Some(line) = &mut self.line {
            // An envelope nobody wants any more may be on it.
            line.client().give_up(Instant::now());
        }
        if let Some(used) = self.line.take_if(|line| !line.is_good()) {
            self.couriers.tasks.spawn(used.close());
        }
    }

    /// Reports what came of it, and settles.
    async fn settle(&mut self, task: Task, leave: Leave, findings: Findings, stage: Stage) {
        let desk = Arc::clone(&self.desk);
        if let Some((failure, diagnosis)) = &findings.failure
            && !task.lease.knows(diagnosis)
        {
            desk.journal.record(Happened::AttemptFailed { failure, diagnosis });
        }
        leave.ended(stage, findings.failure.as_ref(), &findings.outcomes);
        let offers_dsn = |line: &mut Line| line.client().offered().is_some_and(|offered| offered.dsn);
        let dsn = self.line.as_mut().is_some_and(offers_dsn);
        let tried = findings.tried(task.id, desk.account().clone(), desk.upstream.keeper().clock().now(), dsn);
        self.end(task.lease, findings.outcomes, Some(tried)).await;
    }

    /// Ends a lease. What comes next on the line goes on meanwhile, up to its dot.
    async fn end(&mut self, lease: Lease, outcomes: Vec<Outcome>, tried: Option<Try>) {
        let (message, alone) = (lease.message().id, lease.settles_alone());
        if self.settling.0.len() >= UNSETTLED {
            self.settling.done_but(message).await;
        }
        let settling = async move {
            lease.settle(outcomes, tried).await;
            failpoint::hit("courier.settled");
        };
        let task = self.couriers.tasks.spawn(settling.in_current_span());
        self.settling.0.push((message, alone, task));
    }

    /// `Ok(None)`: it took so long that nobody waits any more, and was given up.
    async fn connect(&self, task: &Task, leave: &Leave) -> Result<Option<Line>, (Findings, Stage)> {
        let (desk, began, progress) = (&self.desk, Instant::now(), Progress::new());
        let mut connecting = std::pin::pin!(desk.upstream.connect(&progress));
        let connected = tokio::select! {
            biased;
            connected = &mut connecting => connected,
            () = task.lease.withdrawn() => {
                desk.no_answer(progress.phase());
                // The next message may still gain from it, but a courier must not be lost to a silent provider.
                match tokio::time::timeout(AFTERWARDS, connecting).await {
                    Ok(connected) => connected,
                    Err(_) => return Ok(None),
                }
            }
        };
        desk.first.worked.store(connected.is_ok(), Ordering::Release);
        match connected {
            Ok(line) => {
                leave.connected();
                let detail = desk.upstream.settings.host.as_str();
                desk.journal.record(Happened::Connected { detail, took: began.elapsed() });
                Ok(Some(line))
            }
            Err(ConnectError { failure, stage }) => {
                let all = task.lease.envelope().recipients.len();
                Err((Findings::failed(all, Vec::new(), failure, desk.upstream.settings.context()), stage))
            }
        }
    }
}

#[cfg(test)]
mod tests;
