//! `oauth = { grant = …, … }` of an account.
//!
//! Guarantees that each grant has what it needs and nothing that belongs to another one. Calls no endpoint.

use std::path::Path;

use super::Aside;
use super::accounts::command;
use crate::account::Source;
use crate::account::oauth::{Application, ClientAuthentication, ClientProof, Endpoints, Given, Grant};
use crate::config::files::{Named, NamedFile};
use crate::config::finding::Complaint;
use crate::config::keys;
use crate::config::section::Section;
use crate::config::tree::{Origin, Value};
use crate::config::values;
use crate::net::http::Endpoint;
use crate::secret::Secret;

/// Grants of a later version.
const LATER: [&str; 5] = ["authorization_code", "device_code", "service_account", "refresh_token", "password"];

/// Keys that only one of the grants has.
const CLIENT_CREDENTIALS_ONLY: [&str; 7] =
    ["tenant", "token_endpoint", "client_id", "client_secret", "client_secret_file", "scope", "client_authentication"];

/// Reads the grant; `None` after an error was noted.
pub(super) fn grant(section: &Section<'_>, directory: &Path, aside: &mut Aside) -> Option<Grant> {
    if !section.has("grant") {
        let complaint = Complaint::new("which OAuth grant? `grant` is missing");
        section.error_here(complaint.hint("write grant = \"client_credentials\" or grant = \"command\""));
        return None;
    }
    match section.get("grant", grant_word)? {
        "command" => by_command(section),
        _ => client_credentials(section, directory, aside),
    }
}

fn grant_word(value: &Value) -> Result<&'static str, Complaint> {
    match value {
        Value::Text(text) if LATER.contains(&text.trim()) => Err(Complaint::new("this grant is not available in this version")
            .hint("write grant = \"command\" and command = [\"…\"]: a program that prints an access token; or grant = \"client_credentials\"")),
        value => values::word(value, keys::GRANT),
    }
}

fn by_command(section: &Section<'_>) -> Option<Grant> {
    for key in CLIENT_CREDENTIALS_ONLY.into_iter().filter(|key| section.has(key)) {
        let complaint = Complaint::new(format!("`{key}` has no meaning with grant = \"command\""));
        section.error(key, complaint.hint("leave it out; the command gets the token all by itself"));
    }
    if !section.has("command") {
        let complaint = Complaint::new("grant = \"command\" needs `command`");
        section.error("grant", complaint.hint("write command = [\"/usr/local/bin/print-token\"]"));
    }
    command(section, "command").map(|command| Grant::Command { command })
}

fn client_credentials(section: &Section<'_>, directory: &Path, aside: &mut Aside) -> Option<Grant> {
    for key in ["token_endpoint", "client_id"].into_iter().filter(|key| !section.has(key)) {
        let complaint = Complaint::new(format!("grant = \"client_credentials\" needs `{key}`"));
        section.error("grant", complaint.hint(format!("write {key} = \"…\" as your provider gives it")));
    }
    if section.has("command") {
        let complaint = Complaint::new("`command` has no meaning with grant = \"client_credentials\"");
        section.error("command", complaint.hint("leave it out, or write grant = \"command\""));
    }
    let authentication = section.word("client_authentication");
    // All keys are read before one that is missing ends it, so that the mistakes in each come to light.
    let token_endpoint = section.get("token_endpoint", token_endpoint);
    let client_id = section.get("client_id", values::free_text);
    let client_secret = client_secret(section, directory, aside);
    let scope = section.get("scope", values::free_text);
    let sent = match authentication {
        Some("basic") => ClientAuthentication::Basic,
        _ => ClientAuthentication::Body,
    };
    Some(Grant::ClientCredentials {
        application: Application {
            endpoints: Endpoints::token_only(token_endpoint?),
            client_id: client_id?,
            proof: ClientProof::Secret { secret: client_secret, sent, expires: None },
            scope,
            unused_refresh_life: None,
        },
    })
}

/// The host of the token endpoint, if tokens come from one.
pub(super) fn endpoint_host(credential: &Source) -> Option<String> {
    match credential {
        Source::OAuth(grant) => Some(grant.application()?.endpoints.address().host().to_owned()),
        Source::None | Source::Password(_) | Source::PasswordFile(_) | Source::PasswordCommand(_) => None,
    }
}

/// HTTPS, or HTTP to this very machine; no login and no fragment in it (RFC 6749 §3.2).
fn token_endpoint(value: &Value) -> Result<Endpoint, Complaint> {
    let expected =
        || Complaint::new("expected an address such as \"https://login.example.com/oauth2/token\" in `token_endpoint`");
    let Value::Text(text) = value else { return Err(expected()) };
    let url = oauth2::url::Url::parse(text.trim()).map_err(|_| expected())?;
    let host = url.host_str().ok_or_else(expected)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Complaint::new("a login does not stand in the address of the token endpoint")
            .hint("write client_id = \"…\" and client_secret_file = \"…\""));
    }
    if url.fragment().is_some() {
        return Err(Complaint::new("the address of a token endpoint has no # part (RFC 6749 §3.2)"));
    }
    match url.scheme() {
        "https" => text.trim().parse().map_err(|_| expected()),
        "http" if values::is_loopback(host) => text.trim().parse().map_err(|_| expected()),
        "http" => {
            Err(Complaint::new("the client secret would go in clear text").hint("the address must begin with https://"))
        }
        _ => Err(expected()),
    }
}

fn client_secret(section: &Section<'_>, directory: &Path, aside: &mut Aside) -> Given {
    let nothing = || Given::Here(Secret::new(String::new()));
    match (section.has("client_secret"), section.has("client_secret_file")) {
        (true, true) => {
            let complaint = Complaint::new("`client_secret` and `client_secret_file` are both given");
            section.error("client_secret_file", complaint.hint("keep one of them"));
            nothing()
        }
        (true, false) => {
            aside.holds_secret |= matches!(section.origin_of("client_secret"), Origin::File(_));
            section.get("client_secret", values::secret).map_or_else(nothing, Given::Here)
        }
        (false, true) => match section.path("client_secret_file", directory) {
            Some(path) => {
                let (origin, key) = (section.origin_of("client_secret_file"), section.key("client_secret_file"));
                aside.named_files.push(Named { origin, key, file: NamedFile::Secret(path.clone()) });
                Given::File(path)
            }
            None => nothing(),
        },
        (false, false) => {
            let complaint = Complaint::new("grant = \"client_credentials\" needs a client secret");
            section.error("grant", complaint.hint("write client_secret_file = \"…\" or client_secret = \"…\""));
            nothing()
        }
    }
}
