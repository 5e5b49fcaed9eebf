//! Tests of signatures: taken apart again and verified, by the library that made them but through other doors.
//!
//! What other programs say of them is asked in `tests/real`.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, RSA_PKCS1_2048_8192_SHA256,
    UnparsedPublicKey, VerificationAlgorithm,
};
use cms::content_info::ContentInfo;
use cms::signed_data::SignedData;
use der::Decode;
use x509_cert::Certificate;

use super::*;
use crate::mail::smime::samples::{self, KINDS, Kind};

const CONTENT: &[u8] = b"Content-Type: text/plain\r\n\r\nhello\r\n";

fn now() -> Timestamp {
    "2026-11-22T10:20:30.9Z".parse().unwrap()
}

fn digested(identity: &Identity, content: &[u8]) -> Digested {
    let mut digester = identity.digester();
    content.chunks(7).for_each(|chunk| digester.update(chunk));
    digester.finish()
}

fn data(octets: &[u8]) -> SignedData {
    let info = ContentInfo::from_der(octets).unwrap();
    assert_eq!(info.content_type, ID_SIGNED_DATA);
    assert_eq!(info.to_der().unwrap(), octets, "not DER");
    info.content.decode_as().unwrap()
}

fn algorithm(kind: Kind) -> &'static dyn VerificationAlgorithm {
    match kind {
        Kind::Rsa => &RSA_PKCS1_2048_8192_SHA256,
        Kind::P256 => &ECDSA_P256_SHA256_ASN1,
        Kind::P384 => &ECDSA_P384_SHA384_ASN1,
        Kind::P521 => &ECDSA_P521_SHA512_ASN1,
    }
}

fn value(data: &SignedData, oid: ObjectIdentifier) -> Vec<u8> {
    let info = data.signer_infos.0.get(0).unwrap();
    let attribute = info.signed_attrs.as_ref().unwrap().iter().find(|attribute| attribute.oid == oid).unwrap();
    assert_eq!(attribute.values.len(), 1);
    attribute.values.get(0).unwrap().to_der().unwrap()
}

/// Whether the signature is the leaf's over its attributes, and these are about this digest.
fn verifies(data: &SignedData, leaf: &[u8], kind: Kind, digest: &[u8]) -> bool {
    let info = data.signer_infos.0.get(0).unwrap();
    let leaf = Certificate::from_der(leaf).unwrap().tbs_certificate;
    let public = UnparsedPublicKey::new(algorithm(kind), leaf.subject_public_key_info.subject_public_key.raw_bytes());
    let attributes = info.signed_attrs.as_ref().unwrap().to_der().unwrap();
    let SignerIdentifier::IssuerAndSerialNumber(id) = &info.sid else { return false };
    (&id.issuer, &id.serial_number) == (&leaf.issuer, &leaf.serial_number)
        && public.verify(&attributes, info.signature.as_bytes()).is_ok()
        && value(data, ID_MESSAGE_DIGEST) == OctetString::new(digest).unwrap().to_der().unwrap()
}

#[test]
fn a_detached_signature_is_der_and_verifies_with_every_kind_of_key() {
    for kind in KINDS {
        let sample = samples::sample(kind);
        let identity = sample.identity();
        let digested = digested(&identity, CONTENT);
        let data = data(&detached(&identity, &digested, now()).unwrap());
        assert_eq!((data.version, data.encap_content_info.econtent.as_ref()), (CmsVersion::V1, None));
        assert!(verifies(&data, sample.chain[0].der(), kind, &digested.digest), "{kind:?}");
        let other = samples::sample(kind);
        assert!(!verifies(&data, other.chain[0].der(), kind, &digested.digest), "{kind:?}");
    }
}

#[test]
fn an_opaque_signature_has_the_content_between_its_two_halves() {
    // Lengths of one octet, of two, of three and of four.
    for size in [0, 1, 100, 200, 40_000, 70_000, 20_000_000] {
        let sample = samples::sample(Kind::P256);
        let identity = sample.identity();
        let content = vec![b'x'; size];
        let digested = digested(&identity, &content);
        let (before, after) = opaque(&identity, &digested, now()).unwrap();
        let data = data(&[before, content.clone(), after].concat());
        let inside = data.encap_content_info.econtent.as_ref().unwrap();
        assert_eq!(inside.decode_as::<OctetString>().unwrap().as_bytes(), content);
        assert!(verifies(&data, sample.chain[0].der(), Kind::P256, &digested.digest), "{size}");
    }
}

#[test]
fn what_is_signed_with_the_digest() {
    let sample = samples::sample(Kind::P256);
    let identity = sample.identity();
    let data = data(&detached(&identity, &digested(&identity, CONTENT), now()).unwrap());
    assert_eq!(value(&data, ID_CONTENT_TYPE), ID_DATA.to_der().unwrap());
    // UTCTime, whole seconds (RFC 5652 §11.3).
    assert_eq!(value(&data, ID_SIGNING_TIME), [b"\x17\x0d".as_slice(), b"261122102030Z"].concat());
    let id = value(&data, ID_AA_SIGNING_CERTIFICATE_V_2);
    assert!(id.ends_with(&Sha256::digest(sample.chain[0].der())), "{id:02x?}");
    // AES-256-GCM first (RFC 8551 §2.7).
    let preferred = element(SEQUENCE, &[&ID_AES_256_GCM.to_der().unwrap()]);
    assert_eq!(value(&data, SMIME_CAPABILITIES)[2..].split_at(preferred.len()).0, preferred);
    assert_eq!(data.signer_infos.0.get(0).unwrap().signed_attrs.as_ref().unwrap().len(), 5);
}

#[test]
fn after_2049_the_time_has_four_digits_of_year() {
    let sample = samples::sample(Kind::P256);
    let identity = sample.identity();
    let at = "2051-01-02T03:04:05Z".parse().unwrap();
    let data = data(&detached(&identity, &digested(&identity, CONTENT), at).unwrap());
    assert_eq!(value(&data, ID_SIGNING_TIME), [b"\x18\x0f".as_slice(), b"20510102030405Z"].concat());
}

#[test]
fn the_chain_goes_along_without_its_root_octet_for_octet() {
    let sample = samples::sample(Kind::P256);
    let identity = sample.identity();
    let octets = detached(&identity, &digested(&identity, CONTENT), now()).unwrap();
    let stands = |der: &[u8]| memchr::memmem::find(&octets, der).is_some();
    let [leaf, middle, root] = &sample.chain[..] else { panic!() };
    assert!(stands(leaf.der()) && stands(middle.der()) && !stands(root.der()));
    assert_eq!(data(&octets).certificates.unwrap().0.len(), 2);
}

#[test]
fn a_certificate_that_somebody_made_for_himself_goes_along() {
    let key = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap().self_signed(&key).unwrap();
    let identity = samples::read((own.pem() + &key.serialize_pem()).as_bytes()).unwrap();
    let octets = detached(&identity, &digested(&identity, CONTENT), now()).unwrap();
    assert!(memchr::memmem::find(&octets, own.der()).is_some());
}
