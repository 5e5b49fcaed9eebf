//! One connection to a provider, signed in.
//!
//! Carries one message after the other and knows when it has served long enough. Errors on QUIT and close change nothing
//! (promise 6); a line that is dropped is simply cut.

use std::time::{Duration, Instant};

use super::connect::failure;
use crate::diagnosis::Failure;
use crate::journal::Journal;
use crate::net::link::Link;
use crate::smtp::Conversation;
use crate::smtp::client::{Client, Event};

/// Messages over one connection.
const MESSAGES: u32 = 100;
/// Life of a connection.
const LIFE: Duration = Duration::from_mins(5);
/// How long it may wait for the next message; providers cut idle ones not much later.
const IDLE: Duration = Duration::from_secs(20);
/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// A signed-in connection, ready for a transaction.
pub struct Line {
    link: Box<Link<Client>>,
    opened: Instant,
    messages: u32,
}

impl Line {
    pub(super) fn new(link: Link<Client>) -> Self {
        Self { link: Box::new(link), opened: Instant::now(), messages: 0 }
    }

    /// The dialogue, to give orders.
    pub fn client(&mut self) -> &mut Client {
        self.link.conversation_mut()
    }

    /// What happens next in the dialogue.
    ///
    /// # Errors
    /// When the connection is of no further use.
    pub async fn next(&mut self) -> Result<Event, Failure> {
        let phase = self.link.conversation().phase();
        match self.link.next().await {
            Ok(Event::Failed(fault)) => Err(failure(&self.link, fault)),
            Ok(event) => Ok(event),
            Err(end) => Err(Failure::Io { phase, detail: end.to_string() }),
        }
    }

    /// A message begins, or its envelope goes out behind the one before.
    pub fn begin(&mut self) {
        self.messages += 1;
    }

    /// How many messages it has carried, with the one it carries.
    #[must_use]
    pub fn messages(&self) -> u32 {
        self.messages
    }

    /// Whether it may carry another message.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.link.conversation().is_ready() && self.may_go_on()
    }

    /// Whether it may carry another message right behind the one it carries (RFC 2920).
    #[must_use]
    pub fn takes_another(&self) -> bool {
        self.may_go_on() && self.link.conversation().offered().is_some_and(|offered| offered.pipelining)
    }

    fn may_go_on(&self) -> bool {
        self.messages < MESSAGES && self.opened.elapsed() < LIFE
    }

    /// Waits while nothing is to be sent; resolves when the line is of no more use.
    pub async fn idle(&mut self) {
        tokio::select! {
            () = tokio::time::sleep(IDLE) => {}
            // Anything a provider says unasked is a goodbye.
            _ = self.link.next() => {}
        }
    }

    /// Writes what was said so far into the journal; of a message that another follows, what was said of that one.
    pub fn write_down(&mut self, journal: &Journal) {
        let trace = self.client().trace();
        if !trace.is_empty() {
            journal.transcript(&trace.take());
        }
    }

    /// Says QUIT and closes.
    pub async fn close(mut self) {
        self.client().quit(Instant::now());
        let _ = tokio::time::timeout(GOODBYE, async { while self.link.next().await.is_ok() {} }).await;
    }
}
