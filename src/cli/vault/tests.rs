//! What people and programs read about a vault, whole and broken.
//!
//! Run through the real command line's parts: a configuration from variables, a vault on disk.

use clap::Parser;

use super::*;
use crate::account::vault::tests::conformance::{put, record};
use crate::account::vault::{Expected, Holder};
use crate::config::Config;
use crate::store::file::{KeySource, Settings};

struct Scene {
    root: tempfile::TempDir,
    config: Config,
}

impl Scene {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("posthouse.toml");
        std::fs::write(&file, "[accounts.office]\nhost = \"mail.example.com\"\nmechanism = \"none\"\n").unwrap();
        let sources = Sources { path: Some(file), ..Sources::default() };
        let mut config = config::load(&sources).unwrap().config;
        let key = KeySource::Made(root.path().join("vault.key"));
        config.storage = Settings { directory: root.path().join("data"), key };
        Self { root, config }
    }

    fn vault(&self) -> FileVault {
        FileVault::new(self.config.storage.clone())
    }

    fn text(&self) -> String {
        status::text(&self.vault(), &self.config, &self.vault().survey().unwrap())
    }

    fn json(&self) -> serde_json::Value {
        let vault = self.vault();
        serde_json::from_str(&status::json(&vault, &self.config, &vault.survey().unwrap())).unwrap()
    }
}

#[test]
fn an_empty_vault_is_told_and_nothing_is_made_by_asking() {
    let scene = Scene::new();
    let text = scene.text();
    assert!(text.contains("vault.key: made when the first sign-in is kept\n\nNothing is kept.\n"), "{text}");
    assert_eq!(scene.json()["ok"], true);
    assert_eq!(std::fs::read_dir(scene.root.path()).unwrap().count(), 1, "the configuration is still alone");
}

#[test]
fn every_account_is_told_and_those_of_no_configuration_are_noted() {
    let scene = Scene::new();
    for account in ["office", "former"] {
        put(&scene.vault(), account, &record("refresh-token", "access-token"), Expected::Any, &Holder::new(false));
    }
    let text = scene.text();
    let office = text.lines().find(|line| line.starts_with("office")).unwrap();
    let words: Vec<&str> = office.split_whitespace().collect();
    assert_eq!(words[1..5], ["scanner@example.com", "device_code", "1970-01-01", "00:16"], "{text}");
    assert!(office.ends_with("yes") && text.contains("`posthouse logout former`"), "{text}");
    assert!(!text.contains("logout office") && !text.contains("refresh-token"), "{text}");
    let json = scene.json();
    assert_eq!(
        (&json["accounts"][0]["account"], &json["accounts"][0]["configured"]),
        (&"former".into(), &false.into())
    );
    assert_eq!(json["accounts"][1]["sealed_with"], json["key"]["ids"]);
}

#[test]
fn a_lost_key_is_one_problem_however_many_accounts_it_sealed() {
    let scene = Scene::new();
    for account in ["office", "former"] {
        put(&scene.vault(), account, &record("r", "a"), Expected::Any, &Holder::new(false));
    }
    std::fs::remove_file(scene.root.path().join("vault.key")).unwrap();
    let text = scene.text();
    assert_eq!(text.matches("Problem:").count(), 1, "{text}");
    assert!(text.contains("vault.key: cannot be used") && text.contains("put it back from a copy"), "{text}");
    assert_eq!((&scene.json()["ok"], &scene.json()["accounts"][0]["opens"]), (&false.into(), &false.into()));
}

#[test]
fn the_configuration_stands_behind_the_verb_it_belongs_to() {
    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }
    let parsed = |line: &str| Line::try_parse_from(format!("vault {line}").split_whitespace()).map(|line| line.args);
    let file = |line| parsed(line).unwrap().file().config.clone();
    assert_eq!(file("-c a.toml"), Some("a.toml".into()));
    assert_eq!(file("status -c a.toml"), Some("a.toml".into()));
    assert_eq!(file("rotate-key --keep-old -c a.toml --json"), Some("a.toml".into()));
    assert_eq!(file(""), None);
    assert!(parsed("-c a.toml rotate-key").is_err(), "never read past in silence");
}

#[test]
fn what_was_rotated_is_told_with_what_is_left_to_do() {
    let scene = Scene::new();
    put(&scene.vault(), "office", &record("r", "a"), Expected::Any, &Holder::new(false));
    let rotated = scene.vault().rotate_key(false).unwrap();
    assert_eq!(
        rotated_text(&rotated, false),
        format!(
            "2 secrets are now sealed with key {}; the old key is gone from the key file. Renew the copy you keep of it.\n",
            rotated.key
        )
    );
    let json: serde_json::Value = serde_json::from_str(&rotated_json(&rotated)).unwrap();
    assert_eq!((&json["ok"], &json["resealed"], &json["old_key"]), (&true.into(), &2.into(), &"gone".into()));
    let kept = Rotated { old_keys: OldKeys::Kept, ..rotated };
    assert!(rotated_text(&kept, false).contains("take the keys behind the first away now"));
    assert!(rotated_text(&kept, true).contains("still in the key file"));
}
