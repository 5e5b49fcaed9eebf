//! The vault's file: what lies where, who may read it, and what a thief of it sees.
//!
//! What every vault must do is in `account::vault`. Crashes are played in `crash`, rotation of the key in `rotate`.

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
