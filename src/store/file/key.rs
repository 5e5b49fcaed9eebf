//! Where the key of the vault comes from.
//!
//! Not written yet.

use std::path::PathBuf;

use crate::secret::Secret;

/// Where the key of the vault comes from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// `storage.key`, mostly from the environment: never written anywhere by us.
    Given(Secret),
    /// `storage.key_file`, or a credential of systemd: somebody else makes and keeps it.
    File(PathBuf),
    /// The usual place: made at the first start if it is not there.
    Made(PathBuf),
}
