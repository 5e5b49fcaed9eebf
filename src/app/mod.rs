//! Builds the rooms from the configuration, starts them in order, and ends them in order.
//!
//! Guarantees that nothing is accepted before every listener is bound and every account can be used, and that a
//! running relay ends within its grace: sessions are dismissed, windows closed, providers told QUIT. Starts without
//! asking anyone on the network (promise 9), and only as the owner of its storage directory, which it is to the end.

pub mod accounts;
pub mod control;
mod front;
mod keeping;
mod machine;
pub mod queue;
mod recalled;
mod reminders;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio_util::task::TaskTracker;

use crate::account::book::BookError;
use crate::account::keeper::{Keeper, KeeperError, Tools};
use crate::account::memory::Memory;
use crate::account::smime::{Signing, SmimeError};
use crate::account::vault::{Holder, Vault};
use crate::account::{self, Encryption};
use crate::config::Config;
use crate::disk::{Ownership, OwnershipError};
use crate::ids::{AccountName, ListenerName};
use crate::inbound::door::Sessions;
use crate::journal::{Event, Journal};
use crate::net;
use crate::net::clock::Clock;
use crate::net::guard;
use crate::net::http::HttpClient;
use crate::net::listen::BindError;
use crate::net::ours::Bound;
use crate::net::proxy::{Proxies, Proxy};
use crate::net::tls::files::FilesError;
use crate::net::trust::{self, Anchors, ClientTls, TrustError};
use crate::outbound::{Couriers, Desk, Desks, Known};
use crate::queue::Queue;
use crate::queue::store::Unreadable;
use crate::smtp::client::Timeouts;
use crate::store::file::FileVault;
use crate::store::sqlite::{OpenError, Sqlite};
use crate::upstream::Upstream;

use recalled::Recalled;

pub use front::{guard, policy};
#[cfg(unix)]
pub use machine::terminate_signal;
pub use machine::{default_gateway, hostname, machine_name};

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
    #[error("account {account}: smime: {source}")]
    Signing { account: AccountName, source: SmimeError },
    #[error("storage: {0}")]
    Ownership(#[from] OwnershipError),
    #[error("storage: {0}")]
    Queue(#[from] OpenError),
    #[error("storage: what is still owed cannot be counted: {0}")]
    Unknown(Unreadable),
    #[error(
        "the queue still holds {mails} mail{} that would not be delivered with `delivery.queue = false`; set it to true until `posthouse queue` shows none, or export and remove them with `posthouse queue`",
        if *mails == 1 { "" } else { "s" }
    )]
    Owed { mails: u64 },
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
    desks: Desks,
    queue: Arc<Queue>,
    renewals: TaskTracker,
    journal: Journal,
    grace: Duration,
    /// Where commands reach this relay, if there can be such a place.
    control: Option<net::control::Door>,
    store: Arc<Sqlite>,
    /// Last, because everything else stands on it.
    owner: Ownership,
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
    /// The renewals of kept sign-ins under way.
    pub renewals: TaskTracker,
}

impl Common {
    /// For a process beside the owner of the storage directory, or without one.
    #[must_use]
    pub fn new(config: &Config, journal: Journal, timeouts: Timeouts) -> Self {
        Self {
            ours: Arc::default(),
            hostname: hostname(config),
            timeouts,
            journal: journal.masking(config.log.masks),
            vault: Arc::new(FileVault::new(config.storage.clone())),
            holder: Holder::new(false),
            clock: Clock::default(),
            renewals: TaskTracker::new(),
        }
    }
}

/// How long providers may take to answer QUIT when the relay ends, and devices to take a last reply.
const GOODBYES: Duration = Duration::from_secs(2);

/// Starts the relay. Must be called inside the runtime.
///
/// # Errors
/// When another relay owns the storage directory, a listener cannot be opened or an account cannot be used at all; then
/// nothing is left running.
pub fn start(config: &Config, journal: Journal, timeouts: Timeouts) -> Result<App, StartError> {
    start_with(config, Common::new(config, journal, timeouts))
}

/// The same with another clock, or whatever else the accounts share.
///
/// # Errors
/// As of [`start`].
pub fn start_with(config: &Config, common: Common) -> Result<App, StartError> {
    let owner = Ownership::take(&config.storage.directory)?;
    let common = Common { holder: Holder::new(true), ..common };
    let Common { ours, hostname, journal, .. } = common.clone();
    let (queue, store) = keeping::open(config, &owner, &common)?;
    let memory = Recalled::from(Arc::clone(&store) as Arc<dyn Memory>);
    let mut desks = Vec::new();
    for account in &config.accounts {
        let upstream = upstream(account.clone(), &common)?;
        let known = Known { signing: signing(account, &common)?, ..memory.of(account, config) };
        desks.push(Desk::new(upstream, Arc::clone(&queue), journal.clone(), known));
    }
    let mut opened = Vec::new();
    let meters = Arc::default();
    for listener in &config.listeners {
        let door = Arc::new(front::door(config, listener, &hostname, (&queue, &meters), &journal)?);
        for bound in front::bind_all(listener)? {
            opened.push((Arc::clone(&door), bound));
        }
    }
    let bound = Bound::new(opened.iter().map(|(_, listener)| listener.address()));
    refuse_self_loops(&config.accounts, &bound)?;
    // Set once, here; nobody has connected anywhere before.
    let _ = ours.set(bound);
    config.accounts.iter().for_each(|account| say_proxies(account, &journal));
    let couriers = Couriers::default();
    bury(config, &common);
    keeping::start(&queue, config)?;
    let desks = Desks::open(desks, &couriers);
    // Whoever hears that the relay listens may ask it at once.
    let control = control::open(&owner, config, &common, (&desks, &queue));
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
    let ending = couriers.ending.clone();
    couriers.tasks.spawn(reminders::keep(config.accounts.clone(), common.clone(), desks.clone(), ending));
    let renewals = common.renewals;
    Ok(App { listening, doors, sessions, couriers, desks, queue, renewals, journal, grace, control, store, owner })
}

