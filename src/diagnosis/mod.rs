//! What a failure means: cause, one sentence, cure. Pure.
//!
//! Defines the failures it judges, so that whoever fails speaks of it in the same words; one table each for SMTP
//! replies, token endpoints, TLS and network. Read by the keeper, the verdict, the log and the commands. Decides
//! nothing about the mail: that is `outbound/verdict`.

mod echo;
mod kept;
mod known;
mod lifts;
mod network;
mod ours;
mod proxy;
mod recalled;
mod said;
#[cfg(test)]
pub(crate) mod seen;
mod sender;
mod smtp;
mod tls;
mod token;

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;

pub use self::network::{ConnectProblem, DnsProblem};
pub use self::ours::Unsendable;
pub use self::proxy::{ProxyFailure, ProxyOrigin, ProxyProblem};
use crate::ids::AccountName;
pub use crate::smtp::client::CannotCarry;
use crate::smtp::client::Fault;
use crate::smtp::reply::Reply;
use crate::words::{Cause, Phase};

/// Something that went wrong between us and the provider, as seen by whoever was there. Holds no secret: text from
/// outside has been through `redact`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The provider answered with a negative reply.
    Reply { phase: Phase, reply: Reply },
    /// The connection ended without a reply.
    Closed { phase: Phase },
    /// No reply in time.
    TimedOut { phase: Phase, seconds: u64 },
    /// What came is not SMTP; the text is short and printable.
    Garbage { phase: Phase, text: String },
    /// The name has no address, or could not be looked up.
    Dns { host: String, problem: DnsProblem, detail: String },
    /// No address could be connected to.
    Connect { host: String, port: u16, problem: ConnectProblem, detail: String },
    /// The proxy on the way did not lead to the provider.
    Proxy(ProxyFailure),
    /// The connection broke with an error of the operating system.
    Io { phase: Phase, detail: String },
    /// The TLS handshake failed.
    Tls { host: String, port: u16, starttls: bool, problem: TlsProblem },
    /// STARTTLS was asked for and is not offered.
    StartTlsNotOffered { host: String },
    /// STARTTLS was refused; the reply says why.
    StartTlsRefused { host: String, reply: Reply },
    /// Octets came between the `220` to STARTTLS and the handshake: someone is injecting replies.
    StartTlsInjected { host: String },
    /// Credentials would have gone in clear.
    WouldSendInClear { host: String },
    /// The server offers no mechanism the account can use.
    NoMechanism { offered: String, wanted: String },
    /// The server cannot carry this message; known before MAIL.
    CannotCarry(CannotCarry),
    /// It could not be made into what this account may send; known before MAIL.
    Unsendable(Unsendable),
    /// The configured host leads back to one of our own listeners.
    SelfLoop { host: String, port: u16 },
    /// The token endpoint, or the program that prints tokens, failed.
    Token(TokenFailure),
    /// A password file or command failed.
    Password { detail: String },
    /// What is kept of a sign-in cannot be used.
    Kept(KeptFailure),
}

impl From<ProxyFailure> for Failure {
    fn from(failure: ProxyFailure) -> Self {
        Self::Proxy(failure)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Reply { phase, reply } => Self::Reply { phase, reply },
            Fault::Closed { phase } => Self::Closed { phase },
            Fault::TimedOut { phase, seconds } => Self::TimedOut { phase, seconds },
            Fault::Garbage { phase, text } => Self::Garbage { phase, text },
            Fault::StartTlsNotOffered { host } => Self::StartTlsNotOffered { host },
            Fault::StartTlsRefused { host, reply } => Self::StartTlsRefused { host, reply },
            Fault::StartTlsInjected { host } => Self::StartTlsInjected { host },
        }
    }
}

