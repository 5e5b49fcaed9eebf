//! Whether a message carries a signature that a change of its octets would break.
//!
//! Known by the form of the message alone: nothing is verified, and signatures within text are not looked for, because
//! a change of the transport encoding does not break those.

use std::fmt;

use crate::mail::header::block::Block;
use crate::mail::header::parser::Content;

/// A kind of signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// A `DKIM-Signature` field: the body and the fields it names (RFC 6376).
    Dkim,
    /// `multipart/signed`, or a CMS object in `application/pkcs7-mime` (RFC 8551).
    Smime,
    /// `multipart/signed` by PGP (RFC 3156).
    Pgp,
}

impl Signature {
    /// Of the message as a whole.
    #[must_use]
    pub fn of_message(block: &Block<'_>) -> Option<Self> {
        block.first("DKIM-Signature").map(|_| Self::Dkim)
    }

    /// Of what is in a part of this type.
    #[must_use]
    pub fn of_part(content: &Content) -> Option<Self> {
        match (content.kind.as_str(), content.subtype.as_str()) {
            ("multipart", "signed") => {
                let protocol = content.parameter("protocol").unwrap_or_default();
                let pgp = protocol.eq_ignore_ascii_case("application/pgp-signature");
                Some(if pgp { Self::Pgp } else { Self::Smime })
            }
            ("application", "pkcs7-mime" | "x-pkcs7-mime") => Some(Self::Smime),
            _ => None,
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dkim => "DKIM",
            Self::Smime => "S/MIME",
            Self::Pgp => "PGP",
        })
    }
}
