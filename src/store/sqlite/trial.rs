//! The way back after the disk has failed: everything is opened anew and looked through, and one change on trial must
//! become durable before anything is taken again.
//!
//! Guarantees that what was said not to be stored is not there afterwards. A commit whose sync failed is as a rule
//! invisible already: the readers kept the log's index open, which does not know of it, so this commit overwrites it.
//! Should it have become durable all the same, its messages are removed here. An update or an end that became durable
//! all the same is left: it says what was true when it was asked for.

use std::path::Path;

use rusqlite::Connection;

use super::trouble::Disk;
use super::write::{self, Effects};
use super::{bodies, schema};
use crate::disk::spool::{self, SpoolFile};
use crate::ids::MessageId;

/// A new connection, if the disk works; else why not.
pub(super) fn pass(database: &Path, storage: &Path, disk: &Disk, refused: &[MessageId]) -> Result<Connection, String> {
    try_spool(storage, disk).map_err(|error| format!("{}: {error}", spool::incoming(storage).display()))?;
    let connection = try_database(database, disk, refused)?;
    // Before anybody may store a message of the same id again.
    for id in refused {
        bodies::remove(storage, *id);
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
