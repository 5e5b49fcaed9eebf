//! One owner of a storage directory, and what commands hear from it over `control.sock`.
//!
//! Relays run in the test and as programs; commands are the program. What the socket must not let through is thrown at
//! it while mail goes on.

use std::os::unix::fs::PermissionsExt;
use std::process::{Output, Stdio};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use posthouse::account::Source;
use posthouse::account::oauth::{Application, ClientProof, Endpoints, Grant, Redirect, Token};
use posthouse::account::vault::{Expected, Holder, Record, Vault, Written};
use posthouse::app::control::{self, Told};
use posthouse::app::{self, StartError};
use posthouse::disk::{Ownership, OwnershipError};
use posthouse::journal::Journal;
use posthouse::net::control::{Door, socket};
use posthouse::smtp::client::Timeouts;
use posthouse::store::file::FileVault;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::Command;

use crate::scene::{Log, Scene};

const PATIENCE: Duration = Duration::from_mins(1);

/// The program with the scene's storage directory and one account, not yet started.
pub fn posthouse(scene: &Scene, arguments: &[&str]) -> Command {
    let home = scene.directory.path();
    // Where nobody else listens: a port that was free may be another test's by the time it is bound.
    let address = std::net::TcpListener::bind("127.77.0.1:0").unwrap().local_addr().unwrap();
    let text = format!(
        "[[listeners]]\nbind = [\"{address}\"]\n\
         [accounts.office]\nhost = \"127.0.0.1\"\nport = {}\nca_file = \"authority.pem\"\naddress = \"a@example.com\"\n\
         password = \"x\"\n[storage]\ndirectory = \"storage\"\n",
        scene.sandbox.implicit().port()
    );
    let path = home.join("posthouse.toml");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_posthouse"));
    command.args(arguments).current_dir(home).env_clear().env("HOME", home).kill_on_drop(true);
    command
}

pub async fn run(mut command: Command) -> (i32, String) {
    let ran = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let Output { status, stdout, stderr } = ran;
    let printed = [stdout, stderr].concat();
    (status.code().unwrap(), String::from_utf8(printed).unwrap())
}

/// An account that a person has to sign in.
async fn nobody_signed_in() -> Scene {
    Scene::account(|account, sandbox| {
        account.credential = Source::from(Grant::AuthorizationCode {
            application: Application {
                endpoints: Endpoints::token_only(sandbox.token_endpoint().parse().unwrap()),
                client_id: sandbox.settings().client_id.clone(),
                proof: ClientProof::None,
                scope: None,
                unused_refresh_life: None,
            },
            redirect: Redirect::Elsewhere("https://example.com/".into()),
            parameters: Vec::new(),
        });
    })
    .await
}

/// What a login leaves in the vault.
fn sign_in(scene: &Scene) {
    let account = &scene.config.accounts[0];
    let Source::OAuth(grant) = &account.credential else { panic!("no grant") };
    let user = account.address.as_deref().unwrap();
    let token = Token {
        access_token: scene.sandbox.issue_token(user, Duration::from_hours(1)).unwrap(),
        life: Some(Duration::from_hours(1)),
        refresh_token: None,
        refresh_life: None,
        scope: None,
    };
    let now = jiff::Timestamp::now();
    let record = Record::signed_in(grant, grant.application().unwrap(), user, token, now);
    let vault = FileVault::new(scene.config.storage.clone());
    let written = vault.put(&account.name, &record, Expected::Any, &Holder::new(false)).unwrap();
    assert!(matches!(written, Written::Done(_)));
}

