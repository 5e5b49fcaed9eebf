//! The server dialogue's terms with its owner: what is set, what is asked, what is told.
//!
//! Plain types. Questions are `#[must_use]` and stand where they are asked (`login`, `transaction`, `receiving`); this
//! file names them as events.

use std::time::Duration;

use super::{EndOfData, Intruder, LoginQuestion, RecipientQuestion, SenderQuestion};
use crate::mail::envelope::Envelope;
use crate::smtp::body::Summary;
use crate::smtp::quirk::Quirk;
use crate::smtp::reply::Refusal;

/// What a listener decides for all of its sessions.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Our name in the greeting and in EHLO.
    pub hostname: String,
    /// Whether STARTTLS is offered.
    pub starttls: bool,
    /// Whether DSN is offered (RFC 3461): a report goes to the sender who asks for one. Its parameters are read and passed
    /// on in any case.
    pub dsn: bool,
    /// Whether AUTH is offered, and needed.
    pub auth: Auth,
    /// Largest body, octets; offered as SIZE.
    pub max_size: u64,
    /// Most recipients of one message.
    pub max_recipients: usize,
    /// How line endings are read.
    pub line_endings: LineEndings,
    /// Silence allowed, measured per complete line.
    pub idle: Duration,
    /// Octets a second a body must keep up on average, beyond `idle`.
    pub minimum_rate: u64,
}

/// Whether a device signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Not offered.
    Off,
    /// Offered, and every login succeeds: some devices insist on one.
    AcceptAny,
    /// Offered.
    Optional,
    /// MAIL is refused without it.
    Required,
}

/// `line_endings = …` of a listener (promise 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEndings {
    /// LF sessions are recognised.
    Auto,
    /// CRLF only, in commands too.
    Strict,
    /// A bare LF or CR in a body is refused with 550 5.6.11 after the true end.
    Reject,
}

/// What holds for one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Security {
    /// TLS is active.
    pub tls: bool,
    /// AUTH may be used without TLS: the peer is on loopback, or the listener says so.
    pub auth_in_clear: bool,
    /// Random, of this connection alone: makes its challenges ones that nobody was asked before or can foresee.
    pub nonce: u128,
}

/// What a device called itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// As given; never validated and never passed on.
    pub name: String,
    /// EHLO rather than HELO.
    pub esmtp: bool,
}

/// What happens in the dialogue.
#[derive(Debug)]
pub enum Event {
    /// A liberty was taken, or a mistake refused, the first time in this session.
    Quirk(Quirk),
    /// The peer does not speak SMTP; it has been told so and the connection is about to close.
    Intruder(Intruder),
    /// May this login in?
    Login(LoginQuestion),
    /// May this sender send?
    Sender(SenderQuestion),
    /// May this recipient receive?
    Recipient(RecipientQuestion),
    /// DATA was accepted; body octets follow.
    Message(Box<Envelope>, Hello),
    /// Body octets: unstuffed, with CRLF line endings.
    Body(Vec<u8>),
    /// The end of data: what becomes of the message?
    End(EndOfData),
    /// The dialogue itself refused the message at its end.
    Refused(Refusal, Summary),
    /// The message did not end: the peer fell silent or was too slow. What had come shows its line endings.
    Unfinished(Summary),
    /// `220` to STARTTLS has been written: do the handshake, then call [`super::Server::secured`].
    Upgrade,
    /// The dialogue ends for this reason, named for the log.
    Ended(Ending),
}

/// Why a dialogue ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// QUIT.
    Quit,
    /// The peer closed the connection.
    HungUp,
    /// No complete line, or not enough of a body, in time.
    TimedOut,
    /// Ten bad commands in a row.
    BadCommands,
    /// Three failed logins.
    FailedLogins,
    /// More octets than anyone may send while waiting for a delayed reply.
    Flood,
    /// The relay itself: shutdown, or room for someone else.
    Dismissed,
    /// The peer does not speak SMTP.
    Intruder,
    /// A message came although DATA was refused.
    UnwantedBody,
}
