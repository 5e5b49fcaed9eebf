//! The client's side in dialogue files.
//!
//! Settings: `starttls = never|if-offered|required`, `login = yes|no` (whether AUTH is needed), `helo = NAME`.
//! Orders: `secured` · `login plain|login|cram-md5|xoauth2|oauthbearer USER SECRET` · `transfer from=<A> to=<B> …
//! [size=N] [8bit] [utf8] [smtputf8] [all-or-nothing] [ret=full|headers] [envid=X]`, each `to=<B>` with
//! `,notify=never|success+failure+delay` and `,orcpt=X` · `body TEXT` · `last TEXT` (body and end in one) · `last TEXT
//! then from=<A> to=<B> …` (and the next envelope with it) · `finish` · `follow from=<A> to=<B> …` · `give-up` · `quit`.

use std::sync::Arc;
use std::time::Instant;

use posthouse::mail::address::Address;
use posthouse::mail::envelope::{Envelope, Notify, Recipient, Return, ReversePath, Sender};
use posthouse::secret::Secret;
use posthouse::smtp::client::{Client, Event, Login, Order, Refused, Settings, StartTls, Timeouts};
use posthouse::smtp::reply::Refusal;
use posthouse::smtp::trace::Trace;

use super::octets::unescape;
use super::replay::Adapter;
use super::script::Script;

/// A client and the secrets it was given.
pub struct ClientSide {
    client: Client,
    secrets: Vec<String>,
}

impl Adapter for ClientSide {
    type Talk = Client;

    fn begin(script: &Script, now: Instant) -> Result<Self, String> {
        let mut settings = Settings {
            host: "mx.example.net".into(),
            helo_name: "relay.example.org".into(),
            starttls: StartTls::Never,
            needs_login: true,
            pipelining: true,
            timeouts: Timeouts::default(),
        };
        for (key, value) in &script.settings {
            match (key.as_str(), value.as_str()) {
                ("starttls", "never") => settings.starttls = StartTls::Never,
                ("starttls", "if-offered") => settings.starttls = StartTls::IfOffered,
                ("starttls", "required") => settings.starttls = StartTls::Required,
                ("login", "yes") => settings.needs_login = true,
                ("login", "no") => settings.needs_login = false,
                ("pipelining", "no") => settings.pipelining = false,
                ("helo", name) => settings.helo_name = name.into(),
                _ => return Err(format!("unknown setting {key} = {value}")),
            }
        }
        Ok(Self { client: Client::new(Arc::new(settings), Trace::new(now, true), now), secrets: vec![] })
    }

    fn talk(&mut self) -> &mut Client {
        &mut self.client
    }

    const HEARS_GROUPS: bool = false;

    fn describe(&mut self, event: Event, _now: Instant) -> Option<String> {
        Some(match event {
            Event::Upgrade => "upgrade".into(),
            Event::Ready => match self.client.offered() {
                None => "ready, HELO only".into(),
                Some(offered) if offered.auth.is_empty() => "ready".into(),
                Some(offered) => format!("ready, AUTH {}", offered.auth.join(" ")),
            },
            Event::LoggedIn => "logged in".into(),
            Event::Recipient { index, reply } => format!("recipient {index}: {reply}"),
            Event::Go => "go".into(),
            Event::More => "more".into(),
            Event::Finished(reply) => format!("finished: {reply}"),
            Event::Refused(Refused::Mail(refusal)) => format!("refused at MAIL: {}", refusal.reply()),
            Event::Refused(Refused::Data(refusal)) => format!("refused at DATA: {}", refusal.reply()),
            Event::Refused(Refused::Recipients(refusals)) => {
                let each = |(index, refusal): &(usize, Refusal)| format!("{index}: {}", refusal.reply());
                format!("refused recipients: {}", refusals.iter().map(each).collect::<Vec<_>>().join("; "))
            }
            Event::Heard { phase, reply } => format!("heard at {phase}: {reply}"),
            Event::Failed(fault) => format!("failed: {fault}"),
        })
    }

