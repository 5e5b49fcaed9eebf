//! What a device gives to show that it knows its password, read and compared.
//!
//! Comparisons take the same time whatever differs. Nothing here is ever printed: neither a password nor the answer to
//! a challenge, from which one could be guessed. Knows no device and no password of its own.

use subtle::ConstantTimeEq;

use super::DIGEST;
use crate::secret::Secret;

/// Each of user name and password in PLAIN, octets (RFC 4616 §2).
const PLAIN_FIELD_LIMIT: usize = 255;

/// What a device gave.
pub enum Proof {
    /// PLAIN and LOGIN: the password.
    Password(Secret),
    /// CRAM-MD5: the answer to this challenge.
    CramMd5 { challenge: String, digest: [u8; DIGEST] },
}

impl Proof {
    /// Whether it shows knowledge of this password.
    #[must_use]
    pub fn fits(&self, password: &Secret) -> bool {
        match self {
            Self::Password(given) => given.expose().as_bytes().ct_eq(password.expose().as_bytes()).into(),
            Self::CramMd5 { challenge, digest } => super::cram_md5(password, challenge.as_bytes()).ct_eq(digest).into(),
        }
    }
}

/// User name and password of a decoded PLAIN response, `authzid NUL authcid NUL passwd` (RFC 4616 §2).
///
/// Nobody may act for someone else here, so an authzid other than the user name itself is refused.
#[must_use]
pub fn plain(response: &[u8]) -> Option<(String, Proof)> {
    let mut fields = response.split(|&b| b == 0);
    let (authzid, user, password) = (fields.next()?, fields.next()?, fields.next()?);
    let sized = |field: &[u8]| (1..=PLAIN_FIELD_LIMIT).contains(&field.len());
    let own = authzid.is_empty() || authzid == user;
    if fields.next().is_some() || !own || !sized(user) || !sized(password) {
        return None;
    }
    let user = std::str::from_utf8(user).ok()?.to_owned();
    let password = std::str::from_utf8(password).ok()?.to_owned();
    Some((user, Proof::Password(Secret::new(password))))
}

/// User name and answer of a decoded CRAM-MD5 response, `user SP hexadecimal` (RFC 2195 §2). A user name may hold
/// spaces, so the last one counts; digits are taken in either case.
#[must_use]
pub fn cram_md5(response: &[u8], challenge: String) -> Option<(String, Proof)> {
    let (user, hexadecimal) = std::str::from_utf8(response).ok()?.rsplit_once(' ')?;
    let fits = hexadecimal.len() == 2 * DIGEST && hexadecimal.bytes().all(|digit| digit.is_ascii_hexdigit());
    let digest = u128::from_str_radix(hexadecimal, 16).ok().filter(|_| fits)?.to_be_bytes();
    Some((user.to_owned(), Proof::CramMd5 { challenge, digest }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(proof: &Proof, password: &str) -> bool {
        proof.fits(&Secret::new(password.into()))
    }

    #[test]
    fn plain_takes_exactly_two_nuls_and_no_stand_in() {
        for good in [&b"\0fax\0secret"[..], b"fax\0fax\0secret"] {
            let (user, proof) = plain(good).unwrap();
            assert!(user == "fax" && fits(&proof, "secret") && !fits(&proof, "Secret"), "{good:?}");
        }
        for bad in
            [&b"boss\0fax\0secret"[..], b"fax\0secret", b"\0fax\0sec\0ret", b"\0\0secret", b"\0fax\0", b"\0\xff\0x"]
        {
            assert!(plain(bad).is_none(), "{bad:?}");
        }
        assert!(plain(format!("\0fax\0{}", "x".repeat(256)).as_bytes()).is_none());
        assert!(plain(format!("\0fax\0{}", "x".repeat(255)).as_bytes()).is_some());
    }

    const CHALLENGE: &str = "<1896.697170952@postoffice.reston.mci.net>";
    const ANSWER: &str = "b913a602c7eda7a495b4e6e7334d3890";

    /// RFC 2195 §3
    #[test]
    fn an_answer_fits_its_own_password_and_challenge_only() {
        for answer in [ANSWER.to_owned(), ANSWER.to_uppercase()] {
            let answered = format!("the old fax {answer}");
            let (user, proof) = cram_md5(answered.as_bytes(), CHALLENGE.into()).unwrap();
            assert_eq!(user, "the old fax");
            assert!(fits(&proof, "tanstaaftanstaaf") && !fits(&proof, "tanstaaf"));
        }
        let (_, replayed) = cram_md5(format!("tim {ANSWER}").as_bytes(), CHALLENGE.replace('6', "7")).unwrap();
        assert!(!fits(&replayed, "tanstaaftanstaaf"), "an answer to another challenge");
    }

    #[test]
    fn an_answer_has_a_name_and_thirty_two_digits() {
        for bad in [
            String::new(),
            ANSWER.into(),
            format!("tim\t{ANSWER}"),
            format!("tim {ANSWER} "),
            format!("tim {}", &ANSWER[1..]),
            format!("tim {ANSWER}0"),
            format!("tim {ANSWER}00"),
            format!("tim {}x", &ANSWER[1..]),
            format!("tim +{}", &ANSWER[1..]),
        ] {
            assert!(cram_md5(bad.as_bytes(), CHALLENGE.into()).is_none(), "{bad:?}");
        }
        assert!(cram_md5(format!("t\u{fc}m {ANSWER}").as_bytes(), CHALLENGE.into()).is_some());
        assert!(cram_md5(&[&b"t\xfcm "[..], ANSWER.as_bytes()].concat(), CHALLENGE.into()).is_none(), "Latin-1");
    }
}
