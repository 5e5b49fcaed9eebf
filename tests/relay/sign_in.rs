//! `posthouse login` as a person runs it, against the practice provider: by redirect, by paste, by device code,
//! refused.
//!
//! The person is this test: it goes where the program says, with a browser that follows nothing by itself. Each
//! sign-in is proved by the program at the provider's SMTP port, with the tokens it has just kept.

use std::process::Stdio;
use std::time::{Duration, Instant};

use posthouse::net::http::HttpClient;
use posthouse::net::trust::{self, Anchors};
use posthouse::sandbox::{Consent, OAuth, Sandbox, Settings};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::scene::provider;

/// A provider, and a file with one account at it that nobody has signed in.
struct Office {
    sandbox: Sandbox,
    directory: tempfile::TempDir,
}

impl Office {
    async fn new(consent: Consent, grant: &str) -> Self {
        let settings = provider();
        let oauth = OAuth { consent, device_interval: Duration::from_secs(1), ..settings.oauth.clone() };
        let sandbox = Sandbox::start(Settings { oauth, ..settings }).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), sandbox.authority_pem()).unwrap();
        let text = format!(
            "[accounts.office]\nhost = \"127.0.0.1\"\nport = {}\nca_file = \"ca.pem\"\n\
             address = \"scanner@sandbox.example\"\n\
             [accounts.office.oauth]\n{grant}\nclient_id = \"posthouse-desktop\"\ndiscovery = \"{}\"\nscope = \"mail\"\n\
             [storage]\ndirectory = \"data\"\n",
            sandbox.implicit().port(),
            sandbox.discovery()
        );
        std::fs::write(directory.path().join("posthouse.toml"), text).unwrap();
        Self { sandbox, directory }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_posthouse"));
        let home = self.directory.path();
        command.args(arguments).current_dir(home).env_clear().env("HOME", home).kill_on_drop(true);
        command
    }

    fn login(&self, more: &[&str]) -> Person {
        let arguments: Vec<&str> =
            ["--log-level", "trace", "login", "--json"].into_iter().chain(more.iter().copied()).collect();
        let mut command = self.command(&arguments);
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut program = pipes.spawn().unwrap();
        let keyboard = program.stdin.take().unwrap();
        let screen = BufReader::new(program.stdout.take().unwrap()).lines();
        Person { program, keyboard, screen, seen: Vec::new() }
    }

    /// Opens an address, and says where the page sends the browser, with what stands on it.
    async fn browse(&self, address: &str) -> (Option<String>, String) {
        let anchors = Anchors::File(self.directory.path().join("ca.pem"));
        let terms = trust::http_terms(&trust::Settings { anchors, ..trust::Settings::default() }, Instant::now());
        let mut request = oauth2::HttpRequest::default();
        *request.uri_mut() = address.parse().unwrap();
        let page = HttpClient::new(terms.unwrap(), None).exchange(request).await.unwrap();
        let location = page.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        (location, String::from_utf8_lossy(page.body()).into_owned())
    }

    /// Whether the account can be used with what is kept of it.
    async fn works(&self) -> bool {
        self.command(&["test"]).output().await.unwrap().status.success()
    }
}

/// Somebody in front of a running `posthouse login`.
struct Person {
    program: Child,
    keyboard: ChildStdin,
    screen: Lines<BufReader<ChildStdout>>,
    seen: Vec<String>,
}

