//! `posthouse test`, run as a program against the practice provider: every step that can fail, and what is said then.
//!
//! What it prints is compared with `probe/*.txt`, with times, ports and paths made equal; `UPDATE_EXPECTED=1` writes
//! them anew. Each story also says the exit code. Nothing leaves this machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use posthouse::sandbox::fault::{Fault, Stage, Times};
use posthouse::sandbox::{Sandbox, Settings};
use tokio::process::Command;

use crate::scene::provider;

const RECIPIENT: &str = "you@example.net";

/// A provider, and a file with accounts at it.
struct Stand {
    sandbox: Sandbox,
    directory: tempfile::TempDir,
}

/// What the program did.
struct Ran {
    code: i32,
    printed: String,
    complained: String,
}

impl Stand {
    /// With the account of the defaults; `{…}` in the lines stands for what the provider is.
    async fn new(lines: &str) -> Self {
        Self::with(provider(), lines).await
    }

    async fn with(provider: Settings, lines: &str) -> Self {
        let sandbox = Sandbox::start(provider).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), sandbox.authority_pem()).unwrap();
        let stand = Self { sandbox, directory };
        stand.configure(lines);
        stand
    }

    /// Writes the configuration anew.
    fn configure(&self, lines: &str) {
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

    async fn test(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_posthouse"));
        command.arg("test").args(arguments).current_dir(self.directory.path()).env_clear().kill_on_drop(true);
        let output = tokio::time::timeout(Duration::from_mins(1), command.output()).await.unwrap().unwrap();
        let text = |octets| String::from_utf8(octets).unwrap();
        let (printed, complained) = (text(output.stdout), text(output.stderr));
        Ran { code: output.status.code().unwrap(), printed, complained }
    }

    /// Runs it, and compares the exit code and what is printed with the story of this name.
    #[track_caller]
    fn tells(&self, story: &str, code: i32, ran: &Ran) {
        assert_eq!(ran.code, code, "{}{}", ran.printed, ran.complained);
        let printed = self.plain(&ran.printed);
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/relay/probe/{story}.txt"));
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(&path, &printed).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(printed, expected, "{story}; if this is right, run with UPDATE_EXPECTED=1");
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
        text.lines().map(without_time).collect()
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

const IMPLICIT: &str = "[accounts.office]\nhost = \"127.0.0.1\"\nport = {implicit}\nca_file = \"ca.pem\"\n\
    address = \"scanner@sandbox.example\"\npassword = \"{password}\"\n";

#[tokio::test]
async fn a_mail_goes_out_and_every_step_is_shown() {
    let stand = Stand::new(IMPLICIT).await;
    let ran = stand.test(&["office", "--to", RECIPIENT]).await;
    stand.tells("delivered", 0, &ran);
    let delivery = stand.sandbox.mailbox().deliveries().pop().unwrap();
    assert_eq!(delivery.addresses(), [RECIPIENT]);
    assert!(delivery.text().contains("Subject: Posthouse test\r\n"), "{}", delivery.text());
    assert_eq!(stand.sandbox.violations(), []);
}

#[tokio::test]
async fn without_a_recipient_it_ends_politely_after_the_sign_in() {
    let stand = Stand::new(IMPLICIT).await;
    let ran = stand.test(&[]).await;
    stand.tells("signed_in", 0, &ran);
    assert_eq!(stand.sandbox.mailbox().count(), 0);
    assert!(stand.sandbox.transcript().iter().any(|said| said.to_string().contains("QUIT")));
    assert_eq!(stand.sandbox.violations(), []);
}

#[tokio::test]
async fn a_refused_password_is_explained() {
    let stand = Stand::new(&IMPLICIT.replace("{password}", "mistyped")).await;
    let ran = stand.test(&["--to", RECIPIENT]).await;
    stand.tells("wrong_password", 77, &ran);
}

#[tokio::test]
async fn a_refused_recipient_is_explained() {
    let stand = Stand::new(IMPLICIT).await;
    stand.sandbox.faults().plan(Stage::Rcpt, Fault::reply(550, "5.1.1 Never heard of him"), Times::Once);
    let ran = stand.test(&["--to", RECIPIENT]).await;
    stand.tells("recipient_refused", 65, &ran);
}
