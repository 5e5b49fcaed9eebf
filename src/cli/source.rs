//! Who says what a command shows: the running relay, or the files it left.
//!
//! The files do not know what only a running relay does, so a command says on whose word it speaks.

use crate::app::control::Running;

/// Who says so.
#[derive(Debug)]
pub(super) enum Source {
    /// The relay that is running.
    Relay(Running),
    /// What lies in its storage directory; why it was not the relay.
    Files { why: String },
}
