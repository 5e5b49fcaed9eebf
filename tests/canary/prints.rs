//! Debug prints of everything that knows a secret or may have been given one by mistake.
//!
//! Nobody prints these on purpose; the day somebody does, a `{:?}` in a log line must not be what gives a secret away.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use percent_encoding::NON_ALPHANUMERIC;
use posthouse::account::keeper::{Keeper, Tools};
use posthouse::account::oauth::Token;
use posthouse::account::signin::Credential;
use posthouse::account::vault::{Facts, Holder, Lease, Record, Stored};
use posthouse::config::{self, Override, Sources, report};
use posthouse::journal::Journal;
use posthouse::net::clock::Clock;
use posthouse::net::http::HttpClient;
use posthouse::net::trust::{self, ClientTls};
use posthouse::sandbox::{Sandbox, Settings};
use posthouse::secret::Secret;
use posthouse::smtp::client::{Client, Login, Timeouts};
use posthouse::smtp::server::{Auth, Event, LineEndings, Security, Server};
use posthouse::smtp::trace::Trace;
use posthouse::smtp::{Conversation, Output, client, server};
use posthouse::store::file::{FileVault, KeySource, Settings as Storage};
use posthouse::upstream::Upstream;

use tokio_util::task::TaskTracker;

use crate::detector::{Canary, finds};
use crate::stage::{planted, quoted};

fn all() -> [Canary; 5] {
    [planted::password(), planted::client_secret(), planted::device(), planted::proxy(), planted::stray()]
}

fn clean(what: &str, printed: &str) {
    assert!(!printed.is_empty());
    let finds = finds(&all(), printed.as_bytes());
    assert!(finds.is_empty(), "{what} gives away {finds:#?}");
}

/// Printed in both ways.
fn prints<T: std::fmt::Debug>(what: &str, value: &T) {
    clean(what, &format!("{value:?}\n{value:#?}"));
}

/// Every credential an account can have, with the secret wherever it can stand.
fn credentials() -> Vec<String> {
    let (password, stray, client) = (
        quoted(&planted::password().secret),
        quoted(&planted::stray().secret),
        quoted(&planted::client_secret().secret),
    );
    let (query, proxy) = (planted::stray().secret, planted::proxy().secret);
    let oauth = |authentication: &str| {
        format!(
            "oauth = {{ grant = \"client_credentials\", client_id = \"app\", client_secret = {client}, \
             client_authentication = \"{authentication}\", token_endpoint = \"https://127.0.0.1:1/token?key={query}\" }}"
        )
    };
    vec![
        format!("password = {password}"),
        format!("password_command = [\"/bin/echo\", {stray}]"),
        format!("password_command = {stray}"),
        format!(
            "oauth = {{ grant = \"command\", command = [\"/bin/echo\", \"--token={}\"] }}",
            planted::stray().secret
        ),
        oauth("basic"),
        oauth("body"),
        format!("proxy = \"socks5://me:{}@proxy\"", percent_encoding::utf8_percent_encode(&proxy, NON_ALPHANUMERIC)),
        format!("{}\nproxy = \"http://me@proxy:1\"\nproxy_password = {}", oauth("body"), quoted(&proxy)),
    ]
}

#[tokio::test]
async fn settings_and_what_is_made_of_them_print_no_secret() {
    for credential in credentials() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let text = format!(
            "[accounts.office]\nhost = \"smtp.example.com\"\naddress = \"a@example.com\"\n{credential}\n\
             [devices.fax]\npassword = {}\n",
            quoted(&planted::device().secret)
        );
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        let variable = ("POSTHOUSE__DEVICES__FAX__PASSWORD".to_owned(), planted::stray().secret);
        let flag = Override { flag: "--x".into(), key: "devices.fax.password".into(), value: planted::stray().secret };
        prints("a flag", &flag);
        let sources =
            Sources { path: Some(file.path().into()), environment: BTreeMap::from([variable]), overrides: vec![flag] };
        prints("the sources", &sources);
        let loaded = config::load(&sources).unwrap();
        prints("the configuration", &loaded);
        let now = Instant::now();
        let http = HttpClient::new(trust::http_terms(&trust::Settings::default(), now).unwrap(), None);
        for account in loaded.config.accounts {
            let keeper = Keeper::new(&account, tools(http.clone())).unwrap();
            // What it holds by now, if it holds something.
            let credential = keeper.credential().await;
            prints("a keeper", &keeper);
            prints("a credential", &credential);
            let (ours, timeouts) = (Arc::new(OnceLock::new()), Timeouts::default());
            let tls = ClientTls::load(&account.trust, now).unwrap();
            let upstream = Upstream::new(account, keeper, tls, ours, "h".into(), timeouts, Journal::default());
            prints("an upstream", &upstream);
        }
    }
}

