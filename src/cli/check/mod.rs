//! `posthouse check`: says everything that is wrong or risky with the configuration, and changes nothing.
//!
//! Looks at this machine too: whether the spool directory can be written and the ports can be had (`probe`). Exit codes
//! are those of sysexits: 0 when the configuration can be used, 78 (`EX_CONFIG`) when it cannot. Prints findings on
//! standard output, because they are what was asked for; with `--print-effective` what is in force is printed there,
//! and the findings go to standard error.

mod certificates;
mod machine;
mod open_relay;
mod probe;
mod question;
mod queue;
mod route;
mod sign_ins;
mod signing;
mod vault;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::sysexits::EX_CONFIG;
use super::{paints, print};
use crate::config::{self, Config, Effective, Finding, Severity, Sources, report};

use machine::Machine;
use probe::Probed;
pub use question::Question;

/// Flags of `posthouse check`.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Args {
    /// Print one JSON object with all findings.
    #[arg(long)]
    pub json: bool,
    /// Fail on warnings too.
    #[arg(long)]
    pub strict: bool,
    /// Print the configuration in force as TOML, secrets hidden, with the origin of each value.
    #[arg(long)]
    pub print_effective: bool,
}

/// What goes where.
struct Said {
    out: String,
    err: String,
    code: u8,
}

/// Checks the configuration that `sources` lead to, and prints what it found.
#[must_use]
pub fn run(args: Args, sources: &Sources) -> ExitCode {
    let mut err = std::io::stderr().lock();
    let colours = if args.print_effective { paints(&err, sources) } else { paints(&std::io::stdout(), sources) };
    let said = report_on(args, sources, colours, probe::look);
    // What cannot be said on standard error cannot be complained about either.
    let _ = err.write_all(said.err.as_bytes());
    print(&said.out, said.code)
}

/// What to print, and the exit code.
fn report_on(args: Args, sources: &Sources, colours: bool, look: impl Fn(&Config) -> Probed) -> Said {
    let (loaded, findings, notes) = match config::load(sources) {
        Ok(mut loaded) => {
            let machine = Machine::here();
            let Probed { mut findings, mut notes } = look(&loaded.config);
            findings.extend(machine::shared_spool(&loaded.config, &machine));
            let (place, risks) = queue::look(&loaded.config);
            findings.extend(risks);
            findings.extend(signing::look(&loaded.config, jiff::Timestamp::now()));
            notes.extend(place);
            notes.splice(..0, std::mem::take(&mut loaded.notes));
            notes.extend(machine::secrets_in_environment(sources, &machine));
            let warnings = std::mem::take(&mut loaded.warnings);
            let is_told = warnings.iter().any(|warning| warning.key == vault::KEY_FILE);
            findings.retain(|finding| !(is_told && finding.key == vault::KEY_FILE));
            (Some(loaded), warnings.into_iter().chain(findings).collect::<Vec<_>>(), notes)
        }
        Err(report) => (None, report.findings, Vec::new()),
    };
    let effective = loaded.as_ref().filter(|_| args.print_effective);
    let effective = effective.map(|loaded| Effective::new(loaded, &crate::app::machine_name()));
    let worst = |severity| findings.iter().any(|finding| finding.severity == severity);
    let failed = worst(Severity::Error) || (args.strict && worst(Severity::Warning));
    let passed = !failed;
    let code = if passed { 0 } else { EX_CONFIG };
    if args.json {
        return Said { out: json(passed, &findings, &notes, effective.as_ref()), err: String::new(), code };
    }
    let mut text = report::text(&findings, colours);
    text.extend(notes.iter().map(|note| format!("Note: {note}\n")));
    if args.print_effective {
        let out = effective.map(|effective| effective.toml()).unwrap_or_default();
        return Said { out, err: text, code };
    }
    if passed {
        text += &verdict(loaded.and_then(|loaded| loaded.origin).as_deref());
    }
    Said { out: text, err: String::new(), code }
}

fn verdict(origin: Option<&Path>) -> String {
    match origin {
        Some(path) => format!("The configuration in {} can be used.\n", path.display()),
        None => "The configuration in the environment variables can be used.\n".into(),
    }
}

