//! Tokens of a sign-in that is kept in the vault: taken from there while they are good, renewed when they are not.
//!
//! The steps of a renewal, in this order: it is found out whom to ask; the lease is taken; the provider is asked, with
//! nothing locked; what it gave is *received*, *stored* under the version that was read, and only then *used*. So a
//! crash between any two of them leaves the old record or the new one, never none. If storing fails, what was received
//! is kept in memory and stored as soon as it can be: no refresh token is presented twice. A sign-in made meanwhile
//! always wins.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::task::TaskTracker;

use super::issuer::{Fetched, now};
use crate::account::life::Life;
use crate::account::oauth::{self, Application, Given, Grant, Means, NoToken};
use crate::account::vault::{Expected, LEASE, Lease, Record, Reply, Slot, Stored, Written};
use crate::diagnosis::{Context, Failure, KeptFailure, diagnose};
use crate::net::clock::Clock;
use crate::net::http::{Endpoint, HttpClient};
use crate::secret::Secret;

/// How often we look whether somebody else's renewal has ended. A local file; a call of a provider takes longer.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Nobody waits longer for renewals of others, however many follow each other.
const LONGEST_WAIT: Duration = LEASE.saturating_mul(2);

/// The sign-in of one account.
#[derive(Debug)]
pub(super) struct Kept {
    pub grant: Grant,
    pub application: Application,
    /// The refresh token in the configuration, where the grant has one.
    pub brought: Option<Given>,
    pub username: String,
    pub http: HttpClient,
    pub slot: Slot,
    pub clock: Clock,
    /// Those under way, and whether the program ends.
    pub renewals: TaskTracker,
    /// Received and not stored yet, because the vault could not. Locked until it is known whether it could be, so that
    /// nobody takes away what another one has put here meanwhile.
    pub unstored: tokio::sync::Mutex<Option<Unstored>>,
    /// What was last seen in the vault.
    pub seen: Mutex<Seen>,
}

/// What was seen in the vault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nobody has looked.
    #[default]
    Nothing,
    /// It could not be read.
    Unreadable,
    /// This version; 0 if there is nothing.
    Version(u64),
}

/// What a provider gave, and the version it is to replace.
#[derive(Debug, Clone)]
pub(super) struct Unstored {
    record: Record,
    version: u64,
}

/// What became of a renewal.
enum Renewal {
    Done(Fetched),
    /// Somebody wrote another record meanwhile, which wins.
    Overtaken,
}

/// Waiting for somebody else's lease to end, on a clock that does not jump.
struct Wait {
    began: Instant,
    /// The lease in the way, and since when it has been.
    lease: Option<(Timestamp, Instant)>,
}

impl Kept {
    /// A token that is good: the kept one, or a new one. Neither `last`, which was at hand and is to be renewed, nor
    /// `refused`, which the server did not take.
    pub(super) async fn token(&self, last: Option<&Secret>, refused: Option<&Secret>) -> Result<Fetched, NoToken> {
        let spent = [last, refused];
        let mut wait = Wait { began: now(), lease: None };
        loop {
            self.store_received().await?;
            let stored = self.stored().await?;
            if let Some(good) = self.good(&stored, spent) {
                return Ok(good);
            }
            // Not while the lease runs: a slow server of documents must not use up the time of the call.
            let endpoint = oauth::discovery::known(&self.application.endpoints, &self.http).await?.token;
            let under_way = self.renewals.token();
            if self.renewals.is_closed() {
                // The program ends: what the provider answers would be lost.
                return Err(Failure::Kept(KeptFailure::Busy { account: self.slot.account.clone() }).into());
            }
            match self.slot.lease(wait.now(&self.clock)).await? {
                // Between our look and the lease somebody may have brought what we came for.
                Lease::Yours(stored) => match self.good(&stored, spent) {
                    Some(good) => {
                        self.slot.give_back(None).await;
                        return Ok(good);
                    }
                    None => {
                        if let Renewal::Done(fetched) = self.renew(&stored, &endpoint, last).await? {
                            return Ok(fetched);
                        }
                    }
                },
                Lease::Taken { until } => {
                    drop(under_way);
                    wait.on(until, &self.slot).await?;
                }
                // It was removed since we looked.
                Lease::Nothing => {}
            }
        }
    }

    /// What is kept, if it is ours to use. A refresh token out of the configuration is put there first.
    async fn stored(&self) -> Result<Stored, Failure> {
        loop {
            let stored = self.slot.get().await;
            self.see(Seen::of(&stored));
            let stored = stored?;
            let Some(token) = &self.brought else {
                return self.ours(stored).map_err(Failure::Kept);
            };
            if let Some(seeded) = self.seeded(stored, token).await? {
                return Ok(seeded);
            }
        }
    }

    /// The sign-in, if there is one and it was made for this application.
    pub(super) fn ours(&self, stored: Option<Stored>) -> Result<Stored, KeptFailure> {
        let account = || self.slot.account.clone();
        match stored {
            None => Err(KeptFailure::NotSignedIn { account: account() }),
            Some(stored) if stored.record.facts.are_of(&self.application) => Ok(stored),
            Some(_) => Err(KeptFailure::OtherApplication { account: account() }),
        }
    }

