//! Where the key of the vault comes from.
//!
//! A key is 32 octets, written as base64 or in hexadecimal. There may be several, one a line: the first seals, the
//! others only open what was sealed before. Lines that begin with `#` are remarks. Keys are read anew each time, so
//! that a running relay takes a new one as soon as it is there. Only a key that seals nothing yet is ever made
//! ([`make`]), and it is durable before anything is sealed with it.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::said;
use super::seal::{KEY_OCTETS, Key, Keys};
use crate::account::vault::VaultError;
use crate::disk::{self, Owner};
use crate::secret::Secret;

/// Where the key of the vault comes from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// `storage.key`, mostly from the environment: never written anywhere by us.
    Given(Secret),
    /// `storage.key_file`, or a credential of systemd: somebody else makes and keeps it. We change it only when asked
    /// to rotate the key.
    File(PathBuf),
    /// The usual place: made at the first start if it is not there.
    Made(PathBuf),
}

/// Room for hundreds of keys and remarks.
const LONGEST: u64 = 64 * 1024;

const REMARKS: &str = "\
# The key of Posthouse's vault. Who has it and the vault has the sign-ins of all accounts; without it everybody has to
# sign in again. Several keys, one a line: the first seals, the others only open.
";

/// Why a text holds no keys; never shows any of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("there is no key in it")]
    Empty,
    #[error("key number {number} is not 32 octets in base64 or hexadecimal")]
    Malformed { number: usize },
}

/// What is in a source.
pub(super) enum Found<'a> {
    Keys(Keys),
    /// The file that will be made, and is not yet.
    NotMade(&'a Path),
}

impl KeySource {
    /// The file the key lies in, if it is in one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Given(_) => None,
            Self::File(path) | Self::Made(path) => Some(path),
        }
    }

    pub(super) fn read(&self) -> Result<Found<'_>, VaultError> {
        let malformed = |error: KeyError| said::key_malformed(self, &error);
        let path = match self {
            Self::Given(secret) => return parse(secret.expose()).map(Found::Keys).map_err(malformed),
            Self::File(path) | Self::Made(path) => path,
        };
        let octets = disk::read_private(path, disk::KeptBy::SomebodyElse, LONGEST);
        let Some(octets) = octets.map_err(|error| said::key_unread(path, error))?.map(Zeroizing::new) else {
            return match self {
                Self::Made(path) => Ok(Found::NotMade(path)),
                _ => Err(said::key_file_missing(path)),
            };
        };
        // What is not UTF-8 is no key in any form.
        let text = std::str::from_utf8(&octets).map_err(|_| malformed(KeyError::Malformed { number: 1 }))?;
        parse(text).map(Found::Keys).map_err(malformed)
    }
}

/// Makes the key file for who owns the vault, and gives what is in it: the key of somebody else, if they just made one.
/// Durable when it returns.
pub(super) fn make(source: &KeySource, path: &Path, owner: Owner) -> Result<Keys, VaultError> {
    let key = Key::random().ok_or_else(said::no_randomness)?;
    let text = written(&Keys::new(key, Vec::new()));
    let directory = path.parent().unwrap_or(path);
    let made = disk::private_directory(directory, owner).and_then(|()| disk::create(path, text.as_bytes(), owner));
    made.map_err(|error| said::key_not_made(path, &error))?;
    match source.read()? {
        Found::Keys(keys) => Ok(keys),
        Found::NotMade(path) => Err(said::key_file_missing(path)),
    }
}

/// Replaces what is in a key file.
pub(super) fn replace(path: &Path, keys: &Keys) -> std::io::Result<()> {
    disk::replace(path, written(keys).as_bytes())
}

/// As it stands in a key file.
fn written(keys: &Keys) -> Zeroizing<String> {
    // Large enough at once: growing would leave copies behind that nobody wipes.
    let mut text = Zeroizing::new(String::with_capacity(REMARKS.len() + keys.len() * 64));
    text.push_str(REMARKS);
    for key in keys.iter() {
        base64::engine::general_purpose::STANDARD.encode_string(key.octets(), &mut text);
        text.push('\n');
    }
    text
}

