//! Builds the rooms from the configuration, starts them in order, and ends them in order.
//!
//! Guarantees that nothing is accepted before every listener is bound and every account can be used, and that a
//! running relay ends within its grace: sessions are dismissed, windows closed, providers told QUIT. Starts without
//! asking anyone on the network (promise 9).

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::account::book::{Book, BookError, Listed};
use crate::account::keeper::{Keeper, KeeperError, Tools};
use crate::account::vault::{Holder, Vault};
use crate::account::{self, Encryption};
use crate::config::Config;
use crate::ids::{AccountName, ListenerName};
use crate::inbound::door::{Door, Sessions, Tls};
use crate::inbound::limits::Meters;
use crate::inbound::policy::reach::largest_message;
use crate::inbound::policy::{AccountFacts, Policy};
use crate::inbound::settings::{Addressing, DeviceAuth, ListenerSettings, ListenerTls};
use crate::journal::{Event, Journal};
use crate::mail::address::Address;
use crate::net::clock::Clock;
use crate::net::gateway::{self, Watch};
use crate::net::guard::{self, Guarded, Rules};
use crate::net::http::HttpClient;
use crate::net::listen::{self, BindError, Listener};
use crate::net::ours::Bound;
use crate::net::proxy::{Proxies, Proxy};
use crate::net::tls::files::{FilesError, ServerTls};
use crate::net::trust::{self, Anchors, ClientTls, TrustError};
use crate::outbound::{Couriers, Desk};
use crate::queue::Queue;
use crate::smtp::client::Timeouts;
use crate::smtp::server;
use crate::store::file::FileVault;
use crate::upstream::Upstream;

/// Why the relay cannot start; each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("listener {listener}: {source}")]
    Guard { listener: ListenerName, source: guard::Refused },
    #[error("listener {listener}: {source}")]
    Bind { listener: ListenerName, source: BindError },
    #[error("listener {listener}: {source}")]
    Certificate { listener: ListenerName, source: FilesError },
    #[error(
        "account {account}: {host} port {port} is this relay itself, so mail would go round in a circle; set the provider's own host and port"
    )]
    SelfLoop { account: AccountName, host: String, port: u16 },
    #[error("account {account}: {source}")]
    Trust { account: AccountName, source: TrustError },
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    #[error(transparent)]
    Book(#[from] BookError),
}

/// A running relay.
#[derive(Debug)]
pub struct App {
    listening: Vec<(ListenerName, SocketAddr)>,
    doors: Vec<tokio::task::JoinHandle<()>>,
    sessions: Sessions,
    couriers: Couriers,
    journal: Journal,
    grace: Duration,
}

/// What all accounts of a house share.
#[derive(Debug, Clone)]
pub struct Common {
    /// Our own listeners, once they are bound.
    pub ours: Arc<OnceLock<Bound>>,
    /// This machine's name towards providers.
    pub hostname: String,
    /// How long providers may take.
    pub timeouts: Timeouts,
    /// Where everything is written down.
    pub journal: Journal,
    /// Where sign-ins are kept.
    pub vault: Arc<dyn Vault>,
    /// Who this process is at the vault.
    pub holder: Holder,
    /// What time it is.
    pub clock: Clock,
}

impl Common {
    /// For a process beside the owner of the storage directory, or without one.
    #[must_use]
    pub fn new(config: &Config, journal: Journal, timeouts: Timeouts) -> Self {
        Self {
            ours: Arc::default(),
            hostname: hostname(config),
            timeouts,
            journal,
            vault: Arc::new(FileVault::new(config.storage.clone())),
            holder: Holder::new(false),
            clock: Clock::default(),
        }
    }
}

/// How long providers may take to answer QUIT when the relay ends, and devices to take a last reply.
const GOODBYES: Duration = Duration::from_secs(2);