#[tokio::test]
async fn a_second_relay_on_one_directory_ends_at_once_and_names_the_first() {
    let scene = Scene::start().await;
    let second = app::start(&scene.config, Journal::default(), Timeouts::default());
    let Err(StartError::Ownership(OwnershipError::Taken { pid, .. })) = second else { panic!("{second:?}") };
    assert_eq!(pid, Some(std::process::id()));
    let (code, said) = run(posthouse(&scene, &["serve"])).await;
    assert_eq!(code, 75, "{said}");
    let directory = scene.config.storage.directory.canonicalize().unwrap();
    assert!(said.contains(&format!("process id {}", std::process::id())), "{said}");
    assert!(said.contains(directory.file_name().unwrap().to_str().unwrap()), "{said}");
    assert!(said.contains("`storage.directory`"), "{said}");
    assert!(scene.device().await.mail().await.starts_with("250 "), "the first goes on");
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_said_with_an_exit_code_of_its_own() {
    let scene = Scene::start().await;
    scene.relay.shut_down().await;
    let storage = &scene.config.storage.directory;
    std::fs::remove_dir_all(storage).unwrap();
    std::fs::write(storage, "a file").unwrap();
    let scene = Scene { relay: Scene::start().await.relay, ..scene };
    let (code, said) = run(posthouse(&scene, &["serve"])).await;
    assert_eq!(code, 73, "{said}");
    assert!(said.contains("cannot be made") && said.contains("`storage.directory`"), "{said}");
}

#[tokio::test]
async fn an_ended_relay_leaves_no_socket_and_a_killed_one_stands_in_nobodys_way() {
    let mut scene = Scene::start().await;
    let directory = scene.config.storage.directory.clone();
    assert_eq!(std::fs::metadata(socket(&directory)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    scene.relay.shut_down().await;
    assert!(!socket(&directory).exists());
    drop(Ownership::take(&directory).unwrap());

    let elsewhere = Scene::start().await;
    scene.relay = elsewhere.relay;
    let mut serving = posthouse(&scene, &["serve"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(serving.stderr.take().unwrap()).lines();
    let mut said = String::new();
    while !said.contains("listening") {
        said.push_str(&log.next_line().await.unwrap().unwrap_or_else(|| panic!("it ended: {said}")));
    }
    let running = control::running(&scene.config.storage).await.unwrap();
    assert_eq!(Some(running.pid), serving.id());
    // SIGKILL: nothing is tidied up.
    serving.kill().await.unwrap();
    assert!(socket(&directory).exists());
    assert_eq!(control::tell_signed_in(&scene.config.storage, &"office".into()).await, Told::NotRunning);
    let (code, said) = run(posthouse(&scene, &["accounts"])).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("alone") && said.contains("no relay is running on"), "{said}");

    let scene = scene.restarted(|_| {}).await;
    let running = control::running(&scene.config.storage).await.unwrap();
    assert_eq!(running.pid, std::process::id());
}

#[tokio::test]
async fn a_sign_in_that_the_relay_is_told_of_ends_the_hold_at_once() {
    let scene = nobody_signed_in().await;
    let (storage, account) = (&scene.config.storage, &scene.config.accounts[0].name);
    let mut device = scene.device().await;
    assert!(device.mail().await.starts_with("451 4.7.0"));
    let (relay, accounts) = control::accounts(storage).await.unwrap();
    assert_eq!((relay.pid, relay.version.as_str()), (std::process::id(), env!("CARGO_PKG_VERSION")));
    assert_eq!(accounts[0].status.hold.as_ref().unwrap().code, "not_signed_in");

    sign_in(&scene);
    assert_eq!(control::tell_signed_in(storage, account).await, Told::Running);
    assert!(device.mail().await.starts_with("250 "), "nobody waits for the next try");
    let (_, accounts) = control::accounts(storage).await.unwrap();
    assert_eq!(accounts[0].status.hold, None);
    assert!(accounts[0].status.token.as_ref().unwrap().ends.is_some());
    assert_eq!(accounts[0].warnings[0].code, "sign_in_not_renewable", "what is to be warned of travels along");

    assert!(FileVault::new(storage.clone()).remove(account, Expected::Any).unwrap());
    assert_eq!(control::tell_signed_out(storage, account).await, Told::Running);
    let heard = scene.restarted(|_| {}).await.device().await.mail().await;
    assert!(heard.starts_with("451 4.7.0"), "{heard}");
}

#[tokio::test]
async fn no_token_in_memory_outlives_a_sign_out() {
    let scene = nobody_signed_in().await;
    sign_in(&scene);
    let (storage, account) = (&scene.config.storage, &scene.config.accounts[0].name);
    let mut device = scene.device().await;
    assert!(device.mail().await.starts_with("250 "));
    assert!(FileVault::new(storage.clone()).remove(account, Expected::Any).unwrap());
    assert_eq!(control::tell_signed_out(storage, account).await, Told::Running);
    // Its connection was signed in before; the next one is not.
    scene.sandbox.faults().plan(
        posthouse::sandbox::fault::Stage::Mail,
        posthouse::sandbox::fault::Fault::reply_then_close(421, "4.7.0 idle"),
        posthouse::sandbox::fault::Times::Once,
    );
    let heard = device.mail().await;
    assert!(heard.starts_with("451 4.7.0"), "{heard}");
}

#[tokio::test]
async fn who_is_not_understood_says_so_and_nothing_more() {
    let scene = Scene::start().await;
    let Told::NotHeard(why) = control::tell_signed_in(&scene.config.storage, &"nowhere".into()).await else {
        panic!("there is no such account")
    };
    assert!(why.contains("no account of this name") && why.contains("restart it"), "{why}");

    // A relay of another version, as far as anybody can tell.
    let mut storage = scene.config.storage.clone();
    storage.directory = scene.directory.path().join("other");
    let owner = Ownership::take(&storage.directory).unwrap();
    let old = || async { (StatusCode::NOT_FOUND, [("server", "posthouse/0.0.9")]) };
    let _door = Door::open(&owner, Router::new().fallback(old)).unwrap();
    let Told::NotHeard(why) = control::tell_signed_in(&storage, &"office".into()).await else { panic!("understood") };
    assert!(why.contains("is version 0.0.9 and this command is version"), "{why}");
    assert!(control::accounts(&storage).await.unwrap_err().to_string().contains("0.0.9"));
}

#[tokio::test]
async fn whatever_is_thrown_at_the_socket_mail_goes_on() {
    let scene = Scene::start().await;
    let path = socket(&scene.config.storage.directory);
    let mut held = Vec::new();
    for round in 0..60_u8 {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        let garbage = vec![round; 70_000];
        let rude: &[u8] = if round % 2 == 0 { b"POST /v1/accounts/office/signed-in HTTP/1.1\r\n" } else { &garbage };
        // It may hang up before all is written.
        let _ = tokio::time::timeout(Duration::from_millis(1), stream.write_all(rude)).await;
        held.push(stream);
    }
    for _ in 0..3 {
        assert!(scene.device().await.mail().await.starts_with("250 "));
    }
    drop(held);
    assert_eq!(control::running(&scene.config.storage).await.unwrap().pid, std::process::id());
}

/// Needs root, to be somebody else for once; who may ask is otherwise tested by numbers in the room itself.
#[tokio::test]
async fn another_user_of_the_machine_is_not_heard() {
    let scene = Scene::start().await;
    let home = scene.directory.path();
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let path = socket(&scene.config.storage.directory);
    let curl = |uid: u32| {
        let mut command = Command::new("curl");
        let (_, path) = (command.uid(uid), path.to_str().unwrap());
        command.args(["--silent", "--unix-socket", path, "http://posthouse/v1/status"]).env_clear().kill_on_drop(true);
        command
    };
    let Ok(ours) = curl(0).output().await else { return eprintln!("not tried: this is not root, or without curl") };
    assert!(String::from_utf8_lossy(&ours.stdout).contains("\"pid\""), "root is heard");
    open(home, 0o755);
    let kept_out = curl(65_534).output().await.unwrap();
    assert_eq!((kept_out.status.code(), kept_out.stdout.len()), (Some(7), 0), "it cannot even connect");
    let log = Log::capture();
    open(&scene.config.storage.directory, 0o755);
    open(&path, 0o666);
    let refused = curl(65_534).output().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&refused.stdout), "");
    log.wait_for_line(&["another user knocked at the control socket", "65534"]).await;
}

#[tokio::test]
async fn accounts_tells_what_the_relay_knows_and_monitoring_hears_it_by_code() {
    let scene = nobody_signed_in().await;
    let (code, said) = run(posthouse(&scene, &["accounts", "--check"])).await;
    assert_eq!(code, 77, "{said}");
    assert!(said.contains("not signed in") && said.contains("posthouse login office"), "{said}");
    assert!(said.contains(&format!("As the running relay sees it: process {}", std::process::id())), "{said}");
    let (code, said) = run(posthouse(&scene, &["accounts", "office", "--json"])).await;
    assert_eq!(code, 0, "without --check it has told what it was asked");
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(told["accounts"][0]["state"], "not_signed_in");
    assert_eq!(told["relay"]["pid"], std::process::id());
    let (code, said) = run(posthouse(&scene, &["accounts", "nobody"])).await;
    assert_eq!(code, 64, "{said}");
    assert!(said.contains("the running relay has office"), "{said}");
}