/// What went wrong in a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsProblem {
    /// The certificate's time is over.
    Expired,
    /// The certificate's time has not come: usually our clock is wrong.
    NotYetValid,
    /// The certificate is for other names; these, as far as known.
    WrongName { presented: Vec<String> },
    /// Signed by nobody we trust, or by itself; the pin of the key it is for, where known.
    UnknownIssuer { pin: Option<String> },
    /// The server shows another key than the pinned ones; this one, where known.
    WrongPin { pin: Option<String> },
    /// The server wants a client certificate and we have none.
    ClientCertificateRequired,
    /// The server does not take the client certificate we showed.
    ClientCertificateRefused { detail: String },
    /// Revoked.
    Revoked,
    /// Any other fault of the certificate.
    BadCertificate { detail: String },
    /// The other side does not speak TLS at all; the first octets look like this.
    NotTls,
    /// No common version or cipher, or the other side sent an alert.
    Alert { detail: String },
    /// The connection was cut or timed out during the handshake.
    Cut { detail: String },
    /// A CA, certificate or key file of ours is useless.
    OwnFile { detail: String },
}

impl TlsProblem {
    /// Whether it is the server's verdict on a client certificate, which it may give after the handshake.
    #[must_use]
    pub fn is_of_our_certificate(&self) -> bool {
        matches!(self, Self::ClientCertificateRequired | Self::ClientCertificateRefused { .. })
    }
}

/// Why no token could be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenFailure {
    /// No connection, a cut, a time-out.
    Unreachable { endpoint: String, detail: String },
    /// An OAuth error (RFC 6749 §5.2).
    Refused { endpoint: String, error: String, description: String },
    /// The answer that a browser brought names another issuer than the expected one, or none (RFC 9207).
    OtherIssuer { endpoint: String, expected: String, said: Option<String> },
    /// Any other HTTP status or an answer that is not what RFC 6749 says; `retry_after` is its header of that name.
    Odd { endpoint: String, status: u16, detail: String, retry_after: Option<Duration> },
    /// A web page; its title, or nothing.
    Page { endpoint: String, status: u16, title: String },
    /// The proxy on the way did not lead to the endpoint.
    Proxy(ProxyFailure),
    /// The certificate of the endpoint was refused.
    Tls { endpoint: String, problem: TlsProblem },
    /// The external program failed; its stderr is not repeated.
    Command { program: String, detail: String },
    /// A key, certificate or key file of ours is useless; the text names it and says why.
    OwnFile { detail: String },
    /// The certificate that stands for the client's secret has ended.
    CertificateEnded { file: String, ended: Timestamp },
    /// The token ended while the mail server looked at it, and so did the next one.
    EndedOnTheWay,
    /// The document that names the endpoints is of no use.
    Discovery { document: String, problem: DiscoveryProblem },
}

/// What is wrong with the document that names a server's endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiscoveryProblem {
    /// No connection, a cut, a time-out.
    Unreachable { detail: String },
    /// Any HTTP status but 200; `retry_after` is its header of that name.
    Odd { status: u16, retry_after: Option<Duration> },
    /// It does not say what it must; this, in words that follow a colon.
    Unfit { detail: String },
}

/// Why what is kept of a sign-in cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptFailure {
    /// Nobody has signed this account in, or it was signed out.
    NotSignedIn { account: AccountName },
    /// The sign-in was made for another application, which `oauth.client_id` named then, or at another provider.
    OtherApplication { account: AccountName },
    /// The provider gave no refresh token, and the access token has ended.
    NotRenewable { account: AccountName },
    /// The key, or the vault itself, is not what it should be; the text says what to do.
    Vault { detail: String },
    /// The vault cannot be read or written just now: the disk is full, or fails.
    Storage { detail: String },
    /// Another process renews the token and has not finished.
    Busy { account: AccountName },
}

/// With whom it happened and how we signed in, because the same words mean different things.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Context<'a> {
    /// The account's preset, by its name.
    pub provider: Option<&'a str>,
    /// The account's host; empty when nobody was connected to.
    pub host: &'a str,
    /// What the account signs in with.
    pub sign_in: SignIn,
    /// What the account is called, for commands that want its name.
    pub account: Option<&'a str>,
}

/// What an account signs in with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SignIn {
    /// Nothing.
    #[default]
    None,
    /// A password or an app password.
    Password,
    /// An OAuth access token.
    Token,
}

