//! The vault's file: what lies where, who may read it, and what a thief of it sees.
//!
//! What every vault must do is told in `account::vault`, and here of two views of one directory. The rest is about
//! what only a file has: crashes, thieves, other users, a key, and rot.

mod crash;
mod damage;
mod key;
mod private;
mod stolen;

use std::sync::Arc;

use super::*;
use crate::account::vault::tests::conformance::{self, kept, put, record};

/// A storage directory and a key's place that are not there yet.
pub(super) struct Place {
    pub root: tempfile::TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    pub(super) fn settings(&self) -> Settings {
        Settings { directory: self.root.path().join("data"), key: KeySource::Made(self.key()) }
    }

    pub(super) fn vault(&self) -> FileVault {
        FileVault::new(self.settings())
    }

    pub(super) fn key(&self) -> PathBuf {
        self.root.path().join("config/vault.key")
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.vault().path()).unwrap()
    }
}

pub(super) fn keep(vault: &FileVault, account: &str, refresh: &str) {
    put(vault, account, &record(refresh, "access"), Expected::Any, &Holder::new(false));
}

/// The refresh token kept of an account.
pub(super) fn token(vault: &FileVault, account: &str) -> String {
    kept(vault, account).unwrap().0.unwrap()
}

#[test]
fn the_file_does_what_every_vault_must() {
    let places = std::cell::RefCell::new(Vec::new());
    conformance::all(&|| {
        let place = Place::new();
        let views = [Arc::new(place.vault()) as Arc<dyn Vault>, Arc::new(place.vault())];
        places.borrow_mut().push(place);
        views
    });
}

#[test]
fn looking_makes_nothing() {
    let place = Place::new();
    let (vault, account, holder) = (place.vault(), "a".into(), Holder::new(true));
    assert!(vault.get(&account).unwrap().is_none() && vault.list().unwrap().is_empty());
    assert!(matches!(vault.lease(&account, &holder, Timestamp::UNIX_EPOCH).unwrap(), Lease::Nothing));
    vault.give_back(&account, &holder, None).unwrap();
    vault.bury(&holder).unwrap();
    assert!(!vault.remove(&account, Expected::Any).unwrap() && vault.survey().unwrap().accounts.is_empty());
    assert_eq!(std::fs::read_dir(place.root.path()).unwrap().count(), 0);
}

#[test]
fn a_record_without_secrets_needs_no_key() {
    let place = Place::new();
    let bare = Record { refresh_token: None, access_token: None, ..record("", "") };
    put(&place.vault(), "a", &bare, Expected::Any, &Holder::new(false));
    assert!(!place.key().exists());
    assert_eq!(kept(&place.vault(), "a"), Some((None, None, bare.facts)));
}

#[test]
fn many_who_keep_something_at_once_lose_nothing_of_each_other() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for account in 0..8 {
            let place = &place;
            scope.spawn(move || {
                for round in 0..10 {
                    keep(&place.vault(), &format!("account-{account}"), &format!("{account}-{round}"));
                }
            });
        }
    });
    for account in 0..8 {
        assert_eq!(token(&place.vault(), &format!("account-{account}")), format!("{account}-9"));
    }
}