/// Starts the relay. Must be called inside the runtime.
///
/// # Errors
/// When a listener cannot be opened or an account cannot be used at all; then nothing is left running.
pub fn start(config: &Config, journal: Journal, timeouts: Timeouts) -> Result<App, StartError> {
    let common = Common { holder: Holder::new(true), ..Common::new(config, journal, timeouts) };
    let Common { ours, hostname, journal, .. } = common.clone();
    let queue = Arc::new(Queue::new(config.accounts.iter().map(|account| account.name.clone())));
    let mut desks = Vec::new();
    for account in &config.accounts {
        let upstream = upstream(account.clone(), &common)?;
        desks.push(Desk::new(upstream, Arc::clone(&queue), journal.clone()));
    }
    let mut opened = Vec::new();
    let meters = Arc::default();
    for listener in &config.listeners {
        let door = Arc::new(door(config, listener, &hostname, (&queue, &meters), &journal)?);
        for bound in bind_all(listener)? {
            opened.push((Arc::clone(&door), bound));
        }
    }
    let bound = Bound::new(opened.iter().map(|(_, listener)| listener.address()));
    refuse_self_loops(&config.accounts, &bound)?;
    // Set once, here; nobody has connected anywhere before.
    let _ = ours.set(bound);
    config.accounts.iter().for_each(|account| say_proxies(account, &journal));
    let couriers = Couriers::default();
    for desk in desks {
        desk.open(&couriers);
    }
    let sessions = Sessions::default();
    let mut listening = Vec::new();
    let mut doors = Vec::new();
    for (door, listener) in opened {
        let (name, address) = (door.policy.listener().clone(), listener.address());
        journal.record(Event::Listening { listener: &name, address });
        listening.push((name, address));
        doors.push(tokio::spawn(door.open(listener, sessions.clone())));
    }
    let grace = config.delivery.shutdown_grace;
    Ok(App { listening, doors, sessions, couriers, journal, grace })
}

impl App {
    /// The listeners and the addresses they are bound to, in the order of the configuration.
    #[must_use]
    pub fn listening(&self) -> &[(ListenerName, SocketAddr)] {
        &self.listening
    }

    /// Ends the relay: no new sessions, open ones are dismissed, messages under way get the grace to be answered.
    pub async fn shut_down(self) {
        let until = Instant::now() + self.grace;
        self.doors.iter().for_each(tokio::task::JoinHandle::abort);
        self.sessions.tasks.close();
        self.journal.live().dismiss_all();
        let in_time = tokio::time::timeout_at(until.into(), self.sessions.tasks.wait()).await.is_ok();
        // Idle couriers say QUIT; attempts still under way are cut, and who waits for one hears what that means.
        self.couriers.tasks.close();
        self.couriers.ending.cancel();
        if !in_time {
            let left = self.journal.live().len();
            tracing::warn!(sessions = left, "shutdown_grace is over; these sessions are cut");
            let _ = tokio::time::timeout(GOODBYES, self.sessions.tasks.wait()).await;
            self.sessions.cut.cancel();
        }
        let _ = tokio::time::timeout(GOODBYES, self.couriers.tasks.wait()).await;
    }
}

/// One account, ready to connect. Asks nobody on the network.
///
/// # Errors
/// When the account cannot be used at all, whatever the provider says.
pub fn upstream(account: account::Settings, common: &Common) -> Result<Upstream, StartError> {
    let name = || account.name.clone();
    let now = Instant::now();
    let untrusted = |source| StartError::Trust { account: name(), source };
    // Who is never shown a certificate must start on a machine without roots, too.
    let unused = trust::Settings { anchors: Anchors::Bundled, ..trust::Settings::default() };
    let believed = if account.encryption == Encryption::None { &unused } else { &account.trust };
    let tls = ClientTls::load(believed, now).map_err(untrusted)?;
    let keeper = Keeper::new(&account, tools(&account, common)?)?;
    let Common { ours, hostname, timeouts, journal, .. } = common.clone();
    Ok(Upstream::new(account, keeper, tls, ours, hostname, timeouts, journal))
}

