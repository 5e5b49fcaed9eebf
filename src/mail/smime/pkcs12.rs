//! PKCS#12 files (RFC 7292): the one place that uses `p12-keystore`.
//!
//! Takes the encryption of today (PBES2 with AES) and that of older exports (RC2 and 3DES). Guarantees that a missing
//! password, a wrong one, a kind of encryption it cannot open, a file without a key and a file of another kind are told apart, and
//! that a damaged file is an error and never a panic. Looks at nothing inside.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use der::{Decode, Header, SliceReader, Tag};
use p12_keystore::error::Error;
use p12_keystore::{KeyStore, KeyStoreEntry};
use rustls::pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::identity::IdentityError;
use crate::secret::Secret;

/// The largest file that is looked into, in octets; those with a long chain have a dozen KiB.
const LARGEST: usize = 1 << 20;

/// A key as PKCS#8, and the certificates that stood with it.
pub(super) struct Contents {
    pub(super) key: Zeroizing<Vec<u8>>,
    pub(super) certificates: Vec<CertificateDer<'static>>,
}

/// Opens a file that was read.
pub(super) fn open(octets: &[u8], password: Option<&Secret>, path: &Path) -> Result<Contents, IdentityError> {
    let named = || path.to_owned();
    // The library would say of anything what is wrong with it as DER; people took the wrong file, or one in BER.
    let whole = SliceReader::new(octets).and_then(|mut reader| Header::decode(&mut reader));
    if octets.len() > LARGEST || !whole.is_ok_and(|header| header.tag == Tag::Sequence) {
        return Err(IdentityError::NotPkcs12 { path: named() });
    }
    let password = password.map_or("", Secret::expose);
    let opened = catch_unwind(AssertUnwindSafe(|| KeyStore::from_pkcs12(octets, password)));
    let store = opened.unwrap_or(Err(Error::InvalidData)).map_err(|error| match error {
        Error::MacError(_) | Error::Pkcs5Error(_) | Error::UnpadError if password.is_empty() => {
            IdentityError::NoPassword { path: named() }
        }
        Error::MacError(_) | Error::Pkcs5Error(_) | Error::UnpadError => IdentityError::WrongPassword { path: named() },
        Error::UnsupportedEncryptionScheme | Error::UnsupportedMacAlgorithm | Error::UnsupportedContentType => {
            IdentityError::Encryption { path: named() }
        }
        _ => IdentityError::NotPkcs12 { path: named() },
    })?;
    let mut chains = store.entries().filter_map(|(_, entry)| match entry {
        KeyStoreEntry::PrivateKeyChain(chain) => Some(chain),
        KeyStoreEntry::Certificate(_) | KeyStoreEntry::Secret(_) => None,
    });
    let chain = chains.next().ok_or_else(|| IdentityError::NoKey { path: named() })?;
    if chains.next().is_some() {
        return Err(IdentityError::SeveralKeys { path: named() });
    }
    let certificates = chain.chain().iter().map(|one| CertificateDer::from(one.as_der().to_vec())).collect();
    Ok(Contents { key: Zeroizing::new(chain.key().to_vec()), certificates })
}
