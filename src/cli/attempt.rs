//! What `posthouse login` and `posthouse test` share: both try accounts in front of whoever asks, beside a running
//! relay.
//!
//! The log stays out of the way of what is printed, what is risky about an account is said first, and mail and sign-ins
//! go the relay's own way. Exit codes are in [`super::exit`].

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};

use crate::account::Settings;
use crate::app::Common;
use crate::config::{Config, Finding};
use crate::diagnosis::{Diagnosis, Failure, diagnose};
use crate::journal::{Event, Journal, log};
use crate::net::ours::Bound;
use crate::smtp::client::Timeouts;
use crate::smtp::reply::Reply;

/// `wants_log`: the user asked for a log; otherwise only what is wrong is logged, beside what is printed.
pub(super) fn log(config: &Config, wants_log: bool) {
    let level = if wants_log { config.log.level } else { tracing::Level::WARN };
    log::install(&log::Settings { level, ..config.log });
}

/// A journal that begins with what is risky about these accounts.
pub(super) fn journal(accounts: &[&Settings], warnings: &[Finding]) -> Journal {
    let journal = Journal::default();
    for account in accounts {
        let key = format!("accounts.{}.", account.name);
        for risk in warnings.iter().filter(|risk| risk.key.starts_with(&key)) {
            journal.record(Event::Risk { text: &risk.one_line() });
        }
    }
    journal
}

/// What the accounts share. The relay may be running beside us: mail must not go round in a circle now either.
pub(super) fn common(config: &Config, journal: Journal, step: Duration) -> Common {
    let listeners = config.listeners.iter().flat_map(|listener| listener.bind.iter().copied());
    let ours = Arc::new(OnceLock::from(Bound::new(listeners)));
    Common { ours, ..Common::new(config, journal, Timeouts::each(step)) }
}

/// The value of `--timeout`.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text).parse().ok().filter(|seconds| (1..=600).contains(seconds));
    number.map(Duration::from_secs).ok_or_else(|| "a number of seconds from 1 to 600 is needed".into())
}

/// A failure as programs are told of it.
pub(super) fn failure(failure: &Failure, account: &Settings) -> Value {
    let Diagnosis { code, cause, sentence, cure, .. } = diagnose(failure, account.context());
    let said = match failure {
        Failure::Reply { reply, .. } | Failure::StartTlsRefused { reply, .. } => Some(reply),
        _ => None,
    };
    json!({
        "said": failure.to_string(),
        "reply": said.map(reply),
        "code": code,
        "cause": cause.name(),
        "sentence": sentence,
        "cure": cure,
    })
}

/// A provider's reply as programs are told of it.
pub(super) fn reply(Reply { code, enhanced, text }: &Reply) -> Value {
    json!({ "code": code, "enhanced": enhanced.map(|enhanced| enhanced.to_string()), "text": text })
}
