//! The signature itself: a CMS `SignedData` (RFC 5652 §5) of a digest, with what S/MIME asks for (RFC 8551 §2.5).
//!
//! Signed with it are the content's type and digest, the time, what its owner can read, and which certificate it was
//! (RFC 5035, against a signature moved to another one). The chain goes along, without its root. All DER with definite
//! lengths, so that an opaque message streams: its size is known beforehand. Certificates are sent octet for octet as
//! their file has them, for their own signatures hang on that.

use cms::content_info::CmsVersion;
use cms::signed_data::{SignerIdentifier, SignerInfo};
use der::asn1::{ObjectIdentifier, OctetString, SetOfVec, UtcTime};
use der::{Any, Encode, Tag};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use x509_cert::attr::Attribute;
use x509_cert::der::oid::db::rfc5911::{
    ID_AA_SIGNING_CERTIFICATE_V_2, ID_CONTENT_TYPE, ID_DATA, ID_MESSAGE_DIGEST, ID_SIGNED_DATA, ID_SIGNING_TIME,
    SMIME_CAPABILITIES,
};
use x509_cert::der::oid::db::rfc5911::{ID_AES_128_CBC, ID_AES_128_GCM, ID_AES_256_CBC, ID_AES_256_GCM};
use x509_cert::time::Time;

use super::identity::Identity;
use super::key::{CannotSign, Digested};

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error(transparent)]
    Key(#[from] CannotSign),
    /// The library cannot write what it was given.
    #[error("the signature cannot be written: {0}")]
    Write(#[from] der::Error),
}

/// Preferred first (RFC 8551 §2.5.2 and §2.7): what to encrypt with for the owner of this certificate.
const CAPABILITIES: [ObjectIdentifier; 4] = [ID_AES_256_GCM, ID_AES_128_GCM, ID_AES_256_CBC, ID_AES_128_CBC];

/// `[0]`, constructed
const CONTEXT_0: u8 = 0xa0;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OCTET_STRING: u8 = 0x04;

/// A signature that stands beside what it signs.
///
/// # Errors
/// [`SignError`]; with an identity that was read, only when the library fails.
pub fn detached(identity: &Identity, signed: &Digested, at: Timestamp) -> Result<Vec<u8>, SignError> {
    let content = element(SEQUENCE, &[&ID_DATA.to_der()?]);
    let (before, after) = around(&content, 0, &tail(identity, signed, at)?)?;
    Ok([before, content, after].concat())
}

/// A signature that holds what it signs: what stands before that, and what behind it.
///
/// # Errors
/// As [`detached`].
pub fn opaque(identity: &Identity, signed: &Digested, at: Timestamp) -> Result<(Vec<u8>, Vec<u8>), SignError> {
    let octets = header(OCTET_STRING, signed.octets);
    let inside = octets.len() as u64 + signed.octets;
    let explicit = header(CONTEXT_0, inside);
    let kind = ID_DATA.to_der()?;
    let inside = inside + (explicit.len() + kind.len()) as u64;
    let content = [header(SEQUENCE, inside), kind, explicit, octets].concat();
    let (before, after) = around(&content, signed.octets, &tail(identity, signed, at)?)?;
    Ok(([before, content].concat(), after))
}

/// Puts `ContentInfo` and `SignedData` around the content: its own octets here, and as many more as follow them.
fn around(content: &[u8], more: u64, tail: &Tail) -> Result<(Vec<u8>, Vec<u8>), SignError> {
    // RFC 5652 §5.1: 1, for the content is data and the signer named by issuer and serial number.
    let version = CmsVersion::V1.to_der()?;
    let inside = (version.len() + tail.hashes.len() + content.len() + tail.behind.len()) as u64 + more;
    let signed_data = header(SEQUENCE, inside);
    let inside = inside + signed_data.len() as u64;
    let explicit = header(CONTEXT_0, inside);
    let kind = ID_SIGNED_DATA.to_der()?;
    let whole = header(SEQUENCE, inside + (explicit.len() + kind.len()) as u64);
    Ok(([whole, kind, explicit, signed_data, version, tail.hashes.clone()].concat(), tail.behind.clone()))
}

/// What does not hang on where the content stands.
struct Tail {
    hashes: Vec<u8>,
    /// Certificates and signature.
    behind: Vec<u8>,
}

fn tail(identity: &Identity, signed: &Digested, at: Timestamp) -> Result<Tail, SignError> {
    let hashes = element(SET, &[&signed.hash.algorithm().to_der()?]);
    let signers = element(SET, &[&signer(identity, signed, at)?]);
    Ok(Tail { hashes, behind: [certificates(identity), signers].concat() })
}

/// Its own certificate even where nobody else signed that; of those above all but the root, which recipients must have
/// from elsewhere to believe it.
fn certificates(identity: &Identity) -> Vec<u8> {
    let mut chain = identity.chain();
    let own = chain.next();
    let above = chain.filter(|link| !link.is_self_issued);
    let mut sent: Vec<&[u8]> = own.into_iter().chain(above).map(|link| link.der.as_ref()).collect();
    // X.690 §11.6: what is in a SET OF stands in the order of its octets.
    sent.sort_unstable();
    element(CONTEXT_0, &sent)
}

fn signer(identity: &Identity, signed: &Digested, at: Timestamp) -> Result<Vec<u8>, SignError> {
    let attributes = SetOfVec::try_from(vec![
        attribute(ID_CONTENT_TYPE, &ID_DATA)?,
        attribute(ID_MESSAGE_DIGEST, &OctetString::new(signed.digest.as_slice())?)?,
        attribute(ID_SIGNING_TIME, &time(at)?)?,
        attribute(SMIME_CAPABILITIES, &capabilities()?)?,
        attribute(ID_AA_SIGNING_CERTIFICATE_V_2, &signing_certificate(identity)?)?,
    ])?;
    // RFC 5652 §5.4: signed as the SET OF that it is, whatever tag it has where it stands.
    let signature = identity.key().sign(&attributes.to_der()?)?;
    let info = SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(identity.signer().clone()),
        digest_alg: signed.hash.algorithm(),
        signed_attrs: Some(attributes),
        signature_algorithm: identity.key().algorithm(),
        signature: OctetString::new(signature)?,
        unsigned_attrs: None,
    };
    Ok(info.to_der()?)
}

