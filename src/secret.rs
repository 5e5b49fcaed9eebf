//! What must never be read by the wrong eyes: passwords, tokens, and everything made of them.
//!
//! A [`Secret`] has no `Display`, its `Debug` prints a placeholder, and its memory is wiped on drop. The only way to
//! the text is [`Secret::expose`]; which files may call it is a short list in `tests/house.rs`.
//! Guarantees nothing about copies a caller makes after `expose`. Finding secrets in text that came back from
//! outside is the job of [`crate::redact`].

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A password, token or SASL response. Cloning copies the text into memory that is wiped as well.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes the text over; the caller's own copy, if there is one, is not wiped.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// The text itself. Every file that calls this is listed in `tests/house.rs`.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether both are the same text.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }

    /// Its SHA-256 in hexadecimal, by which it is known again without being kept. Of a long random token it tells
    /// nothing; of a password it would tell too much.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!("{:x}", Sha256::digest(self.expose()))
    }

    /// Its length in octets, which says whether it fits on a line and nothing more.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.0.expose_secret().len()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_a_placeholder_only() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".into())), "[secret]");
    }

    #[test]
    fn a_secret_is_known_again_without_being_kept() {
        let (one, other) = (Secret::new("abc".into()), Secret::new("abd".into()));
        assert!(one.is_same_as(&one.clone()) && !one.is_same_as(&other));
        // FIPS 180-4, the example of appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(one.fingerprint(), expected);
    }
}
