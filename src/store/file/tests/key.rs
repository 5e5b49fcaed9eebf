//! The key: made once, before anything is sealed with it, and never in the place of one that was lost.
//!
//! What a key looks like is told in `key`, its rotation in `rotate`.

use super::*;

#[test]
fn the_key_is_made_when_the_first_secret_is_kept_and_then_used_by_all() {
    let place = Place::new();
    keep(&place.vault(), "a", "token-a");
    let key = std::fs::read(place.key()).unwrap();
    keep(&place.vault(), "b", "token-b");
    assert_eq!(std::fs::read(place.key()).unwrap(), key);
    assert_eq!((token(&place.vault(), "a"), token(&place.vault(), "b")), ("token-a".into(), "token-b".into()));
}

#[test]
fn two_vaults_that_make_one_key_at_once_end_with_one_key() {
    for _ in 0..20 {
        let place = Place::new();
        // Two directories, so that no lock of the vault keeps them apart.
        let vault = |name: &str| {
            let directory = place.root.path().join(name);
            FileVault::new(Settings { directory, ..place.settings() })
        };
        let start = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            for name in ["one", "other"] {
                let (vault, start) = (vault(name), &start);
                scope.spawn(move || {
                    start.wait();
                    keep(&vault, "a", name);
                });
            }
        });
        assert_eq!((token(&vault("one"), "a"), token(&vault("other"), "a")), ("one".into(), "other".into()));
    }
}

#[test]
fn a_lost_key_is_asked_for_and_never_replaced_by_another() {
    let place = Place::new();
    keep(&place.vault(), "a", "token-a");
    let (key, before) = (std::fs::read(place.key()).unwrap(), place.bytes());
    std::fs::remove_file(place.key()).unwrap();
    let put = place.vault().put(&"b".into(), &record("r", "x"), Expected::Any, &Holder::new(false)).unwrap_err();
    let get = place.vault().get(&"a".into()).unwrap_err();
    let lease = place.vault().lease(&"a".into(), &Holder::new(false), Timestamp::UNIX_EPOCH).unwrap_err();
    for error in [put, get, lease] {
        let VaultError::Key(text) = error else { panic!("{error}") };
        assert!(text.contains(&place.key().display().to_string()) && text.contains("put it back"), "{text}");
    }
    assert!(!place.key().exists() && place.bytes() == before);
    assert_eq!(place.vault().list().unwrap().len(), 1, "facts need no key");
    disk::replace(&place.key(), &key).unwrap();
    assert_eq!(token(&place.vault(), "a"), "token-a");
}

#[test]
fn whether_a_sign_in_could_be_kept_is_known_before_there_is_one() {
    let place = Place::new();
    place.vault().prepare().unwrap();
    assert!(place.key().exists() && !place.vault().path().exists(), "the key is made, and nothing is kept");
    keep(&place.vault(), "a", "token-a");
    std::fs::remove_file(place.key()).unwrap();
    let error = place.vault().prepare().unwrap_err();
    assert!(error.to_string().contains("put it back") && !place.key().exists(), "{error}");
}

#[test]
fn once_nothing_sealed_is_left_a_new_key_may_be_made() {
    let place = Place::new();
    keep(&place.vault(), "a", "token-a");
    place.vault().remove(&"a".into(), Expected::Any).unwrap();
    std::fs::remove_file(place.key()).unwrap();
    keep(&place.vault(), "a", "again");
    assert_eq!(token(&place.vault(), "a"), "again");
}

#[test]
fn another_key_is_named_by_its_id_and_leaves_accounts_of_its_own_usable() {
    let place = Place::new();
    keep(&place.vault(), "a", "token-a");
    let given = |octet: &str| {
        let key = KeySource::Given(Secret::new(octet.repeat(32)));
        FileVault::new(Settings { key, ..place.settings() })
    };
    let other = given("11");
    let VaultError::Key(text) = other.get(&"a".into()).unwrap_err() else { panic!() };
    let survey = place.vault().survey().unwrap();
    let crate::store::file::KeyState::Ready(ids) = survey.keys else { panic!() };
    assert!(text.contains(&format!("sealed with key {}", ids[0])) && text.contains("storage.key holds key"), "{text}");
    assert!(text.contains("`posthouse login a`") && !text.contains("1111"), "{text}");
    keep(&other, "b", "token-b");
    assert_eq!(token(&other, "b"), "token-b");
    keep(&other, "a", "signed in again");
    assert_eq!(token(&other, "a"), "signed in again");
}

#[test]
fn a_key_file_of_somebody_else_is_never_made() {
    let place = Place::new();
    let key = place.root.path().join("mounted.key");
    let vault = FileVault::new(Settings { key: KeySource::File(key.clone()), ..place.settings() });
    let error = vault.put(&"a".into(), &record("r", "x"), Expected::Any, &Holder::new(false)).unwrap_err();
    assert!(matches!(&error, VaultError::Key(text) if text.contains("openssl rand -base64 32")), "{error}");
    assert!(!key.exists() && !vault.path().exists());
    disk::replace(&key, "22".repeat(32).as_bytes()).unwrap();
    keep(&vault, "a", "token-a");
    assert_eq!(token(&vault, "a"), "token-a");
}

#[test]
fn a_key_that_is_none_is_refused_without_being_shown() {
    let place = Place::new();
    std::fs::create_dir(place.key().parent().unwrap()).unwrap();
    disk::replace(&place.key(), b"correct-horse\n").unwrap();
    let error = place.vault().put(&"a".into(), &record("r", "x"), Expected::Any, &Holder::new(false)).unwrap_err();
    let VaultError::Key(text) = error else { panic!("{error}") };
    assert!(text.contains("not 32 octets") && !text.contains("correct-horse"), "{text}");
    assert!(!place.vault().path().exists());
}

#[test]
fn whether_a_sign_in_could_be_kept_is_known_before_it_is_made() {
    let place = Place::new();
    place.vault().prepare().unwrap();
    let key = std::fs::read(place.key()).unwrap();
    assert!(place.vault().survey().unwrap().accounts.is_empty());
    keep(&place.vault(), "a", "token-a");
    assert_eq!(std::fs::read(place.key()).unwrap(), key, "the one that was made then");
    let file = place.root.path().join("file");
    std::fs::write(&file, "").unwrap();
    let said = |settings: Settings| FileVault::new(settings).prepare().unwrap_err().to_string();
    let no_key = said(Settings { key: KeySource::Made(file.join("key")), directory: place.root.path().join("new") });
    assert!(no_key.contains("the key of the vault"), "{no_key}");
    let no_directory = said(Settings { directory: file.join("data"), ..place.settings() });
    assert!(no_directory.contains("cannot write the vault"), "{no_directory}");
    std::fs::remove_file(place.key()).unwrap();
    assert!(said(place.settings()).contains("is not there"), "a lost key is not replaced");
}
