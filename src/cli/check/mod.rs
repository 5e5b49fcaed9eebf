//! `posthouse check`: says everything that is wrong or risky with the configuration, and changes nothing.
//!
//! Looks at this machine too: whether the spool directory can be written and the ports can be had (`probe`). Exit codes
//! are those of sysexits: 0 when the configuration can be used, 78 (`EX_CONFIG`) when it cannot. Prints findings on
//! standard output, because they are what was asked for.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use super::probe::{self, Probed};
use crate::config::{self, Config, Finding, Severity, Sources, report};

/// `EX_CONFIG` of sysexits.h: something in the configuration is wrong.
pub const EX_CONFIG: u8 = 78;
/// `EX_IOERR`: the report could not be written.
const EX_IOERR: u8 = 74;

/// Flags of `posthouse check`.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Args {
    /// Print one JSON object with all findings.
    #[arg(long)]
    pub json: bool,
    /// Fail on warnings too.
    #[arg(long)]
    pub strict: bool,
}

/// Checks the configuration that `sources` lead to, and prints what it found.
#[must_use]
pub fn run(args: Args, sources: &Sources) -> ExitCode {
    let mut out = std::io::stdout().lock();
    let colours = out.is_terminal() && !sources.environment.contains_key("NO_COLOR");
    let (text, code) = report_on(args, sources, colours, probe::look);
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::from(code),
        Err(_) => ExitCode::from(EX_IOERR),
    }
}

/// What to print, and the exit code.
fn report_on(args: Args, sources: &Sources, colours: bool, look: impl Fn(&Config) -> Probed) -> (String, u8) {
    let (origin, findings, notes) = match config::load(sources) {
        Ok(loaded) => {
            let Probed { findings, notes } = look(&loaded.config);
            let notes = loaded.notes.into_iter().chain(notes).collect();
            (loaded.origin, loaded.warnings.into_iter().chain(findings).collect::<Vec<_>>(), notes)
        }
        Err(report) => (None, report.findings, Vec::new()),
    };
    let worst = |severity| findings.iter().any(|finding| finding.severity == severity);
    let failed = worst(Severity::Error) || (args.strict && worst(Severity::Warning));
    let passed = !failed;
    let code = if passed { 0 } else { EX_CONFIG };
    if args.json {
        return (json(passed, &findings, &notes), code);
    }
    let mut text = report::text(&findings, colours);
    text.extend(notes.iter().map(|note| format!("Note: {note}\n")));
    if passed {
        text += &verdict(origin.as_deref());
    }
    (text, code)
}

fn verdict(origin: Option<&Path>) -> String {
    match origin {
        Some(path) => format!("The configuration in {} can be used.\n", path.display()),
        None => "The configuration in the environment variables can be used.\n".into(),
    }
}

fn json(passed: bool, findings: &[Finding], notes: &[String]) -> String {
    let object = serde_json::json!({ "ok": passed, "findings": report::json(findings), "notes": notes });
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
        report_on(args, &sources, false, |_| Probed::default())
    }

    const PLAIN: Args = Args { json: false, strict: false };
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
        assert_eq!(report(&RISKY, Args { json: false, strict: true }).1, 78);
        assert_eq!(report(&RISKY[..2], Args { json: false, strict: true }).1, 0);
    }

    #[test]
    fn json_names_the_variable() {
        let (text, _) = report(&RISKY, Args { json: true, strict: false });
        let object: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(object["ok"], true);
        assert_eq!(object["findings"][0]["severity"], "warning");
        assert_eq!(object["findings"][0]["variable"], "POSTHOUSE__ACCOUNTS__LAN__ENCRYPTION");
        assert_eq!(object["findings"][0]["key"], "accounts.lan.encryption");
    }
}
