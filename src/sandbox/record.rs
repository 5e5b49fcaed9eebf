//! What the sandbox saw: counters, breaches of the standards by the client, and a transcript.
//!
//! All bounded. No credential gets in here: the session hands over lines it has already made safe, and a line it does
//! not understand only as a number of octets.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::smtp::trace::Side;

/// Transcript lines and breaches kept; beyond it the oldest lines go, and further breaches are dropped.
const KEPT: usize = 10_000;
const LINE: usize = 1_000;

/// Which rule a client broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A CR or LF that is not part of CRLF (RFC 5321 §2.3.8).
    LineEnding,
    /// A command or AUTH line that is too long (RFC 5321 §4.5.3.1.4, RFC 4954 §4).
    LineLength,
    /// A line of text above 1000 octets (RFC 5321 §4.5.3.1.6).
    TextLine,
    /// A command, path or parameter the grammar does not know (RFC 5321 §4.1).
    Syntax,
    /// A command where it may not stand (RFC 5321 §4.1.4).
    Order,
    /// Commands sent ahead although PIPELINING was not offered, or behind one that must end a group (RFC 2920 §3.1).
    Pipelining,
    /// An extension or mechanism used that was not offered (RFC 5321 §2.2.1).
    NotOffered,
    /// A line that begins with a single dot and goes on (RFC 5321 §4.5.2: it must have been doubled).
    DotStuffing,
    /// Octets above 127 in a body that was not announced as 8BITMIME (RFC 6152 §3).
    EightBit,
    /// A request that the OAuth RFCs do not allow.
    OAuth,
    /// A refresh token that was presented a second time where each is good once (RFC 9700 §4.14.2).
    RefreshTokenReuse,
    /// An authorization code that was presented a second time (RFC 6749 §4.1.2).
    CodeReuse,
    /// A device that asked again before its interval was over (RFC 8628 §3.5).
    Polling,
}

/// One breach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// On which connection; counts from 1 over all SMTP ports, and 0 is the authorization server.
    pub connection: u64,
    /// What was broken.
    pub rule: Rule,
    /// How, without a credential.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}: {:?}: {}", self.connection, self.rule, self.detail)
    }
}

/// One line of the transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// On which connection; counts from 1 over all ports.
    pub connection: u64,
    /// By whom.
    pub side: Side,
    /// Printable text without a line ending.
    pub text: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = match self.side {
            Side::Client => "C:",
            Side::Server => "S:",
            Side::Note => "--",
        };
        write!(f, "{} {arrow} {}", self.connection, self.text)
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// How often things happened since the start.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        #[derive(Debug, Default)]
        pub(super) struct Counting {
            $(pub $name: AtomicU64,)*
        }

        impl Counting {
            fn read(&self) -> Counters {
                Counters { $($name: self.$name.load(Ordering::SeqCst),)* }
            }
        }
    };
}

counters! {
    /// SMTP connections accepted.
    connections,
    /// TLS handshakes of SMTP ports completed in full.
    handshakes_full,
    /// TLS handshakes of SMTP ports that resumed an earlier session.
    handshakes_resumed,
    /// TLS handshakes of SMTP ports that failed or were made to fail.
    handshakes_failed,
    /// AUTH commands with a mechanism that was offered.
    auth_attempts,
    /// Those that ended in `235`.
    auth_successes,
    /// Requests the token endpoint received.
    token_calls,
    /// Tokens it issued.
    tokens_issued,
    /// Those of them that a refresh token brought.
    tokens_renewed,
    /// Requests the revocation endpoint received.
    revocations,
    /// MAIL commands accepted.
    transactions,
    /// Ends of data behind which more had arrived before they were answered (RFC 2920 §3.1).
    sent_ahead,
}

/// Shared by all connections.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub counting: Counting,
    violations: Mutex<Vec<Violation>>,
    transcript: Mutex<VecDeque<Said>>,
}

impl Record {
    pub(super) fn counters(&self) -> Counters {
        self.counting.read()
    }

    pub(super) fn violations(&self) -> Vec<Violation> {
        lock(&self.violations).clone()
    }

    pub(super) fn transcript(&self) -> Vec<Said> {
        lock(&self.transcript).iter().cloned().collect()
    }

    pub(super) fn breach(&self, connection: u64, rule: Rule, detail: &str) {
        let mut violations = lock(&self.violations);
        if violations.len() < KEPT {
            violations.push(Violation { connection, rule, detail: printable(detail) });
        }
        drop(violations);
        self.say(connection, Side::Note, &format!("breach: {rule:?}: {detail}"));
    }

    pub(super) fn say(&self, connection: u64, side: Side, text: &str) {
        let mut transcript = lock(&self.transcript);
        if transcript.len() == KEPT {
            transcript.pop_front();
        }
        transcript.push_back(Said { connection, side, text: printable(text) });
    }
}

/// Adds one. Sequentially consistent, so that a test that saw an effect also sees the count.
pub(super) fn count(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::SeqCst) + 1
}

fn printable(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(LINE) {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
