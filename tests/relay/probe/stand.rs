//! One story's world: a practice provider, a file with accounts at it, and the program run beside them.
//!
//! What is printed is compared with `expected/*.txt`, with times, dates, ports and paths made equal;
//! `UPDATE_EXPECTED=1` writes them anew.

use std::path::{Path, PathBuf};
use std::time::Duration;

use posthouse::sandbox::{Extension, Mechanism, Offer, Sandbox, Settings};
use tokio::process::Command;

use crate::scene::provider;

pub const RECIPIENT: &str = "you@example.net";

/// A provider, and a file with accounts at it.
pub struct Stand {
    pub sandbox: Sandbox,
    pub directory: tempfile::TempDir,
}

/// What the program did.
pub struct Ran {
    pub code: i32,
    pub printed: String,
    pub complained: String,
}

impl Stand {
    /// With the account of the defaults; `{…}` in the lines stands for what the provider is.
    pub async fn new(lines: &str) -> Self {
        // Its own offer, so that what is shown does not change with the sandbox's.
        let offer = vec![
            Extension::Size(Some(35_882_577)),
            Extension::Auth(vec![Mechanism::Login, Mechanism::Plain, Mechanism::XOAuth2]),
            Extension::EnhancedStatusCodes,
            Extension::Pipelining,
        ];
        Self::with(Settings { offer: Offer(offer), ..provider() }, lines).await
    }

    pub async fn with(provider: Settings, lines: &str) -> Self {
        let sandbox = Sandbox::start(provider).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), sandbox.authority_pem()).unwrap();
        let stand = Self { sandbox, directory };
        stand.configure(lines);
        stand
    }

    /// Writes the configuration anew.
    pub fn configure(&self, lines: &str) {
        let (sandbox, secrets) = (&self.sandbox, self.sandbox.settings());
        let lines = lines
            .replace("{implicit}", &sandbox.implicit().port().to_string())
            .replace("{starttls}", &sandbox.starttls().port().to_string())
            .replace("{plain}", &sandbox.plain().port().to_string())
            .replace("{token}", &sandbox.token_endpoint())
            .replace("{secret}", secrets.client_secret.expose())
            .replace("{password}", secrets.password.expose());
        let path = self.directory.path().join("posthouse.toml");
        let mut file = tempfile::NamedTempFile::new_in(self.directory.path()).unwrap();
        let text = format!("hostname = \"relay.test\"\n{lines}\n[storage]\ndirectory = \"spool\"\n");
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        file.persist(path).unwrap();
    }

    /// The program, ready to be run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_posthouse"));
        command.arg("test").args(arguments).current_dir(self.directory.path()).env_clear().kill_on_drop(true);
        command
    }

    /// Runs it to its end.
    pub async fn test(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        let output = tokio::time::timeout(Duration::from_mins(1), command.output()).await.unwrap().unwrap();
        let text = |octets| String::from_utf8(octets).unwrap();
        let (printed, complained) = (text(output.stdout), text(output.stderr));
        Ran { code: output.status.code().unwrap(), printed, complained }
    }

    /// Runs it, and compares the exit code and what is printed with the story of this name.
    #[track_caller]
    pub fn tells(&self, story: &str, code: i32, ran: &Ran) {
        assert_eq!(ran.code, code, "{}{}", ran.printed, ran.complained);
        let printed = self.plain(&ran.printed);
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/relay/probe/expected/{story}.txt"));
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(&path, &printed).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(printed, expected, "{story}; if this is right, run with UPDATE_EXPECTED=1");
    }

    /// Runs it, and looks for the exit code and for words in what is printed.
    pub async fn says(&self, arguments: &[&str], code: i32, words: &[&str]) -> Ran {
        let ran = self.test(arguments).await;
        let all = format!("{}{}", ran.printed, ran.complained);
        assert_eq!(ran.code, code, "{all}");
        for word in words {
            assert!(all.contains(word), "no {word:?} in {all}");
        }
        ran
    }

    /// Without what differs from run to run.
    fn plain(&self, text: &str) -> String {
        let ports = [self.sandbox.implicit(), self.sandbox.starttls(), self.sandbox.plain()];
        let mut text = text.replace(&path(self.directory.path()), "DIR");
        for port in ports.iter().map(|address| address.port().to_string()) {
            text = text.replace(&port, "PORT");
        }
        let token = self.sandbox.token_endpoint();
        text = text.replace(token.rsplit_once(':').unwrap().1.split_once('/').unwrap().0, "PORT");
        text.lines().map(|line| without_time(&without_dates(line))).collect()
    }
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

/// Milliseconds stand in a column of their own.
fn without_time(line: &str) -> String {
    match (line.get(..21), line.get(21..27), line.get(27..)) {
        (Some(before), Some(_), Some(after)) if after.starts_with(" ms") => format!("{before}     N{after}\n"),
        _ => format!("{line}\n"),
    }
}

/// `valid 2026-11-20 to 2027-11-17 (359 days left)` as `valid FROM to UNTIL (N days left)`.
fn without_dates(line: &str) -> String {
    let Some((before, dates)) = line.split_once("; valid ") else { return line.to_owned() };
    let left = dates.split_once('(').unwrap().1.trim_matches(|c: char| c.is_ascii_digit());
    let left = if left.starts_with("over for ") { "over for N days)" } else { "N days left)" };
    format!("{before}; valid FROM to UNTIL ({left}")
}

/// An account as the sandbox wants it.
pub const IMPLICIT: &str = "[accounts.office]\nhost = \"127.0.0.1\"\nport = {implicit}\nca_file = \"ca.pem\"\n\
    address = \"scanner@sandbox.example\"\npassword = \"{password}\"\n";