#[tokio::test]
async fn the_practice_provider_prints_no_secret() {
    let settings = Settings {
        password: Secret::new(planted::password().secret),
        client_secret: Secret::new(planted::client_secret().secret),
        ..Settings::new().unwrap()
    };
    prints("its settings", &settings);
    let sandbox = Sandbox::start(settings).await.unwrap();
    let token = sandbox.issue_token(&sandbox.settings().username, Duration::from_hours(1)).unwrap();
    let printed = format!("{sandbox:?} {token:?}");
    assert!(finds(&[Canary::new("a token", token.expose())], printed.as_bytes()).is_empty());
    clean("the sandbox", &printed);
}

#[test]
fn logins_and_tokens_print_no_secret() {
    let secret = || Secret::new(planted::password().secret);
    prints("a secret", &secret());
    prints(
        "a token",
        &Token { access_token: secret(), life: None, refresh_token: None, refresh_life: None, scope: None },
    );
    prints("a credential", &Credential::Password { username: "u".into(), password: secret() });
    let facts = Facts {
        grant: "device_code".into(),
        client_id: "app".into(),
        endpoint: "https://login.example.com/token".into(),
        username: "u".into(),
        scope: None,
        signed_in: Timestamp::UNIX_EPOCH,
        renewed: Timestamp::UNIX_EPOCH,
        access_ends: None,
        refresh_ends: None,
        brought: None,
        last_reply: None,
    };
    let record = Record { refresh_token: Some(secret()), access_token: Some(secret()), facts };
    prints("a lease", &Lease::Yours(Box::new(Stored { version: 1, record })));
    let storage = Storage { directory: "/nonexistent".into(), key: KeySource::Given(secret()) };
    prints("a vault", &FileVault::new(storage));
    for login in [
        Login::Plain { user: "u".into(), password: secret() },
        Login::Login { user: "u".into(), password: secret() },
        Login::CramMd5 { user: "u".into(), password: secret() },
        Login::XOAuth2 { user: "u".into(), token: secret() },
        Login::OAuthBearer { user: "u".into(), token: secret(), host: "h".into(), port: 587 },
    ] {
        prints("a login", &login);
    }
}

/// The dialogue with a device, printed after every line of every way to sign in, user name and password mixed up.
#[test]
fn a_server_in_the_middle_of_an_exchange_prints_no_secret() {
    let base64 = |text: String| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    let stray = planted::stray().secret;
    let inline = format!("AUTH PLAIN {}", base64(format!("\0{stray}\0{stray}")));
    let user = base64(stray.clone());
    let answer = base64(format!("{stray} 00112233445566778899aabbccddeeff"));
    let scripts: [&[&str]; 5] = [
        &[&inline],
        &["AUTH LOGIN", &user, &user],
        &[&user, &stray],
        &["AUTH LOGIN", "*", &stray],
        &["AUTH CRAM-MD5", &answer],
    ];
    for script in scripts {
        let now = Instant::now();
        let mut dialogue: Server<()> = Server::new(Arc::new(settings()), security(), true, now);
        for line in ["EHLO x"].iter().chain(script) {
            // Octets that wait to become a line count as well.
            dialogue.receive(line.as_bytes(), now);
            prints("a dialogue before the line is whole", &dialogue);
            dialogue.receive(b"\r\nNOO", now);
            prints("a dialogue", &dialogue);
            drain(&mut dialogue, now);
            prints("a dialogue after the line", &dialogue);
            dialogue.receive(b"P\r\n", now);
            drain(&mut dialogue, now);
        }
    }
}

