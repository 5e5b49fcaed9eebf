//! The refresh token grant (RFC 6749 §6): the next access token, without a person.
//!
//! The answer may hold a new refresh token, and then the old one is dead from here on with some providers (RFC 9700
//! §4.14.2): the caller keeps the new one before anything else. Asks for no scope, which means the one granted.

use oauth2::RefreshToken;

use super::exchange::Call;
use super::{Application, NoToken, Token};
use crate::net::http::HttpClient;
use crate::secret::Secret;

/// Asks once. `last` is the token issued before, which the endpoint may repeat as well.
pub(in crate::account) async fn token(
    application: &Application,
    http: &HttpClient,
    refresh_token: &Secret,
    last: Option<&Secret>,
) -> Result<Token, NoToken> {
    let mut call = Call::new(http, application.endpoints.address());
    call.watch(refresh_token);
    if let Some(last) = last {
        call.watch(last);
    }
    let client = call.client(application).await?;
    let refresh_token = RefreshToken::new(refresh_token.expose().to_owned());
    let answer = client.exchange_refresh_token(&refresh_token).request_async(&call).await;
    call.conclude(answer)
}
