//! Everything providers were ever seen to say, said again by the practice provider and explained by `posthouse test`.
//!
//! `replies.txt` says what is said and what a person must be told. Each line is played over real sockets: the reply in
//! the phase it belongs to, the answer of a token endpoint over HTTP. What is judged is the failure the probe returns,
//! in the account's context; then the command itself is run.

use std::time::Duration;

use posthouse::account::{self, Mechanism, Source};
use posthouse::app;
use posthouse::diagnosis::{Diagnosis, diagnose};
use posthouse::mail::address::Address;
use posthouse::sandbox::fault::{Fault, Stage, Times, TokenFault};
use posthouse::sandbox::{Sandbox, Settings};
use posthouse::smtp::sasl;
use posthouse::upstream::Progress;
use posthouse::upstream::probe::{Mail, probe};

use crate::probe::stand::Stand;
use crate::scene::{self, common};

#[path = "../support/replies.rs"]
mod read;

use read::{Answer, Said, Seen, seen};

/// A provider that plays whatever a line says, under the name it wants.
struct Theatre {
    sandbox: Sandbox,
    directory: tempfile::TempDir,
}

impl Theatre {
    async fn new(settings: Settings) -> Self {
        let sandbox = Sandbox::start(settings).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), sandbox.authority_pem()).unwrap();
        Self { sandbox, directory }
    }

    /// The account a line speaks of.
    fn account(&self, seen: &Seen) -> account::Settings {
        let mut account = scene::account(&self.sandbox, &self.directory.path().join("ca.pem"));
        account.provider = seen.provider.map(str::to_owned);
        match seen.sign_in {
            "password" => {}
            "token" => scene::client_credentials(&mut account, &self.sandbox),
            "bearer" => {
                scene::client_credentials(&mut account, &self.sandbox);
                account.mechanism = Mechanism::Only(sasl::Mechanism::OAuthBearer);
            }
            "none" => (account.credential, account.mechanism) = (Source::None, Mechanism::None),
            other => panic!("no such sign-in: {other}"),
        }
        account
    }

    /// Says what the line says, and returns what it is taken for.
    async fn play(&self, seen: &Seen) -> Diagnosis {
        let account = self.account(seen);
        let faults = self.sandbox.faults();
        faults.clear();
        if seen.phase == "token" {
            faults.plan_token(answer(&seen.answer()), Times::Always);
        } else {
            faults.plan(stage(seen.phase), reply(seen), Times::Always);
        }
        let upstream = app::upstream(account, &common()).unwrap();
        let failure = probe(&upstream, Some(&mail()), Progress::new()).await.expect_err(seen.code);
        diagnose(&failure, upstream.settings.context())
    }
}

fn answer(&Answer { status, header, body }: &Answer) -> TokenFault {
    let body = body.to_owned();
    match header {
        Some((name, value)) => TokenFault::HttpWith { status, field: (name.to_owned(), value.to_owned()), body },
        None => TokenFault::Http { status, body },
    }
}

fn reply(seen: &Seen) -> Fault {
    let Said { challenge, number, text } = seen.said();
    let text = text.join("\n");
    match challenge {
        Some(challenge) => Fault::RefuseToken { challenge: challenge.into(), code: number, text },
        None => Fault::reply(number, &text),
    }
}

fn stage(phase: &str) -> Stage {
    match phase {
        "greeting" => Stage::Greeting,
        "auth" => Stage::Auth,
        "mail" => Stage::Mail,
        "rcpt" => Stage::Rcpt,
        "data" => Stage::Data,
        "dot" => Stage::Dot,
        other => panic!("no such phase: {other}"),
    }
}

fn mail() -> Mail {
    let address = |text: &str| Address::parse(text.as_bytes()).unwrap();
    let octets = b"From: scanner@sandbox.example\r\nSubject: x\r\n\r\nx\r\n".to_vec();
    Mail { from: address("scanner@sandbox.example"), to: address("you@example.net"), octets }
}

#[track_caller]
fn is_told(seen: &Seen, judged: &Diagnosis) {
    assert_eq!((judged.code, judged.cause.name()), (seen.code, seen.cause), "{seen:?}\n{judged:?}");
    assert!(judged.sentence.contains(seen.sentence), "`{}` is not in: {}", seen.sentence, judged.sentence);
    assert!(judged.cure.contains(seen.cure), "`{}` is not in: {}", seen.cure, judged.cure);
}

#[tokio::test]
async fn every_reply_of_a_provider_is_explained_by_the_probe() {
    let strict = Theatre::new(scene::provider()).await;
    let open = Theatre::new(Settings { require_auth: false, ..scene::provider() }).await;
    let mut played = 0;
    for seen in seen().iter().filter(|seen| seen.phase != "token") {
        let at = if seen.sign_in == "none" { &open } else { &strict };
        is_told(seen, &at.play(seen).await);
        played += 1;
    }
    assert!(played > 110, "{played}");
    for Theatre { sandbox, .. } in [strict, open] {
        assert_eq!(sandbox.violations(), [], "a `334` that refuses a token is taken note of as its mechanism wants");
    }
}

