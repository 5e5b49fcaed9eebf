//! One test's world: a practice provider, a relay that sends through it, and the relay's log.
//!
//! The configuration is the one a small office would have; each test changes what it is about.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use posthouse::account::oauth::{Application, ClientAuthentication, ClientProof, Endpoints, Given, Grant};
use posthouse::account::vault::Holder;
use posthouse::account::{self, Encryption, Mechanism, PasswordSpaces, Pipelining, Source};
use posthouse::app::{self, App, Common, StartError};
use posthouse::config::{Config, Delivery};
use posthouse::inbound::settings::{self, Caps, DeviceAuth, Limits, LineEndings, ListenerSettings, ListenerTls};
use posthouse::journal::{Journal, log};
use posthouse::mail::header::parser::Charset;
use posthouse::mail::rewrite::{self, Received};
use posthouse::mail::sender::{Allowance, Policy};
use posthouse::net::clock::Clock;
use posthouse::net::proxy::Proxies;
use posthouse::net::trust;
use posthouse::queue;
use posthouse::sandbox::fault::Gate;
use posthouse::sandbox::{Extension, Sandbox, Settings};
use posthouse::smtp::client::Timeouts;
use posthouse::store::file::{FileVault, KeySource, Settings as Storage};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tracing::Dispatch;
use tracing::subscriber::DefaultGuard;

use crate::device::Device;

/// A provider, and a relay that uses it.
pub struct Scene {
    pub sandbox: Sandbox,
    pub relay: App,
    pub config: Config,
    pub directory: tempfile::TempDir,
}

/// The provider's defaults.
pub fn provider() -> Settings {
    Settings::new().unwrap()
}

/// An account that sends mail as it is stored.
pub fn untouched(account: &mut account::Settings) {
    account.sender.policy = Policy::Keep;
    account.fixups = rewrite::Fixups::NONE;
}

/// A provider that does not offer this.
pub fn provider_without(kind: &Extension) -> Settings {
    let settings = provider();
    Settings { offer: settings.offer.clone().without(kind), ..settings }
}

impl Scene {
    /// Everything at its defaults: implicit TLS, PLAIN.
    pub async fn start() -> Self {
        Self::with(provider(), |_, _| {}).await
    }

    /// With another account.
    pub async fn account(change: impl FnOnce(&mut account::Settings, &Sandbox)) -> Self {
        Self::with(provider(), |config, sandbox| change(&mut config.accounts[0], sandbox)).await
    }

    /// With another provider, or anything else in the configuration.
    pub async fn with(provider: Settings, change: impl FnOnce(&mut Config, &Sandbox)) -> Self {
        Self::try_with(provider, change).await.map_err(|(error, _)| error).unwrap()
    }

    /// The same where the relay may refuse to start; the provider then tells that nobody came.
    pub async fn try_with(
        provider: Settings,
        change: impl FnOnce(&mut Config, &Sandbox),
    ) -> Result<Self, (StartError, Sandbox)> {
        let sandbox = Sandbox::start(provider).await.unwrap();
        match relay_to(&sandbox, |config| change(config, &sandbox)) {
            Ok((relay, config, directory)) => Ok(Self { sandbox, relay, config, directory }),
            Err(error) => Err((error, sandbox)),
        }
    }

    /// The same provider, and a relay that was started anew with another account.
    pub async fn restarted(self, change: impl FnOnce(&mut account::Settings)) -> Self {
        let Self { sandbox, relay, mut config, directory } = self;
        relay.shut_down().await;
        change(&mut config.accounts[0]);
        let relay = app::start(&config, Journal::default(), Timeouts::default()).unwrap();
        Self { sandbox, relay, config, directory }
    }

    /// A relay that goes by this clock.
    pub async fn at(clock: &Clock, change: impl FnOnce(&mut Config, &Sandbox)) -> Self {
        Self::patient(clock, Timeouts::default(), change).await
    }

