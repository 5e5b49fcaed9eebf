//! A message on its way, complete and unchangeable: who sent it and its octets.
//!
//! Who receives it, and how that stands, is in its parcels. The same for a device's mail, for our own notices and for
//! copies to the archive; knows nothing of disks but through its body.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Route;
use super::body::Body;
use crate::ids::{DeviceName, MessageId, SessionId};
use crate::mail::envelope::{Envelope, Sender};

/// A message.
#[derive(Debug)]
pub struct Message {
    /// Given before the body was read.
    pub id: MessageId,
    /// The session it came in.
    pub session: SessionId,
    /// Who sent it; of a notice, who sent what it is about.
    pub device: DeviceName,
    /// What it is.
    pub kind: Kind,
    /// `MAIL FROM` and its parameters.
    pub sender: Sender,
    /// The octets, as every attempt sends them.
    pub body: Body,
    /// An octet above 127 stands in the body or the header.
    pub eight_bit: bool,
    /// An octet above 127 stands in the header.
    pub eight_bit_header: bool,
    /// When its data had ended.
    pub arrived: Timestamp,
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Kind {
    /// A device's mail.
    Mail,
    /// Our report on another message. It never causes one.
    Notice { of: MessageId },
    /// `delivery.archive_to`: its fate is no concern of the device.
    Copy { of: MessageId },
}

impl Kind {
    /// For the log and for programs; never changes.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Notice { .. } => "notice",
            Self::Copy { .. } => "copy",
        }
    }
}

/// What the door hands over.
#[derive(Debug)]
pub struct Offered {
    /// The message.
    pub message: Message,
    /// Its envelope; the sender is the message's.
    pub envelope: Arc<Envelope>,
    /// The route of each recipient, in the envelope's order.
    pub routes: Vec<Route>,
}
