//! Promise 4 for the configuration: a password that stands in the wrong place is never shown.
//!
//! Each story puts the same password where people put it by mistake, and looks for it in everything that can be
//! printed: the report in colour and without, its JSON, and the debug print of whatever came back.

use std::collections::BTreeMap;
use std::io::Write;

use posthouse::config::{self, Sources, report};

const SECRET: &str = "hunter2-Xyzzy";
const ACCOUNT: &str = "[accounts.a]\nhost = \"smtp.example.com\"\naddress = \"a@example.com\"\n";

/// Everything that can be printed about this file and these variables, and whether there was anything to say.
fn printed(text: &str, variables: &[(&str, &str)]) -> (String, usize) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let environment: BTreeMap<_, _> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let result = config::load(&Sources { path: Some(file.path().into()), environment, overrides: Vec::new() });
    let debug = format!("{result:?}");
    let findings = result.map_or_else(|report| report.findings, |loaded| loaded.warnings);
    let shown =
        format!("{}{}{}", report::text(&findings, false), report::text(&findings, true), report::json(&findings));
    (shown + &debug, findings.len())
}

fn stays_hidden(story: &str, text: &str, variables: &[(&str, &str)]) {
    let (printed, findings) = printed(text, variables);
    assert!(findings > 0, "{story}: nothing was found\n{text}");
    // A part of it would be too much as well.
    for part in [SECRET, "hunter2", "Xyzzy"] {
        assert!(!printed.contains(part), "{story}:\n{text}\ngives the secret away in\n{printed}");
    }
}

#[test]
fn a_password_in_the_wrong_place_of_the_file_is_never_shown() {
    let stories = [
        ("under a misspelt key", "A pasword = \"S\""),
        ("under a key nobody knows", "A colour = \"S\""),
        ("as a list", "A password = [\"S\"]"),
        ("as an inline table", "A password = { value = \"S\" }"),
        ("as a key of an inline table", "A password = { S = 1 }"),
        ("as a section", "A[accounts.a.password.S]\nx = 1"),
        ("as a key of its own", "A \"S\" = 1"),
        ("as a dotted key", "A password.S = true"),
        ("in a string of many lines", "A password = \"\"\"\nS\nS\n\"\"\""),
        ("in a literal string of many lines", "A password = '''\nS\n'''"),
        ("where a file is meant", "A password_file = \"S\""),
        ("where a command is meant", "A password_command = \"get -p S\""),
        ("among a command's words, with another mistake on the line", "A password_command = [\"S\", 1]"),
        ("where the port is meant", "A port = \"S\""),
        ("where a word is meant", "A encryption = \"S\""),
        ("where a mechanism is meant", "A mechanism = \"S\""),
        ("where true is meant", "A allow_plaintext_credentials = \"S\""),
        ("where a section is meant", "A limits = \"S\""),
        ("where a number is meant in a section", "A limits = { connections = \"S\" }"),
        ("beside another mistake on the line", "A oauth = { grant = \"command\", client_secret = \"S\", x = 1 }"),
        ("in the token endpoint", "A oauth = { grant = \"client_credentials\", token_endpoint = \"http://S@h/S\" }"),
        ("in the redirect address", "A oauth = { grant = \"authorization_code\", redirect_uri = \"https://a:S@h/\" }"),
        ("as a parameter", "A oauth = { grant = \"authorization_code\", parameters = [\"S\", \"state=S\"] }"),
        ("as the issuer", "A oauth = { grant = \"authorization_code\", issuer = \"https://h/?S\" }"),
        ("as the discovery document", "A oauth = { grant = \"device_code\", discovery = \"http://S@h/S\" }"),
        ("as the day a secret ends", "A oauth = { grant = \"client_credentials\", client_secret_expires = \"S\" }"),
        ("as a refresh token of two lines", "A oauth = { grant = \"refresh_token\", refresh_token = \"S\\nS\" }"),
        (
            "where a refresh token's file is meant",
            "A oauth = { grant = \"refresh_token\", refresh_token_file = \"S\" }",
        ),
        ("where a password's file is meant", "A oauth = { grant = \"password\", password_file = \"S\" }"),
        ("as a key of another grant", "A oauth = { grant = \"command\", password = \"S\", refresh_token = \"S\" }"),
        (
            "as the identity of an application",
            "A oauth = { grant = \"device_code\", client_id = \"S\", scope = \"S\" }",
        ),
        (
            "as a service account's key",
            "A oauth = { grant = \"service_account\", key_file = \"{ \\\"private_key\\\": \\\"S\\\" }\" }",
        ),
        ("as the key of the vault, twice", "A[storage]\nkey = \"S\"\nkey_file = \"S\""),
        ("as the grant", "A oauth = { grant = \"S\" }"),
        ("as the oauth table", "A oauth = \"S\""),
        ("twice", "A password = \"S\"\npassword = \"S\""),
        ("without quotes", "A password = S"),
        ("without its last quote", "A password = \"S"),
        ("without an equals sign", "A password \"S\""),
        ("on a line of its own", "A password =\n\"S\""),
        ("on a line of its own, without quotes", "A S"),
        ("in a string with a bad escape", "A password = \"\\SS\""),
        ("in a string with a control character", "A password = \"\u{1}S\""),
        ("in a remark beside a mistake", "A port = 0 # S"),
        ("in a remark on a line that is no TOML", "A port # password = S"),
        ("in the host", "[accounts.a]\nhost = \"smtp://a:S@smtp.example.com\""),
        ("in the host, the short way", "[accounts.a]\nhost = \"a:S@smtp.example.com\""),
        ("as a section nobody knows", "A[secrets]\na = \"S\""),
        ("in a list of sections nobody knows", "A[[secrets]]\na = [{ b = \"S\" }]"),
        ("as the name of an account", "A[accounts.\"S \"]\nhost = 1"),
        ("as an alias", "A[aliases]\nroot = \"S S\""),
        ("as the name of an alias", "A[aliases]\n\"S S\" = \"S\""),
        ("as a device", "A[devices]\nfax = \"S\""),
        ("as a device's password, misspelt", "A[devices.fax]\npasswd = \"S\""),
        ("as a duration", "A[delivery]\nwait = \"S\""),
        ("as a size", "A[[listeners]]\nmax_message_size = \"S\""),
        (
            "as a certificate",
            "A[[listeners]]\ntls = \"implicit\"\nkey = \"-----BEGIN PRIVATE KEY-----\\nS\"\ncertificate = 1",
        ),
        ("as a level", "A[log]\nlevel = \"S\""),
        ("as a whole file", "S"),
        ("as an address", "A[[listeners]]\nbind = [\"S\"]\nallow = [\"S\"]\nsenders = [\"S S\"]"),
    ];
    for (story, text) in stories {
        // The escape `\S` stays one: only the second letter is replaced.
        let text = text.replace("\\SS", "\\q\u{0}").replace(['S', '\u{0}'], SECRET);
        let text = match text.strip_prefix("A ") {
            Some(line) => format!("{ACCOUNT}{line}\n"),
            None => text.strip_prefix('A').map_or(format!("{text}\n"), |rest| format!("{ACCOUNT}{rest}\n")),
        };
        stays_hidden(story, &text, &[]);
    }
}

