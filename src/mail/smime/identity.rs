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
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectKeyIdentifier};

use super::facts::Facts;
use super::key::{Digester, SigningKey};
use super::pkcs12;
use crate::pem::{self, PemError};
use crate::secret::Secret;
use crate::x509::distinguished;

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
    #[error("the password does not open {path}; correct `password` or `password_file` beside `identity`")]
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
    signer: IssuerAndSerialNumber,
    leaf: Link,
    above: Vec<Link>,
    remarks: Vec<Remark>,
}

/// A certificate of the chain.
#[derive(Debug, Clone)]
pub struct Link {
    /// As it stands in the file.
    pub der: CertificateDer<'static>,
    /// What it says.
    pub facts: Facts,
    /// Whether it is its own issuer: a root, or a certificate somebody made for himself.
    pub is_self_issued: bool,
}

/// What is odd about a file that can be used all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// The file has its certificates in another order than from the identity's own to the root.
    Order,
    /// The file holds a certificate that has nothing to do with the key.
    Stray { subject: String },
    /// The issuer of the identity's certificate is not in the file: recipients may not find it.
    NoIssuer { issuer: String },
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order => f.write_str(
                "the certificates in the file are not in order (own first, then each one's issuer); they are sent in order",
            ),
            Self::Stray { subject } => write!(f, "the certificate of {subject} is not part of the chain and is not sent"),
            Self::NoIssuer { issuer } => write!(
                f,
                "the chain is broken: the certificate of {issuer} is missing, and recipients may not find it; add it to the file"
            ),
        }
    }
}

/// One certificate while the chain is looked for.
struct Candidate {
    der: CertificateDer<'static>,
    parsed: Certificate,
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
        let mut rest = Vec::new();
        for (index, der) in certificates.into_iter().take(CERTIFICATES).enumerate() {
            let parsed = Certificate::from_der(&der);
            let parsed = parsed.map_err(|_| IdentityError::Certificate { path: path.to_owned(), number: index + 1 })?;
            rest.push(Candidate { der, parsed });
        }
        let own = own(&rest, key.public())
            .ok_or_else(|| IdentityError::NotAPair { key: key_path.to_owned(), path: path.to_owned() })?;
        let written: Vec<CertificateDer<'static>> = rest.iter().map(|one| one.der.clone()).collect();
        let own = rest.remove(own);
        let tbs = &own.parsed.tbs_certificate;
        let signer = IssuerAndSerialNumber { issuer: tbs.issuer.clone(), serial_number: tbs.serial_number.clone() };
        let above = above(&own, &mut rest);
        let sent = std::iter::once(&own).chain(&above).map(|one| &one.der);
        let remarks = remarks(&own, &above, &rest, !written.iter().take(above.len() + 1).eq(sent));
        Ok(Self { key, signer, leaf: own.into(), above: above.into_iter().map(Link::from).collect(), remarks })
    }

    /// What the identity's own certificate says.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.leaf.facts
    }

    /// Its own certificate, then each one's issuer.
    pub fn chain(&self) -> impl Iterator<Item = &Link> {
        std::iter::once(&self.leaf).chain(&self.above)
    }

    /// What is odd about its file.
    #[must_use]
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
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
        &self.signer
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("leaf", &self.leaf.facts).field("key", &self.kind()).finish_non_exhaustive()
    }
}

impl From<Candidate> for Link {
    fn from(candidate: Candidate) -> Self {
        let facts = Facts::of_parsed(&candidate.parsed, &candidate.der);
        Self { is_self_issued: candidate.is_self_issued(), der: candidate.der, facts }
    }
}

impl Candidate {
    fn is_self_issued(&self) -> bool {
        self.parsed.tbs_certificate.subject == self.parsed.tbs_certificate.issuer
    }

    /// Whether the other could have signed this one (RFC 5280 §6.1: by name; and by key, where both say which).
    fn may_be_issued_by(&self, other: &Self) -> bool {
        let (own, above) = (&self.parsed.tbs_certificate, &other.parsed.tbs_certificate);
        let asked = own.get::<AuthorityKeyIdentifier>().ok().flatten().and_then(|(_, id)| id.key_identifier);
        let is = above.get::<SubjectKeyIdentifier>().ok().flatten().map(|(_, id)| id.0);
        own.issuer == above.subject && asked.zip(is).is_none_or(|(asked, is)| asked == is)
    }
}

/// The certificate of this key; where it was renewed and the old one is still there, the one that ends last.
fn own(candidates: &[Candidate], public: &[u8]) -> Option<usize> {
    let mine = candidates
        .iter()
        .enumerate()
        .filter(|(_, one)| one.parsed.tbs_certificate.subject_public_key_info.subject_public_key.raw_bytes() == public);
    let ends = |one: &Candidate| one.parsed.tbs_certificate.validity.not_after.to_unix_duration();
    mine.max_by_key(|(_, one)| ends(one)).map(|(index, _)| index)
}

/// Takes out of the rest what leads from this certificate upwards. Ends because each is taken once.
fn above(own: &Candidate, rest: &mut Vec<Candidate>) -> Vec<Candidate> {
    let mut chain: Vec<Candidate> = Vec::new();
    loop {
        let last = chain.last().unwrap_or(own);
        if last.is_self_issued() {
            return chain;
        }
        let Some(next) = rest.iter().position(|other| last.may_be_issued_by(other)) else { return chain };
        chain.push(rest.remove(next));
    }
}

fn remarks(own: &Candidate, above: &[Candidate], rest: &[Candidate], out_of_order: bool) -> Vec<Remark> {
    let mut remarks = Vec::new();
    if out_of_order {
        remarks.push(Remark::Order);
    }
    // Above an intermediate only the root may be missing: recipients have that, or do not believe it anyway.
    if above.is_empty() && !own.is_self_issued() {
        remarks.push(Remark::NoIssuer { issuer: distinguished(&own.parsed.tbs_certificate.issuer) });
    }
    let strays = rest.iter().map(|one| distinguished(&one.parsed.tbs_certificate.subject));
    remarks.extend(strays.map(|subject| Remark::Stray { subject }));
    remarks
}

#[cfg(test)]
mod tests;
