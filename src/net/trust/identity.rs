//! Our own certificate, for servers that ask for one.
//!
//! Loaded from PEM: our certificate first, then those between it and the root, and the key in clear. A key that belongs
//! to another certificate of the file is told apart from one that belongs to none. Shows the same certificate to
//! whoever asks; whether the server takes it is for the server to say.

use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, SignatureScheme};

use super::witness::{self, Shown};
use super::{Identity, TrustError, provider};
use crate::pem;

/// What is shown to a server that asks.
#[derive(Debug)]
pub(super) struct Shows(Option<Arc<CertifiedKey>>);

impl Shows {
    pub(super) fn load(identity: Option<&Identity>) -> Result<Self, TrustError> {
        identity.map(|identity| identity.load().map(Arc::new)).transpose().map(Self)
    }
}

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        witness::asks(if self.0.is_some() { Shown::Certificate } else { Shown::Nothing });
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

impl Identity {
    /// Reads both files and proves that they belong together.
    ///
    /// # Errors
    /// When one of them is useless or they do not belong together.
    pub fn load(&self) -> Result<CertifiedKey, TrustError> {
        let chain = pem::certificates(&self.certificate)?;
        let key = pem::private_key(&self.key)?;
        let pair = |chain| CertifiedKey::from_der(chain, key.clone_key(), &provider());
        let error = match pair(chain.clone()) {
            Ok(identity) => return Ok(identity),
            Err(error) => error,
        };
        let mismatch = matches!(error, Error::InconsistentKeys(InconsistentKeys::KeyMismatch));
        let mut others = chain.into_iter().enumerate().skip(1);
        let detail = match others.find(|(_, other)| mismatch && pair(vec![other.clone()]).is_ok()) {
            Some((index, _)) => format!("the key belongs to certificate {} of the file, not to the first", index + 1),
            None if mismatch => "the key belongs to another certificate".to_owned(),
            None => error.to_string(),
        };
        Err(TrustError::Identity { certificate: self.certificate.clone(), key: self.key.clone(), detail })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Files(tempfile::TempDir);

    impl Files {
        fn identity(&self, certificates: &str, key: &str) -> Identity {
            let identity = Identity { certificate: self.0.path().join("a.pem"), key: self.0.path().join("a.key") };
            std::fs::write(&identity.certificate, certificates).unwrap();
            std::fs::write(&identity.key, key).unwrap();
            identity
        }
    }

    fn made(name: &str) -> (String, String) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_certificate_in_the_wrong_place_is_told_apart_from_a_foreign_key() {
        let files = Files(tempfile::tempdir().unwrap());
        let ((ours, key), (authority, foreign)) = (made("ours"), made("authority"));
        let chain = files.identity(&format!("{ours}{authority}"), &key).load().unwrap().cert;
        assert_eq!(chain.len(), 2);
        let said = |certificates: String, key: &str| {
            let error = files.identity(&certificates, key).load().unwrap_err();
            assert!(matches!(error, TrustError::Identity { .. }), "{error:?}");
            error.to_string()
        };
        let turned = said(format!("{authority}{ours}"), &key);
        assert!(turned.contains("belongs to certificate 2 of the file") && turned.contains("a.pem"), "{turned}");
        let stranger = said(ours, &foreign);
        assert!(stranger.contains("belongs to another certificate") && stranger.contains("a.key"), "{stranger}");
    }

    #[test]
    fn an_encrypted_key_is_refused_with_the_command_that_decrypts_it() {
        let files = Files(tempfile::tempdir().unwrap());
        let (ours, _) = made("ours");
        let key = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let identity = files.identity(&ours, key);
        let said = identity.load().unwrap_err().to_string();
        let command = format!("`openssl pkey -in {} -out plain.key`", identity.key.display());
        assert!(said.contains(&command), "{said}");
    }
}
