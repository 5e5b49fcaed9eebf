//! The device authorization grant (RFC 8628): a person agrees with a browser on any other machine.
//!
//! `ask` gets a code to show, `accepted` asks until it was entered, refused or has expired: never
//! sooner than told, five seconds slower for good at each `slow_down`, ever slower while nobody answers. The device
//! code itself is shown nowhere.

use std::time::Duration;

use jiff::Timestamp;
use oauth2::http::StatusCode;
use oauth2::url::Url;
use serde::Deserialize;
use tokio::time::Instant;

use super::exchange::{Call, Trouble};
use super::token::seconds;
use super::{Application, KnownEndpoints, Means, NoToken, Token};
use crate::diagnosis::{Failure, TokenFailure};
use crate::net::http::Endpoint;
use crate::secret::Secret;

/// §3.5: when the server does not say how often it may be asked; also what each `slow_down` adds.
const INTERVAL: Duration = Duration::from_secs(5);
/// Longest pause while nobody answers, unless the server wants a longer one anyway.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// §3.2 wants `expires_in`; of a server that leaves it out, what most of them say.
const USUAL_LIFE: Duration = Duration::from_mins(15);
/// Nobody is waited for any longer, whatever the server says.
const LONGEST_LIFE: Duration = Duration::from_hours(24);
/// In octets; codes are of 8 or 9.
const LONGEST_CODE: usize = 64;

/// What a person has to enter, and where.
#[derive(Debug)]
pub struct Invitation {
    /// To be entered.
    pub user_code: String,
    /// Where.
    pub address: String,
    /// The same address with the code in it, if the server offers one.
    pub complete: Option<String>,
    /// How long the code is good.
    pub life: Duration,
    device_code: Secret,
    interval: Duration,
    ends: Instant,
}

/// A device authorization response (§3.2), read from servers that are not strict about it.
#[derive(Deserialize)]
struct Offer {
    device_code: String,
    user_code: String,
    /// Google says `verification_url`.
    #[serde(alias = "verification_url")]
    verification_uri: String,
    #[serde(default, alias = "verification_url_complete")]
    verification_uri_complete: Option<String>,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
    #[serde(default, deserialize_with = "seconds")]
    interval: Option<u64>,
}

/// What a poll that brought no token means.
enum Poll {
    /// Ask again after the same time.
    Pending,
    /// Ask less often from now on; not before this, if the server said.
    Slower(Option<Duration>),
    /// Nobody answered; ask again after a longer time.
    Silence,
    /// It is over.
    Over(NoToken),
}

/// Asks for a code (§3.1); nothing where there is no endpoint for that.
pub(in crate::account) async fn ask(
    application: &Application,
    endpoints: &KnownEndpoints,
    means: Means<'_>,
) -> Result<Option<Invitation>, NoToken> {
    let Some(endpoint) = &endpoints.device_authorization else { return Ok(None) };
    let scope = application.scope.as_deref().unwrap_or_default();
    let scope = scope.split_whitespace().collect::<Vec<_>>().join(" ");
    let field = [("scope", scope.as_str())];
    let asked = Instant::now();
    let mut call = Call::of(endpoint, &endpoints.token, means);
    let request = call.request(application, if scope.is_empty() { &[] } else { &field }).await?;
    let response = match call.carry(request).await {
        Ok(response) if response.status() == StatusCode::OK => response,
        Ok(response) => return Err(call.failed(Trouble::of(response))),
        Err(error) => return Err(call.failed(Trouble::Way(error))),
    };
    let odd = |detail: &str| {
        let (endpoint, detail) = (endpoint.to_string(), detail.to_owned());
        NoToken::from(Failure::Token(TokenFailure::Odd { endpoint, status: 200, detail, retry_after: None }))
    };
    let offer: Offer = serde_json::from_slice(response.body())
        .map_err(|_| odd("there is no JSON with `device_code` and `user_code` in it"))?;
    let invitation = offer.read(asked);
    invitation.map(Some).ok_or_else(|| odd("the code or the address in it is not one that a person could be shown"))
}

