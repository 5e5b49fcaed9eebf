//! The events, and how each reads in the log: one verb per event, the same fields wherever the same thing is meant.
//!
//! Nothing here can hold a secret: texts of devices are verbs and addresses, texts of providers were cleaned before
//! they became a `Reply` or a `Failure`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;

use super::kept::Kept;
use super::line::MessageLine;
use super::masks::Masks;
use super::pace::Pace;
use crate::diagnosis::{Diagnosis, Failure, TlsProblem};
use crate::disk::durable::NotStored;
use crate::ids::{AccountName, DeviceName, ListenerName, MessageId};
use crate::mail::address::Address;
use crate::mail::change::{Change, Rule};
use crate::mail::envelope::{Envelope, ReversePath};
use crate::smtp::quirk::Quirk;
use crate::smtp::reply::Reply;
use crate::smtp::server::{Ending, Intruder};
use crate::words::{Cause, Phase};

/// A stored message, as far as it is told of.
#[derive(Debug)]
pub struct Stored<'a> {
    pub message: MessageId,
    /// `mail`, `notice` or `copy`.
    pub kind: &'static str,
    pub device: &'a DeviceName,
    pub from: &'a ReversePath,
    /// Recipients, as [`named`] has them.
    pub to: String,
}

/// What happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A listener accepts.
    Listening { listener: &'a ListenerName, address: SocketAddr },
    /// An account's connections go through a proxy.
    ThroughProxy { account: &'a AccountName, what: &'static str, proxy: String, set_by: String },
    /// A connection was turned away before a session began.
    TurnedAway { listener: &'a ListenerName, peer: IpAddr, why: &'static str },
    /// A session began.
    Opened,
    /// A session ended.
    Closed { ending: Ending, messages: u32 },
    /// The connection of a session broke.
    Broken { detail: &'a str },
    /// A liberty was taken, which is said once per device; or a mistake was refused, which is said in each session.
    Quirk { device: &'a DeviceName, quirk: Quirk },
    /// The peer does not speak SMTP.
    Intruder { intruder: Intruder },
    /// A device signed in, or did not. The name is given only when it is one of ours.
    DeviceLogin { name: Option<&'a DeviceName>, accepted: bool },
    /// The handshake with a device failed.
    DeviceTlsFailed { device: &'a DeviceName, problem: &'a TlsProblem },
    /// A sender or recipient was refused before any body.
    EnvelopeRefused { what: &'static str, address: String, reply: &'a Reply },
    /// A device sends more than it may, and is refused for a while. Whose limit it is: the listener's, or its own.
    LimitReached {
        device: &'a DeviceName,
        listener: Option<&'a ListenerName>,
        limit: &'static str,
        most: u32,
        lifts_in: Duration,
    },
    /// A field was added to a message.
    Stamped { message: MessageId, fields: &'static str },
    /// Octets of a message were repaired while it came in.
    Repaired { message: MessageId, changes: &'a [Change] },
    /// A message goes to this address and to nobody else (`delivery.redirect_to`).
    Redirected { message: MessageId, to: &'a Address, envelope: &'a Envelope },
    /// The copy of a message for the archive could not be kept; the message itself is not touched by it.
    NotArchived { message: MessageId, reply: &'a Reply },
    /// A body did not end.
    Unfinished { message: MessageId, endings: String },
    /// The one line of a message.
    Message(MessageLine<'a>),
    /// The device was told that its message is kept, and why it is not with the provider yet.
    Queued { message: MessageId, device: &'a DeviceName, standing: Standing, why: &'a str },
    /// An attempt of a stored message is over and recorded.
    Settled { mail: Stored<'a>, account: &'a AccountName, reply: Option<&'a str>, standing: Standing },
    /// A message could not be stored; its device is told so.
    NotStored { message: MessageId, problem: &'a NotStored },
    /// The outcome of an attempt could not be recorded yet.
    OutcomeKept { message: MessageId, problem: &'a NotStored },
    /// It could not be recorded that a dot is written, so it was not.
    DotNotRecorded { message: MessageId, problem: &'a NotStored },
    /// Some have a message, the rest of it could not be stored.
    PartlyDelivered { message: MessageId, delivered: usize, all: usize },
    /// The answer to a message whose device is gone.
    Unheard { message: MessageId, device: &'a DeviceName, reply: &'a Reply },
    /// What somebody should be told by mail and cannot.
    Alert { message: MessageId, text: &'a str },
    /// A message goes out otherwise than it is stored. The span of the attempt says which, and through which account.
    Changed { changes: &'a [Change] },
    /// A connection to a provider is ready. The span of the attempt says which account and message.
    Connected { detail: &'a str, took: Duration },
    /// A handshake in which nothing was verified (`verify = "none"`); shouted for each connection.
    Unverified { host: &'a str },
    /// Nobody waits any more, and this is where the attempt stands.
    NoAnswer { host: &'a str, port: u16, phase: Phase },
    /// An attempt failed.
    AttemptFailed { failure: &'a Failure, diagnosis: &'a Diagnosis },
    /// An account cannot be used for now.
    Held { account: &'a AccountName, diagnosis: &'a Diagnosis, next_try_s: u64 },
    /// It can again.
    Released { account: &'a AccountName },
    /// It goes faster or slower, or not at all for a while.
    Pace { account: &'a AccountName, what: Pace<'a> },
    /// Something will stop an account from signing in, or has; there is time to do something, or it is high time.
    Warned { account: &'a AccountName, code: &'a str, sentence: &'a str, cure: &'a str, due: Option<Timestamp> },
    /// What happened to what is kept, other than an attempt.
    Kept(Kept<'a>),
    /// Something is configured that endangers secrets or mail; shouted at every start.
    Risk { text: &'a str },
}

/// How many recipients of a message stand how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The provider has it.
    pub delivered: usize,
    /// Will never get it.
    pub never: usize,
    /// Still to be delivered.
    pub open: usize,
    /// When it is tried next, if that is by time.
    pub next: Option<Timestamp>,
}

impl Event<'_> {
    pub(super) fn log(&self, masks: Masks) {
        match self {
            Self::Message(line) => line.log(masks),
            Self::Listening { .. }
            | Self::ThroughProxy { .. }
            | Self::TurnedAway { .. }
            | Self::Warned { .. }
            | Self::Risk { .. } => {
                self.log_house(masks);
            }
            Self::Changed { .. }
            | Self::Connected { .. }
            | Self::Unverified { .. }
            | Self::NoAnswer { .. }
            | Self::AttemptFailed { .. }
            | Self::Held { .. }
            | Self::Released { .. } => self.log_upstream(masks),
            Self::Pace { account, what } => what.log(account, masks),
            Self::Queued { .. }
            | Self::Settled { .. }
            | Self::NotStored { .. }
            | Self::OutcomeKept { .. }
            | Self::DotNotRecorded { .. }
            | Self::PartlyDelivered { .. }
            | Self::Unheard { .. }
            | Self::Alert { .. } => self.log_queue(masks),
            Self::Kept(what) => what.log(masks),
            Self::Repaired { message, changes } => repaired(*message, &masks.changes(changes), changes),
            _ => self.log_session(masks),
        }
    }

    fn log_queue(&self, masks: Masks) {
        match self {
            Self::Queued { message, device, standing: Standing { delivered, never, open, .. }, why } => {
                tracing::info!(message_id = %message, %device, open, delivered, never, why = masks.text(why).as_ref(), "kept in the queue");
            }
            Self::Settled { mail: Stored { message, kind, device, from, to }, account, reply, standing } => {
                let Standing { delivered, never, open, next } = *standing;
                let (from, reply) = (from.to_string(), reply.map(|reply| masks.text(reply)));
                let (from, to, reply) = (masks.text(&from), masks.text(to), reply.as_deref());
                let next = next.filter(|_| open > 0).map(|next| next.to_string());
                let what = match (open, never) {
                    (0, 0) => "delivered from the queue",
                    (0, _) if delivered > 0 => "delivered from the queue to some, never to the others",
                    (0, _) => "never delivered",
                    _ if delivered > 0 => "delivered from the queue to some, still owed to others",
                    _ => "still owed",
                };
                if never > 0 {
                    tracing::warn!(message_id = %message, kind, %device, %from, %to, %account, reply, delivered, never, open, next, "{what}");
                } else {
                    tracing::info!(message_id = %message, kind, %device, %from, %to, %account, reply, delivered, never, open, next, "{what}");
                }
            }
            Self::NotStored { message, problem } => tracing::error!(
                message_id = %message,
                cure = "free some space in storage.directory, or look after its disk",
                "not stored, its device is asked to send it again: {problem}"
            ),
            Self::OutcomeKept { message, problem } => tracing::error!(
                message_id = %message,
                cure = "free some space in storage.directory, or look after its disk",
                "the outcome of an attempt is kept in memory until it can be recorded: {problem}"
            ),
            Self::DotNotRecorded { message, problem } => {
                tracing::warn!(message_id = %message, "not sent, because that cannot be recorded: {problem}");
            }
            Self::PartlyDelivered { message, delivered, all } => tracing::error!(
                message_id = %message, delivered, all,
                cure = "when its device sends it again, those who have it get it twice",
                "partly delivered: to {delivered} of {all} recipients, and the rest could not be stored"
            ),
            Self::Unheard { message, device, reply } => {
                tracing::info!(message_id = %message, %device, reply = masks.text(&reply.to_string()).as_ref(), "its device is gone");
            }
            Self::Alert { message, text } => tracing::error!(message_id = %message, "{}", masks.text(text)),
            _ => {}
        }
    }

    fn log_house(&self, masks: Masks) {
        match self {
            Self::Listening { listener, address } => tracing::info!(%listener, %address, "listening"),
            Self::ThroughProxy { account, what, proxy, set_by } => {
                tracing::info!(%account, proxy, "{what} through the proxy set by {set_by}");
            }
            Self::TurnedAway { listener, peer, why } => tracing::warn!(%listener, %peer, why, "connection turned away"),
            Self::Warned { account, code, sentence, cure, due } => {
                let due = due.map(|due| due.to_string());
                tracing::warn!(%account, code, due, cure = %masks.text(cure), "{}", masks.text(sentence));
            }
            Self::Risk { text } => tracing::warn!("RISK: {text}"),
            _ => {}
        }
    }

    fn log_session(&self, masks: Masks) {
        match self {
            Self::Opened => tracing::debug!("session opened"),
            Self::Closed { ending, messages } => tracing::debug!(?ending, messages, "session closed"),
            Self::Broken { detail } => tracing::debug!(detail, "connection broke"),
            Self::Quirk { device, quirk } => {
                let verdict = if quirk.is_refused() { "refused" } else { "tolerated" };
                tracing::info!(%device, "{verdict}: {}", quirk.sentence());
            }
            Self::Intruder { intruder } => tracing::warn!(protocol = ?intruder, "not SMTP: {}", intruder.sentence()),
            Self::DeviceLogin { name: Some(name), accepted: true } => tracing::info!(login = %name, "device signed in"),
            Self::DeviceLogin { name: Some(name), accepted: false } => {
                tracing::warn!(login = %name, "device sign-in refused: wrong password; compare it with [devices.{name}]");
            }
            Self::DeviceLogin { name: None, accepted } => {
                tracing::info!(accepted, "device sign-in with a name that is not in [devices]");
            }
            Self::DeviceTlsFailed { device, problem } => tracing::warn!(
                %device,
                cure = "a device that trusts no private CA needs this listener's certificate installed, or no check of it; one that only knows TLS 1.0 or 1.1 needs a listener with tls = \"none\"",
                "TLS with the device failed: {problem}"
            ),
            Self::EnvelopeRefused { what, address, reply } => {
                let (address, reply) = (masks.text(address), reply.to_string());
                tracing::warn!(%address, reply = masks.text(&reply).as_ref(), "{what} refused");
            }
            Self::LimitReached { device, listener, limit, most, lifts_in } => {
                let whose = listener.map_or(format!("[devices.{device}]"), |name| format!("listener {name}"));
                tracing::warn!(
                    %device, limit, most, lifts_in_s = lifts_in.as_secs(),
                    cure = format!("find out why it sends so much; if it should, raise `{limit}` of {whose}"),
                    "limit reached, its mail is refused until it fits again"
                );
            }
            Self::Stamped { message, fields } => tracing::debug!(message_id = %message, fields, "fields added"),
            Self::Redirected { message, to, envelope } => {
                let original = named(envelope.recipients.iter().map(|recipient| &recipient.address));
                let (to, original) = (masks.text(to.as_str()), masks.text(&original));
                tracing::info!(message_id = %message, %to, %original, "redirected");
            }
            Self::NotArchived { message, reply } => tracing::error!(
                message_id = %message, reply = masks.text(&reply.to_string()).as_ref(),
                cure = "the message itself is not touched by it; see to the disk, and send the archive its copy by hand",
                "the copy for the archive was not kept"
            ),
            Self::Unfinished { message, endings } => {
                tracing::warn!(message_id = %message, %endings, "the body did not end; an end of data is CRLF.CRLF");
            }
            _ => {}
        }
    }

    fn log_upstream(&self, masks: Masks) {
        match self {
            Self::Changed { changes } => {
                tracing::info!(changes = masks.changes(changes), "changed for the provider");
            }
            Self::Connected { detail, took } => {
                tracing::debug!(detail, took_ms = millis(*took), "connected to the provider");
            }
            Self::Unverified { host } => tracing::warn!(
                cure = "set `verify = \"pin\"` of this account with the server's key in `pins`",
                "RISK: the certificate of {host} was not verified (verify = \"none\"): whoever answered gets the mail and the credential"
            ),
            Self::NoAnswer { host, port, phase } => tracing::warn!(
                %phase,
                cure = "check `host`, `port` and `encryption` of this account (465 goes with implicit, 587 with starttls), and the firewall",
                "no answer from {host} port {port} in the time a device waits; it is waited for: {phase}"
            ),
            Self::AttemptFailed { failure, diagnosis } if diagnosis.cause == Cause::Uncertain => tracing::error!(
                failure = masks.text(&failure.to_string()).as_ref(),
                code = diagnosis.code, cause = %diagnosis.cause, cure = %masks.text(&diagnosis.cure),
                "uncertain: {}",
                masks.text(&diagnosis.sentence)
            ),
            Self::AttemptFailed { failure, diagnosis } => tracing::warn!(
                failure = masks.text(&failure.to_string()).as_ref(),
                code = diagnosis.code, cause = %diagnosis.cause, cure = %masks.text(&diagnosis.cure),
                "attempt failed: {}",
                masks.text(&diagnosis.sentence)
            ),
            Self::Held { account, diagnosis, next_try_s } => tracing::error!(
                %account, code = diagnosis.code, cause = %diagnosis.cause, cure = %masks.text(&diagnosis.cure), next_try_s,
                "account held, tried again in {next_try_s} s: {}", masks.text(&diagnosis.sentence)
            ),
            Self::Released { account } => tracing::info!(%account, "account signs in again"),
            _ => {}
        }
    }
}

fn repaired(message: MessageId, what: &str, changes: &[Change]) {
    if changes.iter().any(|change| change.rule == Rule::Signature) {
        tracing::warn!(message_id = %message, changes = what, "octets repaired");
    } else {
        tracing::info!(message_id = %message, changes = what, "octets repaired");
    }
}

/// At most ten by name.
#[must_use]
pub fn named<'a>(addresses: impl ExactSizeIterator<Item = &'a Address>) -> String {
    let more = addresses.len().saturating_sub(10);
    let mut text = addresses.take(10).map(Address::as_str).collect::<Vec<_>>().join(",");
    if more > 0 {
        text.extend([" and ", &more.to_string(), " more"]);
    }
    text
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
