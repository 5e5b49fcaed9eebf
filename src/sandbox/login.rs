//! AUTH at the practice provider: PLAIN, LOGIN and XOAUTH2, really checked.
//!
//! A refused XOAUTH2 token behaves as at Gmail: a `334` with JSON first, the refusal only after the client's empty
//! line. Credentials are kept as secrets for the length of the session, for [`super::fault::Fault::EchoSecret`], and
//! never reach the transcript.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::time::Instant;

use super::echo::Received;
use super::fault::Stage;
use super::mailbox::Login;
use super::offer::Mechanism;
use super::record::{Rule, count};
use super::session::{Manner, Reply, Session, Standing};
use super::transaction::Envelope;
use super::wire::{End, Line};
use crate::secret::Secret;

/// RFC 4954 §4: lines of the exchange may be this long, with the CRLF.
const EXCHANGE_LINE: usize = 12_288;

/// What Gmail sends in base64 before it refuses a token.
const TOKEN_REFUSED: &str = r#"{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}"#;

/// What the client offers as proof.
enum Proof {
    Password { username: String, password: String },
    Token { username: String, token: String },
}

/// A response of the client: the octets, and the text that carried them.
struct Response {
    octets: Vec<u8>,
    as_sent: String,
}

impl Session {
    pub(super) async fn auth(&mut self, mechanism: &str, initial: Option<String>) -> Result<(), End> {
        if !matches!(self.standing, Standing::Ehlo(_)) {
            return self.out_of_order("EHLO first").await;
        }
        if !self.may_sign_in() {
            self.breach(Rule::NotOffered, "AUTH before STARTTLS");
            return self.answer(530, "5.7.0", "Must issue a STARTTLS command first").await;
        }
        if self.login.is_some() || matches!(self.envelope, Envelope::Open(_)) {
            return self.out_of_order("AUTH after AUTH, or inside a transaction").await;
        }
        let Some(mechanism) = Mechanism::named(mechanism).filter(|m| self.shared.settings.offer.offers(*m)) else {
            self.breach(Rule::NotOffered, "a mechanism that is not offered");
            return self.answer(504, "5.7.4", "Unrecognized authentication type").await;
        };
        count(&self.shared.record.counting.auth_attempts);
        match self.exchange(mechanism, initial).await? {
            Some(proof) => self.judge(mechanism, proof).await,
            None => Ok(()),
        }
    }

    /// Leads the exchange up to the proof. `None` means it ended, and the client was told how.
    async fn exchange(&mut self, mechanism: Mechanism, initial: Option<String>) -> Result<Option<Proof>, End> {
        let prompt = if mechanism == Mechanism::Login { "Username:" } else { "" };
        let first = match initial {
            // RFC 4954 §4: an initial response of no octets is written as `=`.
            Some(text) if text == "=" => Some(Response { octets: Vec::new(), as_sent: text }),
            Some(text) => self.decode(text).await?,
            None => self.challenge(prompt).await?,
        };
        let Some(first) = first else { return Ok(None) };
        let (proof, as_sent) = match mechanism {
            Mechanism::Plain => (plain(&first.octets), first.as_sent),
            Mechanism::XOAuth2 => (xoauth2(&first.octets), first.as_sent),
            Mechanism::Login => {
                let Some(second) = self.challenge("Password:").await? else { return Ok(None) };
                let pair = (String::from_utf8(first.octets), String::from_utf8(second.octets));
                let (Ok(username), Ok(password)) = pair else { return self.malformed("not UTF-8").await };
                (Some(Proof::Password { username, password }), second.as_sent)
            }
        };
        let Some(proof) = proof else { return self.malformed("the response is malformed").await };
        let (Proof::Password { password: secret, .. } | Proof::Token { token: secret, .. }) = &proof;
        self.received = Some(Received { secret: Secret::new(secret.clone()), as_sent: Secret::new(as_sent) });
        Ok(Some(proof))
    }

    /// Sends a `334` and reads the response to it.
    async fn challenge(&mut self, text: &str) -> Result<Option<Response>, End> {
        let Some(manner) = self.fault(&Stage::AuthChallenge).await? else { return Ok(None) };
        match self.ask(text, manner).await? {
            Some(answer) => self.decode(answer).await,
            None => Ok(None),
        }
    }

