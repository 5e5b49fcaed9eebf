//! A credential on demand: fresh when it must be, asked for once however many wait.
//!
//! Passwords are read anew each time. Tokens are kept and renewed in time: those of an application that signs in as
//! itself in memory (`issuer`), those of a person's sign-in in the vault (`kept`), where they survive a restart.
//! Whether an account may try at all is for [`super::health`] to say.

mod issuer;
mod kept;
mod status;
mod tending;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::task::TaskTracker;

use self::issuer::{Issuer, Origin, now};
use self::kept::Kept;
use super::oauth::Grant;
use super::password::Password;
use super::signin::Credential;
pub use super::tokens::AfterRefusal;
use super::tokens::Issued;
use super::vault::{Holder, Slot, Vault};
use super::{PasswordSpaces, Settings, Source};
use crate::diagnosis::Failure;
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
    /// The renewals of kept sign-ins under way. Whoever ends the process closes it, after which none begins, and waits
    /// for them: an answer that is lost may cost a sign-in.
    pub renewals: TaskTracker,
}

/// Keeps the credential of one account.
#[derive(Debug)]
pub struct Keeper {
    account: AccountName,
    clock: Clock,
    supply: Supply,
}

#[derive(Debug)]
enum Supply {
    None,
    Password { username: String, password: Password, spaces: PasswordSpaces },
    Token { username: String, grant: &'static str, issuer: Arc<Issuer> },
}

impl Keeper {
    /// A keeper with nothing in its hands yet; touches neither file nor network.
    ///
    /// # Errors
    /// When there is no login name for the credential.
    pub fn new(settings: &Settings, tools: Tools) -> Result<Self, KeeperError> {
        let account = settings.name.clone();
        let username = || {
            let username = settings.login_name().map(str::to_owned);
            username.ok_or_else(|| KeeperError::NoUsername { account: account.clone() })
        };
        let spaces = settings.password_spaces;
        let password = |password| Ok(Supply::Password { username: username()?, password, spaces });
        let clock = tools.clock.clone();
        let supply = match &settings.credential {
            Source::None => Supply::None,
            Source::Password(secret) => password(Password::Given(secret.clone()))?,
            Source::PasswordFile(path) => password(Password::File(path.clone()))?,
            Source::PasswordCommand(command) => password(Password::Command(command.clone()))?,
            Source::OAuth(grant) => {
                let username = username()?;
                let origin = origin(grant, &account, username.clone(), &tools);
                Supply::Token { username, grant: grant.name(), issuer: Issuer::new(account.clone(), origin, tools) }
            }
        };
        Ok(Self { account, clock, supply })
    }

    /// The credential to sign in with now.
    ///
    /// # Errors
    /// [`Failure::Password`], [`Failure::Token`] or [`Failure::Kept`]; for a token also when the call somebody else
    /// made has failed.
    pub async fn credential(&self) -> Result<Credential, Failure> {
        match &self.supply {
            Supply::None => Ok(Credential::None),
            Supply::Password { username, password, spaces } => {
                Ok(Credential::Password { username: username.clone(), password: password.read(*spaces).await? })
            }
            Supply::Token { username, issuer, .. } => {
                let Issued { token, generation } = issuer.token().await?;
                Ok(Credential::Token { username: username.clone(), token, generation })
            }
        }
    }

    /// How long the token at hand is still good; nothing for passwords, and where the issuer did not say.
    #[must_use]
    pub fn token_life(&self) -> Option<Duration> {
        self.issuer().and_then(|issuer| issuer.lock().tokens.life(now()))
    }

    /// The chain the token endpoint presented, leaf first, if the last call for a token failed in its handshake.
    #[must_use]
    pub fn presented(&self) -> Vec<CertificateFacts> {
        self.issuer().map(|issuer| issuer.lock().presented.clone()).unwrap_or_default()
    }

    /// Whether this credential, which was handed out a while ago, is still the one to send. A token may have ended
    /// meanwhile, or have been replaced.
    #[must_use]
    pub fn is_fresh(&self, credential: &Credential) -> bool {
        match (&self.supply, credential) {
            (Supply::Token { issuer, .. }, Credential::Token { generation, .. }) => {
                issuer.lock().tokens.is_fresh(*generation, now())
            }
            _ => true,
        }
    }

    /// The server took this credential.
    pub fn accepted(&self, credential: &Credential) {
        if let (Supply::Token { issuer, .. }, Credential::Token { generation, .. }) = (&self.supply, credential) {
            issuer.lock().tokens.accepted(*generation);
        }
    }

    /// The server refused this credential in AUTH. Unless that is [`AfterRefusal::Final`] an attempt asks for a
    /// credential and signs in once more, and never a third time. A password is never worth another try: it would be
    /// the same.
    #[must_use = "says whether to try once more"]
    pub fn refused(&self, credential: &Credential) -> AfterRefusal {
        match (&self.supply, credential) {
            (Supply::Token { issuer, .. }, Credential::Token { generation, .. }) => {
                issuer.lock().tokens.refused(*generation, now())
            }
            _ => AfterRefusal::Final,
        }
    }

    /// A person has signed in or out: no token in memory is used any more, and what is kept now is looked at when one
    /// is needed.
    pub fn forget(&self) {
        if let Some(issuer) = self.issuer() {
            issuer.forget();
        }
    }

    /// What time it is for this account.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    fn issuer(&self) -> Option<&Arc<Issuer>> {
        match &self.supply {
            Supply::Token { issuer, .. } => Some(issuer),
            Supply::None | Supply::Password { .. } => None,
        }
    }

    /// What is kept of a person's sign-in, for grants that keep something.
    fn kept(&self) -> Option<&Kept> {
        match &self.issuer()?.origin {
            Origin::Kept(kept) => Some(kept),
            _ => None,
        }
    }
}

fn origin(grant: &Grant, account: &AccountName, username: String, tools: &Tools) -> Origin {
    let (application, brought) = match grant.clone() {
        Grant::ClientCredentials { application } => return Origin::ClientCredentials(Box::new(application)),
        Grant::ServiceAccount(service) => return Origin::ServiceAccount(Box::new(service)),
        Grant::Password { application, password } => {
            return Origin::Password { application: Box::new(application), username, password };
        }
        Grant::Command { command } => return Origin::Command(command),
        Grant::AuthorizationCode { application, .. } | Grant::DeviceCode { application } => (application, None),
        Grant::RefreshToken { application, token } => (application, Some(token)),
    };
    Origin::Kept(Box::new(Kept {
        grant: grant.clone(),
        application,
        brought,
        username,
        slot: Slot { account: account.clone(), vault: Arc::clone(&tools.vault), holder: tools.holder.clone() },
        http: tools.http.clone(),
        clock: tools.clock.clone(),
        renewals: tools.renewals.clone(),
        unstored: tokio::sync::Mutex::default(),
        seen: Mutex::default(),
    }))
}

#[cfg(test)]
pub(crate) mod tests;
