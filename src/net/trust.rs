//! Whom we believe when a provider shows a certificate.
//!
//! Full verification always: a valid chain to the system's roots, or to the anchors of one CA file and nothing else,
//! and the configured host in the certificate (RFC 9525). TLS 1.2 and 1.3 (RFC 8996, RFC 9325). A configuration is
//! made once per account and kept: it holds the sessions that make the next handshake cheap.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::diagnosis::TlsProblem;
use crate::pem::{self, PemError};

/// Sessions kept for resumption; an account talks to one host.
const SESSIONS: usize = 32;

/// Why there is nothing to verify with.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error(transparent)]
    File(#[from] PemError),
    #[error("certificate {number} in {path} cannot be used as a trust anchor: {detail}")]
    Anchor { path: PathBuf, number: usize, detail: String },
    #[error(
        "the system's trusted certificates cannot be used: {detail}; install the package `ca-certificates`, or name the provider's CA in `ca_file`"
    )]
    System { detail: String },
    #[error("TLS cannot be set up: {detail}")]
    Setup { detail: String },
}

impl From<TrustError> for TlsProblem {
    fn from(error: TrustError) -> Self {
        Self::OwnFile { detail: error.to_string() }
    }
}

/// The one cryptographic library of the program, named so that rustls never has to guess.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// What a client needs to verify a server: the system's roots, or only the anchors in `ca_file`.
///
/// # Errors
/// When the file is useless or the system has no roots.
pub fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TrustError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| TrustError::Setup { detail: error.to_string() })?;
    let builder = match ca_file {
        Some(path) => builder.with_root_certificates(anchors(path)?),
        None => builder.with_platform_verifier().map_err(|error| TrustError::System { detail: error.to_string() })?,
    };
    let mut config = builder.with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Ok(Arc::new(config))
}

fn anchors(path: &Path) -> Result<RootCertStore, TrustError> {
    let mut store = RootCertStore::empty();
    for (index, certificate) in pem::certificates(path)?.into_iter().enumerate() {
        store.add(certificate).map_err(|error| TrustError::Anchor {
            path: path.into(),
            number: index + 1,
            detail: error.to_string(),
        })?;
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_useless_ca_file_is_an_error_that_names_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n").unwrap();
        let said = client_config(Some(file.path())).unwrap_err().to_string();
        assert!(said.starts_with("certificate 1 in ") && said.contains(file.path().to_str().unwrap()), "{said}");
        let missing = Path::new("/nowhere/ca.pem");
        let TlsProblem::OwnFile { detail } = client_config(Some(missing)).unwrap_err().into() else { panic!() };
        assert!(detail.contains("/nowhere/ca.pem"), "{detail}");
    }
}