/// What tokens of an account are asked for and kept with.
///
/// # Errors
/// When whom it trusts cannot be read.
pub fn tools(account: &account::Settings, common: &Common) -> Result<Tools, StartError> {
    let http = trust::http_terms(&account.trust, Instant::now())
        .map_err(|source| StartError::Trust { account: account.name.clone(), source })?;
    let http = HttpClient::new(http, account.proxies.http.clone());
    let Common { vault, holder, clock, .. } = common.clone();
    Ok(Tools { http, vault, holder, clock })
}

fn door(
    config: &Config,
    listener: &ListenerSettings,
    hostname: &str,
    (queue, meters): (&Arc<Queue>, &Arc<Meters>),
    journal: &Journal,
) -> Result<Door, StartError> {
    let load = |certificate, key| {
        ServerTls::load(certificate, key, Instant::now())
            .map_err(|source| StartError::Certificate { listener: listener.name.clone(), source })
    };
    let tls = match &listener.tls {
        ListenerTls::None => Tls::None,
        ListenerTls::StartTls { certificate, key } => Tls::StartTls(load(certificate, key)?),
        ListenerTls::Implicit { certificate, key } => Tls::Implicit(load(certificate, key)?),
    };
    let dialogue = server::Settings {
        hostname: hostname.to_owned(),
        starttls: matches!(tls, Tls::StartTls(_)),
        auth: match listener.auth {
            DeviceAuth::None => server::Auth::Off,
            DeviceAuth::AcceptAny => server::Auth::AcceptAny,
            DeviceAuth::Optional => server::Auth::Optional,
            DeviceAuth::Required => server::Auth::Required,
        },
        max_size: largest_message(
            listener,
            &config.devices,
            config.default_account.as_ref(),
            &config.routes,
            &config.accounts,
        ),
        max_recipients: listener.max_recipients,
        line_endings: listener.line_endings,
        idle: config.caps.idle,
        minimum_rate: config.caps.minimum_rate,
    };
    Ok(Door {
        policy: policy(config, listener)?,
        dialogue: Arc::new(dialogue),
        tls,
        caps: config.caps.clone(),
        meters: Arc::clone(meters),
        wait: config.delivery.wait,
        spool: config.storage.directory.clone(),
        gateway: Watch::new(default_gateway()),
        queue: Arc::clone(queue),
        journal: journal.clone(),
    })
}

/// The rules of one listener, as the relay applies them.
///
/// # Errors
/// When a route, a device or `default_account` names an account that is not there.
pub fn policy(config: &Config, listener: &ListenerSettings) -> Result<Policy, StartError> {
    let listed =
        |account: &account::Settings| Listed { name: account.name.clone(), former: account.renamed_from.clone() };
    let listed = config.accounts.iter().map(listed).collect();
    let book = Book::new(listed, config.routes.clone(), config.default_account.as_ref())?;
    let facts = |account: &account::Settings| AccountFacts {
        address: account.address.as_ref().and_then(|text| Address::parse(text.as_bytes()).ok()),
        recipients_per_message: account.recipients_per_message,
    };
    let accounts: HashMap<_, _> = config.accounts.iter().map(|a| (a.name.clone(), facts(a))).collect();
    let addressing = Addressing {
        default_domain: config.default_domain.clone(),
        aliases: config.aliases.iter().map(|(from, to)| (from.to_ascii_lowercase(), to.clone())).collect(),
    };
    Ok(Policy::new(listener.clone(), config.devices.clone(), addressing, book, accounts))
}

