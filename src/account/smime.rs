//! With what an account signs its mail (S/MIME): its settings, and its identities as they are on the disk now.
//!
//! [`Signing`] reads the files once and follows them: a renewed certificate is in use a minute later, a broken one is
//! reported and the old one stays. Guarantees that an account with a useless file does not come to be at all. Who signs
//! for a sender is said by [`crate::mail::smime::choose`]; nothing is signed here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::password;
use crate::mail::pattern::Pattern;
use crate::mail::smime::choose::Held;
use crate::mail::smime::facts::Facts;
use crate::mail::smime::identity::{Identity, IdentityError, Material};
use crate::net::trust::Followed;
use crate::pem::PemError;
use crate::secret::Secret;

/// The largest file that is read, in octets.
const LARGEST: u64 = 1 << 20;

/// `[accounts.NAME.smime]`
#[derive(Debug, Clone)]
pub struct Settings {
    /// `identity`, and `[[accounts.NAME.smime.identities]]`; at least one.
    pub identities: Vec<IdentityFile>,
    /// `form`. Default: clear.
    pub form: Form,
    /// `opaque_limit`: octets of the largest message that is signed opaque. Default 16 MiB.
    pub opaque_limit: u64,
    /// `over_limit`: what becomes of larger ones. Default: clear.
    pub over_limit: OverLimit,
    /// `without`: what becomes of mail that nobody may sign. Default: hold.
    pub without: Without,
}

/// One identity's files.
#[derive(Debug, Clone)]
pub struct IdentityFile {
    /// PKCS#12, or the certificates in PEM.
    pub identity: PathBuf,
    /// The key in PEM, where it is not in the same file.
    pub key: Option<PathBuf>,
    /// What opens PKCS#12.
    pub passphrase: Passphrase,
    /// Senders it signs for, beside the addresses of its certificate.
    pub senders: Vec<Pattern>,
}

/// Where the password of a PKCS#12 file is.
#[derive(Debug, Clone)]
pub enum Passphrase {
    /// There is none, or it is empty.
    None,
    /// `password`
    Given(Secret),
    /// `password_file`
    File(PathBuf),
}

/// `form = …`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// The signature beside the mail, which everybody can read.
    #[default]
    Clear,
    /// The mail inside the signature.
    Opaque,
}

/// `over_limit = …`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OverLimit {
    /// Signed clear.
    #[default]
    Clear,
    /// Held for a person to decide.
    Hold,
}

/// `without = …`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Without {
    /// It waits until there is an identity that may sign.
    #[default]
    Hold,
    /// It goes out unsigned, and the log says so.
    SendUnsigned,
}

/// `opaque_limit` where it is not written: 16 MiB.
pub const OPAQUE_LIMIT: u64 = 16 << 20;

/// Why an identity cannot be used; the text names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum SmimeError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("the password of {path}: {detail}")]
    Password { path: PathBuf, detail: String },
    #[error("{path} is larger than 1 MiB; name a file with one key and its certificates")]
    TooLarge { path: PathBuf },
}

/// The identities of an account, as they are now.
#[derive(Debug)]
pub struct Signing {
    settings: Settings,
    held: Followed<Arc<[Held<Identity>]>>,
}

impl Signing {
    /// Reads the files. Blocks on the disk.
    ///
    /// # Errors
    /// When one of them is useless.
    pub fn load(settings: &Settings, now: Instant) -> Result<Self, SmimeError> {
        let held = Followed::new(settings.files(), now, || settings.read())?;
        Ok(Self { settings: settings.clone(), held })
    }

    /// What was configured.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The identities. Looks at their files when the last look is a minute old, and blocks on the disk then.
    #[must_use]
    pub fn current(&self, now: Instant) -> Arc<[Held<Identity>]> {
        self.held.current(now, || self.settings.read())
    }
}

impl Settings {
    fn read(&self) -> Result<Arc<[Held<Identity>]>, SmimeError> {
        self.identities.iter().map(IdentityFile::hold).collect()
    }

    /// What the certificates of those identities say that can be read now. Blocks on the disk.
    #[must_use]
    pub fn certificates(&self) -> Vec<Facts> {
        self.identities.iter().filter_map(|file| Some(file.read().ok()?.facts().clone())).collect()
    }

    fn files(&self) -> Vec<PathBuf> {
        let files = self.identities.iter().flat_map(|one| {
            let password = match &one.passphrase {
                Passphrase::File(path) => Some(path),
                Passphrase::None | Passphrase::Given(_) => None,
            };
            [Some(&one.identity), one.key.as_ref(), password].into_iter().flatten()
        });
        files.cloned().collect()
    }
}

impl IdentityFile {
    /// Where the private key is.
    #[must_use]
    pub fn key_file(&self) -> &Path {
        self.key.as_deref().unwrap_or(&self.identity)
    }

    /// Reads it. Blocks on the disk.
    ///
    /// # Errors
    /// When it is useless.
    pub fn read(&self) -> Result<Identity, SmimeError> {
        let identity = file(&self.identity)?;
        let key = self.key.as_deref().map(file).transpose()?;
        let password = match &self.passphrase {
            Passphrase::None => None,
            Passphrase::Given(secret) => Some(secret.clone()),
            Passphrase::File(path) => Some(
                password::in_file(path)
                    .map_err(|detail| SmimeError::Password { path: self.identity.clone(), detail })?,
            ),
        };
        let key = self.key.as_deref().zip(key.as_deref()).map(|(path, octets)| Material { path, octets });
        Ok(Identity::read(Material { path: &self.identity, octets: &identity }, key, password.as_ref())?)
    }

    /// Reads it, and for whom it may sign.
    fn hold(&self) -> Result<Held<Identity>, SmimeError> {
        Ok(Held { identity: self.read()?, senders: self.senders.clone() })
    }
}

fn file(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, SmimeError> {
    use std::io::Read;
    let unreadable = |source| SmimeError::Identity(PemError::Read { path: path.into(), source }.into());
    let mut octets = zeroize::Zeroizing::new(Vec::new());
    let opened = std::fs::File::open(path).map_err(unreadable)?;
    opened.take(LARGEST + 1).read_to_end(&mut octets).map_err(unreadable)?;
    if octets.len() as u64 > LARGEST {
        return Err(SmimeError::TooLarge { path: path.into() });
    }
    Ok(octets)
}

#[cfg(test)]
mod tests;
