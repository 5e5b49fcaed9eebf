//! What can end a connection to a provider, in the dialogue's own words.
//!
//! Each fault knows the phase it happened in, since the phase alone decides whether the mail may have been taken
//! (only [`Phase::Dot`]). Text in it came through the redactor. What a fault means is `diagnosis`' business.

use crate::smtp::reply::Reply;
use crate::words::Phase;

/// Why the connection is of no further use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A negative reply after which nothing more can be done here, or `421` at any point (RFC 5321 §3.8).
    #[error("{phase}: {reply}")]
    Reply { phase: Phase, reply: Reply },
    /// The connection ended without a reply.
    #[error("{phase}: the server closed the connection")]
    Closed { phase: Phase },
    /// No reply in time.
    #[error("{phase}: nothing came for {seconds} seconds")]
    TimedOut { phase: Phase, seconds: u64 },
    /// What came is not a reply, or none that can stand there; the text is its beginning.
    #[error("{phase}: not an SMTP reply: {text}")]
    Garbage { phase: Phase, text: String },
    /// STARTTLS is required and was not offered.
    #[error("{host} does not offer STARTTLS")]
    StartTlsNotOffered { host: String },
    /// STARTTLS was offered and then refused.
    #[error("{host} refuses STARTTLS: {reply}")]
    StartTlsRefused { host: String, reply: Reply },
    /// Octets came in clear after the `220` to STARTTLS: someone between us and the server is writing replies.
    #[error("{host} said more in clear after its 220 to STARTTLS")]
    StartTlsInjected { host: String },
}
