//! `posthouse check --print-effective`: what it prints is what holds, can be used again, and gives no secret away.

use std::path::PathBuf;

use super::example::{IN_A_REMARK, example};
use super::{ACCOUNT, Desk, load, sources};
use posthouse::config::{self, Effective, Loaded, Override};

fn effective(loaded: &Loaded) -> Effective {
    Effective::new(loaded, "printer-room")
}

const VAULT_KEY: &str = "c29tZSBrZXkgb2YgMzIgb2N0ZXRzIGZvciB0ZXN0cyE=";

/// The example with everything in it, and the files it names in a directory of their own.
fn everything(desk: &Desk) -> (PathBuf, Loaded) {
    let (certificate, key) = super::identity();
    desk.write("certs/relay.pem", &certificate);
    desk.write("certs/relay.key", &key);
    desk.write("certs/own-ca.pem", &certificate);
    for signer in ["scanner", "invoices"] {
        desk.write(&format!("certs/{signer}.pem"), &certificate);
        desk.write(&format!("certs/{signer}.key"), &key);
    }
    let account = r#"{"type":"service_account","token_uri":"https://oauth2.googleapis.com/token","client_email":"relay@example.iam.gserviceaccount.com","private_key":"KEY"}"#;
    desk.write("certs/service-account.json", &account.replace("KEY", &key.replace('\n', "\\n")));
    for named in example(true).split("\"/etc/posthouse/").skip(1) {
        let name = named.split('"').next().unwrap();
        desk.write(name, if name == "vault.key" { VAULT_KEY } else { "correct-horse\n" });
    }
    desk.write("vault.key", &format!("{}\n", "ab".repeat(32)));
    let path = desk.write("posthouse.toml", &example(true).replace("/etc/posthouse/", ""));
    let loaded = config::load(&sources(&path, &[])).unwrap_or_else(|report| panic!("{report}"));
    (path, loaded)
}

#[test]
fn each_value_says_where_it_came_from() {
    let desk = Desk::new();
    let text = "default_domain = \"example.com\"\n\
        [accounts.\"my-office.1\"]\n\
        host = \"smtp.example.com\"\n\
        encryption = \"starttls\"\n\
        address = \"scanner@example.com\"\n\
        username = \"correct-horse\"\n\
        password_command = [\"/usr/bin/pass\", \"correct-horse\"]\n\
        [accounts.cloud]\n\
        host = \"smtp.example.net\"\n\
        address = \"scanner@example.net\"\n\
        [accounts.cloud.oauth]\n\
        grant = \"client_credentials\"\n\
        token_endpoint = \"https://login.example.net/token?key=correct-horse\"\n\
        client_id = \"correct-horse\"\n\
        client_secret = \"correct-horse\"\n\
        scope = \"https://mail.example.net/send\"\n\
        [[listeners]]\n\
        bind = [\"127.0.0.1:25\"]\n\
        auth = \"optional\"\n\
        [devices.fax]\n\
        password = \"correct-horse\"\n";
    let path = desk.write("posthouse.toml", text);
    let mut from = sources(
        &path,
        &[
            ("HOME", "/home/a"),
            ("HTTPS_PROXY", "http://proxy.example.com:3128"),
            ("POSTHOUSE__DEFAULT_ACCOUNT", "cloud"),
            ("POSTHOUSE__LISTENERS__0__BIND__1", "[::1]:25"),
            ("POSTHOUSE__SESSIONS__MAX", "50"),
        ],
    );
    from.overrides.push(Override { flag: "--log-level".into(), key: "log.level".into(), value: "debug".into() });
    let said = effective(&config::load(&from).unwrap()).toml().replace(&path.display().to_string(), "posthouse.toml");
    super::assert_golden("config/effective.expected", &said);
    assert!(!said.contains("correct-horse"), "a secret is given away:\n{said}");
}

#[test]
fn what_a_provider_filled_in_says_so() {
    let origins = |text: &str| {
        let loaded = Desk::new().load(text, &[]).unwrap();
        let settings = effective(&loaded).json()["settings"].clone();
        ["provider", "host", "port", "limits.recipients_per_message"].map(|key| {
            let of_key = |line: &&serde_json::Value| line["key"] == format!("accounts.office.{key}");
            settings.as_array().unwrap().iter().find(of_key).unwrap()["origin"].as_str().unwrap().to_owned()
        })
    };
    let account = "[accounts.office]\npassword = \"x\"\naddress = \"scanner@gmail.com\"\n";
    let guessed = "provider gmail, posthouse.toml:3";
    assert_eq!(origins(account), ["from address", guessed, guessed, guessed]);
    let named = format!("{account}provider = \"gmail\"\nport = 587\n");
    let asked = "provider gmail, posthouse.toml:4";
    assert_eq!(origins(&named), ["posthouse.toml:4", asked, "posthouse.toml:5", asked]);
}

