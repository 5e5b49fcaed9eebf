//! The private key of an identity, what it signs with, and the digest that goes with it.
//!
//! RSA of 2048 to 8192 bits (PKCS#1 v1.5 with SHA-256), and the curves P-256, P-384 and P-521, each with the hash of
//! its size (RFC 5753 §2.1.1 and the pairs of FIPS 186). The key is never printed and never leaves this file.

use std::fmt;

use aws_lc_rs::digest::{self, Context, SHA256, SHA384, SHA512};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use der::asn1::{Any, ObjectIdentifier};
use x509_cert::der::oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, ID_SHA_256, ID_SHA_384, ID_SHA_512, RSA_ENCRYPTION,
};
use x509_cert::spki::AlgorithmIdentifierOwned;

/// The library could not sign with a key that it took. It does not say why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the private key cannot sign")]
pub struct CannotSign;

/// A key that signs.
pub(super) enum SigningKey {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair, Curve),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

/// The hashes in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256
    Sha256,
    /// SHA-384
    Sha384,
    /// SHA-512
    Sha512,
}

/// Digests what is signed as it comes, and counts it.
pub struct Digester {
    context: Context,
    hash: Hash,
    octets: u64,
}

/// What was signed, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digested {
    /// By which hash.
    pub hash: Hash,
    /// The digest.
    pub digest: Vec<u8>,
    /// How many octets went in.
    pub octets: u64,
}

impl SigningKey {
    /// PKCS#8, PKCS#1 (RSA) or SEC 1 (EC), all DER. Nothing for other keys.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        if let Ok(pair) = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)) {
            return Some(Self::Rsa(pair));
        }
        [Curve::P256, Curve::P384, Curve::P521].into_iter().find_map(|curve| {
            let pair = EcdsaKeyPair::from_private_key_der(curve.signing(), der).ok()?;
            Some(Self::Ec(pair, curve))
        })
    }

    /// As it stands in the certificate (RFC 5280 §4.1.2.7).
    pub(super) fn public(&self) -> &[u8] {
        match self {
            Self::Rsa(pair) => pair.public_key().as_ref(),
            Self::Ec(pair, _) => pair.public_key().as_ref(),
        }
    }

    pub(super) fn hash(&self) -> Hash {
        match self {
            Self::Rsa(_) | Self::Ec(_, Curve::P256) => Hash::Sha256,
            Self::Ec(_, Curve::P384) => Hash::Sha384,
            Self::Ec(_, Curve::P521) => Hash::Sha512,
        }
    }

    /// RFC 3370 §3.2: `rsaEncryption` with NULL is what every reader knows; the hash stands beside it in the signature.
    /// RFC 5754 §3.3: ECDSA names its hash, and has no parameters.
    pub(super) fn algorithm(&self) -> AlgorithmIdentifierOwned {
        match self {
            Self::Rsa(_) => AlgorithmIdentifierOwned { oid: RSA_ENCRYPTION, parameters: Some(Any::null()) },
            Self::Ec(_, curve) => {
                let oid = match curve {
                    Curve::P256 => ECDSA_WITH_SHA_256,
                    Curve::P384 => ECDSA_WITH_SHA_384,
                    Curve::P521 => ECDSA_WITH_SHA_512,
                };
                AlgorithmIdentifierOwned { oid, parameters: None }
            }
        }
    }

    pub(super) fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, CannotSign> {
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), octets, &mut signature).map_err(|_| CannotSign)?;
                Ok(signature)
            }
            Self::Ec(pair, _) => {
                let signature = pair.sign(&SystemRandom::new(), octets).map_err(|_| CannotSign)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

/// `RSA, 2048 bits`: its kind, never itself.
impl fmt::Display for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(pair) => write!(f, "RSA, {} bits", pair.public_modulus_len() * 8),
            Self::Ec(_, Curve::P256) => f.write_str("EC P-256"),
            Self::Ec(_, Curve::P384) => f.write_str("EC P-384"),
            Self::Ec(_, Curve::P521) => f.write_str("EC P-521"),
        }
    }
}

impl Curve {
    fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
            Self::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
            Self::P521 => &ECDSA_P521_SHA512_ASN1_SIGNING,
        }
    }
}

impl Hash {
    /// For the `micalg` of a signed message (RFC 8551 §3.5.3.2).
    #[must_use]
    pub fn micalg(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// RFC 5754 §2: without parameters.
    pub(super) fn algorithm(self) -> AlgorithmIdentifierOwned {
        AlgorithmIdentifierOwned { oid: self.oid(), parameters: None }
    }

    fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Sha256 => ID_SHA_256,
            Self::Sha384 => ID_SHA_384,
            Self::Sha512 => ID_SHA_512,
        }
    }

    fn engine(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &SHA256,
            Self::Sha384 => &SHA384,
            Self::Sha512 => &SHA512,
        }
    }
}

impl Digester {
    /// With nothing in it yet.
    #[must_use]
    pub fn new(hash: Hash) -> Self {
        Self { context: Context::new(hash.engine()), hash, octets: 0 }
    }

    /// The next octets of what is signed.
    pub fn update(&mut self, octets: &[u8]) {
        self.context.update(octets);
        self.octets += octets.len() as u64;
    }

    /// All was there.
    #[must_use]
    pub fn finish(self) -> Digested {
        Digested { hash: self.hash, digest: self.context.finish().as_ref().to_vec(), octets: self.octets }
    }
}

impl fmt::Debug for Digester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Digester").field("hash", &self.hash).field("octets", &self.octets).finish_non_exhaustive()
    }
}
