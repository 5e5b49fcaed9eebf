//! Every provider that is known, played by the practice provider under its own name and rules.
//!
//! The account says `provider = "…"` and where the practice provider really is; everything else comes from the preset,
//! through the same door as anybody's configuration. What the account does must be what that provider takes.

use std::path::Path;
use std::time::Duration;

use posthouse::account::provider::{PasswordKind, Preset, SenderRule, Username};
use posthouse::app::{self, App};
use posthouse::config::{self, Sources, presets};
use posthouse::journal::Journal;
use posthouse::queue;
use posthouse::sandbox::{Mechanism, Protection, Sandbox, Settings};
use posthouse::smtp::client::Timeouts;
use posthouse::smtp::reply::Reply;

use crate::device::{Device, RECIPIENT, SAMPLE, SENDER};

/// A provider that is played, and a relay with an account there.
struct Stage {
    preset: Preset,
    sandbox: Sandbox,
    relay: App,
    _directory: tempfile::TempDir,
}

/// The device hears the provider's own words, or those about its account, while it waits.
fn without_queue() -> queue::Settings {
    queue::Settings::Proxy { wait: Duration::from_secs(15) }
}

impl Stage {
    async fn of(preset: &Preset, change: impl FnOnce(&mut Settings)) -> Self {
        Self::with(preset, "", change, None).await
    }

    /// With a password that differs from the provider's.
    async fn with_password(preset: &Preset, change: impl FnOnce(&mut Settings), password: Option<&str>) -> Self {
        Self::with(preset, "", change, password).await
    }

    /// With more lines for the account.
    async fn with(preset: &Preset, more: &str, change: impl FnOnce(&mut Settings), password: Option<&str>) -> Self {
        let mut settings = Settings::like(preset, SENDER).unwrap();
        change(&mut settings);
        let sandbox = Sandbox::start(settings).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = write(preset, &sandbox, directory.path(), password, more);
        let sources = Sources { path: Some(path), ..Sources::default() };
        let mut config = config::load(&sources).unwrap_or_else(|report| panic!("{}: {report}", preset.id)).config;
        config.listeners[0].bind = vec!["127.0.0.1:0".parse().unwrap()];
        config.queue = without_queue();
        assert_eq!(config.accounts[0].provider.as_deref(), Some(preset.id.as_str()));
        let relay = app::start(&config, Journal::default(), Timeouts::default()).unwrap();
        Self { preset: preset.clone(), sandbox, relay, _directory: directory }
    }

    async fn device(&self) -> Device {
        Device::greeted(self.relay.listening()[0].1).await
    }

    /// What the device hears of a mail from somebody else.
    async fn foreign_mail(&self) -> String {
        let mut device = self.device().await;
        let refused = device.say("MAIL FROM:<stranger@elsewhere.example>").await;
        assert!(refused.starts_with("250"), "{refused}");
        let refused = device.say(&format!("RCPT TO:<{RECIPIENT}>")).await;
        assert!(refused.starts_with("250"), "{refused}");
        device.data(&text(SAMPLE).replace(SENDER, "stranger@elsewhere.example").into_bytes()).await;
        device.reply().await
    }

