//! What a command that may have renewed a sign-in does before it ends: it hears the provider out.
//!
//! A renewal that is cut off costs the sign-in, because many providers take a refresh token once only: the old one has
//! ended, and the new one was lost with the process. A command that lost its patience, or a Ctrl-C, ends the command
//! and not the call, which has a deadline of its own; who tells it again cuts that, too.

use std::future::Future;

use tokio_util::task::TaskTracker;

use super::serve::told_to_end;

/// As a shell says it of a program that Ctrl-C has ended.
pub(super) const INTERRUPTED: u8 = 128 + 2;

/// Runs a command to its end, and then waits for the renewals it has begun; nothing if somebody has ended it before.
pub(super) async fn hear_out<T>(renewals: &TaskTracker, command: impl Future<Output = T>) -> Option<T> {
    let ended = tokio::select! {
        ended = command => Some(ended),
        () = told_to_end() => None,
    };
    renewals.close();
    if !renewals.is_empty() {
        eprintln!("posthouse: a sign-in is being renewed; waiting for the provider's answer, which must not be lost");
        tokio::select! {
            () = renewals.wait() => {}
            () = told_to_end() => {}
        }
    }
    ended
}
