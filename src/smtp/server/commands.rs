//! One line at a time: read, written down, obeyed.
//!
//! Knows the order of commands outside a transaction and the liberties taken with lines. A line that does not begin
//! with a known verb may be anything, so nothing of it is written down (promise 4).

use std::time::Instant;

use super::{Ending, Expected, Hello, LineEndings, Progress, Server, Stage, intruder, login};
use crate::smtp::command::{self, Command, Wrong};
use crate::smtp::line::{COMMAND_LIMIT, EXCHANGE_LIMIT, Line, LineEnd};
use crate::smtp::quirk::{Quirk, Quirks};
use crate::smtp::reply::Reply;
use crate::smtp::trace::Side;

impl<A> Server<A> {
    pub(super) fn next_line(&mut self, now: Instant) -> Progress {
        // A line of an AUTH exchange is a credential, whatever it looks like; it may be empty.
        let in_exchange = matches!(self.stage, Stage::Login(..));
        if !in_exchange {
            if let Some(intruder) = intruder::in_octets(self.lines.rest()) {
                return self.turn_away(intruder, now);
            }
            if self.held_until().is_some_and(|until| now < until) {
                return Progress::Blocked;
            }
        }
        let limit = if in_exchange { EXCHANGE_LIMIT } else { COMMAND_LIMIT };
        let Some(line) = self.lines.next(limit) else { return Progress::Blocked };
        self.heard = now;
        let (text, end, too_long) = match line {
            Line::Whole(text, end) => (text, end, false),
            Line::TooLong(text, end) => (text, end, true),
        };
        if let Some(intruder) = intruder::in_line(&text).filter(|_| !in_exchange) {
            self.hear(&text, now);
            if self.expected == Expected::PerhapsBody && intruder::is_header_line(&text) {
                return self.turn_body_away(now);
            }
            return self.turn_away(intruder, now);
        }
        self.note_ending(end);
        if in_exchange {
            return self.exchange_line(&text, too_long, now);
        }
        self.hear(&text, now);
        if too_long {
            // RFC 5321 §4.5.3.1.10
            self.bad(&Reply::new(500, 5, 2, "Line too long"), now);
            return Progress::Again;
        }
        if end == LineEnd::Lf && self.settings.line_endings == LineEndings::Strict {
            self.bad(&Reply::new(500, 5, 2, "Lines must end in CRLF"), now);
            return Progress::Again;
        }
        let mut quirks = Quirks::default();
        let parsed = command::parse(&text, &mut quirks);
        self.quirks(quirks);
        match parsed {
            Ok(command) => {
                self.expected = Expected::Command;
                self.obey(command, now)
            }
            Err(Wrong::Argument(refusal)) => {
                self.quirk(Quirk::Malformed);
                self.bad(refusal.reply(), now);
                Progress::Again
            }
            Err(Wrong::Unknown) => {
                let credential = intruder::looks_like_base64(&text);
                self.quirk(if credential { Quirk::CredentialOutOfPlace } else { Quirk::UnknownCommand });
                self.bad(&Reply::new(500, 5, 1, "Command unknown"), now);
                Progress::Again
            }
        }
    }

    fn note_ending(&mut self, end: LineEnd) {
        match end {
            LineEnd::CrLf => self.strict = true,
            LineEnd::CrNulCrLf => {
                self.strict = true;
                self.quirk(Quirk::Telnet);
            }
            LineEnd::Lf if self.settings.line_endings == LineEndings::Strict => self.quirk(Quirk::LfRefused),
            LineEnd::Lf => self.quirk(Quirk::LfCommands),
        }
    }

    /// Writes a command line down, unless it may be something else (promise 4).
    fn hear(&mut self, line: &[u8], now: Instant) {
        if !self.trace.recording() {
            return;
        }
        match command::verb(line) {
            Some("AUTH") => self.trace.say(Side::Client, &login::transcript_of_auth(line), now),
            Some("EHLO" | "HELO" | "MAIL" | "RCPT") => {
                self.trace.say(Side::Client, &String::from_utf8_lossy(line), now);
            }
            // What follows any other verb changes nothing, so it may be a password that lost its way.
            Some(verb) if line.len() > verb.len() => {
                self.trace.say(Side::Client, &format!("{verb}, {} octets hidden", line.len() - verb.len()), now);
            }
            Some(verb) => self.trace.say(Side::Client, verb, now),
            None => self.trace.say(Side::Client, &format!("unknown, {} octets", line.len()), now),
        }
    }

    fn obey(&mut self, command: Command, now: Instant) -> Progress {
        match command {
            Command::Ehlo(name) => self.hello(Hello { name, esmtp: true }, now),
            Command::Helo(name) => {
                self.quirk(Quirk::HeloOnly);
                self.hello(Hello { name, esmtp: false }, now);
            }
            Command::Mail(sender) => return self.mail(sender, now),
            Command::Rcpt(recipient) => return self.rcpt(recipient, now),
            Command::Data => return self.data(now),
            Command::Auth(argument) => return self.auth(argument, now),
            Command::StartTls => self.starttls(now),
            // RFC 5321 §4.1.1.5: always 250, never closes.
            Command::Rset => {
                self.stage = match std::mem::replace(&mut self.stage, Stage::Fresh) {
                    Stage::Mail(transaction) => Stage::Ready(transaction.hello),
                    other => other,
                };
                self.good(&Reply::new(250, 0, 0, "Ok"), now);
            }
            Command::Noop => self.good(&Reply::new(250, 0, 0, "Ok"), now),
            Command::Vrfy => self.good(&Reply::new(252, 5, 2, "Send some mail, I'll try my best"), now),
            Command::Help => {
                self.good(&Reply::new(214, 0, 0, "This relay takes mail and passes it on to a provider"), now);
            }
            Command::Quit => self.close_with(&Reply::new(221, 0, 0, "Bye"), Ending::Quit, now),
            Command::NotOffered => self.bad(&Reply::new(502, 5, 1, "Not implemented here"), now),
        }
        Progress::Again
    }

    /// RFC 5321 §4.1.1.1; again later it is RSET (§4.1.4).
    fn hello(&mut self, hello: Hello, now: Instant) {
        let mut text = self.settings.hostname.clone();
        if hello.esmtp {
            text.push_str("\nPIPELINING\nSIZE ");
            text.push_str(&self.settings.max_size.to_string());
            text.push_str("\n8BITMIME\nSMTPUTF8\nENHANCEDSTATUSCODES");
            if self.settings.dsn {
                text.push_str("\nDSN");
            }
            if self.may_auth() {
                // PLAIN and LOGIN first: some devices look no further.
                text.push_str("\nAUTH PLAIN LOGIN CRAM-MD5");
            }
            if self.settings.starttls && !self.security.tls {
                text.push_str("\nSTARTTLS");
            }
            text.push_str("\nHELP");
        }
        self.stage = Stage::Ready(hello);
        self.good(&Reply::bare(250, text), now);
    }

    fn starttls(&mut self, now: Instant) {
        if self.security.tls {
            return self.bad(&Reply::new(503, 5, 1, "TLS is already active"), now);
        }
        if !self.settings.starttls {
            self.quirk(Quirk::StartTlsNotOffered);
            return self.bad(&Reply::new(502, 5, 1, "Not implemented here"), now);
        }
        // RFC 3207 §4.2, CVE-2011-0411: what came in clear behind it is not obeyed, not even answered.
        if self.has_more() {
            self.quirk(Quirk::OctetsAfterStartTls);
        }
        self.lines.clear();
        self.good(&Reply::new(220, 0, 0, "Ready to start TLS"), now);
        self.stage = Stage::StartTls;
    }
}
