//! The queue, as commands and programs are told of it and may tell it something.
//!
//! Travels as JSON over `control.sock`: plain data, no body of a mail but where one is asked for, no secret. What is
//! shown to people and programs is made of it by `posthouse queue`.

pub mod files;
pub mod looks;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::account::status::HoldStatus;
use crate::ids::{AccountName, DeviceName, MessageId, SessionId};
use crate::mail::address::Address;
use crate::mail::envelope::{ReversePath, Sender};
use crate::queue::parcel::{Parcel, ParcelId, Said, Standing, State};
use crate::queue::store::{Filter, Waiting};
use crate::queue::{Kind, Message, Route};

/// How many recipients of a parcel a line of the list names.
const NAMED: usize = 10;

/// One page of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ask {
    /// Which ones.
    pub filter: Filter,
    /// Behind this one.
    pub after: Option<ParcelId>,
    /// At most so many; never more than [`Ask::MOST`].
    pub limit: usize,
}

impl Ask {
    /// As many lines as one answer has room for.
    pub const MOST: usize = 500;
}

/// What keeps an account from taking anything, by account.
pub type Holds = BTreeMap<AccountName, HoldStatus>;

/// What is to be seen of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The oldest message first.
    pub rows: Vec<Row>,
    /// How many there are that the filter lets through, on all pages.
    pub matching: u64,
    /// Accounts that take nothing just now: held, or not reached.
    pub holds: Holds,
}

/// A parcel on one line: the recipients of a message that go out together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Which one.
    pub id: ParcelId,
    /// What its message is.
    pub kind: Kind,
    /// Who sent it.
    pub device: DeviceName,
    /// `MAIL FROM`
    pub from: ReversePath,
    /// The first few recipients, those still open before the others.
    pub to: Vec<Address>,
    /// How many there are.
    pub recipients: usize,
    /// How many of them are still open.
    pub open: usize,
    /// Octets.
    pub size: u64,
    /// When its message came.
    pub arrived: Timestamp,
    /// The accounts it may go through.
    pub route: Route,
    /// What happens next.
    pub standing: Standing,
    /// Attempts so far.
    pub attempts: u32,
    /// What was last said against it.
    pub last: Option<Said>,
}

impl From<Waiting> for Row {
    fn from(waiting: Waiting) -> Self {
        let Waiting { parcel, device, kind, reverse_path, size, arrived } = waiting;
        let open = parcel.recipients.iter().filter(|owed| owed.state.is_open());
        let closed = parcel.recipients.iter().filter(|owed| !owed.state.is_open());
        let to = open.clone().chain(closed).take(NAMED).map(|owed| owed.recipient.address.clone()).collect();
        Self {
            kind,
            device,
            from: reverse_path,
            to,
            recipients: parcel.recipients.len(),
            open: open.count(),
            size,
            arrived,
            last: last_said(&parcel),
            id: parcel.id,
            route: parcel.route,
            standing: parcel.standing,
            attempts: parcel.attempts,
        }
    }
}

/// What was last said against a parcel: of what is still open if anything is, else of what failed.
#[must_use]
pub fn last_said(parcel: &Parcel) -> Option<Said> {
    let said = |state: &State| match state {
        State::Open { last } => last.clone(),
        State::Never { said, .. } => Some(said.clone()),
        State::Delivered { .. } => None,
    };
    let open = parcel.recipients.iter().filter(|owed| owed.state.is_open()).find_map(|owed| said(&owed.state));
    open.or_else(|| parcel.recipients.iter().find_map(|owed| said(&owed.state)))
}

/// Everything about a message but its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Which one.
    pub id: MessageId,
    /// The session it came in.
    pub session: SessionId,
    /// What it is.
    pub kind: Kind,
    /// Who sent it.
    pub device: DeviceName,
    /// `MAIL FROM` and its parameters.
    pub sender: Sender,
    /// Octets.
    pub size: u64,
    /// When it came.
    pub arrived: Timestamp,
    /// The beginning of its header, as text; at most [`Shown::HEADER`] octets.
    pub header: String,
    /// Its parcels, in their order.
    pub parcels: Vec<Parcel>,
    /// Accounts that take nothing just now: held, or not reached.
    pub holds: Holds,
}

impl Shown {
    /// So much of a header is shown.
    pub const HEADER: usize = 64 * 1024;

    /// Reads the header, so this blocks on the disk for a moment.
    ///
    /// # Errors
    /// When the body cannot be read.
    pub fn new(message: &Message, parcels: Vec<Parcel>, holds: Holds) -> std::io::Result<Self> {
        let mut octets = Vec::new();
        message.body.read_at(0, Self::HEADER, &mut octets)?;
        let end = octets.windows(4).position(|window| window == b"\r\n\r\n").map_or(octets.len(), |at| at + 2);
        Ok(Self {
            id: message.id,
            session: message.session,
            kind: message.kind,
            device: message.device.clone(),
            sender: message.sender.clone(),
            size: message.body.size(),
            arrived: message.arrived,
            header: String::from_utf8_lossy(&octets[..end]).into_owned(),
            parcels,
            holds,
        })
    }
}
