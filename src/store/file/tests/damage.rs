//! A vault that rots: it is told, left as it is for who can still get something out of it, and costs no account more
//! than what is broken of it.
//!
//! Which octets of a sealed text matter is told in `seal`, of the file in `document`.

use super::*;

/// Changes the file as an editor would, for its owner alone.
fn edit(place: &Place, change: impl FnOnce(&mut serde_json::Value)) {
    let mut json = serde_json::from_slice(&place.bytes()).unwrap();
    change(&mut json);
    disk::replace(&place.vault().path(), json.to_string().as_bytes()).unwrap();
}

/// Every way to touch a vault.
fn all_fail(vault: &FileVault, expected: &str) {
    let (account, holder) = ("a".into(), Holder::new(true));
    let errors = [
        vault.get(&account).map(drop),
        vault.list().map(drop),
        vault.put(&account, &record("r", "x"), Expected::Any, &holder).map(drop),
        vault.lease(&account, &holder, Timestamp::UNIX_EPOCH).map(drop),
        vault.give_back(&account, &holder, None),
        vault.remove(&account, Expected::Any).map(drop),
        vault.bury(&holder),
        vault.survey().map(drop),
    ];
    for error in errors {
        let Err(VaultError::Damaged(text)) = error else { panic!("{error:?}") };
        assert!(text.contains(expected) && text.contains("posthouse login"), "{text}");
        assert!(text.contains(&vault.path().display().to_string()), "{text}");
    }
}

#[test]
fn a_damaged_file_is_never_overwritten() {
    let place = Place::new();
    keep(&place.vault(), "a", "token-a");
    let whole = place.bytes();
    for rotten in [&whole[..whole.len() / 2], b"", b"\0\0\0\0", b"{}"] {
        disk::replace(&place.vault().path(), rotten).unwrap();
        all_fail(&place.vault(), "is damaged");
        assert_eq!(place.bytes(), rotten);
    }
}

#[test]
fn a_newer_format_is_left_to_the_version_that_wrote_it() {
    let place = Place::new();
    keep(&place.vault(), "a", "token-a");
    edit(&place, |json| json["format"] = 2.into());
    let before = place.bytes();
    all_fail(&place.vault(), "written in format 2, and this version of Posthouse knows format 1 only");
    assert_eq!(place.bytes(), before);
}

#[test]
fn a_file_without_end_is_not_read() {
    let place = Place::new();
    keep(&place.vault(), "a", "token-a");
    std::fs::File::options().write(true).open(place.vault().path()).unwrap().set_len(1 << 40).unwrap();
    all_fail(&place.vault(), "longer than 4194304 octets");
}

#[test]
fn a_vault_never_grows_longer_than_it_could_be_read() {
    let place = Place::new();
    keep(&place.vault(), "a", "token-a");
    let before = place.bytes();
    let long = record(&"x".repeat(LONGEST), "x");
    let error = place.vault().put(&"b".into(), &long, Expected::Any, &Holder::new(false)).unwrap_err();
    assert!(matches!(error, VaultError::Storage(_)) && place.bytes() == before, "{error}");
}

#[test]
fn a_field_that_does_not_open_costs_its_own_account_only_and_a_new_sign_in_heals_it() {
    let place = Place::new();
    keep(&place.vault(), "a", "token-a");
    keep(&place.vault(), "b", "token-b");
    // What was sealed for one account or field is put in the place of another: a thief with write access, or a bad
    // edit.
    edit(&place, |json| {
        let other = json["accounts"]["b"]["sealed"]["refresh_token"].clone();
        json["accounts"]["a"]["sealed"]["refresh_token"] = other;
    });
    let before = place.bytes();
    let vault = place.vault();
    let VaultError::Damaged(text) = vault.get(&"a".into()).unwrap_err() else { panic!() };
    assert!(text.contains("refresh_token of account a") && text.contains("`posthouse login a`"), "{text}");
    assert!(vault.lease(&"a".into(), &Holder::new(true), Timestamp::UNIX_EPOCH).is_err(), "no use for a lease");
    assert_eq!(place.bytes(), before);
    assert_eq!(token(&vault, "b"), "token-b");
    keep(&vault, "b", "newer");
    assert_eq!(token(&vault, "b"), "newer");
    keep(&vault, "a", "signed in again");
    assert_eq!(token(&vault, "a"), "signed in again");
}
