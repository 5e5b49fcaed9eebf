//! The commands, one file per verb.
//!
//! Parses the arguments, gathers the environment once, and hands both on. Exit codes are those of sysexits: 0 when
//! all went well, 78 for the configuration, 69 when something needed is not available, 75 when another process has
//! it, 64 for wrong arguments.

mod accounts;
mod attempt;
pub mod check;
mod choose;
mod demo;
mod exit;
#[cfg(test)]
mod golden;
mod hear_out;
mod login;
mod logout;
mod providers;
mod queue;
mod schema;
mod serve;
mod source;
mod sysexits;
mod table;
mod test;
mod vault;
mod words;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Config, Loaded, Override, Report, Sources, report};
use crate::journal::log;
use sysexits::{EX_CONFIG, EX_IOERR, EX_SOFTWARE, EX_USAGE};

/// A local SMTP relay: takes mail from devices that only speak plain SMTP, and sends it on through a provider that
/// wants TLS and OAuth 2.0 or an app password.
#[derive(Debug, Parser)]
#[command(name = "posthouse", version, propagate_version = true, after_help = EXIT_CODES)]
struct Arguments {
    /// How much to log: error, warn, info, debug (with the transcripts of both sides) or trace.
    #[arg(long, global = true, value_name = "LEVEL", display_order = 900)]
    log_level: Option<String>,
    /// How to log: auto, text or json.
    #[arg(long, global = true, value_name = "FORMAT", display_order = 900)]
    log_format: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the relay.
    Serve(ConfigFile),
    /// Try it: a relay and a practice provider in one process, nothing to set up.
    Demo(demo::Args),
    /// Say everything that is wrong or risky with the configuration, and change nothing.
    Check {
        #[command(flatten)]
        file: ConfigFile,
        #[command(flatten)]
        args: check::Args,
        #[command(flatten)]
        question: check::Question,
    },
    /// Print the JSON Schema of the configuration file, for editors and other programs.
    Schema,
    /// List the providers that are known, or show one with what to write into the configuration.
    Providers {
        #[command(flatten)]
        file: ConfigFile,
        #[command(flatten)]
        args: providers::Args,
    },
    /// Sign an account in: by browser, by pasting its address, or by a code for another machine.
    #[command(after_long_help = login::AFTER_HELP)]
    Login {
        #[command(flatten)]
        file: ConfigFile,
        #[command(flatten)]
        args: login::Args,
    },
    /// Show how the accounts stand: signed in or not, held or not, and what a person must do by when.
    #[command(after_long_help = accounts::AFTER_HELP)]
    Accounts {
        #[command(flatten)]
        file: ConfigFile,
        #[command(flatten)]
        args: accounts::Args,
    },
    /// Show what waits to be delivered and why, and try, hold, release, remove or export it.
    #[command(after_long_help = queue::AFTER_HELP)]
    Queue(Box<queue::Args>),
    /// End a sign-in, at the provider and here; a running relay hears of it at once.
    #[command(after_long_help = logout::AFTER_HELP)]
    Logout {
        #[command(flatten)]
        file: ConfigFile,
        #[command(flatten)]
        args: logout::Args,
    },
    /// Try an account: look the provider up, connect, TLS, sign in, and with --to send a mail.
    #[command(after_long_help = test::AFTER_HELP)]
    Test {
        #[command(flatten)]
        file: ConfigFile,
        #[command(flatten)]
        args: test::Args,
    },
    /// Say where sign-ins are kept and whether they open, or give them another key.
    #[command(after_long_help = vault::AFTER_HELP)]
    Vault(vault::Args),
}

const EXIT_CODES: &str = "Exit codes:
  0   all went well
  64  wrong arguments
  69  something needed is not available, such as a port
  70  a fault of Posthouse or of this machine
  73  `storage.directory` cannot be made or written
  74  the output could not be written
  75  another relay owns `storage.directory`
  78  something in the configuration is wrong

