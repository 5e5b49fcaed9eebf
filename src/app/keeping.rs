//! The queue, as the configuration wants it: a pure proxy, or one that keeps what it promised in our storage directory.
//!
//! Guarantees that what is kept is opened after the directory has become ours and closed before anybody else may have
//! it, that mail of an earlier run finds its accounts under the names and by the rules of today, and that a pure proxy
//! does not start where such mail would be left lying.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use super::{Common, StartError, front};
use crate::account::book::Origin;
use crate::config::Config;
use crate::disk::{FreeSpace, Ownership};
use crate::ids::ListenerName;
use crate::journal::{Event, Journal};
use crate::queue::store::{Filter, StandingKind, Store};
use crate::queue::{AccountFacts, Known, Queue, Reroute, Route, Settings};
use crate::store::sqlite::Sqlite;

/// Opens what is kept, which remembers the accounts of a pure proxy too, and the queue on top of it. Nothing stored is
/// handed out before [`start`].
///
/// # Errors
/// When what was kept cannot be opened, or is mail that a pure proxy would leave lying.
pub(super) fn open(
    config: &Config,
    owner: &Ownership,
    common: &Common,
) -> Result<(Arc<Queue>, Arc<Sqlite>), StartError> {
    let store = Arc::new(Sqlite::open(owner)?);
    let queue = match &config.queue {
        Settings::Proxy { .. } => {
            match owed(&*store)? {
                0 => {}
                mails => return Err(StartError::Owed { mails }),
            }
            Queue::proxy(config.accounts.iter().map(|account| account.name.clone()))
        }
        Settings::Durable(keeping) => Queue::durable(
            (**keeping).clone(),
            config.accounts.iter().map(AccountFacts::from).collect(),
            Arc::clone(&store) as Arc<dyn Store>,
            common.clock.clone(),
            common.journal.clone(),
            common.hostname.clone(),
            FreeSpace::on(owner.directory()),
        ),
    };
    if config.delivery.redirect_to.is_some() {
        say_not_redirected(&*store, &common.journal)?;
    }
    Ok((Arc::new(queue), store))
}

/// How many mails are promised and not delivered. What has failed is kept for a human, not owed.
fn owed(store: &dyn Store) -> Result<u64, StartError> {
    let count = |standing| store.count(&Filter { standing, ..Filter::default() }).map_err(StartError::Unknown);
    Ok(count(None)?.saturating_sub(count(Some(StandingKind::Failed))?))
}

/// Where mail goes elsewhere for a trial, what was promised before goes where it was written to all the same.
fn say_not_redirected(store: &dyn Store, journal: &Journal) -> Result<(), StartError> {
    let mails = owed(store)?;
    if mails > 0 {
        let text = format!(
            "mail lies in the queue ({mails}): what came before `delivery.redirect_to` was set goes to whom it was written to; `posthouse queue hold --all` keeps it back"
        );
        journal.record(Event::Risk { text: &text });
    }
    Ok(())
}

/// Begins to hand out what is stored, once what an earlier run left behind is in order.
///
/// # Errors
/// When a route, a device or `default_account` names an account that is not there.
pub(super) fn start(queue: &Queue, config: &Config) -> Result<(), StartError> {
    let renamed = config
        .accounts
        .iter()
        .flat_map(|account| account.renamed_from.iter().map(|former| (former.clone(), account.name.clone())));
    queue.start(Known { renamed: renamed.collect(), reroute: reroute(config)? });
    Ok(())
}

/// The rules of today for mail of an earlier run. Where it came in is not known any more: only rules that do not ask
/// for that fit.
fn reroute(config: &Config) -> Result<Reroute, StartError> {
    let book = front::book(config)?;
    let devices = config.devices.clone();
    let nowhere = ListenerName::from("");
    Ok(Box::new(move |waiting| {
        let login = devices.iter().find(|device| device.name == waiting.device);
        let origin = Origin {
            sender: &waiting.reverse_path,
            login: login.map(|device| &device.name),
            own: login.and_then(|device| device.account.as_ref()),
            // A device without a login is called by its address.
            source: waiting.device.as_str().parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            listener: &nowhere,
        };
        // The recipients of one parcel went the same way.
        let first = waiting.parcel.recipients.first()?;
        let route = book.choose(&origin, &first.recipient.address).ok()?;
        Route::new(Arc::clone(route.accounts()))
    }))
}

/// Waits until it has nothing more to write, and closes what is kept; then the directory is anybody's. Everybody else
/// has let go of both. A disk that hangs is not waited for: the process ends, and the directory with it.
pub(super) async fn close(kept: (Arc<Queue>, Arc<Sqlite>), owner: Ownership, patience: Duration) {
    if tokio::time::timeout(patience, kept.0.finished()).await.is_err() {
        tracing::warn!("what the queue still had to write is cut; what was acknowledged is stored");
    }
    // The last one to let go waits for the disk.
    let closing = tokio::task::spawn_blocking(move || {
        drop(kept);
        drop(owner);
    });
    if tokio::time::timeout(patience, closing).await.is_err() {
        tracing::warn!("the disk does not answer and the queue is not closed; what was acknowledged is stored");
    }
}
