//! SASL as SMTP uses it (RFC 4954): the names of the mechanisms and the base64 both sides speak.
//!
//! What the client says stands in [`response`], what the server makes of it in [`proof`]. Responses are secrets from
//! the moment they exist and intermediate copies are wiped, save the state of the hash in CRAM-MD5. Decoding is strict
//! (RFC 4954 §4: no octet outside the alphabet, padding only at the end). Runs no exchange: that is the dialogues'
//! part.

pub mod proof;
pub mod response;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use md5::Md5;

use crate::secret::Secret;

/// A way to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// RFC 4616
    Plain,
    /// draft-murchison-sasl-login
    Login,
    /// RFC 2195: the password itself stays here, an answer made of it goes out.
    CramMd5,
    /// Google's and Microsoft's, for OAuth access tokens.
    XOAuth2,
    /// The standard's (RFC 7628), for OAuth access tokens.
    OAuthBearer,
}

impl Mechanism {
    /// The name in EHLO and AUTH.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
            Self::XOAuth2 => "XOAUTH2",
            Self::OAuthBearer => "OAUTHBEARER",
        }
    }

    /// Whether it is made for OAuth tokens; all others are for passwords.
    #[must_use]
    pub fn takes_token(self) -> bool {
        match self {
            Self::Plain | Self::Login | Self::CramMd5 => false,
            Self::XOAuth2 | Self::OAuthBearer => true,
        }
    }
}

impl std::fmt::Display for Mechanism {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Octets in base64, strictly; a lone `=` is the empty response (RFC 4954 §4).
#[must_use]
pub fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    if text == b"=" { Some(Vec::new()) } else { STANDARD.decode(text).ok() }
}

/// Octets as base64, for a challenge.
#[must_use]
pub fn encode_base64(octets: impl AsRef<[u8]>) -> String {
    STANDARD.encode(octets)
}

/// Octets of an HMAC-MD5.
const DIGEST: usize = 16;

/// RFC 2195 §2: the challenge, keyed with the password.
fn cram_md5(password: &Secret, challenge: &[u8]) -> [u8; DIGEST] {
    let mut mac = Hmac::<Md5>::new_from_slice(password.expose().as_bytes())
        .expect("HMAC takes a key of any length (RFC 2104 §2)");
    mac.update(challenge);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_strict_and_a_lone_equals_sign_is_empty() {
        assert_eq!(decode_base64(b"="), Some(vec![]));
        assert_eq!(decode_base64(b""), Some(vec![]));
        assert_eq!(decode_base64(b"Zm9v"), Some(b"foo".to_vec()));
        for bad in ["Zm9", "Zm9v=", "Zm 9v", "Zm9v\r", "Z=9v", "Zm9vZh==", "==", "Zm-_"] {
            assert_eq!(decode_base64(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
