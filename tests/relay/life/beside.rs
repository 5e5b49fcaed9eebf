//! `posthouse test`, a process of its own, beside a running relay at the same vault: one renews, both use what it
//! brings, and no answer of the provider is lost, however the command ends.

use std::process::Stdio;
use std::time::Duration;

use posthouse::sandbox::fault::{Gate, Times, TokenFault};
use posthouse::store::file::KeySource;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::{assert_in_order, cut_the_line, refresh_token, renewals, signed_in_at};
use crate::scene::{Scene, provider, reached};

/// A relay whose account has a sign-in and no token yet.
async fn scene() -> Scene {
    let scene = signed_in_at(provider(), false, |_| {}).await;
    let (config, sandbox) = (&scene.config, &scene.sandbox);
    let KeySource::Made(key) = &config.storage.key else { panic!("this key lies in a file that is made") };
    let text = format!(
        "[accounts.office]\nhost = \"127.0.0.1\"\nport = {}\nca_file = \"authority.pem\"\naddress = \"{}\"\n\
         [accounts.office.oauth]\ngrant = \"authorization_code\"\nclient_id = \"{}\"\nscope = \"{}\"\n\
         authorization_endpoint = \"https://127.0.0.1:1/\"\ntoken_endpoint = \"{}\"\n\
         [storage]\ndirectory = \"{}\"\nkey_file = \"{}\"\n",
        sandbox.implicit().port(),
        sandbox.settings().username,
        sandbox.settings().oauth.public_client_id,
        super::SCOPE,
        sandbox.token_endpoint(),
        config.storage.directory.display(),
        key.display(),
    );
    std::fs::write(scene.directory.path().join("posthouse.toml"), text).unwrap();
    scene
}

/// `posthouse test`, running.
struct Program {
    process: Child,
    screen: Lines<BufReader<ChildStdout>>,
    complaints: Lines<BufReader<ChildStderr>>,
}

impl Program {
    fn run(scene: &Scene, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_posthouse"));
        let home = scene.directory.path();
        command.arg("test").args(more).current_dir(home).env_clear().env("HOME", home).kill_on_drop(true);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let screen = BufReader::new(process.stdout.take().unwrap()).lines();
        let complaints = BufReader::new(process.stderr.take().unwrap()).lines();
        Self { process, screen, complaints }
    }

    /// Returns once it has nothing to do any more but to wait for the provider.
    async fn waits(&mut self) {
        let said = async {
            while let Some(line) = self.complaints.next_line().await.unwrap() {
                if line.contains("a sign-in is being renewed") {
                    return;
                }
            }
            panic!("it has ended without the provider's answer");
        };
        tokio::time::timeout(Duration::from_secs(30), said).await.expect("nothing is said");
    }

    /// Its exit code.
    async fn ends(mut self) -> i32 {
        while self.screen.next_line().await.unwrap().is_some() {}
        self.process.wait().await.unwrap().code().expect("it was not killed")
    }
}

/// Keeps renewals waiting.
fn slow(scene: &Scene) -> Gate {
    let gate = Gate::new();
    scene.sandbox.faults().plan_grant("refresh_token", TokenFault::Wait(gate.clone()), Times::Once);
    gate
}

#[tokio::test]
async fn a_command_waits_for_the_renewal_of_the_relay_and_uses_what_it_brings() {
    let scene = scene().await;
    let gate = slow(&scene);
    let mut device = scene.device().await;
    let (heard, code) = tokio::join!(device.mail(), async {
        reached(&gate).await;
        let program = Program::run(&scene, &[]);
        gate.open();
        program.ends().await
    });
    assert!(heard.starts_with("250 ") && code == 0, "{heard} and {code}");
    assert_eq!(renewals(&scene.sandbox).len(), 1);
    assert_in_order(&scene.sandbox);
}

#[tokio::test]
async fn the_relay_waits_for_the_renewal_of_a_command_and_uses_what_it_brings() {
    let scene = scene().await;
    let gate = slow(&scene);
    let program = Program::run(&scene, &[]);
    reached(&gate).await;
    let mut device = scene.device().await;
    let (heard, code) = tokio::join!(device.mail(), async {
        gate.open();
        program.ends().await
    });
    assert!(heard.starts_with("250 ") && code == 0, "{heard} and {code}");
    cut_the_line(&scene);
    assert!(device.mail().await.starts_with("250 "));
    assert_eq!(renewals(&scene.sandbox).len(), 1);
    assert_in_order(&scene.sandbox);
}

/// The provider has taken the old refresh token: the new one must not end with the process.
#[tokio::test]
async fn a_command_that_has_lost_its_patience_hears_the_provider_out() {
    let scene = scene().await;
    let (gate, before) = (slow(&scene), refresh_token(&scene.config));
    let mut program = Program::run(&scene, &["--timeout", "1"]);
    program.waits().await;
    gate.open();
    assert_eq!(program.ends().await, 75);
    assert_ne!(refresh_token(&scene.config), before, "it is kept");
    assert!(scene.device().await.mail().await.starts_with("250 "));
    assert_eq!(renewals(&scene.sandbox).len(), 1);
    assert_in_order(&scene.sandbox);
}

#[tokio::test]
async fn ctrl_c_ends_the_command_and_not_the_renewal() {
    let scene = scene().await;
    let (gate, before) = (slow(&scene), refresh_token(&scene.config));
    let mut program = Program::run(&scene, &[]);
    reached(&gate).await;
    let pid = Pid::from_raw(program.process.id().unwrap().cast_signed()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    program.waits().await;
    gate.open();
    assert_eq!(program.ends().await, 130);
    assert_ne!(refresh_token(&scene.config), before, "it is kept");
    assert_in_order(&scene.sandbox);
}
