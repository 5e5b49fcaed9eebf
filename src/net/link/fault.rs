//! How a link ends, and what that means for whoever was waiting on it.
//!
//! Texts hold what the operating system or rustls said, never octets of the connection.

use std::io;

use crate::diagnosis::TlsProblem;
use crate::net::tls::problem;
use crate::net::trust::Shown;

/// How a link ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// The dialogue closed it.
    #[error("the dialogue closed the connection")]
    Closed,
    /// The connection broke.
    #[error(transparent)]
    Broken(#[from] LinkError),
}

/// Why a connection broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// RST, or a write after the other side had closed.
    #[error("the other side cut the connection")]
    Cut,
    /// The other side took nothing for the write deadline.
    #[error("the other side read nothing for {seconds} s")]
    Stalled { seconds: u64 },
    /// A record that cannot be decrypted, an alert.
    #[error("TLS failed: {problem}")]
    Tls { problem: TlsProblem },
    /// Anything else the operating system reports.
    #[error("{detail}")]
    Io { kind: io::ErrorKind, detail: String },
}

impl LinkError {
    /// What the operating system or rustls reports; `shown` is what the other side saw of us in the handshake.
    pub(super) fn of(error: &io::Error, shown: Shown) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected => Self::Cut,
            io::ErrorKind::InvalidData => Self::Tls { problem: problem::of(error, shown) },
            kind => Self::Io { kind, detail: error.to_string() },
        }
    }
}
