//! The practice provider, proved by a client that knows nothing of the relay: raw sockets, raw TLS, lines as text.
//!
//! What other tests lean on is shown here: sign-in really refuses, each fault does what it says, each certificate
//! fails the way it should, and every breach of the standards by a client is seen.

mod assertions;
mod authorize;
mod certificates;
mod client;
mod device;
mod faults;
mod life;
mod refresh;
mod signin;
mod strictness;
mod token;
mod web;

use posthouse::sandbox::{Offer, Rule, Sandbox, Settings};

/// A sandbox with the default settings.
async fn sandbox() -> Sandbox {
    Sandbox::start(Settings::new().unwrap()).await.unwrap()
}

/// A sandbox that takes mail without sign-in and shows what the test wants.
async fn open_sandbox(offer: Offer) -> Sandbox {
    let settings = Settings { require_auth: false, offer, ..Settings::new().unwrap() };
    Sandbox::start(settings).await.unwrap()
}

/// Which rules were broken, in order.
fn broken(sandbox: &Sandbox) -> Vec<Rule> {
    sandbox.violations().into_iter().map(|v| v.rule).collect()
}
