//! How much room is left on the volume of a directory.
//!
//! What an ordinary user may still write, not what the system keeps for root. Guarantees nothing about the next moment,
//! about quotas, nor where the system is not a Unix.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The room on one volume; clones of one that a test sets show the same.
#[derive(Debug, Clone)]
pub struct FreeSpace(Source);

#[derive(Debug, Clone)]
enum Source {
    Volume(PathBuf),
    Set(Arc<AtomicU64>),
}

impl FreeSpace {
    /// On the volume this directory lies on.
    #[must_use]
    pub fn on(directory: impl Into<PathBuf>) -> Self {
        Self(Source::Volume(directory.into()))
    }

    /// So many octets, as the counter says.
    #[must_use]
    pub fn set(octets: Arc<AtomicU64>) -> Self {
        Self(Source::Set(octets))
    }

    /// More than anybody asks for.
    #[must_use]
    pub fn plenty() -> Self {
        Self::set(Arc::new(AtomicU64::new(u64::MAX)))
    }

    /// Octets, or nothing where that cannot be known.
    #[must_use]
    pub fn octets(&self) -> Option<u64> {
        match &self.0 {
            Source::Volume(directory) => of(directory),
            Source::Set(octets) => Some(octets.load(Ordering::SeqCst)),
        }
    }
}

#[cfg(unix)]
fn of(directory: &std::path::Path) -> Option<u64> {
    let volume = rustix::fs::statvfs(directory).ok()?;
    Some(volume.f_bavail.saturating_mul(volume.f_frsize))
}

/// Other systems would have to be asked.
#[cfg(not(unix))]
fn of(_: &std::path::Path) -> Option<u64> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_volume_of_a_directory_is_asked() {
        let directory = tempfile::tempdir().unwrap();
        let free = FreeSpace::on(directory.path()).octets().unwrap();
        assert!(free > 1024 * 1024, "{free} octets left where tests run");
        assert_eq!(FreeSpace::on("/proc/self").octets(), Some(0));
        assert_eq!(FreeSpace::on(directory.path().join("gone")).octets(), None);
    }
}
