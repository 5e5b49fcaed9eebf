//! `posthouse logout`, run as a program: the provider is told first, and nothing is forgotten that could not be ended.
//!
//! The provider is a revocation endpoint that answers as it is told and writes down what it hears. Tokens lie in a real
//! vault.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use jiff::Timestamp;
use posthouse::account::oauth::{Application, ClientProof, Endpoints, Grant, Redirect, Token};
use posthouse::account::vault::{Expected, Holder, Lease, Record, Vault, Written};
use posthouse::app;
use posthouse::journal::Journal;
use posthouse::secret::Secret;
use posthouse::smtp::client::Timeouts;
use posthouse::store::file::{FileVault, KeySource, Settings as Storage};
use tokio::process::Command;

use crate::scene::Scene;

const REFRESH_TOKEN: &str = "1//refresh+token/of=the&test";

/// Where the key lies for who lives in the directory.
const KEY: &str = ".config/posthouse/vault.key";

type Heard = Arc<Mutex<(u16, Vec<String>)>>;

/// A signed-in account, and the provider it is from.
struct Stand {
    directory: tempfile::TempDir,
    provider: String,
    heard: Heard,
    vault: FileVault,
}

async fn revoke(State(heard): State<Heard>, body: String) -> StatusCode {
    let mut heard = heard.lock().unwrap();
    heard.1.push(body);
    StatusCode::from_u16(heard.0).unwrap()
}

impl Stand {
    async fn new() -> Self {
        let heard: Heard = Arc::new(Mutex::new((200, Vec::new())));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().route("/revoke", post(revoke)).with_state(Arc::clone(&heard));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let directory = tempfile::tempdir().unwrap();
        let vault = FileVault::new(storage(directory.path()));
        let stand = Self { directory, provider, heard, vault };
        stand.configure("authorization_code", "");
        stand.sign_in();
        stand
    }

    /// `more`: further keys of the grant.
    fn configure(&self, grant: &str, more: &str) {
        let provider = &self.provider;
        let text = format!(
            "[accounts.office]\nhost = \"127.0.0.1\"\nport = 1\naddress = \"a@example.com\"\n[accounts.office.oauth]\n\
             grant = \"{grant}\"\nclient_id = \"posthouse\"\ntoken_endpoint = \"{provider}/token\"\n{more}\n\
             [accounts.fax]\nhost = \"127.0.0.1\"\nport = 1\naddress = \"fax@example.com\"\npassword = \"x\"\n\
             [[routes]]\naccounts = [\"office\"]\n[storage]\ndirectory = \"storage\"\n"
        );
        let more = if grant == "authorization_code" {
            format!(
                "[accounts.office.oauth]\nauthorization_endpoint = \"{provider}/authorize\"\n\
                 revocation_endpoint = \"{provider}/revoke\"\n"
            )
        } else {
            "[accounts.office.oauth]\n".to_owned()
        };
        let text = text.replace("[accounts.office.oauth]\n", &more);
        let mut file = tempfile::NamedTempFile::new_in(self.directory.path()).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        file.persist(self.directory.path().join("posthouse.toml")).unwrap();
    }

    /// What a login leaves behind.
    fn sign_in(&self) {
        let application = application(&self.provider);
        let redirect = Redirect::Elsewhere("https://example.com/".into());
        let grant = Grant::AuthorizationCode { application: application.clone(), redirect, parameters: Vec::new() };
        let token = Token {
            access_token: Secret::new("access".into()),
            life: Some(Duration::from_hours(1)),
            refresh_token: Some(Secret::new(REFRESH_TOKEN.into())),
            refresh_life: None,
            scope: None,
        };
        let record = Record::signed_in(&grant, &application, "a@example.com", token, Timestamp::now());
        let written = self.vault.put(&"office".into(), &record, Expected::Any, &Holder::new(false)).unwrap();
        assert!(matches!(written, Written::Done(_)));
    }

    fn answers(&self, status: u16) {
        self.heard.lock().unwrap().0 = status;
    }

    /// What the provider was asked.
    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().1.clone()
    }

    fn is_signed_in(&self) -> bool {
        self.vault.get(&"office".into()).unwrap().is_some()
    }

    async fn logout(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_posthouse"));
        let home = self.directory.path();
        command.arg("logout").args(arguments).current_dir(home).env_clear().env("HOME", home).kill_on_drop(true);
        let ran = tokio::time::timeout(Duration::from_mins(1), command.output()).await.unwrap().unwrap();
        let printed = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
        assert!(!printed.contains("refresh+token"), "{printed}");
        (ran.status.code().unwrap(), printed)
    }
}

fn storage(directory: &Path) -> Storage {
    Storage { key: KeySource::Made(directory.join(KEY)), directory: directory.join("storage") }
}

fn application(provider: &str) -> Application {
    Application {
        endpoints: Endpoints::token_only(format!("{provider}/token").parse().unwrap()),
        client_id: "posthouse".into(),
        proof: ClientProof::None,
        scope: None,
        unused_refresh_life: None,
    }
}

