//! Identities for tests, made where they are used: a root, an authority below it, and a certificate for mail.
//!
//! Written as PEM and as PKCS#12 in its old and its new encryption. Not part of the program.

use p12_keystore::{
    Certificate as Stored, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, PrivateKeyChain,
};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_RSA_SHA256,
    RsaKeySize, SanType, date_time_ymd,
};
use std::path::Path;

use super::identity::{Identity, IdentityError, Material};
use crate::secret::Secret;

pub(crate) const PASSWORD: &str = "two words";
pub(crate) const SCANNER: &str = "scanner@example.com";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Rsa,
    P256,
    P384,
    P521,
}

pub(crate) const KINDS: [Kind; 4] = [Kind::Rsa, Kind::P256, Kind::P384, Kind::P521];

/// How a PKCS#12 file is encrypted: as today, or as in older exports.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cipher {
    Aes,
    TripleDes,
    Rc2,
}

/// A key, and its certificate with those above, root last.
pub(crate) struct Sample {
    pub(crate) key: KeyPair,
    pub(crate) chain: Vec<Certificate>,
}

fn key(kind: Kind) -> KeyPair {
    match kind {
        Kind::Rsa => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        Kind::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        Kind::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
        Kind::P521 => KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512),
    }
    .unwrap()
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2060, 1, 1));
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// For [`SCANNER`], from 2020 to 2060.
pub(crate) fn sample(kind: Kind) -> Sample {
    altered(kind, |_| {})
}

pub(crate) fn altered(kind: Kind, change: impl FnOnce(&mut CertificateParams)) -> Sample {
    let root_key = key(Kind::P256);
    let root = authority("Example Root").self_signed(&root_key).unwrap();
    let root_issuer = Issuer::new(authority("Example Root"), root_key);
    let middle_key = key(Kind::P256);
    let middle = authority("Example Mail CA").signed_by(&middle_key, &root_issuer).unwrap();
    let issuer = Issuer::new(authority("Example Mail CA"), middle_key);
    let mut params = named("Scanner");
    params.subject_alt_names = vec![SanType::Rfc822Name(SCANNER.try_into().unwrap())];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
    change(&mut params);
    let own = key(kind);
    let leaf = params.signed_by(&own, &issuer).unwrap();
    Sample { key: own, chain: vec![leaf, middle, root] }
}

impl Sample {
    /// All certificates, then the key.
    pub(crate) fn pem(&self) -> String {
        let chain: String = self.chain.iter().map(Certificate::pem).collect();
        chain + &self.key.serialize_pem()
    }

    pub(crate) fn pkcs12(&self, cipher: Cipher) -> Vec<u8> {
        let chain: Vec<Stored> = self.chain.iter().map(|one| Stored::from_der(one.der()).unwrap()).collect();
        let mut store = KeyStore::new();
        store.add_entry(
            "1",
            KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new(self.key.serialized_der(), [1], chain)),
        );
        let (encryption, mac) = match cipher {
            Cipher::Aes => (EncryptionAlgorithm::PbeWithHmacSha256AndAes256, MacAlgorithm::HmacSha256),
            Cipher::TripleDes => (EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc, MacAlgorithm::HmacSha1),
            Cipher::Rc2 => (EncryptionAlgorithm::PbeWithShaAnd40BitRc4Cbc, MacAlgorithm::HmacSha1),
        };
        let writer = store.writer(PASSWORD).encryption_algorithm(encryption).mac_algorithm(mac);
        writer.encryption_iterations(1000).mac_iterations(1000).write().unwrap()
    }

    pub(crate) fn identity(&self) -> Identity {
        read(self.pem().as_bytes()).unwrap()
    }
}

/// Reads a file that holds all there is.
pub(crate) fn read(octets: &[u8]) -> Result<Identity, IdentityError> {
    let password = Secret::new(PASSWORD.to_owned());
    Identity::read(Material { path: Path::new("scanner.p12"), octets }, None, Some(&password))
}