/// Lets the dialogue speak until it waits; any login is right.
fn drain(dialogue: &mut Server<()>, now: Instant) {
    loop {
        match dialogue.poll(now) {
            Output::Event(event) => {
                prints("an event", &event);
                if let Event::Login(question) = event {
                    dialogue.answer_login(question, Ok(()), now);
                }
            }
            Output::Send(_) => {}
            Output::Wait(_) | Output::Close => return,
        }
    }
}

fn settings() -> server::Settings {
    server::Settings {
        hostname: "relay.example.org".into(),
        dsn: true,
        starttls: false,
        auth: Auth::Optional,
        max_size: 1 << 20,
        max_recipients: 100,
        line_endings: LineEndings::Auto,
        idle: Duration::from_mins(5),
        minimum_rate: 500,
    }
}

fn security() -> Security {
    Security { tls: true, auth_in_clear: true, nonce: 7 }
}

/// The dialogue with a provider: its events and faults when the provider repeats the password at once.
#[test]
fn events_of_a_client_print_no_secret() {
    let password = planted::password().secret;
    let now = Instant::now();
    let settings = client::Settings {
        host: "smtp.example.com".into(),
        helo_name: "relay.example.org".into(),
        starttls: client::StartTls::Never,
        needs_login: true,
        pipelining: true,
        timeouts: Timeouts::default(),
    };
    for answer in [format!("535 5.7.8 {password}\r\n"), format!("{password}\r\n"), format!("334 {password}\r\n")] {
        let mut client = Client::new(Arc::new(settings.clone()), Trace::new(now, true), now);
        for said in ["220 hi\r\n", "250-hi\r\n250 AUTH PLAIN\r\n", &answer, &answer] {
            client.receive(said.as_bytes(), now);
            loop {
                match client.poll(now) {
                    Output::Event(event) => {
                        prints("an event", &event);
                        let login = Login::Plain { user: "u".into(), password: Secret::new(password.clone()) };
                        if matches!(event, client::Event::Ready) {
                            client.login(&login, now);
                        }
                    }
                    Output::Send(_) => {}
                    Output::Wait(_) | Output::Close => break,
                }
            }
        }
        prints("its transcript", client.trace());
    }
}

/// Mistakes in a configuration that holds secrets in the right and in the wrong places.
#[test]
fn reports_of_a_wrong_configuration_print_no_secret() {
    for (text, variable) in mistakes() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        let environment = variable.into_iter().map(|name| (name.to_owned(), planted::stray().secret)).collect();
        let sources = Sources { path: Some(file.path().into()), environment, overrides: Vec::new() };
        let report = config::load(&sources).unwrap_err();
        prints("the report", &report);
        clean("as text", &format!("{report}{}", report::text(&report.findings, true)));
        clean("as JSON", &report::json(&report.findings).to_string());
    }
}

/// Files with a mistake, and the name of a variable that holds the stray secret.
pub fn mistakes() -> Vec<(String, Option<&'static str>)> {
    let stray = quoted(&planted::stray().secret);
    let account = "[accounts.a]\nhost = \"smtp.example.com\"\naddress = \"a@example.com\"\n";
    vec![
        (format!("{account}pasword = {stray}\n"), None),
        (format!("{account}password = [{stray}\n"), None),
        (format!("{account}password = {stray}\npassword_file = {stray}\n"), None),
        (format!("{account}password_file = {stray}\n"), None),
        (format!("{account}port = {stray}\n"), None),
        (format!("{account}oauth = {{ grant = {stray} }}\n"), None),
        (format!("{account}password = {}\nport = 0\n", quoted(&planted::password().secret)), None),
        (account.into(), Some("POSTHOUSE__ACCOUNTS__A__PASSWROD")),
        (account.into(), Some("POSTHOUSE__ACCOUNTS__A__PORT")),
        (account.into(), Some("POSTHOUSE__ACCOUNTS__A__PASSWORD_FILE")),
        (account.into(), Some("POSTHOUSE__LOG__LEVEL")),
    ]
}

fn tools(http: HttpClient) -> Tools {
    let nowhere = std::path::Path::new("/nonexistent/posthouse");
    let storage = Storage { directory: nowhere.into(), key: KeySource::File(nowhere.join("key")) };
    let vault = Arc::new(FileVault::new(storage));
    Tools { http, vault, holder: Holder::new(false), clock: Clock::default(), renewals: TaskTracker::new() }
}