    /// Whether the provider said this, octet for octet.
    fn said(&self, reply: &Reply) -> bool {
        let (mut octets, signature) = (Vec::new(), self.preset.replies.signature.as_ref());
        reply.write(&mut octets);
        let mut due: Vec<String> = text(&octets).lines().map(str::to_owned).collect();
        if let (Some(last), Some(signature)) = (due.last_mut(), signature) {
            *last = format!("{last} - {signature}");
        }
        let said: Vec<String> = self.sandbox.transcript().into_iter().map(|said| said.text).collect();
        said.windows(due.len()).any(|lines| lines == due)
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// The smallest configuration for this provider, with the practice provider for a host.
fn write(
    preset: &Preset,
    sandbox: &Sandbox,
    directory: &Path,
    password: Option<&str>,
    more: &str,
) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let settings = sandbox.settings();
    let port = if preset.implicit.is_empty() { sandbox.starttls() } else { sandbox.implicit() }.port();
    let (authority, token) = (directory.join("authority.pem"), directory.join("token"));
    std::fs::write(&authority, sandbox.authority_pem()).unwrap();
    let issued = sandbox.issue_token(&settings.username, Duration::from_hours(1)).unwrap();
    std::fs::write(&token, issued.expose()).unwrap();
    let credential = match preset.password {
        PasswordKind::Ended => {
            format!("oauth = {{ grant = \"command\", command = [\"cat\", \"{}\"] }}", token.display())
        }
        _ => format!("password = {:?}", password.unwrap_or(settings.password.expose())),
    };
    let username = match preset.username {
        Username::Own => format!("username = {:?}\n", settings.username),
        _ => String::new(),
    };
    let configuration = format!(
        "hostname = \"relay.test\"\n[accounts.office]\nprovider = {:?}\nhost = \"127.0.0.1\"\nport = {port}\n\
         address = {SENDER:?}\nca_file = \"{}\"\n{username}{credential}\n{more}[storage]\ndirectory = \"{}\"\n",
        preset.id,
        authority.display(),
        directory.join("spool").display(),
    );
    let path = directory.join("posthouse.toml");
    std::fs::write(&path, configuration).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// What an account with nothing but the provider's name signs in by.
fn expected(preset: &Preset) -> Mechanism {
    let offers = |name: &str| preset.mechanisms.is_empty() || preset.mechanisms.iter().any(|offered| offered == name);
    match (preset.password, preset.password_mechanism.as_deref()) {
        (PasswordKind::Ended, _) => Mechanism::XOAuth2,
        (_, Some("LOGIN")) => Mechanism::Login,
        _ if offers("PLAIN") => Mechanism::Plain,
        _ => Mechanism::Login,
    }
}

#[tokio::test]
async fn each_provider_takes_a_mail_of_an_account_that_says_its_name() {
    for preset in &presets::builtin() {
        let stage = Stage::of(preset, |_| {}).await;
        let heard = stage.device().await.mail().await;
        assert!(heard.starts_with("250"), "{}: {heard}\n{:#?}", preset.id, stage.sandbox.transcript());
        let delivery = stage.sandbox.mailbox().deliveries().pop().unwrap();
        let login = delivery.login.as_ref().unwrap();
        assert_eq!(login.mechanism, expected(preset), "{}", preset.id);
        let name = preset.login_name(SENDER).unwrap_or("practice-login".into());
        assert_eq!(login.username, name, "{}", preset.id);
        let protection = if preset.implicit.is_empty() { Protection::StartTls } else { Protection::Implicit };
        assert_eq!(delivery.protection, protection, "{}", preset.id);
        let greeting = stage.sandbox.transcript().into_iter().find(|said| said.text.starts_with("220 ")).unwrap();
        let host = preset.host(preset.host.contains("{region}").then_some("eu-west-1")).unwrap();
        assert!(greeting.text.starts_with(&format!("220 {host} ")), "{}: {}", preset.id, greeting.text);
        assert_eq!(stage.sandbox.violations(), [], "{}", preset.id);
    }
}

#[tokio::test]
async fn mail_of_a_foreign_sender_arrives_at_each_provider_and_answers_go_to_whom_it_was_from() {
    let mut fixed = 0;
    for preset in &presets::builtin() {
        let stage = Stage::of(preset, |_| {}).await;
        let heard = stage.foreign_mail().await;
        assert!(heard.starts_with("250"), "{}: {heard}", preset.id);
        let arrived = stage.sandbox.mailbox().deliveries().pop().unwrap();
        let mail = text(&arrived.bytes);
        let (from, reverse_path) = (mail.contains(&format!("From: <{SENDER}>\r\n")), arrived.reverse_path.as_str());
        match preset.sender {
            SenderRule::Unknown | SenderRule::Rewritten => {
                assert_eq!(reverse_path, "stranger@elsewhere.example", "{}", preset.id);
                assert!(!from, "{}: {mail}", preset.id);
            }
            _ => {
                assert_eq!(reverse_path, SENDER, "{}", preset.id);
                assert!(from && mail.contains("Reply-To: <stranger@elsewhere.example>\r\n"), "{}: {mail}", preset.id);
                assert!(mail.contains("X-Original-From: stranger@elsewhere.example\r\n"), "{}: {mail}", preset.id);
                fixed += 1;
            }
        }
        assert_eq!(stage.sandbox.violations(), [], "{}", preset.id);
    }
    assert!(fixed >= 15, "only {fixed} were fixed");
}

#[tokio::test]
async fn a_foreign_sender_that_is_kept_hears_the_providers_own_refusal() {
    let mut refusals = 0;
    for preset in &presets::builtin() {
        let stage = Stage::with(preset, "sender = { policy = \"keep\" }\n", |_| {}, None).await;
        let heard = stage.foreign_mail().await;
        let arrived = stage.sandbox.mailbox().deliveries().pop();
        match (preset.sender, &preset.replies.foreign_sender) {
            (SenderRule::Unknown, _) => assert!(arrived.is_some(), "{}: {heard}", preset.id),
            (SenderRule::Rewritten, _) => {
                let arrived = text(&arrived.unwrap().bytes);
                assert!(arrived.contains(&format!("From: {SENDER}\r\n")), "{}: {arrived}", preset.id);
                assert!(arrived.contains("X-Original-From: stranger@elsewhere.example"), "{}: {arrived}", preset.id);
            }
            (_, seen) => {
                assert!(arrived.is_none(), "{}: {heard}", preset.id);
                let permanent = heard.starts_with('5') && !heard.contains("451");
                assert!(permanent, "{}: a sender is no better the next time: {heard}", preset.id);
                if let Some((_, reply)) = seen {
                    assert!(stage.said(reply), "{}: {:#?}", preset.id, stage.sandbox.transcript());
                    assert!(heard.contains(&reply.text[..reply.text.len().min(40)]), "{}: {heard}", preset.id);
                    refusals += 1;
                }
            }
        }
        assert_eq!(stage.sandbox.violations(), [], "{}", preset.id);
    }
    assert!(refusals >= 15, "only {refusals} refusals were seen");
}

#[tokio::test]
async fn a_wrong_password_hears_the_providers_own_words_and_holds_the_account() {
    for preset in presets::builtin().iter().filter(|preset| preset.password != PasswordKind::Ended) {
        let Some(reply) = &preset.replies.wrong_password else { continue };
        let stage = Stage::with_password(preset, |_| {}, Some("not-the-one")).await;
        let heard = stage.device().await.mail().await;
        assert!(heard.starts_with("451"), "{}: {heard}", preset.id);
        assert!(stage.said(reply), "{}: {:#?}", preset.id, stage.sandbox.transcript());
        assert_eq!(stage.device().await.mail().await[..3], heard[..3]);
        assert_eq!(stage.sandbox.counters().auth_attempts, 1, "{}: the account is held", preset.id);
    }
}

#[tokio::test]
async fn where_passwords_have_ended_the_right_one_does_not_help() {
    let preset = presets::builtin().find("outlook.com").unwrap().clone();
    let sandbox = Sandbox::start(Settings::like(&preset, SENDER).unwrap()).await.unwrap();
    assert_eq!(preset.password, PasswordKind::Ended);
    // The check refuses such an account, so this one goes by a preset of its own to the same provider.
    let open = Preset { id: "microsoft365".into(), password: PasswordKind::Mailbox, ..preset.clone() };
    let directory = tempfile::tempdir().unwrap();
    let sources = Sources { path: Some(write(&open, &sandbox, directory.path(), None, "")), ..Sources::default() };
    let mut config = config::load(&sources).unwrap().config;
    config.listeners[0].bind = vec!["127.0.0.1:0".parse().unwrap()];
    config.queue = without_queue();
    let relay = app::start(&config, Journal::default(), Timeouts::default()).unwrap();
    let stage = Stage { preset: preset.clone(), sandbox, relay, _directory: directory };
    assert!(stage.device().await.mail().await.starts_with("451"));
    assert!(stage.said(preset.replies.wrong_password.as_ref().unwrap()), "{:#?}", stage.sandbox.transcript());
}

#[tokio::test]
async fn a_used_up_day_hears_the_providers_own_words() {
    let mut seen = 0;
    for preset in &presets::builtin() {
        let Some(reply) = &preset.replies.quota else { continue };
        let stage = Stage::of(preset, |settings| settings.recipients_per_day = Some(1)).await;
        assert!(stage.device().await.mail().await.starts_with("250"), "{}", preset.id);
        let heard = stage.device().await.mail().await;
        assert!(!heard.starts_with("250"), "{}: {heard}", preset.id);
        assert!(stage.said(reply), "{}: {:#?}", preset.id, stage.sandbox.transcript());
        seen += 1;
    }
    assert!(seen >= 6, "only {seen} quotas were seen");
}

#[tokio::test]
async fn a_port_the_provider_does_not_have_is_closed() {
    let closed = async |id: &str, port: fn(&Sandbox) -> std::net::SocketAddr| {
        let preset = presets::builtin().find(id).unwrap().clone();
        let sandbox = Sandbox::start(Settings::like(&preset, SENDER).unwrap()).await.unwrap();
        tokio::net::TcpStream::connect(port(&sandbox)).await.is_err()
    };
    assert!(closed("microsoft365", Sandbox::implicit).await);
    assert!(closed("yandex", Sandbox::starttls).await);
    assert!(closed("gmail", Sandbox::plain).await);
    assert!(!closed("gmail", Sandbox::implicit).await);
    assert!(!closed("gmail", Sandbox::starttls).await);
}

#[tokio::test]
async fn one_recipient_too_many_hears_the_providers_own_words() {
    let preset = presets::builtin().find("gmail").unwrap().clone();
    let stage = Stage::of(&preset, |settings| settings.recipients_per_message = 1).await;
    let heard = stage.device().await.mail_to(&["a@example.com", "b@example.com"], SAMPLE).await;
    assert!(heard.contains("Your message has too many recipients"), "{heard}");
    assert!(stage.said(preset.replies.too_many_recipients.as_ref().unwrap()));
}

#[tokio::test]
async fn an_app_password_as_google_displays_it_signs_in() {
    let preset = presets::builtin().find("gmail").unwrap().clone();
    let settled =
        |settings: &mut Settings| settings.password = posthouse::secret::Secret::new("abcdefghijklmnop".into());
    let stage = Stage::with_password(&preset, settled, Some("abcd efgh ijkl mnop")).await;
    assert!(stage.device().await.mail().await.starts_with("250"));
    // Nobody else displays them so, and there the spaces are part of the password.
    let fastmail = presets::builtin().find("fastmail").unwrap().clone();
    let stage = Stage::with_password(&fastmail, settled, Some("abcd efgh ijkl mnop")).await;
    assert!(stage.device().await.mail().await.starts_with("451"));
}

#[tokio::test]
async fn devices_are_told_the_size_the_provider_takes() {
    let preset = presets::builtin().find("gmail").unwrap().clone();
    let stage = Stage::of(&preset, |_| {}).await;
    let mut device = Device::connect(stage.relay.listening()[0].1).await;
    device.reply().await;
    let offer = device.say("EHLO device.example").await;
    assert!(offer.contains("SIZE 35882577"), "{offer}");
}

/// The program's demo, told to send its sample through this provider.
async fn demo(arguments: &[&str]) -> (i32, String) {
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_posthouse"));
    program.args(["demo", "--send", "--listen", "127.0.0.1:0"]).args(arguments).kill_on_drop(true);
    let ran = program.output().await.unwrap();
    (ran.status.code().unwrap(), text(&ran.stdout) + &text(&ran.stderr))
}

#[tokio::test]
async fn the_demo_plays_any_of_them() {
    for (arguments, said) in [
        (&["--provider", "gmail"][..], "S: 220 smtp.gmail.com ESMTP - gsmtp"),
        (&["--provider", "microsoft365", "--sign-in", "oauth"], "C: AUTH XOAUTH2"),
        (&["--provider", "outlook.com"], "C: AUTH XOAUTH2"),
        (&["--provider", "sendgrid"], "S: 220 smtp.sendgrid.net ESMTP"),
        (&["--provider", "ses"], "S: 220 email-smtp.eu-west-1.amazonaws.com ESMTP"),
    ] {
        let (code, shown) = demo(arguments).await;
        assert_eq!(code, 0, "{arguments:?}: {shown}");
        assert!(shown.contains(said), "{arguments:?}: {shown}");
    }
    let (code, shown) = demo(&["--provider", "gmail", "--wrong-secret"]).await;
    assert!(code != 0 && shown.contains("Username and Password not accepted"), "{shown}");
    let (code, shown) = demo(&["--provider", "gmial"]).await;
    assert!(code != 0 && shown.contains("did you mean \"gmail\"?"), "{shown}");
}
