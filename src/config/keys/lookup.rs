//! How the table of keys is searched: by name, by place, by what was probably meant.
//!
//! Paths are written `accounts.NAME.host`, `listeners.name`, `aliases.NAME`. Knows nothing of values.

use super::{Key, Kind, ROOT, Shape};

/// The key of this name, if there is one.
pub(in crate::config) fn find(keys: &'static [Key], name: &str) -> Option<&'static Key> {
    keys.iter().find(|key| key.name == name)
}

/// The headers of the sections that have a value of this name; the empty one for the top of the file.
pub(in crate::config) fn homes(name: &str) -> Vec<String> {
    // Nobody who mislaid a key of an account meant to describe a provider.
    places(name).into_iter().map(|(header, _)| header).filter(|header| !header.starts_with("[providers.")).collect()
}

/// The kinds of all values of this name, whatever section they are in.
pub(in crate::config) fn kinds(name: &str) -> Vec<Kind> {
    places(name).into_iter().map(|(_, kind)| kind).collect()
}

fn places(name: &str) -> Vec<(String, Kind)> {
    fn within(keys: &'static [Key], header: &str, path: &str, name: &str, found: &mut Vec<(String, Kind)>) {
        for key in keys {
            let inner = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
            match key.shape {
                Shape::Value(kind) | Shape::List(kind) if key.name == name => found.push((header.to_owned(), kind)),
                Shape::Section(keys) => within(keys, &format!("[{inner}]"), &inner, name, found),
                Shape::Each(keys) => within(keys, &format!("[[{inner}]]"), &inner, name, found),
                Shape::Named(keys) => {
                    let inner = format!("{inner}.NAME");
                    within(keys, &format!("[{inner}]"), &inner, name, found);
                }
                Shape::Value(_) | Shape::List(_) | Shape::Map(_) | Shape::Later(_) => {}
            }
        }
    }
    let mut found = Vec::new();
    within(ROOT, "", "", name, &mut found);
    found
}

/// The key that was probably meant: the nearest name of this version within two slips of the pen.
pub(in crate::config) fn nearest(keys: &'static [Key], written: &str) -> Option<&'static str> {
    let here = keys.iter().filter(|key| !matches!(key.shape, Shape::Later(_))).map(|key| key.name);
    nearest_word(here, written)
}

/// The key that has another name here than elsewhere.
pub(in crate::config) fn own_word(keys: &'static [Key], written: &str) -> Option<&'static str> {
    const ELSEWHERE: &[(&str, &str)] = &[("certificate", "identity"), ("pkcs12", "identity"), ("p12", "identity")];
    let own = ELSEWHERE.iter().filter(|(word, _)| *word == written).find_map(|(_, own)| find(keys, own));
    own.map(|key| key.name)
}

/// Whether a key of this version is one letter away: a singular, most of the time.
pub(in crate::config) fn is_one_letter_off(keys: &'static [Key], written: &str) -> bool {
    nearest(keys, written).is_some_and(|near| strsim::damerau_levenshtein(near, written) == 1)
}

/// The nearest of these words, if one is near enough to have been meant.
pub(in crate::config) fn nearest_word(
    words: impl Iterator<Item = &'static str>,
    written: &str,
) -> Option<&'static str> {
    let written = written.trim().to_ascii_lowercase().replace('-', "_");
    words.filter_map(|word| Some((slips(word, &written)?, word))).min().map(|(_, word)| word)
}

/// How many slips of the pen lead from one word to another, if they are few enough for it to have been meant.
pub(in crate::config) fn slips(word: &str, written: &str) -> Option<usize> {
    // A long text is no slip of the pen, and the distance costs its length squared.
    let distance = (written.len() <= 40).then(|| strsim::damerau_levenshtein(word, written))?;
    (distance <= 2.min(word.len() / 2)).then_some(distance)
}

/// Every key of this version, sections first, as `accounts.NAME.host` or `listeners.name`.
#[must_use]
pub fn all() -> Vec<String> {
    with_later().into_iter().filter_map(|(path, is_later)| (!is_later).then_some(path)).collect()
}

/// Every key of the table, and whether it is one of a later version.
#[must_use]
pub fn with_later() -> Vec<(String, bool)> {
    let mut found = Vec::new();
    gather(ROOT, "", &mut found);
    found
}

fn gather(keys: &'static [Key], prefix: &str, found: &mut Vec<(String, bool)>) {
    for key in keys {
        let path = format!("{prefix}{}", key.name);
        match key.shape {
            Shape::Later(_) => found.push((path, true)),
            Shape::Value(_) | Shape::List(_) => found.push((path, false)),
            Shape::Map(_) => found.push((format!("{path}.NAME"), false)),
            Shape::Section(inner) | Shape::Each(inner) => gather(inner, &format!("{path}."), found),
            Shape::Named(inner) => gather(inner, &format!("{path}.NAME."), found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;

    #[test]
    fn slips_of_the_pen_are_understood_and_other_words_are_not() {
        assert_eq!(nearest(ACCOUNT, "pasword"), Some("password"));
        assert_eq!(nearest(ACCOUNT, "password-file"), Some("password_file"));
        assert_eq!(nearest(ACCOUNT, "hsot"), Some("host"));
        assert_eq!(nearest(ACCOUNT, "colour"), None);
        assert_eq!(nearest(ACCOUNT, &"password".repeat(1000)), None);
    }

    #[test]
    fn every_key_says_what_it_is_for_on_one_line() {
        fn look(keys: &'static [Key], prefix: &str, silent: &mut Vec<String>) {
            for key in keys {
                let path = format!("{prefix}{}", key.name);
                let fits = (1..=90).contains(&key.about.chars().count()) && !key.about.contains('\n');
                match key.shape {
                    Shape::Later(_) => continue,
                    Shape::Section(inner) | Shape::Named(inner) | Shape::Each(inner) => {
                        look(inner, &format!("{path}."), silent);
                    }
                    Shape::Value(_) | Shape::List(_) | Shape::Map(_) => {}
                }
                if !fits {
                    silent.push(path);
                }
            }
        }
        let mut silent = Vec::new();
        look(ROOT, "", &mut silent);
        assert!(silent.is_empty(), "add .about(\"…\") in keys.rs to {}", silent.join(", "));
    }

    #[test]
    fn every_secret_can_come_from_a_file() {
        fn look(keys: &'static [Key], prefix: &str, without: &mut Vec<String>) {
            for key in keys {
                match key.shape {
                    Shape::Value(Kind::Secret) if find(keys, &format!("{}_file", key.name)).is_none() => {
                        without.push(format!("{prefix}{}", key.name));
                    }
                    Shape::Section(inner) | Shape::Named(inner) | Shape::Each(inner) => {
                        look(inner, &format!("{prefix}{}.", key.name), without);
                    }
                    _ => {}
                }
            }
        }
        let mut without = Vec::new();
        look(ROOT, "", &mut without);
        assert!(without.is_empty(), "nothing reads {} from a file", without.join(", "));
    }

    #[test]
    fn no_name_stands_twice_in_one_section() {
        for keys in [ROOT, LISTENER, DEVICE, ROUTE, ACCOUNT, OAUTH, LIMITS, DELIVERY, SESSIONS, STORAGE, LOG] {
            let names: std::collections::BTreeSet<_> = keys.iter().map(|key| key.name).collect();
            assert_eq!(names.len(), keys.len());
        }
    }
}
