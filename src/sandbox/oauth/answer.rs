//! What the authorization server says: tokens, device codes, the way back to the client, and refusals.
//!
//! The one place where a secret it made goes out. No answer may be cached (RFC 6749 §5.1).

use std::time::Duration;

use axum::Json;
use axum::http::header::{CACHE_CONTROL, HeaderName, LOCATION, REFERRER_POLICY, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::secret::Secret;

const NO_STORE: (HeaderName, &str) = (CACHE_CONTROL, "no-store");

/// RFC 6749 §5.1
pub(super) struct Tokens {
    pub access: Secret,
    pub life: Duration,
    pub refresh: Option<Secret>,
    pub refresh_life: Option<Duration>,
    pub scope: Option<String>,
}

impl IntoResponse for Tokens {
    fn into_response(self) -> Response {
        let mut body = json!({
            "access_token": self.access.expose(),
            "token_type": "Bearer",
            "expires_in": self.life.as_secs(),
        });
        if let Some(refresh) = &self.refresh {
            body["refresh_token"] = refresh.expose().into();
            if let Some(life) = self.refresh_life {
                body["refresh_token_expires_in"] = life.as_secs().into();
            }
        }
        if let Some(scope) = self.scope {
            body["scope"] = scope.into();
        }
        ([NO_STORE], Json(body)).into_response()
    }
}

/// RFC 8628 §3.2
pub(super) fn device(device_code: &Secret, mut rest: Value) -> Response {
    rest["device_code"] = device_code.expose().into();
    ([NO_STORE], Json(rest)).into_response()
}

/// Sends the browser back to the client with these parameters (RFC 6749 §4.1.2).
pub(super) fn back(redirect: &str, parameters: &[(&str, &Secret)]) -> Response {
    let mut address = redirect.to_owned();
    for (name, value) in parameters {
        address.push(if address.contains('?') { '&' } else { '?' });
        address.push_str(name);
        address.push('=');
        address.extend(utf8_percent_encode(value.expose(), NON_ALPHANUMERIC));
    }
    let Ok(location) = HeaderValue::try_from(address) else {
        // A registered address is plain text, so this is one somebody registered badly.
        return page(StatusCode::BAD_REQUEST, "That redirect address cannot be used", "");
    };
    // After a POST, too, the browser must come with GET (RFC 9110 §15.4.4), and must not tell where it was.
    let fields = [(LOCATION, location), (REFERRER_POLICY, HeaderValue::from_static("no-referrer"))];
    (StatusCode::SEE_OTHER, [NO_STORE], fields).into_response()
}

/// A page for the person at the browser; `inside` is HTML.
pub(super) fn page(status: StatusCode, title: &str, inside: &str) -> Response {
    let title = escaped(title);
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <h1>{title}</h1>{inside}<p>This is the practice provider of Posthouse.</p></html>\n"
    );
    // No scripts, nothing from elsewhere, in nobody's frame.
    let policy = (HeaderName::from_static("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
    (status, [NO_STORE, policy], Html(html)).into_response()
}

/// A button that sends these fields.
pub(super) fn button(action: &str, hidden: &[(&str, &str)], label: &str) -> String {
    let field =
        |(name, value): &(&str, &str)| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(value));
    let fields = hidden.iter().map(field).collect::<Vec<_>>().concat();
    format!("<form method=\"post\" action=\"{action}\">{fields}<button>{label}</button></form>")
}

/// Text as HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Why there is no token (RFC 6749 §5.2, RFC 8628 §3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    InvalidRequest(&'static str),
    Missing(&'static str),
    InvalidClient(&'static str),
    InvalidGrant(&'static str),
    InvalidScope,
    UnauthorizedClient(&'static str),
    UnsupportedGrantType,
    AuthorizationPending,
    SlowDown,
    ExpiredToken,
    AccessDenied,
    Broken,
}

impl Refusal {
    /// `error`
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::InvalidRequest(_) | Self::Missing(_) => "invalid_request",
            Self::InvalidClient(_) => "invalid_client",
            Self::InvalidGrant(_) => "invalid_grant",
            Self::InvalidScope => "invalid_scope",
            Self::UnauthorizedClient(_) => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::AccessDenied => "access_denied",
            Self::Broken => "server_error",
        }
    }

    /// `error_description`
    pub(super) fn description(self) -> String {
        let text = match self {
            Self::InvalidRequest(why)
            | Self::InvalidClient(why)
            | Self::InvalidGrant(why)
            | Self::UnauthorizedClient(why) => why,
            Self::Missing(name) => return format!("{name} is missing"),
            Self::InvalidScope => "not a scope, or more than was granted",
            Self::UnsupportedGrantType => "nobody here knows this grant",
            Self::AuthorizationPending => "nobody has decided yet",
            Self::SlowDown => "asked again too soon",
            Self::ExpiredToken => "the device code has ended",
            Self::AccessDenied => "the person said no",
            Self::Broken => "no random numbers",
        };
        text.into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::InvalidClient(_) => StatusCode::UNAUTHORIZED,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = Json(json!({ "error": self.code(), "error_description": self.description() }));
        let mut answer = (status, [NO_STORE], body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"sandbox\""));
        }
        answer
    }
}
