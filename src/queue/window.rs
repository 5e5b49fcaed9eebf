//! The window of a message that can be kept: what its device hears, and what is on disk before it hears that.
//!
//! Guarantees that 250 is said only when the provider has the message for every recipient, or the store has what is
//! still owed together with the notice for those who will never get it; and that a negative answer is given only when
//! nothing of the message can still go out. Every wait in here may be dropped and taken up again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::answer::Tally;
use super::parcel::Parcel;
use super::part::{Part, Settled, Stage as Way};
use super::row::Row;
use super::store::Change;
use super::ticket::{Mode, State, Ticket};
use super::{Answer, Route};
use crate::disk::durable::{Durable, NotStored};
use crate::failpoint;
use crate::journal::{Event, Standing};
use crate::mail::envelope::Notify;

/// How long a courier whose part of a message has gone out waits for the other parts: then the message is stored, so
/// that a slow account does not keep the couriers of another (promise 10).
const FOR_OTHERS: Duration = Duration::from_secs(1);

/// The window.
#[derive(Debug)]
pub(super) struct Window {
    ticket: Arc<Ticket>,
    /// When the device waits no longer.
    until: Instant,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// For outcomes, or for the end of the window.
    Waiting,
    /// For the commit.
    Storing { durable: Durable, plan: Box<Plan> },
    /// It cannot be stored: for the replies to the dots that were permitted.
    Cancelled,
}

/// What the commit under way means.
#[derive(Debug)]
struct Plan {
    /// Parcels that a courier has in hand, and whose they are.
    in_hand: Vec<(usize, Parcel)>,
    /// What the device hears when it succeeds.
    answer: Answer,
    tally: Tally,
    /// Why it is not with the provider.
    why: Option<String>,
    /// What is to be said of those who could not be told.
    alert: Option<String>,
    /// A notice is among it.
    tells: bool,
}

impl Window {
    pub fn new(ticket: Arc<Ticket>, until: std::time::Instant) -> Self {
        Self { ticket, until: until.into(), stage: Stage::Waiting }
    }

    pub fn ticket(&self) -> &Arc<Ticket> {
        &self.ticket
    }

    /// The one answer.
    pub async fn answer(&mut self) -> Answer {
        let answer = loop {
            match &mut self.stage {
                Stage::Waiting => {
                    self.over().await;
                    if let Some(answer) = self.conclude() {
                        break answer;
                    }
                }
                Stage::Storing { durable, .. } => {
                    let stored = durable.await;
                    let Stage::Storing { plan, .. } = std::mem::replace(&mut self.stage, Stage::Cancelled) else {
                        continue;
                    };
                    match stored {
                        Ok(()) => break self.stored(*plan),
                        Err(problem) => self.cancel(&plan, &problem),
                    }
                }
                Stage::Cancelled => {
                    self.dots_answered().await;
                    break self.unstored();
                }
            }
        };
        failpoint::hit("queue.before-answer");
        answer
    }

    /// Resolves when all recipients are settled, or nobody waits any longer.
    async fn over(&self) {
        let ticket = &self.ticket;
        loop {
            let until = {
                let state = ticket.state();
                if !state.parts.iter().any(Part::is_open) {
                    return;
                }
                let others = state.out_since.map(|since| since + FOR_OTHERS);
                others.map_or(self.until, |others| others.min(self.until))
            };
            tokio::select! {
                biased;
                () = ticket.news.notified() => {}
                () = ticket.core.ending.cancelled() => return,
                () = tokio::time::sleep_until(until) => return,
            }
        }
    }

