//! The certificate and key of a listener, read from PEM files and read again when they change.
//!
//! Renewal tools replace the files and expect nothing more. Guarantees: the files are looked at no more than once a
//! minute; a new pair that is broken or does not match is reported once and the old one stays in use. Does not watch
//! the directory and does not look at the dates in the certificate.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::ServerConfig;

use super::server_config;
use crate::pem::{self, PemError};

/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_mins(1);

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
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    config: Arc<ServerConfig>,
    /// What the files looked like when they were last read, well or badly.
    stamp: [Option<Stamp>; 2],
    looked: Instant,
}

/// Time of the last change and length: enough to notice a replaced file.
type Stamp = (SystemTime, u64);

/// What a look at the files led to.
#[derive(Debug)]
enum Look {
    NotDue,
    Unchanged,
    Replaced,
    Kept(FilesError),
}

impl ServerTls {
    /// Reads both files.
    ///
    /// # Errors
    /// When one of them is useless or they do not belong together.
    pub fn load(certificate: &Path, key: &Path, now: Instant) -> Result<Self, FilesError> {
        // Taken before reading: a change in between is then seen at the next look.
        let stamp = [stamp(certificate), stamp(key)];
        let config = read(certificate, key)?;
        let state = Mutex::new(State { config, stamp, looked: now });
        Ok(Self { certificate: certificate.into(), key: key.into(), state })
    }

    /// What to answer the next handshake with. Looks at the files when the last look is a minute old.
    pub fn current(&self, now: Instant) -> Arc<ServerConfig> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match self.look(&mut state, now) {
            Look::NotDue | Look::Unchanged => {}
            Look::Replaced => tracing::info!(certificate = %self.certificate.display(), "new certificate in use"),
            Look::Kept(error) => tracing::error!(%error, "the new certificate is not used; the old one stays"),
        }
        Arc::clone(&state.config)
    }

    fn look(&self, state: &mut State, now: Instant) -> Look {
        if now.saturating_duration_since(state.looked) < INTERVAL {
            return Look::NotDue;
        }
        state.looked = now;
        let stamp = [stamp(&self.certificate), stamp(&self.key)];
        if stamp == state.stamp {
            return Look::Unchanged;
        }
        state.stamp = stamp;
        match read(&self.certificate, &self.key) {
            Ok(config) => {
                state.config = config;
                Look::Replaced
            }
            Err(error) => Look::Kept(error),
        }
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

/// Nothing when the file cannot be looked at, which is a change like any other.
fn stamp(path: &Path) -> Option<Stamp> {
    let look = || -> io::Result<Stamp> {
        let data = std::fs::metadata(path)?;
        Ok((data.modified()?, data.len()))
    };
    look().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn look(files: &ServerTls, now: Instant) -> Look {
        files.look(&mut files.state.lock().unwrap(), now)
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