impl Person {
    /// The next line on the screen; it must be of this type.
    async fn reads(&mut self, kind: &str) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(30), self.screen.next_line()).await;
        let line = line.expect("nothing is said").unwrap().expect("the program has ended");
        self.seen.push(line.clone());
        let event: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(event["type"], kind, "{event}");
        event
    }

    /// The end, its exit code with it, and everything that was printed.
    async fn ends(mut self) -> (Value, i32, String) {
        let summary = self.reads("summary").await;
        drop(self.keyboard);
        let output = self.program.wait_with_output().await.unwrap();
        let all = self.seen.join("\n") + &String::from_utf8(output.stderr).unwrap();
        (summary, output.status.code().unwrap(), all)
    }

    /// The end of a sign-in that went well.
    async fn ends_signed_in(mut self, office: &Office) -> String {
        let kept = self.reads("signed_in").await;
        assert_eq!((&kept["renewable"], &kept["not_granted"]), (&Value::Bool(true), &Value::Array(Vec::new())));
        assert_eq!(self.reads("relay").await["told"], "not_running");
        let proof = self.reads("proof").await;
        assert_eq!((proof["outcome"].as_str(), proof["mechanism"].as_str()), (Some("ok"), Some("XOAUTH2")), "{proof}");
        let (summary, code, all) = self.ends().await;
        assert_eq!((summary["outcome"].as_str(), code), (Some("ok"), 0), "{summary}");
        assert!(office.works().await, "what is kept serves other processes, too");
        assert_eq!(office.sandbox.violations(), []);
        all
    }
}

fn code_in(address: &str) -> String {
    let url = oauth2::url::Url::parse(address).unwrap();
    url.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned()
}

const BY_BROWSER: &str = "grant = \"authorization_code\"\nredirect_uri = \"http://localhost\"";

#[tokio::test]
async fn by_redirect_the_browser_comes_back_to_the_program() {
    let office = Office::new(Consent::Granted, BY_BROWSER).await;
    let mut person = office.login(&[]);
    let open = person.reads("open").await;
    assert_eq!(open["listening"], true);
    let (back, _) = office.browse(open["address"].as_str().unwrap()).await;
    let back = back.unwrap();
    assert!(back.starts_with(open["redirect"].as_str().unwrap()), "{back}");
    let (_, page) = office.browse(&back).await;
    assert!(page.contains("Account office is signed in"), "{page}");
    let all = person.ends_signed_in(&office).await;
    assert!(!all.contains(&code_in(&back)), "the code is printed: {all}");
}

#[tokio::test]
async fn by_paste_a_torn_address_is_enough_and_wrong_ones_are_explained() {
    let office = Office::new(Consent::Granted, BY_BROWSER).await;
    let mut person = office.login(&["--paste"]);
    let open = person.reads("open").await;
    assert_eq!(open["listening"], false);
    let address = open["address"].as_str().unwrap();
    person.keyboard.write_all(format!("{address}\n").as_bytes()).await.unwrap();
    let wrong = person.reads("unusable").await;
    assert!(wrong["reason"].as_str().unwrap().contains("not the one the browser ends up at"), "{wrong}");
    let (back, _) = office.browse(address).await;
    let back = back.unwrap();
    let (first, second) = back.split_at(back.len() / 2);
    person.keyboard.write_all(format!("{first}\r\n{second}\r\n").as_bytes()).await.unwrap();
    let all = person.ends_signed_in(&office).await;
    assert!(!all.contains(&code_in(&back)), "the code is printed: {all}");
}

#[tokio::test]
async fn by_device_code_the_browser_is_somewhere_else() {
    let office = Office::new(Consent::Page, "grant = \"device_code\"").await;
    let mut person = office.login(&[]);
    let code = person.reads("code").await;
    let user_code = code["user_code"].as_str().unwrap();
    assert!(code["verification_uri_complete"].as_str().unwrap().ends_with(user_code), "{code}");
    assert!(office.sandbox.decide_device(user_code, true));
    let all = person.ends_signed_in(&office).await;
    assert!(!all.contains("device_code"), "{all}");
}

