//! What happens to mail that is kept, other than attempts: room, holds, what a person did, what a start found.
//!
//! Part of [`super::Event`], in a file of its own; the same fields wherever the same thing is meant.

use super::masks::Masks;
use crate::diagnosis::Diagnosis;
use crate::ids::{DeviceName, MessageId};

/// What happened.
#[derive(Debug)]
pub enum Kept<'a> {
    /// No mail is taken for now, and why.
    NoRoom { why: &'a str, cure: &'static str },
    /// Mail is taken again.
    RoomAgain,
    /// A device has its share of the queue, and its mail is refused for a while.
    ShareUsedUp { device: &'a DeviceName, key: &'static str },
    /// One message waits for a person.
    MessageHeld { message: MessageId, diagnosis: &'a Diagnosis },
    /// One message waits until it can be read; said once.
    NotReadable { message: MessageId, detail: &'a str },
    /// Mail that waits for a person, or for an account that cannot be used; once a day for as long as that is so.
    StillHeld { parcels: u64, oldest: &'a str, why: &'a str },
    /// A person did this to a message.
    Acted { message: MessageId, what: &'static str, reason: &'a str },
    /// What an earlier run left behind was looked after.
    Recovered { uncertain: usize, rerouted: usize, held: usize },
    /// That cannot be done yet.
    NotRecovered { detail: &'a str },
}

impl Kept<'_> {
    pub(super) fn log(&self, masks: Masks) {
        match self {
            Self::NoRoom { why, cure } => tracing::error!(cure, "no mail is taken, devices hear 452: {why}"),
            Self::RoomAgain => tracing::info!("mail is taken again"),
            Self::ShareUsedUp { device, key } => tracing::warn!(
                %device, limit = key,
                cure = "`posthouse queue --device` shows what waits and why; no device may have more than half of the queue",
                "half of the queue is this device's, its mail is refused until some of it is gone"
            ),
            Self::MessageHeld { message, diagnosis } => tracing::error!(
                message_id = %message, code = diagnosis.code, cause = %diagnosis.cause, cure = %masks.text(&diagnosis.cure),
                "message held: {}", masks.text(&diagnosis.sentence)
            ),
            Self::NotReadable { message, detail } => tracing::warn!(
                message_id = %message,
                cure = "look at the disk, its rights and the limit of open files; it is tried again by itself",
                "a stored message cannot be read just now and waits: {detail}"
            ),
            Self::StillHeld { parcels, oldest, why } => tracing::warn!(
                parcels,
                oldest,
                cure = "`posthouse queue` shows them; release or remove them, or cure what holds them",
                "mail is held: {}",
                masks.text(why)
            ),
            Self::Acted { message, what, reason } => {
                tracing::info!(message_id = %message, reason = masks.text(reason).as_ref(), "{what} by hand");
            }
            Self::Recovered { uncertain, rerouted, held } => {
                tracing::warn!(uncertain, rerouted, held, "an earlier run left mail behind that was looked after");
            }
            Self::NotRecovered { detail } => tracing::error!(
                cure = "look at the disk; it is tried again by itself",
                "what an earlier run left behind cannot be read, stored mail waits: {detail}"
            ),
        }
    }
}
