//! `[accounts.NAME.oauth]`: a grant back in the words of the configuration file.
//!
//! Shows no secret, and of what could hold one only what looks as it should. What a grant does not take is not printed,
//! so that the page can be loaded again.

use super::page::Page;
use super::pages::{HIDDEN, program};
use super::words;
use crate::account::oauth::{Application, ClientProof, Endpoints, Given, Grant, KnownEndpoints, ServiceAccount};
use crate::net::http::Endpoint;

/// Fills the page of a grant, keys in the order of their table.
pub(super) fn fill(page: &mut Page<'_>, grant: &Grant) {
    page.put("grant", grant.name());
    if let Some(application) = grant.application() {
        fill_application(page, application);
    }
    match grant {
        Grant::AuthorizationCode { redirect, parameters, .. } => {
            let parameters: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            if parameters.iter().all(|parameter| words::looks_like_parameter(parameter)) {
                page.put_list("parameters", &parameters);
            } else {
                page.hidden("parameters", words::list(&[HIDDEN]));
            }
            shown_if(page, "redirect_uri", &redirect.to_string(), |text| !text.contains('?'));
        }
        Grant::ServiceAccount(account) => service_account(page, account),
        Grant::RefreshToken { token, .. } => given(page, ["refresh_token", "refresh_token_file"], token),
        Grant::Password { password, .. } => given(page, ["password", "password_file"], password),
        Grant::Command { command } => page.hidden("command", program(command)),
        Grant::DeviceCode { .. } | Grant::ClientCredentials { .. } => {}
    }
}

fn fill_application(page: &mut Page<'_>, application: &Application) {
    page.put_template("tenant");
    match &application.endpoints {
        Endpoints::Discovered(document) => endpoint(page, "discovery", document.address()),
        Endpoints::Known(known) => endpoints(page, known),
    }
    shown_if(page, "client_id", &application.client_id, words::looks_like_identity);
    match &application.proof {
        ClientProof::None => {}
        ClientProof::Secret { secret, sent, expires } => {
            given(page, ["client_secret", "client_secret_file"], secret);
            page.put_some("client_secret_expires", expires.map(|day| day.to_string()));
            page.put("client_authentication", words::client_authentication(*sent));
        }
        ClientProof::Certificate { certificate, key } => {
            page.put("client_certificate", words::path(certificate));
            page.put("client_key", words::path(key));
        }
    }
    if let Some(scope) = &application.scope {
        shown_if(page, "scope", scope, words::looks_like_scope);
    }
}

fn endpoints(page: &mut Page<'_>, known: &KnownEndpoints) {
    endpoint(page, "token_endpoint", &known.token);
    let others = [
        ("authorization_endpoint", &known.authorization),
        ("device_authorization_endpoint", &known.device_authorization),
        ("revocation_endpoint", &known.revocation),
    ];
    for (key, address) in others {
        if let Some(address) = address {
            endpoint(page, key, address);
        }
    }
    page.put_some("issuer", known.issuer.as_deref());
}

fn service_account(page: &mut Page<'_>, account: &ServiceAccount) {
    if let Some(address) = &account.token_endpoint {
        endpoint(page, "token_endpoint", address);
    }
    shown_if(page, "scope", &account.scope, words::looks_like_scope);
    page.put("key_file", words::path(&account.key_file));
    if page.is_written("subject") {
        shown_if(page, "subject", &account.subject, words::looks_like_identity);
    } else if words::looks_like_identity(&account.subject) {
        page.unwritten("subject", account.subject.as_str(), "the login name");
    }
}

/// `[here, file]`
fn given(page: &mut Page<'_>, [here, file]: [&str; 2], secret: &Given) {
    match secret {
        Given::Here(_) => page.hidden(here, HIDDEN),
        Given::File(path) => page.put(file, words::path(path)),
    }
}

fn shown_if(page: &mut Page<'_>, key: &str, text: &str, harmless: impl Fn(&str) -> bool) {
    if harmless(text) { page.put(key, text) } else { page.hidden(key, HIDDEN) }
}

/// The query of an address can hold a key.
fn endpoint(page: &mut Page<'_>, key: &str, endpoint: &Endpoint) {
    if endpoint.as_str().contains('?') {
        page.hidden(key, format!("{endpoint}?{HIDDEN}"));
    } else {
        page.put(key, endpoint.as_str());
    }
}
