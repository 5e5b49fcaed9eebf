//! Who is asked about the queue, and told what to do with it: the running relay, or this process as the owner of the
//! storage directory.
//!
//! Guarantees that there is never more than one of them at work: the files are only touched under the lock.

use std::fmt::Display;

use super::{EX_NOPERM, EX_TEMPFAIL, Undone};
use crate::app::control::{self, Unanswered, queue as relay};
use crate::app::queue::files::{Files, FilesError};
use crate::app::queue::{Ask, Holds, Page, Shown, looks};
use crate::cli::source::Source;
use crate::cli::sysexits::{EX_CANTCREAT, EX_IOERR, EX_USAGE};
use crate::config::Config;
use crate::disk::OwnershipError;
use crate::ids::MessageId;
use crate::net::control::AskError;
use crate::queue::acts::{Acted, Order};
use crate::store::file::Settings as Storage;

/// Who is asked.
pub(super) struct Clerk {
    source: Source,
    desk: Desk,
}

enum Desk {
    /// Behind the socket in this directory.
    Relay(Storage),
    /// In this process.
    Files(Box<Files>),
    /// There is no queue yet.
    Nothing,
}

impl Clerk {
    /// The relay if one is running, else the files.
    pub(super) async fn find(config: &Config) -> Result<Self, Undone> {
        let storage = config.storage.clone();
        let why = match control::running(&storage).await {
            Ok(running) => return Ok(Self { source: Source::Relay(running), desk: Desk::Relay(storage) }),
            Err(why @ Unanswered::Ask(AskError::NotRunning { .. })) => why.to_string(),
            Err(why) => return Err(unanswered(&why)),
        };
        let config = config.clone();
        let opened = tokio::task::spawn_blocking(move || Files::open(&config)).await.map_err(broken)?;
        let desk = opened.map_err(|why| unopened(&why))?.map_or(Desk::Nothing, |files| Desk::Files(Box::new(files)));
        Ok(Self { source: Source::Files { why }, desk })
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    pub(super) async fn page(&self, ask: &Ask) -> Result<Page, Undone> {
        match &self.desk {
            Desk::Relay(storage) => relay::list(storage, ask).await.map_err(|why| unanswered(&why)),
            Desk::Files(files) => {
                let holds = files.holds().map_err(broken)?;
                looks::page(files.store(), ask.clone(), holds).await.map_err(broken)
            }
            Desk::Nothing => Ok(Page { rows: Vec::new(), matching: 0, holds: Holds::new() }),
        }
    }

    pub(super) async fn find_message(&self, digits: &str) -> Result<Vec<MessageId>, Undone> {
        match &self.desk {
            Desk::Relay(storage) => relay::find(storage, digits).await.map_err(|why| unanswered(&why)),
            Desk::Files(files) => looks::find(files.store(), digits.to_owned()).await.map_err(broken),
            Desk::Nothing => Ok(Vec::new()),
        }
    }

    pub(super) async fn show(&self, id: MessageId) -> Result<Shown, Undone> {
        match &self.desk {
            Desk::Relay(storage) => relay::show(storage, id).await.map_err(|why| unanswered(&why)),
            Desk::Files(files) => {
                let holds = files.holds().map_err(broken)?;
                looks::show(files.store(), id, holds).await.map_err(broken)?.ok_or_else(|| gone(id))
            }
            Desk::Nothing => Err(gone(id)),
        }
    }

    pub(super) async fn body(&self, id: MessageId, offset: u64) -> Result<Vec<u8>, Undone> {
        match &self.desk {
            Desk::Relay(storage) => relay::body(storage, id, offset).await.map_err(|why| unanswered(&why)),
            Desk::Files(files) => looks::body(files.store(), id, offset).await.map_err(broken)?.ok_or_else(|| gone(id)),
            Desk::Nothing => Err(gone(id)),
        }
    }

    pub(super) async fn act(&self, order: &Order) -> Result<Acted, Undone> {
        match &self.desk {
            Desk::Relay(storage) => relay::act(storage, order).await.map_err(|why| unanswered(&why)),
            Desk::Files(files) => files.act(order).await.map_err(broken),
            Desk::Nothing => Ok(Acted::default()),
        }
    }
}

fn unanswered(why: &Unanswered) -> Undone {
    let code = match why {
        Unanswered::Ask(AskError::NotAllowed { .. } | AskError::Stranger { .. }) => EX_NOPERM,
        _ => EX_TEMPFAIL,
    };
    (code, why.to_string())
}

fn unopened(why: &FilesError) -> Undone {
    let code = match why {
        FilesError::Ownership(OwnershipError::Taken { .. }) => EX_TEMPFAIL,
        FilesError::Ownership(_) => EX_CANTCREAT,
        FilesError::Open(_) => EX_IOERR,
    };
    (code, why.to_string())
}

fn broken(why: impl Display) -> Undone {
    (EX_IOERR, why.to_string())
}

fn gone(id: MessageId) -> Undone {
    (EX_USAGE, format!("message {id} is not in the queue any more; the log tells what became of it"))
}