/// What it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The same for the same kind of failure for ever, for programs and for the handbook: `google_daily_limit`.
    pub code: &'static str,
    /// Whose doing it is.
    pub cause: Cause,
    /// What happened, in one sentence a newcomer understands.
    pub sentence: Cow<'static, str>,
    /// What to do next, with the exact key or command where there is one.
    pub cure: Cow<'static, str>,
    /// When the other side says it is over, counted from when it said so; between a minute and a day.
    pub lifts_after: Option<Duration>,
}

impl Diagnosis {
    /// One that does not say when it is over.
    #[must_use]
    pub fn new(
        code: &'static str,
        cause: Cause,
        sentence: impl Into<Cow<'static, str>>,
        cure: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { code, cause, sentence: sentence.into(), cure: cure.into(), lifts_after: None }
    }

    /// The same, and when the other side says it is over.
    #[must_use]
    fn lifting(self, lifts_after: Option<Duration>) -> Self {
        Self { lifts_after, ..self }
    }
}

impl Failure {
    /// How far it had come.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self {
            Self::Reply { phase, .. }
            | Self::Closed { phase }
            | Self::TimedOut { phase, .. }
            | Self::Garbage { phase, .. }
            | Self::Io { phase, .. } => *phase,
            Self::Dns { .. } | Self::Connect { .. } | Self::Proxy(_) | Self::SelfLoop { .. } => Phase::Connect,
            Self::Tls { .. } => Phase::Tls,
            Self::StartTlsNotOffered { .. } | Self::StartTlsRefused { .. } | Self::StartTlsInjected { .. } => {
                Phase::StartTls
            }
            Self::WouldSendInClear { .. } | Self::NoMechanism { .. } => Phase::Auth,
            Self::CannotCarry(_) | Self::Unsendable(_) => Phase::Mail,
            Self::Token(_) | Self::Password { .. } | Self::Kept(_) => Phase::Credential,
        }
    }
}

/// Judges a failure.
#[must_use]
pub fn diagnose(failure: &Failure, context: Context<'_>) -> Diagnosis {
    let diagnosis = judge(failure, context);
    match context.account {
        Some(account) if diagnosis.cure.contains(OF_AN_ACCOUNT) => {
            let cure = diagnosis.cure.replace(OF_AN_ACCOUNT, &format!("`posthouse login {account}`")).into();
            Diagnosis { cure, ..diagnosis }
        }
        _ => diagnosis,
    }
}

/// In the tables, which know no account.
const OF_AN_ACCOUNT: &str = "`posthouse login NAME`";

