//! What the client says to sign in, and what it is told when an OAuth token is refused.
//!
//! Every response is the whole of it, in base64, as a [`Secret`]. What a server says is read within the bounds of a
//! reply and kept to the few fields that mean something; it comes from outside and is not cleaned here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::decode_base64;
use crate::secret::Secret;

/// What ends an OAUTHBEARER exchange that the server has failed: one ^A (RFC 7628 §3.2.3), in base64.
pub const OAUTHBEARER_END: &str = "AQ==";

/// The response of PLAIN (RFC 4616 §2).
#[must_use]
pub fn plain(user: &str, password: &Secret) -> Secret {
    encode(&["\0", user, "\0", password.expose()])
}

/// LOGIN's answer to the first prompt.
#[must_use]
pub fn login_user(user: &str) -> Secret {
    encode(&[user])
}

/// LOGIN's answer to the second prompt.
#[must_use]
pub fn login_password(password: &Secret) -> Secret {
    encode(&[password.expose()])
}

/// The response of XOAUTH2: `user=… ^A auth=Bearer … ^A ^A`.
#[must_use]
pub fn xoauth2(user: &str, token: &Secret) -> Secret {
    encode(&["user=", user, "\x01auth=Bearer ", token.expose(), "\x01\x01"])
}

/// The response of OAUTHBEARER (RFC 7628 §3.1); host and port are those of the server we mean to talk to.
#[must_use]
pub fn oauthbearer(user: &str, token: &Secret, host: &str, port: u16) -> Secret {
    // RFC 5801 §4: in a saslname the two characters that mean something else are escaped.
    let user = user.replace('=', "=3D").replace(',', "=2C");
    let port = port.to_string();
    encode(&["n,a=", &user, ",\x01host=", host, "\x01port=", &port, "\x01auth=Bearer ", token.expose(), "\x01\x01"])
}

/// The answer to CRAM-MD5's challenge.
pub struct CramMd5 {
    /// As it goes out, with the user name.
    pub response: Secret,
    /// Its hexadecimal half alone, which a server may repeat. From it a weak password can be guessed.
    pub digest: Secret,
}

/// Answers a challenge, which comes in base64 (RFC 2195 §2). `None` if it is not base64.
#[must_use]
pub fn cram_md5(user: &str, password: &Secret, challenge: &[u8]) -> Option<CramMd5> {
    let digest = u128::from_be_bytes(super::cram_md5(password, &decode_base64(challenge)?));
    let digest = Secret::new(format!("{digest:032x}"));
    Some(CramMd5 { response: encode(&[user, " ", digest.expose()]), digest })
}

/// Why a server refuses a token, from the `334` by which XOAUTH2 and OAUTHBEARER (RFC 7628 §3.2.2) say so: base64 of
/// JSON with `status`, `schemes` and `scope`. `None` when there is nothing of that to be read.
#[must_use]
pub fn token_refused(challenge: &[u8]) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(&decode_base64(challenge)?).ok()?;
    let said = ["status", "schemes", "scope"].iter().filter_map(|name| match json.get(name)? {
        serde_json::Value::String(value) => Some(format!("{name} {value}")),
        // RFC 7628 wants text; a number is what others write.
        serde_json::Value::Number(value) => Some(format!("{name} {value}")),
        _ => None,
    });
    let said = said.collect::<Vec<_>>().join(", ");
    (!said.is_empty()).then_some(said)
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

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    fn decoded(response: &Secret) -> String {
        String::from_utf8(decode_base64(response.expose().as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn plain_is_three_fields() {
        assert_eq!(decoded(&plain("a@b", &secret("pässword"))), "\0a@b\0pässword");
    }

    /// The example of Google's description of the protocol.
    #[test]
    fn xoauth2_is_googles_example() {
        let token = secret("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg");
        assert_eq!(
            xoauth2("someuser@example.com", &token).expose(),
            "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ=="
        );
    }

    /// RFC 7628 §4.1
    #[test]
    fn oauthbearer_is_the_standards_example() {
        let token = secret("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
        assert_eq!(
            oauthbearer("user@example.com", &token, "server.example.com", 143).expose(),
            "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
        );
    }

    #[test]
    fn oauthbearer_escapes_what_would_end_the_user_name() {
        let response = oauthbearer("a=2C,b@x", &secret("t"), "h", 587);
        assert_eq!(decoded(&response), "n,a=a=3D2C=2Cb@x,\x01host=h\x01port=587\x01auth=Bearer t\x01\x01");
    }

    /// RFC 2195 §3
    #[test]
    fn cram_md5_is_the_standards_example() {
        let challenge = b"PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+";
        let answer = cram_md5("tim", &secret("tanstaaftanstaaf"), challenge).unwrap();
        assert_eq!(answer.response.expose(), "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw");
        assert_eq!(answer.digest.expose(), "b913a602c7eda7a495b4e6e7334d3890");
    }

    #[test]
    fn a_challenge_that_is_not_base64_has_no_answer() {
        for challenge in ["<1896.697170952@postoffice.reston.mci.net>", "PDE4", "PDE=4", "Password:"] {
            let answered = cram_md5("tim", &secret("tanstaaf"), challenge.as_bytes()).is_some();
            assert_eq!(answered, challenge == "PDE4", "{challenge}");
        }
    }

    #[test]
    fn the_reason_of_a_refused_token_is_read_and_anything_else_is_not() {
        let google =
            b"eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==";
        assert_eq!(token_refused(google).unwrap(), "status 400, schemes Bearer, scope https://mail.google.com/");
        // RFC 7628 §4.3
        let standard = b"eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIiwic2NvcGUiOiJleGFtcGxlX3Njb3BlIiwib3BlbmlkLWNvbmZpZ3VyYXRpb24iOiJodHRwczovL2V4YW1wbGUuY29tLy53ZWxsLWtub3duL29wZW5pZC1jb25maWd1cmF0aW9uIn0=";
        assert_eq!(token_refused(standard).unwrap(), "status invalid_token, scope example_scope");
        assert_eq!(token_refused(STANDARD.encode(r#"{"status":401}"#).as_bytes()).unwrap(), "status 401");
        let deep = STANDARD.encode(format!("{}1{}", "[".repeat(700), "]".repeat(700)));
        for other in ["", "VXNlcm5hbWU6", "e30=", "not base64", &STANDARD.encode(r#"{"status":{"a":1}}"#), &deep] {
            assert_eq!(token_refused(other.as_bytes()), None);
        }
    }
}
