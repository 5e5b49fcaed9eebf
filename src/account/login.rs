//! A person signs an account in: from the first question to tokens that lie in the vault.
//!
//! Nothing that was kept is touched before the new tokens are durable, so a sign-in given up or refused costs nothing.
//! Speaks to nobody but the provider: what is shown, opened and pasted is for whoever calls. Whether the tokens work is
//! for a sign-in at the mail server to show.

use std::sync::Arc;

use super::Settings;
use super::keeper::Tools;
use super::oauth::authorization_code::{self, CannotAsk, Code, Request};
use super::oauth::device_code::{self, Invitation};
use super::oauth::redirect::{CannotListen, Listener};
use super::oauth::{self, Application, Grant, KnownEndpoints, Means, NoToken, Redirect, discovery};
use super::vault::{Expected, Facts, Record, Slot, Written};
use super::warning::{Known, Warning, warnings};
use crate::diagnosis::{Failure, KeptFailure};
use crate::ids::AccountName;

/// Why there is nothing for a person to do; each text says what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoLogin {
    #[error(
        "account {account} does not sign in with OAuth, so there is no sign-in to make; `posthouse test {account}` tries it"
    )]
    NoOAuth { account: AccountName },
    #[error(
        "account {account} signs in by itself (`oauth.grant = \"{grant}\"`), so nobody has to; `posthouse test {account}` tries it"
    )]
    NotNeeded { account: AccountName, grant: &'static str },
    #[error("account {account} has no login name; set its `address` or `username`")]
    NoUsername { account: AccountName },
}

