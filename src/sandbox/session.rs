//! One SMTP session of the practice provider: the order of commands, one reply for each, faults where planned.
//!
//! Plain sequential code over one connection; shares nothing with the relay's own dialogues, so that a fault in those
//! shows. Strict: whatever a client may not do is refused and recorded as a breach. Signing in stands in
//! [`super::login`], everything between MAIL and the end of data in [`super::transaction`].

use std::convert::Infallible;
use std::sync::Arc;

use super::Shared;
use super::echo::Received;
use super::fault::{Fault, Gate, Stage};
use super::grammar::{self, Command, Malformed};
use super::mailbox::{Login, Protection};
use super::manners::{Manners, Refusal};
use super::offer::Extension;
use super::record::Rule;
use super::transaction::Envelope;
use super::wire::{End, Line, Wire};
use crate::smtp::trace::Side;

/// Which of the three ports a connection came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Implicit,
    StartTls,
    Plain,
}

impl Door {
    /// For the transcript.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Implicit => "TLS from the first octet",
            Self::StartTls => "in clear until STARTTLS",
            Self::Plain => "in clear",
        }
    }
}

/// What the client may do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// The greeting was a refusal: only QUIT is left (RFC 5321 §3.1).
    Refused,
    /// No EHLO yet, or none since the handshake (RFC 3207 §4.2).
    Fresh,
    /// HELO was given: no extensions.
    Helo(String),
    /// EHLO was given.
    Ehlo(String),
}

/// How a reply goes out.
#[derive(Debug)]
pub(super) enum Manner {
    /// In one piece.
    Whole,
    /// Octet by octet.
    Octets,
    /// With these octets behind it.
    With(Vec<u8>),
    /// In one piece, and nothing after it.
    Last,
    /// Not at all: the connection is cut.
    Never,
}

/// One of the sandbox's own replies.
pub(super) struct Reply<'a> {
    pub code: u16,
    /// Empty where RFC 2034 §4 allows none: greeting, EHLO, 3yz.
    pub enhanced: &'a str,
    pub lines: &'a [&'a str],
}

