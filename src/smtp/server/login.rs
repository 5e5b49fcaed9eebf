//! AUTH as devices speak it: PLAIN and LOGIN, with or without an initial response, and CRAM-MD5 (RFC 4954).
//!
//! The prompts are exactly `VXNlcm5hbWU6` and `UGFzc3dvcmQ6`: old devices compare them. No challenge of CRAM-MD5 is
//! given twice. What a device sends here never reaches a transcript. Failures are answered late and later, the third
//! ends the session (promise 10). Where any login will do it is not even read.

use std::fmt;
use std::time::{Duration, Instant};

use super::{Auth, Ending, Event, Hello, Progress, Server, Stage};
use crate::secret::Secret;
use crate::smtp::command::AuthArgument;
use crate::smtp::quirk::Quirk;
use crate::smtp::reply::{Refusal, Reply};
use crate::smtp::sasl;
use crate::smtp::sasl::proof::{self, Proof};
use crate::smtp::trace::Side;

/// Where an exchange stands.
pub(super) enum Exchange {
    Plain,
    LoginUser,
    /// With the user name. Devices mix the fields up, so `Debug` does not show it.
    LoginPassword(String),
    /// With the challenge that was given.
    CramMd5(String),
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::LoginUser => "LoginUser",
            Self::LoginPassword(_) => "LoginPassword([hidden])",
            Self::CramMd5(_) => "CramMd5",
        })
    }
}

/// A device signs in: is it one of ours? `Debug` shows nothing of what it sent.
#[must_use = "the device waits for an answer"]
pub struct LoginQuestion {
    /// The name it gives; for the log only when it is a known one, since devices mix the fields up.
    pub username: String,
    /// What it gives to show that it is the one.
    pub proof: Proof,
    hello: Hello,
}

impl fmt::Debug for LoginQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginQuestion").field("hello", &self.hello).finish_non_exhaustive()
    }
}

const USERNAME_PROMPT: &str = "VXNlcm5hbWU6";
const PASSWORD_PROMPT: &str = "UGFzc3dvcmQ6";
const FAILED_LOGINS: u8 = 3;

/// `AUTH PLAIN [hidden]`; a mechanism that is not known may be a password in the wrong place.
pub(super) fn transcript_of_auth(line: &[u8]) -> String {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty()).skip(1);
    let mechanism = words.next().unwrap_or_default();
    let known = ["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER", "NTLM", "DIGEST-MD5", "GSSAPI"];
    let name = known.into_iter().find(|k| mechanism.eq_ignore_ascii_case(k.as_bytes()));
    match (name, words.next()) {
        (Some(name), None) => format!("AUTH {name}"),
        (Some(name), Some(_)) => format!("AUTH {name} [hidden]"),
        (None, _) => format!("AUTH, {} octets hidden", line.len().saturating_sub(5)),
    }
}

impl<A> Server<A> {
    /// Whether AUTH is offered on this connection as it is now.
    pub(super) fn may_auth(&self) -> bool {
        self.settings.auth != Auth::Off && (self.security.tls || self.security.auth_in_clear)
    }

