//! What people read when the vault cannot do what it was asked: which file, what is wrong with it, what to do.
//!
//! No text shows a secret, nor anything that was found where a secret should stand.

use std::io;
use std::path::Path;

use super::document::Unreadable;
use super::key::{KeyError, KeySource};
use super::seal::{KeyId, Keys, Spot, Unopened};
use crate::account::vault::VaultError;
use crate::disk::{self, Exposed, ReadError};

/// How a key is made by hand.
const OPENSSL: &str = "`openssl rand -base64 32`";

/// Where the key is, in a sentence.
pub(super) fn place(source: &KeySource) -> String {
    match source.path() {
        Some(path) => path.display().to_string(),
        None => "storage.key".into(),
    }
}

pub(super) fn key_malformed(source: &KeySource, error: &KeyError) -> VaultError {
    VaultError::Key(format!(
        "the key of the vault in {} cannot be used: {error}; put back the key it was, or, if nobody has signed in yet, \
         write what {OPENSSL} prints",
        place(source)
    ))
}

pub(super) fn key_file_missing(path: &Path) -> VaultError {
    VaultError::Key(format!(
        "the key of the vault should be in {} and is not there; put it back, or, if nobody has signed in yet, make one: \
         `(umask 077; openssl rand -base64 32 > {0})` as the user the relay runs as",
        path.display()
    ))
}

/// The vault holds what was sealed, and the key is gone.
pub(super) fn key_gone(key: &Path, vault: &Path) -> VaultError {
    VaultError::Key(format!(
        "{} holds sign-ins, and the key they were sealed with should be in {} and is not there; put it back from a copy, or, \
         if the relay has it from elsewhere (storage.key, storage.key_file, a credential of systemd), let this command have \
         it from there, too; if it is lost, move the vault file away and sign in again with `posthouse login`",
        vault.display(),
        key.display()
    ))
}

pub(super) fn key_unread(path: &Path, error: ReadError) -> VaultError {
    match error {
        ReadError::Exposed(exposed) => VaultError::Exposed(format!(
            "{}; if somebody has read it, then rotate it: `posthouse vault rotate-key`",
            exposed_file("the key of the vault", path, &exposed)
        )),
        // Not a bad moment of the disk, which passes: a person must mend it.
        ReadError::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            VaultError::Key(denied("read the key of the vault in", path, &error))
        }
        ReadError::Io(error) => VaultError::Storage(denied("read the key of the vault in", path, &error)),
        other => VaultError::Key(format!("the key of the vault should be in {}, but {other}", path.display())),
    }
}

pub(super) fn key_not_made(path: &Path, error: &io::Error) -> VaultError {
    let user = disk::our_user().unwrap_or_else(|| "USER".into());
    let directory = path.parent().unwrap_or(path).display();
    VaultError::Storage(format!(
        "cannot make the key of the vault in {}: {error}; give user {user} the directory, `install -d -m 700 -o {user} {directory}`, \
         or name another place with storage.key_file",
        path.display()
    ))
}

pub(super) fn no_randomness() -> VaultError {
    VaultError::Storage("this machine gives no random numbers, so no key can be made".into())
}

pub(super) fn vault_unread(path: &Path, error: ReadError) -> VaultError {
    match error {
        ReadError::Exposed(exposed) => VaultError::Exposed(exposed_file("the vault", path, &exposed)),
        ReadError::Io(error) => VaultError::Storage(denied("read the vault", path, &error)),
        other => damaged(path, other),
    }
}

pub(super) fn vault_unreadable(path: &Path, error: &Unreadable) -> VaultError {
    match error {
        Unreadable::Newer(_) => VaultError::Damaged(format!(
            "the vault {} cannot be used: {error}; run the newer version that wrote it, or move the file away and sign in \
             again with `posthouse login`",
            path.display()
        )),
        Unreadable::Damaged(error) => damaged(path, error),
    }
}

/// Never overwritten: somebody may still get something out of it.
fn damaged(path: &Path, why: impl std::fmt::Display) -> VaultError {
    VaultError::Damaged(format!(
        "the vault {} is damaged ({why}) and is left as it is; put a copy back, or move it away and sign in again with \
         `posthouse login`",
        path.display()
    ))
}

