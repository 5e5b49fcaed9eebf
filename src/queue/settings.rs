//! What the administrator decides about the queue.
//!
//! Plain data, filled in by the configuration, with the defaults of a relay nobody has configured. What follows from it
//! is decided where it is used.

use std::time::Duration;

use crate::account;
use crate::ids::AccountName;
use crate::mail::address::Address;
use crate::mail::display_name::DisplayName;
use crate::mail::pattern::Pattern;

/// Whether anything is kept, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settings {
    /// `delivery.queue = false`: a message is taken by the provider while its device waits, or refused. All or nothing.
    Proxy {
        /// `delivery.wait`: the time to the first octet of the dot; 1 s to 10 min, default 15 s.
        wait: Duration,
    },
    /// `delivery.queue = true`, the default.
    Durable(Box<Keeping>),
}

impl Settings {
    /// How long a device waits.
    #[must_use]
    pub fn wait(&self) -> Duration {
        match self {
            Self::Proxy { wait } => *wait,
            Self::Durable(keeping) => keeping.wait,
        }
    }
}

/// How messages are kept and tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeping {
    /// `delivery.wait`: after that the device hears that its message is queued; 0 (at once) to 10 min, default 15 s.
    pub wait: Duration,
    /// `delivery.max_queue_lifetime`, times in hold not counted; 1 h to 30 d, default 5 d.
    pub max_queue_lifetime: Duration,
    /// `delivery.retry`: the waits before the second, third, … attempt, the last one repeated; each 10 s to 1 d.
    /// Default 1, 2, 5, 10, 15, 30 min, 1 h; spread by ±20 %.
    pub retry: Vec<Duration>,
    /// `delivery.uncertain`: what becomes of a message whose dot was never answered.
    pub uncertain: Uncertain,
    /// `delivery.uncertain_delay`: how long such a message waits at least; default 10 min.
    pub uncertain_delay: Duration,
    /// `delivery.hold_for`: how long held mail is kept; default for ever.
    pub hold_for: Option<Duration>,
    /// `delivery.keep_failed`: how long a message that failed is kept for the administrator; default 30 d, 0: not at
    /// all.
    pub keep_failed: Duration,
    /// `storage.max_messages`: messages in the queue; default 100,000.
    pub max_messages: u64,
    /// `storage.max_size`: octets in the queue; default 10 GiB.
    pub max_size: u64,
    /// `[notices]`
    pub notices: Notices,
}

impl Default for Keeping {
    fn default() -> Self {
        let minutes = |n| Duration::from_mins(n);
        Self {
            wait: Duration::from_secs(15),
            max_queue_lifetime: Duration::from_hours(5 * 24),
            retry: [1, 2, 5, 10, 15, 30, 60].map(minutes).into(),
            uncertain: Uncertain::Retry,
            uncertain_delay: minutes(10),
            hold_for: None,
            keep_failed: Duration::from_hours(30 * 24),
            max_messages: 100_000,
            max_size: 10 * 1024 * 1024 * 1024,
            notices: Notices::default(),
        }
    }
}

/// `delivery.uncertain`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Uncertain {
    /// Tried again later, through the same account: it may arrive twice.
    #[default]
    Retry,
    /// Held until a person decides.
    Hold,
}

/// `[notices]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notices {
    /// `notices.to`
    pub to: NoticesTo,
    /// `notices.admin`: gets what is to go to the administrator, and what has no sender to go to.
    pub admin: Option<Address>,
}

/// `notices.to`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NoticesTo {
    /// To whoever sent the message; to the administrator where that is a fiction.
    #[default]
    Sender,
    /// To the administrator.
    Admin,
    /// To nobody.
    Nobody,
}

/// What the queue needs to know of an account.
#[derive(Debug, Clone)]
pub struct AccountFacts {
    /// `[accounts.NAME]`
    pub name: AccountName,
    /// `limits.recipients_per_message`
    pub recipients_per_message: usize,
    /// Whether the provider takes `MAIL FROM:<>`.
    pub takes_null_sender: bool,
    /// The address the account sends from, and the name beside it; what notices come from.
    pub address: Option<Address>,
    /// `sender.name`
    pub sender_name: Option<DisplayName>,
    /// Addresses it may send as beside its own.
    pub may_send_as: Vec<Pattern>,
    /// The server's name.
    pub host: String,
}

impl From<&account::Settings> for AccountFacts {
    fn from(account: &account::Settings) -> Self {
        Self {
            name: account.name.clone(),
            recipients_per_message: account.recipients_at_once(),
            takes_null_sender: account.null_sender,
            address: account.sender_address(),
            sender_name: account.sender.name.clone(),
            may_send_as: account.may_send_as.clone(),
            host: account.host.clone(),
        }
    }
}
