//! Whom we believe when a server shows a certificate, and what we show of ourselves.
//!
//! Full verification unless an account says otherwise: a valid chain to the account's anchors and the configured host
//! in the certificate (RFC 9525). Whatever is left out, the server proves that it holds the key of the certificate it
//! shows. TLS 1.2 and 1.3 (RFC 8996, RFC 9325). Token endpoints are always verified in full and never see the client
//! certificate. [`ClientTls`] keeps what is made here and follows the files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};

use crate::diagnosis::TlsProblem;
use crate::pem::{self, PemError};

mod follow;
mod identity;
mod pin;
mod verifier;
pub(in crate::net) mod witness;

pub(crate) use follow::Followed;
#[cfg(test)]
pub(in crate::net) use follow::{INTERVAL, Look};
pub use pin::{Pin, PinError};
pub(in crate::net) use verifier::WrongPin;
use verifier::{Anchored, Check, Following, Verifier};
pub use witness::Shown;

/// Sessions kept for resumption; an account talks to one host.
const SESSIONS: usize = 32;

/// Pins of one account: the key in use, the next one, and room for a farm of servers.
pub const MOST_PINS: usize = 8;

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

    /// The files that are read.
    fn files(&self) -> Vec<PathBuf> {
        // With `pin` and `none` the anchors are not asked.
        let asked = matches!(self.verify, Verify::Full | Verify::Chain);
        let anchors = self.anchors.file().filter(|_| asked).cloned();
        let identity = self.identity.iter().flat_map(|identity| [&identity.certificate, &identity.key]);
        anchors.into_iter().chain(identity.cloned()).collect()
    }
}

impl Anchors {
    fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::File(path) => Some(path),
            Self::System | Self::Bundled => None,
        }
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
    #[error(
        "client certificate {certificate} and key {key} cannot be used together: {detail}; the first certificate in the file has to be our own, the one made for this key"
    )]
    Identity { certificate: PathBuf, key: PathBuf, detail: String },
    #[error("verify = \"pin\" needs a pin; add pins = [\"sha256/…\"]")]
    NoPins,
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

/// How the other side's certificate was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// We asked for none: the other side is a device.
    NotAsked,
    /// Chain and name.
    Full,
    /// Chain and name, and it is one of the pins.
    FullAndPin,
    /// The chain alone.
    Chain,
    /// The chain, and it is one of the pins.
    ChainAndPin,
    /// It is one of the pins.
    Pin,
    /// Not at all.
    Nothing,
}

impl Verified {
    /// In words, for logs.
    #[must_use]
    pub fn for_host(self, host: &str) -> String {
        match self {
            Self::NotAsked => "no certificate asked for".into(),
            Self::Full => format!("certificate verified for {host}"),
            Self::FullAndPin => format!("certificate verified for {host} and by its pin"),
            Self::Chain => "certificate chain verified, its name ignored (verify = \"chain\")".into(),
            Self::ChainAndPin => "certificate chain and pin verified, its name ignored (verify = \"chain\")".into(),
            Self::Pin => "certificate verified by its pin alone (verify = \"pin\")".into(),
            Self::Nothing => "certificate not verified (verify = \"none\")".into(),
        }
    }
}

/// What the handshakes of one account are held to.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Holds the sessions that make the next handshake cheap, so it is made once and kept.
    pub config: Arc<ClientConfig>,
    /// What a handshake by it has proven.
    pub verified: Verified,
}

impl Terms {
    /// Reads the files the settings name.
    ///
    /// # Errors
    /// When a file is useless, the system has no roots, or a pin is asked for and there is none.
    pub fn new(settings: &Settings) -> Result<Self, TrustError> {
        let pinned = !settings.pins.is_empty();
        let (check, verified) = match settings.verify {
            Verify::Full => (
                Check::ChainAndName(anchored(&settings.anchors)?),
                if pinned { Verified::FullAndPin } else { Verified::Full },
            ),
            Verify::Chain => (
                Check::Chain(anchored(&settings.anchors)?),
                if pinned { Verified::ChainAndPin } else { Verified::Chain },
            ),
            Verify::Pin if !pinned => return Err(TrustError::NoPins),
            // A pin that is given always counts.
            Verify::Pin | Verify::None if pinned => (Check::NoChain, Verified::Pin),
            Verify::Pin | Verify::None => (Check::NoChain, Verified::Nothing),
        };
        let asked = Verifier::new(check, settings.pins.clone());
        let mut config = builder()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(asked))
            .with_client_cert_resolver(Arc::new(identity::Shows::load(settings.identity.as_ref())?));
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Ok(Self { config: Arc::new(config), verified })
    }
}

