//! The resource owner's password (RFC 6749 §4.3): the mailbox's own, traded for a token at each renewal.
//!
//! RFC 9700 §2.4 says that it must not be used, and a second factor rules it out; it is here for servers that know
//! nothing else. A refresh token in the answer is not used: the password is at hand anyway.

use oauth2::{ResourceOwnerPassword, ResourceOwnerUsername};

use super::exchange::{Call, read};
use super::{Application, Given, Means, NoToken, Token, scopes};
use crate::net::http::Endpoint;

/// Asks once. The password is read anew.
pub(in crate::account) async fn token(
    application: &Application,
    endpoint: &Endpoint,
    username: &str,
    password: &Given,
    means: Means<'_>,
) -> Result<Token, NoToken> {
    let password = read(password).await?;
    let mut call = Call::new(endpoint, means);
    call.watch(&password);
    let client = call.client(application).await?;
    let username = ResourceOwnerUsername::new(username.to_owned());
    let password = ResourceOwnerPassword::new(password.expose().to_owned());
    let request = client.exchange_password(&username, &password).add_scopes(scopes(application.scope.as_deref()));
    let answer = request.request_async(&call).await;
    call.conclude(answer)
}
