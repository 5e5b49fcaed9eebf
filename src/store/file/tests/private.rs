//! Files others can use are refused, with what to run; what is made is for its owner alone.
//!
//! Which modes and owners are too open is told in `disk`.
#![cfg(unix)]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::*;

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn vault_key_and_lock_are_for_their_owner_alone() {
    let place = Place::new();
    keep(&place.vault(), "a", "token-a");
    let directory = place.settings().directory;
    for file in [place.key(), place.vault().path(), directory.join("vault.lock")] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    for directory in [directory.as_path(), place.key().parent().unwrap()] {
        assert_eq!(mode(directory), 0o700, "{}", directory.display());
    }
}

#[test]
fn a_vault_or_a_key_others_can_use_is_refused_with_what_to_run() {
    let place = Place::new();
    keep(&place.vault(), "a", "token-a");
    let before = place.bytes();
    for file in [place.vault().path(), place.key()] {
        for wide in [0o644, 0o666, 0o602] {
            set_mode(&file, wide);
            let get = place.vault().get(&"a".into()).map(drop).unwrap_err();
            let put = place.vault().put(&"a".into(), &record("r", "x"), Expected::Any, &Holder::new(false));
            for error in [get, put.map(drop).unwrap_err()] {
                let VaultError::Exposed(text) = error else { panic!("{wide:o}: {error}") };
                assert!(text.contains(&format!("`chmod 600 {}`", file.display())), "{text}");
            }
        }
        set_mode(&file, 0o600);
    }
    assert_eq!(place.bytes(), before);
    assert_eq!(token(&place.vault(), "a"), "token-a");
}

/// Somebody who can write to the directory points our name at a file of theirs, or of ours.
#[test]
fn a_link_in_the_place_of_the_vault_is_neither_read_nor_written_through() {
    let place = Place::new();
    keep(&place.vault(), "a", "token-a");
    let (vault, elsewhere) = (place.vault().path(), place.root.path().join("elsewhere"));
    std::fs::rename(&vault, &elsewhere).unwrap();
    let before = std::fs::read(&elsewhere).unwrap();
    symlink(&elsewhere, &vault).unwrap();
    let error = place.vault().put(&"a".into(), &record("r", "x"), Expected::Any, &Holder::new(false)).unwrap_err();
    assert!(matches!(&error, VaultError::Damaged(text) if text.contains("it is a link")), "{error}");
    assert!(std::fs::symlink_metadata(&vault).unwrap().is_symlink() && std::fs::read(&elsewhere).unwrap() == before);
}

#[test]
fn a_link_in_the_place_of_the_lock_is_not_followed() {
    let place = Place::new();
    let directory = place.settings().directory;
    std::fs::create_dir(&directory).unwrap();
    let target = place.root.path().join("target");
    symlink(&target, directory.join("vault.lock")).unwrap();
    let error = place.vault().put(&"a".into(), &record("r", "x"), Expected::Any, &Holder::new(false)).unwrap_err();
    assert!(matches!(error, VaultError::Storage(_)), "{error}");
    assert!(!target.exists());
}

#[test]
fn a_key_may_be_handed_over_as_a_link() {
    let place = Place::new();
    let real = place.root.path().join("..data");
    disk::replace(&real, "33".repeat(32).as_bytes()).unwrap();
    std::fs::create_dir(place.key().parent().unwrap()).unwrap();
    symlink(&real, place.key()).unwrap();
    let vault = FileVault::new(Settings { key: KeySource::File(place.key()), ..place.settings() });
    keep(&vault, "a", "token-a");
    assert_eq!(token(&vault, "a"), "token-a");
}
