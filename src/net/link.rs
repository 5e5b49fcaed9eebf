//! Pumps octets between one connection and one dialogue, whichever side the dialogue plays.
//!
//! Guarantees: what the dialogue sends goes out in one write, before the next event is raised; nothing is read while
//! the dialogue has something to do, so a peer cannot fill our memory; a peer that stops reading is given up after a
//! fixed time; an idle link holds no buffer. Every future may be dropped at any `.await` and called again: progress is
//! kept in the link. Does not open connections and does not encrypt: for the upgrade a link is taken apart.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::AsyncWrite;

use super::alarm::{Alarm, now};
use super::stream::{Octets, Stream};
use crate::smtp::{Conversation, Output};

mod fault;
pub use fault::{End, LinkError};

/// Octets taken in ahead while the owner is busy elsewhere; after that the peer has to wait.
pub const READ_AHEAD: usize = 64 * 1024;
/// Longest time for the last octets and the TLS `close_notify` to leave.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Longest time to wait for what a peer said before it stopped taking what we write.
const LAST_WORDS_LIMIT: Duration = Duration::from_secs(1);

/// A connection and the dialogue on it.
#[derive(Debug)]
pub struct Link<C: Conversation> {
    stream: Stream,
    conversation: C,
    stage: Stage,
    outgoing: Outgoing,
    alarm: Alarm,
    patience: Duration,
    /// Octets received while the dialogue could not be asked about them (`gone`, last words): less than `READ_AHEAD`
    /// plus one read.
    ahead: usize,
}

/// What [`Link::gone`] found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// Octets that arrived since [`Link::next`] was last called: a `QUIT` sent without waiting for a reply, perhaps.
    pub unheard: usize,
    /// Set when the connection broke rather than being closed.
    pub fault: Option<LinkError>,
}

#[derive(Debug)]
enum Stage {
    /// Both directions are open.
    Open,
    /// The peer sends no more and the dialogue knows it; writing may still work.
    PeerDone,
    /// Writing failed; what the peer said before it closed may still be on its way to us.
    LastWords { fault: LinkError, until: Instant },
    /// Nothing can be read or written and the dialogue knows it; it may finish speaking, into the void.
    Broken(LinkError),
    /// The dialogue said `Close`; our side is being shut down.
    Closing { until: Instant },
    /// Done.
    Over(End),
}

#[derive(Debug)]
enum Outgoing {
    Nothing,
    /// `written < octets.0.len()`; `since` is the last moment the peer took something.
    Writing {
        octets: Octets,
        written: usize,
        since: Instant,
    },
    Flushing {
        since: Instant,
    },
}

impl<C: Conversation> Link<C> {
    /// Joins the two. `patience` is how long the peer may take nothing of what is being written.
    pub fn new(stream: Stream, conversation: C, patience: Duration) -> Self {
        Self {
            stream,
            conversation,
            stage: Stage::Open,
            outgoing: Outgoing::Nothing,
            alarm: Alarm::default(),
            patience,
            ahead: 0,
        }
    }

    /// The dialogue, to look at.
    #[must_use]
    pub fn conversation(&self) -> &C {
        &self.conversation
    }

    /// The dialogue, to answer its questions and to take its trace.
    pub fn conversation_mut(&mut self) -> &mut C {
        &mut self.conversation
    }

    /// The connection, for addresses and TLS facts.
    #[must_use]
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Why the connection broke, if it did: a dialogue that was told of the end does not know.
    #[must_use]
    pub fn fault(&self) -> Option<&LinkError> {
        match &self.stage {
            Stage::LastWords { fault, .. } | Stage::Broken(fault) | Stage::Over(End::Broken(fault)) => Some(fault),
            _ => None,
        }
    }

    /// Takes the link apart, for the TLS upgrade. Right after an event nothing is left unwritten.
    #[must_use]
    pub fn into_parts(self) -> (Stream, C) {
        (self.stream, self.conversation)
    }

    /// Writes, reads and waits until the dialogue raises an event or the connection has ended.
    ///
    /// A broken connection is told to the dialogue as `hung_up`, after it heard everything that had still arrived (a
    /// provider that closes says why in a last reply); its events come first, the end after them. Cancel-safe.
    ///
    /// # Errors
    /// The end; the same again on every later call.
    pub async fn next(&mut self) -> Result<C::Event, End> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Resolves when the peer has closed or the connection broke; meanwhile the dialogue receives what arrives, up to
    /// [`READ_AHEAD`] octets. For the time the owner waits for something else, in `select!`. Cancel-safe.
    ///
    /// Never resolves once the bound is reached, and resolves at once when the peer is known to be gone.
    pub async fn gone(&mut self) -> Gone {
        poll_fn(|cx| self.poll_gone(cx)).await
    }

