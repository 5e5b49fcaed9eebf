//! The questions `posthouse check` answers one at a time: where does this mail go (`--route`), who can get in
//! (`--open-relay`), with what is mail signed (`--certificates`).
//!
//! Asks the very policy and guard the relay asks. Exit codes: 0 when the mail is let in, nobody else is, or every
//! identity can sign; 78 when not, or when the configuration cannot be used; 64 when the question makes no sense.

use std::process::ExitCode;

use jiff::Timestamp;

use super::{certificates, open_relay, route};
use crate::cli::sysexits::{EX_CONFIG, EX_USAGE};
use crate::cli::{self, fail, paints};
use crate::config::{self, Config, Sources, report};

/// Flags of `posthouse check` that ask one thing.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub struct Question {
    /// Explain which account a mail goes through: from=ADDRESS, to=ADDRESS (one or more), source=ADDRESS (where the
    /// device is), device=NAME (its login), listener=NAME.
    #[arg(long, num_args = 1.., value_name = "KEY=VALUE")]
    route: Vec<String>,
    /// Show who can connect and send at each listener, and prove that nobody else can.
    #[arg(long)]
    open_relay: bool,
    /// Show the certificates that accounts sign their mail with (S/MIME), and what is wrong with them.
    #[arg(long)]
    certificates: bool,
}

/// What is printed, and whether it is good news.
pub(super) struct Answer {
    pub(super) good: bool,
    pub(super) text: String,
    pub(super) json: serde_json::Value,
}

impl Question {
    /// Answers the question, if there is one.
    #[must_use]
    pub fn answer(&self, json: bool, sources: &Sources) -> Option<ExitCode> {
        let answer: Box<dyn Fn(&Config) -> Answer> = if self.open_relay {
            Box::new(open_relay::answer)
        } else if self.certificates {
            Box::new(|config| certificates::answer(config, Timestamp::now()))
        } else if self.route.is_empty() {
            return None;
        } else {
            match route::Asked::parse(&self.route) {
                Ok(asked) => Box::new(move |config| route::answer(config, &asked)),
                Err(error) => return Some(fail(EX_USAGE, format_args!("--route: {error}"))),
            }
        };
        Some(print(&loaded(sources, answer), json))
    }
}

/// The answer, or everything that is wrong with the configuration.
fn loaded(sources: &Sources, answer: impl Fn(&Config) -> Answer) -> Answer {
    match config::load(sources) {
        Ok(loaded) => answer(&loaded.config),
        Err(report) => {
            let colours = paints(&std::io::stdout(), sources);
            let json = serde_json::json!({ "ok": false, "findings": report::json(&report.findings) });
            Answer { good: false, text: report::text(&report.findings, colours), json }
        }
    }
}

fn print(answer: &Answer, json: bool) -> ExitCode {
    let text = if json { format!("{:#}\n", answer.json) } else { answer.text.clone() };
    cli::print(&text, if answer.good { 0 } else { EX_CONFIG })
}

#[cfg(test)]
mod tests;
