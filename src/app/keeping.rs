//! The queue, as the configuration wants it: a pure proxy, or one that keeps what it promised in our storage directory.
//!
//! Guarantees that what is kept is opened after the directory has become ours and closed before anybody else may have
//! it, and that mail of an earlier run finds its accounts under the names and by the rules of today.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use super::{Common, StartError, front};
use crate::account::book::Origin;
use crate::account::memory::{Memory, Volatile};
use crate::config::Config;
use crate::disk::{FreeSpace, Ownership, spool};
use crate::ids::ListenerName;
use crate::queue::store::Store;
use crate::queue::{AccountFacts, Known, Queue, Reroute, Route, Settings};
use crate::store::sqlite::Sqlite;

/// Opens it, and the memory of the accounts beside it, which a pure proxy has for this run only. Nothing stored is
/// handed out before [`start`].
///
/// # Errors
/// When what was kept cannot be opened.
pub(super) fn open(
    config: &Config,
    owner: &Ownership,
    common: &Common,
) -> Result<(Arc<Queue>, Arc<dyn Memory>), StartError> {
    Ok(match &config.queue {
        Settings::Proxy { .. } => {
            // Drafts of a process that died; an engine looks after its own.
            if let Err(error) = spool::sweep(owner) {
                tracing::warn!("what an earlier run left in the spool cannot be removed: {error}");
            }
            let queue = Queue::proxy(config.accounts.iter().map(|account| account.name.clone()));
            (Arc::new(queue), Arc::new(Volatile::default()))
        }
        Settings::Durable(keeping) => {
            let store = Arc::new(Sqlite::open(owner)?);
            let queue = Queue::durable(
                (**keeping).clone(),
                config.accounts.iter().map(AccountFacts::from).collect(),
                Arc::clone(&store) as Arc<dyn Store>,
                common.clock.clone(),
                common.journal.clone(),
                common.hostname.clone(),
                FreeSpace::on(owner.directory()),
            );
            (Arc::new(queue), store)
        }
    })
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
/// has let go of it. A disk that hangs is not waited for: the process ends, and the directory with it.
pub(super) async fn close(queue: Arc<Queue>, owner: Ownership, patience: Duration) {
    if tokio::time::timeout(patience, queue.finished()).await.is_err() {
        tracing::warn!("what the queue still had to write is cut; what was acknowledged is stored");
    }
    // The last one to let go waits for the disk.
    let closing = tokio::task::spawn_blocking(move || {
        drop(queue);
        drop(owner);
    });
    if tokio::time::timeout(patience, closing).await.is_err() {
        tracing::warn!("the disk does not answer and the queue is not closed; what was acknowledged is stored");
    }
}
