//! The client credentials grant (RFC 6749 §4.4): the application signs in as itself, no person involved.
//!
//! It proves itself with a secret or with a signed assertion. There is no refresh token: the next token is had the same
//! way, so nothing of it is kept.

use super::exchange::Call;
use super::{Application, Means, NoToken, Token, scopes};
use crate::net::http::Endpoint;

/// Asks once.
pub(in crate::account) async fn token(
    application: &Application,
    endpoint: &Endpoint,
    means: Means<'_>,
) -> Result<Token, NoToken> {
    let mut call = Call::new(endpoint, means);
    let client = call.client(application).await?;
    let request = client.exchange_client_credentials().add_scopes(scopes(application.scope.as_deref()));
    let answer = request.request_async(&call).await;
    call.conclude(answer)
}
