//! AUTH from the client's side (RFC 4954): PLAIN, LOGIN, XOAUTH2.
//!
//! The initial response rides on the command line where RFC 4954 §4 allows that, and follows an empty challenge where
//! not. Prompts are answered by their position, never by their text. An exchange always ends with the server's final
//! reply, a failed XOAUTH2 too. One mechanism, one try; nothing falls back to another.

use std::time::Instant;

use super::hello::Session;
use super::reading::Incoming;
use super::wire::Wire;
use super::{Event, Fault, Stage};
use crate::secret::Secret;
use crate::smtp::sasl::{self, Mechanism};
use crate::words::Phase;

/// RFC 4954 §4: an initial response may not make the command longer than any command (RFC 5321 §4.5.3.1.4).
const COMMAND_LIMIT: usize = 512;

/// How to sign in, and with what.
#[derive(Debug, Clone)]
pub enum Login {
    /// RFC 4616
    Plain { user: String, password: Secret },
    /// draft-murchison-sasl-login
    Login { user: String, password: Secret },
    /// With an OAuth access token.
    XOAuth2 { user: String, token: Secret },
}

impl Login {
    /// The mechanism it uses.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        match self {
            Self::Plain { .. } => Mechanism::Plain,
            Self::Login { .. } => Mechanism::Login,
            Self::XOAuth2 { .. } => Mechanism::XOAuth2,
        }
    }
}

/// What the server is to say next.
pub(super) enum Exchange {
    /// An empty challenge, to be answered with the response that did not fit on the command line.
    Invitation { mechanism: Mechanism, response: Secret },
    /// LOGIN's first prompt.
    UserPrompt { user: Secret, password: Secret },
    /// LOGIN's second prompt.
    PasswordPrompt { password: Secret },
    /// The verdict; all was said.
    Verdict { mechanism: Mechanism },
    /// The negative reply that ends an exchange already lost; what an XOAUTH2 server gave as its reason.
    Loss { reason: Option<String> },
}

impl Exchange {
    /// Says AUTH.
    pub fn begin(login: &Login, wire: &mut Wire, now: Instant) -> Self {
        wire.allow(wire.settings.timeouts.auth, now);
        match login {
            Login::Plain { user, password } => {
                wire.watch(password);
                Self::client_first(Mechanism::Plain, sasl::plain_response(user, password), wire, now)
            }
            Login::XOAuth2 { user, token } => {
                wire.watch(token);
                Self::client_first(Mechanism::XOAuth2, sasl::xoauth2_response(user, token), wire, now)
            }
            Login::Login { user, password } => {
                wire.watch(password);
                wire.say("AUTH LOGIN", now);
                Self::UserPrompt { user: sasl::login_user(user), password: sasl::login_password(password) }
            }
        }
    }

    fn client_first(mechanism: Mechanism, response: Secret, wire: &mut Wire, now: Instant) -> Self {
        let open = format!("AUTH {mechanism} ");
        if open.len() + response.expose().len() + "\r\n".len() <= COMMAND_LIMIT {
            wire.say_secret(&open, &response, now);
            Self::Verdict { mechanism }
        } else {
            wire.say(open.trim_end(), now);
            Self::Invitation { mechanism, response }
        }
    }

    /// A reply came.
    pub fn answered(self, session: Session, incoming: &Incoming, wire: &mut Wire, now: Instant) -> Stage {
        wire.allow(wire.settings.timeouts.auth, now);
        match (incoming.class(), self) {
            (2 | 3, Self::Loss { .. }) => wire.misplaced(Phase::Auth, incoming),
            // 235 it should be; smtp-sink says 250.
            (2, _) => {
                wire.rest(now);
                wire.raise(Event::LoggedIn);
                Stage::Ready { session, next: Phase::Mail }
            }
            (3, exchange) => {
                let exchange = Box::new(exchange.challenged(incoming, wire, now));
                Stage::Login { session, exchange }
            }
            (_, exchange) => {
                let mut reply = wire.reply(incoming);
                if let Self::Loss { reason: Some(reason) } = exchange {
                    reply.text = format!("{} ({reason})", reply.text).trim_start().to_owned().into();
                }
                wire.take_leave(Fault::Reply { phase: Phase::Auth, reply }, now)
            }
        }
    }

    fn challenged(self, incoming: &Incoming, wire: &mut Wire, now: Instant) -> Self {
        match self {
            Self::Invitation { mechanism, response } => {
                wire.say_secret("", &response, now);
                Self::Verdict { mechanism }
            }
            Self::UserPrompt { user, password } => {
                wire.say_secret("", &user, now);
                Self::PasswordPrompt { password }
            }
            Self::PasswordPrompt { password } => {
                wire.say_secret("", &password, now);
                Self::Verdict { mechanism: Mechanism::Login }
            }
            // The challenge is the reason of a failure; an empty line asks for the reply that says so.
            Self::Verdict { mechanism: Mechanism::XOAuth2 } => {
                let reason = incoming.lines().last().and_then(sasl::xoauth2_failure);
                let reason = reason.map(|reason| wire.clean(reason.as_bytes()));
                wire.say("", now);
                Self::Loss { reason }
            }
            // One challenge too many: cancel (RFC 4954 §4).
            Self::Verdict { .. } | Self::Loss { .. } => {
                wire.say("*", now);
                Self::Loss { reason: None }
            }
        }
    }
}
