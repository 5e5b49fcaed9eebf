//! Signed assertions (RFC 7523): in place of a client's secret, and in place of a person's grant.
//!
//! Key and certificate are read anew for each call, off the threads that serve the sessions; a certificate that has
//! ended, or that the key does not belong to, is named before anybody is asked. What is signed is good for minutes,
//! for one endpoint, once. Sends nothing: that is [`super::exchange`].

use std::path::Path;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RsaKeyPair};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Serialize;
use sha2::{Digest, Sha256};
use x509_cert::Certificate;
use x509_cert::der::asn1::{AnyRef, OctetStringRef};
use x509_cert::der::{self, Decode, Reader, SliceReader};

use super::{ClientProof, Grant};
use crate::diagnosis::TokenFailure;
use crate::net::tls::certificate::CertificateFacts;
use crate::pem;
use crate::secret::Secret;

/// An assertion says it was made this much earlier, so that a clock that is off by less does not matter.
pub(super) const TOLERANCE: SignedDuration = SignedDuration::from_mins(1);

/// From when it says it was made to its end: what Microsoft advises; Google takes up to an hour.
const LIFE: SignedDuration = SignedDuration::from_mins(10);

/// What an assertion stands in place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The client's secret (RFC 7523 §2.2).
    Client,
    /// The grant (RFC 7523 §2.1).
    Grant,
}

/// Who says what to whom.
#[derive(Debug)]
pub(super) struct Statement {
    pub issuer: String,
    pub subject: String,
    pub audience: String,
    /// Google wants it here; RFC 7523 has it outside.
    pub scope: Option<String>,
}

/// A statement, and the key to sign it with.
pub(super) struct Signer {
    pub role: Role,
    statement: Statement,
    header: Header,
    key: EncodingKey,
}

/// RFC 7523 §3
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    jti: uuid::Uuid,
    iat: i64,
    nbf: i64,
    exp: i64,
}

impl Signer {
    /// For a client that has a certificate; it proves itself to the token endpoint `audience`.
    pub(super) async fn of_client(
        (certificate, key): (&Path, &Path),
        client_id: &str,
        audience: String,
        now: Timestamp,
    ) -> Result<Self, TokenFailure> {
        let files = (certificate.to_owned(), key.to_owned());
        let identity = off_the_threads(move || identity(&files.0, &files.1, now)).await?;
        let (issuer, subject) = (client_id.to_owned(), client_id.to_owned());
        let statement = Statement { issuer, subject, audience, scope: None };
        let mut header = Header::new(identity.key.algorithm);
        // RFC 7515 §4.1.8. No `kid`: a server that looks for one knows the key by a name of its own.
        header.x5t_s256 = Some(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&identity.certificate)));
        Ok(Self { role: Role::Client, statement, header, key: identity.key.encoding })
    }

    /// For a key that may act for others; the key is the first in this text, which stands in `file`.
    pub(super) fn of_key(
        text: &[u8],
        file: &Path,
        key_id: Option<String>,
        statement: Statement,
    ) -> Result<Self, TokenFailure> {
        // Google takes RS256 and nothing else.
        let key = private_key(|| pem::private_key_in(text, file), file, Algorithm::RS256)?;
        let mut header = Header::new(key.algorithm);
        header.kid = key_id;
        Ok(Self { role: Role::Grant, statement, header, key: key.encoding })
    }

    /// The statement, made at this time.
    pub(super) fn sign(&self, now: Timestamp) -> Result<Secret, TokenFailure> {
        let made = now.as_second() - TOLERANCE.as_secs();
        let claims = Claims {
            iss: &self.statement.issuer,
            sub: &self.statement.subject,
            aud: &self.statement.audience,
            scope: self.statement.scope.as_deref(),
            // Three quarters of it are random.
            jti: uuid::Uuid::now_v7(),
            iat: made,
            nbf: made,
            exp: made + LIFE.as_secs(),
        };
        let signed = jsonwebtoken::encode(&self.header, &claims, &self.key);
        signed.map(Secret::new).map_err(|_| own_file("the private key cannot sign".to_owned()))
    }
}

/// When the certificate ends by which the application of a grant proves itself; nothing where there is none that can be
/// read. Blocks on the disk.
#[must_use]
pub fn client_certificate_ends(grant: &Grant) -> Option<Timestamp> {
    let ClientProof::Certificate { certificate, .. } = &grant.application()?.proof else { return None };
    certificate_ends(certificate).ok()
}

/// When the certificate in a file ends; of several, the first that ends.
fn certificate_ends(path: &Path) -> Result<Timestamp, TokenFailure> {
    let certificates = pem::certificates(path).map_err(|error| own_file(error.to_string()))?;
    let ends = certificates.iter().filter_map(|der| CertificateFacts::of(der)).map(|facts| facts.not_after).min();
    ends.ok_or_else(|| own_file(format!("{} holds nothing that can be read as a certificate", path.display())))
}

