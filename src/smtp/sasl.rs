//! SASL as SMTP uses it (RFC 4954): mechanism names, the client's responses, and the base64 both sides speak.
//!
//! Responses are [`Secret`]s from the moment they exist and intermediate copies are wiped. Decoding is strict
//! (RFC 4954 §4: no octet outside the alphabet, padding only at the end). Runs no exchange: that is the dialogues' part.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Each of user name and password in PLAIN, octets (RFC 4616 §2).
const PLAIN_FIELD_LIMIT: usize = 255;

/// The mechanisms the client can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// RFC 4616
    Plain,
    /// draft-murchison-sasl-login
    Login,
    /// Google's and Microsoft's, for OAuth access tokens.
    XOAuth2,
}

impl Mechanism {
    /// The name in EHLO and AUTH.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::XOAuth2 => "XOAUTH2",
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

/// User name and password of a decoded PLAIN response, `authzid NUL authcid NUL passwd` (RFC 4616 §2).
///
/// Nobody may act for someone else here, so an authzid other than the user name itself is refused.
#[must_use]
pub fn plain_credentials(response: &[u8]) -> Option<(String, Secret)> {
    let mut fields = response.split(|&b| b == 0);
    let (authzid, user, password) = (fields.next()?, fields.next()?, fields.next()?);
    let sized = |field: &[u8]| (1..=PLAIN_FIELD_LIMIT).contains(&field.len());
    let own = authzid.is_empty() || authzid == user;
    if fields.next().is_some() || !own || !sized(user) || !sized(password) {
        return None;
    }
    let user = std::str::from_utf8(user).ok()?.to_owned();
    let password = std::str::from_utf8(password).ok()?.to_owned();
    Some((user, Secret::new(password)))
}

/// The whole PLAIN response, in base64.
#[must_use]
pub fn plain_response(user: &str, password: &Secret) -> Secret {
    encode(&["\0", user, "\0", password.expose()])
}

/// The XOAUTH2 response, in base64: `user=… ^A auth=Bearer … ^A ^A`.
#[must_use]
pub fn xoauth2_response(user: &str, token: &Secret) -> Secret {
    encode(&["user=", user, "\x01auth=Bearer ", token.expose(), "\x01\x01"])
}

/// LOGIN's answer to the first prompt, in base64.
#[must_use]
pub fn login_user(user: &str) -> Secret {
    encode(&[user])
}

/// LOGIN's answer to the second prompt, in base64.
#[must_use]
pub fn login_password(password: &Secret) -> Secret {
    encode(&[password.expose()])
}

/// What an XOAUTH2 server says in the `334` that means failure: base64 of JSON with `status`, `schemes`, `scope`.
/// The strings come from outside and are not cleaned yet.
#[must_use]
pub fn xoauth2_failure(challenge: &[u8]) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(&decode_base64(challenge)?).ok()?;
    let said: Vec<String> = ["status", "scope"]
        .iter()
        .filter_map(|name| json.get(name)?.as_str().map(|value| format!("{name} {value}")))
        .collect();
    (!said.is_empty()).then(|| said.join(", "))
}

fn encode(parts: &[&str]) -> Secret {
    // Room for all of it beforehand: a buffer that grew would leave unwiped copies behind.
    let mut clear = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    for part in parts {
        clear.extend_from_slice(part.as_bytes());
    }
    Secret::new(STANDARD.encode(&*clear))
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

    #[test]
    fn plain_takes_exactly_two_nuls_and_no_stand_in() {
        let read = |response: &[u8]| plain_credentials(response).map(|(user, word)| (user, word.expose().to_owned()));
        let fax = Some(("fax".to_owned(), "secret".to_owned()));
        assert_eq!(read(b"\0fax\0secret"), fax);
        assert_eq!(read(b"fax\0fax\0secret"), fax);
        for bad in
            [&b"boss\0fax\0secret"[..], b"fax\0secret", b"\0fax\0sec\0ret", b"\0\0secret", b"\0fax\0", b"\0\xff\0x"]
        {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(read(format!("\0fax\0{}", "x".repeat(256)).as_bytes()), None);
        assert!(read(format!("\0fax\0{}", "x".repeat(255)).as_bytes()).is_some());
    }

    #[test]
    fn responses_are_what_the_mechanisms_ask_for() {
        let decoded = |response: Secret| decode_base64(response.expose().as_bytes()).unwrap();
        let word = Secret::new("pässword".into());
        assert_eq!(decoded(plain_response("a@b", &word)), "\0a@b\0pässword".as_bytes());
        // The example of Google's description of the protocol.
        let token = Secret::new("vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg==".into());
        assert_eq!(
            xoauth2_response("someuser@example.com", &token).expose(),
            "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB2RjlkZnQ0cW1UYzJOdmIzUmxja0JoZEhSaGRtbHpkR0V1WTI5dENnPT0BAQ=="
        );
    }

    #[test]
    fn the_failure_challenge_is_read_and_anything_else_is_not() {
        let google =
            b"eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==";
        assert_eq!(xoauth2_failure(google).unwrap(), "status 400, scope https://mail.google.com/");
        for other in [&b""[..], b"VXNlcm5hbWU6", b"e30=", b"not base64"] {
            assert_eq!(xoauth2_failure(other), None);
        }
    }
}
