//! What is shown of a provider, held against files that are read by people; and that what is to be pasted works.
//!
//! `UPDATE_EXPECTED=1 cargo test --lib cli::providers` writes `tests/providers/*.txt` anew, then to be read by you.

use std::path::Path;

use super::*;
use crate::account::Source;
use crate::config::{self, Sources, presets};

#[test]
fn a_provider_is_shown_in_full() {
    for id in ["gmail", "microsoft365", "ses"] {
        let shown = text(presets::builtin().find(id).unwrap());
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/providers/{id}.txt"));
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(&golden, &shown).unwrap();
        }
        assert_eq!(shown, std::fs::read_to_string(&golden).unwrap(), "{id}");
    }
}

/// Loads this account, with the files it may name.
fn load(preset: &Preset, text: &str) -> config::Loaded {
    let directory = tempfile::tempdir().unwrap();
    for secret in ["office.password", "office.secret", "office.token"] {
        std::fs::write(directory.path().join(secret), "x\n").unwrap();
    }
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let account = json!({
        "type": "service_account",
        "client_email": "relay@example.iam.gserviceaccount.com",
        "private_key": key,
        "token_uri": "https://oauth2.googleapis.com/token",
    });
    std::fs::write(directory.path().join("office.json"), account.to_string()).unwrap();
    let path = directory.path().join("posthouse.toml");
    std::fs::write(&path, text).unwrap();
    let sources = Sources { path: Some(path), ..Sources::default() };
    config::load(&sources).unwrap_or_else(|report| panic!("{}: {report}\n{text}", preset.id))
}

#[test]
fn what_is_to_be_pasted_can_be_used_as_it_is() {
    for preset in &presets::builtin() {
        let loaded = load(preset, &configuration(preset));
        let account = &loaded.config.accounts[0];
        assert_eq!(account.provider.as_deref(), Some(preset.id.as_str()));
        assert_eq!((account.port, account.encryption), preset.door(), "{}", preset.id);
    }
}

#[test]
fn every_grant_of_a_provider_can_be_pasted_in_place_of_the_last_line() {
    let mut tried = 0;
    for preset in &presets::builtin() {
        let whole = configuration(preset);
        let without = whole.trim_end().rsplit_once('\n').unwrap().0;
        for line in others(preset) {
            let loaded = load(preset, &format!("{without}\n{line}\n"));
            let Source::OAuth(grant) = &loaded.config.accounts[0].credential else { panic!("{line}") };
            assert!(line.contains(&format!("\"{}\"", grant.name())), "{line}");
            tried += 1;
        }
    }
    assert!(tried >= 40, "only {tried} lines");
}

#[test]
fn programs_read_the_same() {
    let all = presets::builtin();
    let gmail = json(all.find("gmail").unwrap());
    assert_eq!((&gmail["port"], &gmail["encryption"]), (&Value::from(465), &Value::from("implicit")));
    assert_eq!(gmail["limits"]["size"], 35_882_577);
    assert_eq!(gmail["oauth"]["grants"][0], "authorization_code");
    assert!(gmail["oauth"]["refused"]["device_code"].is_string());
    assert_eq!(json(all.find("gmx").unwrap())["oauth"], Value::Null);
}
