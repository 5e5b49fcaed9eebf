//! Changes, put into rows inside somebody else's transaction.
//!
//! Decides nothing about durability: that is the writer's. Tells what follows once the transaction is committed: which
//! spool files nothing refers to any more, and which messages came and went.

use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{self, Facts, ParcelRow};
use super::tally::Moved;
use crate::ids::{AccountName, MessageId};
use crate::queue::Message;
use crate::queue::parcel::{Parcel, ParcelId};
use crate::queue::store::Change;

/// What a caller wants done, all or nothing.
#[derive(Debug)]
pub(super) enum Work {
    /// Of messages and parcels.
    Changes(Vec<Change>),
    /// What is remembered of an account, as JSON.
    Remember(AccountName, String),
    /// A parcel whose row cannot be read: it is held from now on, and what stood there is kept beside.
    SetAside(Box<Parcel>),
}

/// What follows when the transaction is committed.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// Messages that went and had a spool file.
    pub(super) gone: Vec<MessageId>,
    /// Messages that came and went.
    pub(super) moved: Vec<Moved>,
    /// Messages that came with work that did nothing else: what has to go should the work have failed.
    pub(super) stored: Vec<MessageId>,
}

/// Does it.
pub(super) fn apply(to: &Connection, work: &Work, effects: &mut Effects) -> rusqlite::Result<()> {
    match work {
        Work::Changes(all) => changes(to, all, effects),
        Work::SetAside(parcel) => {
            let sql =
                "INSERT INTO damaged SELECT message, number, content FROM parcel WHERE message = ?1 AND number = ?2
                       ON CONFLICT DO NOTHING";
            to.prepare_cached(sql)?.execute(params![parcel.id.message.as_bytes(), parcel.id.number])?;
            update(to, parcel)
        }
        Work::Remember(account, content) => {
            let sql = "INSERT INTO memory VALUES (?1, ?2) ON CONFLICT DO UPDATE SET content = excluded.content";
            to.prepare_cached(sql)?.execute(params![account.as_str(), content]).map(|_| ())
        }
    }
}

fn changes(to: &Connection, changes: &[Change], effects: &mut Effects) -> rusqlite::Result<()> {
    let before = effects.stored.len();
    for change in changes {
        match change {
            Change::Store(message, parcels) => store(to, message, parcels, effects)?,
            Change::Update(parcel) => update(to, parcel)?,
            Change::Finish(id) => finish(to, *id, effects)?,
        }
    }
    if !changes.iter().all(|change| matches!(change, Change::Store(..))) {
        // A notice that comes with the end it tells of: they stay or go together, and go only with the transaction.
        effects.stored.truncate(before);
    }
    Ok(())
}

/// Of a message that is there already nothing is changed.
fn store(to: &Connection, message: &Message, parcels: &[Parcel], effects: &mut Effects) -> rusqlite::Result<()> {
    if parcels.is_empty() {
        // It would never go out, and never go away.
        return Err(rusqlite::Error::InvalidParameterName(format!("{} has no parcel", message.id)));
    }
    if is_there(to, message.id)? {
        return Ok(());
    }
    let (front, file) = message.body.parts();
    to.prepare_cached("INSERT INTO body (octets) VALUES (?1)")?.execute([front.concat()])?;
    let body = to.last_insert_rowid();
    let facts = Facts::of(message);
    let device = message.device.as_str();
    to.prepare_cached("INSERT INTO message VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?.execute(params![
        message.id.as_bytes(),
        body,
        file.map(crate::disk::spool::SpoolFile::size),
        device,
        facts.sender.reverse_path.to_string().to_lowercase(),
        message.body.size(),
        rows::rounded_down(message.arrived),
        rows::to_json(&facts)?,
    ])?;
    let mut insert = to.prepare_cached(
        "INSERT INTO parcel SELECT :message, :number, :route, device, :standing, :at, :recipients, :content
         FROM message WHERE id = :message",
    )?;
    for parcel in parcels {
        insert.execute(&ParcelRow::of(parcel)?.params())?;
    }
    effects.moved.push(Moved::In(message.device.clone(), message.body.size()));
    effects.stored.push(message.id);
    Ok(())
}

/// Whether there is a message of this id.
pub(super) fn is_there(to: &Connection, id: MessageId) -> rusqlite::Result<bool> {
    to.prepare_cached("SELECT 1 FROM message WHERE id = ?1")?.exists([id.as_bytes()])
}

/// Of a parcel that is not there nothing is changed.
pub(super) fn update(to: &Connection, parcel: &Parcel) -> rusqlite::Result<()> {
    let sql = "UPDATE parcel SET route = :route, standing = :standing, at = :at, recipients = :recipients,
               content = :content WHERE message = :message AND number = :number";
    to.prepare_cached(sql)?.execute(&ParcelRow::of(parcel)?.params()).map(|_| ())
}

fn finish(to: &Connection, id: ParcelId, effects: &mut Effects) -> rusqlite::Result<()> {
    let message = id.message.as_bytes();
    let sql = "DELETE FROM parcel WHERE message = ?1 AND number = ?2";
    if to.prepare_cached(sql)?.execute(params![message, id.number])? == 0 {
        return Ok(());
    }
    let left = to.prepare_cached("SELECT 1 FROM parcel WHERE message = ?1 LIMIT 1")?.exists([message])?;
    if left { Ok(()) } else { remove_message(to, id.message, effects) }
}

/// Everything of a message, if it is there: it was said not to be.
pub(super) fn remove(to: &Connection, id: MessageId, effects: &mut Effects) -> rusqlite::Result<()> {
    to.prepare_cached("DELETE FROM parcel WHERE message = ?1")?.execute([id.as_bytes()])?;
    remove_message(to, id, effects)
}

fn remove_message(to: &Connection, id: MessageId, effects: &mut Effects) -> rusqlite::Result<()> {
    let sql = "DELETE FROM message WHERE id = ?1 RETURNING body, spooled IS NOT NULL, device, size";
    let went = to.prepare_cached(sql)?.query_row([id.as_bytes()], Went::read).optional()?;
    let Some(Went { body, is_spooled, device, size }) = went else { return Ok(()) };
    to.prepare_cached("DELETE FROM body WHERE seq = ?1")?.execute([body])?;
    if is_spooled {
        effects.gone.push(id);
    }
    effects.moved.push(Moved::Out(device.as_str().into(), size));
    Ok(())
}

/// A message that was there.
struct Went {
    body: i64,
    is_spooled: bool,
    device: String,
    size: u64,
}

impl Went {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { body: row.get(0)?, is_spooled: row.get(1)?, device: row.get(2)?, size: row.get(3)? })
    }
}
