//! Giving a refresh token back (RFC 7009), so that it is worthless to whoever finds a copy.
//!
//! Says whether the provider knows such a thing at all: Microsoft does not. Forgets nothing here; that is for the
//! vault, whatever the provider answers.

use super::discovery;
use super::exchange::{Call, Trouble};
use super::{Application, Means};
use crate::diagnosis::{Failure, TokenFailure};
use crate::net::clock::Clock;
use crate::net::http::HttpClient;
use crate::secret::Secret;

/// What became of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// The provider takes it no more.
    Done,
    /// The provider has no endpoint for that: the token lives until its own end, or until a person ends the sign-in
    /// on the provider's pages.
    NoEndpoint,
}

/// Asks once.
///
/// # Errors
/// When the server, or the document that names its endpoints, cannot be reached or refuses.
pub async fn revoke(
    application: &Application,
    refresh_token: &Secret,
    http: &HttpClient,
    clock: &Clock,
) -> Result<Revoked, Failure> {
    let means = Means { http, clock, last: None };
    let known = discovery::known(&application.endpoints, http).await.map_err(|none| *none.failure)?;
    let Some(endpoint) = &known.revocation else { return Ok(Revoked::NoEndpoint) };
    let mut call = Call::of(endpoint, &known.token, means);
    call.watch(refresh_token);
    let fields = [("token", refresh_token.expose()), ("token_type_hint", "refresh_token")];
    let request = call.request(application, &fields).await?;
    let trouble = match call.carry(request).await {
        // RFC 7009 §2.2: what stands in the body does not matter.
        Ok(response) if response.status().is_success() => return Ok(Revoked::Done),
        Ok(response) => Trouble::of(response),
        Err(error) => Trouble::Way(error),
    };
    match *call.failed(trouble).failure {
        // Servers that know the token no more should say 200 (RFC 7009 §2.2); Google says this.
        Failure::Token(TokenFailure::Refused { error, .. }) if error == "invalid_token" => Ok(Revoked::Done),
        failure => Err(failure),
    }
}

#[cfg(test)]
mod tests;
