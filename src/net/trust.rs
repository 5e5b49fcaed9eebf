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

/// Whom one account believes, and what it shows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `verify`: how much of the server's certificate has to be right. Default: full.
    pub verify: Verify,
    /// `ca_file`, `roots`: who may have signed it. Default: the system's.
    pub anchors: Anchors,
    /// `pins`: keys or certificates of which the server must show one; empty: any.
    pub pins: Vec<Pin>,
    /// `client_certificate`, `client_key`: what we show when the server asks.
    pub identity: Option<Identity>,
}

/// `verify = …`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// A valid chain to an anchor, and the configured host in the certificate (RFC 9525).
    Full,
    /// A valid chain to an anchor; the name does not matter.
    Chain,
    /// One of the pins, nothing else.
    Pin,
    /// Whatever is shown. Shouted in every log.
    None,
}

/// Who may have signed a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchors {
    /// `roots = "system"`
    System,
    /// `roots = "bundled"`: Mozilla's list, as it was when this program was built.
    Bundled,
    /// `ca_file = …`: these and nobody else.
    File(PathBuf),
}

/// One key or certificate, by its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// `sha256/BASE64`: of the `SubjectPublicKeyInfo` (RFC 7469 §2.4).
    Key([u8; 32]),
    /// `certificate/HEX`: of the whole certificate, as `openssl x509 -fingerprint -sha256` prints it.
    Certificate([u8; 32]),
}

/// A client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// PEM: our certificate first, then those between it and the root.
    pub certificate: PathBuf,
    /// PEM, not encrypted.
    pub key: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self { verify: Verify::Full, anchors: Anchors::System, pins: Vec::new(), identity: None }
    }
}

impl Settings {
    /// Full verification against the anchors of this file and no others.
    #[must_use]
    pub fn only(ca_file: impl Into<PathBuf>) -> Self {
        Self { anchors: Anchors::File(ca_file.into()), ..Self::default() }
    }
}

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

/// What a client needs to verify a server the way the account says.
///
/// # Errors
/// When a file is useless or the system has no roots.
pub fn client_config(settings: &Settings) -> Result<Arc<ClientConfig>, TrustError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| TrustError::Setup { detail: error.to_string() })?;
    let builder = match &settings.anchors {
        Anchors::File(path) => builder.with_root_certificates(anchors(path)?),
        Anchors::System | Anchors::Bundled => {
            builder.with_platform_verifier().map_err(|error| TrustError::System { detail: error.to_string() })?
        }
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
        let said = client_config(&Settings::only(file.path())).unwrap_err().to_string();
        assert!(said.starts_with("certificate 1 in ") && said.contains(file.path().to_str().unwrap()), "{said}");
        let missing = Path::new("/nowhere/ca.pem");
        let TlsProblem::OwnFile { detail } = client_config(&Settings::only(missing)).unwrap_err().into() else {
            panic!()
        };
        assert!(detail.contains("/nowhere/ca.pem"), "{detail}");
    }
}
