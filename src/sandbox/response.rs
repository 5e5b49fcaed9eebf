//! The responses of AUTH, read to the letter of each mechanism.
//!
//! Written on its own, from the standards: the relay's own way of making responses is what is checked here. A reader
//! says what was wrong, or what is offered as proof; whether it is right is decided where the credentials are.

/// What the client offers as proof.
pub(super) enum Proof {
    Password {
        username: String,
        password: String,
    },
    /// CRAM-MD5's 32 digits, and what they answer.
    Digest {
        username: String,
        digest: String,
        challenge: String,
    },
    Token {
        username: String,
        token: String,
    },
}

impl Proof {
    /// The name in it.
    pub(super) fn into_username(self) -> String {
        match self {
            Self::Password { username, .. } | Self::Digest { username, .. } | Self::Token { username, .. } => username,
        }
    }

    /// What in it must not be seen.
    pub(super) fn secret(&self) -> &str {
        match self {
            Self::Password { password: secret, .. }
            | Self::Digest { digest: secret, .. }
            | Self::Token { token: secret, .. } => secret,
        }
    }
}

/// Separates the parts of a response that carries a token.
const SOH: char = '\x01';

/// RFC 4616 §2: `authzid NUL authcid NUL passwd`. To act for somebody else is not possible here.
pub(super) fn plain(octets: &[u8]) -> Option<Proof> {
    let text = std::str::from_utf8(octets).ok()?;
    let mut parts = text.split('\0');
    let (act_as, username, password) = (parts.next()?, parts.next()?, parts.next()?);
    let short = |part: &str| (1..=255).contains(&part.len());
    let alone = act_as.is_empty() || act_as == username;
    (parts.next().is_none() && alone && short(username) && short(password))
        .then(|| Proof::Password { username: username.into(), password: password.into() })
}

/// RFC 2195 §2: the user name, a space, and 32 digits in lower case.
pub(super) fn cram_md5(octets: &[u8], challenge: String) -> Option<Proof> {
    let (username, digest) = std::str::from_utf8(octets).ok()?.rsplit_once(' ')?;
    let fits = digest.len() == 32 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (fits && !username.is_empty()).then(|| Proof::Digest {
        username: username.into(),
        digest: digest.into(),
        challenge,
    })
}

/// `user=<name>^Aauth=Bearer <token>^A^A`
pub(super) fn xoauth2(octets: &[u8]) -> Option<Proof> {
    let text = std::str::from_utf8(octets).ok()?;
    let (username, rest) = text.strip_prefix("user=")?.split_once(SOH)?;
    let token = bearer(rest.strip_prefix("auth=")?.strip_suffix("\x01\x01")?)?;
    (!username.is_empty()).then(|| Proof::Token { username: username.into(), token })
}

/// RFC 7628 §3.1: `gs2-header kvsep *kvpair kvsep`, with `auth` among the pairs, each of them once. Who is meant must
/// be said, since nothing here could tell it from the token alone.
pub(super) fn oauthbearer(octets: &[u8]) -> Option<Proof> {
    let text = std::str::from_utf8(octets).ok()?;
    let (gs2_header, pairs) = text.split_once(SOH)?;
    // RFC 5801 §4. `p=` asks for channel binding, which a mechanism without -PLUS has not.
    let authzid = gs2_header.strip_prefix("n,").or_else(|| gs2_header.strip_prefix("y,"))?.strip_suffix(',')?;
    let username = saslname(authzid.strip_prefix("a=")?)?;
    let (mut host, mut port, mut auth) = (None, None, None);
    for pair in pairs.strip_suffix(SOH)?.split_terminator(SOH) {
        let (key, value) = pair.split_once('=')?;
        let seen = match key {
            "host" => host.replace(value),
            "port" => port.replace(value),
            "auth" => auth.replace(value),
            // Others may come one day; they have the form of these.
            _ if !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphabetic()) => None,
            _ => return None,
        };
        if seen.is_some() || !value.bytes().all(|b| matches!(b, b' '..=b'~' | b'\t' | b'\r' | b'\n')) {
            return None;
        }
    }
    let host_fits = host.is_none_or(|host| !host.is_empty());
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let ended = pairs.ends_with("\x01\x01");
    let token = bearer(auth?)?;
    (host_fits && port_fits && ended).then_some(Proof::Token { username, token })
}

