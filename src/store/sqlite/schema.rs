//! The database file: made, opened and recognized.
//!
//! Guarantees that a file which is not ours, is newer than this program or is damaged is refused with what to do, and
//! left exactly as it is: nothing here deletes, moves or repairs. Nor is a damaged file put aside to begin with an
//! empty queue: mail that was promised would be gone from sight without anybody having decided so.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use crate::disk::{self, Owner};

/// `Post`; what a database of ours is recognized by.
const APPLICATION: i32 = 0x506f_7374;

/// What this program writes and reads.
const VERSION: i32 = 1;

/// A body of 4 KiB needs no overflow page; costs nothing otherwise.
const PAGE_SIZE: u32 = 8192;

/// Columns beside `content` repeat what it says, for the indexes and for filters. Times are microseconds since 1970.
/// The number of a standing stands in `rows::standing`. A body lies in a table of its own, so that a listing does not
/// read it; nothing refers to it but its message, which is removed with it.
const SCHEMA: &str = "
CREATE TABLE body (seq INTEGER PRIMARY KEY, octets BLOB NOT NULL) STRICT;
CREATE TABLE message (
    id BLOB PRIMARY KEY,
    body INTEGER NOT NULL,
    spooled INTEGER,            -- octets in spool/ID, behind those in `body`
    device TEXT NOT NULL,
    sender TEXT NOT NULL,       -- in lower case, for filters
    size INTEGER NOT NULL,
    arrived INTEGER NOT NULL,
    content TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX message_spooled ON message (spooled) WHERE spooled IS NOT NULL;
CREATE TABLE parcel (
    message BLOB NOT NULL REFERENCES message (id),
    number INTEGER NOT NULL,
    route TEXT NOT NULL,
    device TEXT NOT NULL,
    standing INTEGER NOT NULL,
    at INTEGER,                 -- due then, or the end of a hold
    recipients TEXT NOT NULL,   -- in lower case, a line each, for filters
    content TEXT NOT NULL,
    PRIMARY KEY (message, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX parcel_turns ON parcel (route, device, at) WHERE standing = 0;
CREATE INDEX parcel_times ON parcel (route, standing, at);
CREATE INDEX parcel_sending ON parcel (standing) WHERE standing = 1;
CREATE INDEX parcel_holds ON parcel (at) WHERE standing = 2 AND at IS NOT NULL;
CREATE TABLE damaged (
    message BLOB NOT NULL,
    number INTEGER NOT NULL,
    content ANY,                -- what stood in `parcel` and could not be read
    PRIMARY KEY (message, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE memory (account TEXT PRIMARY KEY, content TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE trial (one INTEGER PRIMARY KEY CHECK (one = 1), count INTEGER NOT NULL) STRICT;
";

/// Why the queue cannot be opened; each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer program wrote it.
    #[error(
        "{} was written by a newer Posthouse (its format is {version}, this one knows {VERSION}); start that version again, or give this one a directory of its own with `storage.directory`",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its format.
        version: i32,
    },
    /// It is not ours.
    #[error(
        "{} is no queue of Posthouse; move it somewhere else, or write another directory into `storage.directory`",
        path.display()
    )]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// It is damaged.
    #[error(
        "{} is damaged: {detail}. It was left as it is, and nothing in it is delivered. Copy it, {name}-wal and spool/ to a safe place first; then put a backup of all three back, or move them away to start with an empty queue (`sqlite3 {name} .recover` in the copy may bring its mail back)",
        path.display(), name = path.file_name().unwrap_or_default().display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The disk or its rights.
    #[error(
        "{} cannot be used: {detail}; the user Posthouse runs as must be able to read and write it, on a local file system with room",
        path.display()
    )]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
}

impl OpenError {
    /// What the database says, about this file.
    pub(super) fn of(path: &Path, error: &rusqlite::Error) -> Self {
        let (path, detail) = (path.to_owned(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { path, detail },
            _ => Self::Disk { path, detail },
        }
    }

    /// What the system says, about this file.
    pub(super) fn disk(path: &Path, error: &std::io::Error) -> Self {
        Self::Disk { path: path.to_owned(), detail: error.to_string() }
    }
}

/// A database that was opened and recognized.
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// It was not there, or was empty.
    pub(super) is_new: bool,
}

/// Opens the database, made if it is not there. Under the lock of the directory only.
pub(super) fn open(path: &Path) -> Result<Opened, OpenError> {
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |facts| facts.len());
    let log = path.with_extension("db-wal");
    if length(path) == 0 && length(&log) > 0 {
        // SQLite would throw the log away. It makes one only for a database that has its first page on the disk.
        let detail = format!("it is missing or empty, but {} is not", log.display());
        return Err(OpenError::Damaged { path: path.to_owned(), detail });
    }
    // SQLite would make it readable for all; the log and its index inherit its mode and owner.
    disk::create(path, &[], Owner::of(path.parent().unwrap_or(path))).map_err(|error| OpenError::disk(path, &error))?;
    let connection = find(path).map_err(|error| OpenError::of(path, &error))?;
    // Before anything is set: that would change a file which is not ours.
    let is_new = recognize(&connection, path)?;
    let ready = settle(&connection).and_then(|()| if is_new { make(&connection) } else { Ok(()) });
    ready.and_then(|()| look(&connection)).map_err(|error| OpenError::of(path, &error))?;
    Ok(Opened { connection, is_new })
}

/// A connection to our database.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = find(path)?;
    settle(&connection)?;
    Ok(connection)
}

fn find(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags)?;
    // A connection that is dropped because the disk fails, or because the file is not ours, must not write anything on
    // its way out.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", PAGE_SIZE)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    // What macOS calls a sync stops in the drive's cache; this does not. Nothing changes elsewhere.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    // The writer makes checkpoints itself: errors of automatic ones are heard by nobody.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(())
}

/// A connection that only reads.
pub(super) fn connect_reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Whether it is new; an error if it is not ours.
fn recognize(connection: &Connection, path: &Path) -> Result<bool, OpenError> {
    let number = |name| {
        let asked = connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        asked.map_err(|error| OpenError::of(path, &error))
    };
    let path = || path.to_owned();
    match (number("application_id")?, number("user_version")?) {
        (APPLICATION, VERSION) => Ok(false),
        (APPLICATION, version) if version > VERSION => Err(OpenError::Newer { path: path(), version }),
        (0, 0) if number("schema_version")? == 0 => Ok(true),
        _ => Err(OpenError::Foreign { path: path() }),
    }
}

/// All at once, so that a crash leaves an empty database or a whole one.
fn make(connection: &Connection) -> rusqlite::Result<()> {
    let all = format!(
        "BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
    );
    connection.execute_batch(&all)
}

/// What costs nothing to look at: that every table begins. A file shorter than it
/// says it is, the database refuses itself.
fn look(connection: &Connection) -> rusqlite::Result<()> {
    for table in ["body", "message", "parcel", "damaged", "memory", "trial"] {
        connection.query_row(&format!("SELECT 1 FROM {table} LIMIT 1"), [], |_| Ok(())).optional()?;
    }
    Ok(())
}

/// Looks through everything but the bodies, after the disk has failed.
pub(super) fn check(connection: &Connection) -> rusqlite::Result<Result<(), String>> {
    for table in ["message", "parcel", "memory"] {
        let said: String = connection.query_row(&format!("PRAGMA quick_check('{table}')"), [], |row| row.get(0))?;
        if said != "ok" {
            return Ok(Err(said));
        }
    }
    Ok(Ok(()))
}
