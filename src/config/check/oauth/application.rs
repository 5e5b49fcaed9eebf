//! The application a grant goes by: where it is asked about, who it is, and how it proves that.
//!
//! Guarantees one proof at most, and one where the grant is nothing without it. What the provider's preset knows holds
//! only as long as its own token endpoint is asked.

use super::{Around, endpoints, given};
use crate::account::oauth::{Application, ClientAuthentication, ClientProof, Endpoints};
use crate::account::provider::Grant;
use crate::config::check::Aside;
use crate::config::files::NamedFile;
use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::values;

/// Reads it; `None` after a note, here or about what is missing.
pub(super) fn read(section: &Section<'_>, grant: Grant, around: &Around<'_>, aside: &mut Aside) -> Option<Application> {
    let endpoints = endpoints::read(section, grant, around.known);
    let client_id = section.get("client_id", values::free_text);
    let proof = proof(section, grant, around, aside);
    let scope = section.get("scope", values::free_text);
    let endpoints = endpoints?;
    let known = match &endpoints {
        Endpoints::Known(own) => around.known.filter(|known| endpoints::is_of(known, &own.token, section, grant)),
        Endpoints::Discovered(_) => None,
    };
    Some(Application {
        unused_refresh_life: known.and_then(|known| known.unused_refresh_token_life),
        endpoints,
        client_id: client_id?,
        proof,
        scope,
    })
}

const SECRET: [&str; 2] = ["client_secret", "client_secret_file"];
const CERTIFICATE: [&str; 2] = ["client_certificate", "client_key"];

fn proof(section: &Section<'_>, grant: Grant, around: &Around<'_>, aside: &mut Aside) -> ClientProof {
    let secret = secret(section, around, aside);
    let certificate = certificate(section, around, aside);
    let written = |keys: [&'static str; 2]| keys.into_iter().find(|key| section.has(key));
    match (written(SECRET), written(CERTIFICATE)) {
        (Some(_), Some(certificate)) => {
            let complaint = Complaint::new("a client secret and a client certificate are both given");
            section.error(certificate, complaint.hint("keep one of them: an application proves itself by one"));
        }
        // RFC 6749 §4.4: confidential clients only.
        (None, None) if grant == Grant::ClientCredentials => {
            let complaint = Complaint::new("grant = \"client_credentials\" needs a client secret or a certificate");
            let hint = "write client_secret_file = \"…\", or client_certificate = \"…\" and client_key = \"…\"";
            section.error("grant", complaint.hint(hint));
        }
        _ => {}
    }
    secret.or(certificate).unwrap_or(ClientProof::None)
}

fn secret(section: &Section<'_>, around: &Around<'_>, aside: &mut Aside) -> Option<ClientProof> {
    let sent = match section.word("client_authentication") {
        Some("basic") => ClientAuthentication::Basic,
        _ => ClientAuthentication::Body,
    };
    let expires = section.get("client_secret_expires", values::date);
    let Some(secret) = given::read(section, SECRET, around.directory, aside) else {
        for key in ["client_authentication", "client_secret_expires"].into_iter().filter(|key| section.has(key)) {
            let complaint = Complaint::new(format!("`{key}` is about a client secret, and there is none"));
            section.error(key, complaint.hint("write client_secret_file = \"…\", or leave this out"));
        }
        return None;
    };
    Some(ClientProof::Secret { secret, sent, expires })
}

fn certificate(section: &Section<'_>, around: &Around<'_>, aside: &mut Aside) -> Option<ClientProof> {
    let certificate = section.path("client_certificate", around.directory);
    let key = section.path("client_key", around.directory);
    for (given, missing) in [("client_certificate", "client_key"), ("client_key", "client_certificate")] {
        if section.has(given) && !section.has(missing) {
            let complaint = Complaint::new(format!("`{given}` is given without `{missing}`"));
            section.error(given, complaint.hint(format!("write {missing} = \"…\", the path of a PEM file")));
        }
    }
    if let Some(path) = &certificate {
        aside.name(section, "client_certificate", NamedFile::Registered(path.clone()));
    }
    let (certificate, key) = (certificate?, key?);
    let proof = NamedFile::Proof { certificate: certificate.clone(), key: key.clone() };
    aside.name(section, "client_key", proof);
    Some(ClientProof::Certificate { certificate, key })
}