    /// Sends a `334` and reads the line behind it. An empty challenge is `334 ` with its space (RFC 4954 §4).
    async fn ask(&mut self, text: &str, manner: Manner) -> Result<Option<String>, End> {
        let challenge = STANDARD.encode(text);
        self.say(&Reply { code: 334, enhanced: "", lines: &[&challenge] }, manner).await?;
        match self.wire.line(EXCHANGE_LINE).await? {
            Line::Good(line) if line == b"*" => {
                self.note("the client cancelled AUTH");
                self.answer(501, "5.7.0", "AUTH cancelled").await?;
            }
            Line::Good(line) => {
                self.note(&format!("a response of {} octets, hidden", line.len()));
                if self.wire.has_more() {
                    self.breach(Rule::Pipelining, "octets were sent ahead behind a response of AUTH");
                }
                if let Ok(answer) = String::from_utf8(line) {
                    return Ok(Some(answer));
                }
                self.breach(Rule::Syntax, "a response is not base64");
                self.answer(501, "5.5.2", "Not base64").await?;
            }
            Line::BareEnding(_) => {
                self.breach(Rule::LineEnding, "a response of AUTH ended in a bare CR or LF");
                self.answer(500, "5.5.2", "Lines end in CRLF here").await?;
            }
            Line::TooLong => {
                self.breach(Rule::LineLength, "a response of AUTH is too long");
                self.answer(500, "5.5.6", "Authentication exchange line is too long").await?;
            }
        }
        Ok(None)
    }

    /// Strict base64 (RFC 4954 §4): nothing outside the alphabet, padding at the end only.
    async fn decode(&mut self, as_sent: String) -> Result<Option<Response>, End> {
        if let Ok(octets) = STANDARD.decode(&as_sent) {
            return Ok(Some(Response { octets, as_sent }));
        }
        self.malformed("not base64").await
    }

    /// `501`, and a breach; there is no proof of any kind.
    async fn malformed<T>(&mut self, what: &str) -> Result<Option<T>, End> {
        self.breach(Rule::Syntax, &format!("AUTH: {what}"));
        self.answer(501, "5.5.2", "Cannot decode the response").await?;
        Ok(None)
    }

    async fn judge(&mut self, mechanism: Mechanism, proof: Proof) -> Result<(), End> {
        let Some(manner) = self.fault(&Stage::Auth).await? else { return Ok(()) };
        let credentials = &self.shared.credentials;
        let (username, fits) = match proof {
            Proof::Password { username, password } => {
                let fits = credentials.password_fits(&username, &password);
                (username, fits)
            }
            Proof::Token { username, token } => {
                let fits = credentials.token_fits(&username, &token, Instant::now());
                (username, fits)
            }
        };
        if fits {
            count(&self.shared.record.counting.auth_successes);
            self.login = Some(Login { username, mechanism });
            return self.say(&Reply { code: 235, enhanced: "2.7.0", lines: &["Accepted"] }, manner).await;
        }
        let manner = if mechanism == Mechanism::XOAuth2 {
            // The manner belongs to the first octets the client hears; the refusal behind it comes whole.
            match self.ask(TOKEN_REFUSED, manner).await? {
                None => return Ok(()),
                Some(answer) if !answer.is_empty() => {
                    self.breach(Rule::Syntax, "the error of XOAUTH2 takes an empty line");
                }
                Some(_) => {}
            }
            Manner::Whole
        } else {
            manner
        };
        let lines =
            ["Username and Password not accepted. For more information, go to", "https://sandbox.example/sign-in"];
        self.say(&Reply { code: 535, enhanced: "5.7.8", lines: &lines }, manner).await
    }
}

/// RFC 4616 §2: `authzid NUL authcid NUL passwd`. To act for somebody else is not possible here.
fn plain(octets: &[u8]) -> Option<Proof> {
    let text = std::str::from_utf8(octets).ok()?;
    let mut parts = text.split('\0');
    let (act_as, username, password) = (parts.next()?, parts.next()?, parts.next()?);
    let short = |part: &str| (1..=255).contains(&part.len());
    let alone = act_as.is_empty() || act_as == username;
    (parts.next().is_none() && alone && short(username) && short(password))
        .then(|| Proof::Password { username: username.into(), password: password.into() })
}

/// `user=<name>^Aauth=Bearer <token>^A^A`
fn xoauth2(octets: &[u8]) -> Option<Proof> {
    let text = std::str::from_utf8(octets).ok()?;
    let (username, rest) = text.strip_prefix("user=")?.split_once('\x01')?;
    let token = rest.strip_prefix("auth=Bearer ")?.strip_suffix("\x01\x01")?;
    // RFC 6750 §2.1: the characters of a bearer token.
    let fits = !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
    (fits && !username.is_empty()).then(|| Proof::Token { username: username.into(), token: token.into() })
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
}
