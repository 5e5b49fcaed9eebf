//! The JSON Schema (2020-12) of the configuration file, for editors and for programs that write configurations.
//!
//! Made from the table of keys; the defaults are those of a configuration in which nothing is written. Knows the form
//! of single values and which keys there are; what fits together is only known to `posthouse check`, so a file that
//! passes here can still be wrong. Where the program is lenient (`port = "465"`), the schema asks for the proper form.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::check::{self, Surroundings};
use super::effective::{Effective, Origins, as_json};
use super::finding::{Complaint, Findings};
use super::keys::{self, Key, Kind, ROOT, Shape};
use super::section::Section;
use super::{Loaded, tree};
use crate::account::provider::Presets;
use crate::mail::display_name;

/// The schema.
#[must_use]
pub fn schema() -> Value {
    let defaults = defaults();
    let mut schema = object(ROOT, "", &defaults);
    schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".into(), "Posthouse".into());
    let about = format!("Configuration of Posthouse {}, as TOML", env!("CARGO_PKG_VERSION"));
    schema.insert("description".into(), about.into());
    schema.into()
}

/// A section of these keys; `path` is as in `accounts.NAME`.
fn object(keys: &'static [Key], path: &str, defaults: &BTreeMap<String, Value>) -> Map<String, Value> {
    let mut properties = Map::new();
    for key in keys {
        let path = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
        if let Some(behind) = behind(key, &path, defaults) {
            properties.insert(key.name.into(), behind.into());
        }
    }
    let mut object = Map::new();
    object.insert("type".into(), "object".into());
    needs(path, &properties, &mut object);
    object.insert("properties".into(), properties.into());
    object.insert("additionalProperties".into(), false.into());
    object
}

/// Of several keys one is enough; those of a later version do not count.
fn needs(path: &str, properties: &Map<String, Value>, object: &mut Map<String, Value>) {
    let needed = keys::NEEDED.iter().filter(|(section, _)| *section == path);
    for (_, names) in needed {
        let names: Vec<&str> = names.iter().copied().filter(|name| properties.contains_key(*name)).collect();
        if let [only] = names[..] {
            object.insert("required".into(), json!([only]));
        } else {
            let any: Value = names.iter().map(|name| json!({ "required": [name] })).collect();
            object.insert("anyOf".into(), any);
        }
    }
}

/// What may stand behind a key; `None` for one of a later version.
fn behind(key: &Key, path: &str, defaults: &BTreeMap<String, Value>) -> Option<Map<String, Value>> {
    let mut schema = match key.shape {
        Shape::Later(_) => return None,
        Shape::Value(kind) => form(kind, key.name),
        Shape::List(kind) => {
            let item = Value::from(form(kind, key.name));
            map(json!({ "anyOf": [item, { "type": "array", "items": item }] }))
        }
        Shape::Map(kind) => map(json!({ "type": "object", "additionalProperties": form(kind, key.name) })),
        Shape::Section(keys) => object(keys, path, defaults),
        Shape::Each(keys) => map(json!({ "type": "array", "items": object(keys, path, defaults) })),
        Shape::Named(keys) => map(json!({
            "type": "object",
            "propertyNames": { "pattern": NAME },
            "additionalProperties": object(keys, &format!("{path}.NAME"), defaults),
        })),
    };
    schema.insert("description".into(), description(key, path).into());
    if let Some(default) = defaults.get(path) {
        schema.insert("default".into(), default.clone());
    }
    Some(schema)
}

fn description(key: &Key, path: &str) -> String {
    match key.shape {
        Shape::Value(_) | Shape::List(_) => format!("{}. Variable: {}", key.about, variable(path)),
        Shape::Map(_) => format!("{}. Variable: {}__NAME", key.about, variable(path)),
        _ => key.about.to_owned(),
    }
}

/// The environment variable of a key; entries of a list are counted from 0.
fn variable(path: &str) -> String {
    let (mut variable, mut keys) = (String::from("POSTHOUSE"), ROOT);
    for step in path.split('.') {
        variable.push_str("__");
        variable.push_str(&step.to_ascii_uppercase());
        // A name of the administrator's choice leads to no other keys.
        let Some(key) = keys::find(keys, step) else { continue };
        match key.shape {
            Shape::Each(inner) => {
                variable.push_str("__0");
                keys = inner;
            }
            Shape::Section(inner) | Shape::Named(inner) => keys = inner,
            Shape::Value(_) | Shape::List(_) | Shape::Map(_) | Shape::Later(_) => {}
        }
    }
    variable
}

