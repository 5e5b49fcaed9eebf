//! `oauth = { grant = …, … }` of an account.
//!
//! Guarantees that each grant has what it needs and nothing that belongs to another one: [`terms`] knows which keys are
//! whose, [`endpoints`] and [`application`] read what several grants share, [`mod@redirect`] and [`given`] single
//! values. What the scopes ask for is judged beside this, in `scopes`. Calls no endpoint and reads no file.

mod application;
mod endpoints;
mod given;
mod redirect;
mod terms;

pub(in crate::config) use redirect::read as redirect;

use std::path::Path;

use super::Aside;
use super::accounts::command;
use crate::account::Source;
use crate::account::oauth::{Grant, Redirect, ServiceAccount};
use crate::account::provider::{self, OAuth};
use crate::config::files::NamedFile;
use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::tree::Value;
use crate::config::values;

/// What of the account its grant goes by.
pub(super) struct Around<'a> {
    /// Where relative paths count from.
    pub(super) directory: &'a Path,
    /// What is known of the provider's OAuth.
    pub(super) known: Option<&'a OAuth>,
    /// The login name, if one can be read.
    pub(super) username: Option<String>,
}

/// Reads the grant; `None` after an error was noted, here or at the login name.
pub(super) fn grant(section: &Section<'_>, around: &Around<'_>, aside: &mut Aside) -> Option<Grant> {
    if !section.has("grant") {
        let complaint = Complaint::new("which OAuth grant? `grant` is missing");
        section.error_here(complaint.hint(
            "write grant = \"authorization_code\" to sign in once with a browser, \"device_code\" with a browser on \
             another machine, \"client_credentials\" for an application that signs in by itself, or \"command\"",
        ));
        return None;
    }
    let word = section.word("grant")?;
    terms::hold(section, word);
    match word {
        "command" => command(section, "command").map(|command| Grant::Command { command }),
        "service_account" => service_account(section, around, aside),
        _ => by_application(section, word, around, aside),
    }
}

fn by_application(section: &Section<'_>, word: &str, around: &Around<'_>, aside: &mut Aside) -> Option<Grant> {
    // All keys are read before one that is missing ends it, so that the mistakes in each come to light.
    let grant = provider::Grant::named(word);
    let application = application::read(section, grant?, around, aside);
    Some(match word {
        "authorization_code" => {
            let redirect = redirect_of(section);
            let parameters = parameters(section);
            Grant::AuthorizationCode { application: application?, redirect: redirect?, parameters: parameters? }
        }
        "device_code" => Grant::DeviceCode { application: application? },
        "refresh_token" => {
            let token = given::read(section, ["refresh_token", "refresh_token_file"], around.directory, aside);
            section.warning("grant", only_user());
            Grant::RefreshToken { application: application?, token: token? }
        }
        "password" => {
            let password = given::read(section, ["password", "password_file"], around.directory, aside);
            section.warning("grant", no_password());
            Grant::Password { application: application?, password: password? }
        }
        _ => Grant::ClientCredentials { application: application? },
    })
}

/// RFC 9700 §4.14.2: a refresh token that rotates works once, and a second use may end the whole sign-in.
fn only_user() -> Complaint {
    Complaint::new("a refresh token that the provider replaces at each use can serve one program only").hint(
        "let nothing else use this token; grant = \"authorization_code\" and `posthouse login` get one of our own",
    )
}

/// RFC 9700 §2.4
fn no_password() -> Complaint {
    Complaint::new(
        "grant = \"password\" hands the mailbox's own password over for each token (RFC 9700 §2.4 forbids it), and fails where a second factor is asked for",
    )
    .hint("write grant = \"authorization_code\", \"device_code\" or \"client_credentials\" if the provider takes one of them")
}

/// Where the browser goes when neither the account nor its provider says so: RFC 8252 §7.3.
const REDIRECT: &str = "http://127.0.0.1/";

fn redirect_of(section: &Section<'_>) -> Option<Redirect> {
    if section.has("redirect_uri") {
        return section.get("redirect_uri", redirect);
    }
    redirect::understand(REDIRECT).ok()
}

fn parameters(section: &Section<'_>) -> Option<Vec<(String, String)>> {
    if !section.has("parameters") {
        return Some(Vec::new());
    }
    let mut parameters: Vec<(String, String)> = Vec::new();
    for ((name, value), origin) in section.list("parameters", parameter)? {
        if parameters.iter().any(|(other, _)| *other == name) {
            let complaint = Complaint::new("a parameter stands here twice (RFC 6749 §3.1)");
            section.error_at(&origin, &section.key("parameters"), complaint.hint("keep one of the two"));
        }
        parameters.push((name, value));
    }
    Some(parameters)
}

/// What the authorization request is made of; another value would break the sign-in or its protection.
const OURS: [&str; 8] = [
    "client_id",
    "client_secret",
    "code_challenge",
    "code_challenge_method",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
];

fn parameter(value: &Value) -> Result<(String, String), Complaint> {
    let text = values::free_text(value)?;
    let named = text.split_once('=').filter(|(name, _)| !name.is_empty() && !name.contains(char::is_whitespace));
    let Some((name, value)) = named else {
        return Err(Complaint::new("expected a parameter such as \"prompt=consent\"").hint(
            "write name=value, each parameter in quotes of its own: [\"access_type=offline\", \"prompt=consent\"]",
        ));
    };
    match OURS.into_iter().find(|ours| *ours == name) {
        Some(ours) => Err(Complaint::new(format!("Posthouse sets `{ours}` itself"))
            .hint("leave it out; client_id, redirect_uri and scope have keys of their own")),
        None => Ok((name.to_owned(), value.to_owned())),
    }
}

fn service_account(section: &Section<'_>, around: &Around<'_>, aside: &mut Aside) -> Option<Grant> {
    let key_file = section.path("key_file", around.directory);
    let token_endpoint = endpoints::address(section, "token_endpoint");
    let scope = section.get("scope", values::free_text);
    let written = section.get("subject", values::free_text);
    // An account without a login name is told of that.
    let subject = if section.has("subject") { written } else { around.username.clone() };
    // What is missing or unreadable is noted; the file is looked at all the same.
    let is_whole = scope.is_some() && subject.is_some();
    let (scope, subject) = (scope.unwrap_or_default(), subject.unwrap_or_default());
    let account = ServiceAccount { key_file: key_file?, token_endpoint, scope, subject };
    aside.name(section, "key_file", NamedFile::ServiceAccount(account.clone()));
    is_whole.then_some(Grant::ServiceAccount(account))
}

/// The host of the token endpoint, if tokens come from one and the configuration says from which.
pub(super) fn endpoint_host(credential: &Source) -> Option<String> {
    let endpoint = match credential.grant()? {
        Grant::ServiceAccount(account) => account.token_endpoint.as_ref()?,
        grant => grant.application()?.endpoints.address(),
    };
    Some(endpoint.host().to_owned())
}