    /// The row of the table. `None`: something is to be stored first, and is on its way to the disk.
    fn conclude(&mut self) -> Option<Answer> {
        let ticket = Arc::clone(&self.ticket);
        let mut state = ticket.state();
        let tally = tally(&state);
        let nothing_owed = tally.open + tally.uncertain == 0;
        if nothing_owed && tally.delivered == 0 {
            return Some(Answer::never(&state.parts.iter().flat_map(Part::outcomes).collect::<Vec<_>>()));
        }
        if nothing_owed && tally.never == 0 && !asks_for_success(&state) {
            return Some(Answer::delivered(state.parts.iter().flat_map(Part::outcomes)));
        }
        let answer = match (nothing_owed, tally.never) {
            (false, _) => Answer::queued(ticket.message.id),
            (true, 0) => Answer::delivered(state.parts.iter().flat_map(Part::outcomes)),
            (true, _) => Answer::partly_delivered(state.parts.iter().flat_map(Part::outcomes)),
        };
        let dot = state.parts.iter().any(|part| matches!(part.stage, Way::Dot { .. }));
        if !nothing_owed && tally.delivered + tally.uncertain == 0 && !dot && !self.has_room() {
            ticket.enter(&mut state, Mode::Cancelled);
            self.stage = Stage::Cancelled;
            return None;
        }
        let why = (!nothing_owed).then(|| self.why(&state));
        let (changes, in_hand, alert) = self.changes(&mut state);
        if changes.is_empty() {
            ticket.core.alert(&ticket.message, alert.as_ref());
            return Some(answer);
        }
        ticket.enter(&mut state, Mode::Storing);
        failpoint::hit("queue.before-store");
        let tells = matches!(changes.first(), Some(Change::Store(message, _)) if message.id != ticket.message.id);
        let plan = Box::new(Plan { in_hand, answer, tally, why, alert, tells });
        self.stage = Stage::Storing { durable: self.commit(changes), plan };
        None
    }

    /// Whether the queue may grow by this message: devices need not say a size at MAIL.
    fn has_room(&self) -> bool {
        let message = &self.ticket.message;
        self.ticket.core.room_for(message.body.size(), &message.device).is_ok()
    }

    /// What is owed, as it stands now, and who is to be told what. What waits for a courier is the store's from now on;
    /// what a courier has in hand stays there.
    fn changes(&self, state: &mut State) -> (Vec<Change>, Vec<(usize, Parcel)>, Option<String>) {
        let (core, message) = (&self.ticket.core, &self.ticket.message);
        let (mut parcels, mut in_hand, mut settled) = (Vec::new(), Vec::new(), Vec::new());
        for (number, part) in state.parts.iter_mut().enumerate() {
            let parcel = part.as_parcel(message.id, number, core.clock.now());
            match &part.stage {
                Way::Settled(Settled { account, outcomes, tried }) => {
                    settled.push(core.settle(parcel, message.arrived, account, outcomes, tried.clone()));
                    continue;
                }
                Way::Out | Way::Dot { .. } => {
                    // It was nobody's before: its number is new.
                    let _ = core.out.take(parcel.id);
                    in_hand.push((number, parcel.clone()));
                }
                Way::Waiting | Way::Barred { .. } => part.stage = Way::Left,
                Way::Late(_) | Way::Recording | Way::Row(_) | Way::Left => continue,
            }
            parcels.push(parcel);
        }
        let ended: Vec<_> =
            settled.iter().flat_map(|s| s.finished.iter().map(|&i| (&s.parcel, &s.parcel.recipients[i]))).collect();
        let kept = !parcels.is_empty() || settled.iter().any(|s| !s.is_finished);
        let told = core.tell(message, &ended, kept);
        let mut changes: Vec<_> = told.notice.map(|(notice, to)| Change::Store(notice, to)).into_iter().collect();
        parcels.extend(settled.into_iter().filter(|s| !s.is_finished).map(|s| s.parcel));
        if !parcels.is_empty() {
            changes.push(Change::Store(Arc::clone(message), parcels));
        }
        (changes, in_hand, told.alert)
    }

    fn commit(&self, changes: Vec<Change>) -> Durable {
        let store = Arc::clone(&self.ticket.core.store);
        if failpoint::defect("answer-before-commit") {
            let (kept, promised) = Durable::promise();
            let _ = kept.send(Ok(()));
            self.ticket.core.tasks.spawn(async move {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                let _ = store.commit(changes).await;
            });
            return promised;
        }
        store.commit(changes)
    }

