//! What rustls says when a handshake fails, in the words of [`TlsProblem`].
//!
//! Text taken from a certificate is cut and made printable: it comes from whoever answered. Guesses nothing: what has
//! no word of its own keeps rustls's.

use std::io;
use std::net::IpAddr;

use rustls::{CertificateError, Error, InvalidMessage};

use crate::diagnosis::TlsProblem;

/// Names of a certificate that are repeated, and octets of each.
const NAMES: usize = 10;
const NAME_LENGTH: usize = 100;

/// Judges the error of a handshake.
pub(in crate::net) fn of(error: &io::Error) -> TlsProblem {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error) => of_rustls(error),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            TlsProblem::Cut { detail: "the other side closed the connection during the handshake".to_owned() }
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

fn of_certificate(error: &CertificateError) -> TlsProblem {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsProblem::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsProblem::NotYetValid,
        // A bad signature is an authority of the right name with another key: an old CA file, an interceptor.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsProblem::UnknownIssuer,
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
