//! Reading: a few connections of their own, so that nobody who looks stands in the writer's way.
//!
//! Every question is answered from one snapshot, and finds its rows by an index; only `list`, `count`, `find` and
//! `stock` go through the queue, and never through the bodies. As long as one of these connections is open, what a failed commit left in
//! the log beyond the last promised one is invisible to all and overwritten by the next.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Rows, Statement, named_params, params};

use super::rows::{self, Facts, WAITING, waiting};
use super::schema;
use crate::account::memory::Remembered;
use crate::disk::spool::SpoolFile;
use crate::ids::{AccountName, MessageId};
use crate::queue::body::Body;
use crate::queue::parcel::{Parcel, ParcelId};
use crate::queue::store::{Filter, Page, StandingKind, Stock, Unreadable, Waiting};
use crate::queue::{Message, Route};

/// The connections. One that failed is opened anew for the next question.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    connections: [Mutex<Option<Connection>>; 2],
}

impl Readers {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let open = || schema::connect_reader(path).map(|connection| Mutex::new(Some(connection)));
        Ok(Self { path: path.to_owned(), connections: [open()?, open()?] })
    }

    /// An answer from one snapshot.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Unreadable> {
        let mut slot = self.free();
        let answer = match slot.take() {
            Some(connection) => Ok(connection),
            None => schema::connect_reader(&self.path),
        }
        .and_then(|connection| {
            let answer = connection.unchecked_transaction().and_then(|snapshot| question(&snapshot))?;
            *slot = Some(connection);
            Ok(answer)
        });
        answer.map_err(|error| unreadable(&error))
    }

    /// Keeps everybody from reading meanwhile.
    pub(super) fn pause(&self) -> [MutexGuard<'_, Option<Connection>>; 2] {
        let [first, second] = &self.connections;
        [lock(first), lock(second)]
    }

    /// One nobody uses, else the first one when it is free.
    fn free(&self) -> MutexGuard<'_, Option<Connection>> {
        let [first, second] = &self.connections;
        first.try_lock().or_else(|_| second.try_lock()).unwrap_or_else(|_| lock(first))
    }
}

/// What a panic leaves behind is at worst no connection.
fn lock(slot: &Mutex<Option<Connection>>) -> MutexGuard<'_, Option<Connection>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Each route once, by jumping from one to the next in the index.
pub(super) fn routes(from: &Connection) -> rusqlite::Result<Vec<Route>> {
    let sql = "WITH RECURSIVE step (route) AS (
                   SELECT min(route) FROM parcel INDEXED BY parcel_times
                   UNION ALL
                   SELECT (SELECT min(route) FROM parcel INDEXED BY parcel_times WHERE route > step.route)
                   FROM step WHERE step.route IS NOT NULL)
               SELECT route FROM step WHERE route IS NOT NULL";
    let mut statement = from.prepare_cached(sql)?;
    statement.query_map([], |row| rows::route(row, 0))?.collect()
}

pub(super) fn next_due(from: &Connection, routes: &[Route], after: Timestamp) -> rusqlite::Result<Option<Timestamp>> {
    let sql = "SELECT min(at) FROM parcel INDEXED BY parcel_times WHERE route = ?1 AND standing = ?2 AND at > ?3";
    let mut statement = from.prepare_cached(sql)?;
    let mut next: Option<i64> = None;
    for route in routes {
        for kind in [StandingKind::Due, StandingKind::Held] {
            let params = params![route.to_string(), rows::standing(kind), rows::rounded_down(after)];
            let at: Option<i64> = statement.query_row(params, |row| row.get(0))?;
            next = [next, at].into_iter().flatten().min();
        }
    }
    Ok(next.and_then(|at| Timestamp::from_microsecond(at).ok()))
}

pub(super) fn hold_over(from: &Connection, now: Timestamp, limit: usize) -> rusqlite::Result<Vec<Waiting>> {
    let sql = format!(
        "SELECT {WAITING} FROM parcel AS p INDEXED BY parcel_holds JOIN message AS m ON m.id = p.message
         WHERE p.standing = 2 AND p.at <= ?1 ORDER BY p.at, p.message, p.number LIMIT ?2"
    );
    let mut statement = from.prepare_cached(&sql)?;
    statement.query_map(params![rows::rounded_down(now), limited(limit)], waiting)?.collect()
}

pub(super) fn unfinished(from: &Connection) -> rusqlite::Result<Vec<Waiting>> {
    let sql = format!(
        "SELECT {WAITING} FROM parcel AS p INDEXED BY parcel_sending JOIN message AS m ON m.id = p.message
         WHERE p.standing = 1 ORDER BY p.message, p.number"
    );
    from.prepare_cached(&sql)?.query_map([], waiting)?.collect()
}

pub(super) fn parcels(from: &Connection, id: MessageId) -> rusqlite::Result<Vec<Parcel>> {
    let sql = format!(
        "SELECT {WAITING} FROM parcel AS p JOIN message AS m ON m.id = p.message
         WHERE p.message = ?1 ORDER BY p.number"
    );
    let mut statement = from.prepare_cached(&sql)?;
    statement.query_map([id.as_bytes()], |row| waiting(row).map(|waiting| waiting.parcel))?.collect()
}

/// A message, but for the file behind it.
pub(super) struct Read {
    facts: Facts,
    device: String,
    front: Vec<u8>,
    spooled: Option<u64>,
}

pub(super) fn message(from: &Connection, id: MessageId) -> rusqlite::Result<Option<Read>> {
    let sql = "SELECT m.content, m.device, b.octets, m.spooled FROM message AS m JOIN body AS b ON b.seq = m.body
               WHERE m.id = ?1";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Read { facts: rows::json(row, 0)?, device: row.get(1)?, front: row.get(2)?, spooled: row.get(3)? })
    };
    from.prepare_cached(sql)?.query_row([id.as_bytes()], read).optional()
}

