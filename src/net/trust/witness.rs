//! What was seen in one handshake: the chain the server presented, and whether it asked for a certificate of ours.
//!
//! rustls asks a verifier and a resolver that belong to the whole account, and forgets what was presented when it is
//! refused. Both note it here, for the handshake that is polled at that moment; outside of [`during`] nothing is kept.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::CertificateDer;

/// What the server got to see of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shown {
    /// It did not ask.
    #[default]
    NotAsked,
    /// It asked for a client certificate, and we have none to show.
    Nothing,
    /// It asked, and saw ours.
    Certificate,
}

/// What one handshake brought to light.
#[derive(Debug, Default)]
pub(in crate::net) struct Seen {
    /// Leaf first, as presented; empty when a session was resumed or it never came so far.
    pub(in crate::net) presented: Vec<CertificateDer<'static>>,
    pub(in crate::net) shown: Shown,
}

tokio::task_local! {
    static SEEN: Arc<Mutex<Seen>>;
}

/// Runs a handshake and gives what was seen in it beside its result.
pub(in crate::net) async fn during<F: Future>(handshake: F) -> (F::Output, Seen) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let output = SEEN.scope(Arc::clone(&seen), handshake).await;
    let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    (output, seen)
}

/// rustls bounds a chain: 64 KiB of certificates in one message.
pub(super) fn presents(end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) {
    let chain = std::iter::once(end_entity).chain(intermediates);
    note(|seen| seen.presented = chain.map(|certificate| certificate.clone().into_owned()).collect());
}

pub(super) fn asks(shown: Shown) {
    note(|seen| seen.shown = shown);
}

fn note(write: impl FnOnce(&mut Seen)) {
    // Outside of `during` nobody looks.
    let _ = SEEN.try_with(|seen| write(&mut seen.lock().unwrap_or_else(PoisonError::into_inner)));
}