/// RFC 5801 §4: `=2C` and `=3D` stand for a comma and an equals sign, and nothing else begins with one.
fn saslname(text: &str) -> Option<String> {
    let mut name = String::new();
    let mut parts = text.split('=');
    name.push_str(parts.next()?);
    for part in parts {
        let (rest, meant) = match part.strip_prefix("2C") {
            Some(rest) => (rest, ','),
            None => (part.strip_prefix("3D")?, '='),
        };
        name.push(meant);
        name.push_str(rest);
    }
    (!text.is_empty() && !text.contains([',', '\0'])).then_some(name)
}

/// RFC 6750 §2.1: `Bearer` and a token of its characters.
fn bearer(text: &str) -> Option<String> {
    let token = text.strip_prefix("Bearer ")?;
    let fits = !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
    fits.then(|| token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_needs_three_parts_of_which_two_say_something() {
        assert!(plain(b"\0user\0pass").is_some());
        assert!(plain(b"user\0user\0pass").is_some());
        for bad in [&b"user\0pass"[..], b"\0user\0", b"\0\0pass", b"\0u\0p\0", b"boss\0user\0pass", b"\0u\0\xff"] {
            assert!(plain(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn cram_md5_is_a_name_and_thirty_two_small_digits() {
        let digest = "b913a602c7eda7a495b4e6e7334d3890";
        let read = cram_md5(format!("tim and tom {digest}").as_bytes(), "<1@a>".into());
        assert!(matches!(read, Some(Proof::Digest { username, .. }) if username == "tim and tom"));
        for bad in
            [format!(" {digest}"), digest.into(), format!("tim {digest}0"), format!("tim {}", digest.to_uppercase())]
        {
            assert!(cram_md5(bad.as_bytes(), "<1@a>".into()).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn xoauth2_is_read_to_the_letter() {
        assert!(xoauth2(b"user=a@b\x01auth=Bearer t0k\x01\x01").is_some());
        for bad in [
            &b"user=a@b\x01auth=Bearer t0k\x01"[..],
            b"user=a@b\x01auth=bearer t0k\x01\x01",
            b"user=\x01auth=Bearer t0k\x01\x01",
            b"user=a@b\x01auth=Bearer \x01\x01",
            b"user=a@b\x01auth=Bearer t 0\x01\x01",
            b"user=a@b\x01auth=Bearer t0k\x01\x01\x01",
        ] {
            assert!(xoauth2(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn oauthbearer_is_read_to_the_letter() {
        let named = |text: &str| match oauthbearer(text.as_bytes()) {
            Some(Proof::Token { username, token }) => format!("{username} {token}"),
            _ => "-".into(),
        };
        // RFC 7628 §4.1
        let example = "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
        assert_eq!(named(example), "user@example.com vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
        assert_eq!(named("n,a=a=3D2C=2Cb,\x01auth=Bearer t\x01\x01"), "a=2C,b t");
        assert_eq!(named("y,a=a,\x01auth=Bearer t\x01later=yes\x01\x01"), "a t");
        for bad in [
            "n,a=a,\x01auth=Bearer t\x01",
            "n,a=a,\x01auth=Bearer t\x01\x01\x01",
            "n,a=a\x01auth=Bearer t\x01\x01",
            "n,,\x01auth=Bearer t\x01\x01",
            "p=tls-unique,a=a,\x01auth=Bearer t\x01\x01",
            "n,a=,\x01auth=Bearer t\x01\x01",
            "n,a=a,b,\x01auth=Bearer t\x01\x01",
            "n,a=a=2D,\x01auth=Bearer t\x01\x01",
            "n,a=a,\x01auth=bearer t\x01\x01",
            "n,a=a,\x01auth=Bearer t\x01auth=Bearer t\x01\x01",
            "n,a=a,\x01host=h\x01port=143\x01\x01",
            "n,a=a,\x01host=\x01auth=Bearer t\x01\x01",
            "n,a=a,\x01port=0\x01auth=Bearer t\x01\x01",
            "n,a=a,\x01port=imap\x01auth=Bearer t\x01\x01",
            "n,a=a,\x01po rt=1\x01auth=Bearer t\x01\x01",
            "user=a\x01auth=Bearer t\x01\x01",
        ] {
            assert_eq!(named(bad), "-", "{bad:?}");
        }
    }
}
