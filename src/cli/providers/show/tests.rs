//! What is shown of a provider, held against files that are read by people; and that what is to be pasted works.
//!
//! `UPDATE_EXPECTED=1 cargo test --lib cli::providers` writes `tests/providers/*.txt` anew, then to be read by you.

use std::path::Path;

use super::*;
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

#[test]
fn what_is_to_be_pasted_can_be_used_as_it_is() {
    for preset in &presets::builtin() {
        let directory = tempfile::tempdir().unwrap();
        for secret in ["office.password", "office.secret"] {
            std::fs::write(directory.path().join(secret), "x\n").unwrap();
        }
        let path = directory.path().join("posthouse.toml");
        std::fs::write(&path, configuration(preset)).unwrap();
        let sources = Sources { path: Some(path), ..Sources::default() };
        let loaded = config::load(&sources).unwrap_or_else(|report| panic!("{}: {report}", preset.id));
        let account = &loaded.config.accounts[0];
        assert_eq!(account.provider.as_deref(), Some(preset.id.as_str()));
        assert_eq!((account.port, account.encryption), preset.door(), "{}", preset.id);
    }
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