/// Whether this certificate and this key can stand for the secret of an application. Blocks on the disk.
///
/// # Errors
/// [`TokenFailure::OwnFile`] when one of them is useless or they are not of one pair, and
/// [`TokenFailure::CertificateEnded`].
pub fn check_identity(certificate: &Path, key: &Path, now: Timestamp) -> Result<(), TokenFailure> {
    identity(certificate, key, now).map(drop)
}

/// A certificate and the key it is for.
struct Identity {
    certificate: CertificateDer<'static>,
    key: Key,
}

/// A key that can sign, and what a certificate calls its public half.
struct Key {
    algorithm: Algorithm,
    encoding: EncodingKey,
    public: Vec<u8>,
}

fn identity(certificate: &Path, key_file: &Path, now: Timestamp) -> Result<Identity, TokenFailure> {
    let chain = pem::certificates(certificate).map_err(|error| own_file(error.to_string()))?;
    // PS256 with `x5t#S256` is the pair Entra's documentation asks for, in place of RS256 with a SHA-1 `x5t`
    // (learn.microsoft.com/entra/identity-platform/certificate-credentials). AD FS knows the older pair only.
    let key = private_key(|| pem::private_key(key_file), key_file, Algorithm::PS256)?;
    // Some write the chain from its other end.
    let own = chain.into_iter().find(|der| public_key(der).is_some_and(|public| public == key.public));
    let Some(own) = own else {
        return Err(own_file(format!(
            "the private key in {} does not belong to a certificate in {}; give both of one pair",
            key_file.display(),
            certificate.display()
        )));
    };
    match CertificateFacts::of(&own) {
        Some(facts) if facts.not_after <= now => {
            Err(TokenFailure::CertificateEnded { file: certificate.display().to_string(), ended: facts.not_after })
        }
        _ => Ok(Identity { certificate: own, key }),
    }
}

fn private_key(
    read: impl FnOnce() -> Result<PrivateKeyDer<'static>, pem::PemError>,
    file: &Path,
    of_rsa: Algorithm,
) -> Result<Key, TokenFailure> {
    let der = read().map_err(|error| own_file(error.to_string()))?;
    rsa(der.secret_der(), of_rsa).or_else(|| p256(der.secret_der())).ok_or_else(|| {
        let file = file.display();
        own_file(format!(
            "the private key in {file} is of a kind that cannot be used; expected RSA (2048 to 8192 bits) or EC P-256"
        ))
    })
}

fn rsa(der: &[u8], algorithm: Algorithm) -> Option<Key> {
    let (pair, inner) = match RsaKeyPair::from_der(der) {
        Ok(pair) => (pair, der),
        Err(_) => (RsaKeyPair::from_pkcs8(der).ok()?, inside_pkcs8(der).ok()?),
    };
    let public = pair.public_key().as_ref().to_vec();
    Some(Key { algorithm, encoding: EncodingKey::from_rsa_der(inner), public })
}

fn p256(der: &[u8]) -> Option<Key> {
    let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der).ok()?;
    let encoding = EncodingKey::from_ec_der(pair.to_pkcs8v1().ok()?.as_ref());
    Some(Key { algorithm: Algorithm::ES256, encoding, public: pair.public_key().as_ref().to_vec() })
}

/// The key inside a PKCS#8 structure (RFC 5208 §5): version, algorithm, key, and perhaps attributes.
fn inside_pkcs8(der: &[u8]) -> der::Result<&[u8]> {
    SliceReader::new(der)?.sequence(|fields| {
        u8::decode(fields)?;
        AnyRef::decode(fields)?;
        let key = OctetStringRef::decode(fields)?;
        while !fields.is_finished() {
            AnyRef::decode(fields)?;
        }
        Ok(key.as_bytes())
    })
}

/// The public key as it stands in a certificate (RFC 5280 §4.1.2.7).
fn public_key(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let certificate = Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate.subject_public_key_info.subject_public_key.raw_bytes().to_vec())
}

/// Files may lie on a slow disk or network: not on the threads that serve the sessions.
pub(super) async fn off_the_threads<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, TokenFailure> + Send + 'static,
) -> Result<T, TokenFailure> {
    let given_up = |_| Err(own_file("reading its files was given up".to_owned()));
    tokio::task::spawn_blocking(read).await.unwrap_or_else(given_up)
}

pub(super) fn own_file(detail: String) -> TokenFailure {
    TokenFailure::OwnFile { detail }
}

#[cfg(test)]
pub(super) mod tests;
