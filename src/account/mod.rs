//! Who we are upstream: accounts, how they sign in, and whether they are in a state to.
//!
//! [`Settings`] is what the configuration fills in, from a preset of [`provider`] where one is named. [`keeper`] hands
//! out a fresh credential on demand, one refresh at a time per account; [`signin`] says by which mechanism it may go
//! out. [`health`] knows which accounts are held and until when. [`book`] picks the account of a message. Credentials
//! live here and in the login stage of the client dialogue, nowhere else.

pub mod book;
pub mod breaker;
pub mod budget;
pub mod chance;
pub mod health;
pub mod keeper;
mod life;
pub mod login;
pub mod memory;
pub mod oauth;
pub mod origin;
mod password;
mod program;
pub mod provider;
pub mod senders;
pub mod signin;
pub mod smime;
pub mod status;
mod tokens;
pub mod vault;
pub mod warning;

use std::path::PathBuf;
use std::time::Duration;

pub use program::CommandLine;

use crate::diagnosis::{Context, SignIn};
use crate::ids::AccountName;
use crate::mail::address::Address;
use crate::mail::display_name::DisplayName;
use crate::mail::header::parser::Charset;
use crate::mail::pattern::Pattern;
use crate::mail::rewrite::rule::{HeaderRule, SubjectRule};
use crate::mail::rewrite::{Fixups, Received, Rules};
use crate::mail::sender::{self, Allowance, Policy};
use crate::net::proxy::Proxies;
use crate::net::trust;
use crate::secret::Secret;
use crate::smtp::sasl;

/// Everything about one account that the administrator decides.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `[accounts.NAME]`
    pub name: AccountName,
    /// `renamed_from`: names it had before, by which it is still found.
    pub renamed_from: Vec<AccountName>,
    /// The server's name or address. Certificates are checked against exactly this (RFC 9525 §6.1).
    pub host: String,
    /// Default: 465 for implicit TLS, else 587.
    pub port: u16,
    /// How the connection is encrypted. Default: implicit.
    pub encryption: Encryption,
    /// `provider`: the name of the preset that filled in what was not written.
    pub provider: Option<String>,
    /// Whom we believe, and the certificate we show.
    pub trust: trust::Settings,
    /// `proxy`, or the usual environment variables.
    pub proxies: Proxies,
    /// What we call ourselves in EHLO; default: the machine's name as FQDN, or an address literal.
    pub helo_name: Option<String>,
    /// The login name; default: `address`.
    pub username: Option<String>,
    /// The address mail is sent from.
    pub address: Option<String>,
    /// `[accounts.NAME.sender]`
    pub sender: Sender,
    /// `[accounts.NAME.smime]`: with what its mail is signed, if at all.
    pub smime: Option<smime::Settings>,
    /// `[accounts.NAME.fixups]`: which repairs are done. Default: all.
    pub fixups: Fixups,
    /// `received`: how much `Received` tells of the own network. Default: all of it.
    pub received: Received,
    /// `header_charset`: what 8-bit text is in that is not UTF-8 and says nothing. Default: windows-1252.
    pub header_charset: Charset,
    /// `[accounts.NAME.headers]`: fields that are added, set or removed.
    pub headers: Vec<HeaderRule>,
    /// `headers.subject`, `headers.subject_prefix`.
    pub subject: Option<SubjectRule>,
    /// Which SASL mechanism. Default: auto.
    pub mechanism: Mechanism,
    /// Where the credential comes from.
    pub credential: Source,
    /// Send credentials without TLS, beyond loopback too. Shouted in every log. Refused for OAuth.
    pub allow_plaintext_credentials: bool,
    /// Connections at once; default 2.
    pub connections: usize,
    /// Recipients in one transaction; default 100.
    pub recipients_per_message: usize,
    /// `pipelining`: what is sent without waiting for replies, where the provider offers that.
    pub pipelining: Pipelining,
    /// Messages a minute that the provider takes; `None`: as many as there are.
    pub messages_per_minute: Option<u32>,
    /// Recipients in any 24 hours that the provider takes; `None`: as many as there are.
    pub recipients_per_day: Option<u32>,
    /// `limits.null_sender`: whether it takes `MAIL FROM:<>`, with which notices go out. Default: it does.
    pub null_sender: bool,
    /// `may_send_as`: senders that are real, and that the provider takes, beside those of the account's own domain.
    pub may_send_as: Vec<Pattern>,
    /// Which senders the provider takes, as far as its preset knows.
    pub allowance: Allowance,
    /// Octets of the largest message the provider takes; `None`: what it says in EHLO, or no limit. A listener tells
    /// its devices the largest size of the accounts it can reach.
    pub size: Option<u64>,
    /// Whether spaces in the password are those of Google's display.
    pub password_spaces: PasswordSpaces,
}

/// Whom mail comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sender {
    /// `sender.policy`: what becomes of senders that devices write.
    pub policy: Policy,
    /// `sender.name`: what stands beside the address.
    pub name: Option<DisplayName>,
    /// `sender.address`; default: the account's address.
    pub address: Option<Address>,
}

impl Settings {
    /// Who signs in: `username`, or `address` where that is the login name as well.
    #[must_use]
    pub fn login_name(&self) -> Option<&str> {
        self.username.as_deref().or(self.address.as_deref())
    }

    /// Recipients in one transaction at most: never more than the day allows, or it would wait for ever.
    #[must_use]
    pub fn recipients_at_once(&self) -> usize {
        let per_day = self.recipients_per_day.and_then(|most| usize::try_from(most).ok());
        self.recipients_per_message.min(per_day.unwrap_or(usize::MAX))
    }