    /// The same with other waits for the provider's answers.
    pub async fn patient(clock: &Clock, waits: Timeouts, change: impl FnOnce(&mut Config, &Sandbox)) -> Self {
        let sandbox = Sandbox::start(provider()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut config = config(&sandbox, directory.path());
        change(&mut config, &sandbox);
        let relay = started_at(clock, waits, &config);
        Self { sandbox, relay, config, directory }
    }

    /// The same, started anew.
    pub async fn restarted_at(self, clock: &Clock) -> Self {
        let Self { sandbox, relay, config, directory } = self;
        relay.shut_down().await;
        let relay = started_at(clock, Timeouts::default(), &config);
        Self { sandbox, relay, config, directory }
    }

    /// Where the relay listens.
    pub fn address(&self) -> SocketAddr {
        self.relay.listening()[0].1
    }

    /// A device that has said EHLO.
    pub async fn device(&self) -> Device {
        Device::greeted(self.address()).await
    }

    /// Fails if the relay did anything the standards forbid.
    pub fn assert_no_breach(&self) {
        assert_eq!(self.sandbox.violations(), [], "{:#?}", self.sandbox.transcript());
    }

    /// Fails if anything arrived.
    pub fn assert_nothing_arrived(&self) {
        assert_eq!(self.sandbox.mailbox().count(), 0);
        self.assert_no_breach();
    }
}

fn started_at(clock: &Clock, waits: Timeouts, config: &Config) -> App {
    let common = Common::new(config, Journal::default(), waits);
    app::start_with(config, Common { clock: clock.clone(), ..common }).unwrap()
}

/// Another relay that uses this provider, its configuration, and where it keeps its files.
pub fn relay_to(
    sandbox: &Sandbox,
    change: impl FnOnce(&mut Config),
) -> Result<(App, Config, tempfile::TempDir), StartError> {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(sandbox, directory.path());
    change(&mut config);
    Ok((app::start(&config, Journal::default(), Timeouts::default())?, config, directory))
}

/// What an account needs that is tried without a relay; nothing is kept of its sign-ins.
pub fn common() -> Common {
    let nowhere = Path::new("/nonexistent/posthouse");
    let storage = Storage { directory: nowhere.into(), key: KeySource::File(nowhere.join("key")) };
    Common {
        ours: Arc::default(),
        hostname: "relay.test".into(),
        timeouts: Timeouts::default(),
        journal: Journal::default(),
        vault: Arc::new(FileVault::new(storage)),
        holder: Holder::new(false),
        clock: Clock::default(),
        renewals: TaskTracker::new(),
    }
}

/// Returns once a session of the provider waits at this gate.
pub async fn reached(gate: &Gate) {
    tokio::time::timeout(Duration::from_secs(20), gate.reached(1)).await.expect("nobody came to the gate");
}

fn config(sandbox: &Sandbox, directory: &Path) -> Config {
    let authority = directory.join("authority.pem");
    std::fs::write(&authority, sandbox.authority_pem()).unwrap();
    Config {
        hostname: Some("relay.test".into()),
        default_domain: None,
        default_account: None,
        aliases: BTreeMap::new(),
        listeners: vec![listener()],
        routes: Vec::new(),
        devices: Vec::new(),
        accounts: vec![account(sandbox, &authority)],
        caps: Caps { sessions: 1000, sessions_per_device: 100, idle: Duration::from_mins(5), minimum_rate: 500 },
        delivery: Delivery { shutdown_grace: Duration::from_secs(8), redirect_to: None, archive_to: None },
        queue: queue::Settings::Proxy { wait: Duration::from_secs(15) },
        storage: Storage { directory: directory.join("storage"), key: KeySource::Made(directory.join("vault.key")) },
        fixups: settings::Fixups::default(),
        log: log::Settings::default(),
    }
}

fn listener() -> ListenerSettings {
    ListenerSettings {
        name: "local".into(),
        bind: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        tls: ListenerTls::None,
        auth: DeviceAuth::None,
        auth_in_clear: false,
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        line_endings: LineEndings::Auto,
        max_message_size: 50 * 1024 * 1024,
        max_recipients: 1000,
        senders: vec!["*".into()],
        recipients: vec!["*".into()],
        limits: Limits::default(),
    }
}

/// The provider's only user, with a password.
pub fn account(sandbox: &Sandbox, authority: &Path) -> account::Settings {
    account::Settings {
        name: "office".into(),
        renamed_from: Vec::new(),
        host: "127.0.0.1".into(),
        port: sandbox.implicit().port(),
        encryption: Encryption::Implicit,
        provider: None,
        trust: trust::Settings::only(authority),
        proxies: Proxies::default(),
        helo_name: None,
        username: None,
        address: Some(sandbox.settings().username.clone()),
        sender: account::Sender::default(),
        fixups: rewrite::Fixups::default(),
        received: Received::default(),
        header_charset: Charset::default(),
        headers: Vec::new(),
        subject: None,
        mechanism: Mechanism::Auto,
        credential: Source::Password(sandbox.settings().password.clone()),
        allow_plaintext_credentials: false,
        connections: 2,
        recipients_per_message: 100,
        messages_per_minute: None,
        recipients_per_day: None,
        null_sender: true,
        pipelining: Pipelining::default(),
        may_send_as: Vec::new(),
        allowance: Allowance::default(),
        size: None,
        smime: None,
        password_spaces: PasswordSpaces::Kept,
    }
}

/// The application's own identity instead: tokens of the provider's endpoint.
pub fn client_credentials(account: &mut account::Settings, sandbox: &Sandbox) {
    let provider = sandbox.settings();
    account.credential = Source::from(Grant::ClientCredentials {
        application: Application {
            endpoints: Endpoints::token_only(sandbox.token_endpoint().parse().unwrap()),
            client_id: provider.client_id.clone(),
            proof: ClientProof::Secret {
                secret: Given::Here(provider.client_secret.clone()),
                sent: ClientAuthentication::Body,
                expires: None,
            },
            scope: None,
            unused_refresh_life: None,
        },
    });
}

/// Another account, at a provider of its own.
pub fn add_account(config: &mut Config, name: &str, sandbox: &Sandbox) {
    let authority = config.storage.directory.with_file_name(format!("{name}.pem"));
    std::fs::write(&authority, sandbox.authority_pem()).unwrap();
    config.accounts.push(account::Settings { name: name.into(), ..account(sandbox, &authority) });
}

/// What the relay logs on this thread, from now on until this is dropped.
pub struct Log {
    text: Arc<watch::Sender<String>>,
    _guard: DefaultGuard,
}

impl Log {
    pub fn capture() -> Self {
        Self::at(log::Settings::default().level)
    }

