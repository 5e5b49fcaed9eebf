//! Tokens of one account: at hand, or on the way; one call at a time however many wait.
//!
//! A call is made in a task of its own: whoever asked may go away, the call goes on, because its answer may hold what
//! the next one needs. Everybody who waits meanwhile shares what it brings, failure included. No lock is held while
//! anybody is asked. Whether an account may try at all is for [`super::super::health`] to say.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Tools;
use super::kept::Kept;
use crate::account::CommandLine;
use crate::account::chance::chance;
use crate::account::life::Life;
use crate::account::oauth::{self, Application, Given, Means, NoToken, ServiceAccount, Token};
use crate::account::tokens::{AskAgain, Issued, Tokens};
use crate::account::vault::Reply;
use crate::diagnosis::{Context, DiscoveryProblem, Failure, KeptFailure, TokenFailure, diagnose};
use crate::ids::AccountName;
use crate::net::tls::certificate::CertificateFacts;
use crate::secret::Secret;
use crate::words::Cause;

/// Where tokens come from, and what is known of them.
#[derive(Debug)]
pub(super) struct Issuer {
    account: AccountName,
    pub origin: Origin,
    tools: Tools,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) enum Origin {
    ClientCredentials(Box<Application>),
    ServiceAccount(Box<ServiceAccount>),
    Password { application: Box<Application>, username: String, password: Given },
    Command(CommandLine),
    Kept(Box<Kept>),
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub tokens: Tokens,
    flight: Option<watch::Receiver<Landing>>,
    /// How often everything was forgotten: what a call from before brings is not taken.
    forgotten: u64,
    /// What the endpoint presented at the last call, if the handshake failed.
    pub presented: Vec<CertificateFacts>,
    /// How the last call ended.
    pub last_reply: Option<Reply>,
}

/// How a call stands.
#[derive(Debug, Clone)]
enum Landing {
    UnderWay,
    Landed(Result<Issued, Failure>),
}

/// A token that has been fetched, and how much of it is left.
pub(super) struct Fetched {
    pub token: Secret,
    pub life: Life,
}

/// Ends a flight, even one that fails inside, so that the next one can begin.
struct Cleared<'a>(&'a Issuer);

impl Drop for Cleared<'_> {
    fn drop(&mut self) {
        self.0.lock().flight = None;
    }
}

impl State {
    pub(super) fn is_renewing(&self) -> bool {
        self.flight.is_some()
    }
}

impl Issuer {
    pub(super) fn new(account: AccountName, origin: Origin, tools: Tools) -> Arc<Self> {
        Arc::new(Self { account, origin, tools, state: Mutex::default() })
    }

    /// The state, which nobody holds while something is waited for.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics between two changes that belong together, so what a poisoned lock guards is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A token, fetched if it must be.
    pub(super) async fn token(self: &Arc<Self>) -> Result<Issued, Failure> {
        let mut landing = {
            let mut state = self.lock();
            if let Some(known) = state.tokens.at_hand(now()) {
                return known;
            }
            let under_way = state.flight.clone();
            under_way.unwrap_or_else(|| self.take_off(&mut state))
        };
        match landing.wait_for(|landing| matches!(landing, Landing::Landed(_))).await.as_deref() {
            Ok(Landing::Landed(result)) => result.clone(),
            // The task is gone without a word: it failed inside, or the program ends.
            Ok(Landing::UnderWay) | Err(_) => Err(Failure::Kept(KeptFailure::Busy { account: self.account.clone() })),
        }
    }

    fn take_off(self: &Arc<Self>, state: &mut State) -> watch::Receiver<Landing> {
        let (landed, landing) = watch::channel(Landing::UnderWay);
        state.flight = Some(landing.clone());
        let issuer = Arc::clone(self);
        tokio::spawn(async move {
            let result = {
                let _cleared = Cleared(&issuer);
                issuer.fly().await
            };
            // Nobody may be waiting any more.
            let _ = landed.send(Landing::Landed(result));
        });
        landing
    }