/// The [`Terms`] of one account, which follow its `ca_file`, `client_certificate` and `client_key`.
#[derive(Debug)]
pub struct ClientTls {
    settings: Settings,
    terms: Followed<Terms>,
}

impl ClientTls {
    /// Reads the files.
    ///
    /// # Errors
    /// As [`Terms::new`].
    pub fn load(settings: &Settings, now: Instant) -> Result<Self, TrustError> {
        let terms = Followed::new(settings.files(), now, || Terms::new(settings))?;
        Ok(Self { settings: settings.clone(), terms })
    }

    /// What to hold the next handshake to. Looks at the files when the last look is a minute old.
    pub fn current(&self, now: Instant) -> Terms {
        self.terms.current(now, || Terms::new(&self.settings))
    }
}

/// What calls to token endpoints are held to: full verification whatever `verify` and `pins` say of the SMTP server,
/// and no client certificate. The public endpoints stay within reach of an account with a private authority, so
/// `ca_file` comes on top of the system's roots here, and is followed.
///
/// A system without roots is no error: most accounts never call anybody. Then each call fails and says why.
///
/// # Errors
/// When `ca_file` is useless.
pub fn http_terms(settings: &Settings, now: Instant) -> Result<Terms, TrustError> {
    let asked = Verifier::new(Check::ForHttp(Following::new(settings.anchors.clone(), now)?), Vec::new());
    let mut config = builder()?.dangerous().with_custom_certificate_verifier(Arc::new(asked)).with_no_client_auth();
    // Calls are an hour apart, and a resumed session would outlive a change of the file.
    config.resumption = Resumption::disabled();
    Ok(Terms { config: Arc::new(config), verified: Verified::Full })
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, TrustError> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| TrustError::Setup { detail: error.to_string() })
}

fn anchored(anchors: &Anchors) -> Result<Anchored, TrustError> {
    Ok(match anchors {
        Anchors::System => Anchored::System(system(&[])?),
        Anchors::Bundled => Anchored::Listed(Arc::new(bundled())),
        Anchors::File(path) => Anchored::Listed(Arc::new(listed(path)?)),
    })
}

/// For a token endpoint.
fn anchored_for_http(anchors: &Anchors) -> Result<Anchored, TrustError> {
    Ok(match anchors {
        Anchors::System => system(&[]).map_or_else(|why| Anchored::Nobody(Arc::new(why)), Anchored::System),
        Anchors::Bundled => Anchored::Listed(Arc::new(bundled())),
        Anchors::File(path) => {
            // Proven to be anchors one by one: the platform would not say which of them is useless.
            listed(path)?;
            Anchored::System(system(&pem::certificates(path)?)?)
        }
    })
}

fn system(
    extra: &[rustls::pki_types::CertificateDer<'static>],
) -> Result<Arc<rustls_platform_verifier::Verifier>, TrustError> {
    rustls_platform_verifier::Verifier::new_with_extra_roots(extra.iter().cloned(), provider())
        .map(Arc::new)
        .map_err(|error| TrustError::System { detail: error.to_string() })
}

fn bundled() -> RootCertStore {
    webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()
}

/// Whether these certificates can be trusted at all.
///
/// # Errors
/// When the file is useless, or a certificate in it is no trust anchor.
pub fn check_anchors(path: &Path) -> Result<(), TrustError> {
    listed(path).map(drop)
}

fn listed(path: &Path) -> Result<RootCertStore, TrustError> {
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
pub(super) mod tests;
