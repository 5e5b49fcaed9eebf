//! How messages and parcels lie in rows.
//!
//! A message and a parcel lie whole, as JSON, in their column `content`; what indexes and filters need stands beside
//! it once more. Pure translation; times in columns are microseconds, rounded up where something is due, so that
//! nothing is due before its time.

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Row, ToSql};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ids::{MessageId, SessionId};
use crate::mail::address::Address;
use crate::mail::envelope::{Recipient, ReversePath, Sender};
use crate::queue::parcel::{HeldBy, Owed, Parcel, ParcelId, Standing, State, Why};
use crate::queue::store::{StandingKind, Waiting};
use crate::queue::{Kind, Message, NoAccount, Route};
use crate::words::Cause;

/// What is said of a message in `message.content`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) session: SessionId,
    pub(super) kind: Kind,
    pub(super) sender: Sender,
    pub(super) eight_bit: bool,
    pub(super) eight_bit_header: bool,
    pub(super) arrived: Timestamp,
}

impl Facts {
    pub(super) fn of(message: &Message) -> Self {
        Self {
            session: message.session,
            kind: message.kind,
            sender: message.sender.clone(),
            eight_bit: message.eight_bit,
            eight_bit_header: message.eight_bit_header,
            arrived: message.arrived,
        }
    }
}

/// The columns of a parcel that can change.
pub(super) struct ParcelRow {
    message: [u8; 16],
    number: u16,
    route: String,
    standing: u8,
    at: Option<i64>,
    recipients: String,
    content: String,
}

impl ParcelRow {
    pub(super) fn of(parcel: &Parcel) -> rusqlite::Result<Self> {
        let at = match parcel.standing {
            Standing::Due { at } => Some(rounded_up(at)),
            Standing::Held { until, .. } => until.map(rounded_up),
            Standing::Sending { .. } | Standing::Failed { .. } => None,
        };
        let mut recipients = String::new();
        for owed in &parcel.recipients {
            recipients.extend(owed.recipient.address.as_str().chars().flat_map(char::to_lowercase));
            recipients.push('\n');
        }
        Ok(Self {
            message: *parcel.id.message.as_bytes(),
            number: parcel.id.number,
            route: parcel.route.to_string(),
            standing: standing(parcel.standing.kind()),
            at,
            recipients,
            content: to_json(parcel)?,
        })
    }

    pub(super) fn params(&self) -> [(&'static str, &dyn ToSql); 7] {
        [
            (":message", &self.message),
            (":number", &self.number),
            (":route", &self.route),
            (":standing", &self.standing),
            (":at", &self.at),
            (":recipients", &self.recipients),
            (":content", &self.content),
        ]
    }
}

/// The number of a standing; the partial indexes of the schema name them.
pub(super) fn standing(kind: StandingKind) -> u8 {
    match kind {
        StandingKind::Due => 0,
        StandingKind::Sending => 1,
        StandingKind::Held => 2,
        StandingKind::Failed => 3,
    }
}

/// Microseconds since 1970, not before the time.
pub(super) fn rounded_up(time: Timestamp) -> i64 {
    let whole = time.as_microsecond();
    // `as_microsecond` rounds towards zero.
    if time.as_nanosecond() > i128::from(whole) * 1000 { whole + 1 } else { whole }
}

/// Microseconds since 1970, not after the time.
pub(super) fn rounded_down(time: Timestamp) -> i64 {
    let whole = time.as_microsecond();
    if time.as_nanosecond() < i128::from(whole) * 1000 { whole - 1 } else { whole }
}

/// What [`waiting`] reads, of `parcel AS p JOIN message AS m`.
pub(super) const WAITING: &str = "p.content, m.device, m.size, m.content, \
     p.message, p.number, p.route, p.recipients, m.sender, m.arrived";

/// A row that cannot be read stops nobody: what the columns tell of it, held as damaged.
pub(super) fn waiting(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    whole(row).or_else(|error| damaged(row, &error))
}

fn whole(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    let facts: Facts = json(row, 3)?;
    Ok(Waiting {
        parcel: json(row, 0)?,
        device: row.get_ref(1)?.as_str()?.into(),
        kind: facts.kind,
        reverse_path: facts.sender.reverse_path,
        size: row.get(2)?,
        arrived: facts.arrived,
    })
}

fn damaged(row: &Row<'_>, error: &rusqlite::Error) -> rusqlite::Result<Waiting> {
    let recipients: String = row.get(7)?;
    let recipients = recipients.lines().filter_map(|text| Address::parse(text.as_bytes()).ok());
    let sender: String = row.get(8)?;
    let arrived = Timestamp::from_microsecond(row.get(9)?).unwrap_or(Timestamp::UNIX_EPOCH);
    let standing = Standing::Held { since: arrived, until: None, by: HeldBy::Damaged, why: row_damaged(error) };
    let parcel = Parcel {
        id: parcel_id(row, 4)?,
        route: route(row, 6)?,
        recipients: recipients.map(|a| Owed { recipient: Recipient::plain(a), state: State::NEW }).collect(),
        standing,
        attempts: 0,
        tries: Vec::new(),
        held_s: 0,
        lacking: None,
    };
    Ok(Waiting {
        parcel,
        device: row.get_ref(1)?.as_str()?.into(),
        kind: Kind::Mail,
        reverse_path: ReversePath::try_from(sender).unwrap_or(ReversePath::Null),
        size: row.get(2)?,
        arrived,
    })
}

fn row_damaged(error: &rusqlite::Error) -> Why {
    Why {
        code: "row_damaged".to_owned(),
        cause: Cause::Message,
        sentence: format!("its record in queue.db cannot be read: {error}"),
        cure: "put a backup of the storage directory back, or remove the message and tell its sender".to_owned(),
    }
}

/// The accounts in a column.
pub(super) fn route(row: &Row<'_>, column: usize) -> rusqlite::Result<Route> {
    let failed = |error: NoAccount| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into());
    Route::try_from(row.get::<_, String>(column)?).map_err(failed)
}

/// The id in two columns.
pub(super) fn parcel_id(row: &Row<'_>, first: usize) -> rusqlite::Result<ParcelId> {
    Ok(ParcelId { message: MessageId::from_bytes(row.get(first)?), number: row.get(first + 1)? })
}

pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

pub(super) fn to_json<T: Serialize>(what: &T) -> rusqlite::Result<String> {
    serde_json::to_string(what).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
