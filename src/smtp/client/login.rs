//! AUTH from the client's side (RFC 4954): PLAIN, LOGIN, CRAM-MD5, XOAUTH2, OAUTHBEARER.
//!
//! The initial response rides on the command line where RFC 4954 §4 allows that, and follows an empty challenge where
//! not. Prompts are answered by their position, never by their text. An exchange always ends: a refused token is
//! heard out, a challenge that cannot be answered is cancelled, and what follows either is the last reply read. One
//! mechanism, one try; nothing falls back to another.

use std::time::Instant;

use super::hello::Session;
use super::reading::Incoming;
use super::wire::Wire;
use super::{Event, Fault, Stage};
use crate::secret::Secret;
use crate::smtp::sasl::{Mechanism, response};
use crate::words::Phase;

/// RFC 4954 §4: an initial response may not make the command longer than any command (RFC 5321 §4.5.3.1.4).
const COMMAND_LIMIT: usize = 512;
/// Characters that are kept of a server's reason for refusing a token.
const REASON_LIMIT: usize = 300;

/// How to sign in, and with what.
#[derive(Debug, Clone)]
pub enum Login {
    /// RFC 4616
    Plain { user: String, password: Secret },
    /// draft-murchison-sasl-login
    Login { user: String, password: Secret },
    /// RFC 2195
    CramMd5 { user: String, password: Secret },
    /// With an OAuth access token.
    XOAuth2 { user: String, token: Secret },
    /// With an OAuth access token (RFC 7628), for the server at this host and port.
    OAuthBearer { user: String, token: Secret, host: String, port: u16 },
}

impl Login {
    /// The mechanism it uses.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        match self {
            Self::Plain { .. } => Mechanism::Plain,
            Self::Login { .. } => Mechanism::Login,
            Self::CramMd5 { .. } => Mechanism::CramMd5,
            Self::XOAuth2 { .. } => Mechanism::XOAuth2,
            Self::OAuthBearer { .. } => Mechanism::OAuthBearer,
        }
    }

    /// The password or token in it.
    fn secret(&self) -> &Secret {
        match self {
            Self::Plain { password, .. } | Self::Login { password, .. } | Self::CramMd5 { password, .. } => password,
            Self::XOAuth2 { token, .. } | Self::OAuthBearer { token, .. } => token,
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
    /// CRAM-MD5's challenge.
    Challenge { user: String, password: Secret },
    /// The verdict; all was said.
    Verdict { mechanism: Mechanism },
    /// The negative reply that follows a refused token; what the server gave as its reason.
    Refusal { reason: Option<String> },
    /// The reply to our `*`; the challenge that could not be answered, and why.
    Cancelled { why: String },
}

impl Exchange {
    /// Says AUTH.
    pub fn begin(login: &Login, wire: &mut Wire, now: Instant) -> Self {
        wire.allow(wire.settings.timeouts.auth, now);
        wire.watch(login.secret());
        let mechanism = login.mechanism();
        let response = match login {
            Login::Plain { user, password } => response::plain(user, password),
            Login::XOAuth2 { user, token } => response::xoauth2(user, token),
            Login::OAuthBearer { user, token, host, port } => response::oauthbearer(user, token, host, *port),
            Login::Login { user, password } => {
                wire.say("AUTH LOGIN", now);
                let (user, password) = (response::login_user(user), response::login_password(password));
                return Self::UserPrompt { user, password };
            }
            Login::CramMd5 { user, password } => {
                wire.say("AUTH CRAM-MD5", now);
                return Self::Challenge { user: user.clone(), password: password.clone() };
            }
        };
        let open = format!("AUTH {mechanism} ");
        if open.len() + response.octets() + "\r\n".len() <= COMMAND_LIMIT {
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
            // Whatever it says: we did not sign in, and it was not the credential that was refused.
            (_, Self::Cancelled { why }) => wire.take_leave(Fault::Garbage { phase: Phase::Auth, text: why }, now),
            (2 | 3, Self::Refusal { .. }) => wire.misplaced(Phase::Auth, incoming),
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
                if let Self::Refusal { reason: Some(reason) } = exchange {
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
            Self::Challenge { user, password } => {
                let challenge = incoming.lines().last().unwrap_or_default();
                let Some(answer) = response::cram_md5(&user, &password, challenge) else {
                    return Self::cancel("a challenge of CRAM-MD5 must be base64", incoming, wire, now);
                };
                wire.watch(&answer.digest);
                wire.say_secret("", &answer.response, now);
                Self::Verdict { mechanism: Mechanism::CramMd5 }
            }
            // The challenge is the reason of a failure; these lines ask for the reply that says so.
            Self::Verdict { mechanism: Mechanism::XOAuth2 } => Self::heard_out("", incoming, wire, now),
            Self::Verdict { mechanism: Mechanism::OAuthBearer } => {
                Self::heard_out(response::OAUTHBEARER_END, incoming, wire, now)
            }
            Self::Verdict { .. } | Self::Refusal { .. } | Self::Cancelled { .. } => {
                Self::cancel("one challenge too many", incoming, wire, now)
            }
        }
    }

    /// A token was refused: keeps the reason, and asks for the verdict.
    fn heard_out(line: &str, incoming: &Incoming, wire: &mut Wire, now: Instant) -> Self {
        let reason = incoming.lines().last().and_then(response::token_refused);
        // Cut only when it is clean: of a secret cut in two the rest would not be known.
        let reason = reason.map(|reason| wire.clean(reason.as_bytes()).replace('\n', " "));
        wire.say(line, now);
        Self::Refusal { reason: reason.map(|reason| reason.chars().take(REASON_LIMIT).collect()) }
    }

    /// RFC 4954 §4: `*` cancels.
    fn cancel(why: &str, incoming: &Incoming, wire: &mut Wire, now: Instant) -> Self {
        wire.say("*", now);
        Self::Cancelled { why: format!("{} ({why})", wire.beginning(incoming)) }
    }
}
