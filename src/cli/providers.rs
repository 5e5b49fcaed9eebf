//! `posthouse providers`: which providers are known, and what is known of one.
//!
//! Lists those of the program and those of the configuration, if there is one that can be read; what is wrong with it
//! is for `check` to say. Asks nobody on the network. What `NAME` shows ends in lines to paste into a configuration.

mod show;

use std::process::ExitCode;

use super::sysexits::EX_USAGE;
use super::{fail, print, table};
use crate::account::provider::{PasswordKind, Preset, Presets};
use crate::config::{self, Sources};

/// Flags of `posthouse providers`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show all that is known of this one, with what to write into the configuration.
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, sources: &Sources) -> ExitCode {
    let presets = config::presets::known(sources);
    let text = match &args.name {
        None if args.json => json(&presets.iter().map(show::json).collect()),
        None => list(&presets),
        Some(name) => match presets.find(name).or_else(|| presets.of_domain(name)) {
            Some(preset) if args.json => json(&show::json(preset)),
            Some(preset) => show::text(preset),
            None => return fail(EX_USAGE, unknown(name, &presets)),
        },
    };
    print(&text, 0)
}

fn json(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

/// The names are said again as they are known, never as they were written.
fn unknown(name: &str, presets: &Presets) -> String {
    let near = config::presets::nearest(name, presets).join(" or ");
    let near = if near.is_empty() { String::new() } else { format!(" did you mean {near}?") };
    format!("there is no provider of this name;{near} `posthouse providers` lists them")
}

/// One line for each, never broken.
fn list(presets: &Presets) -> String {
    let rows = presets.iter().map(|preset| {
        let (port, encryption) = preset.door();
        let server = format!("{}:{port} {}", preset.host, show::encryption(encryption));
        [preset.id.clone(), preset.title.clone(), server, sign_in(preset)]
    });
    table::text(["NAME", "PROVIDER", "SERVER", "SIGN-IN"], rows, None)
}

fn sign_in(preset: &Preset) -> String {
    match (show::password(preset.password), &preset.oauth) {
        (_, Some(_)) if preset.password == PasswordKind::Ended => "OAuth".to_owned(),
        (password, Some(_)) => format!("OAuth or {password}"),
        (password, None) => password.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_has_its_line() {
        let presets = config::presets::builtin();
        let table = list(&presets);
        assert_eq!(table.lines().count(), presets.iter().count() + 1);
        let line = |id: &str| table.lines().find(|line| line.split(' ').next() == Some(id)).unwrap();
        let words = |id| line(id).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            words("microsoft365"),
            "microsoft365 Microsoft 365 (Exchange Online) smtp.office365.com:587 starttls OAuth or mailbox password for now"
        );
        assert!(words("gmx").ends_with("mail.gmx.net:465 implicit mailbox password"), "{}", words("gmx"));
        assert!(words("outlook.com").ends_with(":587 starttls OAuth"), "{}", words("outlook.com"));
        // The columns stand below each other.
        let column = line("gmail").find("smtp.gmail.com").unwrap();
        assert_eq!(line("NAME").find("SERVER"), Some(column));
    }

    #[test]
    fn an_unknown_name_leads_to_the_nearest() {
        let presets = config::presets::builtin();
        assert!(unknown("gmial", &presets).contains("did you mean \"gmail\"?"));
        assert!(!unknown("my-secret-password", &presets).contains("my-secret"));
    }
}
