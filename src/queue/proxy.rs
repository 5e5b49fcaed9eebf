//! The window of a pure proxy (`queue = false`): all or nothing, nothing is kept.
//!
//! Guarantees that 250 is said only when the provider took the message for every recipient; that a refusal is given only
//! when nothing of the message can still go out, because the attempt was cancelled first; and that once the dot may be
//! on its way, the answer is the provider's or *uncertain*.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use super::fate::Fate;
use super::lanes::Lanes;
use super::{Answer, Lease, Offer, Offered, Outcome, Route};
use crate::mail::address::Address;

/// Hands a message to the first account of its first recipient; there is but one route.
pub(super) fn offer(lanes: &Arc<Lanes>, offered: Offered, until: Instant) -> Result<Offer, Box<Offered>> {
    let Some(route) = offered.routes.first().cloned().filter(|route| lanes.get(route.first()).is_some()) else {
        return Err(Box::new(offered));
    };
    let (told, hears) = oneshot::channel();
    let fate = Arc::new(Fate::default());
    let Offered { message, envelope, .. } = offered;
    let recipients = envelope.recipients.iter().map(|r| r.address.clone()).collect();
    let route = Route::only(route.first().clone());
    let lease = Lease::proxy(Arc::new(message), envelope, route, Arc::clone(&fate), told, Arc::clone(lanes));
    if let Err(nowhere) = lanes.push(lease) {
        let (lease, why) = *nowhere;
        lease.barred(why);
    }
    Ok(Offer::proxy(Window { fate, hears, until, recipients }))
}

/// The device's side of a message that is not kept. Dropping it withdraws the message if that is still possible.
#[derive(Debug)]
pub(super) struct Window {
    pub fate: Arc<Fate>,
    pub hears: oneshot::Receiver<Vec<Outcome>>,
    /// When the device waits no longer for the first octet of the dot.
    pub until: Instant,
    pub recipients: Vec<Address>,
}

impl Window {
    pub async fn answer(&mut self) -> Answer {
        let sleep = tokio::time::sleep_until(self.until.into());
        tokio::select! {
            biased;
            outcomes = &mut self.hears => return self.judge(outcomes.ok()),
            () = sleep => {}
        }
        if self.fate.withdraw() {
            return Answer::too_late();
        }
        // The dot may be on its way: only the provider's reply counts now. The client dialogue bounds this wait.
        let outcomes = (&mut self.hears).await;
        self.judge(outcomes.ok())
    }

    fn judge(&self, outcomes: Option<Vec<Outcome>>) -> Answer {
        match outcomes {
            Some(outcomes) => Answer::all_or_nothing(&outcomes, &self.recipients),
            // The courier is gone. Before the dot nothing went out; after it nobody knows.
            None if self.fate.is_committed() => Answer::uncertain(None),
            None => Answer::failed(),
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // Whether it succeeded matters to nobody any more.
        let _ = self.fate.withdraw();
    }
}
