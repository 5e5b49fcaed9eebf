//! What a crash can leave behind, put in order before anybody asks.
//!
//! Under the lock of the directory only. Guarantees: bodies that were on their way in and files no message refers to
//! are removed; a message whose file is missing or has another length is never delivered and never guessed at: its
//! parcels are held, with the reason, until a person decides, and its file stays where it is. Rows need nothing: a
//! transaction is there or it is not. Looks at large messages only, one by one.

use std::fs::DirEntry;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;

use super::schema::OpenError;
use super::{bodies, read, write};
use crate::disk::spool;
use crate::disk::{Owner, Ownership, private_directory};
use crate::ids::MessageId;
use crate::queue::Route;
use crate::queue::parcel::{HeldBy, Standing, Why};
use crate::queue::store::Unreadable;
use crate::words::Cause;

/// Puts directories and files in order.
pub(super) fn files(owner: &Ownership, connection: &Connection, database_is_new: bool) -> Result<(), OpenError> {
    let storage = owner.directory();
    let directory = spool::kept(storage);
    let failed = |error: io::Error| OpenError::disk(&directory, &error);
    spool::sweep(owner).map_err(failed)?;
    if database_is_new {
        put_aside(&directory).map_err(failed)?;
    }
    private_directory(&spool::incoming(storage), Owner::of(storage)).map_err(failed)?;
    if !database_is_new {
        remove_orphans(&directory, connection)?;
        hold_damaged(storage, connection).map_err(|error| OpenError::of(&directory, &error))?;
    }
    Ok(())
}

/// Bodies without a database: somebody has taken it away, and may bring it back.
fn put_aside(directory: &Path) -> io::Result<()> {
    let Ok(mut entries) = std::fs::read_dir(directory) else { return Ok(()) };
    if !entries.any(|entry| entry.is_ok_and(|entry| message_of(&entry).is_some())) {
        return Ok(());
    }
    let aside = PathBuf::from(format!("{}.without-queue-{}", directory.display(), Timestamp::now().as_second()));
    std::fs::rename(directory, &aside)?;
    tracing::warn!(
        directory = %aside.display(),
        "there were bodies of messages in the spool, but no queue.db: they were put aside, and are not delivered"
    );
    Ok(())
}

/// Whose body a file is; nothing if it is none.
fn message_of(entry: &DirEntry) -> Option<MessageId> {
    entry.file_name().to_str()?.parse().ok()
}

fn remove_orphans(directory: &Path, connection: &Connection) -> Result<(), OpenError> {
    let mut removed = 0_usize;
    let entries = std::fs::read_dir(directory).map_err(|error| OpenError::disk(directory, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| OpenError::disk(directory, &error))?;
        // What has another name was not put there by us.
        let Some(id) = message_of(&entry) else { continue };
        let is_known = is_known(connection, id).map_err(|error| OpenError::of(directory, &error))?;
        removed += usize::from(!is_known && std::fs::remove_file(entry.path()).is_ok());
    }
    if removed > 0 {
        tracing::info!(
            removed,
            "removed bodies of messages that were finished, or never accepted, when the last run ended"
        );
    }
    Ok(())
}

fn is_known(connection: &Connection, id: MessageId) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM message WHERE id = ?1 AND spooled IS NOT NULL";
    connection.prepare_cached(sql)?.exists([id.as_bytes()])
}

/// Holds all parcels of messages whose files are not as they were kept.
fn hold_damaged(storage: &Path, connection: &Connection) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare("SELECT id, spooled FROM message INDEXED BY message_spooled WHERE spooled IS NOT NULL")?;
    let mut rows = statement.query([])?;
    let mut damaged = Vec::new();
    while let Some(row) = rows.next()? {
        let id = MessageId::from_bytes(row.get(0)?);
        // What only cannot be looked at just now is looked at when its turn to be sent comes.
        if let Err(Unreadable::Damaged { detail }) = read::whole_file(&bodies::path(storage, id), row.get(1)?) {
            damaged.push((id, detail));
        }
    }
    drop(rows);
    for (id, detail) in damaged {
        hold(connection, id, &detail)?;
    }
    Ok(())
}

fn hold(connection: &Connection, id: MessageId, detail: &str) -> rusqlite::Result<()> {
    tracing::error!(
        message_id = %id,
        "the body of a queued message is damaged: {detail}; it is held and cannot be sent: put the file back from a backup and release it, or remove the message and tell its sender"
    );
    connection.execute_batch("BEGIN IMMEDIATE")?;
    for mut parcel in read::parcels(connection, id)? {
        if matches!(parcel.standing, Standing::Held { by: HeldBy::Damaged, .. } | Standing::Failed { .. }) {
            continue;
        }
        let mut sentence = format!("the body of the message is damaged: {detail}");
        if let Standing::Sending { account, .. } = &parcel.standing {
            sentence += "; it was being sent when the relay ended, so it may have arrived";
            parcel.route = Route::only(account.clone());
        }
        let why = Why {
            code: "body_damaged".to_owned(),
            cause: Cause::Message,
            sentence,
            cure: "put the file back from a backup and release the message, or remove it and tell its sender"
                .to_owned(),
        };
        parcel.standing = Standing::Held { since: Timestamp::now(), until: None, by: HeldBy::Damaged, why };
        write::update(connection, &parcel)?;
    }
    connection.execute_batch("COMMIT")
}
