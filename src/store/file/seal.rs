//! Sealing single fields: AES-256-GCM with a random nonce, bound to the account and the field it belongs to.
//!
//! A sealed text is `KEY:DATA`: the id of the key, and base64 of nonce, ciphertext and tag. The id comes from a hash
//! and tells nothing of the key but which one it is. A field that was changed, or moved to another account or another
//! field, does not open. Not recognised: an older text of the very same field put back in its place.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::ids::AccountName;
use crate::secret::Secret;

/// The length of a key.
pub(super) const KEY_OCTETS: usize = 32;

/// What tells keys apart: eight octets of a hash, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(String);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key that seals and opens.
pub(super) struct Key {
    octets: Zeroizing<[u8; KEY_OCTETS]>,
    id: KeyId,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.id).finish()
    }
}

/// The keys at hand: the first seals, all of them open.
#[derive(Debug)]
pub(super) struct Keys {
    first: Key,
    others: Vec<Key>,
}

/// A field's place: a text sealed for one opens in no other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'a> {
    pub account: &'a AccountName,
    pub field: &'a str,
}

/// Why a sealed text does not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unopened {
    /// No key of this id is at hand.
    OtherKey(KeyId),
    /// It is not what was sealed here.
    Damaged,
}

impl Key {
    pub(super) fn new(octets: Zeroizing<[u8; KEY_OCTETS]>) -> Self {
        let hash = Sha256::new().chain_update(b"posthouse vault key id\0").chain_update(octets.as_slice()).finalize();
        let mut id = format!("{hash:x}");
        id.truncate(16);
        Self { octets, id: KeyId(id) }
    }

    /// A new one; nothing without randomness.
    pub(super) fn random() -> Option<Self> {
        let mut octets = Zeroizing::new([0; KEY_OCTETS]);
        getrandom::fill(octets.as_mut_slice()).ok()?;
        Some(Self::new(octets))
    }

    pub(super) fn octets(&self) -> &[u8; KEY_OCTETS] {
        &self.octets
    }

    pub(super) fn id(&self) -> &KeyId {
        &self.id
    }

    fn cipher(&self) -> RandomizedNonceKey {
        RandomizedNonceKey::new(&AES_256_GCM, self.octets.as_slice()).expect("32 octets are a key of AES-256")
    }
}

impl Keys {
    pub(super) fn new(first: Key, others: Vec<Key>) -> Self {
        Self { first, others }
    }

    pub(super) fn first(&self) -> &Key {
        &self.first
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.first).chain(&self.others)
    }

    pub(super) fn len(&self) -> usize {
        1 + self.others.len()
    }

    /// These, behind a new first one.
    pub(super) fn behind(self, first: Key) -> Self {
        Self { first, others: std::iter::once(self.first).chain(self.others).collect() }
    }

    /// The first one alone.
    pub(super) fn first_only(self) -> Self {
        Self { first: self.first, others: Vec::new() }
    }

    /// Seals with the first key.
    pub(super) fn seal(&self, secret: &Secret, spot: Spot<'_>) -> String {
        let mut data = Zeroizing::new(secret.expose().as_bytes().to_vec());
        let sealed = self.first.cipher().seal_in_place_separate_tag(Aad::from(spot.bound()), &mut data);
        let (nonce, tag) = sealed.expect("a token is shorter than the 64 GiB that GCM can seal");
        let data = [nonce.as_ref().as_slice(), &data, tag.as_ref()].concat();
        format!("{}:{}", self.first.id, STANDARD_NO_PAD.encode(data))
    }

    /// Opens with the key it was sealed with.
    pub(super) fn open(&self, sealed: &str, spot: Spot<'_>) -> Result<Secret, Unopened> {
        let (id, data) = split(sealed).ok_or(Unopened::Damaged)?;
        let key = self.iter().find(|key| key.id == id).ok_or(Unopened::OtherKey(id))?;
        let mut data = Zeroizing::new(STANDARD_NO_PAD.decode(data).map_err(|_| Unopened::Damaged)?);
        let (nonce, data) = data.split_at_mut_checked(NONCE_LEN).ok_or(Unopened::Damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unopened::Damaged)?;
        let clear = key.cipher().open_in_place(nonce, Aad::from(spot.bound()), data).map_err(|_| Unopened::Damaged)?;
        std::str::from_utf8(clear).map(|text| Secret::new(text.to_owned())).map_err(|_| Unopened::Damaged)
    }
}

