//! The three words every room needs to speak of a delivery: where it stood, why it failed, how it ended.
//!
//! Types only. What a cause means for the mail is decided in `outbound/verdict`, what a reply means in `diagnosis`.

use std::fmt;

/// How far an attempt had come. The order is the order of the dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Fetching or refreshing the credential, before any connection.
    Credential,
    /// Name lookup and TCP.
    Connect,
    /// The TLS handshake, implicit or after STARTTLS.
    Tls,
    /// Waiting for the `220`.
    Greeting,
    /// EHLO or HELO.
    Hello,
    /// STARTTLS, up to its `220`.
    StartTls,
    /// AUTH and every step of its exchange.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Recipient,
    /// DATA, up to its `354`.
    Data,
    /// The body, before the first octet of the terminating `CRLF.CRLF`.
    Body,
    /// From the first octet of the terminating `CRLF.CRLF` until the reply: only here a failure is *uncertain*.
    Dot,
    /// QUIT. Nothing that happens here changes an outcome (promise 6).
    Quit,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Credential => "credential",
            Self::Connect => "connect",
            Self::Tls => "TLS",
            Self::Greeting => "greeting",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL",
            Self::Recipient => "RCPT",
            Self::Data => "DATA",
            Self::Body => "body",
            Self::Dot => "end of data",
            Self::Quit => "QUIT",
        })
    }
}

/// Whose doing a failure is; decides what becomes of the mail (`outbound/verdict`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The sign-in, or what the account may do at all.
    Account,
    /// A daily limit is used up.
    Quota,
    /// Too fast, too many at once, or a temporary refusal.
    Throttle,
    /// This message or this recipient.
    Message,
    /// Our configuration and the provider do not fit: certificate, encryption, mechanism.
    Config,
    /// The way to the provider: DNS, connect, a cut, a time-out before the dot.
    Network,
    /// The dot was sent and no reply came: the provider may have the mail.
    Uncertain,
}

impl Cause {
    /// As it stands in the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Quota => "quota",
            Self::Throttle => "throttle",
            Self::Message => "message",
            Self::Config => "config",
            Self::Network => "network",
            Self::Uncertain => "uncertain",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