/// Every address, but for IPv6 loopback on a machine without IPv6: the default names it, and containers often lack it.
fn bind_all(listener: &ListenerSettings) -> Result<Vec<Listener>, StartError> {
    let mut bound = Vec::new();
    let mut missing = None;
    for &address in &listener.bind {
        match bind(listener, address) {
            Ok(opened) => bound.push(opened),
            Err(error @ StartError::Bind { source: BindError::NotAvailable { .. }, .. })
                if address.is_ipv6() && address.ip().is_loopback() =>
            {
                tracing::info!(listener = %listener.name, %address, "this machine has no IPv6, the address is left out");
                missing = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    match missing {
        Some(error) if bound.is_empty() => Err(error),
        _ => Ok(bound),
    }
}

fn bind(listener: &ListenerSettings, address: SocketAddr) -> Result<Listener, StartError> {
    let guarded =
        guard(listener, address).map_err(|source| StartError::Guard { listener: listener.name.clone(), source })?;
    listen::bind(&guarded).map_err(|source| StartError::Bind { listener: listener.name.clone(), source })
}

/// One address of a listener, past the guard.
///
/// # Errors
/// When the listener would be open to strangers there, or take passwords in clear.
pub fn guard(listener: &ListenerSettings, address: SocketAddr) -> Result<Guarded, guard::Refused> {
    let rules = Rules {
        allow: &listener.allow,
        auth: match listener.auth {
            DeviceAuth::None => guard::Auth::None,
            // Any login opens it, so it protects nothing.
            DeviceAuth::AcceptAny | DeviceAuth::Optional => guard::Auth::Offered,
            DeviceAuth::Required => guard::Auth::Required,
        },
        passwords: match (&listener.tls, listener.auth_in_clear) {
            (_, true) => guard::Passwords::ClearByChoice,
            (ListenerTls::None, false) => guard::Passwords::Clear,
            _ => guard::Passwords::InsideTls,
        },
    };
    Guarded::admit(address, &rules)
}

fn refuse_self_loops(accounts: &[account::Settings], bound: &Bound) -> Result<(), StartError> {
    // To a proxy elsewhere our own address, `localhost` above all, means something else.
    let is_seen_from_here = |account: &account::Settings| account.proxies.smtp.as_ref().is_none_or(Proxy::is_local);
    let leads_back = |account: &&account::Settings| bound.could_be_ours(&account.host, account.port);
    match accounts.iter().filter(|account| is_seen_from_here(account)).find(leads_back) {
        None => Ok(()),
        Some(account) => {
            Err(StartError::SelfLoop { account: account.name.clone(), host: account.host.clone(), port: account.port })
        }
    }
}

/// Which way an account takes out, if it is not straight.
fn say_proxies(account: &account::Settings, journal: &Journal) {
    let Proxies { smtp, http } = &account.proxies;
    let tokens = http.as_ref().filter(|_| matches!(account.credential, account::Source::OAuth(_)));
    for (what, proxy) in [("mail goes", smtp.as_ref()), ("tokens are fetched", tokens)] {
        let Some(proxy) = proxy else { continue };
        let (proxy, set_by) = (proxy.to_string(), proxy.origin.to_string());
        journal.record(Event::ThroughProxy { account: &account.name, what, proxy, set_by });
    }
}

/// The network's default gateway, where the system shows it (Linux).
#[must_use]
pub fn default_gateway() -> Option<Ipv4Addr> {
    gateway::read(&std::fs::read_to_string("/proc/net/route").ok()?)
}

/// This machine's name towards devices and providers.
#[must_use]
pub fn hostname(config: &Config) -> String {
    config.hostname.clone().unwrap_or_else(machine_name)
}

/// What the operating system calls this machine; `localhost` if it says nothing.
#[must_use]
pub fn machine_name() -> String {
    let asked = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let asked = asked.or_else(|| std::env::var("COMPUTERNAME").ok()).unwrap_or_default();
    let name = asked.trim();
    if name.is_empty() { "localhost".into() } else { name.to_owned() }
}

/// The signal by which service managers and container runtimes end a process.
#[cfg(unix)]
#[must_use]
pub fn terminate_signal() -> Option<tokio::signal::unix::Signal> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok()
}