fn json(passed: bool, findings: &[Finding], notes: &[String], effective: Option<&Effective>) -> String {
    let mut object = serde_json::json!({ "ok": passed, "findings": report::json(findings), "notes": notes });
    if let Some(effective) = effective {
        object["effective"] = effective.json();
    }
    format!("{object:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(variables: &[(&str, &str)], args: Args) -> (String, u8) {
        // A file that holds nothing keeps the usual places of the machine out of the test.
        let empty = tempfile::NamedTempFile::new().unwrap();
        let environment = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let sources = Sources { path: Some(empty.path().into()), environment, overrides: Vec::new() };
        let said = report_on(args, &sources, false, |_| Probed::default());
        (said.out, said.code)
    }

    const PLAIN: Args = Args { json: false, strict: false, print_effective: false };
    const RISKY: [(&str, &str); 3] = [
        ("POSTHOUSE__ACCOUNTS__LAN__HOST", "mail.example.com"),
        ("POSTHOUSE__ACCOUNTS__LAN__MECHANISM", "none"),
        ("POSTHOUSE__ACCOUNTS__LAN__ENCRYPTION", "none"),
    ];

    #[test]
    fn errors_fail_and_warnings_fail_only_when_strict() {
        assert_eq!(report(&[], PLAIN).1, 78);
        let (text, code) = report(&RISKY, PLAIN);
        assert_eq!(code, 0);
        assert!(text.contains("0 errors, 1 warning") && text.contains("can be used"), "{text}");
        assert_eq!(report(&RISKY, Args { strict: true, ..PLAIN }).1, 78);
        assert_eq!(report(&RISKY[..2], Args { strict: true, ..PLAIN }).1, 0);
    }

    #[test]
    fn a_key_of_the_vault_that_is_not_there_is_told_once() {
        let variables = [RISKY[0], RISKY[1], ("POSTHOUSE__STORAGE__KEY_FILE", "/nonexistent/vault.key")];
        let empty = tempfile::NamedTempFile::new().unwrap();
        let environment = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let sources = Sources { path: Some(empty.path().into()), environment, overrides: Vec::new() };
        let told_too = |config: &Config| {
            let mut config = config.clone();
            config.accounts[0].credential = vault::tests::kept_sign_in();
            Probed { findings: vault::look(&config), ..Probed::default() }
        };
        let Said { out, code, .. } = report_on(PLAIN, &sources, false, told_too);
        assert!(code == 0 && out.contains("vault.key cannot be read"), "{out}");
        assert!(!out.contains("is not there"), "and not by who looks at the vault as well: {out}");
    }

    #[test]
    fn what_is_in_force_is_alone_on_standard_output() {
        let effective = Args { print_effective: true, ..PLAIN };
        let empty = tempfile::NamedTempFile::new().unwrap();
        let environment = RISKY.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut sources = Sources { path: Some(empty.path().into()), environment, overrides: Vec::new() };
        let said = report_on(effective, &sources, false, |_| Probed::default());
        assert!(said.out.contains("encryption = \"none\"") && !said.out.contains("warning"), "{}", said.out);
        assert!(said.err.contains("0 errors, 1 warning") && said.code == 0, "{}", said.err);
        let both = report_on(Args { json: true, ..effective }, &sources, false, |_| Probed::default());
        let object: serde_json::Value = serde_json::from_str(&both.out).unwrap();
        let settings = object["effective"]["settings"].as_array().unwrap();
        let port = settings.iter().find(|line| line["key"] == "accounts.lan.port").unwrap();
        assert_eq!((&port["value"], &port["origin"]), (&587.into(), &"from encryption".into()));
        // With a mistake nothing is in force.
        sources.environment.clear();
        let said = report_on(effective, &sources, false, |_| Probed::default());
        assert!(said.out.is_empty() && said.err.contains("no account") && said.code == 78, "{}", said.err);
    }

    #[test]
    fn json_names_the_variable() {
        let (text, _) = report(&RISKY, Args { json: true, ..PLAIN });
        let object: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(object["ok"], true);
        assert_eq!(object["findings"][0]["severity"], "warning");
        assert_eq!(object["findings"][0]["variable"], "POSTHOUSE__ACCOUNTS__LAN__ENCRYPTION");
        assert_eq!(object["findings"][0]["key"], "accounts.lan.encryption");
    }
}
