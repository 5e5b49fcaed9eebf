//! `posthouse serve`: runs the relay until it is told to end.
//!
//! SIGTERM and SIGINT end it within `delivery.shutdown_grace`. Everything that is wrong with the configuration is said
//! at once, risks are shouted at every start.

use std::process::ExitCode;

use super::sysexits::{EX_CANTCREAT, EX_CONFIG, EX_SOFTWARE, EX_TEMPFAIL, EX_UNAVAILABLE};
use super::{cannot_use, fail, runtime};
use crate::app::{self, StartError};
use crate::config::{self, Sources};
use crate::disk::OwnershipError;
use crate::journal::{Event, Journal, log};
use crate::smtp::client::Timeouts;

pub(super) fn run(sources: &Sources) -> ExitCode {
    let loaded = match config::load(sources) {
        Ok(loaded) => loaded,
        Err(report) => return cannot_use(&report, sources),
    };
    log::install(&loaded.config.log);
    let origin = loaded.origin.as_ref().map(|path| path.display().to_string());
    tracing::info!("configuration from {}", origin.as_deref().unwrap_or("environment variables"));
    for note in &loaded.notes {
        tracing::info!("{note}");
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(EX_SOFTWARE, format_args!("the runtime cannot be started: {error}")),
    };
    let journal = Journal::default();
    for risk in &loaded.warnings {
        journal.record(Event::Risk { text: &risk.one_line() });
    }
    let result = runtime.block_on(async {
        let relay = app::start(&loaded.config, journal, Timeouts::default())?;
        told_to_end().await;
        tracing::info!("ending");
        relay.shut_down().await;
        Ok::<_, StartError>(())
    });
    // A name lookup or a password file that hangs must not keep the process.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(exit_code(&error), error),
    }
}

fn exit_code(error: &StartError) -> u8 {
    match error {
        StartError::Bind { .. } => EX_UNAVAILABLE,
        StartError::Ownership(OwnershipError::Taken { .. }) => EX_TEMPFAIL,
        StartError::Ownership(_) | StartError::Queue(_) | StartError::Unknown(_) => EX_CANTCREAT,
        _ => EX_CONFIG,
    }
}

/// Resolves at SIGTERM or SIGINT.
pub(super) async fn told_to_end() {
    // Without a handler for one of them the other still works, and the default action of the first is to end.
    let interrupt = tokio::signal::ctrl_c();
    match app::terminate_signal() {
        Some(mut terminate) => tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        },
        None => drop(interrupt.await),
    }
}