    /// Hands the dialogue what has already arrived, without waiting, and says whether there was anything: this is how
    /// a client that talks before it was greeted is found out. Inside TLS nothing is ever found.
    pub fn receive_now(&mut self) -> bool {
        if !matches!(self.stage, Stage::Open) {
            return false;
        }
        let conversation = &mut self.conversation;
        match self.stream.read_now_with(|octets| pass_on(conversation, octets)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            result => self.heard(result) > 0,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<C::Event, End>> {
        loop {
            match &self.stage {
                Stage::Over(end) => return Poll::Ready(Err(end.clone())),
                Stage::Closing { until } => {
                    let until = *until;
                    ready!(self.poll_close(cx, until));
                    self.stage = Stage::Over(End::Closed);
                    continue;
                }
                Stage::LastWords { until, .. } => {
                    let until = *until;
                    ready!(self.poll_last_words(cx, until));
                }
                Stage::Open | Stage::PeerDone | Stage::Broken(_) => self.ahead = 0,
            }
            let moment = now();
            if let Err(fault) = ready!(self.poll_send(cx)) {
                self.give_up_writing(fault, moment);
                continue;
            }
            match self.conversation.poll(moment) {
                Output::Send(octets) => self.send(octets, moment),
                Output::Event(event) => return Poll::Ready(Ok(event)),
                Output::Wait(until) => ready!(self.poll_wait(cx, until)),
                Output::Close => self.close(moment),
            }
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Gone> {
        while matches!(self.stage, Stage::Open) {
            if self.ahead >= READ_AHEAD {
                return Poll::Pending;
            }
            self.ahead += ready!(self.poll_receive(cx));
        }
        Poll::Ready(Gone { unheard: self.ahead, fault: self.fault().cloned() })
    }

    fn send(&mut self, octets: Vec<u8>, moment: Instant) {
        if !octets.is_empty() && !matches!(self.stage, Stage::Broken(_)) {
            self.outgoing = Outgoing::Writing { octets: Octets(octets), written: 0, since: moment };
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        loop {
            let stream = Pin::new(&mut self.stream);
            let since = match &mut self.outgoing {
                Outgoing::Nothing => return Poll::Ready(Ok(())),
                Outgoing::Writing { octets, written, since } => match stream.poll_write(cx, &octets.0[*written..]) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.fault_of(&io::ErrorKind::WriteZero.into()))),
                    Poll::Ready(Ok(count)) => {
                        *written += count;
                        *since = now();
                        if *written == octets.0.len() {
                            self.outgoing = Outgoing::Flushing { since: *since };
                        }
                        continue;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(self.fault_of(&error))),
                    Poll::Pending => *since,
                },
                Outgoing::Flushing { since } => match stream.poll_flush(cx) {
                    Poll::Ready(Ok(())) => {
                        self.outgoing = Outgoing::Nothing;
                        continue;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(self.fault_of(&error))),
                    Poll::Pending => *since,
                },
            };
            ready!(self.alarm.poll(cx, since + self.patience));
            return Poll::Ready(Err(LinkError::Stalled { seconds: self.patience.as_secs() }));
        }
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        match &self.stage {
            Stage::Open => {
                // What arrived in time counts, even if the time is over by now.
                if self.poll_receive(cx).is_ready() { Poll::Ready(()) } else { self.alarm.poll(cx, until) }
            }
            Stage::Broken(fault) => {
                self.stage = Stage::Over(End::Broken(fault.clone()));
                Poll::Ready(())
            }
            Stage::PeerDone | Stage::LastWords { .. } | Stage::Closing { .. } | Stage::Over(_) => {
                self.alarm.poll(cx, until)
            }
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let result = ready!(self.poll_hear(cx));
        Poll::Ready(self.heard(result))
    }

    /// Reads once and passes on what came.
    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let conversation = &mut self.conversation;
        self.stream.poll_read_with(cx, |octets| pass_on(conversation, octets))
    }

    /// Takes note of one read: some octets, or the end (0), which the dialogue is told.
    fn heard(&mut self, result: io::Result<usize>) -> usize {
        match result {
            Ok(0) => self.stage = Stage::PeerDone,
            Ok(count) => return count,
            Err(error) => self.stage = Stage::Broken(self.fault_of(&error)),
        }
        self.conversation.hung_up(now());
        0
    }

    fn give_up_writing(&mut self, fault: LinkError, moment: Instant) {
        self.outgoing = Outgoing::Nothing;
        self.stage = match self.stage {
            Stage::Open => Stage::LastWords { fault, until: moment + LAST_WORDS_LIMIT },
            _ => Stage::Broken(fault),
        };
    }

    /// Lets the dialogue hear what the peer said before it closed, then that it is over.
    fn poll_last_words(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        while self.ahead < READ_AHEAD {
            match self.poll_hear(cx) {
                Poll::Ready(Ok(count)) if count > 0 => self.ahead += count,
                // An alert says why it was closed, which the failed write does not.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                    self.stage = Stage::Broken(self.fault_of(&error));
                    break;
                }
                Poll::Ready(_) => break,
                Poll::Pending => {
                    ready!(self.alarm.poll(cx, until));
                    break;
                }
            }
        }
        if let Some(fault) = self.fault().cloned() {
            self.stage = Stage::Broken(fault);
        }
        self.conversation.hung_up(now());
        Poll::Ready(())
    }

    fn fault_of(&self, error: &io::Error) -> LinkError {
        LinkError::of(error, self.stream.shown())
    }

    fn close(&mut self, moment: Instant) {
        self.stage = match &self.stage {
            Stage::Broken(fault) => Stage::Over(End::Broken(fault.clone())),
            _ => Stage::Closing { until: moment + CLOSE_LIMIT },
        };
    }

    /// Shuts our side down. What is already here is thrown away unread by the dialogue: closing a socket with octets
    /// in it makes the kernel send RST, and a peer that had not received our last line yet would lose it.
    fn poll_close(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        if Pin::new(&mut self.stream).poll_shutdown(cx).is_pending() {
            return self.alarm.poll(cx, until);
        }
        let mut thrown_away = 0;
        while thrown_away < READ_AHEAD {
            match self.stream.discard_now() {
                Ok(count) if count > 0 => thrown_away += count,
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

fn pass_on(conversation: &mut impl Conversation, octets: &[u8]) -> usize {
    if !octets.is_empty() {
        conversation.receive(octets, now());
    }
    octets.len()
}

#[cfg(test)]
mod tests;
