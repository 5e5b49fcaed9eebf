//! The chain of certificates of an identity: found among what stands in a file, and put in order.
//!
//! From the identity's own certificate upwards, each followed by one that has its issuer's name and, as far as that can
//! be told, its issuer's key. Guarantees an end, and that no certificate is in a chain twice. What is odd about the file
//! is told as a [`Remark`]. Whether a root is believed is for the recipient.

use std::fmt;

use cms::cert::IssuerAndSerialNumber;
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use x509_cert::Certificate;
use x509_cert::der::{self, Decode, Encode, Reader, SliceReader};
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectKeyIdentifier};
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::facts::Facts;
use crate::x509::distinguished;

/// Own certificate, those above, and what was odd.
pub(super) struct Chain {
    pub(super) own: Link,
    pub(super) above: Vec<Link>,
    /// By what a signature names its certificate.
    pub(super) signer: IssuerAndSerialNumber,
    pub(super) remarks: Vec<Remark>,
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
                "its issuer, {issuer}, is not in the file; that is fine if it is a root that recipients know, else they may not find it: add its certificate"
            ),
        }
    }
}

/// One certificate while the chain is looked for.
pub(super) struct Candidate {
    der: CertificateDer<'static>,
    parsed: Certificate,
}

impl From<Candidate> for Link {
    fn from(candidate: Candidate) -> Self {
        let facts = Facts::of_parsed(&candidate.parsed, &candidate.der);
        Self { is_self_issued: candidate.is_self_issued(), der: candidate.der, facts }
    }
}

impl Chain {
    /// Nothing where no certificate is this key's.
    pub(super) fn of(mut rest: Vec<Candidate>, public: &[u8]) -> Option<Self> {
        let own = own(&rest, public)?;
        let written: Vec<CertificateDer<'static>> = rest.iter().map(|one| one.der.clone()).collect();
        let own = rest.remove(own);
        let tbs = &own.parsed.tbs_certificate;
        let signer = IssuerAndSerialNumber { issuer: tbs.issuer.clone(), serial_number: tbs.serial_number.clone() };
        let above = above(&own, &mut rest);
        let in_order = std::iter::once(&own).chain(&above).map(|one| &one.der);
        let is_in_order = written.iter().take(above.len() + 1).eq(in_order);
        let remarks = remarks(&own, &above, &rest, is_in_order);
        Some(Self { own: own.into(), above: above.into_iter().map(Link::from).collect(), signer, remarks })
    }
}

impl Candidate {
    /// Nothing for what is no certificate.
    pub(super) fn read(der: CertificateDer<'static>) -> Option<Self> {
        let parsed = Certificate::from_der(&der).ok()?;
        Some(Self { der, parsed })
    }

    fn is_self_issued(&self) -> bool {
        self.parsed.tbs_certificate.subject == self.parsed.tbs_certificate.issuer
    }

    /// Whether the other could have signed this one (RFC 5280 §6.1): by name; by key, where both say which; and by the
    /// signature, where that can be verified.
    fn may_be_issued_by(&self, other: &Self) -> bool {
        let (own, above) = (&self.parsed.tbs_certificate, &other.parsed.tbs_certificate);
        let asked = own.get::<AuthorityKeyIdentifier>().ok().flatten().and_then(|(_, id)| id.key_identifier);
        let is = above.get::<SubjectKeyIdentifier>().ok().flatten().map(|(_, id)| id.0);
        own.issuer == above.subject
            && asked.zip(is).is_none_or(|(asked, is)| asked == is)
            && !self.is_surely_not_signed_by(other).unwrap_or(false)
    }

    /// Nothing where the signature is of a kind that is not known here: then the name has to do.
    fn is_surely_not_signed_by(&self, other: &Self) -> Option<bool> {
        let public = &other.parsed.tbs_certificate.subject_public_key_info;
        let (wanted, key_kind) = (inside(&self.parsed.signature_algorithm)?, inside(&public.algorithm)?);
        let known = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.all;
        let fits = |one: &&dyn SignatureVerificationAlgorithm| {
            one.signature_alg_id().as_ref() == wanted && one.public_key_alg_id().as_ref() == key_kind
        };
        let algorithm = known.iter().copied().find(fits)?;
        let key = public.subject_public_key.as_bytes()?;
        let signature = self.parsed.signature.as_bytes()?;
        Some(algorithm.verify_signature(key, signed_part(&self.der).ok()?, signature).is_err())
    }
}

/// An algorithm without tag and length, as `rustls` has them.
fn inside(algorithm: &AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    let der = algorithm.to_der().ok()?;
    // What is longer than a length of one octet is no algorithm that is known.
    (*der.get(1)? < 0x80).then(|| der[2..].to_vec())
}

/// What the issuer signed (RFC 5280 §4.1.1.1), octet for octet.
fn signed_part(certificate: &[u8]) -> der::Result<&[u8]> {
    let mut reader = SliceReader::new(certificate)?;
    der::Header::decode(&mut reader)?;
    reader.tlv_bytes()
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

fn remarks(own: &Candidate, above: &[Candidate], rest: &[Candidate], is_in_order: bool) -> Vec<Remark> {
    let mut remarks = Vec::new();
    if !is_in_order {
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
