//! Pins: one key or one certificate, by its SHA-256, as text and as what a server shows.
//!
//! `sha256/BASE64` is the form of RFC 7469 §2.4 and outlives a renewal that keeps the key; `certificate/HEX` is what
//! `openssl x509 -fingerprint -sha256` prints, with or without its colons. Every way a pin can be misspelt has its own
//! message, which shows the form that was expected.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use sha2::{Digest, Sha256};

/// One key or certificate, by its SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// `sha256/BASE64`: of the `SubjectPublicKeyInfo` (RFC 7469 §2.4).
    Key([u8; 32]),
    /// `certificate/HEX`: of the whole certificate, as `openssl x509 -fingerprint -sha256` prints it.
    Certificate([u8; 32]),
}

/// Why a text is no pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    #[error("a pin begins with `sha256/` (a key) or `certificate/` (a certificate)")]
    Kind,
    #[error("behind `sha256/` stands the SHA-256 of the key in base64: 44 characters, the last one `=`")]
    NotBase64,
    #[error("behind `sha256/` stand 32 octets in base64, and these are {0}")]
    KeyLength(usize),
    #[error(
        "these are 64 hexadecimal digits, as the fingerprint of a certificate has them: write `certificate/` before them"
    )]
    HexBehindSha256,
    #[error(
        "behind `certificate/` stands the SHA-256 of the certificate in hexadecimal digits, with or without colons"
    )]
    NotHex,
    #[error(
        "these are 40 hexadecimal digits, a SHA-1 fingerprint; `openssl x509 -fingerprint -sha256` prints the one that counts"
    )]
    Sha1,
    #[error("behind `certificate/` stand 64 hexadecimal digits, and these are {0}")]
    CertificateLength(usize),
}

impl Pin {
    /// The pin of this certificate's key; nothing if it is no X.509 certificate.
    #[must_use]
    pub fn of_key(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = ParsedCertificate::try_from(certificate).ok()?;
        Some(Self::Key(Sha256::digest(parsed.subject_public_key_info()).into()))
    }

    /// The pin of this certificate.
    #[must_use]
    pub fn of_certificate(certificate: &CertificateDer<'_>) -> Self {
        Self::Certificate(Sha256::digest(certificate).into())
    }

    /// Whether the certificate, or its key, is the pinned one.
    pub(super) fn fits(&self, certificate: &CertificateDer<'_>) -> bool {
        match self {
            Self::Key(_) => Self::of_key(certificate).as_ref() == Some(self),
            Self::Certificate(_) => Self::of_certificate(certificate) == *self,
        }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(digest) => write!(f, "sha256/{}", BASE64_STANDARD.encode(digest)),
            Self::Certificate(digest) => {
                f.write_str("certificate/")?;
                for (index, octet) in digest.iter().enumerate() {
                    write!(f, "{}{octet:02X}", if index == 0 { "" } else { ":" })?;
                }
                Ok(())
            }
        }
    }
}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let (kind, digest) = text.trim().split_once('/').ok_or(PinError::Kind)?;
        match kind.to_ascii_lowercase().as_str() {
            "sha256" => key(digest),
            "certificate" => certificate(digest),
            _ => Err(PinError::Kind),
        }
    }
}

fn key(digest: &str) -> Result<Pin, PinError> {
    if hex(digest).is_some_and(|digits| digits.len() == 64) {
        return Err(PinError::HexBehindSha256);
    }
    let octets = BASE64_STANDARD_NO_PAD.decode(digest.trim_end_matches('=')).map_err(|_| PinError::NotBase64)?;
    <[u8; 32]>::try_from(octets).map(Pin::Key).map_err(|octets| PinError::KeyLength(octets.len()))
}

fn certificate(digest: &str) -> Result<Pin, PinError> {
    let digits = hex(digest).ok_or(PinError::NotHex)?;
    match digits.len() {
        64 => {}
        40 => return Err(PinError::Sha1),
        other => return Err(PinError::CertificateLength(other)),
    }
    let mut octets = [0; 32];
    for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
        *octet = pair[0] << 4 | pair[1];
    }
    Ok(Pin::Certificate(octets))
}

/// The value of each hexadecimal digit; nothing if there is anything else than digits and colons.
fn hex(text: &str) -> Option<Vec<u8>> {
    let value = |c: char| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.chars().filter(|c| *c != ':').map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    const FINGERPRINT: &str =
        "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55";

    fn refused(text: &str) -> PinError {
        text.parse::<Pin>().unwrap_err()
    }

    #[test]
    fn pins_are_read_as_tools_print_them_and_printed_as_they_are_read() {
        // SHA-256 of nothing.
        let digest: [u8; 32] = Sha256::digest([]).into();
        assert_eq!(KEY.parse(), Ok(Pin::Key(digest)));
        assert_eq!(KEY.trim_end_matches('=').parse(), Ok(Pin::Key(digest)));
        let certificate = format!("certificate/{FINGERPRINT}");
        for written in [certificate.clone(), certificate.replace(':', "").to_lowercase()] {
            assert_eq!(written.parse(), Ok(Pin::Certificate(digest)), "{written}");
        }
        assert_eq!(Pin::Key(digest).to_string(), KEY);
        assert_eq!(Pin::Certificate(digest).to_string(), certificate);
    }

    #[test]
    fn each_misspelling_is_told_apart() {
        for unknown in ["", "47DEQpj8HBSa", FINGERPRINT, "sha1/2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "pin/47DEQpj8HBSa"] {
            assert_eq!(refused(unknown), PinError::Kind, "{unknown}");
        }
        assert_eq!(refused("sha256/not base64"), PinError::NotBase64);
        assert_eq!(refused("sha256/"), PinError::KeyLength(0));
        assert_eq!(refused("sha256/2jmj7l5rSw0yVb/vlWAYkK/YBwk="), PinError::KeyLength(20));
        assert_eq!(refused(&format!("sha256/{FINGERPRINT}")), PinError::HexBehindSha256);
        assert_eq!(refused("certificate/xyz"), PinError::NotHex);
        assert_eq!(refused(&format!("certificate/{}", &FINGERPRINT[..59])), PinError::Sha1);
        assert_eq!(refused("certificate/E3:B0"), PinError::CertificateLength(4));
    }

    #[test]
    fn a_pin_of_the_key_outlives_the_certificate_and_one_of_the_certificate_does_not() {
        let key = rcgen::KeyPair::generate().unwrap();
        let made = |name: &str| {
            rcgen::CertificateParams::new([name.to_owned()]).unwrap().self_signed(&key).unwrap().der().clone()
        };
        let (old, new) = (made("a.example"), made("b.example"));
        assert!(Pin::of_key(&old).unwrap().fits(&new));
        assert!(Pin::of_certificate(&old).fits(&old) && !Pin::of_certificate(&old).fits(&new));
        assert_eq!(
            Pin::of_key(&old),
            Some(Pin::Key(Sha256::digest(rcgen::PublicKeyData::subject_public_key_info(&key)).into()))
        );
        assert_eq!(Pin::of_key(&CertificateDer::from_slice(b"0\x82")), None);
    }
}