#[tokio::test]
async fn the_provider_takes_the_token_back_before_it_is_forgotten() {
    let stand = Stand::new().await;
    let (code, said) = stand.logout(&["office"]).await;
    assert_eq!(code, 0, "{said}");
    let heard = stand.heard();
    assert_eq!(heard.len(), 1);
    let token = percent_encoding::utf8_percent_encode(REFRESH_TOKEN, percent_encoding::NON_ALPHANUMERIC).to_string();
    assert!(heard[0].contains(&format!("token={token}")) && heard[0].contains("client_id=posthouse"), "{heard:?}");
    assert!(!stand.is_signed_in());
    assert!(said.contains("the provider has taken the sign-in back"), "{said}");
    assert!(said.contains("`posthouse login office`"), "{said}");
    assert!(!said.contains("relay"), "none is running: {said}");
    let (code, said) = stand.logout(&["office"]).await;
    assert_eq!((code, said.as_str()), (0, "Nothing is kept of account office: nobody is signed in.\n"));
}

#[tokio::test]
async fn what_the_provider_could_not_be_told_of_is_not_forgotten_unless_by_force() {
    let stand = Stand::new().await;
    stand.answers(503);
    let (code, said) = stand.logout(&["office"]).await;
    assert_eq!(code, 75, "{said}");
    assert!(said.contains("left as it is") && said.contains("503") && said.contains("--force"), "{said}");
    assert!(stand.is_signed_in());
    let free = stand.vault.lease(&"office".into(), &Holder::new(false), Timestamp::now()).unwrap();
    assert!(matches!(free, Lease::Yours(_)), "nobody else is kept from renewing: {free:?}");
    let stand = Stand::new().await;
    stand.answers(503);
    let (code, said) = stand.logout(&["office", "--force", "--json"]).await;
    assert_eq!(code, 0, "{said}");
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&told["provider"], &told["removed"]), (&"failed".into(), &true.into()));
    assert!(told["to_do"][0].as_str().unwrap().starts_with("The provider was not told"), "{told}");
    assert!(!stand.is_signed_in());
}

#[tokio::test]
async fn a_provider_without_such_an_endpoint_leaves_something_to_do() {
    let stand = Stand::new().await;
    stand.configure("refresh_token", "refresh_token = \"brought\"");
    let (code, said) = stand.logout(&["office"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("no way for programs to end a sign-in") && said.contains("connected applications"), "{said}");
    assert!(said.contains("still brings a refresh token"), "{said}");
    assert!(stand.heard().is_empty() && !stand.is_signed_in());
}

#[tokio::test]
async fn a_sign_in_that_is_being_renewed_is_let_be() {
    let stand = Stand::new().await;
    let renewing = Holder::new(false);
    assert!(matches!(stand.vault.lease(&"office".into(), &renewing, Timestamp::now()).unwrap(), Lease::Yours(_)));
    let (code, said) = stand.logout(&["office"]).await;
    assert_eq!(code, 75, "{said}");
    assert!(said.contains("being renewed just now"), "{said}");
    assert!(stand.heard().is_empty() && stand.is_signed_in());
    assert_eq!(stand.logout(&["office", "--force"]).await.0, 0);
    assert!(stand.heard().len() == 1 && !stand.is_signed_in());
}

#[tokio::test]
async fn the_provider_is_left_out_where_that_is_asked_for_or_where_the_token_is_not_ours() {
    let stand = Stand::new().await;
    let (code, said) = stand.logout(&["office", "--keep-at-provider", "--json"]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&said).unwrap()["provider"], "not_told");
    stand.sign_in();
    let path = stand.directory.path().join("posthouse.toml");
    let text = std::fs::read_to_string(&path).unwrap().replace("client_id = \"posthouse\"", "client_id = \"another\"");
    std::fs::write(&path, text).unwrap();
    let (code, said) = stand.logout(&["office", "--json"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("\"provider\": \"other_application\""), "{said}");
    assert!(stand.heard().is_empty() && !stand.is_signed_in());
}

#[tokio::test]
async fn what_was_never_signed_in_is_told_apart() {
    let stand = Stand::new().await;
    let (code, said) = stand.logout(&["fax"]).await;
    assert_eq!(code, 0);
    assert!(said.contains("Its credential stands in the configuration"), "{said}");
    let (code, said) = stand.logout(&["ofice"]).await;
    assert_eq!(code, 64);
    assert!(said.contains("there is no account `ofice`"), "{said}");
    assert!(stand.is_signed_in() && stand.heard().is_empty());
}

#[tokio::test]
async fn tokens_that_cannot_be_read_can_be_forgotten() {
    let stand = Stand::new().await;
    std::fs::remove_file(stand.directory.path().join(KEY)).unwrap();
    let (code, said) = stand.logout(&["office"]).await;
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("vault.key") || said.contains("key"), "{said}");
    assert!(stand.vault.list().unwrap().len() == 1);
    let (code, said) = stand.logout(&["office", "--force"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(stand.vault.list().unwrap().is_empty());
}

#[tokio::test]
async fn a_running_relay_is_told() {
    let stand = Stand::new().await;
    let mut scene = Scene::start().await;
    scene.config.storage = storage(stand.directory.path());
    let relay = app::start(&scene.config, Journal::default(), Timeouts::default()).unwrap();
    let (code, said) = stand.logout(&["office"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("The running relay has been told"), "{said}");
    relay.shut_down().await;
}
