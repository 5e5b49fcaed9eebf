//! TLS handshakes, both sides, with a deadline and an answer to "why not".
//!
//! [`connect`] holds the server to the [`Terms`] of an account and to nothing else; [`accept`] answers with what
//! [`server_config`] or [`files::ServerTls`] made. Every failure comes back as a [`TlsProblem`], which
//! [`crate::diagnosis`] explains, and with it what the server presented. Does not decide when TLS is used.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::stream::{Secured, Stream};
use super::trust::witness::{self, Seen};
use super::trust::{self, Shown, Terms, Verified};
use crate::diagnosis::TlsProblem;
use certificate::CertificateFacts;

pub mod certificate;
pub mod files;
pub(in crate::net) mod problem;

/// A handshake that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct HandshakeError {
    /// Why.
    pub problem: TlsProblem,
    /// The chain the server presented, leaf first, as far as it came and can be read; nothing of it is proven.
    pub presented: Vec<CertificateFacts>,
}

/// Makes a plain connection an encrypted one, verified the way the account says.
///
/// `host` is the configured host, a name or a literal address; a name also goes out as SNI, an address is looked for
/// among the certificate's iPAddress entries (RFC 9525 §6.4). Dropping the future closes the connection.
///
/// # Errors
/// When the handshake fails or takes longer than `limit`.
pub async fn connect(terms: &Terms, host: &str, tcp: TcpStream, limit: Duration) -> Result<Stream, HandshakeError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| HandshakeError {
        problem: TlsProblem::BadCertificate {
            detail: "the configured host is neither a host name nor an address, so no certificate can match it"
                .to_owned(),
        },
        presented: Vec::new(),
    })?;
    // On the heap: the state of a handshake is large, and most of a session's life is spent elsewhere.
    let handshake = Box::pin(TlsConnector::from(Arc::clone(&terms.config)).connect(name, tcp));
    let (result, Seen { presented, shown }) = witness::during(within(limit, handshake)).await;
    match result {
        Ok(tls) => Ok(Stream::Tls(Box::new(Secured { tls: tls.into(), verified: terms.verified, shown }))),
        Err(failed) => {
            let presented = CertificateFacts::of_chain(&presented);
            let problem = problem::with_pin(failed.problem(shown), presented.first());
            Err(HandshakeError { problem, presented })
        }
    }
}

/// Answers a client's handshake.
///
/// # Errors
/// When the handshake fails or takes longer than `limit`.
pub async fn accept(config: Arc<ServerConfig>, tcp: TcpStream, limit: Duration) -> Result<Stream, TlsProblem> {
    let handshake = Box::pin(TlsAcceptor::from(config).accept(tcp));
    let (verified, shown) = (Verified::NotAsked, Shown::NotAsked);
    match within(limit, handshake).await {
        Ok(tls) => Ok(Stream::Tls(Box::new(Secured { tls: tls.into(), verified, shown }))),
        Err(failed) => Err(failed.problem(shown)),
    }
}

enum Failed {
    Io(io::Error),
    TimedOut(Duration),
}

impl Failed {
    fn problem(&self, shown: Shown) -> TlsProblem {
        match self {
            Self::Io(error) => problem::of(error, shown),
            Self::TimedOut(limit) => {
                TlsProblem::Cut { detail: format!("the handshake was not finished in {} s", limit.as_secs()) }
            }
        }
    }
}

async fn within<T>(limit: Duration, handshake: impl Future<Output = io::Result<T>>) -> Result<T, Failed> {
    match tokio::time::timeout(limit, handshake).await {
        Ok(result) => result.map_err(Failed::Io),
        Err(_) => Err(Failed::TimedOut(limit)),
    }
}

/// What a server answers handshakes with: its certificate, then those between it and the root, and the key.
///
/// # Errors
/// When certificate and key do not belong together or the key is of an unknown kind.
pub fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let config = ServerConfig::builder_with_provider(trust::provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Arc::new(config))
}

#[cfg(test)]
pub(super) mod tests;
