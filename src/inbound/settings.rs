//! What the administrator decides about the front door: listeners, devices, caps.
//!
//! Plain data, filled in by the configuration. What follows from it is decided in `policy`.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::ids::{AccountName, DeviceName, ListenerName};
use crate::mail::pattern::Pattern;
use crate::mail::{repair, stamp};
use crate::net::network::Network;
use crate::secret::Secret;

pub use crate::smtp::server::LineEndings;

/// One entry of `[[listeners]]`.
#[derive(Debug, Clone)]
pub struct ListenerSettings {
    /// `name`
    pub name: ListenerName,
    /// `bind`; default `127.0.0.1:25` and `[::1]:25`.
    pub bind: Vec<SocketAddr>,
    /// `tls`, with `certificate` and `key`; default none.
    pub tls: ListenerTls,
    /// `auth`; default none.
    pub auth: DeviceAuth,
    /// `auth_in_clear`: AUTH without TLS beyond loopback; default false.
    pub auth_in_clear: bool,
    /// `allow`; default loopback.
    pub allow: Vec<Network>,
    /// `line_endings`; default auto.
    pub line_endings: LineEndings,
    /// `max_message_size`, octets; default 50 MiB.
    pub max_message_size: u64,
    /// `max_recipients` of one message; default 1000, never below 100 (RFC 5321 §4.5.3.1.8).
    pub max_recipients: usize,
    /// `senders`; default everyone.
    pub senders: Vec<Pattern>,
    /// `recipients`; default everyone.
    pub recipients: Vec<Pattern>,
    /// Of each device that connects here.
    pub limits: Limits,
}

/// `[fixups]`: what is added to a message and repaired in it while it comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixups {
    /// `date` and `message_id`; default both.
    pub fields: stamp::Fields,
    /// `nul` and `long_lines`; default both.
    pub octets: repair::Settings,
}

impl Default for Fixups {
    fn default() -> Self {
        Self { fields: stamp::Fields { date: true, message_id: true }, octets: repair::Settings::default() }
    }
}

/// `tls = …` of a listener.
#[derive(Debug, Clone)]
pub enum ListenerTls {
    /// Clear text only.
    None,
    /// STARTTLS is offered.
    StartTls { certificate: PathBuf, key: PathBuf },
    /// TLS from the first octet.
    Implicit { certificate: PathBuf, key: PathBuf },
}

/// `auth = …` of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceAuth {
    /// AUTH is not offered.
    None,
    /// Any login succeeds and is forgotten.
    AcceptAny,
    /// A login of `[devices]` may be given.
    Optional,
    /// Without one of them no mail is taken.
    Required,
}

/// One entry of `[devices]`.
#[derive(Debug, Clone)]
pub struct DeviceSettings {
    /// The local login name.
    pub name: DeviceName,
    /// `password`, or what stood in `password_file` when the configuration was read.
    pub password: Secret,
    /// `account`: where its mail goes when no route says otherwise.
    pub account: Option<AccountName>,
    /// `senders`, beside those of the listener; default everyone.
    pub senders: Vec<Pattern>,
    /// `recipients`, beside those of the listener; default everyone.
    pub recipients: Vec<Pattern>,
    /// Beside those of the listener, and over all listeners.
    pub limits: Limits,
}

/// How much a device may send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// `messages_per_hour`: mails begun in any 60 minutes; at least 1; default no limit.
    pub messages_per_hour: Option<u32>,
    /// `recipients_per_day`: recipients accepted in any 24 hours; at least 1; default no limit.
    pub recipients_per_day: Option<u32>,
}

/// Limits that hold across all listeners (`[sessions]`).
#[derive(Debug, Clone)]
pub struct Caps {
    /// Sessions in all; default 1,000.
    pub sessions: usize,
    /// Sessions of one device; default 100.
    pub sessions_per_device: usize,
    /// Silence before a session is closed; default 300 s (RFC 5321 §4.5.3.2.7).
    pub idle: std::time::Duration,
    /// Octets a second a body must keep up; default 500.
    pub minimum_rate: u64,
}

/// How addresses are completed and redirected.
#[derive(Debug, Clone, Default)]
pub struct Addressing {
    /// `default_domain`: completes `root` and the like.
    pub default_domain: Option<String>,
    /// `[aliases]`: a whole address or a local part, in lower case, and where it goes instead.
    pub aliases: std::collections::HashMap<String, crate::mail::address::Address>,
}
