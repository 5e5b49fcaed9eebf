//! The certificate and key of a listener, read from PEM files and read again when they change.
//!
//! Renewal tools replace the files and expect nothing more; how they are followed is [`crate::net::trust`]'s. A pair
//! that does not belong together is refused, and named. Does not look at the dates in the certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rustls::ServerConfig;

use super::server_config;
use crate::net::trust::Followed;
use crate::pem::{self, PemError};

/// Why a pair of files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    #[error(transparent)]
    Pem(#[from] PemError),
    #[error(
        "certificate {certificate} and key {key} cannot be used together: {detail}; the first certificate in the file has to be the server's own"
    )]
    Mismatch { certificate: PathBuf, key: PathBuf, detail: String },
}

/// A certificate and key that follow their files.
#[derive(Debug)]
pub struct ServerTls {
    certificate: PathBuf,
    key: PathBuf,
    config: Followed<Arc<ServerConfig>>,
}

impl ServerTls {
    /// Reads both files.
    ///
    /// # Errors
    /// When one of them is useless or they do not belong together.
    pub fn load(certificate: &Path, key: &Path, now: Instant) -> Result<Self, FilesError> {
        let files = vec![certificate.into(), key.into()];
        let config = Followed::new(files, now, || read(certificate, key))?;
        Ok(Self { certificate: certificate.into(), key: key.into(), config })
    }

    /// What to answer the next handshake with. Looks at the files when the last look is a minute old.
    pub fn current(&self, now: Instant) -> Arc<ServerConfig> {
        self.config.current(now, || read(&self.certificate, &self.key))
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, FilesError> {
    let chain = pem::certificates(certificate)?;
    server_config(chain, pem::private_key(key)?).map_err(|error| FilesError::Mismatch {
        certificate: certificate.into(),
        key: key.into(),
        detail: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::net::trust::{INTERVAL, Look};

    struct Pair(tempfile::TempDir);

    impl Pair {
        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn load(&self, now: Instant) -> Result<ServerTls, FilesError> {
            ServerTls::load(&self.path("cert.pem"), &self.path("key.pem"), now)
        }

        /// Writes a new pair; `age` tells its files from those of another age even on a coarse clock.
        fn renew(&self, age: u64) {
            let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["a".into()]).unwrap();
            self.write("cert.pem", &cert.pem(), age);
            self.write("key.pem", &signing_key.serialize_pem(), age);
        }

        fn write(&self, name: &str, text: &str, age: u64) {
            std::fs::write(self.path(name), text).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + age);
            std::fs::File::options().append(true).open(self.path(name)).unwrap().set_modified(time).unwrap();
        }
    }

    fn pair() -> Pair {
        let pair = Pair(tempfile::tempdir().unwrap());
        pair.renew(0);
        pair
    }

    fn look(files: &ServerTls, now: Instant) -> Look<FilesError> {
        files.config.look(now, || read(&files.certificate, &files.key)).0
    }

    #[test]
    fn a_renewed_pair_is_taken_up_within_a_minute() {
        let (pair, now) = (pair(), Instant::now());
        let files = pair.load(now).unwrap();
        let old = files.current(now);
        pair.renew(1);
        assert!(Arc::ptr_eq(&old, &files.current(now + INTERVAL / 2)), "the files are not looked at for each device");
        let new = files.current(now + INTERVAL);
        assert!(!Arc::ptr_eq(&old, &new));
        assert!(Arc::ptr_eq(&new, &files.current(now + INTERVAL * 3)), "unchanged files are not read again");
    }

    #[test]
    fn a_half_written_pair_keeps_the_old_one_and_is_reported_once() {
        let (pair, now) = (pair(), Instant::now());
        let files = pair.load(now).unwrap();
        let old = files.current(now);
        pair.write("cert.pem", "-----BEGIN CERT", 1);
        assert!(matches!(look(&files, now + INTERVAL), Look::Kept(FilesError::Pem(_))));
        assert!(matches!(look(&files, now + INTERVAL * 2), Look::Unchanged), "said once");
        assert!(Arc::ptr_eq(&old, &files.current(now + INTERVAL * 2)));
        std::fs::remove_file(pair.path("key.pem")).unwrap();
        assert!(matches!(look(&files, now + INTERVAL * 3), Look::Kept(_)));
        pair.renew(2);
        assert!(matches!(look(&files, now + INTERVAL * 4), Look::Replaced));
    }

    #[test]
    fn a_key_of_another_certificate_is_refused_by_name() {
        let (pair, other) = (pair(), pair());
        std::fs::copy(other.path("key.pem"), pair.path("key.pem")).unwrap();
        let refused = pair.load(Instant::now()).unwrap_err();
        assert!(matches!(refused, FilesError::Mismatch { .. }), "{refused:?}");
        assert!(refused.to_string().contains("key.pem"), "{refused}");
    }
}
