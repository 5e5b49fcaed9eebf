//! The steps of a connection and a delivery, as somebody who watches is told of them.
//!
//! A [`Step`] holds what was seen, in types: nothing here is a sentence for people, and nothing holds a secret, because
//! replies and failures have been through the redactor. Each step is told when it begins and when it ends.

use std::net::SocketAddr;
use std::time::Duration;

use crate::account::origin::Origin;
use crate::account::signin::Channel;
use crate::diagnosis::{Failure, ProxyFailure, ProxyProblem};
use crate::net::stream::TlsFacts;
use crate::net::tls::certificate::CertificateFacts;
use crate::smtp::reply::Reply;
use crate::words::Phase;

/// Which step; in the order of the dialogue, though STARTTLS leads to a second EHLO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A password or a token.
    Credential,
    /// From the name to addresses.
    Dns,
    /// From the addresses to a connection.
    Tcp,
    /// Through a proxy, once it answers, to the provider; it also looks the name up.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// The `220`.
    Greeting,
    /// EHLO, or HELO.
    Hello,
    /// STARTTLS, up to its `220`.
    StartTls,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Recipient,
    /// DATA, up to its `354`.
    Data,
    /// The message and the reply to its end.
    Delivery,
}

impl Kind {
    /// What follows a sign-in when a mail is sent.
    pub const OF_A_MAIL: [Self; 4] = [Self::Mail, Self::Recipient, Self::Data, Self::Delivery];

    /// The step that a phase begins; QUIT is none, because nothing that happens there matters (promise 6).
    pub(super) fn of(phase: Phase) -> Option<Self> {
        Some(match phase {
            Phase::Credential => Self::Credential,
            Phase::Connect => Self::Dns,
            Phase::Tls => Self::Tls,
            Phase::Greeting => Self::Greeting,
            Phase::Hello => Self::Hello,
            Phase::StartTls => Self::StartTls,
            Phase::Auth => Self::Auth,
            Phase::Mail => Self::Mail,
            Phase::Recipient => Self::Recipient,
            Phase::Data => Self::Data,
            Phase::Body | Phase::Dot => Self::Delivery,
            Phase::Quit => return None,
        })
    }

    /// The step a failure belongs to.
    pub(super) fn of_failure(failure: &Failure) -> Option<Self> {
        match failure {
            Failure::Connect { .. } | Failure::SelfLoop { .. } => Some(Self::Tcp),
            Failure::Proxy(ProxyFailure { problem, .. }) => Some(match problem {
                ProxyProblem::Dns { .. } => Self::Dns,
                ProxyProblem::Unreachable { .. } | ProxyProblem::SelfLoop => Self::Tcp,
                _ => Self::Proxy,
            }),
            failure => Self::of(failure.phase()),
        }
    }
}

/// Something seen during a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Where the credential comes from.
    Credential(Origin),
    /// How long the token is still good, if its issuer said.
    TokenLife(Duration),
    /// What the name led to, in the order in which it is tried.
    Addresses(Vec<SocketAddr>),
    /// An address that failed before another one answered.
    AddressFailed(SocketAddr, String),
    /// Who answered.
    Connected(SocketAddr),
    /// Who answered is a proxy, and was asked for this target.
    Through { proxy: String, target: String },
    /// What the handshake agreed on, and the chain that was verified the way the account says.
    Tls(TlsFacts),
    /// The chain of a handshake that failed, leaf first; nothing of it is proven.
    Presented(Vec<CertificateFacts>),
    /// What the server said.
    Reply(Reply),
    /// STARTTLS was wanted if it is offered, and it is not: the connection stays as it is.
    StaysClear(Channel),
    /// The mechanism chosen out of those offered.
    Mechanism { chosen: &'static str, offered: Vec<String> },
    /// The account does not sign in.
    NoSignIn,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// As it should.
    Done,
    /// With a failure that was worth another try, which follows.
    Again(Failure),
    /// With the failure that ended everything.
    Failed(Failure),
}

/// One step that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub kind: Kind,
    /// How long it took.
    pub took: Duration,
    /// What was seen, in order.
    pub facts: Vec<Fact>,
    /// How it ended.
    pub end: End,
}

/// What somebody who watches is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// This step is under way.
    Begins(Kind),
    /// It is over.
    Ends(Step),
}
