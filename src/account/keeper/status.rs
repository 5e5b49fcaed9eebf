//! How the sign-in stands, from what is kept and what is under way; asks nobody on the network.
//!
//! Guarantees that nothing of it is a secret. What a token's times are is told by the wall clock, as people read it.

use jiff::{SignedDuration, Timestamp};

use super::issuer::now;
use super::kept::Kept;
use super::{Keeper, Supply};
use crate::account::life::Life;
use crate::account::status::{SignIn, Status, TokenStatus};
use crate::account::vault::{Facts, Stored};
use crate::diagnosis::{Context, Failure, diagnose};

impl Keeper {
    /// A snapshot. Its hold is for the courier to add.
    pub async fn status(&self) -> Status {
        let mut status = Status {
            account: self.account.to_string(),
            mailbox: None,
            credential: "none".to_owned(),
            sign_in: SignIn::NotNeeded,
            token: None,
            last_reply: None,
            is_renewing: false,
            hold: None,
            budget: None,
            breaker: None,
            throttle: None,
        };
        match &self.supply {
            Supply::None => {}
            Supply::Password { username, .. } => {
                (status.mailbox, status.credential) = (Some(username.clone()), "password".to_owned());
            }
            Supply::Token { username, grant, issuer } => {
                (status.mailbox, status.credential) = (Some(username.clone()), (*grant).to_owned());
                if let Some(kept) = self.kept() {
                    let facts;
                    (status.sign_in, facts) = sign_in(kept).await;
                    status.token = facts.as_ref().and_then(|facts| kept_token(facts, self.clock.now()));
                    status.last_reply = facts.and_then(|facts| facts.last_reply);
                }
                let state = issuer.lock();
                status.is_renewing = state.is_renewing();
                let wall =
                    |left| SignedDuration::try_from(left).ok().and_then(|left| self.clock.now().checked_add(left).ok());
                if let Some(renewal) = state.tokens.renewal_in(now()) {
                    let issued = status.token.and_then(|token| token.issued);
                    let ends = state.tokens.life(now()).and_then(wall);
                    status.token = Some(TokenStatus { issued, ends, next_renewal: wall(renewal) });
                }
                // Not every call ends in the vault: where nobody could be asked, nothing is written.
                status.last_reply =
                    [status.last_reply, state.last_reply.clone()].into_iter().flatten().max_by_key(|reply| reply.at);
            }
        }
        status
    }
}

async fn sign_in(kept: &Kept) -> (SignIn, Option<Facts>) {
    let stored = match kept.slot.get().await {
        Ok(None) if kept.brought.is_some() => return (SignIn::Brought, None),
        Ok(stored) => kept.ours(stored).map_err(Failure::Kept),
        Err(failure) => Err(failure),
    };
    match stored {
        Ok(Stored { record, .. }) => {
            let facts = record.facts;
            let sign_in = SignIn::Kept {
                since: facts.signed_in,
                scope: facts.scope.clone(),
                renewed: facts.renewed,
                refresh_ends: facts.refresh_ends,
                is_renewable: record.refresh_token.is_some(),
            };
            (sign_in, Some(facts))
        }
        Err(failure) => {
            let why = diagnose(&failure, Context::default());
            let (text, cure) = (why.sentence.into_owned(), why.cure.into_owned());
            (SignIn::Missing { code: why.code.to_owned(), text, cure }, None)
        }
    }
}

/// The kept access token, if it has not ended. A restarted relay takes it from there.
fn kept_token(facts: &Facts, now: Timestamp) -> Option<TokenStatus> {
    let life = Life::of_kept(facts, now).filter(|life| !life.left.is_zero())?;
    let good = SignedDuration::try_from(life.left.saturating_sub(life.margin())).ok()?;
    Some(TokenStatus { issued: Some(facts.renewed), ends: facts.access_ends, next_renewal: now.checked_add(good).ok() })
}
