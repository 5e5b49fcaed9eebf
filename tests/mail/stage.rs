//! Where mails are played: one relay, one practice provider and one log for all that want the same of them.
//!
//! Each mail has a listener of its own, and so counts as a device of its own. One after the other, on one thread: what the
//! log says between the first and the last octet of a session is about that session.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use posthouse::account::provider::RefusedAt;
use posthouse::app::{self, App};
use posthouse::config::{self, Sources};
use posthouse::journal::{Journal, Masks, log};
use posthouse::sandbox::{Delivery, Extension, Mechanism, Refusal, Sandbox, Senders, Settings, Violation};
use posthouse::smtp::client::Timeouts;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;
use tracing::Dispatch;
use tracing::subscriber::DefaultGuard;

use crate::device::{self, Said};
use crate::script::{Script, Stage, Trait};

const PATIENCE: Duration = Duration::from_secs(20);

/// What a mail led to.
pub struct Seen {
    pub said: Vec<Said>,
    /// The lines of the log.
    pub journal: Vec<Value>,
    pub deliveries: Vec<Arc<Delivery>>,
    /// What the relay did at the provider that is not allowed.
    pub violations: Vec<Violation>,
}

/// Plays these mails, all of one stage.
pub fn play<'a>(mails: &[(&'a str, &Script)]) -> Vec<(&'a str, Seen)> {
    let log = Log::capture();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let scene = Scene::start(mails).await;
        let mut seen = Vec::new();
        for ((name, script), (_, address)) in mails.iter().zip(scene.relay.listening()) {
            let before = (log.lines().len(), scene.sandbox.mailbox().count(), scene.sandbox.violations().len());
            let said = device::play(*address, script).await;
            log.wait_for_the_end_of_a_session(before.0).await;
            let taken = scene.sandbox.mailbox().deliveries();
            seen.push((
                *name,
                Seen {
                    said,
                    journal: log.lines().split_off(before.0),
                    deliveries: taken.into_iter().filter(|delivery| delivery.id > before.1).collect(),
                    violations: scene.sandbox.violations().split_off(before.2),
                },
            ));
        }
        scene.relay.shut_down().await;
        seen
    })
}

/// A relay that sends through a practice provider.
struct Scene {
    sandbox: Sandbox,
    relay: App,
    _directory: TempDir,
}

impl Scene {
    async fn start(mails: &[(&str, &Script)]) -> Self {
        let stage = &mails[0].1.stage;
        let sandbox = Sandbox::start(provider(stage)).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), sandbox.authority_pem()).unwrap();
        let path = directory.path().join("posthouse.toml");
        std::fs::write(&path, configuration(mails, &sandbox)).unwrap();
        let sources = Sources { path: Some(path), environment: BTreeMap::new(), overrides: Vec::new() };
        let mut loaded = config::load(&sources).unwrap_or_else(|report| panic!("{report}"));
        // Free ones; the configuration does not offer that.
        loaded.config.listeners.iter_mut().for_each(|listener| listener.bind[0].set_port(0));
        let relay = app::start(&loaded.config, Journal::default(), Timeouts::default()).unwrap();
        Self { sandbox, relay, _directory: directory }
    }
}

/// A provider that is known to let an account be itself only.
const PRACTICE: &str = "[providers.practice]\ntitle = \"The practice provider\"\nhost = \"smtp.sandbox.example\"\n\
    implicit = [465]\nsender = \"account\"\n";

/// The configuration a small office would have, and what the mails want of it.
fn configuration(mails: &[(&str, &Script)], sandbox: &Sandbox) -> String {
    let Stage { account, config, .. } = &mails[0].1.stage;
    let sections = config.iter().position(|line| line.starts_with('[')).unwrap_or(config.len());
    let mut text = format!("hostname = \"relay.test\"\n{}\n", config[..sections].join("\n"));
    for ((name, script), port) in mails.iter().zip(2525..) {
        let (name, keys) = (name.replace('/', "."), script.listener.join("\n"));
        writeln!(text, "[[listeners]]\nname = \"{name}\"\nbind = [\"127.0.0.1:{port}\"]\n{keys}").unwrap();
    }
    let (address, provider) = (&sandbox.settings().username, sandbox.implicit());
    writeln!(
        text,
        "[accounts.office]\nhost = \"{}\"\nport = {}\nca_file = \"ca.pem\"\naddress = \"{address}\"\npassword = \"{}\"\n{}",
        provider.ip(),
        provider.port(),
        sandbox.settings().password.expose(),
        account.join("\n"),
    )
    .unwrap();
    writeln!(text, "[storage]\ndirectory = \"storage\"\n{PRACTICE}{}", config[sections..].join("\n")).unwrap();
    text
}