#[test]
fn a_number_that_is_a_password_is_never_shown() {
    let text = format!("{ACCOUNT}password = 8812734\npasswort = 8812734\n");
    let (printed, findings) = printed(&text, &[]);
    assert!(findings >= 2);
    assert!(!printed.contains("8812734"), "{printed}");
}

#[test]
fn a_password_in_the_wrong_variable_is_never_shown() {
    for name in [
        "POSTHOUSE__ACCOUNTS__A__PASSWROD",
        "POSTHOUSE__ACCOUNTS__A",
        "POSTHOUSE__ACCOUNTS__A__PORT",
        "POSTHOUSE__ACCOUNTS__A__PASSWORD__X__Y",
        "POSTHOUSE__ACCOUNTS__A__PASSWORD__0",
        "POSTHOUSE__ACCOUNTS__A__PASSWORD_FILE",
        "POSTHOUSE__ACCOUNTS__A__OAUTH__CLIENT_SECRET_FILE",
        "POSTHOUSE__ACCOUNTS__A__OAUTH__REFRESH_TOKEN_FILE",
        "POSTHOUSE__STORAGE__KEY_FILE",
        "POSTHOUSE__ACCOUNTS__A__MECHANISM",
        "POSTHOUSE__DEVICES__FAX__PASSWORD_FILE",
        "POSTHOUSE__LISTENERS__0__BIND",
        "POSTHOUSE__NOTHING",
    ] {
        stays_hidden(name, ACCOUNT, &[(name, SECRET)]);
    }
    let host = format!("smtp://a:{SECRET}@smtp.example.com");
    stays_hidden("in the host", ACCOUNT, &[("POSTHOUSE__ACCOUNTS__A__HOST", &host)]);
}

#[test]
fn a_password_in_the_right_place_is_not_shown_either() {
    let text = format!(
        "{ACCOUNT}password = \"{SECRET}\"\nencryption = \"starttls_auto\"\n[devices.fax]\npassword = \"{SECRET}\"\n"
    );
    stays_hidden("with warnings", &text, &[]);
    let clean = format!("{ACCOUNT}password = \"{SECRET}\"\n");
    let (printed, findings) = printed(&clean, &[]);
    assert_eq!(findings, 0);
    assert!(!printed.contains(SECRET), "{printed}");
}