`posthouse test`, `login`, `logout`, `accounts` and `queue` tell more causes apart; see their --help.";

/// For the commands that read a configuration.
#[derive(Debug, clap::Args)]
struct ConfigFile {
    #[arg(long, short, value_name = "FILE", help = CONFIG_HELP)]
    config: Option<PathBuf>,
}

const CONFIG_HELP: &str =
    "The configuration file [default: $POSTHOUSE_CONFIG, ./posthouse.toml, /etc/posthouse/posthouse.toml]";

/// Runs the command the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are not mistakes; for those the exit code is 0.
            let code = if error.use_stderr() { EX_USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match &arguments.command {
        Command::Serve(file) => serve::run(&sources(&arguments, file)),
        Command::Demo(demo) => demo::run(demo, arguments.log_level.as_deref()),
        Command::Schema => schema::run(),
        Command::Login { file, args } => login::run(args, arguments.log_level.is_some(), &sources(&arguments, file)),
        Command::Test { file, args } => test::run(args, arguments.log_level.is_some(), &sources(&arguments, file)),
        Command::Accounts { file, args } => accounts::run(args, &sources(&arguments, file)),
        Command::Queue(args) => queue::run(args, &sources(&arguments, args.file())),
        Command::Vault(args) => vault::run(args, &sources(&arguments, args.file())),
        Command::Logout { file, args } => logout::run(args, &sources(&arguments, file)),
        Command::Providers { file, args } => providers::run(args, &sources(&arguments, file)),
        Command::Check { file, args, question } => {
            let sources = sources(&arguments, file);
            question.answer(args.json, &sources).unwrap_or_else(|| check::run(*args, &sources))
        }
    }
}

fn sources(arguments: &Arguments, file: &ConfigFile) -> Sources {
    let flag = |flag: &str, key: &str, value: &Option<String>| {
        value.clone().map(|value| Override { flag: flag.into(), key: key.into(), value })
    };
    let overrides = [
        flag("--log-level", "log.level", &arguments.log_level),
        flag("--log-format", "log.format", &arguments.log_format),
    ];
    // What is not UTF-8 cannot be a key or a value of ours.
    let text = |s: std::ffi::OsString| s.into_string().ok();
    let environment = std::env::vars_os().filter_map(|(k, v)| Some((text(k)?, text(v)?))).collect();
    Sources { path: file.config.clone(), environment, overrides: overrides.into_iter().flatten().collect() }
}

/// The runtime every command runs on.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// What a command works with that logs only what is amiss; else what it ends with.
fn at_work(sources: &Sources) -> Result<(Config, tokio::runtime::Runtime), ExitCode> {
    let Loaded { config, .. } = config::load(sources).map_err(|report| cannot_use(&report, sources))?;
    log::install(&log::Settings { level: tracing::Level::WARN, ..config.log });
    match runtime() {
        Ok(runtime) => Ok((config, runtime)),
        Err(error) => Err(fail(EX_SOFTWARE, format_args!("the runtime cannot be started: {error}"))),
    }
}

/// Whether to paint what goes there: on a terminal, unless `NO_COLOR` says otherwise (no-color.org).
fn paints(out: &impl IsTerminal, sources: &Sources) -> bool {
    out.is_terminal() && !sources.environment.contains_key("NO_COLOR")
}

/// Says on standard error what is wrong with the configuration, where nothing can be done with it.
fn cannot_use(report: &Report, sources: &Sources) -> ExitCode {
    eprint!("{}", report::text(&report.findings, paints(&std::io::stderr(), sources)));
    ExitCode::from(EX_CONFIG)
}

/// Prints what was asked for on standard output; this exit code, unless it could not be written.
fn print(text: &str, code: u8) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::from(code),
        Err(_) => ExitCode::from(EX_IOERR),
    }
}

/// Says why a command ends, on standard error.
fn fail(code: u8, text: impl std::fmt::Display) -> ExitCode {
    eprintln!("posthouse: {text}");
    ExitCode::from(code)
}