    /// The address that mail of this account is sent from, where one is known.
    #[must_use]
    pub fn sender_address(&self) -> Option<Address> {
        let own = || Address::parse(self.address.as_deref()?.as_bytes()).ok();
        self.sender.address.clone().or_else(own)
    }

    /// What becomes of the header of its mail.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            sender: self.sender_policy(),
            fixups: self.fixups,
            received: self.received,
            charset: self.header_charset.clone(),
            headers: self.headers.clone(),
            subject: self.subject.clone(),
        }
    }

    /// The policy for senders; nothing where the account has no address that could stand in for them.
    #[must_use]
    pub fn sender_policy(&self) -> Option<sender::Settings> {
        Some(sender::Settings {
            policy: self.sender.policy,
            address: self.sender_address()?,
            name: self.sender.name.clone(),
            allowance: self.allowance,
            may_send_as: self.may_send_as.clone(),
            null_sender: self.null_sender,
        })
    }

    /// What of it changes the meaning of a failure.
    #[must_use]
    pub fn context(&self) -> Context<'_> {
        let sign_in = match &self.credential {
            Source::None => SignIn::None,
            Source::Password(_) | Source::PasswordFile(_) | Source::PasswordCommand(_) => SignIn::Password,
            Source::OAuth(_) => SignIn::Token,
        };
        Context { provider: self.provider.as_deref(), host: &self.host, sign_in, account: Some(self.name.as_str()) }
    }
}

/// `encryption = …`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// TLS from the first octet (RFC 8314).
    Implicit,
    /// STARTTLS or nothing.
    StartTls,
    /// STARTTLS where offered; without it no credential is sent.
    StartTlsAuto,
    /// Clear text; no credential is sent except to loopback.
    None,
}

/// `mechanism = …`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// By what is offered and what we hold. With OAuth: XOAUTH2, else OAUTHBEARER. With a password: without TLS
    /// CRAM-MD5, else PLAIN, else LOGIN. Without either: none.
    Auto,
    /// This one or none.
    Only(sasl::Mechanism),
    /// No AUTH at all.
    None,
}

/// `pipelining = …`: what leaves together (RFC 2920).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pipelining {
    /// Each command by itself.
    Off,
    /// The commands of one message.
    #[default]
    Message,
    /// The envelope of the next message too, behind the end of the one before. Not the default: a server that dies of it
    /// (Dovecot 2.3's submission service does) has taken the message in front and cannot say so, and it is sent twice.
    Messages,
}

/// What spaces in a password are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordSpaces {
    /// Part of it.
    Kept,
    /// Of the form in which an app password is displayed, `abcd efgh ijkl mnop`; they are taken out.
    Displayed,
}

/// Where an account's credential comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// No sign-in.
    None,
    /// `password = …`
    Password(Secret),
    /// `password_file`: read at each sign-in; one final line ending is cut off.
    PasswordFile(PathBuf),
    /// `password_command`: run at each sign-in, first line of its output; program and arguments, no shell.
    PasswordCommand(CommandLine),
    /// `oauth = { … }`
    OAuth(Box<oauth::Grant>),
}

impl Source {
    /// The grant, where tokens are what it signs in with.
    #[must_use]
    pub fn grant(&self) -> Option<&oauth::Grant> {
        match self {
            Self::OAuth(grant) => Some(grant),
            Self::None | Self::Password(_) | Self::PasswordFile(_) | Self::PasswordCommand(_) => None,
        }
    }

    /// Whether what it brings is kept in the vault.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.grant().is_some_and(oauth::Grant::is_kept)
    }
}

impl From<oauth::Grant> for Source {
    fn from(grant: oauth::Grant) -> Self {
        Self::OAuth(Box::new(grant))
    }
}

/// Longest time a `password_command` or token command may take.
pub const COMMAND_DEADLINE: Duration = Duration::from_secs(30);

#[cfg(test)]
pub(crate) mod tests {
    use super::oauth::{Application, ClientProof, Endpoints};
    use super::*;

    /// A public client at this token endpoint, of which nothing else is known.
    pub(crate) fn application(endpoint: &str) -> Application {
        Application {
            endpoints: Endpoints::token_only(endpoint.parse().unwrap()),
            client_id: "app".into(),
            proof: ClientProof::None,
            scope: None,
            unused_refresh_life: None,
        }
    }

    /// An account with nothing special about it and no credential.
    pub(crate) fn settings() -> Settings {
        Settings {
            name: "office".into(),
            renamed_from: Vec::new(),
            host: "smtp.example.com".into(),
            port: 465,
            encryption: Encryption::Implicit,
            provider: None,
            trust: trust::Settings::default(),
            proxies: Proxies::default(),
            helo_name: None,
            username: None,
            address: Some("scanner@example.com".into()),
            sender: Sender::default(),
            fixups: Fixups::default(),
            received: Received::default(),
            header_charset: Charset::default(),
            headers: Vec::new(),
            subject: None,
            mechanism: Mechanism::Auto,
            credential: Source::None,
            allow_plaintext_credentials: false,
            connections: 2,
            recipients_per_message: 100,
            pipelining: Pipelining::default(),
            messages_per_minute: None,
            recipients_per_day: None,
            null_sender: true,
            may_send_as: Vec::new(),
            allowance: Allowance::default(),
            size: None,
            smime: None,
            password_spaces: PasswordSpaces::Kept,
        }
    }
}
