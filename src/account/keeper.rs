//! A credential on demand: fresh when it must be, asked for once however many wait.
//!
//! Passwords are read anew each time. Tokens are kept in memory and renewed in time; while one call for a token is
//! under way everybody else waits for it and shares what it brings, failure included. If whoever made the call is
//! cancelled, the next in line makes it. Whether an account may try at all is for [`super::health`] to say.

use std::sync::{Arc, LockResult, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::oauth::{self, Application, Grant, NoToken, Token};
use super::password::Password;
use super::signin::Credential;
pub use super::tokens::AfterRefusal;
use super::tokens::{Issued, Tokens};
use super::vault::{Holder, Vault};
use super::{CommandLine, PasswordSpaces, Settings, Source};
use crate::diagnosis::{Context, Failure, KeptFailure, diagnose};
use crate::ids::AccountName;
use crate::net::clock::Clock;
use crate::net::http::HttpClient;
use crate::net::tls::certificate::CertificateFacts;

/// Why an account cannot be kept; a fault of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeeperError {
    #[error("account {account} has a credential and no login name; set its `address` or `username`")]
    NoUsername { account: AccountName },
}

/// What a keeper works with.
#[derive(Debug, Clone)]
pub struct Tools {
    /// Asks token endpoints; it must trust whom the account trusts (`ca_file`).
    pub http: HttpClient,
    /// Where sign-ins are kept.
    pub vault: Arc<dyn Vault>,
    /// Who we are to other processes at the vault.
    pub holder: Holder,
    /// What time it is.
    pub clock: Clock,
}

/// Keeps the credential of one account.
#[derive(Debug)]
pub struct Keeper {
    account: AccountName,
    supply: Supply,
}

#[derive(Debug)]
enum Supply {
    None,
    Password { username: String, password: Password, spaces: PasswordSpaces },
    Token { username: String, tokens: Box<Issuer> },
}

/// Where tokens come from, and what is known of them.
#[derive(Debug)]
struct Issuer {
    origin: Origin,
    /// Held by whoever is calling for a token.
    call: tokio::sync::Mutex<()>,
    tokens: Mutex<Tokens>,
    /// What the endpoint presented at the last call, if the handshake failed.
    presented: Mutex<Vec<CertificateFacts>>,
}

#[derive(Debug)]
enum Origin {
    ClientCredentials { application: Box<Application>, http: HttpClient, clock: Clock },
    Command(CommandLine, Clock),
    SignIn,
}

impl Keeper {
    /// A keeper with nothing in its hands yet; touches neither file nor network.
    ///
    /// # Errors
    /// When there is no login name for the credential.
    pub fn new(settings: &Settings, tools: Tools) -> Result<Self, KeeperError> {
        let account = settings.name.clone();
        let username = || {
            let username = settings.username.clone().or_else(|| settings.address.clone());
            username.ok_or_else(|| KeeperError::NoUsername { account: account.clone() })
        };
        let spaces = settings.password_spaces;
        let password = |password| Ok(Supply::Password { username: username()?, password, spaces });
        let supply = match &settings.credential {
            Source::None => Supply::None,
            Source::Password(secret) => password(Password::Given(secret.clone()))?,
            Source::PasswordFile(path) => password(Password::File(path.clone()))?,
            Source::PasswordCommand(command) => password(Password::Command(command.clone()))?,
            Source::OAuth(grant) => {
                Supply::Token { username: username()?, tokens: Box::new(Issuer::new(origin(grant, tools))) }
            }
        };
        Ok(Self { account, supply })
    }

    /// The credential to sign in with now.
    ///
    /// # Errors
    /// [`Failure::Password`] or [`Failure::Token`]; for a token also when the call somebody else made has failed.
    pub async fn credential(&self) -> Result<Credential, Failure> {
        match &self.supply {
            Supply::None => Ok(Credential::None),
            Supply::Password { username, password, spaces } => {
                Ok(Credential::Password { username: username.clone(), password: password.read(*spaces).await? })
            }
            Supply::Token { username, tokens } => {
                let Issued { token, generation } = tokens.token(&self.account).await?;
                Ok(Credential::Token { username: username.clone(), token, generation })
            }
        }
    }

    /// How long the token at hand is still good; nothing for passwords, and where the issuer did not say.
    #[must_use]
    pub fn token_life(&self) -> Option<Duration> {
        match &self.supply {
            Supply::Token { tokens, .. } => tokens.lock().life(now()),
            Supply::None | Supply::Password { .. } => None,
        }
    }

