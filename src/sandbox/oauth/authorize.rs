//! The authorization endpoint (RFC 6749 §4.1.1) and the page that asks the person.
//!
//! Nobody is sent to an address that is not registered. PKCE with S256 is required (RFC 7636, RFC 9700 §2.1.1),
//! `state` comes back as it was, and the answer says who gives it (RFC 9207). What else stands in the request, as
//! `prompt` or `login_hint`, is passed over.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tokio::time::Instant;

use super::super::Shared;
use super::super::credentials::random;
use super::super::record::Rule;
use super::CONSENT;
use super::answer::{Refusal, back, button, escaped, page};
use super::form::{Fields, Parsed, is_scope};
use super::ledger::Asked;
use super::setup::Consent;
use crate::secret::Secret;

pub(super) async fn ask(State(shared): State<Arc<Shared>>, query: Parsed) -> Response {
    let fields = match Fields::of(query) {
        Ok(fields) => fields,
        Err(refusal) => return dead_end(&shared, &refusal.description()),
    };
    // §4.1.2.1: as long as client and address are in doubt, the person hears it and nobody else.
    let client = fields.text("client_id").unwrap_or_default();
    let setup = &shared.settings.oauth;
    if client != shared.settings.client_id && client != setup.public_client_id {
        return dead_end(&shared, "client_id is missing or unknown");
    }
    let redirect = fields.text("redirect_uri").unwrap_or_default();
    if !setup.redirects.iter().any(|registered| fits(registered, redirect)) {
        return dead_end(&shared, "redirect_uri is missing or not registered");
    }
    let way = Way { redirect: redirect.into(), state: fields.secret("state").cloned() };
    match read(&fields, client, &way) {
        Ok(asked) => consent(&shared, asked),
        Err((error, why)) => {
            shared.record.breach(0, Rule::OAuth, why);
            way.refused(&shared, error, why)
        }
    }
}

/// The person's answer.
pub(super) async fn decide(State(shared): State<Arc<Shared>>, form: Parsed) -> Response {
    let Ok(fields) = Fields::of(form) else { return stop("this is not our page's form") };
    let asked = fields.secret("request").and_then(|id| shared.oauth.ledger().decided(id));
    let Some(asked) = asked else { return stop("this request was decided before, or nobody made it") };
    conclude(&shared, asked, fields.text("decision") == Some("allow"))
}

/// Back to the client.
struct Way {
    redirect: String,
    state: Option<Secret>,
}

impl Way {
    fn refused(&self, shared: &Shared, error: &str, why: &str) -> Response {
        let (error, why) = (Secret::new(error.into()), Secret::new(why.into()));
        self.answered(shared, &[("error", &error), ("error_description", &why)])
    }

    fn answered(&self, shared: &Shared, parameters: &[(&str, &Secret)]) -> Response {
        let mut all = parameters.to_vec();
        all.extend(self.state.as_ref().map(|state| ("state", state)));
        let issuer = Secret::new(shared.oauth.issuer.clone());
        if shared.settings.oauth.names_issuer {
            all.push(("iss", &issuer));
        }
        back(&self.redirect, &all)
    }
}

/// §4.1.2.1: `error`, and why.
type Wrong = (&'static str, &'static str);

fn read(fields: &Fields, client: &str, way: &Way) -> Result<Asked, Wrong> {
    match fields.text("response_type") {
        Some("code") => {}
        Some(_) => return Err(("unsupported_response_type", "only `code` is known here")),
        None => return Err(("invalid_request", "response_type is missing")),
    }
    let challenge = fields.text("code_challenge").ok_or(("invalid_request", "code_challenge is missing"))?;
    // RFC 7636 §4.3: without a method it would be `plain`.
    if fields.text("code_challenge_method") != Some("S256") {
        return Err(("invalid_request", "code_challenge_method must be S256"));
    }
    let base64url = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
    if challenge.len() != 43 || !challenge.bytes().all(base64url) {
        return Err(("invalid_request", "code_challenge is not a SHA-256"));
    }
    let scope = fields.text("scope");
    if scope.is_some_and(|scope| !is_scope(scope)) {
        return Err(("invalid_scope", "scope is not a list of scopes"));
    }
    Ok(Asked {
        client: client.into(),
        redirect: way.redirect.clone(),
        challenge: challenge.into(),
        scope: scope.map(str::to_owned),
        state: way.state.clone(),
    })
}

