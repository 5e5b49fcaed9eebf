//! Changes, put into rows inside somebody else's transaction.
//!
//! Decides nothing about durability: that is the writer's. Tells which spool files nothing refers to any more once the
//! transaction is committed.

use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{self, Facts, ParcelRow};
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
}

/// Does it. Messages that went and had a spool file are added to `gone`.
pub(super) fn apply(to: &Connection, work: &Work, gone: &mut Vec<MessageId>) -> rusqlite::Result<()> {
    match work {
        Work::Changes(changes) => changes.iter().try_for_each(|change| match change {
            Change::Store(message, parcels) => store(to, message, parcels),
            Change::Update(parcel) => update(to, parcel),
            Change::Finish(id) => finish(to, *id, gone),
        }),
        Work::Remember(account, content) => {
            let sql = "INSERT INTO memory VALUES (?1, ?2) ON CONFLICT DO UPDATE SET content = excluded.content";
            to.prepare_cached(sql)?.execute(params![account.as_str(), content]).map(|_| ())
        }
    }
}

fn store(to: &Connection, message: &Message, parcels: &[Parcel]) -> rusqlite::Result<()> {
    if parcels.is_empty() {
        // It would never go out, and never go away.
        return Err(rusqlite::Error::InvalidParameterName(format!("{} has no parcel", message.id)));
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
    Ok(())
}

/// Of a parcel that is not there nothing is changed.
pub(super) fn update(to: &Connection, parcel: &Parcel) -> rusqlite::Result<()> {
    let sql = "UPDATE parcel SET route = :route, standing = :standing, at = :at, recipients = :recipients,
               content = :content WHERE message = :message AND number = :number";
    to.prepare_cached(sql)?.execute(&ParcelRow::of(parcel)?.params()).map(|_| ())
}

fn finish(to: &Connection, id: ParcelId, gone: &mut Vec<MessageId>) -> rusqlite::Result<()> {
    let message = id.message.as_bytes();
    let sql = "DELETE FROM parcel WHERE message = ?1 AND number = ?2";
    if to.prepare_cached(sql)?.execute(params![message, id.number])? == 0 {
        return Ok(());
    }
    let left = to.prepare_cached("SELECT 1 FROM parcel WHERE message = ?1 LIMIT 1")?.exists([message])?;
    if left { Ok(()) } else { remove_message(to, id.message, gone) }
}

/// Everything of a message, if it is there: it was said not to be.
pub(super) fn remove(to: &Connection, id: MessageId, gone: &mut Vec<MessageId>) -> rusqlite::Result<()> {
    to.prepare_cached("DELETE FROM parcel WHERE message = ?1")?.execute([id.as_bytes()])?;
    remove_message(to, id, gone)
}

fn remove_message(to: &Connection, id: MessageId, gone: &mut Vec<MessageId>) -> rusqlite::Result<()> {
    let sql = "DELETE FROM message WHERE id = ?1 RETURNING body, spooled IS NOT NULL";
    let deleted =
        to.prepare_cached(sql)?.query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((body, is_spooled)) = deleted else { return Ok(()) };
    let body: i64 = body;
    to.prepare_cached("DELETE FROM body WHERE seq = ?1")?.execute([body])?;
    if is_spooled {
        gone.push(id);
    }
    Ok(())
}