#[test]
fn what_is_printed_can_be_loaded_and_means_the_same() {
    let desk = Desk::new();
    // What is hidden is for the reader to fill in.
    let hidden = [
        ("POSTHOUSE__ACCOUNTS__OFFICE__USERNAME", "scanner"),
        ("POSTHOUSE__ACCOUNTS__OFFICE__HEADERS__SET", "Organization: Example Ltd"),
        ("POSTHOUSE__ACCOUNTS__OFFICE__HEADERS__ADD", "X-Site: Basel"),
        ("POSTHOUSE__ACCOUNTS__OFFICE__HEADERS__SUBJECT_PREFIX", "[Scan]"),
        ("POSTHOUSE__ACCOUNTS__OFFICE__PROXY", "socks5://scanner@proxy.example.com:1080"),
        ("POSTHOUSE__ACCOUNTS__BACKUP__PROXY", "http://scanner@192.168.1.9:3128"),
        ("POSTHOUSE__ACCOUNTS__BACKUP__PROXY_PASSWORD", "x"),
        ("POSTHOUSE__ACCOUNTS__GMAIL__OAUTH__COMMAND", "/usr/local/bin/print-token,scanner@example.com"),
        ("POSTHOUSE__ACCOUNTS__SES__USERNAME", "the-smtp-user-name-from-the-console"),
        ("POSTHOUSE__ACCOUNTS__VAULT__PASSWORD_COMMAND", "/usr/bin/pass,show,mail/scanner"),
        ("POSTHOUSE__ACCOUNTS__BACKUP__PASSWORD", "x"),
        ("POSTHOUSE__DEVICES__SCANNER2__PASSWORD", "x"),
    ];
    let (_, loaded) = everything(&desk);
    let printed = effective(&loaded).toml();
    let again = config::load(&sources(&desk.write("elsewhere/again.toml", &printed), &hidden));
    let again = again.unwrap_or_else(|report| panic!("{report}\n{printed}"));
    assert_eq!(format!("{:#?}", again.config), format!("{:#?}", loaded.config), "{printed}");
    assert_eq!(again.presets, loaded.presets, "{printed}");

    // Of the defaults nothing is hidden, and they are those of the example.
    let bare = desk.load(&format!("{ACCOUNT}mechanism = \"none\"\n"), &[]).unwrap();
    let printed = effective(&bare).toml();
    assert_eq!(format!("{:#?}", load(&printed, &[])), format!("{:#?}", bare.config), "{printed}");
    assert_eq!(super::schema::complaints(&printed), "");
}

#[test]
fn every_key_of_the_table_is_shown_where_it_has_a_value() {
    let (_, loaded) = everything(&Desk::new());
    let shown = effective(&loaded).json();
    let settings = shown["settings"].as_array().unwrap();
    let shown: Vec<String> = settings.iter().map(|line| super::bad::general(line["key"].as_str().unwrap())).collect();
    let missing: Vec<String> = config::all_keys().into_iter().filter(|key| !shown.contains(key)).collect();
    // The example cannot be used with both a secret and its file; the test of secrets below has these.
    let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
    assert_eq!(missing, IN_A_REMARK, "show them in src/config/effective");
}

#[test]
fn a_password_of_an_identity_is_there_and_not_shown() {
    let desk = Desk::new();
    let (certificate, key) = super::identity();
    desk.write("signer.pem", &(certificate + &key));
    let one = "identity = \"signer.pem\"\npassword = \"correct-horse\"\nsenders = \"*\"\n";
    let text = format!("{ACCOUNT}[accounts.office.smime]\n{one}[[accounts.office.smime.identities]]\n{one}");
    let shown = effective(&desk.load(&text, &[]).unwrap());
    assert!(!shown.toml().contains("correct-horse"));
    let json = shown.json();
    for key in ["accounts.office.smime.password", "accounts.office.smime.identities[0].password"] {
        let line = json["settings"].as_array().unwrap().iter().find(|line| line["key"] == key);
        assert!(line.is_some_and(|line| line["hidden"] == true && line["value"].is_null()), "{key}: {json:#}");
    }
}

#[test]
fn secrets_of_a_grant_and_of_the_vault_are_there_and_not_shown() {
    let grant = |lines: &str| {
        format!("{ACCOUNT}[accounts.office.oauth]\ntoken_endpoint = \"https://a.example/\"\nclient_id = \"x\"\n{lines}")
    };
    for (key, lines) in [
        ("accounts.office.oauth.client_secret", "grant = \"client_credentials\"\nclient_secret = \"correct-horse\"\n"),
        ("accounts.office.oauth.refresh_token", "grant = \"refresh_token\"\nrefresh_token = \"correct-horse\"\n"),
        ("accounts.office.oauth.password", "grant = \"password\"\npassword = \"correct-horse\"\n"),
        ("storage.key", &format!("grant = \"password\"\npassword = \"x\"\n[storage]\nkey = \"{VAULT_KEY}\"\n")),
    ] {
        let shown = effective(&Desk::new().load(&grant(lines), &[]).unwrap());
        assert!(["correct-horse", VAULT_KEY].iter().all(|secret| !shown.toml().contains(secret)), "{key}");
        let json = shown.json();
        let line = json["settings"].as_array().unwrap().iter().find(|line| line["key"] == key);
        assert!(line.is_some_and(|line| line["hidden"] == true && line["value"].is_null()), "{key}");
    }
}