#[tokio::test]
async fn a_refusal_says_what_to_do_and_leaves_the_sign_in_there_was() {
    let office = Office::new(Consent::Page, "grant = \"device_code\"").await;
    for (decision, refused) in [(true, None), (false, Some("oauth_access_denied"))] {
        let mut person = office.login(&[]);
        let code = person.reads("code").await;
        assert!(office.sandbox.decide_device(code["user_code"].as_str().unwrap(), decision));
        match refused {
            None => drop(person.ends_signed_in(&office).await),
            Some(code) => {
                let (summary, exit, _) = person.ends().await;
                assert_eq!((&summary["failure"]["code"], &summary["kept"], exit), (&code.into(), &false.into(), 77));
            }
        }
    }
    assert!(office.works().await, "the first sign-in still serves");
}

#[tokio::test]
async fn nobody_at_all_ends_it_with_a_word_for_scripts() {
    let office = Office::new(Consent::Granted, BY_BROWSER).await;
    let mut person = office.login(&["--timeout", "1s"]);
    person.reads("open").await;
    let (summary, code, _) = person.ends().await;
    assert_eq!((summary["kept"].as_bool(), code), (Some(false), 75));
    assert!(summary["reason"].as_str().unwrap().contains("nobody has signed in within 1 s"), "{summary}");
}

#[tokio::test]
async fn nobody_is_asked_to_sign_in_where_nothing_could_be_kept() {
    let office = Office::new(Consent::Granted, BY_BROWSER).await;
    let key = office.directory.path().join(".config/posthouse/vault.key");
    std::fs::create_dir_all(key.parent().unwrap()).unwrap();
    std::fs::write(&key, "no key\n").unwrap();
    let (_, code, said) = office.login(&[]).ends().await;
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("vault.key"), "{said}");
    assert_eq!(office.sandbox.counters().connections, 0);
}

/// What a newcomer does: the demo in one terminal, what it printed in another.
#[tokio::test]
async fn the_demo_can_be_signed_in_with_what_it_prints() {
    let office = Office::new(Consent::Granted, BY_BROWSER).await;
    let mut demo = office.command(&["demo", "--sign-in", "browser", "--listen", "127.0.0.1:0"]);
    let mut demo = demo.env("TMPDIR", office.directory.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut screen = BufReader::new(demo.stdout.take().unwrap()).lines();
    let line = loop {
        let line = screen.next_line().await.unwrap().expect("the demo has ended");
        if line.contains(" login --config ") {
            break line;
        }
    };
    let configuration = line.rsplit(' ').next().unwrap();
    let mut person = office.login(&["--config", configuration]);
    let asked = person.reads("open").await;
    assert!(asked["address"].as_str().unwrap().starts_with("https://127.0.0.1:"), "{asked}");
    let accounts = office.command(&["accounts", "--json", "--config", configuration]).output().await.unwrap();
    let accounts: Value = serde_json::from_slice(&accounts.stdout).unwrap();
    assert!(accounts["relay"].is_object(), "{accounts}");
    assert!(!office.directory.path().join(".config").exists(), "the demo has a key of its own");
}

#[tokio::test]
async fn the_key_of_the_vault_is_rotated_by_command_and_the_sign_in_goes_on() {
    let office = Office::new(Consent::Granted, BY_BROWSER).await;
    let mut person = office.login(&[]);
    let open = person.reads("open").await;
    let (back, _) = office.browse(open["address"].as_str().unwrap()).await;
    office.browse(&back.unwrap()).await;
    person.ends_signed_in(&office).await;

    let read = |file: &str| std::fs::read_to_string(office.directory.path().join(file)).unwrap();
    let keys = || -> Vec<String> {
        let file = read(".config/posthouse/vault.key");
        file.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
    };
    let (old, vault) = (keys(), read("data/vault.json"));
    let output = office.command(&["vault", "rotate-key"]).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let new = keys();
    assert!(old.len() == 1 && new.len() == 1 && new != old, "one key took the place of one");
    assert_ne!(read("data/vault.json"), vault);
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains(&old[0]) && !said.contains(&new[0]), "a key is printed: {said}");
    assert!(office.works().await, "what is sealed anew opens with the new key");
}
