//! The device authorization endpoint (RFC 8628 §3.1), and the page where a person types the code.
//!
//! A user code is two times four consonants: no words, nothing that looks like something else; case, spaces and dashes
//! do not matter when it is typed (§6.1).

use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use axum::response::Response;
use serde_json::json;
use tokio::time::Instant;

use super::super::Shared;
use super::super::credentials::random;
use super::super::fault::Asked;
use super::answer::{self, Refusal, escaped};
use super::client::Claim;
use super::connection::Cut;
use super::form::{Fields, Parsed, is_scope};
use super::ledger::Device;
use super::setup::Consent;
use super::spoil::{Sent, answered};
use super::{DEVICE, refused};

const CONSONANTS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

pub(super) async fn begin(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    headers: HeaderMap,
    form: Parsed,
) -> Response {
    let carry_out = || given(&shared, &headers, form).unwrap_or_else(|refusal| refused(&shared, refusal));
    answered(&shared, &Asked::DeviceAuthorization, &cut, Sent::default(), carry_out).await
}

fn given(shared: &Shared, headers: &HeaderMap, form: Parsed) -> Result<Response, Refusal> {
    let fields = Fields::of(form)?;
    let client = Claim::read(headers, &fields)?.prove(shared)?;
    let scope = fields.text("scope");
    if scope.is_some_and(|scope| !is_scope(scope)) {
        return Err(Refusal::InvalidScope);
    }
    let setup = &shared.settings.oauth;
    let device_code = random(64).map_err(|_| Refusal::Broken)?;
    let user_code = user_code()?;
    let page = format!("{}{DEVICE}", shared.oauth.issuer);
    let rest = json!({
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": setup.device_lifetime.as_secs(),
        "interval": setup.device_interval.as_secs(),
    });
    let device = Device {
        client: client.id,
        scope: scope.map(str::to_owned),
        user_code: normal(&user_code),
        ends: Instant::now() + setup.device_lifetime,
        interval: setup.device_interval,
        polled: None,
        decision: match setup.consent {
            Consent::Page => None,
            Consent::Granted => Some(true),
            Consent::Denied => Some(false),
        },
    };
    shared.oauth.ledger().put_device(&device_code, device);
    Ok(answer::device(&device_code, rest))
}

/// Where the person types the code.
pub(super) async fn page(query: Parsed) -> Response {
    let code =
        Fields::of(query).ok().and_then(|fields| fields.text("user_code").map(str::to_owned)).unwrap_or_default();
    let field = format!("<input name=\"user_code\" value=\"{}\" required>", escaped(&code));
    let inside = format!(
        "<form method=\"post\" action=\"{DEVICE}\"><p>Code: {field}</p>\
         <button name=\"decision\" value=\"allow\">Allow</button>\
         <button name=\"decision\" value=\"deny\">Refuse</button></form>"
    );
    answer::page(StatusCode::OK, "Sign a device in", &inside)
}

/// The person's answer.
pub(super) async fn decide(State(shared): State<Arc<Shared>>, form: Parsed) -> Response {
    let Ok(fields) = Fields::of(form) else {
        return answer::page(StatusCode::BAD_REQUEST, "This is not our page's form", "");
    };
    let yes = fields.text("decision") == Some("allow");
    if shared.oauth.decide_device(fields.text("user_code").unwrap_or_default(), yes) {
        let title = if yes { "The device is signed in" } else { "The device was refused" };
        return answer::page(StatusCode::OK, title, "");
    }
    answer::page(StatusCode::BAD_REQUEST, "No device waits with this code", "")
}

/// A user code as it is compared.
pub(super) fn normal(typed: &str) -> String {
    typed.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_uppercase()).collect()
}

fn user_code() -> Result<String, Refusal> {
    let mut octets = [0; 8];
    getrandom::fill(&mut octets).map_err(|_| Refusal::Broken)?;
    let mut letters = octets.iter().map(|octet| char::from(CONSONANTS[usize::from(*octet) % CONSONANTS.len()]));
    let first: String = letters.by_ref().take(4).collect();
    Ok(format!("{first}-{}", letters.collect::<String>()))
}
