//! What rustls asks about a server's certificate, answered the way an account wants it.
//!
//! Guarantees: the signature of the handshake is always verified, so whoever answers holds the key of the certificate;
//! with a chain asked for, dates and key usage count; pins count whenever there are some. What a server presented is
//! noted before it is judged, so that a refused one can be shown. Looks at no revocation list.

use std::sync::Arc;
use std::time::Instant;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};

use super::follow::Followed;
use super::{Anchors, Pin, TrustError, anchored_for_http, provider, witness};
use crate::net::tls::certificate;

/// How much of the chain has to be right.
#[derive(Debug)]
pub(super) enum Check {
    /// The chain, and the configured host in the certificate.
    ChainAndName(Anchored),
    /// The same, with the anchors of token endpoints.
    ForHttp(Following),
    /// The chain.
    Chain(Anchored),
    /// Nothing.
    NoChain,
}

/// Whoever may have signed.
#[derive(Debug, Clone)]
pub(super) enum Anchored {
    /// These.
    Listed(Arc<RootCertStore>),
    /// Whom the system trusts, judged by the system where it judges.
    System(Arc<rustls_platform_verifier::Verifier>),
    /// Nobody, and why.
    Nobody(Arc<TrustError>),
}

/// The certificate is none of the pinned ones.
#[derive(Debug, thiserror::Error)]
#[error("the server's key is none of `pins`")]
pub(in crate::net) struct WrongPin;

/// The signature of the handshake is not by the key of the certificate.
#[derive(Debug, thiserror::Error)]
#[error("the server does not hold the key of the certificate it shows; something may be standing in between")]
struct NotItsKey;

/// rustls has one error for a bad signature in the certificate and for one under the handshake.
fn by_its_key(result: Result<HandshakeSignatureValid, Error>) -> Result<HandshakeSignatureValid, Error> {
    result.map_err(|error| match error {
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            CertificateError::Other(OtherError(Arc::new(NotItsKey))).into()
        }
        other => other,
    })
}

/// The anchors of token endpoints, which follow `ca_file`.
#[derive(Debug)]
pub(super) struct Following {
    anchors: Anchors,
    anchored: Followed<Anchored>,
}

impl Following {
    pub(super) fn new(anchors: Anchors, now: Instant) -> Result<Self, TrustError> {
        let files = anchors.file().cloned().into_iter().collect();
        let anchored = Followed::new(files, now, || anchored_for_http(&anchors))?;
        Ok(Self { anchors, anchored })
    }

    fn current(&self) -> Anchored {
        self.anchored.current(Instant::now(), || anchored_for_http(&self.anchors))
    }
}

/// Verifies one account's server, or its token endpoints.
#[derive(Debug)]
pub(super) struct Verifier {
    check: Check,
    pins: Vec<Pin>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(super) fn new(check: Check, pins: Vec<Pin>) -> Self {
        Self { check, pins, algorithms: provider().signature_verification_algorithms }
    }

    fn pinned(&self, end_entity: &CertificateDer<'_>) -> Result<(), Error> {
        if self.pins.is_empty() || self.pins.iter().any(|pin| pin.fits(end_entity)) {
            return Ok(());
        }
        Err(CertificateError::Other(OtherError(Arc::new(WrongPin))).into())
    }
}

/// What a server presented, as rustls hands it over.
#[derive(Clone, Copy)]
struct Presented<'a> {
    end_entity: &'a CertificateDer<'a>,
    intermediates: &'a [CertificateDer<'a>],
    ocsp: &'a [u8],
    now: UnixTime,
}

impl Anchored {
    fn verify(&self, presented: Presented<'_>, host: Option<&ServerName<'_>>) -> Result<(), Error> {
        match self {
            Self::Listed(roots) => {
                let Presented { end_entity, intermediates, now, .. } = presented;
                let parsed = ParsedCertificate::try_from(end_entity)?;
                let algorithms = provider().signature_verification_algorithms.all;
                verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms)?;
                host.map_or(Ok(()), |host| verify_server_name(&parsed, host))
            }
            Self::System(system) => {
                let Presented { end_entity, intermediates, ocsp, now } = presented;
                // The system always wants a name; one of the certificate's own is as good as none.
                let own = certificate::any_name(end_entity);
                let host = host.or(own.as_ref()).ok_or(CertificateError::NotValidForName)?;
                system.verify_server_cert(end_entity, intermediates, host, ocsp, now).map(drop)
            }
            Self::Nobody(why) => Err(CertificateError::Other(OtherError(why.clone())).into()),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        witness::presents(end_entity, intermediates);
        let presented = Presented { end_entity, intermediates, ocsp, now };
        match &self.check {
            Check::ChainAndName(anchored) => anchored.verify(presented, Some(host))?,
            Check::ForHttp(following) => following.current().verify(presented, Some(host))?,
            Check::Chain(anchored) => anchored.verify(presented, None)?,
            Check::NoChain => {}
        }
        self.pinned(end_entity)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        by_its_key(verify_tls12_signature(message, certificate, signature, &self.algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        by_its_key(verify_tls13_signature(message, certificate, signature, &self.algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