/// The practice provider with these traits.
fn provider(stage: &Stage) -> Settings {
    let mut settings = Settings::new().unwrap();
    for wanted in &stage.provider {
        let offer = settings.offer.clone();
        match wanted {
            Trait::Without(name) => settings.offer = offer.without(&extension(name)),
            Trait::AuthEquals => settings.offer = offer.with(Extension::AuthEquals(vec![Mechanism::XOAuth2])),
            Trait::TakesOnly(address) => settings.manners.senders = only(address, true, RefusedAt::End),
            Trait::TakesOnlyAtMail(address) => settings.manners.senders = only(address, true, RefusedAt::Mail),
            Trait::TakesNoNullSender => settings.manners.senders = only(&settings.username, false, RefusedAt::End),
        }
    }
    settings
}

fn extension(name: &str) -> Extension {
    match name {
        "8BITMIME" => Extension::EightBitMime,
        "SMTPUTF8" => Extension::SmtpUtf8,
        "PIPELINING" => Extension::Pipelining,
        "DSN" => Extension::Dsn,
        "SIZE" => Extension::Size(None),
        other => panic!("the practice provider cannot do without {other}"),
    }
}

fn only(address: &str, null_sender: bool, at: RefusedAt) -> Senders {
    let refusal =
        |code, enhanced: &str, words: &str| Refusal { code, enhanced: enhanced.into(), lines: vec![words.to_owned()] };
    let refusal = match at {
        RefusedAt::Mail => refusal(550, "5.7.1", "This sender is not yours"),
        RefusedAt::End => refusal(554, "5.2.252", "SendAsDenied; the account is not allowed to send as this sender"),
    };
    Senders::Only { addresses: vec![address.to_owned()], null_sender, at, refusal }
}

/// What the relay logs on this thread, as JSON.
struct Log {
    text: Arc<watch::Sender<String>>,
    _guard: DefaultGuard,
}

impl Log {
    fn capture() -> Self {
        // A line that is first reached by a thread without a log, while only one log lives, would be off for that log
        // as well: tracing then asks that thread alone whether anybody wants it. So there are always two.
        static ANOTHER: OnceLock<Dispatch> = OnceLock::new();
        ANOTHER.get_or_init(|| Dispatch::new(log::subscriber(&settings(), std::io::sink, false)));
        let text = Arc::new(watch::Sender::new(String::new()));
        let writer = Writer(Arc::clone(&text));
        let subscriber = log::subscriber(&settings(), move || writer.clone(), false);
        Self { text, _guard: tracing::subscriber::set_default(subscriber) }
    }

    fn lines(&self) -> Vec<Value> {
        self.text.borrow().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Returns once a session that had not ended so many lines ago has.
    async fn wait_for_the_end_of_a_session(&self, lines: usize) {
        let mut text = self.text.subscribe();
        let ends = |text: &String| text.lines().skip(lines).any(|line| line.contains("\"session closed\""));
        let ended = tokio::time::timeout(PATIENCE, text.wait_for(ends)).await.is_ok();
        assert!(ended, "the session never ends:\n{}", *self.text.borrow());
    }
}

fn settings() -> log::Settings {
    log::Settings { level: tracing::Level::DEBUG, format: log::Format::Json, masks: Masks::default() }
}

#[derive(Clone)]
struct Writer(Arc<watch::Sender<String>>);

impl Write for Writer {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.send_modify(|text| text.push_str(std::str::from_utf8(octets).expect("the log is text")));
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
