//! What a sign-in keeps, and all who are told of it: the control socket, `accounts` and `logout`.
//!
//! The tokens lie in a real vault; the relay holds them, the provider repeats them, commands print what they hear.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use posthouse::account::oauth::{Application, ClientProof, Endpoints, Grant, Redirect, Token};
use posthouse::account::vault::{Expected, Holder, Record, Reply, Vault};
use posthouse::app;
use posthouse::config::{self, Sources};
use posthouse::journal::Journal;
use posthouse::net::control::{Method, ask};
use posthouse::sandbox::Sandbox;
use posthouse::secret::Secret;
use posthouse::smtp::client::Timeouts;
use posthouse::store::file::FileVault;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::detector::Canary;
use crate::ears::Ears;
use crate::stage::{account, planted, provider};

fn refresh_token() -> Canary {
    Canary::new("the refresh token", "rT0-9k+/Vq_w~Z!m3%y F\"u7\\&Jn=2Pc?sX6;hK")
}

/// An endpoint that refuses whatever it is sent, and repeats it.
async fn repeating() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut octets = vec![0; 8192];
            let read = stream.read(&mut octets).await.unwrap();
            let sent = String::from_utf8_lossy(&octets[..read]).replace(['"', '\\', '\r', '\n'], " ");
            let raw = refresh_token().secret;
            let body = serde_json::json!({ "error": "invalid_request", "error_description": format!("{raw} {sent}") });
            let body = body.to_string();
            let answer = format!("HTTP/1.1 400 Bad\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}")
}

fn configure(home: &Path, sandbox: &Sandbox, endpoint: &str) -> config::Loaded {
    std::fs::write(home.join("ca.pem"), sandbox.authority_pem()).unwrap();
    let text = format!(
        "hostname = \"relay.example.org\"\n[[listeners]]\nbind = [\"127.0.0.1:2525\"]\n{}[accounts.office.oauth]\n\
         grant = \"authorization_code\"\nclient_id = \"posthouse\"\ntoken_endpoint = \"{endpoint}/token\"\n\
         authorization_endpoint = \"{endpoint}/authorize\"\nrevocation_endpoint = \"{endpoint}/revoke\"\n\
         [storage]\ndirectory = \"storage\"\n",
        account(sandbox),
    );
    let path = home.join("posthouse.toml");
    std::fs::write(&path, text).unwrap();
    let environment = [("HOME".to_owned(), home.display().to_string())].into();
    let sources = Sources { path: Some(path), environment, overrides: Vec::new() };
    config::load(&sources).unwrap_or_else(|report| panic!("{report}"))
}

/// A sign-in with these tokens, the last renewal of which went wrong.
fn sign_in(vault: &FileVault, sandbox: &Sandbox, endpoint: &str, access_token: Secret) {
    let application = Application {
        endpoints: Endpoints::token_only(format!("{endpoint}/token").parse().unwrap()),
        client_id: "posthouse".into(),
        proof: ClientProof::None,
        scope: None,
        unused_refresh_life: None,
    };
    let redirect = Redirect::Elsewhere("https://example.com/".into());
    let grant = Grant::AuthorizationCode { application: application.clone(), redirect, parameters: Vec::new() };
    let token = Token {
        access_token,
        life: Some(Duration::from_hours(1)),
        refresh_token: Some(Secret::new(refresh_token().secret)),
        refresh_life: Some(Duration::from_hours(24)),
        scope: Some("mail offline".into()),
    };
    let user = &sandbox.settings().username;
    let mut record = Record::signed_in(&grant, &application, user, token, Timestamp::now());
    record.facts.last_reply = Some(Reply { at: Timestamp::now(), code: None, text: "a new token".into() });
    let _ = vault.put(&"office".into(), &record, Expected::Any, &Holder::new(false)).unwrap();
}

async fn posthouse(home: &Path, arguments: &[&str]) -> (i32, Vec<u8>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_posthouse"));
    command.args(arguments).args(["--log-level", "trace"]).current_dir(home).env_clear().env("HOME", home);
    let ran = tokio::time::timeout(Duration::from_mins(1), command.kill_on_drop(true).output()).await.unwrap().unwrap();
    (ran.status.code().unwrap(), [ran.stdout, ran.stderr].concat())
}

#[tokio::test]
async fn no_token_comes_out_of_the_socket_of_accounts_or_of_logout() {
    let (ears, _listening) = Ears::open();
    let (sandbox, endpoint, home) = (provider().await, repeating().await, tempfile::tempdir().unwrap());
    let mut loaded = configure(home.path(), &sandbox, &endpoint);
    loaded.config.listeners[0].bind[0].set_port(0);
    let access = sandbox.issue_token(&sandbox.settings().username, Duration::from_hours(1)).unwrap();
    let canaries = [Canary::new("the access token", access.expose()), refresh_token(), planted::password()];
    let vault = FileVault::new(loaded.config.storage.clone());
    sign_in(&vault, &sandbox, &endpoint, access);
    let relay = app::start(&loaded.config, Journal::default(), Timeouts::default()).unwrap();
    let mut device = crate::stage::Device::greeted(relay.listening()[0].1, &ears).await;
    assert!(device.mail().await.starts_with("250"), "the relay has the token in memory");

    let storage = &loaded.config.storage.directory;
    for (method, path) in [
        (Method::GET, "/v1/accounts"),
        (Method::GET, "/v1/status"),
        (Method::GET, "/v1/accounts/office"),
        (Method::POST, "/v1/accounts/nobody/signed-in"),
    ] {
        let answer = ask(storage, method, path).await.unwrap();
        ears.hear(&answer.body);
        ears.hear(format!("{answer:?}"));
        assert!(path != "/v1/accounts" || String::from_utf8_lossy(&answer.body).contains("\"kept\""));
    }
    for (arguments, expected) in [
        (&["accounts"][..], 0),
        (&["accounts", "office"], 0),
        (&["accounts", "--json", "--check"], 0),
        (&["logout", "office"], 75),
        (&["logout", "office", "--force", "--json"], 0),
    ] {
        let (code, printed) = posthouse(home.path(), arguments).await;
        let text = String::from_utf8_lossy(&printed);
        assert_eq!(code, expected, "{arguments:?}: {text}");
        assert!(arguments != ["logout", "office"] || text.contains("[secret]"), "the echo was read and cleaned: {text}");
        ears.hear(&printed);
    }
    relay.shut_down().await;
    // And once more from the files alone.
    sign_in(&vault, &sandbox, &endpoint, Secret::new(canaries[0].secret.clone()));
    for arguments in [&["accounts", "office"][..], &["accounts", "--json"], &["logout", "office", "--keep-at-provider"]] {
        let (code, printed) = posthouse(home.path(), arguments).await;
        assert_eq!(code, 0, "{}", String::from_utf8_lossy(&printed));
        ears.hear(&printed);
    }
    ears.are_clean_of("control", &canaries);
}