fn judge(failure: &Failure, context: Context<'_>) -> Diagnosis {
    match failure {
        Failure::Reply { phase, reply } => smtp::judge(*phase, reply, context),
        Failure::Closed { phase } => network::closed(*phase),
        Failure::TimedOut { phase, seconds } => network::timed_out(*phase, *seconds),
        Failure::Garbage { phase, text } => network::garbage(*phase, text),
        Failure::Dns { host, problem, detail } => network::dns(host, *problem, detail),
        Failure::Connect { host, port, problem, detail } => network::connect(host, *port, *problem, detail),
        Failure::Proxy(failure) => proxy::judge(failure),
        Failure::Io { phase, detail } => network::broken(*phase, detail),
        Failure::Tls { host, port, starttls, problem } => {
            let (port, starttls) = (*port, *starttls);
            tls::judge(tls::Peer::Provider { host, port, starttls }, problem)
        }
        Failure::StartTlsRefused { reply, .. } => smtp::judge(Phase::StartTls, reply, context),
        Failure::StartTlsNotOffered { host } => ours::starttls_not_offered(host),
        Failure::StartTlsInjected { host } => ours::starttls_injected(host),
        Failure::WouldSendInClear { host } => ours::would_send_in_clear(host),
        Failure::NoMechanism { offered, wanted } => ours::no_mechanism(offered, wanted),
        Failure::CannotCarry(why) => ours::cannot_carry(*why),
        Failure::Unsendable(why) => ours::unsendable(why),
        Failure::SelfLoop { host, port } => network::self_loop(host, *port),
        Failure::Token(failure) => token::judge(failure, context),
        Failure::Password { detail } => ours::password(detail),
        Failure::Kept(failure) => kept::judge(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Phase = Phase::Auth;

    fn text() -> String {
        "x".into()
    }

    /// One failure of every kind, with its cause and its phase.
    fn every_kind() -> Vec<(Failure, Cause, Phase)> {
        let host = text;
        let reply = |code| Reply::bare(code, "no");
        let problem = TlsProblem::Expired;
        let token = TokenFailure::Command { program: text(), detail: text() };
        let proxy = || ProxyFailure {
            proxy: text(),
            origin: ProxyOrigin::Account,
            target: text(),
            problem: ProxyProblem::Unreachable { detail: text() },
        };
        vec![
            (Failure::Reply { phase: AT, reply: reply(535) }, Cause::Account, AT),
            (Failure::Closed { phase: AT }, Cause::Network, AT),
            (Failure::TimedOut { phase: AT, seconds: 300 }, Cause::Network, AT),
            (Failure::Garbage { phase: AT, text: text() }, Cause::Network, AT),
            (Failure::Io { phase: AT, detail: text() }, Cause::Network, AT),
            (Failure::Dns { host: host(), problem: DnsProblem::Other, detail: text() }, Cause::Network, Phase::Connect),
            (
                Failure::Connect { host: host(), port: 25, problem: ConnectProblem::Other, detail: text() },
                Cause::Network,
                Phase::Connect,
            ),
            (Failure::Proxy(proxy()), Cause::Network, Phase::Connect),
            (Failure::Token(TokenFailure::Proxy(proxy())), Cause::Network, Phase::Credential),
            (Failure::SelfLoop { host: host(), port: 25 }, Cause::Config, Phase::Connect),
            (Failure::Tls { host: host(), port: 465, starttls: false, problem }, Cause::Config, Phase::Tls),
            (Failure::StartTlsNotOffered { host: host() }, Cause::Config, Phase::StartTls),
            (Failure::StartTlsRefused { host: host(), reply: reply(454) }, Cause::Network, Phase::StartTls),
            (Failure::StartTlsInjected { host: host() }, Cause::Config, Phase::StartTls),
            (Failure::WouldSendInClear { host: host() }, Cause::Config, AT),
            (Failure::NoMechanism { offered: text(), wanted: text() }, Cause::Config, AT),
            (Failure::CannotCarry(CannotCarry::EightBit), Cause::Message, Phase::Mail),
            (Failure::Unsendable(Unsendable::EightBit { why: text() }), Cause::Message, Phase::Mail),
            (Failure::Unsendable(Unsendable::NotSigned { why: text() }), Cause::Config, Phase::Mail),
            (Failure::Unsendable(Unsendable::TooLargeToSign { octets: 2, limit: 1 }), Cause::Config, Phase::Mail),
            (Failure::Token(token), Cause::Account, Phase::Credential),
            (Failure::Password { detail: text() }, Cause::Account, Phase::Credential),
            (Failure::Kept(KeptFailure::NotSignedIn { account: "office".into() }), Cause::Account, Phase::Credential),
        ]
    }

    #[test]
    fn every_kind_of_failure_is_judged_and_a_cure_is_given() {
        for (failure, cause, phase) in every_kind() {
            let judged = diagnose(&failure, Context::default());
            assert_eq!((judged.cause, failure.phase()), (cause, phase), "{failure:?}");
            assert!(!judged.sentence.is_empty() && judged.cure.ends_with('.'), "{failure:?}: {judged:?}");
        }
    }

    #[test]
    fn the_account_is_named_where_a_person_must_sign_in() {
        let (endpoint, error) = ("https://login.example.com/token".to_owned(), "invalid_grant".to_owned());
        let ended = Failure::Token(TokenFailure::Refused { endpoint, error, description: String::new() });
        let cure = |account| diagnose(&ended, Context { account, ..Context::default() }).cure;
        assert!(cure(Some("office")).contains("`posthouse login office`"), "{}", cure(Some("office")));
        assert!(cure(None).contains("`posthouse login NAME`"), "{}", cure(None));
    }
}
