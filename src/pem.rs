//! PEM files: certificates, trust anchors and private keys; the one place that uses `rustls-pemfile`.
//!
//! Every way a file can be useless gets its own error: unreadable, no certificate inside, no key inside, an encrypted
//! key (which `rustls-pemfile` passes over in silence). Does not look at what the certificates say.

use std::path::{Path, PathBuf};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why a PEM file cannot be used; the text names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} holds no certificate; expected at least one `-----BEGIN CERTIFICATE-----` block in PEM form")]
    NoCertificate { path: PathBuf },
    #[error("{path} holds no private key; expected `-----BEGIN PRIVATE KEY-----` (PKCS#8), or an RSA or EC key block")]
    NoKey { path: PathBuf },
    #[error(
        "the private key in {path} is encrypted, which is not supported; decrypt it once with `openssl pkey -in {path} -out plain.key` and make the result readable to Posthouse alone"
    )]
    EncryptedKey { path: PathBuf },
    #[error("{path} is damaged PEM: {source}")]
    Damaged { path: PathBuf, source: std::io::Error },
}

/// All certificates of a file, in the file's order.
///
/// # Errors
/// When the file cannot be read, is damaged, or holds no certificate.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    certificates_in(&read(path)?, path)
}

/// All certificates of a text that was read from this file already.
///
/// # Errors
/// When the text is damaged, or holds no certificate.
pub fn certificates_in(bytes: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let found = rustls_pemfile::certs(&mut &*bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| PemError::Damaged { path: path.into(), source })?;
    if found.is_empty() {
        return Err(PemError::NoCertificate { path: path.into() });
    }
    Ok(found)
}

/// The first private key of a file.
///
/// # Errors
/// When the file cannot be read, is damaged, holds no key, or only an encrypted one.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    private_key_in(&read(path)?, path)
}

/// The first private key of a text that stands in a file of another kind.
///
/// # Errors
/// When the text is damaged, holds no key, or only an encrypted one.
pub fn private_key_in(bytes: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    // RFC 1421 §4.6.1.1, as OpenSSL's older forms still write it: the block looks like any other key's.
    if contains(bytes, b"Proc-Type: 4,ENCRYPTED") {
        return Err(PemError::EncryptedKey { path: path.into() });
    }
    match rustls_pemfile::private_key(&mut &*bytes) {
        Ok(Some(key)) => Ok(key),
        Ok(None) if contains(bytes, b"ENCRYPTED") => Err(PemError::EncryptedKey { path: path.into() }),
        Ok(None) => Err(PemError::NoKey { path: path.into() }),
        Err(source) => Err(PemError::Damaged { path: path.into(), source }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, PemError> {
    std::fs::read(path).map_err(|source| PemError::Read { path: path.into(), source })
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn an_encrypted_key_is_named_as_such() {
        let f = file("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n");
        assert!(matches!(private_key(f.path()), Err(PemError::EncryptedKey { .. })));
        let f = file(
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMIIB\n-----END RSA PRIVATE KEY-----\n",
        );
        assert!(matches!(private_key(f.path()), Err(PemError::EncryptedKey { .. })));
    }

    #[test]
    fn a_file_without_what_is_asked_for_is_an_error_that_names_it() {
        let f = file("hello\n");
        let said = certificates(f.path()).unwrap_err().to_string();
        assert!(said.contains(f.path().to_str().unwrap()), "{said}");
        assert!(matches!(private_key(f.path()), Err(PemError::NoKey { .. })));
    }
}
