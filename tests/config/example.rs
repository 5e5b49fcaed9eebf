//! The example file: its lines in force are the defaults, and it shows every key there is.
//!
//! It is read as a person uses it, by taking the `#` away; nothing of it is repeated here.

use posthouse::config::{self, Severity, report};

use super::{ACCOUNT, Desk, findings, load};

/// The example with its lines `#key = …` in force and, if asked for, those with two spaces behind the `#` too.
pub fn example(with_examples: bool) -> String {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/posthouse.example.toml")).unwrap();
    let in_force = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()) => rest.to_owned(),
        Some(rest) if with_examples && rest.starts_with("  ") && !rest.starts_with("   ") => rest.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(in_force).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_shows_the_defaults() {
    let password = [("POSTHOUSE__ACCOUNTS__OFFICE__PASSWORD", "x")];
    let plain = format!("{:#?}", load(ACCOUNT, &password));
    assert_eq!(format!("{:#?}", load(&example(false), &password)), plain);
    // Values that are no defaults would be found.
    let changed = example(false).replace("per_device = 100", "per_device = 99");
    assert_ne!(format!("{:#?}", load(&changed, &password)), plain);
}

/// Of these the example shows what else may be written: of secrets the file.
pub const IN_A_REMARK: [&str; 7] = [
    "accounts.NAME.oauth.client_secret",
    "accounts.NAME.oauth.refresh_token",
    "accounts.NAME.oauth.password",
    "accounts.NAME.headers.subject",
    "accounts.NAME.smime.password",
    "accounts.NAME.smime.identities.password",
    "storage.key",
];

#[test]
fn the_example_knows_every_key_and_no_other() {
    let everything = example(true);
    let mut shown = Vec::new();
    keys_of(&everything.parse().unwrap(), "", &mut shown);
    for key in config::all_keys() {
        let mut mine = shown.iter().filter(|shown| **shown == key);
        // Some stand in a remark beside the other way to say it, so that the example can be used as a whole.
        let name = key.rsplit('.').next().unwrap();
        let remark = IN_A_REMARK.contains(&key.as_str()) && everything.contains(&format!("or {name} = "));
        assert!(remark || mine.next().is_some(), "config/posthouse.example.toml does not show {key}");
    }
    let wrong: Vec<_> = findings(Desk::new().load(&everything, &[]))
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error && !finding.message.contains("cannot be read"))
        .filter(|finding| !finding.message.contains("cannot read"))
        .collect();
    assert!(wrong.is_empty(), "{}", report::text(&wrong, false));
}

/// All keys of a document, written as the key table writes them.
fn keys_of(table: &toml::Table, path: &str, found: &mut Vec<String>) {
    for (name, value) in table {
        let named = ["accounts.", "devices.", "aliases.", "providers."].contains(&path);
        let named = named || ["regions.", "scopes.", "refused."].iter().any(|map| path.ends_with(map));
        let name = if named { "NAME" } else { name };
        let path = format!("{path}{name}");
        match value {
            toml::Value::Table(inner) => keys_of(inner, &format!("{path}."), found),
            toml::Value::Array(list) if list.iter().all(toml::Value::is_table) && !list.is_empty() => {
                list.iter().filter_map(toml::Value::as_table).for_each(|t| keys_of(t, &format!("{path}."), found));
            }
            _ => found.push(path),
        }
    }
}
