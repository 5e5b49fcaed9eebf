//! Broken configurations and what is said about them: the key, the place and the cure.
//!
//! `tests/bad_configs/*.toml` each say in their first line what they should be told, and have the whole complaint
//! beside them in `*.expected` (written anew by `UPDATE_EXPECTED=1 cargo test --test config`, then to be read by you).

use std::path::{Path, PathBuf};

use super::{Desk, findings, sources};
use posthouse::config::{self, Finding, report};

/// The lines `# NAME: …` at the head of a bad configuration.
pub(super) fn head<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let prefix = format!("# {name}: ");
    text.lines().take_while(|line| line.starts_with('#')).filter_map(|line| line.strip_prefix(&prefix)).collect()
}

/// One of `tests/bad_configs`, and what is said about it.
struct Bad {
    original: PathBuf,
    text: String,
    found: Vec<Finding>,
    said: String,
}

/// All of them.
fn bad_configs() -> Vec<Bad> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_configs");
    let desk = Desk::new();
    for entry in std::fs::read_dir(from.join("files")).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("files/{}", path.file_name().unwrap().display());
        desk.write(&name, &std::fs::read_to_string(path).unwrap());
    }
    let originals = std::fs::read_dir(&from).unwrap().map(|entry| entry.unwrap().path());
    let tomls = originals.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    tomls.map(|original| Bad::told(original, &desk)).collect()
}

impl Bad {
    fn told(original: PathBuf, desk: &Desk) -> Self {
        let text = std::fs::read_to_string(&original).unwrap();
        let path = desk.write(&original.file_name().unwrap().display().to_string(), &text);
        let variables: Vec<_> = head(&text, "env").iter().map(|line| line.split_once('=').unwrap()).collect();
        let found = findings(config::load(&sources(&path, &variables)));
        let directory = desk.0.path().display().to_string();
        let said = report::text(&found, false).replace(&format!("{directory}/"), "").replace(&directory, "DIR");
        Self { original, text, found, said }
    }
}

#[test]
fn bad_configurations_are_told_what_is_wrong_with_them() {
    let mut wrong = Vec::new();
    let all = bad_configs();
    for Bad { original, text, said, .. } in &all {
        let name = original.file_name().unwrap().display();
        let beside = original.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(&beside, said).unwrap();
        }
        let [expected] = head(text, "expect")[..] else { panic!("{name} does not say what it expects") };
        if !said.contains(expected) || *said != std::fs::read_to_string(&beside).unwrap_or_default() {
            wrong.push(format!("=== {name}: expected {expected:?}\n{said}"));
        }
        assert!(!said.contains("correct-horse"), "{name} gives a secret away:\n{said}");
    }
    assert!(all.len() >= 200, "only {} bad configurations were found", all.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A key as the table has it: NAME for what the administrator called it, no number of an entry.
pub(super) fn general(key: &str) -> String {
    let mut steps: Vec<&str> = key.split('.').map(|step| step.split('[').next().unwrap()).collect();
    let last = steps.len() - 1;
    if last > 0 && matches!(steps[0], "accounts" | "devices" | "aliases" | "providers") {
        steps[1] = "NAME";
    }
    if last > 2 && matches!(steps[last - 1], "regions" | "scopes" | "refused") {
        steps[last] = "NAME";
    }
    steps.join(".")
}

#[test]
fn every_key_is_complained_about_in_a_bad_configuration() {
    let told: Vec<String> = bad_configs().iter().flat_map(|bad| &bad.found).map(|f| general(&f.key)).collect();
    let keys = config::all_keys_and_later().into_iter().map(|(key, _)| key);
    let missing: Vec<String> = keys.filter(|key| !told.contains(key)).collect();
    assert!(missing.is_empty(), "no file in tests/bad_configs is about {}", missing.join(", "));
}

#[test]
fn every_mistake_comes_with_a_cure() {
    let without = bad_configs().into_iter().flat_map(|bad| {
        let name = bad.original.file_name().unwrap().display().to_string();
        let silent = bad.found.into_iter().filter(|finding| finding.hint.is_none());
        silent.map(move |finding| format!("{name}: {}: {}", finding.key, finding.message)).collect::<Vec<_>>()
    });
    let without: Vec<String> = without.collect();
    assert!(without.is_empty(), "{} findings have no cure:\n{}", without.len(), without.join("\n"));
}