fn consent(shared: &Shared, asked: Asked) -> Response {
    match shared.settings.oauth.consent {
        Consent::Granted => conclude(shared, asked, true),
        Consent::Denied => conclude(shared, asked, false),
        Consent::Page => {
            let Ok(id) = random(32) else { return stop(&Refusal::Broken.description()) };
            let inside = question(&asked, &shared.settings.username, &id);
            shared.oauth.ledger().ask(&id, asked);
            page(StatusCode::OK, "Sign in", &inside)
        }
    }
}

/// The form of the page: one button for yes, one for no.
fn question(asked: &Asked, user: &str, id: &Secret) -> String {
    let scope = asked.scope.as_deref().unwrap_or("no scope");
    let button = |decision, label| button(CONSENT, &[("request", id.expose()), ("decision", decision)], label);
    format!(
        "<p>{} wants to send mail as {} ({}).</p>{}{}",
        escaped(&asked.client),
        escaped(user),
        escaped(scope),
        button("allow", "Allow"),
        button("deny", "Refuse"),
    )
}

fn conclude(shared: &Shared, asked: Asked, yes: bool) -> Response {
    let way = Way { redirect: asked.redirect.clone(), state: asked.state.clone() };
    if !yes {
        return way.refused(shared, "access_denied", "the person said no");
    }
    let Ok(code) = random(64) else { return way.refused(shared, "server_error", "no random numbers") };
    let ends = Instant::now() + shared.settings.oauth.code_lifetime;
    shared.oauth.ledger().put_code(&code, asked, ends);
    way.answered(shared, &[("code", &code)])
}

/// Nothing that a client did well ends here.
fn dead_end(shared: &Shared, why: &str) -> Response {
    shared.record.breach(0, Rule::OAuth, why);
    stop(why)
}

fn stop(why: &str) -> Response {
    page(StatusCode::BAD_REQUEST, "This cannot go on", &format!("<p>{}</p>", escaped(why)))
}

/// Whether an address is the registered one: letter by letter, but for the port of a loopback address that was
/// registered without one (RFC 8252 §7.3).
fn fits(registered: &str, given: &str) -> bool {
    if given == registered {
        return true;
    }
    ["http://127.0.0.1", "http://[::1]", "http://localhost"].iter().any(|origin| {
        let (Some(own), Some(theirs)) = (registered.strip_prefix(origin), given.strip_prefix(origin)) else {
            return false;
        };
        let Some(theirs) = theirs.strip_prefix(':') else { return false };
        let end = theirs.find(|c: char| !c.is_ascii_digit()).unwrap_or(theirs.len());
        let (port, rest) = theirs.split_at(end);
        port.parse().is_ok_and(|port: u16| port > 0) && rest == own && !own.starts_with(':')
    })
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn an_address_is_compared_letter_by_letter() {
        let fitting = [
            ("http://127.0.0.1", "http://127.0.0.1:49152"),
            ("http://127.0.0.1/", "http://127.0.0.1:1/"),
            ("http://[::1]/back", "http://[::1]:65535/back"),
            ("http://localhost:8400/", "http://localhost:8400/"),
            ("https://sandbox.example/in", "https://sandbox.example/in"),
        ];
        for (registered, given) in fitting {
            assert!(fits(registered, given), "{registered} {given}");
        }
        let others = [
            ("http://127.0.0.1", "http://127.0.0.1:49152/"),
            ("http://127.0.0.1/", "http://127.0.0.1:1/x"),
            ("http://127.0.0.1/", "http://127.0.0.1:0/"),
            ("http://127.0.0.1/", "http://127.0.0.1:/"),
            ("http://127.0.0.1/", "http://127.0.0.1:65536/"),
            ("http://127.0.0.1/", "http://127.0.0.1:80.evil.example/"),
            ("http://127.0.0.1", "http://127.0.0.1.evil.example"),
            ("http://127.0.0.1/", "http://localhost:1/"),
            ("http://localhost:8400/", "http://localhost:8401/"),
            ("https://sandbox.example/in", "https://sandbox.example:444/in"),
            ("https://sandbox.example/in", ""),
        ];
        for (registered, given) in others {
            assert!(!fits(registered, given), "{registered} {given}");
        }
    }
}
