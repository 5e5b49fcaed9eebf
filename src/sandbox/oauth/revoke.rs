//! The revocation endpoint (RFC 7009).
//!
//! A refresh token takes all that came of its sign-in with it, an access token only itself. An unknown token is as
//! good as revoked (§2.2).

use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::super::Shared;
use super::super::fault::Asked;
use super::super::record::count;
use super::answer::Refusal;
use super::client::Claim;
use super::connection::Cut;
use super::form::{Fields, Parsed};
use super::refused;
use super::spoil::{Sent, answered};

pub(super) async fn revoke(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    headers: HeaderMap,
    form: Parsed,
) -> Response {
    count(&shared.record.counting.revocations);
    let carry_out = || match taken_back(&shared, &headers, form) {
        Ok(()) => StatusCode::OK.into_response(),
        Err(refusal) => refused(&shared, refusal),
    };
    answered(&shared, &Asked::Revocation, &cut, Sent::default(), carry_out).await
}

fn taken_back(shared: &Shared, headers: &HeaderMap, form: Parsed) -> Result<(), Refusal> {
    let fields = Fields::of(form)?;
    let client = Claim::read(headers, &fields)?.prove(shared)?;
    let token = fields.needed("token")?;
    // `token_type_hint` only saves a look; here both are always looked at (§2.1).
    let family = shared.oauth.ledger().revoke_token(token, &client.id)?;
    match family {
        Some(family) => shared.credentials.revoke_family(family),
        None => shared.credentials.revoke(token),
    }
    Ok(())
}
