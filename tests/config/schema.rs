//! The JSON Schema against the program: what one takes, the other takes; what the schema refuses, `check` refuses.
//!
//! The other way round is not promised: what fits together is only known to `check`.

use std::sync::LazyLock;

use serde_json::Value;

use super::bad::head;
use super::example::example;
use super::{ACCOUNT, Desk, findings};
use posthouse::config;

static VALIDATOR: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::draft202012::new(&config::schema()).unwrap());

/// What the schema says against this file, one complaint a line; empty when it says nothing.
pub(super) fn complaints(text: &str) -> String {
    let table: toml::Table = text.parse().unwrap();
    let document = serde_json::to_value(table).unwrap();
    let errors = VALIDATOR.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path()));
    errors.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_schema_is_one() {
    assert!(jsonschema::meta::is_valid(&config::schema()));
}

#[test]
fn the_example_passes_as_it_is_with_its_defaults_and_with_its_examples() {
    let file = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/posthouse.example.toml")).unwrap();
    for text in [file, example(false), example(true)] {
        assert_eq!(complaints(&text), "");
    }
}

/// Findings that are about the form of one key, by how they begin. The schema must see these too.
const ABOUT_FORM: [&str; 5] =
    ["unknown key", "expected one of", "expected a whole number", "expected true or false", "not available in this"];

#[test]
fn mistakes_of_form_are_seen_by_the_schema_too() {
    let mut seen = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bad_configs")).unwrap() {
        let path = entry.unwrap().path();
        let is_file = path.extension().is_some_and(|extension| extension == "toml");
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        if !is_file || !head(&text, "env").is_empty() || text.parse::<toml::Table>().is_err() {
            continue;
        }
        let found = findings(Desk::new().load(&text, &[]));
        if found.iter().any(|finding| ABOUT_FORM.iter().any(|words| finding.message.starts_with(words))) {
            assert_ne!(complaints(&text), "", "{} passes the schema", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 15, "only {seen} files with such mistakes");
}

#[test]
fn no_key_takes_a_date_neither_here_nor_there() {
    for key in config::all_keys() {
        // A name is written where the table says NAME, and the number of its entry behind a list.
        let header = key.rsplit_once('.').map_or("", |(section, _)| section);
        let name = key.rsplit('.').next().unwrap();
        let listed = matches!(header, "listeners" | "routes") || header.ends_with(".identities");
        let header = if listed { format!("[[{header}]]\n") } else { format!("[{header}]\n") };
        let header = if header == "[]\n" { String::new() } else { header };
        let text = format!("{header}{name} = 1979-05-27\n");
        assert_ne!(complaints(&text), "", "the schema takes a date for {key}");
        let place = if listed {
            format!("{}[0].{name}", key.trim_end_matches(name).trim_end_matches('.'))
        } else {
            key.clone()
        };
        // Some of OAuth's keys are only read with the grant that has them.
        let grants = ["client_credentials", "command"].map(|grant| format!("{text}grant = \"{grant}\"\n"));
        let texts = if key.contains(".oauth.") && name != "grant" { grants.to_vec() } else { vec![text] };
        let told = texts.iter().any(|text| findings(Desk::new().load(text, &[])).iter().any(|f| f.key == place));
        assert!(told, "posthouse check takes a date for {key}");
    }
}

#[test]
fn other_words_for_a_value_pass_here_and_there() {
    let words = ["verify_none", "verify_peer", "verify_fail_if_no_peer_cert"].map(|word| ("verify", word));
    for (key, word) in words.into_iter().chain([("encryption", "ssl"), ("encryption", "tls")]) {
        let text = format!("{ACCOUNT}{key} = \"{word}\"\nmechanism = \"none\"\n");
        assert_eq!(complaints(&text), "");
        assert!(Desk::new().load(&text, &[]).is_ok());
    }
}

/// One line for each key: its form, its default, what it is for and its variable.
fn lines(schema: &Value, path: &str, out: &mut String) {
    let inner = |schema: &Value, path: &str, out: &mut String| lines(schema, path, out);
    for (name, key) in schema["properties"].as_object().unwrap() {
        let path = format!("{path}{name}");
        if key.get("properties").is_some() {
            inner(key, &format!("{path}."), out);
        } else if key["items"].get("properties").is_some() {
            inner(&key["items"], &format!("{path}[]."), out);
        } else if key["additionalProperties"].get("properties").is_some() {
            inner(&key["additionalProperties"], &format!("{path}.NAME."), out);
        } else {
            let (mut form, about) = (key.clone(), key["description"].as_str().unwrap());
            form.as_object_mut().unwrap().remove("description");
            out.extend([path.as_str(), "\n  ", about, "\n  ", &form.to_string(), "\n"]);
        }
    }
}

#[test]
fn every_key_has_its_form_its_default_and_its_purpose() {
    let mut said = String::new();
    lines(&config::schema(), "", &mut said);
    super::assert_golden("config/schema.expected", &said);
}
