//! Which keys of `oauth` belong to which grant, and which ones it cannot do without.
//!
//! One table, so that a key out of place, a key that is missing and the cure for either are told by the same facts.
//! Reads no value.

use crate::config::finding::Complaint;
use crate::config::section::Section;

/// What one grant is made of, beside `grant` itself.
struct Terms {
    grant: &'static str,
    /// Whether the keys of an application are among its own.
    has_application: bool,
    /// Its other keys.
    takes: &'static [&'static str],
    /// Of each of these groups it needs one; the first is the one to write.
    needs: &'static [&'static [&'static str]],
}

/// What every grant with an application takes.
const APPLICATION: [&str; 11] = [
    "tenant",
    "discovery",
    "token_endpoint",
    "client_id",
    "client_secret",
    "client_secret_file",
    "client_secret_expires",
    "client_authentication",
    "client_certificate",
    "client_key",
    "scope",
];

const TERMS: [Terms; 7] = [
    Terms {
        grant: "authorization_code",
        has_application: true,
        takes: &["authorization_endpoint", "revocation_endpoint", "issuer", "parameters", "redirect_uri"],
        needs: &[&["token_endpoint", "discovery"], &["authorization_endpoint", "discovery"], &["client_id"]],
    },
    Terms {
        grant: "device_code",
        has_application: true,
        takes: &["device_authorization_endpoint", "revocation_endpoint"],
        needs: &[&["token_endpoint", "discovery"], &["device_authorization_endpoint", "discovery"], &["client_id"]],
    },
    Terms {
        grant: "client_credentials",
        has_application: true,
        takes: &[],
        needs: &[&["token_endpoint", "discovery"], &["client_id"]],
    },
    Terms {
        grant: "service_account",
        has_application: false,
        takes: &["token_endpoint", "scope", "key_file", "subject"],
        needs: &[&["key_file"], &["scope"]],
    },
    Terms {
        grant: "refresh_token",
        has_application: true,
        takes: &["revocation_endpoint", "refresh_token", "refresh_token_file"],
        needs: &[&["token_endpoint", "discovery"], &["client_id"], &["refresh_token_file", "refresh_token"]],
    },
    Terms {
        grant: "password",
        has_application: true,
        takes: &["password", "password_file"],
        needs: &[&["token_endpoint", "discovery"], &["client_id"], &["password_file", "password"]],
    },
    Terms { grant: "command", has_application: false, takes: &["command"], needs: &[&["command"]] },
];

impl Terms {
    fn take(&self, key: &str) -> bool {
        self.takes.contains(&key) || (self.has_application && APPLICATION.contains(&key))
    }
}

/// Notes every key that is out of place with this grant, and every one that is missing.
pub(super) fn hold(section: &Section<'_>, grant: &str) {
    let Some(terms) = TERMS.iter().find(|terms| terms.grant == grant) else { return };
    let mut others: Vec<&str> = TERMS.iter().flat_map(|terms| terms.takes).copied().chain(APPLICATION).collect();
    others.sort_unstable();
    others.dedup();
    for key in others.into_iter().filter(|key| !terms.take(key) && section.has(key)) {
        let complaint = Complaint::new(format!("`{key}` has no meaning with grant = \"{grant}\""));
        section.error(key, complaint.hint(out_of_place(key, grant)));
    }
    for group in terms.needs.iter().filter(|group| !group.iter().any(|key| section.has(key))) {
        let complaint = Complaint::new(format!("grant = \"{grant}\" needs `{}`", group[0]));
        section.error("grant", complaint.hint(to_write(group)));
    }
}

fn out_of_place(key: &str, grant: &str) -> String {
    if grant == "command" {
        return "leave it out; the command gets the token all by itself".to_owned();
    }
    let owners: Vec<String> =
        TERMS.iter().filter(|terms| terms.take(key)).map(|terms| format!("\"{}\"", terms.grant)).collect();
    if owners.len() > 3 {
        return "leave it out".to_owned();
    }
    format!("leave it out, or write grant = {}", owners.join(" or "))
}

fn to_write(group: &[&str]) -> String {
    match group {
        ["command"] => "write command = [\"/usr/local/bin/print-token\"]".to_owned(),
        ["key_file"] => {
            "write key_file = \"…\": the JSON file the provider gave out for the service account".to_owned()
        }
        [endpoint, "discovery"] => format!(
            "write {endpoint} = \"…\" as your provider gives it, or discovery = \"https://login.example.com/.well-known/openid-configuration\""
        ),
        [file, here] => format!("write {file} = \"…\" or {here} = \"…\""),
        [key, ..] => format!("write {key} = \"…\" as your provider gives it"),
        [] => String::new(),
    }
}
