//! `posthouse accounts`: how the accounts stand, and what a person must do by when.
//!
//! Asks the running relay; without one it tells what configuration and vault say, and that it is so. Changes nothing,
//! calls no provider. Prints no secret.

mod json;
mod page;
mod state;
mod table;

use std::io::IsTerminal;
use std::process::ExitCode;

use jiff::Timestamp;

use super::source::Source;
use super::sysexits::{EX_CONFIG, EX_NOPERM, EX_SOFTWARE, EX_UNAVAILABLE, EX_USAGE};
use super::{cannot_use, fail, print, runtime};
use crate::app::accounts::{self, Account};
use crate::app::control::{self, Told};
use crate::config::{self, Config, Loaded, Sources};
use crate::ids::AccountName;

pub(super) const AFTER_HELP: &str = "Examples:
  posthouse accounts           all of them, a line for each
  posthouse accounts office    everything about one
  posthouse accounts office --release   try it at once: what it was held for has been mended
  posthouse accounts --check   for monitoring: 0, or 77 if a person must do something

Exit codes:
  0   told; with --check: nobody has to do anything
  64  wrong arguments, or no such account
  69  only with --release: no relay is running, or it did not understand
  74  the output could not be written
  77  only with --check: an account is held for what a person must mend, is not signed in, or will not be for much longer
  78  the configuration is wrong

With --json one object is printed. `relay` says who told it (`version`, `pid`, `since`); it is null when no relay
answered, and `why_without_relay` then says why. `accounts` has for each: `account`, `state` (well, not_needed, held,
not_reached, not_signed_in, unusable), `needs_person`, `mailbox`, `credential`, `sign_in` (`state` and what is known of it), `token`
(`issued`, `ends`, `next_renewal`), `last_reply` (`at`, `code`, `text`), `is_renewing`, `hold` (`since`, `until`, `ends_by`:
probe, time or change, `code`, `cause`, `text`, `cure`), `budget` (`limit`, `used`, `left`, `waits_until`), `breaker`
(`since`, `until`, `code`, `text`, `cure`), `throttle` (`since`, `connections`, `connections_allowed`,
`messages_per_minute`, `paused_until`) and `warnings` (`code`, `sentence`, `cure`, `due`). Times are RFC 3339 in UTC.";

/// Flags of `posthouse accounts`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show everything about this one.
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Try this one at once, whatever it is held for; a relay must be running.
    #[arg(long, requires = "name")]
    release: bool,
    /// End with exit code 77 if a person must do something, now or soon.
    #[arg(long)]
    check: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// All that is shown.
struct Seen {
    source: Source,
    accounts: Vec<Account>,
}

pub(super) fn run(args: &Args, sources: &Sources) -> ExitCode {
    let Loaded { config, .. } = match config::load(sources) {
        Ok(loaded) => loaded,
        Err(report) => return cannot_use(&report, sources),
    };
    let seen = match runtime() {
        Ok(runtime) => runtime.block_on(async {
            release(args, &config).await?;
            look(&config).await
        }),
        Err(error) => return fail(EX_SOFTWARE, format_args!("the runtime cannot be started: {error}")),
    };
    let seen = seen.and_then(|seen| match &args.name {
        None => Ok(seen),
        Some(name) => only(seen, name),
    });
    let seen = match seen {
        Ok(seen) => seen,
        Err((code, why)) => return fail(code, why),
    };
    let now = Timestamp::now();
    let text = match (&args.name, seen.accounts.as_slice()) {
        _ if args.json => format!("{:#}\n", json::value(&seen)),
        (Some(_), [account]) => page::text(account, &seen, now),
        _ => table::text(&seen, width(), now),
    };
    let is_calm = !args.check || !seen.accounts.iter().any(state::needs_person);
    print(&text, if is_calm { 0 } else { EX_NOPERM })
}

/// Columns of the terminal, if the output goes to one.
fn width() -> Option<u16> {
    let is_terminal = std::io::stdout().is_terminal();
    terminal_size::terminal_size().filter(|_| is_terminal).map(|(terminal_size::Width(columns), _)| columns)
}

/// Has the running relay try the account, if that is asked for.
async fn release(args: &Args, config: &Config) -> Result<(), (u8, String)> {
    let Some(name) = args.name.as_ref().filter(|_| args.release) else { return Ok(()) };
    let name = AccountName::from(name.as_str());
    if !config.accounts.iter().any(|account| account.name == name) {
        // Said below, with those that are there.
        return Ok(());
    }
    match control::tell_released(&config.storage, &name).await {
        Told::Running => Ok(()),
        Told::NotRunning => Err((EX_UNAVAILABLE, "no relay is running: the next one tries the account at once".into())),
        Told::NotHeard(why) => Err((EX_UNAVAILABLE, why)),
    }
}

async fn look(config: &Config) -> Result<Seen, (u8, String)> {
    match control::accounts(&config.storage).await {
        Ok((relay, accounts)) => Ok(Seen { source: Source::Relay(relay), accounts }),
        Err(why) => {
            let accounts = accounts::of_files(config).await.map_err(|error| (EX_CONFIG, error.to_string()))?;
            Ok(Seen { source: Source::Files { why: why.to_string() }, accounts })
        }
    }
}

/// The account of this name and no other.
fn only(seen: Seen, name: &str) -> Result<Seen, (u8, String)> {
    let Seen { source, accounts } = seen;
    let names: Vec<String> = accounts.iter().map(|account| account.status.account.clone()).collect();
    let accounts: Vec<Account> = accounts.into_iter().filter(|account| account.status.account == name).collect();
    if !accounts.is_empty() {
        return Ok(Seen { source, accounts });
    }
    let whose = if matches!(source, Source::Relay(_)) { "the running relay has " } else { "there are " };
    Err((EX_USAGE, format!("there is no account `{}`; {whose}{}", name.escape_default(), names.join(", "))))
}

#[cfg(test)]
mod tests;