pub(super) fn vault_unwritten(path: &Path, error: &io::Error) -> VaultError {
    VaultError::Storage(denied("write the vault", path, error))
}

pub(super) fn too_long(path: &Path, limit: usize) -> VaultError {
    VaultError::Storage(format!(
        "the vault {} would be longer than {limit} octets and is left as it is; forget accounts that are no longer used \
         with `posthouse logout`",
        path.display()
    ))
}

pub(super) fn busy(path: &Path, seconds: u64) -> VaultError {
    VaultError::Storage(format!(
        "another process has kept {} locked for {seconds} s; see which with `fuser {0}`, and end it if it hangs",
        path.display()
    ))
}

/// How a key is rotated that we do not write: somebody else keeps it, or its place cannot be written.
pub(super) fn rotate_by_hand(source: &KeySource, why: Option<&io::Error>) -> String {
    let why = match why {
        Some(error) => format!("which cannot be written: {error}"),
        None => "which is not ours to write".into(),
    };
    format!(
        "the key of the vault comes from {}, {why}. To rotate it:\n  \
         1. make a new key: {OPENSSL}\n  \
         2. put it there before the old one, each on a line of its own, or with a comma between them in a variable\n  \
         3. restart the relay, so that it knows both\n  \
         4. run `posthouse vault rotate-key` with the same two keys: it seals everything with the new one\n  \
         5. take the old one away, and restart the relay",
        place(source)
    )
}

/// A field that does not open.
pub(super) fn sealed(vault: &Path, source: &KeySource, keys: &Keys, spot: Spot<'_>, why: Unopened) -> VaultError {
    let (Spot { account, field }, vault) = (spot, vault.display());
    match why {
        Unopened::OtherKey(id) => VaultError::Key(format!(
            "the {field} of account {account} in {vault} was sealed with key {id}, and {} holds {}; add that key there, after \
             the first, or sign in again: `posthouse login {account}`",
            place(source),
            ids(keys.iter().map(super::seal::Key::id)),
        )),
        Unopened::Damaged => VaultError::Damaged(format!(
            "the {field} of account {account} in {vault} was changed or damaged and does not open; put a copy of the file \
             back, or sign in again: `posthouse login {account}`"
        )),
    }
}

/// `key A` or `keys A and B`.
fn ids<'a>(ids: impl Iterator<Item = &'a KeyId>) -> String {
    let ids: Vec<String> = ids.map(ToString::to_string).collect();
    format!("key{} {}", if ids.len() == 1 { "" } else { "s" }, ids.join(" and "))
}

fn exposed_file(what: &str, path: &Path, exposed: &Exposed) -> String {
    let path = path.display();
    let cure = match exposed {
        Exposed::Mode { .. } => format!("`chmod 600 {path}`"),
        Exposed::Owner { .. } => {
            let user = disk::our_user().unwrap_or_else(|| "USER".into());
            format!("if you know how it came there, `chown {user} {path}`")
        }
    };
    format!("{what}, {path}, is not used: {exposed}; {cure}")
}

/// Mostly a command run as the wrong user.
fn denied(what: &str, path: &Path, error: &io::Error) -> String {
    let cure = match (error.kind(), disk::user_of(path), disk::our_user()) {
        (io::ErrorKind::PermissionDenied, Some(owner), Some(us)) if owner != us => {
            format!(
                "; it belongs to user {owner} and you are {us}: run this as the user the relay runs as, with `sudo -u {owner}`"
            )
        }
        _ => String::new(),
    };
    format!("cannot {what} {}: {error}{cure}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_may_not_be_read_is_a_persons_matter_and_a_disk_that_fails_is_not() {
        let unread =
            |kind: io::ErrorKind| key_unread(Path::new("/etc/posthouse/vault.key"), ReadError::Io(kind.into()));
        assert!(matches!(unread(io::ErrorKind::PermissionDenied), VaultError::Key(_)));
        assert!(matches!(unread(io::ErrorKind::TimedOut), VaultError::Storage(_)));
    }
}
