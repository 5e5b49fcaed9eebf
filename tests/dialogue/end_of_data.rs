//! Where a body ends, and what is left of it: the sequences by which one mail was smuggled into another.
//!
//! Each is sent in a session of CRLF, in one of LF, and in one whose commands end in LF and whose body begins with a
//! CRLF line; whole, in two pieces cut at every octet, and octet by octet. Afterwards the next command is answered in
//! step. What is expected stands in a table written by hand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use posthouse::smtp::reply::Reply;
use posthouse::smtp::server::{Event, LineEndings, Security, Server, Settings};
use posthouse::smtp::{Conversation, Output};

use super::dialogue::server::{Taken, settings};

/// How a device ends its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Crlf,
    Lf,
    /// Commands in LF, bodies in CRLF.
    LfThenCrlf,
}

impl Kind {
    fn of_commands(self) -> &'static str {
        if self == Self::Crlf { "\r\n" } else { "\n" }
    }

    fn of_body(self) -> &'static str {
        if self == Self::Lf { "\n" } else { "\r\n" }
    }
}

/// What a sequence between `one` and `two` means, as the owner gets it.
enum Meaning {
    End(&'static str),
    Data(&'static str),
}
use Meaning::{Data, End};

/// The sequence, its meaning in a CRLF session, its meaning in an LF session.
const SEQUENCES: [(&str, Meaning, Meaning); 12] = [
    ("\r\n.\r\n", End("one\r\n"), Data("one\r\n\r\ntwo\r\n")),
    ("\n.\n", Data("one\r\n.\r\ntwo\r\n"), End("one\r\n")),
    ("\n.\r\n", Data("one\r\n.\r\ntwo\r\n"), Data("one\r\n\r\ntwo\r\n")),
    // LF.LF is in it, as CRLF.CRLF is in CR CRLF.CRLF.
    ("\r\n.\n", Data("one\r\n\r\ntwo\r\n"), End("one\r\n")),
    ("\r.\r", Data("one\r\n.\r\ntwo\r\n"), Data("one\r\n.\r\ntwo\r\n")),
    ("\r.\n", Data("one\r\n.\r\ntwo\r\n"), Data("one\r\n.\r\ntwo\r\n")),
    ("\n.\r", Data("one\r\n.\r\ntwo\r\n"), Data("one\r\n\r\ntwo\r\n")),
    ("\r.\r\n", Data("one\r\n.\r\ntwo\r\n"), Data("one\r\n.\r\ntwo\r\n")),
    ("\r\n.\r", Data("one\r\n\r\ntwo\r\n"), Data("one\r\n\r\ntwo\r\n")),
    ("\r\n.\r\r\n", Data("one\r\n\r\ntwo\r\n"), Data("one\r\n\r\ntwo\r\n")),
    ("\r\r\n.\r\r\n", Data("one\r\n\r\ntwo\r\n"), Data("one\r\n\r\ntwo\r\n")),
    ("\r\n.\0\r\n", Data("one\r\n\0\r\ntwo\r\n"), Data("one\r\n\0\r\ntwo\r\n")),
];

/// A session and what came of it.
struct Session {
    server: Server<Taken>,
    now: Instant,
    said: String,
    /// The bodies accepted.
    mails: Vec<String>,
    body: Vec<u8>,
    /// Quirks, refusals and endings, by name.
    notes: Vec<String>,
}

impl Session {
    fn begin(settings: Settings) -> Self {
        let now = Instant::now();
        let security = Security { tls: false, auth_in_clear: true, nonce: 7 };
        let server = Server::new(Arc::new(settings), security, false, now);
        let mut session = Self { server, now, said: String::new(), mails: vec![], body: vec![], notes: vec![] };
        session.drain();
        session
    }

    /// At DATA, each command line ended like this.
    fn at_data(settings: Settings, ending: &str) -> Self {
        let mut session = Self::begin(settings);
        session.hear(format!("HELO fax{ending}").as_bytes());
        session.transaction(ending);
        session
    }

    fn transaction(&mut self, ending: &str) {
        for line in ["MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA"] {
            self.hear(format!("{line}{ending}").as_bytes());
        }
        assert!(self.said.ends_with("354 End data with <CRLF>.<CRLF>\r\n"), "{}", self.said);
        self.said.clear();
    }

    fn hear(&mut self, octets: &[u8]) {
        self.server.receive(octets, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.server.poll(self.now) {
                Output::Send(octets) => self.said.push_str(std::str::from_utf8(&octets).unwrap()),
                Output::Event(event) => self.answer(event),
                Output::Wait(_) | Output::Close => return,
            }
        }
    }

    fn answer(&mut self, event: Event) {
        match event {
            Event::Sender(question) => self.server.answer_sender(question, Ok(()), self.now),
            Event::Recipient(question) => self.server.answer_recipient(question, Ok(()), self.now),
            Event::Body(octets) => self.body.extend(octets),
            Event::End(question) => {
                self.mails.push(String::from_utf8(std::mem::take(&mut self.body)).unwrap());
                self.server.accept(question, Taken, &Reply::new(250, 0, 0, "Ok: queued"), self.now);
            }
            Event::Message(..) => {}
            Event::Refused(..) => {
                self.body.clear();
                self.notes.push("refused".into());
            }
            Event::Unfinished(summary) => self.notes.push(format!("unfinished: {}", summary.endings)),
            Event::Quirk(quirk) => self.notes.push(format!("{quirk:?}")),
            other => self.notes.push(format!("{other:?}")),
        }
    }

    /// NOOP and QUIT are answered in step, after this.
    fn goes_on_in_step(&mut self, ending: &str) {
        self.said.clear();
        self.hear(format!("NOOP{ending}").as_bytes());
        assert_eq!(self.said, "250 2.0.0 Ok\r\n");
        self.hear(format!("QUIT{ending}").as_bytes());
        assert_eq!(self.said, "250 2.0.0 Ok\r\n221 2.0.0 Bye\r\n");
    }
}

/// Every way to cut octets that is tried.
fn cuts(raw: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut ways: Vec<Vec<&[u8]>> = (0..raw.len()).map(|cut| vec![&raw[..cut], &raw[cut..]]).collect();
    ways.push(raw.chunks(1).collect());
    ways
}

fn check(kind: Kind, raw: &str, expected: &str) {
    for way in cuts(raw.as_bytes()) {
        let mut session = Session::at_data(settings(), kind.of_commands());
        for piece in &way {
            assert!(session.said.is_empty(), "{kind:?} {raw:?} {way:?}: answered too early: {}", session.said);
            if !piece.is_empty() {
                session.hear(piece);
            }
        }
        assert_eq!(session.said, "250 2.0.0 Ok: queued\r\n", "{kind:?} {raw:?} {way:?}");
        assert_eq!(session.mails, [expected], "{kind:?} {raw:?} {way:?}");
        session.goes_on_in_step(kind.of_commands());
        assert_eq!(session.mails.len(), 1);
    }
}

#[test]
fn each_sequence_ends_the_data_or_is_data_as_the_table_says() {
    for kind in [Kind::Crlf, Kind::Lf, Kind::LfThenCrlf] {
        for (sequence, in_crlf, in_lf) in &SEQUENCES {
            let ending = kind.of_body();
            let (raw, expected) = match if kind == Kind::Lf { in_lf } else { in_crlf } {
                End(left) => (format!("first{ending}one{sequence}"), left),
                Data(left) => (format!("first{ending}one{sequence}two{ending}.{ending}"), left),
            };
            check(kind, &raw, &format!("first\r\n{expected}"));
        }
    }
}

/// The thirteenth: the dot comes first.
#[test]
fn an_early_dot_is_an_empty_message() {
    check(Kind::Crlf, ".\r\n", "");
    check(Kind::Lf, ".\n", "");
    check(Kind::LfThenCrlf, ".\r\n", "");
    // A bare LF ends nothing here, not even at the very beginning.
    check(Kind::Crlf, ".\ntwo\r\n.\r\n", "\r\ntwo\r\n");
}

#[test]
fn a_command_line_in_crlf_makes_the_session_strict_for_good() {
    for crlf_at in 0..4 {
        let mut session = Session::begin(settings());
        for (i, line) in ["HELO fax", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA"].iter().enumerate() {
            session.hear(format!("{line}{}", if i == crlf_at { "\r\n" } else { "\n" }).as_bytes());
        }
        session.said.clear();
        session.hear(b"one\n.\nMAIL FROM:<smuggled@b>\ntwo\r\n.\r\n");
        assert_eq!(session.mails, ["one\r\n.\r\nMAIL FROM:<smuggled@b>\r\ntwo\r\n"], "CRLF at line {crlf_at}");
        // The next transaction is in LF throughout, and strict all the same.
        session.transaction("\n");
        session.hear(b"one\n.\n");
        assert_eq!(session.said, "");
        session.hear(b"\r\n.\r\n");
        assert_eq!(session.mails[1], "one\r\n.\r\n\r\n");
        session.goes_on_in_step("\n");
    }
}

#[test]
fn each_message_of_an_lf_session_chooses_anew() {
    let mut session = Session::at_data(settings(), "\n");
    session.hear(b"in LF\n.\n");
    session.transaction("\n");
    session.hear(b"in CRLF\r\n\n.\nstill\r\n.\r\n");
    session.transaction("\n");
    session.hear(b"in LF again\n.\n");
    assert_eq!(session.mails, ["in LF\r\n", "in CRLF\r\n\r\n.\r\nstill\r\n", "in LF again\r\n"]);
    assert_eq!(session.notes, ["OddHelloName", "HeloOnly", "LfCommands", "LfBody", "BareLfInBody"]);
    session.goes_on_in_step("\n");
}

#[test]
fn strict_lines_end_in_crlf_only() {
    let strict = Settings { line_endings: LineEndings::Strict, ..settings() };
    let mut session = Session::begin(strict.clone());
    session.said.clear();
    session.hear(b"HELO fax\n");
    assert_eq!(session.said, "500 5.5.2 Lines must end in CRLF\r\n");
    let mut session = Session::at_data(strict, "\r\n");
    session.hear(b"one\n.\ntwo\r\n.\r\n");
    assert_eq!(session.mails, ["one\r\n.\r\ntwo\r\n"]);
    session.goes_on_in_step("\r\n");
}

#[test]
fn reject_refuses_bare_endings_after_the_true_end() {
    let reject = Settings { line_endings: LineEndings::Reject, ..settings() };
    for bare in ["one\n.\ntwo\r\n", "one\rtwo\r\n", "one\r\r\n.\ntwo\r\n"] {
        let mut session = Session::at_data(reject.clone(), "\r\n");
        session.hear(bare.as_bytes());
        assert_eq!(session.said, "", "{bare:?}: not before the true end");
        session.hear(b".\r\n");
        assert_eq!(session.said, "550 5.6.11 The message holds bare line feeds or carriage returns\r\n");
        assert!(session.mails.is_empty());
        session.goes_on_in_step("\r\n");
    }
    let mut session = Session::at_data(reject, "\r\n");
    session.hear(b"one\r\n.\r\n");
    assert_eq!(session.mails, ["one\r\n"]);
}

#[test]
fn a_body_over_the_limit_of_an_lf_session_is_read_to_its_end() {
    let mut session = Session::at_data(Settings { max_size: 10, ..settings() }, "\n");
    session.hear(b"one\nMAIL FROM:<a@b>\r\n.\r\nQUIT\n");
    assert_eq!(session.said, "");
    session.hear(b".\n");
    assert_eq!(session.said, "552 5.3.4 The message is too big, the limit is 10 octets\r\n");
    assert!(session.mails.is_empty());
    session.goes_on_in_step("\n");
}

/// A script piped into telnet: its dot is not alone on its line, so it ends nothing, and the journal can say why.
#[test]
fn the_dot_of_telnet_does_not_end_the_data() {
    let mut session = Session::at_data(settings(), "\r\0\r\n");
    session.hear(b"text\r\0\r\n.\r\0\r\n");
    assert_eq!(session.said, "");
    session.now += Duration::from_mins(5);
    session.drain();
    assert_eq!(session.said, "421 4.4.2 Timed out, closing\r\n");
    assert!(session.notes.contains(&"Telnet".into()), "{:?}", session.notes);
    assert!(session.notes.contains(&"unfinished: 2 CRLF, 0 bare LF, 2 bare CR".into()), "{:?}", session.notes);
}