/// Why a sign-in came to nothing. What was kept before is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// A fault of the configuration.
    #[error(transparent)]
    CannotAsk(#[from] CannotAsk),
    /// The port is taken.
    #[error(transparent)]
    CannotListen(#[from] CannotListen),
    /// The provider, the way to it, or the vault.
    #[error("{0}")]
    Failed(Failure),
}

impl From<Failure> for LoginError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<NoToken> for LoginError {
    fn from(NoToken { failure, .. }: NoToken) -> Self {
        Self::Failed(*failure)
    }
}

/// How the person signs in.
#[derive(Debug, Clone)]
pub enum Way {
    /// With a browser that comes back.
    Browser {
        /// Where to.
        redirect: Redirect,
        /// What else is asked.
        parameters: Vec<(String, String)>,
    },
    /// With a code and a browser anywhere.
    Device,
}

/// The sign-in of one account.
#[derive(Debug)]
pub struct Login {
    settings: Settings,
    grant: Grant,
    application: Application,
    way: Way,
    username: String,
    tools: Tools,
}

/// What is kept now.
#[derive(Debug)]
pub struct Kept {
    /// What may be known of it.
    pub facts: Facts,
    /// Whether there is a refresh token.
    pub is_renewable: bool,
    /// Scopes that were asked for, and that the provider said it did not give.
    pub not_granted: Vec<String>,
    /// What will end it, as far as it can be seen already.
    pub warnings: Vec<Warning>,
}

impl Login {
    /// Touches neither file nor network.
    ///
    /// # Errors
    /// When the account's grant needs no person.
    pub fn new(settings: &Settings, tools: Tools) -> Result<Self, NoLogin> {
        let account = || settings.name.clone();
        let grant = settings.credential.grant().ok_or_else(|| NoLogin::NoOAuth { account: account() })?;
        let (application, way) = match grant {
            Grant::AuthorizationCode { application, redirect, parameters } => {
                (application, Way::Browser { redirect: redirect.clone(), parameters: parameters.clone() })
            }
            Grant::DeviceCode { application } => (application, Way::Device),
            other => return Err(NoLogin::NotNeeded { account: account(), grant: other.name() }),
        };
        let username = settings.login_name().ok_or_else(|| NoLogin::NoUsername { account: account() })?.to_owned();
        let (application, grant) = (application.clone(), grant.clone());
        Ok(Self { settings: settings.clone(), grant, application, way, username, tools })
    }

    /// How.
    #[must_use]
    pub fn way(&self) -> &Way {
        &self.way
    }

    /// Whom the provider should sign in.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// What the browser is sent to ask; with a listener it comes back to that, else to where the configuration says.
    ///
    /// # Errors
    /// When nobody has said where to ask, or nothing could be kept.
    pub async fn request(&self, redirect: String, parameters: &[(String, String)]) -> Result<Request, LoginError> {
        self.prepare().await?;
        let endpoints = self.endpoints().await?;
        // A hint that is no address helps no sign-in page.
        let hint = Some(self.username.as_str()).filter(|name| name.contains('@'));
        Ok(Request::new(&self.application, &endpoints, redirect, parameters, hint)?)
    }

    /// The listener for the browser, where it comes back to this machine. Must be called inside the runtime.
    ///
    /// # Errors
    /// When its port is taken.
    pub fn listener(redirect: &Redirect) -> Result<Option<Listener>, LoginError> {
        Ok(Listener::bind(redirect)?)
    }

    /// Redeems the code and keeps what it brings.
    ///
    /// # Errors
    /// When the provider does not take it, or the tokens cannot be made durable.
    pub async fn redeem(&self, request: &Request, code: &Code) -> Result<Kept, LoginError> {
        let endpoints = self.endpoints().await?;
        let asked = self.tools.clock.now();
        let token = authorization_code::redeem(&self.application, &endpoints, self.means(), request, code).await?;
        self.keep(Record::signed_in(&self.grant, &self.application, &self.username, token, asked)).await
    }

    /// Asks for a code to show.
    ///
    /// # Errors
    /// When the provider has none to give, or nothing could be kept.
    pub async fn invite(&self) -> Result<Invitation, LoginError> {
        self.prepare().await?;
        let endpoints = self.endpoints().await?;
        let invitation = device_code::ask(&self.application, &endpoints, self.means()).await?;
        Ok(invitation.ok_or(CannotAsk::NoDeviceEndpoint)?)
    }

    /// Waits until the person has entered the code, and keeps what that brings.
    ///
    /// # Errors
    /// When they refuse, or do not come in time, or the tokens cannot be made durable.
    pub async fn accepted(&self, invitation: &Invitation) -> Result<Kept, LoginError> {
        let endpoints = self.endpoints().await?;
        let (token, asked) = invitation.accepted(&self.application, &endpoints.token, self.means()).await?;
        self.keep(Record::signed_in(&self.grant, &self.application, &self.username, token, asked)).await
    }

    /// A person whose sign-in cannot be kept need not begin.
    async fn prepare(&self) -> Result<(), Failure> {
        self.slot().prepare().await
    }

    fn slot(&self) -> Slot {
        let Tools { vault, holder, .. } = &self.tools;
        Slot { account: self.settings.name.clone(), vault: Arc::clone(vault), holder: holder.clone() }
    }

    async fn endpoints(&self) -> Result<KnownEndpoints, NoToken> {
        discovery::known(&self.application.endpoints, &self.tools.http).await
    }

    fn means(&self) -> Means<'_> {
        Means { http: &self.tools.http, clock: &self.tools.clock, last: None }
    }

    async fn keep(&self, record: Record) -> Result<Kept, LoginError> {
        let is_renewable = record.refresh_token.is_some();
        let facts = record.facts.clone();
        let slot = self.slot();
        match slot.put(record, Expected::Any).await? {
            Written::Done(_) => {}
            Written::Changed => return Err(Failure::Kept(KeptFailure::Busy { account: slot.account }).into()),
        }
        let certificate_ends = oauth::client_certificate_ends(&self.grant);
        let known = Known { settings: &self.settings, facts: Some(&facts), is_renewable, certificate_ends };
        let warnings = warnings(known, self.tools.clock.now());
        let not_granted = not_granted(self.application.scope.as_deref(), facts.scope.as_deref());
        Ok(Kept { facts, is_renewable, not_granted, warnings })
    }
}

/// What was asked for and is not among what was granted (RFC 6749 §5.1: nothing said is everything granted).
///
/// Providers leave out the scopes of `OpenID` Connect, which belong to no resource, and spell the rest in their own
/// way: Microsoft in other cases and under the newer of two host names.
fn not_granted(asked: Option<&str>, granted: Option<&str>) -> Vec<String> {
    const NOT_TOLD: [&str; 4] = ["offline_access", "openid", "profile", "email"];
    let Some(granted) = granted else { return Vec::new() };
    let is_granted = |asked: &str| granted.split([' ', ',']).any(|given| alike(asked, given));
    let asked = asked.unwrap_or_default().split_whitespace();
    let asked = asked.filter(|scope| !NOT_TOLD.contains(scope) && !scope.ends_with("/.default"));
    asked.filter(|scope| !is_granted(scope)).map(str::to_owned).collect()
}

fn alike(asked: &str, given: &str) -> bool {
    let last = |scope: &str| scope.rsplit_once('/').map_or(scope, |(_, last)| last).to_ascii_lowercase();
    asked.eq_ignore_ascii_case(given)
        || asked.trim_end_matches('/').eq_ignore_ascii_case(given.trim_end_matches('/'))
        || asked.contains("outlook.office") && !last(asked).is_empty() && last(asked) == last(given)
}

#[cfg(test)]
mod tests;
