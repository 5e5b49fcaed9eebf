//! `posthouse vault`: where sign-ins are kept and whether they open, and another key for them.
//!
//! `status` changes and makes nothing. `rotate-key` may run beside the relay, which reads the key anew each time. Both
//! ask nobody on the network and show no secret. Exit codes are those of sysexits.

mod status;

use std::process::ExitCode;

use clap::Subcommand;

use super::sysexits::{EX_CONFIG, EX_DATAERR, EX_IOERR};
use super::{ConfigFile, cannot_use, fail, print};
use crate::account::vault::VaultError;
use crate::config::{self, Sources};
use crate::store::file::{FileVault, NotRotated, OldKeys, Rotated};

pub(super) const AFTER_HELP: &str = "Exit codes:
  0   everything that is kept opens; also when nothing is kept yet
  64  wrong arguments
  65  the vault, or something in it, is damaged
  74  a file could not be read or written
  78  the key is missing or wrong, or others may read a file; or something in the configuration is wrong";

/// Flags of `posthouse vault`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    status: Status,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Say where the vault and its key are, what is kept, and whether it opens [what is done without a command].
    Status(Status),
    /// Seal everything with a new key, and take the old one away. The relay may go on running.
    ///
    /// Works where Posthouse can write the key file. A key from a variable of the environment, or one that a service
    /// manager hands over, is rotated by who keeps it: put the new key first and the old one after it, run this
    /// command, then take the old one away. A run that was interrupted is ended by the next.
    RotateKey(RotateKey),
}

#[derive(Debug, clap::Args)]
struct Status {
    #[command(flatten)]
    file: ConfigFile,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct RotateKey {
    #[command(flatten)]
    file: ConfigFile,
    /// Leave the old key in the file, behind the new one, because another vault was sealed with it, too. Run the
    /// command for that vault next, without this flag.
    #[arg(long)]
    keep_old: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Args {
    /// The configuration it is about.
    pub(super) fn file(&self) -> &ConfigFile {
        match &self.verb {
            Some(Verb::Status(Status { file, .. }) | Verb::RotateKey(RotateKey { file, .. })) => file,
            None => &self.status.file,
        }
    }
}

pub(super) fn run(args: &Args, sources: &Sources) -> ExitCode {
    let config = match config::load(sources) {
        Ok(loaded) => loaded.config,
        Err(report) => return cannot_use(&report, sources),
    };
    let vault = FileVault::new(config.storage.clone());
    match &args.verb {
        Some(Verb::RotateKey(rotate)) => rotate_key(&vault, rotate),
        Some(Verb::Status(status)) => status::run(&vault, &config, status.json),
        None => status::run(&vault, &config, args.status.json),
    }
}

/// What the process ends with when the vault could not be used.
pub(super) fn exit_code(error: &VaultError) -> u8 {
    match error {
        VaultError::Key(_) | VaultError::Exposed(_) => EX_CONFIG,
        VaultError::Damaged(_) => EX_DATAERR,
        VaultError::Storage(_) => EX_IOERR,
    }
}

fn rotate_key(vault: &FileVault, args: &RotateKey) -> ExitCode {
    match vault.rotate_key(args.keep_old) {
        Ok(rotated) => {
            let text = if args.json { rotated_json(&rotated) } else { rotated_text(&rotated, args.keep_old) };
            print(&text, if rotated.unopened.is_empty() { 0 } else { EX_DATAERR })
        }
        Err(NotRotated::NothingKept) if args.json => print("{\n  \"ok\": true,\n  \"resealed\": 0\n}\n", 0),
        Err(error @ NotRotated::NothingKept) => print(&format!("Nothing to do: {error}.\n"), 0),
        Err(error) => {
            let code = match &error {
                NotRotated::Vault(error) => exit_code(error),
                NotRotated::ByHand(_) | NotRotated::NothingKept => EX_CONFIG,
            };
            if args.json {
                return print(
                    &format!("{:#}\n", serde_json::json!({ "ok": false, "problem": error.to_string() })),
                    code,
                );
            }
            fail(code, error)
        }
    }
}

fn rotated_text(rotated: &Rotated, asked_to_keep: bool) -> String {
    let Rotated { key, resealed, unopened, old_keys } = rotated;
    let secrets = if *resealed == 1 { "secret is" } else { "secrets are" };
    let old = match old_keys {
        OldKeys::Gone => "the old key is gone from the key file. Renew the copy you keep of it.",
        OldKeys::Kept if asked_to_keep => "the old key is still in the key file, behind the new one.",
        OldKeys::Kept => "take the keys behind the first away now, where you keep them.",
    };
    let mut text = format!("{resealed} {secrets} now sealed with key {key}; {old}\n");
    text.extend(unopened.iter().map(|(_, why)| format!("Left as it was: {why}.\n")));
    text
}

fn rotated_json(Rotated { key, resealed, unopened, old_keys }: &Rotated) -> String {
    let unopened: Vec<_> = unopened
        .iter()
        .map(|(account, why)| serde_json::json!({ "account": account.as_str(), "problem": why }))
        .collect();
    let object = serde_json::json!({
        "ok": unopened.is_empty(),
        "key": key.to_string(),
        "resealed": resealed,
        "unopened": unopened,
        "old_key": if *old_keys == OldKeys::Gone { "gone" } else { "kept" },
    });
    format!("{object:#}\n")
}

#[cfg(test)]
mod tests;
