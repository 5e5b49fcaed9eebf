//! A look at the server: everything up to AUTH, and not that.
//!
//! Connects, verifies, says EHLO, takes STARTTLS where the account wants it, and chooses a mechanism out of those
//! offered. Guarantees that no credential is fetched, shown or sent. For an account that is held because server and
//! configuration do not fit: what failed before AUTH fails again, or is over.

use super::{ConnectError, Goal, Upstream};
use crate::account::health::Stage;
use crate::account::signin::{Credential, stand_in};
use crate::upstream::progress::Progress;

impl Upstream {
    /// Looks whether the account could sign in, as far as that can be seen without doing it.
    ///
    /// # Errors
    /// With the first thing that does not fit.
    pub async fn look(&self) -> Result<(), ConnectError> {
        match self.converse(Goal::Look(stand_in(&self.settings)), &Progress::new()).await {
            Ok(line) => {
                line.close().await;
                Ok(())
            }
            Err(failure) => {
                let stage = Stage::of(&failure, &Credential::None);
                Err(ConnectError { failure, stage })
            }
        }
    }
}
