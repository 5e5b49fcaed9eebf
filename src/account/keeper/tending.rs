//! What a keeper does when no mail asks for a credential: renew what lies idle, and notice a new sign-in.
//!
//! Decides nothing about when to look, which is for whoever holds the account. Both looks cost a read of the vault; a
//! renewal takes the same way as one for mail.

use jiff::{SignedDuration, Timestamp};

use super::Keeper;
use super::kept::{Kept, Seen};
use crate::account::vault::Stored;
use crate::diagnosis::Failure;

/// Providers end refresh tokens that nobody used for months, weeks, or a few days; one renewal a day is enough for all.
const IDLE: SignedDuration = SignedDuration::from_hours(24);

impl Keeper {
    /// Whether something of a sign-in is kept.
    #[must_use]
    pub fn keeps_sign_in(&self) -> bool {
        self.kept().is_some()
    }

    /// Whether there is a sign-in that opens and can be renewed; nobody on the network is asked.
    ///
    /// # Errors
    /// As of [`Keeper::credential`], as far as it is known here already.
    pub async fn look(&self) -> Result<(), Failure> {
        match self.kept() {
            Some(kept) => kept.is_idle().await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// Renews a sign-in that was not used for a day; `None` if there was no need to.
    ///
    /// # Errors
    /// As of [`Keeper::credential`]; also if there is no sign-in, which mail would find out too late.
    pub async fn tend(&self) -> Option<Result<(), Failure>> {
        match self.kept()?.is_idle().await {
            Ok(false) => None,
            Ok(true) => Some(self.credential().await.map(|_| ())),
            Err(failure) => Some(Err(failure)),
        }
    }

    /// Stores what the provider gave and the vault could not take so far, if there is something.
    pub async fn store_received(&self) {
        if let Some(kept) = self.kept() {
            // That it failed has been said; nobody is left who could do something else.
            let _ = kept.store_received().await;
        }
    }

    /// Whether something else is kept than when this keeper last looked: somebody has signed in, or another process
    /// has renewed. What cannot be read has not changed.
    pub async fn sign_in_changed(&self) -> bool {
        match self.kept() {
            Some(kept) => kept.has_changed().await,
            None => false,
        }
    }
}

impl Kept {
    async fn is_idle(&self) -> Result<bool, Failure> {
        // What could not be stored before may be now.
        self.store_received().await?;
        let stored = self.slot.get().await;
        self.see(Seen::of(&stored));
        let stored = stored?;
        if self.brought.is_some() && stored.is_none() {
            return Ok(true);
        }
        let Stored { record, .. } = self.ours(stored).map_err(Failure::Kept)?;
        Ok(record.refresh_token.is_some() && is_long_ago(record.facts.renewed, self.clock.now()))
    }
}

/// In either direction: where the clock was a day ahead once, nobody knows how long ago that was.
fn is_long_ago(renewed: Timestamp, now: Timestamp) -> bool {
    now.duration_since(renewed).abs() >= IDLE
}
