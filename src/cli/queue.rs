//! `posthouse queue`: what waits, why, and what a person may do with it.
//!
//! Asks the running relay; without one it takes the storage directory itself for as long as it needs, so that nothing
//! is read or changed behind anybody's back. Nothing is removed without a reason and a yes.

mod act;
mod clerk;
mod export;
mod json;
mod list;
mod show;
mod which;
mod words;

use std::io::IsTerminal;
use std::process::ExitCode;

use super::sysexits::{EX_NOPERM, EX_TEMPFAIL, EX_USAGE};
use super::{ConfigFile, at_work, fail, print};
use crate::config::Sources;
use clerk::Clerk;
use which::{Only, Which};

pub(super) const AFTER_HELP: &str = "Examples:
  posthouse queue                              what waits, the oldest first
  posthouse queue list --held --account office
  posthouse queue show 9f3a21c0b7              everything about one: the last digits of its id are enough
  posthouse queue retry --to @example.com      try these at once
  posthouse queue remove 9f3a21c0b7 --reason \"sent by mistake\"
  posthouse queue export 9f3a21c0b7 --output scan.eml

Times are written as 2026-11-22, 2026-11-22T07:45:00Z, or as how long ago: 90m, 2h, 3d.

Exit codes:
  0   told, or done
  64  wrong arguments, or no such message
  73  `storage.directory` cannot be made or written
  74  the output could not be written, or the queue not be read or written
  75  something was not done: a message is being sent just now, or a relay is running that does not answer
  77  the relay that is running answers only its own user and root
  78  the configuration is wrong, or has none of the accounts of a message

With --json one object is printed. `relay` says who told it (`version`, `pid`, `since`); it is null when no relay
answered, and `why_without_relay` then says why. A message has a part for each way its recipients go.
  list    `shown`, `matching` and `parts`: `id`, `part`, `kind` (mail, notice, copy), `of`, `device`, `from`, `to` (the
          first ten), `recipients`, `open`, `size`, `arrived`, `route`, `state` (due, sending, held, failed),
          `next_attempt`, `held` (`since`, `until`, `by`, `why`), `account_hold` (if none of its accounts takes mail:
          why the first does not), `attempts` and `last` (`reply`, `why`)
  show    the message, its `header`, and `parts` with `recipients` (`address`, `state`: open, delivered, never)
          and `tries` (`id`, `account`, `at`, `ended`, `why`)
  others  `changed`, `under_way` and `without_account`, lists of ids
`why` has `code`, `cause`, `sentence` and `cure`. Times are RFC 3339 in UTC. What is not known is null.";

/// Flags of `posthouse queue`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    list: list::Flags,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List what waits, the oldest first.
    List(list::Flags),
    /// Show everything about a message: recipients, attempts with replies, the next attempt, and its header.
    Show {
        #[command(flatten)]
        one: One,
    },
    /// Make the next attempt at once.
    Retry {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        asked: Asked,
    },
    /// Make no attempt until released.
    Hold {
        #[command(flatten)]
        which: Which,
        /// Why; kept with the message.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        asked: Asked,
    },
    /// End a hold.
    Release {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        asked: Asked,
    },
    /// Deliver nothing more and tell nobody: the message is gone.
    Remove {
        #[command(flatten)]
        which: Which,
        /// Why; stands in the log.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        asked: Asked,
    },
    /// Write a message out as it is sent, for a mail program (.eml).
    Export {
        /// Its id, or the first or last digits of it.
        #[arg(value_name = "ID")]
        id: String,
        /// The file; without it, standard output.
        #[arg(long, short, value_name = "FILE")]
        output: Option<std::path::PathBuf>,
        #[command(flatten)]
        file: ConfigFile,
    },
}

#[derive(Debug, clap::Args)]
struct One {
    /// Its id, or the first or last digits of it.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    asked: Asked,
}

/// What every verb takes.
#[derive(Debug, clap::Args)]
struct Asked {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Args {
    /// The configuration it is about.
    pub(super) fn file(&self) -> &ConfigFile {
        match &self.verb {
            None => self.list.file(),
            Some(Verb::List(list)) => list.file(),
            Some(Verb::Show { one }) => &one.asked.file,
            Some(Verb::Export { file, .. }) => file,
            Some(
                Verb::Retry { asked, .. }
                | Verb::Hold { asked, .. }
                | Verb::Release { asked, .. }
                | Verb::Remove { asked, .. },
            ) => &asked.file,
        }
    }
}

/// An exit code, and why.
type Undone = (u8, String);

pub(super) fn run(args: &Args, sources: &Sources) -> ExitCode {
    let (config, runtime) = match at_work(sources) {
        Ok(both) => both,
        Err(code) => return code,
    };
    let done = runtime.block_on(async {
        let clerk = Clerk::find(&config).await?;
        obey(args, &clerk).await
    });
    match done {
        Ok((text, code)) => print(&text, code),
        Err((code, why)) => fail(code, why),
    }
}

/// What is printed, and the exit code.
async fn obey(args: &Args, clerk: &Clerk) -> Result<(String, u8), Undone> {
    let now = jiff::Timestamp::now();
    match &args.verb {
        None => list::list(&args.list, clerk, width(), now).await,
        Some(Verb::List(args)) => list::list(args, clerk, width(), now).await,
        Some(Verb::Show { one }) => show::show(&one.id, one.asked.json, clerk, now).await,
        Some(Verb::Retry { which, asked }) => act::retry(which, asked.json, clerk, now).await,
        Some(Verb::Hold { which, reason, asked }) => act::hold(which, reason, asked.json, clerk, now).await,
        Some(Verb::Release { which, asked }) => act::release(which, asked.json, clerk, now).await,
        Some(Verb::Remove { which, reason, yes, asked }) => {
            act::remove(which, reason, *yes, asked.json, clerk, now).await
        }
        Some(Verb::Export { id, output, .. }) => export::export(id, output.as_deref(), clerk).await,
    }
}

/// Columns of the terminal, if the output goes to one.
fn width() -> Option<u16> {
    let is_terminal = std::io::stdout().is_terminal();
    terminal_size::terminal_size().filter(|_| is_terminal).map(|(terminal_size::Width(columns), _)| columns)
}

#[cfg(test)]
mod tests;
