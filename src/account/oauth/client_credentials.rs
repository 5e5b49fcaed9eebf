//! The client credentials grant (RFC 6749 §4.4): the application signs in as itself, no person involved.
//!
//! It proves itself with a secret or with a signed assertion. There is no refresh token: the next token is had the same
//! way, so nothing of it is kept.

use oauth2::Scope;

use super::exchange::Call;
use super::{Application, NoToken, Token};
use crate::net::http::HttpClient;
use crate::secret::Secret;

/// Asks once. `last` is the token issued before, which the endpoint may repeat as well.
pub(in crate::account) async fn token(
    application: &Application,
    http: &HttpClient,
    last: Option<&Secret>,
) -> Result<Token, NoToken> {
    let mut call = Call::new(http, application.endpoints.address());
    if let Some(last) = last {
        call.watch(last);
    }
    let client = call.client(application).await?;
    let scopes = application.scope.iter().flat_map(|scope| scope.split_whitespace());
    let request = client.exchange_client_credentials().add_scopes(scopes.map(|scope| Scope::new(scope.to_owned())));
    let answer = request.request_async(&call).await;
    call.conclude(answer)
}
