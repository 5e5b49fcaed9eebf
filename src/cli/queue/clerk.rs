//! Who is asked about the queue, and told what to do with it: the running relay, or this process as the owner of the
//! storage directory.
//!
//! Guarantees that there is never more than one of them at work: the files are only touched under the lock.

use super::{EX_NOPERM, EX_TEMPFAIL, Undone};
use crate::app::control::{self, Running, Unanswered, queue as relay};
use crate::app::queue::{Ask, Page, Shown};
use crate::config::Config;
use crate::ids::MessageId;
use crate::net::control::AskError;
use crate::queue::acts::{Acted, Order};
use crate::store::file::Settings as Storage;

/// Who says so.
pub(super) enum Source {
    /// The relay that is running.
    Relay(Running),
    /// The files, which this process owns.
    Files { why: String },
}

/// Who is asked.
pub(super) struct Clerk {
    source: Source,
    storage: Storage,
}

impl Clerk {
    pub(super) async fn find(config: &Config) -> Result<Self, Undone> {
        let storage = config.storage.clone();
        match control::running(&storage).await {
            Ok(running) => Ok(Self { source: Source::Relay(running), storage }),
            Err(why) => Err(undone(&why)),
        }
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    pub(super) async fn page(&self, ask: &Ask) -> Result<Page, Undone> {
        relay::list(&self.storage, ask).await.map_err(|why| undone(&why))
    }

    pub(super) async fn find_message(&self, digits: &str) -> Result<Vec<MessageId>, Undone> {
        relay::find(&self.storage, digits).await.map_err(|why| undone(&why))
    }

    pub(super) async fn show(&self, id: MessageId) -> Result<Shown, Undone> {
        relay::show(&self.storage, id).await.map_err(|why| undone(&why))
    }

    pub(super) async fn body(&self, id: MessageId, offset: u64) -> Result<Vec<u8>, Undone> {
        relay::body(&self.storage, id, offset).await.map_err(|why| undone(&why))
    }

    pub(super) async fn act(&self, order: &Order) -> Result<Acted, Undone> {
        relay::act(&self.storage, order).await.map_err(|why| undone(&why))
    }
}

fn undone(why: &Unanswered) -> Undone {
    let code = match why {
        Unanswered::Ask(AskError::NotAllowed { .. } | AskError::Stranger { .. }) => EX_NOPERM,
        _ => EX_TEMPFAIL,
    };
    (code, why.to_string())
}