/// The state of one session; another one begins after STARTTLS and knows nothing of the first.
pub(super) struct Session {
    pub shared: Arc<Shared>,
    pub number: u64,
    pub wire: Wire,
    pub door: Door,
    pub protection: Protection,
    pub standing: Standing,
    pub login: Option<Login>,
    pub received: Option<Received>,
    pub envelope: Envelope,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, number: u64, wire: Wire, door: Door, protection: Protection) -> Self {
        Self {
            shared,
            number,
            wire,
            door,
            protection,
            standing: Standing::Fresh,
            login: None,
            received: None,
            envelope: Envelope::None,
        }
    }

    /// Greets.
    pub(super) async fn greet(&mut self) -> Result<(), End> {
        let Manners { name, greeting, .. } = &self.shared.settings.manners;
        let text = format!("{name} {greeting}");
        let greeting = Reply { code: 220, enhanced: "", lines: &[&text] };
        match self.fault(&Stage::Greeting).await? {
            Some(manner) => self.say(&greeting, manner).await?,
            None => self.standing = Standing::Refused,
        }
        self.wire.flush().await
    }

    /// Answers one command after the other until something ends the session.
    pub(super) async fn converse(&mut self) -> Result<Infallible, End> {
        loop {
            let line = self.wire.line(grammar::LONGEST).await?;
            let parsed = match line {
                Line::Good(line) => {
                    let parsed = grammar::parse(&line);
                    self.hear(&line, &parsed);
                    parsed
                }
                Line::BareEnding(line) => {
                    self.note(&format!("{} octets that end in a bare CR or LF", line.len()));
                    self.breach(Rule::LineEnding, "a line ended in a bare CR or LF");
                    self.answer(500, "5.5.2", "Lines end in CRLF here").await?;
                    continue;
                }
                Line::TooLong => Err(Malformed::TooLong),
            };
            match parsed {
                Ok(command) => {
                    self.watch_pipelining(&command);
                    self.obey(command).await?;
                }
                Err(why) => self.misunderstood(why).await?,
            }
        }
    }

    async fn obey(&mut self, command: Command) -> Result<(), End> {
        if self.standing == Standing::Refused && command != Command::Quit {
            return self.out_of_order("this connection was refused").await;
        }
        match command {
            Command::Ehlo(name) => self.ehlo(name).await,
            Command::Helo(name) => {
                self.standing = Standing::Helo(name);
                self.envelope = Envelope::None;
                let shared = Arc::clone(&self.shared);
                self.answer(250, "", &shared.settings.manners.name).await
            }
            Command::StartTls => self.start_tls().await,
            Command::Auth(mechanism, initial) => self.auth(&mechanism, initial).await,
            Command::Mail(path) => self.mail(path).await,
            Command::Rcpt(path) => self.rcpt(path).await,
            Command::Data => self.data().await,
            Command::Rset => {
                self.envelope = Envelope::None;
                self.answer(250, "2.0.0", "Forgotten").await
            }
            Command::Noop => self.answer(250, "2.0.0", "Ok").await,
            Command::Vrfy => self.answer(252, "2.5.2", "Send some mail, it will be tried").await,
            Command::Known => self.answer(502, "5.5.1", "Known, but not implemented").await,
            Command::Quit => {
                if let Some(manner) = self.fault(&Stage::Quit).await? {
                    self.say(&Reply { code: 221, enhanced: "2.0.0", lines: &["Bye"] }, manner).await?;
                }
                Err(End::Farewell)
            }
        }
    }

    async fn ehlo(&mut self, name: String) -> Result<(), End> {
        let Some(manner) = self.fault(&Stage::Ehlo).await? else { return Ok(()) };
        let mut lines = vec![format!("{} greets {name}", self.shared.settings.manners.name)];
        if self.door == Door::StartTls && self.protection == Protection::Clear {
            lines.push("STARTTLS".into());
        }
        lines.extend(self.shared.settings.offer.lines(self.may_sign_in()));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        self.standing = Standing::Ehlo(name);
        self.envelope = Envelope::None;
        self.say(&Reply { code: 250, enhanced: "", lines: &lines }, manner).await
    }

    async fn start_tls(&mut self) -> Result<(), End> {
        if self.door != Door::StartTls || self.protection != Protection::Clear {
            self.breach(Rule::NotOffered, "STARTTLS was not offered");
            return self.answer(503, "5.5.1", "STARTTLS is not possible here").await;
        }
        if !matches!(self.standing, Standing::Ehlo(_)) {
            return self.out_of_order("EHLO first").await;
        }
        let Some(manner) = self.fault(&Stage::StartTls).await? else { return Ok(()) };
        self.say(&Reply { code: 220, enhanced: "2.0.0", lines: &["Go ahead"] }, manner).await?;
        self.wire.flush().await?;
        // RFC 3207 §4.2: what was sent ahead in clear is never obeyed; it is gone with this wire.
        Err(End::StartTls)
    }

    /// Records commands sent ahead where they must not be.
    fn watch_pipelining(&self, command: &Command) {
        if !self.wire.has_more() {
            return;
        }
        let last = match command {
            Command::Ehlo(_) | Command::Helo(_) => "EHLO",
            Command::StartTls => "STARTTLS",
            Command::Auth(..) => "AUTH",
            Command::Data => "DATA",
            Command::Vrfy => "VRFY",
            Command::Known => "EXPN",
            Command::Noop => "NOOP",
            Command::Quit => "QUIT",
            Command::Mail(_) | Command::Rcpt(_) | Command::Rset => return self.watch_sent_ahead(),
        };
        self.breach(Rule::Pipelining, &format!("octets were sent ahead behind {last}"));
    }

    /// Records octets behind a command or a body when PIPELINING was not offered.
    pub(super) fn watch_sent_ahead(&self) {
        if self.wire.has_more() && !self.pipelining() {
            self.breach(Rule::Pipelining, "octets were sent ahead and PIPELINING was not offered");
        }
    }

    /// Whether the client was told that it may send ahead.
    pub(super) fn pipelining(&self) -> bool {
        matches!(self.standing, Standing::Ehlo(_)) && self.shared.settings.offer.has(&Extension::Pipelining)
    }

    /// Whether a credential may be sent on this connection.
    pub(super) fn may_sign_in(&self) -> bool {
        self.door == Door::Plain || self.protection != Protection::Clear
    }

    async fn misunderstood(&mut self, why: Malformed) -> Result<(), End> {
        match why {
            Malformed::Unknown => {
                self.breach(Rule::Syntax, "unknown command");
                self.answer(500, "5.5.1", "Unknown command").await
            }
            Malformed::Argument(what) => {
                self.breach(Rule::Syntax, what);
                self.answer(501, "5.5.4", what).await
            }
            Malformed::TooLong => {
                self.breach(Rule::LineLength, "a command line is too long");
                self.answer(500, "5.5.2", "Line too long").await
            }
        }
    }

    /// Asks the plan. `None` means the answer was replaced: the command must not be carried out.
    pub(super) async fn fault(&mut self, stage: &Stage) -> Result<Option<Manner>, End> {
        let fault = self.shared.faults.take(stage);
        self.act(fault).await
    }

    /// Does what a fault says.
    pub(super) async fn act(&mut self, fault: Option<Fault>) -> Result<Option<Manner>, End> {
        match fault {
            None => return Ok(Some(Manner::Whole)),
            Some(Fault::Wait(gate)) => return self.wait(&gate).await.map(Some),
            Some(Fault::SplitReply) => return Ok(Some(Manner::Octets)),
            Some(Fault::Inject(octets)) => return Ok(Some(Manner::With(octets))),
            Some(Fault::CarryOutThenClose) => return Ok(Some(Manner::Never)),
            Some(Fault::AnswerThenClose) => return Ok(Some(Manner::Last)),
            Some(Fault::Reply { code, text } | Fault::RefuseToken { code, text, .. }) => self.put_lines(code, &text),
            Some(Fault::ReplyThenClose { code, text }) => {
                self.put_lines(code, &text);
                return Err(End::Farewell);
            }
            Some(Fault::Close) => {
                self.wire.flush().await?;
                self.note("fault: the connection is cut");
                return Err(End::Cut);
            }
            Some(Fault::Garbage(octets)) => {
                self.note(&format!("fault: {} octets of garbage", octets.len()));
                self.wire.put(&octets);
            }
            Some(Fault::Silence) => {
                self.wire.flush().await?;
                self.note("fault: silence");
                return Err(self.wire.outlast().await);
            }
            Some(Fault::EchoSecret(echo)) => {
                let echoed = self.received.as_ref().map_or_else(|| "nothing received".into(), |r| r.echoed(echo));
                self.note("fault: a refusal that repeats the credential");
                self.wire.put(format!("535 5.7.8 Refused: {echoed}\r\n").as_bytes());
            }
        }
        self.wire.flush().await?;
        Ok(None)
    }

    async fn wait(&mut self, gate: &Gate) -> Result<Manner, End> {
        self.wire.flush().await?;
        gate.pass().await;
        Ok(Manner::Whole)
    }

    fn put_lines(&mut self, code: u16, text: &str) {
        let lines: Vec<&str> = text.split('\n').collect();
        self.put(&Reply { code, enhanced: "", lines: &lines });
    }

    /// Answers in the given manner.
    pub(super) async fn say(&mut self, reply: &Reply<'_>, manner: Manner) -> Result<(), End> {
        match manner {
            Manner::Whole => self.put(reply),
            Manner::Octets => {
                self.wire.flush().await?;
                self.put(reply);
                self.wire.trickle().await?;
            }
            Manner::With(octets) => {
                self.put(reply);
                self.wire.put(&octets);
                self.wire.flush().await?;
            }
            Manner::Last => {
                self.put(reply);
                return Err(End::Farewell);
            }
            Manner::Never => {
                self.note("fault: done, and the connection is cut instead of an answer");
                self.wire.flush().await?;
                return Err(End::Cut);
            }
        }
        Ok(())
    }

    fn put(&mut self, reply: &Reply<'_>) {
        let shown = self.shared.settings.offer.has(&Extension::EnhancedStatusCodes) && !reply.enhanced.is_empty();
        // Offers and challenges are read by programs and carry no signature.
        let signed = !(matches!(reply.code, 250 | 334) && reply.enhanced.is_empty());
        let signature = self.shared.settings.manners.signature.as_ref().filter(|_| signed);
        for (i, text) in reply.lines.iter().enumerate() {
            let last = i + 1 == reply.lines.len();
            let separator = if last { ' ' } else { '-' };
            let text = match signature {
                Some(signature) if last => format!("{text} - {signature}"),
                _ => (*text).to_owned(),
            };
            // RFC 2034 §4: the enhanced code is repeated on each line.
            let line = if shown {
                format!("{}{separator}{} {text}", reply.code, reply.enhanced)
            } else {
                format!("{}{separator}{text}", reply.code)
            };
            self.shared.record.say(self.number, Side::Server, &line);
            self.wire.put(line.as_bytes());
            self.wire.put(b"\r\n");
        }
    }

    /// A reply of one line in one piece.
    pub(super) async fn answer(&mut self, code: u16, enhanced: &'static str, text: &str) -> Result<(), End> {
        self.say(&Reply { code, enhanced, lines: &[text] }, Manner::Whole).await
    }

    /// A refusal in the provider's words.
    pub(super) async fn refuse(&mut self, refusal: &Refusal, manner: Manner) -> Result<(), End> {
        let lines: Vec<&str> = refusal.lines.iter().map(String::as_str).collect();
        self.say(&Reply { code: refusal.code, enhanced: &refusal.enhanced, lines: &lines }, manner).await
    }

    /// `503`, and a breach.
    pub(super) async fn out_of_order(&mut self, why: &str) -> Result<(), End> {
        self.breach(Rule::Order, why);
        self.answer(503, "5.5.1", &format!("Bad sequence of commands: {why}")).await
    }

    pub(super) fn breach(&self, rule: Rule, detail: &str) {
        self.shared.record.breach(self.number, rule, detail);
    }

    pub(super) fn note(&self, text: &str) {
        self.shared.record.say(self.number, Side::Note, text);
    }

    /// Writes down what the client said; a line that is not understood may hold anything, also a credential.
    fn hear(&self, line: &[u8], parsed: &Result<Command, Malformed>) {
        let text = match parsed {
            Ok(Command::Auth(mechanism, Some(_))) => format!("AUTH {mechanism} [hidden]"),
            Ok(_) => String::from_utf8_lossy(line).into_owned(),
            Err(_) => format!("not understood, {} octets", line.len()),
        };
        self.shared.record.say(self.number, Side::Client, &text);
    }
}
