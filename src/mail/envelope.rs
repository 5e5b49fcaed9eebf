//! The envelope: who sends, who receives, and what the device asked for along with it.
//!
//! The envelope alone decides where a message goes; the header is never consulted. DSN parameters (RFC 3461) are
//! kept as the device gave them, checked for form.

use serde::{Deserialize, Serialize};

use super::address::{Address, AddressError};

/// `MAIL FROM:<…>`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ReversePath {
    /// `<>`: a notice, to which no notice is ever sent.
    Null,
    /// A mailbox.
    Mailbox(Address),
}

impl std::fmt::Display for ReversePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Mailbox(address) => address.fmt(f),
        }
    }
}

impl From<ReversePath> for String {
    fn from(path: ReversePath) -> Self {
        path.to_string()
    }
}

impl TryFrom<String> for ReversePath {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        if text == "<>" { Ok(Self::Null) } else { Address::try_from(text).map(Self::Mailbox) }
    }
}

/// `RET=` (RFC 3461 §4.3)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Return {
    /// The whole message comes back.
    Full,
    /// Only its header.
    Headers,
}

/// `NOTIFY=` (RFC 3461 §4.1)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Notify {
    /// No notice whatever happens.
    Never,
    /// Any of these; at least one is set.
    On { success: bool, failure: bool, delay: bool },
}

/// One `RCPT TO:` that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// The forward-path.
    pub address: Address,
    /// `NOTIFY=`, when given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
    /// `ORCPT=` as given: `rfc822;` and xtext, printable ASCII without white space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orcpt: Option<Box<str>>,
}

impl Recipient {
    /// A recipient without DSN parameters.
    #[must_use]
    pub fn plain(address: Address) -> Self {
        Self { address, notify: None, orcpt: None }
    }
}

/// `MAIL FROM` and its parameters, without the recipients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// The reverse-path.
    pub reverse_path: ReversePath,
    /// `SIZE=` (RFC 1870), in octets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_size: Option<u64>,
    /// `SMTPUTF8` was given (RFC 6531). Some programs give it always; what goes upstream is derived anew.
    pub smtputf8: bool,
    /// `RET=`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ret: Option<Return>,
    /// `ENVID=` as given: xtext, at most 100 octets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envid: Option<Box<str>>,
}

/// Sender and recipients of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Who sends.
    pub sender: Sender,
    /// Who receives; never empty once DATA was accepted.
    pub recipients: Vec<Recipient>,
}

impl Envelope {
    /// Whether an address in it needs SMTPUTF8.
    #[must_use]
    pub fn is_internationalized(&self) -> bool {
        let sender = match &self.sender.reverse_path {
            ReversePath::Null => false,
            ReversePath::Mailbox(address) => address.is_internationalized(),
        };
        sender || self.recipients.iter().any(|r| r.address.is_internationalized())
    }
}
