//! The server's side in dialogue files. Its owner is a small policy from the file's head, which answers at once.
//!
//! Settings, the first value is the default: `auth = off|accept_any|optional|required`, `auth-in-clear = yes|no`,
//! `tls = none|starttls|active`, `size = 10000`, `recipients = 100`, `line-endings = auto|strict|reject`,
//! `login = USER:PASSWORD` (the one let in), `refused = ADDRESS` (as a sender and as a recipient),
//! `answer = REPLY` (to the end of data), `early = TEXT` (was there before the greeting), `secret = TEXT` (is in what
//! the device says, must never be shown). Orders: `secured` · `burst TEXT` (arrives in one piece) · `dismiss`.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse::mail::envelope::{Envelope, Notify, Return, ReversePath};
use posthouse::secret::Secret;
use posthouse::smtp::Conversation;
use posthouse::smtp::reply::{Enhanced, Refusal, Reply};
use posthouse::smtp::server::{Auth, Event, LineEndings, LoginQuestion, Security, Server, Settings};

use super::octets::unescape;
use super::replay::Adapter;
use super::script::Script;

/// What makes the challenges of a connection its own.
const NONCE: u128 = 0x1896_0697_1709_52aa;

/// Shows that a message was accepted; only the policy here makes one.
pub struct Taken;

/// A server and its owner.
pub struct ServerSide {
    server: Server<Taken>,
    policy: Policy,
    /// The body so far.
    body: Vec<u8>,
    secrets: Vec<String>,
}

/// What the owner decides.
struct Policy {
    /// The login let in.
    login: Option<(String, String)>,
    /// Refused as a sender and as a recipient.
    refused: Option<String>,
    /// Said at the end of data.
    answer: Reply,
}

impl Adapter for ServerSide {
    type Talk = Server<Taken>;

    const HEARS_GROUPS: bool = true;

    fn begin(script: &Script, now: Instant) -> Result<Self, String> {
        let mut settings = settings();
        let mut security = Security { tls: false, auth_in_clear: true, nonce: NONCE };
        let mut early = Vec::new();
        let mut policy = Policy { login: None, refused: None, answer: Reply::new(250, 0, 0, "Ok: queued") };
        let mut secrets = Vec::new();
        for (key, value) in &script.settings {
            match (key.as_str(), value.as_str()) {
                ("auth", "accept_any") => settings.auth = Auth::AcceptAny,
                ("auth", "optional") => settings.auth = Auth::Optional,
                ("auth", "required") => settings.auth = Auth::Required,
                ("auth-in-clear", "no") => security.auth_in_clear = false,
                ("tls", "starttls") => settings.starttls = true,
                ("tls", "active") => security.tls = true,
                ("size", octets) => settings.max_size = octets.parse().map_err(|_| "size=N")?,
                ("recipients", count) => settings.max_recipients = count.parse().map_err(|_| "recipients=N")?,
                ("line-endings", "strict") => settings.line_endings = LineEndings::Strict,
                ("line-endings", "reject") => settings.line_endings = LineEndings::Reject,
                ("login", pair) => {
                    let (user, password) = pair.split_once(':').ok_or("login=USER:PASSWORD")?;
                    secrets.extend(forms_of(user, password));
                    policy.login = Some((user.into(), password.into()));
                }
                ("refused", address) => policy.refused = Some(address.into()),
                ("answer", reply) => policy.answer = read_reply(reply)?,
                ("early", text) => early = unescape(text)?,
                ("secret", text) => secrets.push(text.into()),
                _ => return Err(format!("unknown setting {key} = {value}")),
            }
        }
        let mut server = Server::new(Arc::new(settings), security, true, now);
        server.receive(&early, now);
        Ok(Self { server, policy, body: Vec::new(), secrets })
    }

    fn talk(&mut self) -> &mut Server<Taken> {
        &mut self.server
    }

    fn describe(&mut self, event: Event, now: Instant) -> Option<String> {
        Some(match event {
            Event::Quirk(quirk) => format!("quirk {quirk:?}"),
            Event::Intruder(intruder) => format!("intruder {intruder:?}"),
            Event::Login(question) => {
                let answer = self.policy.may_sign_in(&question);
                self.server.answer_login(question, answer, now);
                return None;
            }
            Event::Sender(question) => {
                let answer = self.policy.may_take_part(&question.sender.reverse_path.to_string());
                self.server.answer_sender(question, answer, now);
                return None;
            }
            Event::Recipient(question) => {
                let answer = self.policy.may_take_part(question.recipient.address.as_str());
                self.server.answer_recipient(question, answer, now);
                return None;
            }
            Event::Message(envelope, _) => format!("message {}", in_words(&envelope)),
            Event::Body(octets) => {
                self.body.extend(octets);
                return None;
            }
            Event::End(question) => {
                match Refusal::try_from(self.policy.answer.clone()) {
                    Ok(refusal) => self.server.refuse(question, &refusal, now),
                    Err(reply) => self.server.accept(question, Taken, &reply, now),
                }
                format!("body {}", shown(&std::mem::take(&mut self.body)))
            }
            Event::Refused(refusal, _) => {
                self.body.clear();
                format!("refused: {}", refusal.reply())
            }
            Event::Unfinished(summary) => format!("unfinished: {}", summary.endings),
            Event::Upgrade => "upgrade".into(),
            Event::Ended(ending) => format!("ended {ending:?}"),
        })
    }

