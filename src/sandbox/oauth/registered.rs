//! The keys that sign assertions: the client's certificate, and a service account with its key file.
//!
//! The service account's key is RSA, as Google's are, and is made when somebody first asks for it: it takes a while.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_RSA_SHA256, PublicKeyData as _, RsaKeySize};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::assertion::Registered;
use crate::secret::Secret;

/// RFC 8017 §A.1
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// Who the service account is.
pub(super) const EMAIL: &str = "relay@posthouse.iam.sandbox.example";

impl Registered {
    /// The key of a certificate.
    pub(super) fn certificate(pem: &str) -> io::Result<Self> {
        let octets = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(io::Error::other)?;
        let certificate = Certificate::from_der(&octets).map_err(io::Error::other)?;
        let info = &certificate.tbs_certificate.subject_public_key_info;
        Ok(Self {
            key: info.subject_public_key.raw_bytes().to_vec(),
            is_rsa: info.algorithm.oid == RSA,
            thumbprint: Some(URL_SAFE_NO_PAD.encode(Sha256::digest(&octets))),
            key_id: None,
        })
    }
}

/// A program's own account, which may act for the user.
#[derive(Debug)]
pub(super) struct ServiceAccount {
    registered: Registered,
    key_file: Secret,
}

impl ServiceAccount {
    /// One with a new key, that is to ask at this endpoint.
    pub(super) fn new(token_endpoint: &str) -> io::Result<Self> {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map_err(io::Error::other)?;
        let info = pair.subject_public_key_info();
        let key = SubjectPublicKeyInfoRef::from_der(&info).map_err(io::Error::other)?;
        let key = key.subject_public_key.raw_bytes().to_vec();
        let key_id = super::super::credentials::hexadecimal(&Sha256::digest(&key))[..40].to_owned();
        let file = json!({
            "type": "service_account",
            "project_id": "posthouse",
            "private_key_id": key_id,
            "private_key": pair.serialize_pem(),
            "client_email": EMAIL,
            "client_id": "100000000000000000001",
            "token_uri": token_endpoint,
            "universe_domain": "sandbox.example",
        });
        let registered = Registered { key, is_rsa: true, thumbprint: None, key_id: Some(key_id) };
        Ok(Self { registered, key_file: Secret::new(format!("{file:#}\n")) })
    }

    pub(super) fn registered(&self) -> &Registered {
        &self.registered
    }

    /// The text of its key file, as a provider gives it out once.
    pub(super) fn key_file(&self) -> &Secret {
        &self.key_file
    }
}
