//! Planned faults of the authorization server, carried out.
//!
//! A fault comes before anything was granted or used up, but [`TokenFault::CarryOutThenClose`], which comes after.
//! What is repeated on demand goes into the answer and nowhere else.

use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::super::Shared;
use super::super::echo::{Echo, Received};
use super::super::fault::{Asked, TokenFault};
use super::connection::Cut;
use crate::smtp::trace::Side;

/// What a fault may repeat.
#[derive(Default)]
pub(super) struct Sent {
    /// What the client proved itself with.
    pub client: Option<Received>,
    /// What it asked with: a refresh token, a code, an assertion, a password.
    pub grant: Option<Received>,
}

/// Answers a request: as planned if a fault is planned for it, otherwise by carrying it out.
pub(super) async fn answered(
    shared: &Shared,
    asked: &Asked,
    cut: &Cut,
    sent: Sent,
    carry_out: impl FnOnce() -> Response,
) -> Response {
    let Some(fault) = shared.faults.take_oauth(asked) else { return carry_out() };
    shared.record.say(0, Side::Note, &format!("authorization server: fault at {asked:?}"));
    match fault {
        TokenFault::Http { status, body } => told(status, body),
        TokenFault::HttpWith { status, field: (name, value), body } => {
            let mut answer = told(status, body);
            // A field that cannot be said is left out: whoever planned it sees that it is missing.
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::try_from(value)) {
                answer.headers_mut().insert(name, value);
            }
            answer
        }
        TokenFault::BadJson => {
            let cut_off = r#"{"access_token":"#;
            ([(CONTENT_TYPE, "application/json")], cut_off).into_response()
        }
        TokenFault::Close => cut.with(Vec::new()).await,
        TokenFault::Garbage(octets) => cut.with(octets).await,
        TokenFault::Silence => std::future::pending().await,
        TokenFault::Wait(gate) => {
            gate.pass().await;
            carry_out()
        }
        TokenFault::CarryOutThenClose => {
            drop(carry_out());
            cut.with(Vec::new()).await
        }
        TokenFault::EchoSecret(echo) => repeated(sent.client.as_ref(), echo),
        TokenFault::EchoGrant(echo) => repeated(sent.grant.as_ref(), echo),
    }
}

fn repeated(received: Option<&Received>, echo: Echo) -> Response {
    let echoed = received.map_or_else(|| "nothing received".into(), |r| r.echoed(echo));
    let body = Json(json!({ "error": "invalid_request", "error_description": format!("odd secret {echoed}") }));
    (StatusCode::BAD_REQUEST, body).into_response()
}

/// An answer in somebody else's words.
fn told(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