    /// It lies in the store: leases still out are the store's from now on, and what came meanwhile is applied.
    fn stored(&self, plan: Plan) -> Answer {
        failpoint::hit("queue.stored");
        let (ticket, core) = (&self.ticket, &self.ticket.core);
        // Dropped without the lock: a row that ends looks for the next one.
        let mut given_back = Vec::new();
        let mut routes: Vec<Route> = Vec::new();
        {
            let mut state = ticket.state();
            for (number, parcel) in plan.in_hand {
                let row = Arc::new(Row::new(Arc::clone(core), Arc::clone(&ticket.message), parcel));
                let way = &mut state.parts[number].stage;
                match std::mem::replace(way, Way::Left) {
                    Way::Out | Way::Dot { .. } => *way = Way::Row(row),
                    Way::Late(late) => {
                        *way = Way::Recording;
                        ticket.record_late(number, row, late);
                    }
                    _ => given_back.push(row),
                }
            }
            for part in &mut state.parts {
                if matches!(part.stage, Way::Settled(_) | Way::Barred { .. }) {
                    part.stage = Way::Left;
                }
                if !routes.contains(&part.route) {
                    routes.push(part.route.clone());
                }
            }
            ticket.enter(&mut state, Mode::Stored);
        }
        core.alert(&ticket.message, plan.alert.as_ref());
        if let Some(why) = &plan.why {
            let Tally { delivered, never, uncertain, open } = plan.tally;
            let standing = Standing { delivered, never, open: open + uncertain, next: None };
            core.journal.record(Event::Queued {
                message: ticket.message.id,
                device: &ticket.message.device,
                standing,
                why,
            });
        }
        drop(given_back);
        for route in &routes {
            core.look(route);
        }
        // An uncertain attempt has left its parcel another route.
        if plan.tells || plan.tally.uncertain > 0 {
            core.lanes.look_everywhere();
        }
        plan.answer
    }

    /// It cannot be stored: no dot is permitted from now on.
    fn cancel(&self, plan: &Plan, problem: &NotStored) {
        let ticket = &self.ticket;
        ticket.core.journal.record(Event::NotStored { message: ticket.message.id, problem });
        let mut state = ticket.state();
        for (number, parcel) in &plan.in_hand {
            ticket.core.out.back(parcel.id);
            let way = &mut state.parts[*number].stage;
            *way = match std::mem::replace(way, Way::Left) {
                Way::Late(settled) => Way::Settled(settled),
                other => other,
            };
        }
        ticket.enter(&mut state, Mode::Cancelled);
    }

    /// Resolves when no dot is without its reply. The client dialogue bounds this wait.
    async fn dots_answered(&self) {
        let is_dot = |part: &Part| matches!(part.stage, Way::Dot { .. });
        while self.ticket.state().parts.iter().any(is_dot) {
            self.ticket.news.notified().await;
        }
    }

    /// The last rows of the table: nothing can be stored, and nothing more can go out.
    fn unstored(&self) -> Answer {
        let state = self.ticket.state();
        let tally = tally(&state);
        if tally.delivered == tally.all() {
            return Answer::delivered(state.parts.iter().flat_map(Part::outcomes));
        }
        if tally.never == tally.all() {
            return Answer::never(&state.parts.iter().flat_map(Part::outcomes).collect::<Vec<_>>());
        }
        if tally.delivered > 0 {
            let (message, delivered, all) = (self.ticket.message.id, tally.delivered, tally.all());
            self.ticket.core.journal.record(Event::PartlyDelivered { message, delivered, all });
            return Answer::partly_delivered_and_lost();
        }
        if tally.uncertain > 0 { Answer::uncertain(None) } else { Answer::not_stored() }
    }

    /// Why the provider does not have it yet.
    fn why(&self, state: &State) -> String {
        let said = |part: &Part| match &part.stage {
            Way::Barred { why } => Some(why.sentence.to_string()),
            _ => part.outcomes().find_map(|(_, outcome)| Some(outcome?.diagnosis()?.sentence.to_string())),
        };
        state.parts.iter().find_map(said).unwrap_or_else(|| {
            let over = if self.ticket.core.ending.is_cancelled() {
                "the relay ends"
            } else {
                "the time its device waits is over"
            };
            over.to_owned()
        })
    }
}

fn tally(state: &State) -> Tally {
    Tally::of(state.parts.iter().flat_map(Part::outcomes).map(|(_, outcome)| outcome))
}

/// Whether somebody is to be told that it arrived (RFC 3461 §4.1), which the provider may leave to us.
fn asks_for_success(state: &State) -> bool {
    let mut recipients = state.parts.iter().flat_map(|part| &part.envelope.recipients);
    recipients.any(|recipient| matches!(recipient.notify, Some(Notify::On { success: true, .. })))
}

#[cfg(test)]
mod tests;
