//! On what kind of volume a directory lies, as far as the system tells: where a sync means nothing, nothing can be
//! promised.
//!
//! Knows the kinds that matter here and no others; what it does not know counts as a disk. Only Linux tells.

use std::path::Path;

/// What a volume is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volume {
    /// A disk, as far as is known.
    Disk,
    /// Memory: gone when the machine stops.
    Memory,
    /// Another machine's, whose locks and syncs may mean nothing here.
    Network,
    /// The writable layer of a container: gone with the container.
    Layer,
}

impl Volume {
    /// Of this directory, or of the nearest one above it that is there.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        directory.ancestors().find_map(magic).map_or(Self::Disk, Self::from_magic)
    }

    /// The numbers are those of `statfs(2)` and of `linux/magic.h`.
    fn from_magic(magic: u64) -> Self {
        match magic {
            0x0102_1994 | 0x8584_58f6 => Self::Memory,
            // NFS, SMB in its three ages, 9P, Ceph, AFS, Coda, OCFS2, GFS2, Lustre.
            0x6969 | 0x517b | 0xff53_4d42 | 0xfe53_4d42 | 0x0102_1997 | 0x00c3_6400 | 0x5346_414f | 0x7375_7245
            | 0x7461_636f | 0x0116_1970 | 0x0bd0_0bd0 => Self::Network,
            0x794c_7630 => Self::Layer,
            _ => Self::Disk,
        }
    }
}

#[cfg(target_os = "linux")]
fn magic(directory: &Path) -> Option<u64> {
    let facts = rustix::fs::statfs(directory).ok()?;
    // Its type differs from machine to machine; 32 bits of it are the number.
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast, reason = "only the bits count")]
    let kind = facts.f_type as u64;
    Some(kind & 0xffff_ffff)
}

/// Other systems have names instead, which are not looked at.
#[cfg(not(target_os = "linux"))]
fn magic(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_loses_mail_is_known_by_its_number() {
        for (magic, volume) in [
            (0xef53, Volume::Disk),
            (0x0102_1994, Volume::Memory),
            (0x6969, Volume::Network),
            (0xff53_4d42, Volume::Network),
            (0x794c_7630, Volume::Layer),
        ] {
            assert_eq!(Volume::from_magic(magic), volume, "{magic:x}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_directory_that_is_not_there_yet_lies_where_it_will_be_made() {
        assert_eq!(Volume::of(Path::new("/proc/no/such/directory")), Volume::Disk);
        if Path::new("/dev/shm").is_dir() {
            assert_eq!(Volume::of(Path::new("/dev/shm/posthouse/storage")), Volume::Memory);
        }
    }
}
