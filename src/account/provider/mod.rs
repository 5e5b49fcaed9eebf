//! What is known of a provider: where it listens, how one signs in there, what it takes and how it refuses. Pure.
//!
//! A [`Preset`] is data: `config` reads it from `config/providers.toml` and from `[providers.NAME]`, fills accounts
//! from it and warns of what the provider cannot do; the practice provider dresses as it. Guarantees nothing about the
//! real provider of today: [`Preset::verified`] says how well a fact is known, [`Preset::source`] where it is from.

pub mod oauth;

use std::collections::BTreeMap;

use super::Encryption;
use crate::mail::sender::Allowance;
use crate::smtp::reply::Reply;

pub use oauth::{Grant, OAuth, TenantError};

/// One provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preset {
    /// What stands behind `provider = …`.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// Addresses of these domains are its own beyond doubt; small letters.
    pub domains: Vec<String>,
    /// The server's name; `{region}` in it stands for the account's `region`.
    pub host: String,
    /// Other servers by region, for providers whose data centres have names of their own.
    pub regions: BTreeMap<String, String>,
    /// Ports with TLS from the first octet; the first one is used.
    pub implicit: Vec<u16>,
    /// Ports with STARTTLS; the first one is used where there is no port with implicit TLS.
    pub starttls: Vec<u16>,
    /// SASL mechanisms after TLS, in the provider's order; empty when nobody has written them down.
    pub mechanisms: Vec<String>,
    /// The mechanism a password goes by when `auto` would choose one that is known to fail.
    pub password_mechanism: Option<String>,
    /// Further lines of the EHLO reply after TLS, without AUTH; `SIZE` takes its number from the limits.
    pub extensions: Vec<String>,
    /// What the login name is.
    pub username: Username,
    /// What kind of password it takes.
    pub password: PasswordKind,
    /// Where to get the password, in one sentence.
    pub password_help: Option<String>,
    /// Its app passwords are displayed as four groups of four letters, and the spaces are not part of them.
    pub password_spaces: bool,
    /// How one signs in with OAuth 2.0.
    pub oauth: Option<OAuth>,
    /// Which senders it takes.
    pub sender: SenderRule,
    /// What it takes of one account.
    pub limits: Limits,
    /// How it talks.
    pub replies: Replies,
    /// What else one should know, one sentence each.
    pub notes: Vec<String>,
    /// Where the facts are from: public pages, or the name of a public collection.
    pub source: Vec<String>,
    /// Whether the facts come from the provider's own pages or from several collections that agree.
    pub verified: bool,
}

/// How the login name comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Username {
    /// The whole address.
    Address,
    /// What stands before the `@`.
    LocalPart,
    /// Always this word.
    Word(String),
    /// The provider hands one out, and only the administrator knows it.
    Own,
}

/// What the provider takes for a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordKind {
    /// The mailbox's own password.
    Mailbox,
    /// The mailbox's own password, but not for much longer and not everywhere.
    Ending,
    /// One made for a single program on the provider's security page.
    App,
    /// An API key or token.
    Token,
    /// Credentials made for SMTP alone.
    Smtp,
    /// None at all: OAuth only.
    Ended,
}

/// Which senders a provider takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SenderRule {
    /// The account's own address only.
    Account,
    /// The account's address and the aliases it was given.
    Alias,
    /// Any, but what is not the account's own is replaced without a word.
    Rewritten,
    /// Addresses or domains that were verified with the provider.
    Verified,
    /// Nobody has written it down.
    Unknown,
}

impl SenderRule {
    /// Which senders may be sent without being refused. What the account was given beyond that only its administrator
    /// knows: `may_send_as`.
    #[must_use]
    pub fn allowance(self) -> Allowance {
        match self {
            Self::Account => Allowance::Own,
            Self::Alias | Self::Verified => Allowance::OwnDomain,
            Self::Rewritten | Self::Unknown => Allowance::Anything,
        }
    }
}

/// What a provider takes of one account; `None` where nobody has written it down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Connections at once.
    pub connections: Option<u32>,
    /// Recipients of one message.
    pub recipients_per_message: Option<u32>,
    /// Messages a minute.
    pub messages_per_minute: Option<u32>,
    /// Recipients in 24 hours.
    pub recipients_per_day: Option<u32>,
    /// Octets of one message.
    pub size: Option<u64>,
    /// Whether it takes `MAIL FROM:<>`.
    pub null_sender: Option<bool>,
}

/// Where in the dialogue a foreign sender is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedAt {
    /// In reply to MAIL.
    Mail,
    /// In reply to the end of data.
    End,
}

/// How a provider talks, as far as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replies {
    /// What stands behind the host's name in the `220`.
    pub greeting: Option<String>,
    /// What every reply ends in.
    pub signature: Option<String>,
    /// To a wrong password.
    pub wrong_password: Option<Reply>,
    /// To a token that is wrong, and once the client has heard the JSON behind it.
    pub wrong_token: Option<Reply>,
    /// To a sender the account may not use.
    pub foreign_sender: Option<(RefusedAt, Reply)>,
    /// To one recipient too many.
    pub too_many_recipients: Option<Reply>,
    /// When a daily limit is used up.
    pub quota: Option<Reply>,
}

