//! A timer that costs next to nothing while it keeps being put off.
//!
//! Waiting times move forward with every line that is spoken. Instead of telling the runtime's timer wheel each time,
//! an alarm set too early is left to ring and only then set anew. Never rings late; a spurious wake-up is possible.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};

/// One timer, used for one deadline after the other. Holds no memory until it is first needed.
#[derive(Debug, Default)]
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready once `until` has passed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let until = tokio::time::Instant::from_std(until);
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() > until {
            sleep.as_mut().reset(until);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= until {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(until);
        }
    }
}

/// The runtime's time, which a test may hold still, in the form the dialogues take.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
