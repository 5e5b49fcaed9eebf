//! The notice: a failure report in the form of RFC 3464, in which the first part is for people. Pure.
//!
//! A `multipart/report` (RFC 6522) of three parts: what happened to which mail in plain words (`letter`), the same for
//! machines (`status`), and what comes back of the mail (`original`). Guarantees that every line ends in CRLF and has at
//! most 998 octets, that all of it is ASCII but for an address in the header that is not (RFC 6533), and that no octet of
//! the mail, of an address or of a reply can begin a field or a part of its own. Whether and to whom one is sent is
//! decided by the queue.

mod letter;
mod original;
mod status;

use jiff::{Timestamp, Zoned};
use mail_builder::headers::Header as _;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::text::Text;
use mail_builder::mime::MimePart;

use super::address::Address;
use super::display_name::DisplayName;
use super::envelope::{Recipient, ReversePath};
use super::header::glance::{Glance, glance};
use super::stamp;
use crate::ids::MessageId;

pub use original::{HEADER_LIMIT, Original, WHOLE_LIMIT};

/// What a notice tells, and to whom.
#[derive(Debug, Clone, Copy)]
pub struct Notice<'a> {
    /// Its own id.
    pub id: MessageId,
    /// Whom it comes from: an address the account may use.
    pub from: &'a Address,
    /// The name beside it.
    pub name: &'a DisplayName,
    /// Whom it goes to.
    pub to: &'a Address,
    /// Why it goes to whom it goes.
    pub reader: Reader<'a>,
    /// This machine's name.
    pub hostname: &'a str,
    /// When it is written.
    pub now: &'a Zoned,
    /// The mail it is about.
    pub mail: Mail<'a>,
    /// What became of these recipients; at least one.
    pub fates: &'a [Fate<'a>],
}

/// The mail a notice is about.
#[derive(Debug, Clone, Copy)]
pub struct Mail<'a> {
    /// What `posthouse queue` calls it.
    pub id: MessageId,
    /// Who sent it.
    pub reverse_path: &'a ReversePath,
    /// `ENVID=` as given.
    pub envid: Option<&'a str>,
    /// When it came.
    pub arrived: Timestamp,
    /// What is there of it.
    pub original: Original<'a>,
    /// It is kept for the administrator, who can look at it.
    pub kept: bool,
}

/// Who reads a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader<'a> {
    /// Who sent the mail.
    Sender,
    /// The administrator, who knows the device by this name.
    Admin { device: &'a str },
}

/// What became of one recipient.
#[derive(Debug, Clone, Copy)]
pub struct Fate<'a> {
    /// Who.
    pub recipient: &'a Recipient,
    /// What.
    pub action: Action<'a>,
    /// When.
    pub at: Timestamp,
    /// The server that said so, if one did.
    pub server: Option<&'a str>,
    /// What it said: `550 5.1.1 No such user`.
    pub reply: Option<&'a str>,
}

/// `Action` (RFC 3464 §2.3.3), as far as this relay reports. It delivers into no mailbox itself, and a delay is told by
/// the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action<'a> {
    /// It will not be tried again. One sentence why, and one what to do.
    Failed { sentence: &'a str, cure: &'a str },
    /// It was passed on to a server that reports nothing (RFC 3461 §5.2.2).
    Relayed,
}

/// A finished notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// Header and body.
    pub octets: Vec<u8>,
    /// An address in its header needs SMTPUTF8.
    pub is_internationalized: bool,
}

impl Notice<'_> {
    /// Writes it.
    #[must_use]
    pub fn compose(&self) -> Composed {
        let seen = glance(self.mail.original.header());
        let mut octets = self.header(&seen).into_bytes();
        // A boundary that cannot stand in the mail: the id is younger than the mail is.
        let content_type = ContentType::new("multipart/report")
            .attribute("report-type", "delivery-status")
            .attribute("boundary", format!("=_{}", self.id));
        let mut parts = vec![
            MimePart::new("text/plain", letter::write(self, &seen)),
            MimePart::new("message/delivery-status", status::write(self).into_bytes()).transfer_encoding("7bit"),
        ];
        parts.extend(self.mail.original.part());
        MimePart::new(content_type, parts).write_part(&mut octets);
        let is_internationalized = self.from.is_internationalized() || self.to.is_internationalized();
        Composed { octets, is_internationalized }
    }

    fn header(&self, seen: &Glance) -> String {
        let Self { id, from, name, to, hostname, now, .. } = *self;
        // RFC 5322 §3.6.4: a domain of ours makes it unique; a machine without a full name has none.
        let domain = if is_domain(hostname) { hostname } else { from.domain().unwrap_or("localhost") };
        let mut header = format!(
            "From: {name}\r\n <{from}>\r\n\
             To: <{to}>\r\n\
             Subject: {}\
             Date: {}\r\n\
             Message-ID: <{id}@{domain}>\r\n",
            self.subject(seen),
            stamp::date(now),
        );
        if let Some(theirs) = &seen.message_id {
            // RFC 3834 §3.1.5: mail programs show it beside the mail it is about.
            header.extend(["In-Reply-To: <", theirs, ">\r\nReferences: <", theirs, ">\r\n"]);
        }
        header.push_str("Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
        header
    }

    /// With its line ending.
    fn subject(&self, seen: &Glance) -> String {
        let what = if self.is_failure() { "Not delivered" } else { "Passed on" };
        let subject = seen.subject.as_ref().map_or(what.to_owned(), |subject| format!("{what}: {subject}"));
        let mut out = Vec::new();
        Text::new(subject).write_header(&mut out, "Subject: ".len());
        String::from_utf8_lossy(&out).into_owned()
    }

    fn is_failure(&self) -> bool {
        self.fates.iter().any(|fate| matches!(fate.action, Action::Failed { .. }))
    }
}

/// An operating system's name for a machine can be anything.
fn is_domain(name: &str) -> bool {
    name.contains('.') && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-'))
}

#[cfg(test)]
mod tests;
