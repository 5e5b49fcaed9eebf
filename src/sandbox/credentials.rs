//! Who may sign in: one user with a password, one OAuth client with a secret, and the tokens issued so far.
//!
//! A token is random, belongs to one user and ends; it is good only for that user and until then. Bounded: the oldest
//! tokens go when there are too many. Nothing here is written down anywhere.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use md5::Md5;
use tokio::time::Instant;

use super::oauth::Family;
use super::response::Proof;
use crate::secret::Secret;

const TOKENS: usize = 10_000;

/// The secrets of one sandbox.
#[derive(Debug)]
pub(super) struct Credentials {
    pub username: String,
    pub password: Secret,
    pub client_id: String,
    pub client_secret: Secret,
    pub token_octets: usize,
    tokens: Mutex<VecDeque<Token>>,
}

#[derive(Debug)]
struct Token {
    text: Secret,
    user: String,
    ends: Instant,
    /// The sign-in it came of.
    family: Option<Family>,
}

impl Credentials {
    pub(super) fn new(settings: &super::Settings) -> Self {
        Self {
            username: settings.username.clone(),
            password: settings.password.clone(),
            client_id: settings.client_id.clone(),
            client_secret: settings.client_secret.clone(),
            token_octets: settings.token_octets.clamp(16, 8192),
            tokens: Mutex::default(),
        }
    }

    /// Whether a proof is right.
    pub(super) fn fit(&self, proof: &Proof, now: Instant) -> bool {
        match proof {
            Proof::Password { username, password } => username == &self.username && password == self.password.expose(),
            Proof::Digest { username, digest, challenge } => {
                username == &self.username && self.digest(challenge).is_some_and(|due| due == *digest)
            }
            Proof::Token { username, token } => self.token_fits(username, token, now),
        }
    }

    /// RFC 2195 §2: HMAC-MD5 of the challenge with the password as its key, in hexadecimal.
    fn digest(&self, challenge: &str) -> Option<String> {
        let mut mac = Hmac::<Md5>::new_from_slice(self.password.expose().as_bytes()).ok()?;
        mac.update(challenge.as_bytes());
        Some(format!("{:032x}", u128::from_be_bytes(mac.finalize().into_bytes().into())))
    }

    pub(super) fn user_fits(&self, username: &Secret, password: &Secret) -> bool {
        username.expose() == self.username && password.expose() == self.password.expose()
    }

    pub(super) fn client_fits(&self, id: &str, secret: &Secret) -> bool {
        id == self.client_id && secret.expose() == self.client_secret.expose()
    }

    /// Whether this token was issued for this user and has not ended. Nobody signs in as anyone but the user.
    fn token_fits(&self, user: &str, text: &str, now: Instant) -> bool {
        user == self.username && self.tokens().iter().any(|t| t.user == user && t.text.expose() == text && now < t.ends)
    }

    /// A new token for a user, which may have come of a sign-in.
    pub(super) fn issue(&self, user: &str, lifetime: Duration, family: Option<Family>) -> io::Result<Secret> {
        let token = random(self.token_octets)?;
        let mut tokens = self.tokens();
        if tokens.len() == TOKENS {
            tokens.pop_front();
        }
        tokens.push_back(Token { text: token.clone(), user: user.into(), ends: Instant::now() + lifetime, family });
        Ok(token)
    }

    pub(super) fn revoke(&self, token: &Secret) {
        self.tokens().retain(|own| own.text.expose() != token.expose());
    }

    pub(super) fn revoke_family(&self, family: Family) {
        self.tokens().retain(|token| token.family != Some(family));
    }

    pub(super) fn revoke_all(&self) {
        self.tokens().clear();
    }

    fn tokens(&self) -> MutexGuard<'_, VecDeque<Token>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A challenge of CRAM-MD5 that was never given before.
pub(super) fn challenge() -> io::Result<String> {
    Ok(format!("<{}@sandbox.example>", random(24)?.expose()))
}

/// Octets as people compare them.
pub(super) fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |text, octet| text + &format!("{octet:02x}"))
}

/// So many random characters of the base64url alphabet.
pub(super) fn random(characters: usize) -> io::Result<Secret> {
    let mut octets = vec![0; characters];
    getrandom::fill(&mut octets).map_err(|error| io::Error::other(error.to_string()))?;
    let mut text = URL_SAFE_NO_PAD.encode(octets);
    text.truncate(characters);
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2195 §3
    #[test]
    fn the_digest_is_the_standards_example() {
        let settings = crate::sandbox::Settings {
            password: Secret::new("tanstaaftanstaaf".into()),
            ..crate::sandbox::Settings::new().unwrap()
        };
        let digest = Credentials::new(&settings).digest("<1896.697170952@postoffice.reston.mci.net>");
        assert_eq!(digest.unwrap(), "b913a602c7eda7a495b4e6e7334d3890");
    }

    #[test]
    fn a_token_ends_with_its_lifetime() {
        let credentials = Credentials::new(&crate::sandbox::Settings::new().unwrap());
        let user = credentials.username.clone();
        let before = Instant::now();
        let token = credentials.issue(&user, Duration::from_hours(1), None).unwrap();
        let fits = |seconds| credentials.token_fits(&user, token.expose(), before + Duration::from_secs(seconds));
        assert!(fits(3600 - 1), "good to the last second");
        assert!(!fits(3600 + 60), "and no longer");
    }

    #[test]
    fn the_oldest_token_goes_when_there_are_too_many() {
        let settings = crate::sandbox::Settings { token_octets: 16, ..crate::sandbox::Settings::new().unwrap() };
        let credentials = Credentials::new(&settings);
        let issue = || credentials.issue(&settings.username, Duration::from_hours(1), None).unwrap();
        let (first, second) = (issue(), issue());
        for _ in 0..TOKENS - 1 {
            issue();
        }
        let fits = |token: &Secret| credentials.token_fits(&settings.username, token.expose(), Instant::now());
        assert!(!fits(&first) && fits(&second));
    }
}