    /// The record that comes from this brought token; nothing if somebody else wrote one meanwhile.
    async fn seeded(&self, stored: Option<Stored>, token: &Given) -> Result<Option<Stored>, Failure> {
        let version = stored.as_ref().map_or(0, |stored| stored.version);
        let ours = stored.filter(|stored| {
            let facts = &stored.record.facts;
            facts.are_of(&self.application) && facts.brought.is_some()
        });
        let brought = match (oauth::read(token).await, ours.clone()) {
            (Ok(brought), _) => brought,
            // The file was there once; what came of it is all we need.
            (Err(_), Some(ours)) => return Ok(Some(ours)),
            (Err(failure), None) => return Err(failure),
        };
        let fingerprint = brought.fingerprint();
        if let Some(same) = ours.filter(|ours| ours.record.facts.brought.as_ref() == Some(&fingerprint)) {
            return Ok(Some(same));
        }
        let brought = (brought, fingerprint);
        let record = Record::brought(&self.grant, &self.application, &self.username, brought, self.clock.now());
        Ok(match self.slot.put(record.clone(), Expected::Version(version)).await? {
            Written::Done(version) => {
                self.see(Seen::Version(version));
                Some(Stored { version, record })
            }
            Written::Changed => None,
        })
    }

    /// The kept access token, if enough of it is left and it is none of these.
    fn good(&self, stored: &Stored, spent: [Option<&Secret>; 2]) -> Option<Fetched> {
        let token = stored.record.access_token.as_ref()?;
        let life = Life::of_kept(&stored.record.facts, self.clock.now()).filter(|life| life.is_enough())?;
        let is_spent = spent.into_iter().flatten().any(|spent| spent.is_same_as(token));
        (!is_spent).then(|| Fetched { token: token.clone(), life })
    }

    /// Asks the provider, with the lease in hand.
    async fn renew(&self, stored: &Stored, endpoint: &Endpoint, last: Option<&Secret>) -> Result<Renewal, NoToken> {
        let Some(refresh_token) = &stored.record.refresh_token else {
            self.slot.give_back(None).await;
            return Err(Failure::Kept(KeptFailure::NotRenewable { account: self.slot.account.clone() }).into());
        };
        let Self { grant, application, http, clock, .. } = self;
        let (asked, began) = (clock.now(), now());
        let (scope, means) = (grant.renewal_scope(), Means { http, clock, last });
        match oauth::refresh_token::token(application, endpoint, refresh_token, scope, means).await {
            Ok(received) => {
                let (token, life) = (received.access_token.clone(), Life::begin(received.life));
                let record = stored.record.renewed(received, asked);
                let mut unstored = self.unstored.lock().await;
                *unstored = Some(Unstored { record, version: stored.version });
                let is_stored = self.store(&mut unstored).await?;
                let life = life.after(now().saturating_duration_since(began));
                Ok(if is_stored { Renewal::Done(Fetched { token, life }) } else { Renewal::Overtaken })
            }
            Err(no_token) => {
                let context = Context { account: Some(self.slot.account.as_str()), ..Context::default() };
                let why = diagnose(&no_token.failure, context);
                self.slot.give_back(Some(Reply::failed(clock.now(), &why))).await;
                // The refresh token may have died because a person signed in meanwhile.
                match self.slot.get().await {
                    Ok(now) if now.as_ref().map(|now| now.version) != Some(stored.version) => Ok(Renewal::Overtaken),
                    _ => Err(no_token),
                }
            }
        }
    }

    /// Stores what was received, if there is something. False: somebody wrote another record meanwhile, which wins.
    ///
    /// # Errors
    /// When it cannot be stored; then it stays in memory, and nobody may use it.
    pub(super) async fn store_received(&self) -> Result<bool, Failure> {
        self.store(&mut *self.unstored.lock().await).await
    }

    async fn store(&self, unstored: &mut Option<Unstored>) -> Result<bool, Failure> {
        let Some(Unstored { record, version }) = unstored.clone() else { return Ok(true) };
        let written = self.slot.put(record, Expected::Version(version)).await.inspect_err(|failure| {
            tracing::error!(
                account = %self.slot.account,
                "new tokens could not be stored; they are kept in memory and not used until they are: {failure}"
            );
        })?;
        *unstored = None;
        Ok(match written {
            Written::Done(version) => {
                self.see(Seen::Version(version));
                true
            }
            Written::Changed => {
                // What we had it for is over, and others may need it.
                self.slot.give_back(None).await;
                false
            }
        })
    }

    /// Whether something else lies in the vault than when we last looked.
    pub(super) async fn has_changed(&self) -> bool {
        let now = Seen::of(&self.slot.get().await);
        let before = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        before != Seen::Nothing && now != Seen::Unreadable && now != before
    }

    pub(super) fn see(&self, seen: Seen) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }
}

impl Seen {
    pub(super) fn of(look: &Result<Option<Stored>, Failure>) -> Self {
        match look {
            Ok(Some(stored)) => Self::Version(stored.version),
            Ok(None) => Self::Version(0),
            Err(_) => Self::Unreadable,
        }
    }
}

impl Wait {
    /// The time to ask for the lease at. A lease that was in the way for its whole life is over, even if the wall clock
    /// was set back meanwhile and does not say so.
    fn now(&self, clock: &Clock) -> Timestamp {
        match self.lease {
            Some((until, since)) if now().saturating_duration_since(since) >= LEASE => until.max(clock.now()),
            _ => clock.now(),
        }
    }

    /// Somebody renews until then at the latest.
    async fn on(&mut self, until: Timestamp, slot: &Slot) -> Result<(), Failure> {
        if now().saturating_duration_since(self.began) >= LONGEST_WAIT {
            return Err(Failure::Kept(KeptFailure::Busy { account: slot.account.clone() }));
        }
        if self.lease.is_none_or(|(other, _)| other != until) {
            self.lease = Some((until, now()));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        Ok(())
    }
}
