//! Where an authorization server is asked: its endpoints one by one, or the document that tells them.
//!
//! Guarantees that no address is one a secret must not be sent to. Whether a grant has those it needs is known to
//! [`super::terms`].

use crate::account::oauth::{Endpoints, KnownEndpoints};
use crate::account::provider::{self, OAuth};
use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::tree::Value;
use crate::config::values;
use crate::net::http::Endpoint;

/// What `discovery` makes needless.
const TOLD: [&str; 5] =
    ["token_endpoint", "authorization_endpoint", "device_authorization_endpoint", "revocation_endpoint", "issuer"];

/// Reads them; `None` after a note, here or about what is missing.
pub(super) fn read(section: &Section<'_>, grant: provider::Grant, known: Option<&OAuth>) -> Option<Endpoints> {
    let token = address(section, "token_endpoint");
    let authorization = address(section, "authorization_endpoint");
    let device_authorization = address(section, "device_authorization_endpoint");
    let revocation = address(section, "revocation_endpoint");
    let issuer = section.get("issuer", issuer);
    if section.has("discovery") {
        for key in TOLD.into_iter().filter(|key| section.has(key)) {
            let complaint = Complaint::new(format!("`discovery` tells the endpoints, and `{key}` is given too"));
            section.error(key, complaint.hint("leave out one of the two"));
        }
        return address(section, "discovery").map(Endpoints::discovered);
    }
    let token = token?;
    let known = known.filter(|known| is_of(known, &token, section, grant));
    Some(Endpoints::from(KnownEndpoints {
        always_names_issuer: known.is_some_and(|known| known.always_names_issuer && known.issuer == issuer),
        token,
        authorization,
        device_authorization,
        revocation,
        issuer,
    }))
}

/// Whether this is the provider's own token endpoint, so that what is known of it holds.
pub(super) fn is_of(known: &OAuth, token: &Endpoint, section: &Section<'_>, grant: provider::Grant) -> bool {
    // A tenant that fits no gap was told when the account was filled.
    let tenant = section.get("tenant", |value| match value {
        Value::Text(text) => Ok(Some(text.trim().to_owned())),
        _ => Ok(None),
    });
    let own = known.token_endpoint(tenant.flatten().as_deref(), grant);
    own.is_ok_and(|own| own.parse().is_ok_and(|own: Endpoint| own == *token))
}

/// One address; `None` if it is not there, or after a note.
pub(super) fn address(section: &Section<'_>, key: &str) -> Option<Endpoint> {
    section.get(key, |value| endpoint(value, key))
}

/// HTTPS, or HTTP to this very machine; no login and no fragment in it (RFC 6749 §3.1 and §3.2).
fn endpoint(value: &Value, key: &str) -> Result<Endpoint, Complaint> {
    let example = match key {
        "discovery" => "https://login.example.com/.well-known/openid-configuration",
        "authorization_endpoint" => "https://login.example.com/oauth2/authorize",
        "device_authorization_endpoint" => "https://login.example.com/oauth2/device",
        "revocation_endpoint" => "https://login.example.com/oauth2/revoke",
        "issuer" => "https://login.example.com",
        _ => "https://login.example.com/oauth2/token",
    };
    let expected = || Complaint::new(format!("expected an address such as \"{example}\" in `{key}`")).hint(AS_GIVEN);
    let Value::Text(text) = value else { return Err(expected()) };
    let url = oauth2::url::Url::parse(text.trim()).map_err(|_| expected())?;
    let host = url.host_str().ok_or_else(expected)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Complaint::new("a login does not stand in the address of an endpoint")
            .hint("write client_id = \"…\" and client_secret_file = \"…\""));
    }
    if url.fragment().is_some() {
        return Err(Complaint::new("the address of an endpoint has no # part (RFC 6749 §3.1)")
            .hint("leave out the # and what stands behind it"));
    }
    match url.scheme() {
        "https" => text.trim().parse().map_err(|_| expected()),
        "http" if values::is_loopback(host) => text.trim().parse().map_err(|_| expected()),
        "http" => {
            let complaint = Complaint::new("secrets would go in clear text to this address, or come from it");
            Err(complaint.hint("the address must begin with https://"))
        }
        _ => Err(expected()),
    }
}

const AS_GIVEN: &str = "write it as your provider's pages give it; it begins with https://";

/// Compared letter by letter with what the provider calls itself (RFC 9207 §2.4), so it is kept as it is written.
fn issuer(value: &Value) -> Result<String, Complaint> {
    let url = endpoint(value, "issuer")?;
    if url.as_str().contains('?') {
        return Err(Complaint::new("an issuer has no query (RFC 8414 §2)").hint(AS_GIVEN));
    }
    match value {
        Value::Text(text) => Ok(text.trim().to_owned()),
        // What is no text is no endpoint either.
        _ => Ok(url.as_str().to_owned()),
    }
}