    fn act(&mut self, order: &str, now: Instant) -> Result<Option<String>, String> {
        match order.split_once(' ').unwrap_or((order, "")) {
            ("secured", "") => self.server.secured(now),
            ("burst", text) => self.server.receive(&unescape(text)?, now),
            ("dismiss", "") => self.server.dismiss("Going down, try again later", now),
            _ => return Err(format!("unknown order {order:?}")),
        }
        Ok(None)
    }

    fn secrets(&self) -> Vec<String> {
        self.secrets.clone()
    }
}

/// A listener as it is when nothing is set.
pub fn settings() -> Settings {
    Settings {
        hostname: "relay.example.org".into(),
        dsn: true,
        starttls: false,
        auth: Auth::Off,
        max_size: 10_000,
        max_recipients: 100,
        line_endings: LineEndings::Auto,
        idle: Duration::from_mins(5),
        minimum_rate: 500,
    }
}

/// The password in every form in which PLAIN and LOGIN bring it.
fn forms_of(user: &str, password: &str) -> [String; 3] {
    [password.to_owned(), STANDARD.encode(password), STANDARD.encode(format!("\0{user}\0{password}"))]
}

impl Policy {
    fn may_sign_in(&self, question: &LoginQuestion) -> Result<(), Refusal> {
        let refusal = Refusal::new(535, 7, 8, "Authentication credentials invalid");
        let known = self.login.as_ref().filter(|(user, _)| *user == question.username).ok_or(refusal.clone())?;
        if question.proof.fits(&Secret::new(known.1.clone())) { Ok(()) } else { Err(refusal) }
    }

    fn may_take_part(&self, address: &str) -> Result<(), Refusal> {
        let refusal = || Refusal::new(550, 7, 1, "Not allowed here");
        if self.refused.as_deref() == Some(address) { Err(refusal()) } else { Ok(()) }
    }
}

/// Octets as a script writes them: 20 or more of the same are `{x*20}`.
fn shown(octets: &[u8]) -> String {
    octets.chunk_by(|a, b| a == b).fold(String::new(), |mut text, run| {
        let one = run[..1].escape_ascii();
        match run.len() {
            20.. => write!(text, "{{{one}*{}}}", run.len()).unwrap(),
            _ => write!(text, "{}", run.escape_ascii()).unwrap(),
        }
        text
    })
}

/// The envelope as commands would say it.
fn in_words(envelope: &Envelope) -> String {
    let sender = &envelope.sender;
    let mut words = match &sender.reverse_path {
        ReversePath::Null => "from <>".to_owned(),
        ReversePath::Mailbox(address) => format!("from <{address}>"),
    };
    if let Some(size) = sender.declared_size {
        write!(words, " SIZE={size}").unwrap();
    }
    if sender.smtputf8 {
        words.push_str(" SMTPUTF8");
    }
    match sender.ret {
        Some(Return::Full) => words.push_str(" RET=FULL"),
        Some(Return::Headers) => words.push_str(" RET=HDRS"),
        None => {}
    }
    if let Some(id) = &sender.envid {
        write!(words, " ENVID={id}").unwrap();
    }
    for recipient in &envelope.recipients {
        write!(words, " to <{}>", recipient.address).unwrap();
        match recipient.notify {
            Some(Notify::Never) => words.push_str(" NOTIFY=NEVER"),
            Some(Notify::On { success, failure, delay }) => {
                let asked = [(success, "SUCCESS"), (failure, "FAILURE"), (delay, "DELAY")];
                let asked: Vec<_> = asked.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
                write!(words, " NOTIFY={}", asked.join(",")).unwrap();
            }
            None => {}
        }
        if let Some(original) = &recipient.orcpt {
            write!(words, " ORCPT={original}").unwrap();
        }
    }
    words
}

/// `451 4.4.2 text`
fn read_reply(text: &str) -> Result<Reply, String> {
    let mut words = text.splitn(3, ' ');
    let code = words.next().and_then(|code| code.parse().ok()).ok_or("a reply begins with its code")?;
    let numbers: Vec<u16> = words.next().unwrap_or_default().split('.').filter_map(|n| n.parse().ok()).collect();
    let [class, subject, detail] = numbers[..] else { return Err("a reply here has an enhanced code".into()) };
    let class = u8::try_from(class).map_err(|_| "a class is one digit")?;
    let text = words.next().unwrap_or_default().to_owned();
    Ok(Reply { code, enhanced: Some(Enhanced(class, subject, detail)), text: text.into() })
}
