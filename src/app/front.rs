//! The front of the house: each listener's door with the rules it keeps, and the addresses it is bound to.
//!
//! Binds only what passes the guard. Everything a door needs is loaded here, before the first device knocks; asks
//! nobody on the network.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::{StartError, default_gateway};
use crate::account;
use crate::account::book::{Book, Listed};
use crate::config::Config;
use crate::inbound::door::{Door, Tls};
use crate::inbound::limits::Meters;
use crate::inbound::policy::reach::largest_message;
use crate::inbound::policy::{AccountFacts, Policy};
use crate::inbound::redirect::Elsewhere;
use crate::inbound::settings::{Addressing, DeviceAuth, ListenerSettings, ListenerTls};
use crate::journal::Journal;
use crate::mail::address::Address;
use crate::net::gateway::Watch;
use crate::net::guard::{self, Guarded, Rules};
use crate::net::listen::{self, BindError, Listener};
use crate::net::tls::files::ServerTls;
use crate::queue::{self, Queue};
use crate::smtp::server;

/// The door of one listener, not yet open.
///
/// # Errors
/// When its certificate or one of its rules cannot be used.
pub(super) fn door(
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
        dsn: reports_to_senders(&config.queue),
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
        wait: config.queue.wait(),
        spool: config.storage.directory.clone(),
        fixups: config.fixups,
        gateway: Watch::new(default_gateway()),
        elsewhere: Elsewhere {
            redirect_to: config.delivery.redirect_to.clone(),
            archive_to: config.delivery.archive_to.clone(),
        },
        queue: Arc::clone(queue),
        journal: journal.clone(),
    })
}

/// Whether senders who ask for reports get them: DSN is announced only then (RFC 3461 §4).
fn reports_to_senders(queue: &queue::Settings) -> bool {
    matches!(queue, queue::Settings::Durable(keeping) if keeping.notices.to == queue::NoticesTo::Sender)
}

/// The rules of one listener, as the relay applies them.
///
/// # Errors
/// When a route, a device or `default_account` names an account that is not there.
pub fn policy(config: &Config, listener: &ListenerSettings) -> Result<Policy, StartError> {
    let book = book(config)?;
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

/// Which account a message goes to.
///
/// # Errors
/// When a route, a device or `default_account` names an account that is not there.
pub(super) fn book(config: &Config) -> Result<Book, StartError> {
    let listed =
        |account: &account::Settings| Listed { name: account.name.clone(), former: account.renamed_from.clone() };
    let listed = config.accounts.iter().map(listed).collect();
    Ok(Book::new(listed, config.routes.clone(), config.default_account.as_ref())?)
}

/// Every address, but for IPv6 loopback on a machine without IPv6: the default names it, and containers often lack it.
pub(super) fn bind_all(listener: &ListenerSettings) -> Result<Vec<Listener>, StartError> {
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
