//! The document that says where everything is (RFC 8414, `OpenID` Connect Discovery 1.0).
//!
//! It names all that is served here and nothing else; both well-known addresses have it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::super::Shared;
use super::super::fault::Asked;
use super::connection::Cut;
use super::spoil::{Sent, answered};
use super::token::GRANTS;
use super::{AUTHORIZE, DEVICE_AUTHORIZATION, REVOKE, TOKEN};

pub(super) async fn document(State(shared): State<Arc<Shared>>, ConnectInfo(cut): ConnectInfo<Cut>) -> Response {
    answered(&shared, &Asked::Discovery, &cut, Sent::default(), || metadata(&shared)).await
}

fn metadata(shared: &Shared) -> Response {
    let issuer = &shared.oauth.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}{AUTHORIZE}"),
        "token_endpoint": format!("{issuer}{TOKEN}"),
        "device_authorization_endpoint": format!("{issuer}{DEVICE_AUTHORIZATION}"),
        "revocation_endpoint": format!("{issuer}{REVOKE}"),
        "response_types_supported": ["code"],
        "grant_types_supported": GRANTS,
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "PS256", "ES256"],
        "authorization_response_iss_parameter_supported": shared.settings.oauth.names_issuer,
    }))
    .into_response()
}
