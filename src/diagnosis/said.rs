//! A failure in the words of whoever failed: the reply, the alert, the error; for the log, beside the diagnosis.
//!
//! Says what was seen and judges nothing. One line, without secrets, because a [`Failure`] holds none.

use std::fmt;

use super::{DiscoveryProblem, Failure, KeptFailure, TlsProblem, TokenFailure, Unsendable};

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply { phase, reply } => write!(f, "{phase}: {reply}"),
            Self::Closed { phase } => write!(f, "{phase}: connection closed"),
            Self::TimedOut { phase, seconds } => write!(f, "{phase}: nothing for {seconds} s"),
            Self::Garbage { phase, text } => write!(f, "{phase}: not SMTP: {text}"),
            Self::Dns { host, detail, .. } => write!(f, "name lookup of {host}: {detail}"),
            Self::Connect { host, port, detail, .. } => write!(f, "connect to {host} port {port}: {detail}"),
            Self::Proxy(failure) => failure.fmt(f),
            Self::Io { phase, detail } => write!(f, "{phase}: {detail}"),
            Self::Tls { host, port, problem, .. } => write!(f, "TLS with {host} port {port}: {problem}"),
            Self::StartTlsNotOffered { host } => write!(f, "{host} does not offer STARTTLS"),
            Self::StartTlsRefused { host, reply } => write!(f, "{host} refuses STARTTLS: {reply}"),
            Self::StartTlsInjected { host } => write!(f, "{host}: octets between STARTTLS and the handshake"),
            Self::WouldSendInClear { host } => write!(f, "no TLS with {host}, no credential was sent"),
            Self::NoMechanism { offered, wanted } => write!(f, "AUTH offers {offered}, needed is {wanted}"),
            Self::CannotCarry(why) => why.fmt(f),
            Self::Unsendable(why) => why.fmt(f),
            Self::SelfLoop { host, port } => write!(f, "{host} port {port} is this relay"),
            Self::Token(failure) => failure.fmt(f),
            Self::Password { detail } => f.write_str(detail),
            Self::Kept(failure) => failure.fmt(f),
        }
    }
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EightBit { why } => write!(f, "8-bit text cannot be encoded: {why}"),
            Self::NotSigned { why } => write!(f, "not signed: {why}"),
            Self::TooLargeToSign { octets, limit } => write!(f, "not signed: {octets} octets, the limit is {limit}"),
        }
    }
}

impl fmt::Display for KeptFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSignedIn { account } => write!(f, "account {account} is not signed in"),
            Self::OtherApplication { account } => write!(f, "account {account} is signed in for another application"),
            Self::NotRenewable { account } => write!(f, "account {account} has no refresh token"),
            Self::Vault { detail } | Self::Storage { detail } => write!(f, "kept tokens: {detail}"),
            Self::Busy { account } => write!(f, "account {account} is being renewed by another process"),
        }
    }
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired => f.write_str("the certificate has expired"),
            Self::NotYetValid => f.write_str("the certificate is not valid yet"),
            Self::WrongName { presented } => write!(f, "the certificate is for {}", presented.join(", ")),
            Self::UnknownIssuer { .. } => f.write_str("the certificate's issuer is not trusted"),
            Self::WrongPin { pin: Some(pin) } => write!(f, "the server's key is none of `pins`: it shows {pin}"),
            Self::WrongPin { pin: None } => f.write_str("the server's key is none of `pins`"),
            Self::ClientCertificateRequired => f.write_str("the server requires a client certificate"),
            Self::ClientCertificateRefused { detail } => write!(f, "the client certificate was refused: {detail}"),
            Self::Revoked => f.write_str("the certificate is revoked"),
            Self::NotTls => f.write_str("the answer is not TLS"),
            Self::BadCertificate { detail }
            | Self::Alert { detail }
            | Self::Cut { detail }
            | Self::OwnFile { detail } => f.write_str(detail),
        }
    }
}

impl fmt::Display for TokenFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { endpoint, detail } => write!(f, "{endpoint}: {detail}"),
            Self::Refused { endpoint, error, description } => write!(f, "{endpoint}: {error}: {description}"),
            Self::OtherIssuer { endpoint, expected, said } => {
                let said = said.as_deref().unwrap_or("nobody");
                write!(f, "{endpoint}: the answer names {said} as its issuer, not {expected}")
            }
            Self::Odd { endpoint, status, detail, .. } => write!(f, "{endpoint}: HTTP {status}: {detail}"),
            Self::Page { endpoint, status, title } if title.is_empty() => {
                write!(f, "{endpoint}: HTTP {status}: a web page")
            }
            Self::Page { endpoint, status, title } => write!(f, "{endpoint}: HTTP {status}: a web page, `{title}`"),
            Self::Proxy(failure) => failure.fmt(f),
            Self::Tls { endpoint, problem } => write!(f, "TLS with {endpoint}: {problem}"),
            Self::Command { program, detail } => write!(f, "{program}: {detail}"),
            Self::OwnFile { detail } => f.write_str(detail),
            Self::CertificateEnded { file, ended } => write!(f, "the certificate in {file} ended at {ended}"),
            Self::EndedOnTheWay => f.write_str("the token had ended when the mail server looked at it"),
            Self::Discovery { document, problem: DiscoveryProblem::Odd { status, .. } } => {
                write!(f, "{document}: HTTP {status}")
            }
            Self::Discovery {
                document,
                problem: DiscoveryProblem::Unreachable { detail } | DiscoveryProblem::Unfit { detail },
            } => write!(f, "{document}: {detail}"),
        }
    }
}