    fn act(&mut self, order: &str, now: Instant) -> Result<Option<String>, String> {
        let (verb, rest) = order.split_once(' ').unwrap_or((order, ""));
        match verb {
            "narrate" => self.client.narrate(),
            "secured" => self.client.secured(now),
            "login" => self.login(rest, now)?,
            "transfer" => {
                return Ok(self
                    .client
                    .transfer(read_order(rest)?, now)
                    .err()
                    .map(|why| format!("cannot carry: {why}")));
            }
            "body" => self.client.body(&unescape(rest)?, now),
            "last" => {
                let (text, next) = rest.split_once(" then ").map_or((rest, None), |(text, next)| (text, Some(next)));
                self.client.body(&unescape(text)?, now);
                self.client.finish(now);
                return next.map_or(Ok(None), |next| self.follow(next, now));
            }
            "follow" => return self.follow(rest, now),
            "give-up" => self.client.give_up(now),
            "finish" => self.client.finish(now),
            "quit" => self.client.quit(now),
            _ => return Err(format!("unknown order {order:?}")),
        }
        Ok(None)
    }

    fn secrets(&self) -> Vec<String> {
        self.secrets.clone()
    }

    /// Octets that came with the `220` to STARTTLS must be looked at before the handshake.
    fn is_provisional(event: &str) -> bool {
        event == "upgrade"
    }
}

impl ClientSide {
    fn follow(&mut self, words: &str, now: Instant) -> Result<Option<String>, String> {
        let follows = self.client.follow(read_order(words)?, now);
        Ok((!follows).then(|| "does not follow".into()))
    }

    fn login(&mut self, words: &str, now: Instant) -> Result<(), String> {
        let [mechanism, user, secret] = words.split(' ').collect::<Vec<_>>()[..] else {
            return Err("expected login MECHANISM USER SECRET".into());
        };
        let secret = String::from_utf8(unescape(secret)?).map_err(|_| "a secret is UTF-8")?;
        self.secrets.push(secret.clone());
        let (user, secret) = (user.to_owned(), Secret::new(secret));
        let login = match mechanism {
            "plain" => Login::Plain { user, password: secret },
            "login" => Login::Login { user, password: secret },
            "cram-md5" => Login::CramMd5 { user, password: secret },
            "xoauth2" => Login::XOAuth2 { user, token: secret },
            "oauthbearer" => Login::OAuthBearer { user, token: secret, host: "mx.example.net".into(), port: 587 },
            _ => return Err(format!("unknown mechanism {mechanism}")),
        };
        self.client.login(&login, now);
        Ok(())
    }
}

fn read_order(words: &str) -> Result<Order, String> {
    let sender =
        Sender { reverse_path: ReversePath::Null, declared_size: None, smtputf8: false, ret: None, envid: None };
    let mut envelope = Envelope { sender, recipients: vec![] };
    let (mut size, mut eight_bit, mut utf8_header, mut all_or_nothing) = (100, false, false, false);
    for word in words.split(' ') {
        match word.split_once('=').unwrap_or((word, "")) {
            ("from", "<>") => {}
            ("from", path) => envelope.sender.reverse_path = ReversePath::Mailbox(address(path)?),
            ("to", recipient) => envelope.recipients.push(read_recipient(recipient)?),
            ("size", n) => size = n.parse().map_err(|_| "size=N")?,
            ("8bit", "") => eight_bit = true,
            ("utf8", "") => utf8_header = true,
            ("smtputf8", "") => envelope.sender.smtputf8 = true,
            ("all-or-nothing", "") => all_or_nothing = true,
            ("ret", "full") => envelope.sender.ret = Some(Return::Full),
            ("ret", "headers") => envelope.sender.ret = Some(Return::Headers),
            ("envid", id) => envelope.sender.envid = Some(id.into()),
            _ => return Err(format!("unknown in an order: {word}")),
        }
    }
    Ok(Order { envelope: Arc::new(envelope), size, eight_bit, utf8_header, all_or_nothing })
}

fn read_recipient(text: &str) -> Result<Recipient, String> {
    let mut parts = text.split(',');
    let mut recipient = Recipient::plain(address(parts.next().unwrap_or_default())?);
    for part in parts {
        match part.split_once('=') {
            Some(("notify", "never")) => recipient.notify = Some(Notify::Never),
            Some(("notify", on)) => {
                let has = |word: &str| on.split('+').any(|w| w == word);
                let (success, failure, delay) = (has("success"), has("failure"), has("delay"));
                recipient.notify = Some(Notify::On { success, failure, delay });
            }
            Some(("orcpt", orcpt)) => recipient.orcpt = Some(orcpt.into()),
            _ => return Err(format!("unknown for a recipient: {part}")),
        }
    }
    Ok(recipient)
}

fn address(path: &str) -> Result<Address, String> {
    let inside =
        path.strip_prefix('<').and_then(|p| p.strip_suffix('>')).ok_or(format!("expected <address>: {path}"))?;
    Address::parse(inside.as_bytes()).map_err(|why| why.to_string())
}
