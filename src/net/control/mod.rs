//! The running relay's ear for its own machine: HTTP/1.1 on the Unix socket `control.sock`, both ends.
//!
//! [`Door`] is the relay's end and opens only for the [`crate::disk::Ownership`] of the storage directory; [`ask`]
//! is the end of the commands. Guarantees that only the relay's own user and root are heard, that a command talks to
//! nobody but the directory's own relay, that every request, answer and connection is bounded in size, number and
//! time, and that mail does not notice any of it. What is asked and answered is for whoever brings the routes.

#[cfg(unix)]
mod client;
#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod server;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::StatusCode;

#[cfg(unix)]
pub use client::{ask, tell};
#[cfg(not(unix))]
pub use elsewhere::{Door, ask, tell};
pub use hyper::Method;
#[cfg(unix)]
pub use server::Door;

/// How long a connection may last at the relay's end, however slow its peer is.
pub const LONGEST_CONNECTION: Duration = Duration::from_secs(30);

/// How long a command waits for its answer: a relay that is busy with mail still answers at once.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Octets of a request's body, and of everything before it.
pub const LONGEST_REQUEST: usize = 64 * 1024;

/// Octets of an answer: some hundred accounts at length, or a message with some ten thousand recipients.
pub const LONGEST_ANSWER: usize = 16 * 1024 * 1024;

/// Where the relay that owns this directory can be asked.
#[must_use]
pub fn socket(directory: &Path) -> PathBuf {
    directory.join("control.sock")
}

/// Why the relay cannot be asked by commands; mail goes on without.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The kernel's limit is 107 octets on Linux and 103 elsewhere (`sun_path`).
    #[error(
        "the path {} is too long for a socket; a `storage.directory` with a path of at most 90 octets has room for it",
        path.display()
    )]
    PathTooLong {
        /// The socket.
        path: PathBuf,
    },
    /// Anything else.
    #[error(
        "the socket {} cannot be opened: {source}; its directory must be writable and on a file system that knows sockets",
        path.display()
    )]
    Other {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What the relay answered.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// Who answered, `posthouse/1.2.3`.
    pub server: String,
    /// JSON, by the routes there are today.
    pub body: Vec<u8>,
}

/// Why there is no answer; each text says what to do where there is something to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("no relay is running on {}", directory.display())]
    NotRunning {
        /// The storage directory.
        directory: PathBuf,
    },
    /// The socket is not for this user.
    #[error(
        "{} answers only the user the relay runs as, and root; run this command as one of them, with sudo for instance",
        path.display()
    )]
    NotAllowed {
        /// The socket.
        path: PathBuf,
    },
    /// Somebody else has put a socket there.
    #[error(
        "{} belongs to user id {uid}, who is neither the owner of the directory nor this user; nothing was said to it; let nobody else write to `storage.directory`",
        path.display()
    )]
    Stranger {
        /// The socket.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// There is a relay, or what is left of one.
    #[error("the relay does not answer at {}: {detail}", path.display())]
    Silent {
        /// The socket.
        path: PathBuf,
        /// What happened instead.
        detail: String,
    },
}

#[cfg(all(test, unix))]
mod tests;
