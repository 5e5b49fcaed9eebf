//! A message that was offered, seen from its device: the one answer, and what is on disk before it is heard.
//!
//! Guarantees that there is one answer whether or not anybody is left to hear it: a message that can be kept goes on
//! without its device. What the answer is, is the window's affair (`window`, `proxy`).

use std::sync::Arc;

use super::ticket::{Mode, Ticket};
use super::window::Window;
use super::{Answer, proxy};
use crate::failpoint;
use crate::journal::Event;

/// The device's side of a message that was offered. Dropped before it has answered, it goes on without the device,
/// unless the relay is a pure proxy: that takes the message back if it still can.
#[derive(Debug)]
pub struct Offer(Side);

#[derive(Debug)]
enum Side {
    Proxy(proxy::Window),
    Durable(Window),
    /// The answer was given.
    Answered(Told),
}

/// Says, when it is dropped, that the answer was written to the device's socket as far as that took it.
#[derive(Debug)]
#[must_use = "the courier's next message waits for it"]
pub struct Told(Option<Arc<Ticket>>);

impl Offer {
    pub(super) fn proxy(window: proxy::Window) -> Self {
        Self(Side::Proxy(window))
    }

    pub(super) fn durable(window: Window) -> Self {
        Self(Side::Durable(window))
    }

    /// The one answer. Cancel-safe: it may be dropped and asked again.
    pub async fn answer(&mut self) -> Answer {
        match &mut self.0 {
            Side::Proxy(window) => window.answer().await,
            Side::Durable(window) => {
                let answer = window.answer().await;
                self.0 = Side::Answered(Told(Some(Arc::clone(window.ticket()))));
                answer
            }
            // It is given once.
            Side::Answered(_) => std::future::pending().await,
        }
    }

    /// Takes the message of a pure proxy back; true if nothing of it can go out any more. One that can be kept is not
    /// taken back.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        match &self.0 {
            Side::Proxy(window) => window.fate.withdraw(),
            Side::Durable(_) | Side::Answered(_) => false,
        }
    }

    /// The answer is on its way to the device.
    pub fn into_told(mut self) -> Told {
        match std::mem::replace(&mut self.0, Side::Answered(Told(None))) {
            Side::Answered(told) => told,
            other => {
                // Asked too early: it goes on as if the device were gone.
                self.0 = other;
                Told(None)
            }
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        let Side::Durable(mut window) = std::mem::replace(&mut self.0, Side::Answered(Told(None))) else { return };
        // Outside the runtime the process ends; nothing was promised yet.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let ticket = Arc::clone(window.ticket());
        let core = Arc::clone(&ticket.core);
        core.tasks.spawn(async move {
            let answer = window.answer().await;
            let (message, device) = (ticket.message.id, &ticket.message.device);
            ticket.core.journal.record(Event::Unheard { message, device, reply: answer.reply() });
            drop(Told(Some(Arc::clone(&ticket))));
        });
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let Some(ticket) = self.0.take() else { return };
        failpoint::hit("queue.answered");
        let mut state = ticket.state();
        if state.mode != Mode::Stored {
            ticket.enter(&mut state, Mode::Answered);
        }
    }
}
