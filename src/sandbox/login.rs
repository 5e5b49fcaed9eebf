//! AUTH at the practice provider: PLAIN, LOGIN, CRAM-MD5, XOAUTH2 and OAUTHBEARER, really checked.
//!
//! A refused token behaves as at Gmail: a `334` with JSON first, the refusal only after the line by which the client
//! takes note of it. Where a provider refuses at once, plan a reply for [`Stage::Auth`]. Credentials are kept as
//! secrets for the length of the session, for [`super::fault::Fault::EchoSecret`], and never reach the transcript.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::time::Instant;

use super::credentials;
use super::echo::Received;
use super::fault::{Fault, Stage};
use super::mailbox::Login;
use super::manners::{Manners, Passwords};
use super::offer::Mechanism;
use super::record::{Rule, count};
use super::response::{self, Proof};
use super::session::{Manner, Reply, Session, Standing};
use super::transaction::Envelope;
use super::wire::{End, Line};
use crate::secret::Secret;

/// RFC 4954 §4: lines of the exchange may be this long, with the CRLF.
const EXCHANGE_LINE: usize = 12_288;

/// What Gmail sends in base64 before it refuses a token by XOAUTH2.
const XOAUTH2_REFUSED: &str = r#"{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}"#;
/// The same for OAUTHBEARER, in the words of RFC 7628 §4.3.
const OAUTHBEARER_REFUSED: &str = r#"{"status":"invalid_token","schemes":"bearer","scope":"https://mail.google.com/"}"#;

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
        if initial.is_some() && mechanism == Mechanism::CramMd5 {
            // RFC 4422 §3: the server speaks first.
            return self.malformed("CRAM-MD5 takes no initial response").await;
        }
        let challenge = match mechanism {
            Mechanism::Login => "Username:".into(),
            Mechanism::CramMd5 => credentials::challenge().map_err(|_| End::Cut)?,
            Mechanism::Plain | Mechanism::XOAuth2 | Mechanism::OAuthBearer => String::new(),
        };
        let first = match initial {
            // RFC 4954 §4: an initial response of no octets is written as `=`.
            Some(text) if text == "=" => Some(Response { octets: Vec::new(), as_sent: text }),
            Some(text) => self.decode(text).await?,
            None => self.challenge(&challenge).await?,
        };
        let Some(first) = first else { return Ok(None) };
        let (proof, as_sent) = match mechanism {
            Mechanism::Plain => (response::plain(&first.octets), first.as_sent),
            Mechanism::CramMd5 => (response::cram_md5(&first.octets, challenge), first.as_sent),
            Mechanism::XOAuth2 => (response::xoauth2(&first.octets), first.as_sent),
            Mechanism::OAuthBearer => (response::oauthbearer(&first.octets), first.as_sent),
            Mechanism::Login => {
                let Some(second) = self.challenge("Password:").await? else { return Ok(None) };
                let pair = (String::from_utf8(first.octets), String::from_utf8(second.octets));
                let (Ok(username), Ok(password)) = pair else { return self.malformed("not UTF-8").await };
                (Some(Proof::Password { username, password }), second.as_sent)
            }
        };
        let Some(proof) = proof else { return self.malformed("the response is malformed").await };
        let secret = Secret::new(proof.secret().to_owned());
        self.received = Some(Received { secret, as_sent: Secret::new(as_sent) });
        Ok(Some(proof))
    }

    /// Sends a `334` and reads the response to it.
    async fn challenge(&mut self, text: &str) -> Result<Option<Response>, End> {
        let Some(manner) = self.fault(&Stage::AuthChallenge).await? else { return Ok(None) };
        match self.ask(&STANDARD.encode(text), manner).await? {
            Some(answer) => self.decode(answer).await,
            None => Ok(None),
        }
    }

    /// Sends a `334` with this base64 and reads the line behind it. An empty challenge is `334 ` with its space
    /// (RFC 4954 §4).
    async fn ask(&mut self, challenge: &str, manner: Manner) -> Result<Option<String>, End> {
        self.say(&Reply { code: 334, enhanced: "", lines: &[challenge] }, manner).await?;
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
        let planned = self.shared.faults.take(&Stage::Auth);
        if let Some(Fault::RefuseToken { challenge, .. }) = &planned
            && !self.took_note(mechanism, challenge, Manner::Whole).await?
        {
            return Ok(());
        }
        let Some(manner) = self.act(planned).await? else { return Ok(()) };
        let token = matches!(proof, Proof::Token { .. });
        let manners = &self.shared.settings.manners;
        let possible = token || manners.passwords == Passwords::Taken;
        if possible && self.shared.credentials.fit(&proof, Instant::now()) {
            count(&self.shared.record.counting.auth_successes);
            self.login = Some(Login { username: proof.into_username(), mechanism });
            return self.say(&Reply { code: 235, enhanced: "2.7.0", lines: &["Accepted"] }, manner).await;
        }
        let reason = match mechanism {
            Mechanism::XOAuth2 => Some(XOAUTH2_REFUSED),
            Mechanism::OAuthBearer => Some(OAUTHBEARER_REFUSED),
            Mechanism::Plain | Mechanism::Login | Mechanism::CramMd5 => None,
        };
        let manner = match reason {
            // The manner belongs to the first octets the client hears; the refusal behind it comes whole.
            Some(reason) => {
                if !self.took_note(mechanism, &STANDARD.encode(reason), manner).await? {
                    return Ok(());
                }
                Manner::Whole
            }
            None => manner,
        };
        let shared = Arc::clone(&self.shared);
        let Manners { wrong_password, wrong_token, .. } = &shared.settings.manners;
        self.refuse(if token { wrong_token } else { wrong_password }, manner).await
    }

    /// Says why a token is refused, and whether the client took note of it; else it was told what is wrong.
    async fn took_note(&mut self, mechanism: Mechanism, challenge: &str, manner: Manner) -> Result<bool, End> {
        let (due, breach) = match mechanism {
            // RFC 7628 §3.2.3: a single ^A.
            Mechanism::OAuthBearer => ("AQ==", "the error of OAUTHBEARER takes one ^A"),
            _ => ("", "the error of XOAUTH2 takes an empty line"),
        };
        let Some(answer) = self.ask(challenge, manner).await? else { return Ok(false) };
        if answer != due {
            self.breach(Rule::Syntax, breach);
        }
        Ok(true)
    }
}
