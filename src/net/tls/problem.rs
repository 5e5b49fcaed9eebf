//! What rustls says when a handshake fails, in the words of [`TlsProblem`].
//!
//! Text taken from a certificate is cut and made printable: it comes from whoever answered. Guesses nothing: what has
//! no word of its own keeps rustls's.

use std::io;
use std::net::IpAddr;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

use super::certificate::CertificateFacts;
use crate::diagnosis::TlsProblem;
use crate::net::trust::{Shown, TrustError, WrongPin};

/// Names of a certificate that are repeated, and octets of each.
const NAMES: usize = 10;
const NAME_LENGTH: usize = 100;

/// Judges the error of a handshake, or of a connection after it: in TLS 1.3 a server looks at our certificate when the
/// handshake is over for us (RFC 8446 §4.4.2.4), and its alert comes where its greeting was expected.
pub(in crate::net) fn of(error: &io::Error, shown: Shown) -> TlsProblem {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::AlertReceived(alert)) => of_alert(*alert, shown),
        Some(error) => of_rustls(error),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            let asked = match shown {
                Shown::Nothing => " after it had asked for a client certificate, and there is none",
                Shown::NotAsked | Shown::Certificate => "",
            };
            TlsProblem::Cut { detail: format!("the other side closed the connection during the handshake{asked}") }
        }
        None => TlsProblem::Cut { detail: error.to_string() },
    }
}

/// Judges what rustls said, wherever it was found.
pub(in crate::net) fn of_rustls(error: &Error) -> TlsProblem {
    match error {
        Error::InvalidCertificate(error) => of_certificate(error),
        // The first octet of a record is 20 to 24 and the second is 3; `220 `, `HTTP` and `EHLO` are none of that.
        Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
            TlsProblem::NotTls
        }
        error => TlsProblem::Alert { detail: error.to_string() },
    }
}

/// An alert about a certificate can only mean ours, if the server asked for one.
fn of_alert(alert: AlertDescription, shown: Shown) -> TlsProblem {
    use AlertDescription as A;
    let detail = Error::AlertReceived(alert).to_string();
    let of_ours = matches!(
        alert,
        A::CertificateRequired
            | A::NoCertificate
            | A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied
            // What servers say in TLS 1.2; that they asked shows that version and cipher were agreed on.
            | A::HandshakeFailure
    );
    match shown {
        Shown::Nothing if of_ours => TlsProblem::ClientCertificateRequired,
        Shown::Certificate if of_ours => TlsProblem::ClientCertificateRefused { detail },
        Shown::NotAsked | Shown::Nothing | Shown::Certificate => TlsProblem::Alert { detail },
    }
}

/// Adds the pin of the certificate that was presented to a problem that a pin can solve.
pub(super) fn with_pin(problem: TlsProblem, presented: Option<&CertificateFacts>) -> TlsProblem {
    let pin = presented.map(|leaf| leaf.key.to_string());
    match problem {
        TlsProblem::UnknownIssuer { .. } => TlsProblem::UnknownIssuer { pin },
        TlsProblem::WrongPin { .. } => TlsProblem::WrongPin { pin },
        other => other,
    }
}

fn of_certificate(error: &CertificateError) -> TlsProblem {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsProblem::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsProblem::NotYetValid,
        // A bad signature is an authority of the right name with another key: an old CA file, an interceptor.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsProblem::UnknownIssuer { pin: None },
        CertificateError::Revoked => TlsProblem::Revoked,
        CertificateError::NotValidForName => TlsProblem::WrongName { presented: Vec::new() },
        CertificateError::NotValidForNameContext { presented, .. } => {
            TlsProblem::WrongName { presented: presented.iter().take(NAMES).map(|name| plain_name(name)).collect() }
        }
        // webpki has no word of rustls for this one; it is what `openssl req -x509` makes unless told otherwise.
        CertificateError::Other(other) if other.to_string() == "CaUsedAsEndEntity" => TlsProblem::BadCertificate {
            detail: "the server shows a CA's own certificate (CA:TRUE), which cannot stand for a server; \
                     a self-signed one has to be made with `basicConstraints=critical,CA:FALSE`"
                .to_owned(),
        },
        CertificateError::Other(other) if other.0.is::<WrongPin>() => TlsProblem::WrongPin { pin: None },
        CertificateError::Other(other) if other.0.is::<TrustError>() => {
            TlsProblem::OwnFile { detail: other.to_string() }
        }
        CertificateError::Other(other) => TlsProblem::BadCertificate { detail: other.to_string() },
        error => TlsProblem::BadCertificate { detail: error.to_string() },
    }
}

/// `DnsName("mail.example")` and `IpAddress(192.0.2.1)` without their wrapping, cut, printable.
fn plain_name(wrapped: &str) -> String {
    let inner = wrapped.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(wrapped);
    // webpki writes `0::1` where everybody else writes `::1`.
    if let Ok(address) = inner.parse::<IpAddr>() {
        return address.to_string();
    }
    let printable = |c: char| if c.is_ascii_graphic() { c } else { '?' };
    inner.trim_matches('"').chars().take(NAME_LENGTH).map(printable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_become_short_and_printable() {
        assert_eq!(plain_name("DnsName(\"mail.example\")"), "mail.example");
        assert_eq!(plain_name("IpAddress(192.0.2.1)"), "192.0.2.1");
        assert_eq!(plain_name("IpAddress(0::1)"), "::1");
        assert_eq!(plain_name("DnsName(\"a\x1b[31m\nb\")"), "a?[31m?b");
        assert_eq!(plain_name(&format!("DnsName(\"{}\")", "x".repeat(5000))).len(), NAME_LENGTH);
    }
}