    /// The same with all that was said on both sides.
    pub fn with_transcripts() -> Self {
        Self::at(tracing::Level::DEBUG)
    }

    fn at(level: tracing::Level) -> Self {
        // A line that is first reached by a thread without a log, while only one log lives, would be off for that log
        // as well: tracing then asks that thread alone whether anybody wants it. So there are always two.
        static ANOTHER: OnceLock<Dispatch> = OnceLock::new();
        ANOTHER.get_or_init(|| Dispatch::new(log::subscriber(&log::Settings::default(), std::io::sink, false)));
        let text = Arc::new(watch::Sender::new(String::new()));
        let writer = Writer(Arc::clone(&text));
        let settings = log::Settings { level, ..log::Settings::default() };
        let subscriber = log::subscriber(&settings, move || writer.clone(), false);
        Self { text, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        self.text.borrow().clone()
    }

    /// How many lines hold all of these words.
    pub fn count(&self, words: &[&str]) -> usize {
        count(&self.text(), words)
    }

    /// Fails unless one line holds all of these words.
    pub fn assert_line(&self, words: &[&str]) {
        assert!(self.count(words) > 0, "no line with {words:?}:\n{}", self.text());
    }

    /// Returns once one line holds all of these words.
    pub async fn wait_for_line(&self, words: &[&str]) {
        self.wait_for_lines(1, words).await;
    }

    /// Returns once so many lines hold all of these words.
    pub async fn wait_for_lines(&self, lines: usize, words: &[&str]) {
        let mut text = self.text.subscribe();
        let all = text.wait_for(|text| count(text, words) >= lines);
        let found = tokio::time::timeout(Duration::from_secs(20), all).await.is_ok();
        assert!(found, "not {lines} lines with {words:?} in time:\n{}", self.text());
    }
}

fn count(text: &str, words: &[&str]) -> usize {
    text.lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
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