/// Whether a text is a key, or several; for who checks a configuration.
///
/// # Errors
/// When it is not; the text shows none of it.
pub fn check(text: &Secret) -> Result<(), KeyError> {
    parse(text.expose()).map(drop)
}

/// Keys stand on lines of their own; in a variable of the environment, where there are none, spaces or commas do.
fn parse(text: &str) -> Result<Keys, KeyError> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let words = lines.flat_map(|line| line.split([' ', '\t', ','])).filter(|word| !word.is_empty());
    let mut keys = words.enumerate().map(|(index, word)| {
        let octets = octets(word).ok_or(KeyError::Malformed { number: index + 1 })?;
        Ok(Key::new(octets))
    });
    let first = keys.next().ok_or(KeyError::Empty)??;
    Ok(Keys::new(first, keys.collect::<Result<_, _>>()?))
}

/// 64 hexadecimal digits, or base64 of 32 octets: either alphabet (RFC 4648 §4 and §5), padded or not.
fn octets(word: &str) -> Option<Zeroizing<[u8; KEY_OCTETS]>> {
    const PAD: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let mut octets = Zeroizing::new([0; KEY_OCTETS]);
    if word.len() == 2 * KEY_OCTETS && word.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        for (octet, digits) in octets.iter_mut().zip(word.as_bytes().chunks_exact(2)) {
            *octet = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        return Some(octets);
    }
    let is_url = word.contains(['-', '_']);
    let engine = GeneralPurpose::new(if is_url { &alphabet::URL_SAFE } else { &alphabet::STANDARD }, PAD);
    let decoded = Zeroizing::new(engine.decode(word).ok()?);
    octets.copy_from_slice(decoded.as_slice().get(..KEY_OCTETS).filter(|_| decoded.len() == KEY_OCTETS)?);
    Some(octets)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

    use super::*;

    const ZERO: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    fn ids(text: &str) -> Result<Vec<String>, KeyError> {
        parse(text).map(|keys| keys.iter().map(|key| key.id().to_string()).collect())
    }

    #[test]
    fn a_key_is_read_in_every_form_it_is_written_in() {
        let octets: Vec<u8> = (0..32).map(|n| n * 8 + 3).collect();
        let hex = octets.iter().fold(String::new(), |hex, octet| format!("{hex}{octet:02X}"));
        let forms = [STANDARD.encode(&octets), URL_SAFE.encode(&octets), URL_SAFE_NO_PAD.encode(&octets), hex];
        let read: Vec<_> = forms.iter().map(|form| ids(form).unwrap()).collect();
        assert!(read.iter().all(|ids| *ids == read[0] && ids.len() == 1), "{read:?}");
    }

    #[test]
    fn several_keys_keep_their_order_and_remarks_are_none() {
        let hex = "ab".repeat(32);
        let (a, b) = (ids(ZERO).unwrap()[0].clone(), ids(&hex).unwrap()[0].clone());
        assert_eq!(ids(&format!("# new\n{hex}\r\n\n  {ZERO}\n")), Ok(vec![b.clone(), a.clone()]));
        assert_eq!(ids(&format!("{ZERO},{hex}")), Ok(vec![a.clone(), b.clone()]));
        let keys = parse(&format!("{hex} {ZERO}")).unwrap();
        assert_eq!(ids(&written(&keys)), Ok(vec![b, a]), "what we write we read");
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        assert_eq!(ids("# only remarks\n"), Err(KeyError::Empty));
        for wrong in ["correct-horse", "AAAA", &"AA".repeat(33), &"=".repeat(44), &"z".repeat(64)] {
            let error = ids(&format!("{ZERO}\n{wrong}")).unwrap_err();
            assert_eq!(error, KeyError::Malformed { number: 2 });
            assert!(!error.to_string().contains(wrong));
        }
    }
}
