//! What the owner of a client decides: names, encryption, and how long to wait for what.
//!
//! The waits are those of RFC 5321 §4.5.3.2, each on its own, so that a test or an administrator can change one. The
//! one for the final dot must stay long: a shorter one makes duplicates.

use std::time::Duration;

/// What one connection is to be.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server's configured name, for messages.
    pub host: String,
    /// What we call ourselves: an FQDN or an address literal (RFC 5321 §4.1.4).
    pub helo_name: String,
    /// Whether to ask for TLS. `Never` where TLS is there from the first octet.
    pub starttls: StartTls,
    /// Whether AUTH will follow; then a server that only knows HELO is of no use.
    pub needs_login: bool,
    /// Whether commands are sent together where PIPELINING is offered (RFC 2920).
    pub pipelining: bool,
    /// How long to wait for what.
    pub timeouts: Timeouts,
}

/// When to say STARTTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartTls {
    /// Not at all.
    Never,
    /// When it is offered; else the dialogue goes on in clear, and the owner must not sign in.
    IfOffered,
    /// Always; a server that does not offer it is left.
    Required,
}

/// Longest waits. The defaults are the least RFC 5321 §4.5.3.2 allows, and the same 5 minutes where it names none.
///
/// The first three are for the owner to keep: they come before the dialogue, and stand here so that how long a
/// connection can take is seen in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a credential, somebody else's call for the same token included. Each call has a shorter limit of its own.
    pub credential: Duration,
    /// From the name to the TCP connection; what Postfix gives a connect.
    pub connect: Duration,
    /// For each TLS handshake.
    pub handshake: Duration,
    /// For the 220.
    pub greeting: Duration,
    /// For the reply to EHLO or HELO.
    pub hello: Duration,
    /// For the reply to STARTTLS.
    pub starttls: Duration,
    /// For each reply in an AUTH exchange.
    pub auth: Duration,
    /// For the reply to MAIL.
    pub mail: Duration,
    /// For the reply to each RCPT.
    pub rcpt: Duration,
    /// For the 354.
    pub data: Duration,
    /// For each chunk of the body to be written.
    pub block: Duration,
    /// For the reply to the dot. Shorter makes duplicates.
    pub final_dot: Duration,
    /// For the reply to QUIT.
    pub quit: Duration,
}

impl Timeouts {
    /// The same for every step, for somebody who waits in front of a screen. The reply to the dot may take twice as
    /// long: many providers look at the whole message before they give it.
    #[must_use]
    pub fn each(limit: Duration) -> Self {
        Self {
            credential: limit,
            connect: limit,
            handshake: limit,
            greeting: limit,
            hello: limit,
            starttls: limit,
            auth: limit,
            mail: limit,
            rcpt: limit,
            data: limit,
            block: limit,
            final_dot: limit * 2,
            quit: Self::default().quit,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        let five_minutes = Duration::from_mins(5);
        Self {
            credential: five_minutes,
            connect: Duration::from_secs(30),
            handshake: Duration::from_secs(30),
            greeting: five_minutes,
            hello: five_minutes,
            starttls: five_minutes,
            auth: five_minutes,
            mail: five_minutes,
            rcpt: five_minutes,
            data: Duration::from_mins(2),
            block: Duration::from_mins(3),
            final_dot: Duration::from_mins(10),
            quit: Duration::from_secs(5),
        }
    }
}