    /// The chain the token endpoint presented, leaf first, if the last call for a token failed in its handshake.
    #[must_use]
    pub fn presented(&self) -> Vec<CertificateFacts> {
        match &self.supply {
            Supply::Token { tokens, .. } => whole(tokens.presented.lock()).clone(),
            Supply::None | Supply::Password { .. } => Vec::new(),
        }
    }

    /// The server took this credential.
    pub fn accepted(&self, credential: &Credential) {
        if let (Supply::Token { tokens, .. }, Credential::Token { generation, .. }) = (&self.supply, credential) {
            tokens.lock().accepted(*generation);
        }
    }

    /// The server refused this credential in AUTH. After [`AfterRefusal::Again`] an attempt asks for a credential and
    /// signs in once more, and never a third time. A password is never worth another try: it would be the same.
    #[must_use = "says whether to try once more"]
    pub fn refused(&self, credential: &Credential) -> AfterRefusal {
        match (&self.supply, credential) {
            (Supply::Token { tokens, .. }, Credential::Token { generation, .. }) => tokens.lock().refused(*generation),
            _ => AfterRefusal::Final,
        }
    }
}

fn origin(grant: &Grant, Tools { http, clock, .. }: Tools) -> Origin {
    match grant {
        Grant::ClientCredentials { application } => {
            Origin::ClientCredentials { application: Box::new(application.clone()), http, clock }
        }
        Grant::Command { command } => Origin::Command(command.clone(), clock),
        _ => Origin::SignIn,
    }
}

impl Issuer {
    fn new(origin: Origin) -> Self {
        Self {
            origin,
            call: tokio::sync::Mutex::new(()),
            tokens: Mutex::new(Tokens::new()),
            presented: Mutex::default(),
        }
    }

    async fn token(&self, account: &AccountName) -> Result<Issued, Failure> {
        let calls_before = {
            let tokens = self.lock();
            if let Some(issued) = tokens.fresh(now()) {
                return Ok(issued);
            }
            tokens.calls()
        };
        let _calling = self.call.lock().await;
        // Whoever held the call before us may have brought what we came for.
        if let Some(shared) = self.lock().landed(calls_before) {
            return shared;
        }
        match self.call_origin().await {
            Ok(token) => Ok(self.lock().put(token, now(), chance())),
            Err(failure) => {
                let kept = self.lock().put_failure(failure.clone(), now());
                if kept.is_ok() {
                    let why = diagnose(&failure, Context::default());
                    tracing::warn!(
                        %account, code = why.code, cause = %why.cause, cure = %why.cure,
                        "the token could not be renewed and is used on: {}", why.sentence
                    );
                }
                kept
            }
        }
    }

    async fn call_origin(&self) -> Result<Token, Failure> {
        let answer = match &self.origin {
            Origin::ClientCredentials { application, http, clock } => {
                let last = self.lock().last();
                let means = oauth::Means { http, clock, last: last.as_ref() };
                match oauth::discovery::known(&application.endpoints, http).await {
                    Ok(known) => oauth::client_credentials::token(application, &known.token, means).await,
                    Err(none) => Err(none),
                }
            }
            Origin::SignIn => Err(Failure::Kept(KeptFailure::NotSignedIn { account: AccountName::from("") }).into()),
            Origin::Command(command, clock) => {
                oauth::command::token(command, clock).await.map_err(|failure| Failure::Token(failure).into())
            }
        };
        let (answer, presented) = match answer {
            Ok(token) => (Ok(token), Vec::new()),
            Err(NoToken { failure, presented }) => (Err(failure), presented),
        };
        *whole(self.presented.lock()) = presented;
        answer
    }

    fn lock(&self) -> MutexGuard<'_, Tokens> {
        whole(self.tokens.lock())
    }
}

/// No code panics between two changes that belong together, so what a poisoned lock guards is whole.
fn whole<T>(lock: LockResult<MutexGuard<'_, T>>) -> MutexGuard<'_, T> {
    lock.unwrap_or_else(PoisonError::into_inner)
}

/// tokio's clock, which stands still in tests.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn chance() -> u8 {
    let mut octet = [0];
    // Without randomness renewals are merely less spread.
    let _ = getrandom::fill(&mut octet);
    octet[0]
}

#[cfg(test)]
pub(crate) mod tests;