/// Which key a text was sealed with; nothing if it is no sealed text.
pub(super) fn sealed_with(sealed: &str) -> Option<KeyId> {
    split(sealed).map(|(id, _)| id)
}

fn split(sealed: &str) -> Option<(KeyId, &str)> {
    let (id, data) = sealed.split_once(':')?;
    let is_id = id.len() == 16 && id.bytes().all(|octet| octet.is_ascii_hexdigit());
    is_id.then(|| (KeyId(id.to_owned()), data))
}

impl Spot<'_> {
    /// What is authenticated with the ciphertext. Field names are ours and hold no NUL, so no two spots are alike.
    fn bound(self) -> Vec<u8> {
        format!("posthouse vault 1\0{}\0{}", self.account, self.field).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(octet: u8) -> Key {
        Key::new(Zeroizing::new([octet; KEY_OCTETS]))
    }

    fn opened(keys: &Keys, sealed: &str, account: &str, field: &str) -> Result<String, Unopened> {
        let spot = Spot { account: &account.into(), field };
        keys.open(sealed, spot).map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn a_sealed_text_opens_in_its_own_place_only() {
        let keys = Keys::new(key(1), Vec::new());
        let sealed = keys.seal(&Secret::new("token".into()), Spot { account: &"office".into(), field: "access_token" });
        assert_eq!(opened(&keys, &sealed, "office", "access_token"), Ok("token".into()));
        assert_eq!(opened(&keys, &sealed, "home", "access_token"), Err(Unopened::Damaged));
        assert_eq!(opened(&keys, &sealed, "office", "refresh_token"), Err(Unopened::Damaged));
    }

    #[test]
    fn one_changed_octet_anywhere_does_not_open() {
        let keys = Keys::new(key(1), Vec::new());
        let account = "a".into();
        let sealed = keys.seal(&Secret::new("token".into()), Spot { account: &account, field: "f" });
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(opened(&keys, std::str::from_utf8(&changed).unwrap(), "a", "f").is_err(), "octet {at}");
            assert!(opened(&keys, &sealed[..at], "a", "f").is_err(), "cut at {at}");
        }
        assert!(opened(&keys, &sealed, "a", "f").is_ok());
    }

    #[test]
    fn the_first_key_seals_and_the_others_open() {
        let old = Keys::new(key(1), Vec::new());
        let both = Keys::new(key(2), vec![key(1)]);
        let spot = Spot { account: &"a".into(), field: "f" };
        let before = old.seal(&Secret::new("old".into()), spot);
        let after = both.seal(&Secret::new("new".into()), spot);
        assert_eq!(opened(&both, &before, "a", "f"), Ok("old".into()));
        assert_eq!(opened(&both, &after, "a", "f"), Ok("new".into()));
        assert_eq!(opened(&old, &after, "a", "f"), Err(Unopened::OtherKey(key(2).id)));
        assert_eq!(sealed_with(&after), Some(key(2).id));
    }

    #[test]
    fn the_same_text_is_never_sealed_alike_twice() {
        let keys = Keys::new(key(1), Vec::new());
        let seal = || keys.seal(&Secret::new("token".into()), Spot { account: &"a".into(), field: "f" });
        let all: std::collections::BTreeSet<String> = (0..100).map(|_| seal()).collect();
        assert_eq!(all.len(), 100);
    }

    #[test]
    fn a_key_prints_its_id_only() {
        assert_eq!(format!("{:?}", key(7)), format!("Key(KeyId(\"{}\"))", key(7).id));
        assert!(!format!("{:?}", key(0x41)).contains("AAAA"));
    }
}