fn attribute(oid: ObjectIdentifier, value: &impl Encode) -> der::Result<Attribute> {
    let value = <Any as der::Decode>::from_der(&value.to_der()?)?;
    Ok(Attribute { oid, values: SetOfVec::try_from(vec![value])? })
}

/// RFC 5652 §11.3: `UTCTime` through 2049, to the second.
fn time(at: Timestamp) -> der::Result<Time> {
    let seconds = std::time::Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0));
    match UtcTime::from_unix_duration(seconds) {
        Ok(time) => Ok(Time::UtcTime(time)),
        Err(_) => der::asn1::GeneralizedTime::from_unix_duration(seconds).map(Time::GeneralTime),
    }
}

fn capabilities() -> der::Result<Any> {
    let mut list = Vec::new();
    for oid in CAPABILITIES {
        list.extend(element(SEQUENCE, &[&oid.to_der()?]));
    }
    Any::new(Tag::Sequence, list)
}

/// `SigningCertificateV2` with one `ESSCertIDv2` of SHA-256, its default. RFC 5035 §4 has the issuer and serial number
/// in it too unless they are known otherwise: they name the signer right beside it.
fn signing_certificate(identity: &Identity) -> der::Result<Any> {
    let own = identity.chain().next().map(|link| Sha256::digest(&link.der)).unwrap_or_default();
    let id = element(SEQUENCE, &[&element(OCTET_STRING, &[&own])]);
    Any::new(Tag::Sequence, element(SEQUENCE, &[&id]))
}

fn element(tag: u8, inside: &[&[u8]]) -> Vec<u8> {
    let mut whole = header(tag, inside.iter().map(|part| part.len() as u64).sum());
    for part in inside {
        whole.extend_from_slice(part);
    }
    whole
}

/// X.690 §10.1: a tag, and the length in as few octets as it takes.
fn header(tag: u8, length: u64) -> Vec<u8> {
    if let Ok(short @ 0..=0x7f) = u8::try_from(length) {
        return vec![tag, short];
    }
    let octets = length.to_be_bytes();
    let significant = &octets[length.leading_zeros() as usize / 8..];
    // 0x81 to 0x88: so many octets follow.
    let count = (0x81..).nth(significant.len() - 1).unwrap_or(0x88);
    [&[tag, count], significant].concat()
}

#[cfg(test)]
mod tests;
