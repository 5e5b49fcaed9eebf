//! Rotation of the key, also when it is killed between any two steps, and where somebody else keeps the key.
//!
//! The steps here are the real ones, run one by one.

use super::super::tests::{Place, keep, token};
use super::super::{KeyState, Settings};
use super::*;
use crate::secret::Secret;

/// Two accounts with a token each, and the id of the key.
fn kept() -> (Place, FileVault, KeyId) {
    let place = Place::new();
    let vault = place.vault();
    keep(&vault, "a", "token-a");
    keep(&vault, "b", "token-b");
    let key = keys(&vault)[0].clone();
    (place, vault, key)
}

fn keys(vault: &FileVault) -> Vec<KeyId> {
    match vault.survey().unwrap().keys {
        KeyState::Ready(keys) => keys,
        other => panic!("{other:?}"),
    }
}

/// Everything opens, with a vault that was opened before as with a new one, and can be changed.
fn all_is_well(place: &Place, old: &FileVault) {
    for vault in [old, &place.vault()] {
        assert_eq!((token(vault, "a"), token(vault, "b")), ("token-a".into(), "token-b".into()));
        assert!(vault.survey().unwrap().accounts.iter().all(|account| account.problem.is_none()));
        keep(vault, "c", "token-c");
        assert_eq!(token(vault, "c"), "token-c");
    }
}

fn sealed_with(vault: &FileVault, id: &KeyId) -> bool {
    vault.survey().unwrap().accounts.iter().all(|account| account.sealed_with == std::slice::from_ref(id))
}

#[test]
fn a_running_relay_goes_on_with_the_new_key_and_the_old_one_is_gone() {
    let (place, vault, old) = kept();
    let rotated = place.vault().rotate_key(false).unwrap();
    assert_eq!((rotated.resealed, rotated.old_keys, rotated.unopened.len()), (4, OldKeys::Gone, 0));
    assert_eq!(keys(&vault), std::slice::from_ref(&rotated.key));
    assert!(rotated.key != old && sealed_with(&vault, &rotated.key));
    all_is_well(&place, &vault);
}

#[test]
fn killed_after_any_step_everything_opens_and_the_next_run_ends_it() {
    for steps in 0..=3 {
        let (place, vault, old) = kept();
        let killed = place.vault();
        if steps >= 1 {
            let keys = killed.introduce().unwrap();
            if steps >= 2 {
                killed.reseal(&keys).unwrap();
            }
            if steps >= 3 {
                killed.retire(keys);
            }
        }
        let begun = keys(&vault);
        assert_eq!(begun.len(), if steps == 1 || steps == 2 { 2 } else { 1 }, "after {steps} steps");
        all_is_well(&place, &vault);
        let rotated = place.vault().rotate_key(false).unwrap();
        assert_eq!(rotated.key == begun[0], begun.len() == 2, "what was begun is ended, after {steps} steps");
        assert_eq!(keys(&vault), std::slice::from_ref(&rotated.key));
        assert!(!keys(&vault).contains(&old) && sealed_with(&vault, &rotated.key));
        all_is_well(&place, &vault);
    }
}

#[test]
fn what_does_not_open_is_left_as_it_is_and_named() {
    let (place, vault, _) = kept();
    let text = std::fs::read_to_string(vault.path()).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let sealed = &mut json["accounts"]["a"]["sealed"];
    sealed["refresh_token"] = sealed["access_token"].clone();
    let foreign = sealed["refresh_token"].clone();
    disk::replace(&vault.path(), json.to_string().as_bytes()).unwrap();
    let rotated = vault.rotate_key(false).unwrap();
    assert_eq!((rotated.resealed, rotated.unopened.len()), (3, 1));
    assert_eq!(rotated.unopened[0].0.as_str(), "a");
    let json: serde_json::Value = serde_json::from_slice(&place.bytes()).unwrap();
    assert_eq!(json["accounts"]["a"]["sealed"]["refresh_token"], foreign);
    assert_eq!(token(&vault, "b"), "token-b");
}

#[test]
fn the_old_key_stays_where_another_vault_needs_it() {
    let (place, _, old) = kept();
    let other = FileVault::new(Settings { directory: place.root.path().join("other"), key: place.settings().key });
    keep(&other, "a", "token-other");
    let first = place.vault().rotate_key(true).unwrap();
    assert_eq!((first.old_keys, keys(&other)), (OldKeys::Kept, vec![first.key.clone(), old]));
    assert_eq!(token(&other, "a"), "token-other");
    assert_eq!(other.rotate_key(false).unwrap().key, first.key);
    assert_eq!((token(&other, "a"), token(&place.vault(), "a")), ("token-other".into(), "token-a".into()));
    assert_eq!(keys(&other), [first.key]);
}

#[test]
fn a_key_from_the_environment_is_rotated_by_who_keeps_it() {
    let place = Place::new();
    let (old, new) = ("11".repeat(32), "22".repeat(32));
    let with = |keys: &str| {
        let key = KeySource::Given(Secret::new(keys.into()));
        FileVault::new(Settings { key, ..place.settings() })
    };
    keep(&with(&old), "a", "token-a");
    let Err(NotRotated::ByHand(how)) = with(&old).rotate_key(false) else { panic!() };
    assert!(how.contains("storage.key, which is not ours to write") && how.contains("openssl rand"), "{how}");
    assert!(!how.contains(&old));
    let rotated = with(&format!("{new},{old}")).rotate_key(false).unwrap();
    assert_eq!((rotated.resealed, rotated.old_keys), (2, OldKeys::Kept));
    assert_eq!(token(&with(&new), "a"), "token-a");
}

#[cfg(unix)]
#[test]
fn a_key_that_is_a_link_is_rotated_by_who_put_it_there() {
    let (place, _, _) = kept();
    let link = place.root.path().join("mounted.key");
    std::os::unix::fs::symlink(place.key(), &link).unwrap();
    let vault = FileVault::new(Settings { key: KeySource::File(link.clone()), ..place.settings() });
    let before = std::fs::read(place.key()).unwrap();
    let Err(NotRotated::ByHand(how)) = vault.rotate_key(false) else { panic!() };
    assert!(how.contains(&link.display().to_string()), "{how}");
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink() && std::fs::read(place.key()).unwrap() == before);
}

#[test]
fn where_nothing_is_kept_there_is_no_key_to_rotate_and_none_is_made() {
    let place = Place::new();
    assert_eq!(place.vault().rotate_key(false), Err(NotRotated::NothingKept));
    assert_eq!(std::fs::read_dir(place.root.path()).unwrap().count(), 0);
}