impl Read {
    /// With its file, if it has one; it lies there under the message's id.
    pub(super) fn open(self, id: MessageId, spool: &Path) -> Result<Message, Unreadable> {
        let Self { facts, device, front, spooled } = self;
        let file = spooled.map(|size| whole_file(&spool.join(id.to_string()), size)).transpose();
        let file = file?;
        Ok(Message {
            id,
            session: facts.session,
            device: device.as_str().into(),
            kind: facts.kind,
            sender: facts.sender,
            body: Body::stored(front, file),
            eight_bit: facts.eight_bit,
            eight_bit_header: facts.eight_bit_header,
            arrived: facts.arrived,
        })
    }
}

/// A kept file, as long as it was when it was kept; else what is wrong with it.
pub(super) fn whole_file(path: &Path, size: u64) -> Result<SpoolFile, Unreadable> {
    match SpoolFile::open(path) {
        Ok(file) if file.size() == size => Ok(file),
        Ok(file) => Err(Unreadable::Damaged {
            detail: format!("{} has {} octets instead of {size}", path.display(), file.size()),
        }),
        Err(error) => {
            let detail = format!("{} cannot be opened: {error}", path.display());
            Err(std::io::Error::new(error.kind(), detail).into())
        }
    }
}

/// Of a database that is no database, and of rows that are not what was written, nothing more is to be had. Everything
/// else may pass: a lock, a limit, a disk that did not answer.
fn unreadable(error: &rusqlite::Error) -> Unreadable {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    let detail = error.to_string();
    let is_damaged = match error {
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..) => true,
        error => {
            matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        }
    };
    if is_damaged { Unreadable::Damaged { detail } } else { Unreadable::Passing { detail } }
}

/// Conditions that are not given are NULL, and hold.
const FROM_FILTERED: &str = "FROM parcel AS p JOIN message AS m ON m.id = p.message
    WHERE (p.message, p.number) > (:message, :number)
      AND (:from IS NULL OR instr(m.sender, :from) > 0)
      AND (:to IS NULL OR instr(p.recipients, :to) > 0)
      AND (:device IS NULL OR p.device = :device)
      AND (:account IS NULL OR instr(',' || p.route || ',', ',' || :account || ',') > 0)
      AND (:standing IS NULL OR p.standing = :standing)
      AND (:since IS NULL OR m.arrived >= :since)
      AND (:before IS NULL OR m.arrived < :before)";

pub(super) fn list(from: &Connection, filter: &Filter, page: Page) -> rusqlite::Result<Vec<Waiting>> {
    let sql = format!("SELECT {WAITING} {FROM_FILTERED} ORDER BY p.message, p.number LIMIT {}", limited(page.limit));
    filtered(&mut from.prepare(&sql)?, filter, page.after)?.mapped(waiting).collect()
}

pub(super) fn count(from: &Connection, filter: &Filter) -> rusqlite::Result<u64> {
    let mut statement = from.prepare(&format!("SELECT count(*) {FROM_FILTERED}"))?;
    filtered(&mut statement, filter, None)?.mapped(|row| row.get(0)).next().unwrap_or(Ok(0))
}

fn filtered<'s>(
    statement: &'s mut Statement<'_>,
    filter: &Filter,
    after: Option<ParcelId>,
) -> rusqlite::Result<Rows<'s>> {
    // Every id is longer than none.
    let (message, number) = after.as_ref().map_or((&[][..], 0), |id| (&id.message.as_bytes()[..], id.number));
    let lower = |text: &Option<String>| text.as_ref().map(|text| text.to_lowercase());
    statement.query(named_params! {
        ":message": message, ":number": number,
        ":from": lower(&filter.from), ":to": lower(&filter.to),
        ":device": filter.device, ":account": filter.account, ":standing": filter.standing.map(rows::standing),
        ":since": filter.since.map(rows::rounded_down), ":before": filter.before.map(rows::rounded_down),
    })
}

/// Ids whose digits begin or end so.
pub(super) fn find(from: &Connection, digits: &str, limit: usize) -> rusqlite::Result<Vec<MessageId>> {
    let sql = "SELECT id FROM message WHERE instr(lower(hex(id)), ?1) = 1 OR substr(lower(hex(id)), ?2) = ?1
               ORDER BY id LIMIT ?3";
    // Counted from the end; no digits at all are the beginning of every id.
    let end = -limited(digits.len());
    let mut statement = from.prepare_cached(sql)?;
    let ids = statement.query_map(params![digits, end, limited(limit)], |row| row.get(0))?;
    ids.map(|id| id.map(MessageId::from_bytes)).collect()
}

pub(super) fn stock(from: &Connection) -> rusqlite::Result<Stock> {
    let mut statement = from.prepare_cached("SELECT device, count(*), sum(size) FROM message GROUP BY device")?;
    let by_device = statement.query_map([], |row| {
        let device: String = row.get(0)?;
        Ok((device.as_str().into(), (row.get(1)?, row.get(2)?)))
    })?;
    Ok(Stock { by_device: by_device.collect::<rusqlite::Result<_>>()? })
}

/// Of an account whose record cannot be read as if nothing was known.
pub(super) fn recall(from: &Connection) -> rusqlite::Result<HashMap<AccountName, Remembered>> {
    let mut statement = from.prepare_cached("SELECT account, content FROM memory")?;
    let all = statement.query_map([], |row| {
        let account: String = row.get(0)?;
        Ok((account.as_str().into(), rows::json(row, 1).unwrap_or_default()))
    })?;
    all.collect()
}

/// As the database counts.
pub(super) fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