impl App {
    /// The listeners and the addresses they are bound to, in the order of the configuration.
    #[must_use]
    pub fn listening(&self) -> &[(ListenerName, SocketAddr)] {
        &self.listening
    }

    /// The accounts, as far as somebody outside may ask of them and tell them.
    #[must_use]
    pub fn desks(&self) -> &Desks {
        &self.desks
    }

    /// Somebody has signed this account in and the vault has it: a hold ends, and the next mail may go at once.
    #[must_use = "says whether there is such an account"]
    pub fn signed_in(&self, account: &AccountName) -> bool {
        self.desks.signed_in(account)
    }

    /// Ends the relay: no new sessions, open ones are dismissed, messages under way get the grace to be answered.
    pub async fn shut_down(self) {
        let until = Instant::now() + self.grace;
        self.doors.iter().for_each(tokio::task::JoinHandle::abort);
        self.sessions.tasks.close();
        self.journal.live().dismiss_all();
        self.queue.end_windows();
        let in_time = tokio::time::timeout_at(until.into(), self.sessions.tasks.wait()).await.is_ok();
        // Idle couriers say QUIT, and attempts before their dot are cut: their mail is stored. The others get what is left
        // of the grace: without its reply a mail that was sent would be sent again.
        self.couriers.tasks.close();
        self.couriers.attempts.close();
        self.couriers.ending.cancel();
        let _ = tokio::time::timeout_at(until.into(), self.couriers.attempts.wait()).await;
        self.couriers.cut.cancel();
        if !in_time {
            let left = self.journal.live().len();
            tracing::warn!(sessions = left, "shutdown_grace is over; these sessions are cut");
            let _ = tokio::time::timeout(GOODBYES, self.sessions.tasks.wait()).await;
            self.sessions.cut.cancel();
        }
        let _ = tokio::time::timeout(GOODBYES, self.couriers.tasks.wait()).await;
        self.renewals.close();
        let ending = until.max(Instant::now() + GOODBYES);
        if tokio::time::timeout_at(ending.into(), self.renewals.wait()).await.is_err() {
            tracing::warn!("the renewal of a sign-in is cut: if the provider has made it, the old one may have ended");
        }
        let _ = tokio::time::timeout(GOODBYES, self.desks.remember_exactly()).await;
        let _ = tokio::time::timeout(GOODBYES, self.desks.store_received()).await;
        // Whoever owns the directory next finds nothing of ours at work in it.
        if let Some(control) = self.control {
            control.close().await;
        }
        drop((self.desks, self.couriers));
        keeping::close((self.queue, self.store), self.owner, GOODBYES).await;
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

/// With what an account signs its mail, if it does.
fn signing(account: &account::Settings, common: &Common) -> Result<Option<Signing>, StartError> {
    let load = |settings| Signing::load(settings, common.clock.steady());
    let loaded = account.smime.as_ref().map(load).transpose();
    loaded.map_err(|source| StartError::Signing { account: account.name.clone(), source })
}

/// What tokens of an account are asked for and kept with.
///
/// # Errors
/// When whom it trusts cannot be read.
pub fn tools(account: &account::Settings, common: &Common) -> Result<Tools, StartError> {
    let http = trust::http_terms(&account.trust, Instant::now())
        .map_err(|source| StartError::Trust { account: account.name.clone(), source })?;
    let http = HttpClient::new(http, account.proxies.http.clone());
    let Common { vault, holder, clock, renewals, .. } = common.clone();
    Ok(Tools { http, vault, holder, clock, renewals })
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

/// Renewals of the relay before this one are over: it is dead, and nobody need wait for it.
fn bury(config: &Config, common: &Common) {
    if config.accounts.iter().any(|account| account.credential.is_kept())
        && let Err(error) = common.vault.bury(&common.holder)
    {
        tracing::warn!("renewals that the relay before this one left unfinished block new ones for a while: {error}");
    }
}

/// Which way an account takes out, if it is not straight.
fn say_proxies(account: &account::Settings, journal: &Journal) {
    let Proxies { smtp, http } = &account.proxies;
    let tokens = http.as_ref().filter(|_| account.credential.grant().is_some());
    for (what, proxy) in [("mail goes", smtp.as_ref()), ("tokens are fetched", tokens)] {
        let Some(proxy) = proxy else { continue };
        let (proxy, set_by) = (proxy.to_string(), proxy.origin.to_string());
        journal.record(Event::ThroughProxy { account: &account.name, what, proxy, set_by });
    }
}