    async fn fly(&self) -> Result<Issued, Failure> {
        loop {
            let pause = self.lock().tokens.pause(now());
            tokio::time::sleep(pause).await;
            let (forgotten, last, refused) = {
                let state = self.lock();
                (state.forgotten, state.tokens.last(), state.tokens.last_refused())
            };
            let fetched = self.fetch(last.as_ref(), refused.as_ref()).await;
            let mut state = self.lock();
            if state.forgotten == forgotten {
                return self.land(&mut state, fetched);
            }
        }
    }

    fn land(&self, state: &mut State, fetched: Result<Fetched, NoToken>) -> Result<Issued, Failure> {
        match fetched {
            Ok(Fetched { token, life }) => {
                state.presented.clear();
                state.last_reply = Some(Reply::token(self.tools.clock.now()));
                Ok(state.tokens.put(token, life, now(), chance()))
            }
            Err(NoToken { failure, presented }) => {
                let why = diagnose(&failure, Context { account: Some(self.account.as_str()), ..Context::default() });
                state.presented = presented;
                state.last_reply = Some(Reply::failed(self.tools.clock.now(), &why));
                let again = ask_again(&failure, why.cause);
                let kept = state.tokens.put_failure(*failure, again, now());
                if kept.is_ok() {
                    tracing::warn!(
                        account = %self.account, code = why.code, cause = %why.cause, cure = %why.cure,
                        "the token could not be renewed and is used on: {}", why.sentence
                    );
                }
                kept
            }
        }
    }

    /// Nothing in memory counts any more.
    pub(super) fn forget(&self) {
        let mut state = self.lock();
        state.forgotten += 1;
        state.tokens.forget();
    }

    async fn fetch(&self, last: Option<&Secret>, refused: Option<&Secret>) -> Result<Fetched, NoToken> {
        let asked = now();
        let Tools { http, clock, .. } = &self.tools;
        let means = Means { http, clock, last };
        let token = match &self.origin {
            Origin::ClientCredentials(application) => {
                let endpoint = oauth::discovery::known(&application.endpoints, http).await?.token;
                oauth::client_credentials::token(application, &endpoint, means).await?
            }
            Origin::ServiceAccount(service) => oauth::service_account::token(service, means).await?,
            Origin::Password { application, username, password } => {
                let endpoint = oauth::discovery::known(&application.endpoints, http).await?.token;
                oauth::password::token(application, &endpoint, username, password, means).await?
            }
            Origin::Command(command) => oauth::command::token(command, clock).await.map_err(Failure::Token)?,
            Origin::Kept(kept) => return kept.token(last, refused).await,
        };
        let Token { access_token, life, .. } = token;
        Ok(Fetched { token: access_token, life: Life::begin(life).after(now().saturating_duration_since(asked)) })
    }
}

/// An endpoint that is away, overloaded or odd is left alone for a while. What a person must mend, and what fails on
/// this machine, needs no pause: the account is held, or nobody outside is asked.
pub(super) fn ask_again(failure: &Failure, cause: Cause) -> AskAgain {
    match (failure, cause) {
        (
            Failure::Token(
                TokenFailure::Odd { retry_after, .. }
                | TokenFailure::Discovery { problem: DiscoveryProblem::Odd { retry_after, .. }, .. },
            ),
            Cause::Throttle | Cause::Network,
        ) => AskAgain::AfterPause(retry_after.map(|told| told.min(LONGEST_TOLD))),
        (Failure::Token(_), Cause::Throttle | Cause::Network) => AskAgain::AfterPause(None),
        _ => AskAgain::AtNeed,
    }
}

/// Of what a server says about when to come back, no more than this is believed.
const LONGEST_TOLD: Duration = Duration::from_hours(1);

/// tokio's clock, which stands still in tests.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
