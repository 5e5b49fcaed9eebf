//! The program as a process of its own, beside a practice provider that outlives it.
//!
//! A [`Site`] is its directory and its port, the same for one process after the other; a [`Relay`] is one of these
//! processes. Guarantees that no process outlives the test, and that nothing of a log is lost, however a process ends.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use posthouse::sandbox::Sandbox;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Nothing that is waited for takes longer, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Where the relay lives.
pub struct Site {
    directory: tempfile::TempDir,
    address: SocketAddr,
}

impl Site {
    /// A relay with one account at this provider. `more` is TOML that stands behind the account, sections of its own.
    pub fn new(sandbox: &Sandbox, more: &str) -> Self {
        Self::below(&std::env::temp_dir(), sandbox, more)
    }

    /// The same with its directory in this one.
    pub fn below(parent: &Path, sandbox: &Sandbox, more: &str) -> Self {
        let directory = tempfile::tempdir_in(parent).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let settings = sandbox.settings();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write("authority.pem", sandbox.authority_pem());
        write("password", settings.password.expose());
        write(
            "posthouse.toml",
            &format!(
                "hostname = \"relay.test\"\n[[listeners]]\nname = \"local\"\nbind = [\"{address}\"]\n\
                 [accounts.office]\nhost = \"127.0.0.1\"\nport = {}\nca_file = \"authority.pem\"\naddress = \"{}\"\n\
                 password_file = \"password\"\npipelining = \"messages\"\n[storage]\ndirectory = \"storage\"\nkey_file = \"vault.key\"\n\
                 [log]\nformat = \"json\"\n{more}",
                sandbox.implicit().port(),
                settings.username,
            ),
        );
        Self { directory, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything of it.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// `storage.directory`
    pub fn storage(&self) -> PathBuf {
        self.directory.path().join("storage")
    }

    /// Leaves the directory behind for whoever looks into a failure.
    pub fn keep(self) -> PathBuf {
        self.directory.keep()
    }

    /// The program with these arguments, run by these words.
    pub fn program(&self, runner: &[&str], arguments: &[&str]) -> Command {
        let words: Vec<&str> = runner.iter().copied().chain([env!("CARGO_BIN_EXE_posthouse")]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(arguments).current_dir(self.directory()).env_clear();
        command.env("HOME", self.directory()).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        command
    }

    /// `posthouse serve` with these variables, run by these words.
    pub fn start(&self, runner: &[&str], variables: &[(&str, String)]) -> Relay {
        let mut command = self.program(runner, &["serve"]);
        command.envs(variables.iter().map(|(name, value)| (name, value))).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (listens, listening) = oneshot::channel();
        let log = tokio::spawn(read(process.stderr.take().unwrap(), listens));
        Relay { process, listening: Some(listening), log }
    }
}

impl Site {
    /// Returns when the running relay owes nothing any more, as `posthouse queue` says; says so if that never comes.
    pub async fn drained(&self) {
        let draining = async {
            // In this order: what has failed stays, so if there is no more afterwards, nothing else was there then. To
            // ask what is due and then what is being sent misses a notice that was born in between.
            loop {
                let (failed, all) = (self.counted(&["--failed"]).await, self.counted(&[]).await);
                if failed.is_some() && failed == all {
                    return;
                }
                // Each look is a process of its own.
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, draining).await.is_err() {
            println!("the queue does not drain: {:?} due", self.counted(&["--due"]).await);
        }
    }

    /// Nothing while the relay does not answer: its control socket comes a moment after its listeners.
    async fn counted(&self, which: &[&str]) -> Option<u64> {
        let mut command = self.program(&[], &[&["queue", "list", "--json"], which].concat());
        let listed = command.stdout(Stdio::piped()).stderr(Stdio::null()).output().await.unwrap();
        let said: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap_or_default();
        said["matching"].as_u64()
    }
}

/// One process.
pub struct Relay {
    process: Child,
    listening: Option<oneshot::Receiver<()>>,
    log: JoinHandle<Vec<String>>,
}

impl Relay {
    /// Returns once it listens; false if it has died before.
    pub async fn listens(&mut self) -> bool {
        match self.listening.take() {
            Some(listening) => tokio::time::timeout(PATIENCE, listening).await.expect("it never listens").is_ok(),
            None => true,
        }
    }

    /// Its process id, while it lives.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Returns when it has died by itself.
    pub async fn dies(&mut self) -> ExitStatus {
        self.process.wait().await.unwrap()
    }

    /// `kill -9`; the lines of its log, the last one perhaps in part.
    pub async fn kill(mut self) -> Vec<String> {
        // It may have died already.
        let _ = self.process.start_kill();
        self.process.wait().await.unwrap();
        self.log.await.unwrap()
    }

    /// Tells it to end, and waits until it has.
    pub async fn terminate(mut self) -> (ExitStatus, Vec<String>) {
        use rustix::process::{Pid, Signal, kill_process};
        let id = self.process.id().expect("it has died by itself");
        kill_process(Pid::from_raw(id.try_into().unwrap()).unwrap(), Signal::TERM).unwrap();
        let status = tokio::time::timeout(PATIENCE, self.process.wait()).await.expect("it never ends").unwrap();
        (status, self.log.await.unwrap())
    }
}

/// Reads a log to its end.
async fn read(stderr: ChildStderr, listens: oneshot::Sender<()>) -> Vec<String> {
    let (mut reader, mut lines) = (BufReader::new(stderr), Vec::new());
    let mut listens = Some(listens);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await.is_ok_and(|octets| octets > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if text.contains("listening")
            && let Some(listens) = listens.take()
        {
            // Whether anybody waits for that is the test's affair.
            let _ = listens.send(());
        }
        lines.push(text);
        line.clear();
    }
    lines
}

/// A port nobody has, below those the system gives to connections: it stays free between two processes.
fn free_port() -> u16 {
    let mut chance = [0; 2];
    getrandom::fill(&mut chance).unwrap();
    let first = u16::from_be_bytes(chance) % 10_000;
    let ports = (0..10_000).map(|step| 20_000 + (first + step) % 10_000);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    ports.into_iter().find(is_free).expect("one of ten thousand ports is free")
}
