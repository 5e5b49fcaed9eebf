//! An identity that signs mail: a private key, its certificate, and the certificates above it.
//!
//! Reads PKCS#12 and PEM. Guarantees that the key belongs to the first certificate of the chain, and that the chain is
//! in order, leaf first, each certificate followed by the one whose subject is its issuer. Each way a file can be
//! useless has an error that names the file and what to do. Whether it may sign now, and for whom, is said by
//! [`super::choose`].

use std::fmt;
use std::path::{Path, PathBuf};

use cms::cert::IssuerAndSerialNumber;
use rustls::pki_types::CertificateDer;

use super::chain::{Candidate, Chain, Link, Remark};
use super::facts::Facts;
use super::key::{Digester, SigningKey};
use super::pkcs12;
use crate::pem::{self, PemError};
use crate::secret::Secret;

/// Certificates of one file that are looked at.
const CERTIFICATES: usize = 50;

/// Why a file is no identity; the text names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error(transparent)]
    Pem(#[from] PemError),
    #[error(
        "{path} is neither PEM nor PKCS#12 that can be read; if another program opens it, write it anew: `openssl pkcs12 -legacy -in {path} -nodes | openssl pkcs12 -export -out new.p12`"
    )]
    NotPkcs12 { path: PathBuf },
    #[error("{path} is protected by a password, and none is given")]
    NoPassword { path: PathBuf },
    #[error("the password does not open {path}")]
    WrongPassword { path: PathBuf },
    #[error(
        "{path} is encrypted in a way that is not supported; write it anew: `openssl pkcs12 -legacy -in {path} -nodes | openssl pkcs12 -export -out new.p12`"
    )]
    Encryption { path: PathBuf },
    #[error("{path} holds no private key that has its certificate beside it; export both together")]
    NoKey { path: PathBuf },
    #[error("{path} holds several private keys; export the one that signs alone")]
    SeveralKeys { path: PathBuf },
    #[error("{path} is PKCS#12, which has its key in it; leave `key` out")]
    KeyApart { path: PathBuf },
    #[error("certificate number {number} in {path} cannot be read")]
    Certificate { path: PathBuf, number: usize },
    #[error(
        "the private key in {path} is of a kind that cannot sign; expected RSA (2048 to 8192 bits) or EC P-256, P-384 or P-521"
    )]
    Kind { path: PathBuf },
    #[error("the private key in {key} belongs to no certificate in {path}; give both of one pair")]
    NotAPair { key: PathBuf, path: PathBuf },
}

/// A file that was read.
#[derive(Debug, Clone, Copy)]
pub struct Material<'a> {
    /// Where it lies, for errors.
    pub path: &'a Path,
    /// What is in it.
    pub octets: &'a [u8],
}

/// Who signs.
pub struct Identity {
    key: SigningKey,
    chain: Chain,
}

impl Identity {
    /// From a PKCS#12 file, or from PEM with the key in the same file or in one of its own.
    ///
    /// # Errors
    /// [`IdentityError`]
    pub fn read(
        identity: Material<'_>,
        key: Option<Material<'_>>,
        password: Option<&Secret>,
    ) -> Result<Self, IdentityError> {
        let path = identity.path;
        if memchr::memmem::find(identity.octets, b"-----BEGIN ").is_some() {
            let certificates = pem::certificates_in(identity.octets, path)?;
            let key = key.unwrap_or(identity);
            let der = pem::private_key_in(key.octets, key.path)?;
            return Self::of(certificates, der.secret_der(), path, key.path);
        }
        if key.is_some() {
            return Err(IdentityError::KeyApart { path: path.to_owned() });
        }
        let contents = pkcs12::open(identity.octets, password, path)?;
        Self::of(contents.certificates, &contents.key, path, path)
    }

    fn of(
        certificates: Vec<CertificateDer<'static>>,
        key: &[u8],
        path: &Path,
        key_path: &Path,
    ) -> Result<Self, IdentityError> {
        let key = SigningKey::read(key).ok_or_else(|| IdentityError::Kind { path: key_path.to_owned() })?;
        let mut candidates = Vec::new();
        for (index, der) in certificates.into_iter().take(CERTIFICATES).enumerate() {
            let unreadable = || IdentityError::Certificate { path: path.to_owned(), number: index + 1 };
            candidates.push(Candidate::read(der).ok_or_else(unreadable)?);
        }
        let not_a_pair = || IdentityError::NotAPair { key: key_path.to_owned(), path: path.to_owned() };
        let chain = Chain::of(candidates, key.public()).ok_or_else(not_a_pair)?;
        Ok(Self { key, chain })
    }

    /// What the identity's own certificate says.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.chain.own.facts
    }

    /// Its own certificate, then each one's issuer.
    pub fn chain(&self) -> impl Iterator<Item = &Link> {
        std::iter::once(&self.chain.own).chain(&self.chain.above)
    }

    /// What is odd about its file.
    #[must_use]
    pub fn remarks(&self) -> &[Remark] {
        &self.chain.remarks
    }

    /// The kind of its key: `RSA, 2048 bits`.
    #[must_use]
    pub fn kind(&self) -> String {
        self.key.to_string()
    }

    /// For what is to be signed.
    #[must_use]
    pub fn digester(&self) -> Digester {
        Digester::new(self.key.hash())
    }

    pub(super) fn key(&self) -> &SigningKey {
        &self.key
    }

    /// By what a signature names its certificate (RFC 5652 §5.3).
    pub(super) fn signer(&self) -> &IssuerAndSerialNumber {
        &self.chain.signer
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("facts", self.facts()).field("key", &self.kind()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
