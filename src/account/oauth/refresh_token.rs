//! Renewal (RFC 6749 §6): a new access token for a refresh token, whoever was given that one.
//!
//! Asks once, and says what came back: a refresh token in the answer replaces the one that was sent. Keeps nothing;
//! that the new one is durable before anything else happens is for the keeper.

use oauth2::RefreshToken;

use super::exchange::Call;
use super::{Application, Means, NoToken, Token, scopes};
use crate::net::http::Endpoint;
use crate::secret::Secret;

/// Asks once, for [`super::Grant::renewal_scope`].
pub(in crate::account) async fn token(
    application: &Application,
    endpoint: &Endpoint,
    refresh_token: &Secret,
    scope: Option<&str>,
    means: Means<'_>,
) -> Result<Token, NoToken> {
    let mut call = Call::new(endpoint, means);
    call.watch(refresh_token);
    let client = call.client(application).await?;
    let refresh_token = RefreshToken::new(refresh_token.expose().to_owned());
    let request = client.exchange_refresh_token(&refresh_token).add_scopes(scopes(scope));
    let answer = request.request_async(&call).await;
    call.conclude(answer)
}