const NAME: &str = "^[A-Za-z0-9_.-]{1,64}$";

/// The form of one value: never narrower than what the program takes in its proper form.
fn form(kind: Kind, key: &str) -> Map<String, Value> {
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    map(match kind {
        Kind::Secret => json!({ "type": "string", "minLength": 1, "writeOnly": true }),
        Kind::Hidden => json!({ "type": "string", "minLength": 1 }),
        Kind::Word(words) => {
            let aliases = keys::ALIASES.iter().filter(|(owner, _, _)| *owner == key).map(|(_, word, _)| word);
            json!({ "enum": words.iter().chain(aliases).collect::<Vec<_>>() })
        }
        Kind::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Flag => json!({ "type": "boolean" }),
        // A bare zero needs no unit.
        Kind::Duration => json!({
            "type": ["string", "integer"], "pattern": "^([0-9]+ ?(ms|s|m|min|h|d)|0+)$", "minimum": 0, "maximum": 0,
        }),
        Kind::Date => json!({ "type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" }),
        Kind::Size => json!({
            "type": ["string", "integer"], "pattern": "^[0-9]+ ?([KkMmGg]([Ii]?[Bb])?|[Bb])?$", "minimum": 0,
        }),
        Kind::Pin => text("^(sha256/[A-Za-z0-9+/]{43}=?|certificate/[0-9A-Fa-f: ]{64,})$"),
        Kind::Name => text(NAME),
        Kind::NamePattern => text("^[A-Za-z0-9_.*-]{1,64}$"),
        Kind::Host => text(r"^[A-Za-z0-9_.:\[\]-]{1,255}$"),
        Kind::HostByRegion => text(r"^[A-Za-z0-9_.:\[\]{}-]{1,255}$"),
        Kind::Socket => text(r"^([0-9.]+|\[[0-9A-Fa-f:.%]+\]):[0-9]{1,5}$"),
        Kind::Network => text("^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$"),
        Kind::Mail => text(r"^.+@[^@\s]+$"),
        Kind::Pattern => text(r"^[^@\s]*@?[^@\s]+$"),
        Kind::Path => text(r"^[^\n\x00]+$"),
        Kind::Phrase => json!({ "type": "string", "minLength": 1, "maxLength": display_name::LONGEST }),
    })
}

/// `json!` with braces around it.
fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// As little as a listener, a device and an account can say, so that everything else about them is a default.
const BARE: &str = "[[listeners]]\n[devices.NAME]\npassword = \"x\"\n[accounts.NAME]\nhost = \"a.example\"\n\
    address = \"a@a.example\"\n[accounts.NAME.oauth]\ngrant = \"client_credentials\"\nclient_id = \"x\"\n\
    client_secret = \"x\"\ntoken_endpoint = \"https://a.example/\"\n";

fn defaults() -> BTreeMap<String, Value> {
    let Ok(table) = tree::parse(BARE) else { return BTreeMap::new() };
    let findings = Findings::new(None);
    let no_file = |_: &Path| Err(Complaint::new("no file is read for the schema"));
    let presets = Presets::default();
    let surroundings = Surroundings {
        directory: Path::new(""),
        presets: &presets,
        vault_key: crate::store::file::KeySource::Made("vault.key".into()),
        storage: "".into(),
        read_secret: &no_file,
        proxies: check::Environment::default(),
    };
    let checked = check::check(&Section::root(&table, &findings), &surroundings);
    let origins = Origins::new(&table, &findings, &checked.named_files);
    let loaded =
        Loaded { config: checked.config, warnings: Vec::new(), notes: Vec::new(), presets, origin: None, origins };
    let effective = Effective::new(&loaded, "");
    let defaults = effective.defaults().into_iter().map(|(path, value)| (path.replace("[0]", ""), as_json(value)));
    defaults.collect()
}