/// Why there is no host for a region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegionError {
    /// The host's name has a gap.
    #[error("there is a server in each region of {title}, and this account does not say which one is yours")]
    Missing { title: String },
    /// There are some, but not this one.
    #[error("there is no such region of {title}; there is {}", .known.join(", "))]
    Unknown { title: String, known: Vec<String> },
    /// There are none.
    #[error("there are no regions of {title}")]
    None { title: String },
    /// It could not be part of a host's name.
    #[error("a region is letters, digits and hyphens, such as \"eu-west-1\"")]
    Malformed,
}

impl Preset {
    /// The server's name for a region.
    ///
    /// # Errors
    /// When the region is missing, unknown, or nothing such a name could hold.
    pub fn host(&self, region: Option<&str>) -> Result<String, RegionError> {
        let title = || self.title.clone();
        let gap = self.host.contains("{region}");
        let Some(region) = region else {
            return if gap { Err(RegionError::Missing { title: title() }) } else { Ok(self.host.clone()) };
        };
        let region = region.to_ascii_lowercase();
        if let Some(host) = self.regions.get(&region) {
            return Ok(host.clone());
        }
        if gap {
            let fits = region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            let fits = fits && !region.is_empty() && !region.starts_with('-') && !region.ends_with('-');
            return if fits { Ok(self.host.replace("{region}", &region)) } else { Err(RegionError::Malformed) };
        }
        if self.regions.is_empty() {
            return Err(RegionError::None { title: title() });
        }
        Err(RegionError::Unknown { title: title(), known: self.regions.keys().cloned().collect() })
    }

    /// The port and the encryption an account gets that says nothing: TLS from the first octet before STARTTLS
    /// (RFC 8314 §3). A preset without a port, which the configuration refuses, gives that of submission.
    #[must_use]
    pub fn door(&self) -> (u16, Encryption) {
        match (self.implicit.first(), self.starttls.first()) {
            (Some(port), _) => (*port, Encryption::Implicit),
            (None, port) => (port.copied().unwrap_or(587), Encryption::StartTls),
        }
    }

    /// The port for this kind of encryption, if the provider has one.
    #[must_use]
    pub fn port(&self, encryption: Encryption) -> Option<u16> {
        match encryption {
            Encryption::Implicit => self.implicit.first().copied(),
            Encryption::StartTls | Encryption::StartTlsAuto => self.starttls.first().copied(),
            Encryption::None => None,
        }
    }

    /// The encryption behind one of its ports.
    #[must_use]
    pub fn encryption(&self, port: u16) -> Option<Encryption> {
        if self.implicit.contains(&port) {
            return Some(Encryption::Implicit);
        }
        self.starttls.contains(&port).then_some(Encryption::StartTls)
    }

    /// The login name that belongs to an address; `None` when only the administrator knows it.
    #[must_use]
    pub fn login_name(&self, address: &str) -> Option<String> {
        match &self.username {
            Username::Address => Some(address.to_owned()),
            Username::LocalPart => Some(address.rsplit_once('@').map_or(address, |(local, _)| local).to_owned()),
            Username::Word(word) => Some(word.clone()),
            Username::Own => None,
        }
    }

    /// Whether it offers this mechanism; `None` when its list is not known.
    #[must_use]
    pub fn offers(&self, mechanism: &str) -> Option<bool> {
        let listed = || self.mechanisms.iter().any(|name| name.eq_ignore_ascii_case(mechanism));
        (!self.mechanisms.is_empty()).then(listed)
    }
}

/// All providers that are known, in the order of the alphabet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Presets(Vec<Preset>);

impl Presets {
    /// These.
    #[must_use]
    pub fn new(presets: Vec<Preset>) -> Self {
        Self(presets)
    }

    /// The one of this name.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Preset> {
        self.0.iter().find(|preset| preset.id.eq_ignore_ascii_case(id.trim()))
    }

    /// The one whose addresses end in this domain.
    #[must_use]
    pub fn of_domain(&self, domain: &str) -> Option<&Preset> {
        let domain = domain.to_ascii_lowercase();
        self.0.iter().find(|preset| preset.domains.contains(&domain))
    }

    /// The one that has this server, if it is only one.
    #[must_use]
    pub fn of_host(&self, host: &str) -> Option<&Preset> {
        let mut having = self.0.iter().filter(|preset| {
            preset.host.eq_ignore_ascii_case(host) || preset.regions.values().any(|own| own.eq_ignore_ascii_case(host))
        });
        having.next().filter(|_| having.next().is_none())
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Preset> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Presets {
    type Item = &'a Preset;
    type IntoIter = std::slice::Iter<'a, Preset>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
pub(crate) mod tests;