    pub(super) fn auth(&mut self, argument: AuthArgument, now: Instant) -> Progress {
        if let Some(reply) = self.why_no_auth() {
            self.bad(&reply, now);
            return Progress::Again;
        }
        if !self.security.tls {
            self.quirk(Quirk::AuthInClear);
        }
        let AuthArgument(argument) = argument;
        let mut words = argument.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty());
        let mechanism = words.next().unwrap_or_default();
        let exchange = match mechanism.to_ascii_uppercase().as_slice() {
            b"PLAIN" => Exchange::Plain,
            b"LOGIN" => Exchange::LoginUser,
            b"CRAM-MD5" => Exchange::CramMd5(self.challenge()),
            b"" => return self.refuse_auth(&Reply::new(501, 5, 4, "AUTH takes a mechanism"), now),
            _ => {
                self.quirk(Quirk::UnknownMechanism);
                return self.refuse_auth(&Reply::new(504, 5, 4, "Mechanism not offered"), now);
            }
        };
        if mechanism.iter().any(u8::is_ascii_lowercase) {
            self.quirk(Quirk::LowerCaseMechanism);
        }
        let initial = words.next();
        let any = self.settings.auth == Auth::AcceptAny;
        if initial.is_some() && matches!(exchange, Exchange::CramMd5(_)) && !any {
            // RFC 4422 §3: in this mechanism the server speaks first.
            return self.refuse_auth(&Reply::new(501, 5, 4, "CRAM-MD5 takes no initial response"), now);
        }
        if initial.is_some() && matches!(exchange, Exchange::LoginUser) {
            self.quirk(Quirk::InlineUserName);
        }
        if let Stage::Ready(hello) = std::mem::replace(&mut self.stage, Stage::Fresh) {
            self.stage = Stage::Login(hello, exchange);
        }
        match initial {
            Some(response) => self.exchange(response, now),
            None => self.prompt(now),
        }
    }

    fn why_no_auth(&mut self) -> Option<Reply> {
        if self.settings.auth == Auth::Off {
            self.quirk(Quirk::AuthNotOffered);
            return Some(Reply::new(502, 5, 1, "AUTH is not offered here"));
        }
        match self.stage {
            Stage::Ready(_) if !self.may_auth() => self.quirk(Quirk::LoginNeedsTls),
            Stage::Fresh => self.quirk(Quirk::NoHello),
            _ => {}
        }
        match self.stage {
            // RFC 4954 §4
            Stage::Mail(_) => Some(Reply::new(503, 5, 1, "Not inside a message")),
            Stage::Ready(_) if self.signed_in => Some(Reply::new(503, 5, 1, "Signed in already")),
            Stage::Ready(_) if !self.may_auth() => Some(Reply::new(538, 7, 11, "Encryption required: STARTTLS first")),
            Stage::Ready(_) => None,
            _ => Some(Reply::new(503, 5, 1, "Say EHLO first")),
        }
    }

    fn refuse_auth(&mut self, reply: &Reply, now: Instant) -> Progress {
        self.bad(reply, now);
        Progress::Again
    }

    /// RFC 2195 §2: what nobody was asked before, in the form of a message id.
    fn challenge(&mut self) -> String {
        self.challenges += 1;
        format!("<{:032x}.{}@{}>", self.security.nonce, self.challenges, self.settings.hostname)
    }

    fn prompt(&mut self, now: Instant) -> Progress {
        let text = match &self.stage {
            Stage::Login(_, Exchange::LoginUser) => USERNAME_PROMPT.into(),
            Stage::Login(_, Exchange::LoginPassword(_)) => PASSWORD_PROMPT.into(),
            Stage::Login(_, Exchange::CramMd5(challenge)) => sasl::encode_base64(challenge),
            // RFC 4954 §4: an empty challenge is `334 ` with its space.
            _ => String::new(),
        };
        self.reply(&Reply::bare(334, text), now);
        Progress::Again
    }

    pub(super) fn exchange_line(&mut self, line: &[u8], too_long: bool, now: Instant) -> Progress {
        self.trace.say(Side::Client, "[hidden]", now);
        if too_long {
            return self.end_exchange(&Reply::new(500, 5, 6, "Authentication line too long"), now);
        }
        self.exchange(line, now)
    }

    fn exchange(&mut self, response: &[u8], now: Instant) -> Progress {
        if response == b"*" {
            return self.end_exchange(&Reply::new(501, 7, 0, "Cancelled"), now);
        }
        if self.settings.auth == Auth::AcceptAny {
            return self.accept_any(now);
        }
        let Some(text) = sasl::decode_base64(response) else {
            return self.end_exchange(&Reply::new(501, 5, 2, "Not base64"), now);
        };
        let Stage::Login(hello, exchange) = std::mem::replace(&mut self.stage, Stage::Asked) else {
            return Progress::Again;
        };
        let given = match exchange {
            Exchange::Plain => proof::plain(&text),
            Exchange::LoginUser => {
                let Ok(user) = String::from_utf8(text) else { return self.malformed(hello, now) };
                self.stage = Stage::Login(hello, Exchange::LoginPassword(user));
                return self.prompt(now);
            }
            Exchange::LoginPassword(user) => {
                String::from_utf8(text).ok().map(|password| (user, Proof::Password(Secret::new(password))))
            }
            Exchange::CramMd5(challenge) => proof::cram_md5(&text, challenge),
        };
        match given {
            Some((username, proof)) => Progress::Event(Event::Login(LoginQuestion { username, proof, hello })),
            None => self.malformed(hello, now),
        }
    }

    /// A response where any will do: whatever it holds, readable or not, it is forgotten here.
    fn accept_any(&mut self, now: Instant) -> Progress {
        match std::mem::replace(&mut self.stage, Stage::Fresh) {
            Stage::Login(hello, Exchange::LoginUser) => {
                self.stage = Stage::Login(hello, Exchange::LoginPassword(String::new()));
                self.prompt(now)
            }
            Stage::Login(hello, _) => {
                self.sign_in(hello, now);
                Progress::Again
            }
            other => {
                self.stage = other;
                Progress::Again
            }
        }
    }

    fn sign_in(&mut self, hello: Hello, now: Instant) {
        self.signed_in = true;
        self.stage = Stage::Ready(hello);
        self.good(&Reply::new(235, 7, 0, "Signed in"), now);
    }

    fn malformed(&mut self, hello: Hello, now: Instant) -> Progress {
        self.stage = Stage::Ready(hello);
        self.refuse_auth(&Reply::new(501, 5, 2, "Malformed credentials"), now)
    }

    fn end_exchange(&mut self, reply: &Reply, now: Instant) -> Progress {
        if let Stage::Login(hello, _) = std::mem::replace(&mut self.stage, Stage::Fresh) {
            self.stage = Stage::Ready(hello);
        }
        self.refuse_auth(reply, now)
    }

    /// The owner's answer to [`Event::Login`]. A refusal is heard late, and later each time.
    pub fn answer_login(&mut self, question: LoginQuestion, answer: Result<(), Refusal>, now: Instant) {
        let LoginQuestion { hello, .. } = question;
        match answer {
            Ok(()) => self.sign_in(hello, now),
            Err(refusal) => {
                self.failed_logins += 1;
                let until = now + Duration::from_secs(u64::from(self.failed_logins) * 2 - 1);
                let (reply, then) = if self.failed_logins >= FAILED_LOGINS {
                    (Reply::new(421, 7, 0, "Too many failed logins, closing"), Stage::Closing(Ending::FailedLogins))
                } else {
                    (refusal.into_reply(), Stage::Ready(hello))
                };
                self.stage = Stage::Delayed { until, reply, then: Box::new(then) };
            }
        }
    }

    pub(super) fn end_delay(&mut self, now: Instant) -> Progress {
        if let Stage::Delayed { reply, then, .. } = std::mem::replace(&mut self.stage, Stage::Closed) {
            self.reply(&reply, now);
            self.heard = now;
            self.stage = *then;
        }
        Progress::Again
    }
}