impl Offer {
    fn read(self, asked: Instant) -> Option<Invitation> {
        let is_shown = |code: &str| (1..=LONGEST_CODE).contains(&code.len()) && code.bytes().all(is_printable);
        if self.device_code.is_empty() || !is_shown(&self.user_code) {
            return None;
        }
        let life = self.expires_in.filter(|life| *life > 0).map_or(USUAL_LIFE, Duration::from_secs).min(LONGEST_LIFE);
        Some(Invitation {
            user_code: self.user_code,
            address: page(&self.verification_uri)?,
            complete: self.verification_uri_complete.as_deref().and_then(page),
            life,
            device_code: Secret::new(self.device_code),
            // Less than a second would be a storm; an hour, a mistake.
            interval: self.interval.map_or(INTERVAL, |told| Duration::from_secs(told.clamp(1, 3600))),
            ends: asked + life,
        })
    }
}

fn is_printable(octet: u8) -> bool {
    octet == b' ' || octet.is_ascii_graphic()
}

/// An address that may be shown and opened: a web page, and nothing a desktop would run.
fn page(text: &str) -> Option<String> {
    let url = Url::parse(text.trim()).ok()?;
    matches!(url.scheme(), "https" | "http").then(|| url.into())
}

impl Invitation {
    /// Asks until the person has agreed (§3.4, §3.5); with when the token was asked for.
    pub(in crate::account) async fn accepted(
        &self,
        application: &Application,
        endpoint: &Endpoint,
        means: Means<'_>,
    ) -> Result<(Token, Timestamp), NoToken> {
        self.polled(application, endpoint, means, tokio::time::sleep).await
    }

    async fn polled(
        &self,
        application: &Application,
        endpoint: &Endpoint,
        means: Means<'_>,
        mut sleep: impl AsyncFnMut(Duration),
    ) -> Result<(Token, Timestamp), NoToken> {
        let mut interval = self.interval;
        let mut pause = interval;
        loop {
            let left = self.ends.saturating_duration_since(Instant::now());
            if pause >= left {
                sleep(left).await;
                return Err(expired(endpoint));
            }
            sleep(pause).await;
            let asked = means.clock.now();
            let no_token = match self.poll(application, endpoint, means).await {
                Ok(token) => return Ok((token, asked)),
                Err(no_token) => no_token,
            };
            pause = match Poll::of(no_token) {
                Poll::Over(no_token) => return Err(no_token),
                Poll::Pending => interval,
                Poll::Slower(told) => {
                    interval += INTERVAL;
                    interval.max(told.unwrap_or_default())
                }
                Poll::Silence => interval.max(LONGEST_PAUSE.min(pause * 2)),
            };
        }
    }

    async fn poll(&self, application: &Application, endpoint: &Endpoint, means: Means<'_>) -> Result<Token, NoToken> {
        let mut call = Call::new(endpoint, means);
        call.watch(&self.device_code);
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", self.device_code.expose()),
        ];
        let request = call.request(application, &fields).await?;
        let answer = call.send(request).await;
        call.conclude(answer)
    }
}

impl Poll {
    fn of(no_token: NoToken) -> Self {
        let Failure::Token(failure) = &*no_token.failure else { return Self::Over(no_token) };
        match failure {
            TokenFailure::Refused { error, .. } if error == "authorization_pending" => Self::Pending,
            TokenFailure::Refused { error, .. } if error == "slow_down" => Self::Slower(None),
            TokenFailure::Odd { status: 429, retry_after, .. } => {
                Self::Slower(retry_after.map(|told| told.min(LONGEST_LIFE)))
            }
            TokenFailure::Unreachable { .. }
            | TokenFailure::Proxy(_)
            | TokenFailure::Odd { status: 500..=599, .. }
            | TokenFailure::Page { status: 500..=599, .. } => Self::Silence,
            _ => Self::Over(no_token),
        }
    }
}

/// In the words the server would use (§3.5).
fn expired(endpoint: &Endpoint) -> NoToken {
    let (endpoint, error) = (endpoint.to_string(), "expired_token".to_owned());
    Failure::Token(TokenFailure::Refused { endpoint, error, description: String::new() }).into()
}

#[cfg(test)]
mod tests;