#[tokio::test]
async fn every_answer_of_a_token_endpoint_is_explained_by_the_probe() {
    let provider = Theatre::new(scene::provider()).await;
    let mut played = 0;
    for seen in seen().iter().filter(|seen| seen.phase == "token") {
        is_told(seen, &provider.play(seen).await);
        played += 1;
    }
    assert!(played > 70, "{played}");
    assert_eq!(provider.sandbox.counters().connections, 0, "without a token nobody is called");
}

/// What nobody said shows only that a row works, not that a provider speaks like that.
#[test]
fn nearly_all_of_it_was_really_said() {
    let lines = seen();
    let assumed = lines.iter().filter(|seen| seen.words == "assumed").count();
    assert!(assumed * 8 < lines.len(), "{assumed} of {}", lines.len());
}

const ACCOUNT: &str = "[accounts.office]\nhost = \"127.0.0.1\"\nport = {implicit}\nencryption = \"implicit\"\n\
    ca_file = \"ca.pem\"\naddress = \"scanner@sandbox.example\"\n";
const PASSWORD: &str = "password = \"{password}\"\n";
const TOKEN: &str = "oauth = { grant = \"client_credentials\", token_endpoint = \"{token}\", \
    client_id = \"posthouse\", client_secret = \"{secret}\" }\n";
/// A token that is simply there, for what is said after it was had.
const PRINTED: &str = "oauth = { grant = \"command\", command = [\"/bin/cat\", \"token\"] }\n";

/// The section of a line's account.
fn section(seen: &Seen) -> String {
    let provider = seen.provider.map(|name| format!("provider = \"{name}\"\n")).unwrap_or_default();
    let sign_in = match seen.sign_in {
        "token" if seen.phase == "token" => TOKEN.to_owned(),
        "token" => PRINTED.to_owned(),
        "bearer" => format!("{PRINTED}mechanism = \"oauthbearer\"\n"),
        "none" => "mechanism = \"none\"\n".to_owned(),
        _ => format!("username = \"scanner@sandbox.example\"\n{PASSWORD}"),
    };
    format!("{ACCOUNT}{provider}{sign_in}{}", doubt(seen))
}

/// What a provider does not do, here a grant or passwords, is an error as long as its preset is beyond doubt; somebody
/// who doubts it gets the provider's own answer.
fn doubt(seen: &Seen) -> String {
    seen.provider.map(|name| format!("[providers.\"{name}\"]\nverified = false\n")).unwrap_or_default()
}

/// Exit codes as the command's help says them.
fn exit_code(cause: &str) -> i32 {
    match cause {
        "account" => 77,
        "config" => 78,
        "message" => 65,
        _ => 75,
    }
}

#[tokio::test]
async fn the_command_prints_cause_sentence_and_cure_of_every_line() {
    let strict = Stand::with(scene::provider(), "").await;
    let open = Stand::with(Settings { require_auth: false, ..scene::provider() }, "").await;
    let mut played = 0;
    for line in &seen() {
        let stand = if line.sign_in == "none" { &open } else { &strict };
        stand.configure(&section(line));
        let token = stand.sandbox.issue_token("scanner@sandbox.example", Duration::from_hours(1)).unwrap();
        std::fs::write(stand.directory.path().join("token"), token.expose()).unwrap();
        let faults = stand.sandbox.faults();
        faults.clear();
        if line.phase == "token" {
            faults.plan_token(answer(&line.answer()), Times::Always);
        } else {
            faults.plan(stage(line.phase), reply(line), Times::Always);
        }
        let ran = stand.test(&["--json", "--to", "you@example.net"]).await;
        assert_eq!(ran.code, exit_code(line.cause), "{line:?}\n{}{}", ran.printed, ran.complained);
        let told = failure(&ran.printed);
        let told = |field: &str| told[field].as_str().unwrap_or_default();
        assert_eq!((told("code"), told("cause")), (line.code, line.cause), "{line:?}");
        assert!(told("sentence").contains(line.sentence), "{line:?}\n{}", told("sentence"));
        assert!(told("cure").contains(line.cure), "{line:?}\n{}", told("cure"));
        played += 1;
    }
    assert_eq!(played, seen().len());
}

/// The failure among the steps.
fn failure(printed: &str) -> serde_json::Value {
    let mut steps = printed.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    steps.find_map(|step| step.get("failure").filter(|failure| !failure.is_null()).cloned()).unwrap_or_default()
}

/// People read the same as programs: one line of each cause.
#[tokio::test]
async fn the_command_says_it_in_words_too() {
    for code in ["microsoft_send_as_denied", "microsoft_daily_recipients", "greylisted", "entra_secret_expired"] {
        let line = seen().into_iter().find(|seen| seen.code == code).expect(code);
        let stand = Stand::new(&section(&line).replace(PRINTED, TOKEN)).await;
        let faults = stand.sandbox.faults();
        if line.phase == "token" {
            faults.plan_token(answer(&line.answer()), Times::Always);
        } else {
            faults.plan(stage(line.phase), reply(&line), Times::Always);
        }
        let ran = stand.test(&["--to", "you@example.net"]).await;
        assert_eq!(ran.code, exit_code(line.cause), "{code}: {}{}", ran.printed, ran.complained);
        for words in [line.sentence, line.cure, line.cause] {
            assert!(ran.printed.contains(words), "{code}: `{words}` is not in:\n{}", ran.printed);
        }
    }
}
