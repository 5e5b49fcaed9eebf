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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn rings(alarm: &mut Alarm, until: Instant) {
        poll_fn(|cx| alarm.poll(cx, until)).await;
    }

    /// Waits for a deadline for a while, as a wait that is interrupted does.
    async fn interrupted(alarm: &mut Alarm, until: Instant, after: Duration) {
        assert!(tokio::time::timeout(after, rings(alarm, until)).await.is_err(), "too early");
    }

    #[tokio::test(start_paused = true)]
    async fn it_rings_for_the_deadline_last_asked_for_whichever_way_that_moved() {
        let (mut alarm, began) = (Alarm::default(), now());
        interrupted(&mut alarm, began + SECOND * 60, SECOND).await;
        interrupted(&mut alarm, began + SECOND * 90, SECOND * 70).await;
        rings(&mut alarm, began + SECOND * 90).await;
        assert_eq!((now() - began).as_secs(), 90, "put off");
        interrupted(&mut alarm, began + SECOND * 600, SECOND).await;
        rings(&mut alarm, began + SECOND * 100).await;
        assert_eq!((now() - began).as_secs(), 100, "brought forward");
        rings(&mut alarm, began).await;
        assert_eq!((now() - began).as_secs(), 100, "already over");
    }
}
