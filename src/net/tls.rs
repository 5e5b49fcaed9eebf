//! TLS handshakes, both sides, with a deadline and an answer to "why not".
//!
//! [`connect`] verifies what [`super::trust`] says against the configured host and nothing else; [`accept`] answers
//! with what [`server_config`] or [`files::ServerTls`] made. Every failure comes back as a [`TlsProblem`], which
//! [`crate::diagnosis`] explains. Does not decide when TLS is used.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::stream::Stream;
use super::trust;
use crate::diagnosis::TlsProblem;

pub mod files;
pub(in crate::net) mod problem;

/// Makes a plain connection an encrypted and verified one.
///
/// `host` is the configured host, a name or a literal address; a name also goes out as SNI, an address is looked for
/// among the certificate's iPAddress entries (RFC 9525 §6.4). Dropping the future closes the connection.
///
/// # Errors
/// When the handshake fails or takes longer than `limit`.
pub async fn connect(
    config: Arc<ClientConfig>,
    host: &str,
    tcp: TcpStream,
    limit: Duration,
) -> Result<Stream, TlsProblem> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsProblem::BadCertificate {
        detail: "the configured host is neither a host name nor an address, so no certificate can match it".to_owned(),
    })?;
    // On the heap: the state of a handshake is large, and most of a session's life is spent elsewhere.
    let handshake = Box::pin(TlsConnector::from(config).connect(name, tcp));
    let tls = within(limit, handshake).await?;
    Ok(Stream::Tls(Box::new(tls.into())))
}

/// Answers a client's handshake.
///
/// # Errors
/// When the handshake fails or takes longer than `limit`.
pub async fn accept(config: Arc<ServerConfig>, tcp: TcpStream, limit: Duration) -> Result<Stream, TlsProblem> {
    let handshake = Box::pin(TlsAcceptor::from(config).accept(tcp));
    let tls = within(limit, handshake).await?;
    Ok(Stream::Tls(Box::new(tls.into())))
}

async fn within<T>(limit: Duration, handshake: impl Future<Output = io::Result<T>>) -> Result<T, TlsProblem> {
    match tokio::time::timeout(limit, handshake).await {
        Ok(Ok(tls)) => Ok(tls),
        Ok(Err(error)) => Err(problem::of(&error)),
        Err(_) => Err(TlsProblem::Cut { detail: format!("the handshake was not finished in {} s", limit.as_secs()) }),
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
