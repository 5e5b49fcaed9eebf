//! The way back after the disk has failed: everything is opened anew and looked through, and one change on trial must
//! become durable before anything is taken again.
//!
//! Guarantees that a message that was said not to be stored is not there afterwards. A commit whose sync failed is as a
//! rule invisible already: the readers kept the log's index open, which does not know of it, and this commit overwrites
//! it. What became durable all the same is removed here, but for updates and ends, with what came along: they say what
//! was true when it was asked for, and asked for again they change nothing. A process killed before this can do nothing.

use std::path::Path;

use rusqlite::Connection;

use super::trouble::Disk;
use super::write::{self, Effects};
use super::{bodies, schema};
use crate::disk::spool::{self, SpoolFile};
use crate::ids::MessageId;

/// What was said not to be there.
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// Messages: whatever is there of them goes.
    pub(super) messages: Vec<MessageId>,
    /// Files: they go unless there is a message that has them.
    pub(super) files: Vec<MessageId>,
}

/// A new connection, if the disk works; else why not.
pub(super) fn pass(database: &Path, storage: &Path, disk: &Disk, refused: &Refused) -> Result<Connection, String> {
    try_spool(storage, disk).map_err(|error| format!("{}: {error}", spool::incoming(storage).display()))?;
    let connection = try_database(database, disk, &refused.messages)?;
    // Before anybody may store a message of the same id again.
    for id in &refused.messages {
        bodies::remove(storage, *id);
    }
    for id in &refused.files {
        bodies::remove_orphan(storage, &connection, *id);
    }
    Ok(connection)
}

/// A page of a body; it goes when it is dropped.
fn try_spool(storage: &Path, disk: &Disk) -> std::io::Result<()> {
    let mut file = SpoolFile::create(&spool::incoming(storage))?;
    file.append(&[0; 4096])?;
    disk.sync(&file)
}

fn try_database(database: &Path, disk: &Disk, refused: &[MessageId]) -> Result<Connection, String> {
    let said = |error: rusqlite::Error| error.to_string();
    let connection = schema::connect(database).map_err(said)?;
    schema::check(&connection).map_err(said)??;
    connection.execute_batch("BEGIN IMMEDIATE").map_err(said)?;
    // They were never counted, and their files are removed in any case.
    let mut effects = Effects::default();
    for id in refused {
        write::remove(&connection, *id, &mut effects).map_err(said)?;
    }
    let count = "INSERT INTO trial VALUES (1, 1) ON CONFLICT DO UPDATE SET count = count + 1";
    connection.execute_batch(count).map_err(said)?;
    disk.commit(&connection).map_err(said)?;
    Ok(connection)
}
