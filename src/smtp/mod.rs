//! The language of SMTP and both of its dialogues, without a socket, a clock or a file.
//!
//! [`server::Server`] speaks to devices, [`client::Client`] to providers. Both are state machines driven through
//! [`Conversation`]: bytes and the time go in, [`Output`] comes out. Guarantees one reply per command, in order, and
//! replies gathered until the machine would wait (which is RFC 2920 batching). Knows nothing of accounts or policy:
//! it asks, through its events.

pub mod body;
pub mod client;
pub mod command;
pub mod extension;
pub mod line;
pub mod quirk;
pub mod reply;
pub mod sasl;
pub mod server;
pub mod trace;

use std::time::Instant;

/// What a dialogue wants next.
#[derive(Debug)]
pub enum Output<E> {
    /// Write these octets, all of them, in one write if possible.
    Send(Vec<u8>),
    /// Something happened that the owner of the dialogue should know or answer.
    Event(E),
    /// Nothing to do until octets arrive or this moment passes.
    Wait(Instant),
    /// Close the connection; what has not been read stays unread.
    Close,
}

/// One side of an SMTP dialogue, so that one link can pump both sides.
///
/// Calling order: `poll` until it says `Wait`; then `receive`, or `hung_up` when the peer closed, or simply `poll`
/// again when the moment has passed; and so on until `Close`. After `Close` every call is allowed and does nothing.
pub trait Conversation {
    /// What happens in this dialogue.
    type Event;

    /// Octets from the peer, cut anywhere. The result does not depend on where they are cut.
    fn receive(&mut self, octets: &[u8], now: Instant);

    /// The peer will send no more.
    fn hung_up(&mut self, now: Instant);

    /// What to do next. Everything that is to be sent comes out before the `Wait` that follows it, in one piece.
    fn poll(&mut self, now: Instant) -> Output<Self::Event>;

    /// The lines said so far and not yet taken; see [`trace::Trace`].
    fn trace(&mut self) -> &mut trace::Trace;
}
