//! What holds for any octets: no panic, bounded memory, one reply a line, and the same replies however cut.
//!
//! What conversations in files cannot show: memory, any octets, any cuts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Auth, Ending, Event, LineEndings, Security, Server, Settings, Stage};
use crate::smtp::line::{COMMAND_LIMIT, EXCHANGE_LIMIT};
use crate::smtp::reply::{Refusal, Reply};
use crate::smtp::{Conversation, Output};

/// A listener with everything offered; its owner refuses logins and takes the rest.
fn settings() -> Settings {
    Settings {
        hostname: "relay.example.org".into(),
        dsn: true,
        starttls: true,
        auth: Auth::Optional,
        max_size: 1000,
        max_recipients: 2,
        line_endings: LineEndings::Auto,
        idle: Duration::from_mins(5),
        minimum_rate: 500,
    }
}

struct Session {
    server: Server<()>,
    now: Instant,
    said: Vec<u8>,
    ending: Option<Ending>,
    /// STARTTLS was answered: what comes is no SMTP any more.
    upgrading: bool,
}

impl Session {
    fn begin() -> Self {
        let now = Instant::now();
        let security = Security { tls: false, auth_in_clear: true, nonce: 7 };
        let server = Server::new(Arc::new(settings()), security, true, now);
        let mut session = Self { server, now, said: Vec::new(), ending: None, upgrading: false };
        session.drain();
        session
    }

    fn hear(&mut self, octets: &[u8]) {
        self.server.receive(octets, self.now);
        self.drain();
    }

    /// Until it waits; says for how long, or `None` when it has closed.
    fn drain(&mut self) -> Option<Duration> {
        loop {
            match self.server.poll(self.now) {
                Output::Send(octets) => self.said.extend(octets),
                Output::Event(event) => self.answer(event),
                Output::Wait(until) => return Some(until - self.now),
                Output::Close => return None,
            }
        }
    }

    fn answer(&mut self, event: Event) {
        let (server, now) = (&mut self.server, self.now);
        match event {
            Event::Login(question) => {
                server.answer_login(question, Err(Refusal::new(535, 7, 8, "No")), now);
            }
            Event::Sender(question) => server.answer_sender(question, Ok(()), now),
            Event::Recipient(question) => server.answer_recipient(question, Ok(()), now),
            Event::End(question) => server.accept(question, (), &Reply::new(250, 0, 0, "Ok"), now),
            Event::Upgrade => self.upgrading = true,
            Event::Ended(ending) => self.ending = Some(ending),
            _ => {}
        }
    }

    /// Lets delayed replies come, but not the end of patience.
    fn settle(&mut self) {
        while let Some(wait) = self.drain().filter(|wait| *wait < Duration::from_secs(10)) {
            self.now += wait;
        }
    }

    /// Octets kept when there is nothing to do.
    fn kept(&self) -> usize {
        if let Stage::Body(receiving) | Stage::BodyEnded(receiving) = &self.server.stage {
            assert!(!receiving.has_chunk(), "octets of a body are handed on at once");
        }
        self.server.lines.rest().len() + self.server.out.len()
    }

    fn replies(&self) -> usize {
        self.said.split_inclusive(|&c| c == b'\n').filter(|line| line.get(3) == Some(&b' ')).count()
    }
}

/// Lines a device might say, and some nobody should.
fn line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::sample::select(vec![
            "EHLO a", "HELO", "MAIL FROM:<a@b>", "mail from: a@b SIZE=5", "MAIL FROM:<a@b> SIZE=5000", "RSET", "NOOP",
            "VRFY x", "HELP", "EXPN x", "AUTH PLAIN", "AUTH LOGIN", "AUTH login YQ==", "AUTH PLAIN AGEAYg==", "YQ==",
            "AGEAYg==", "*", "=", "", "BDAT 3", "\x05", "PROXY", "GET", "A: b", "\u{e4}",
        ]).prop_map(|line| line.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>().prop_filter("no LF", |&c| c != b'\n'), 0..40),
        1 => (COMMAND_LIMIT - 3..COMMAND_LIMIT + 3).prop_map(|length| vec![b'x'; length]),
        1 => (EXCHANGE_LIMIT - 3..EXCHANGE_LIMIT + 3).prop_map(|length| vec![b'y'; length]),
    ]
}

fn ending() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just("\r\n"), 2 => Just("\n"), 1 => Just("\r\0\r\n")]
}

/// Whole sessions: commands that lead somewhere, bodies, and noise.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let way = prop::sample::select(vec![
        "EHLO a",
        "MAIL FROM:<a@b>",
        "RCPT TO:<c@d>",
        "RCPT TO:<c@d>",
        "DATA",
        "text",
        ".",
        "..",
        ".",
        "STARTTLS",
        "QUIT",
        "\r\n\r\n\0\r\nQUIT",
    ]);
    let way = way.prop_map(|line| line.as_bytes().to_vec());
    let lines = (prop_oneof![3 => way, 1 => line()], ending()).prop_map(|(mut line, ending)| {
        line.extend(ending.as_bytes());
        line
    });
    prop::collection::vec(lines, 0..16).prop_map(|lines| lines.concat())
}

/// Everything said to these octets, the end of patience included.
fn said(octets: &[u8], cuts: &[usize]) -> (String, Option<Ending>) {
    let mut session = Session::begin();
    let (mut rest, mut sizes) = (octets, cuts.iter().cycle());
    while !rest.is_empty() && !session.upgrading {
        let size = sizes.next().map_or(rest.len(), |&size| size.min(rest.len()));
        session.hear(&rest[..size]);
        rest = &rest[size..];
    }
    while let Some(wait) = session.drain().filter(|_| !session.upgrading) {
        session.now += wait;
    }
    (String::from_utf8_lossy(&session.said).into_owned(), session.ending)
}

proptest! {
    #[test]
    fn the_replies_are_the_same_however_the_octets_are_cut(octets in octets(), cuts in prop::collection::vec(1usize..40, 1..6)) {
        let whole = said(&octets, &[usize::MAX]);
        prop_assert_eq!(&said(&octets, &[1]), &whole);
        prop_assert_eq!(&said(&octets, &cuts), &whole);
    }

    #[test]
    fn each_line_has_exactly_one_reply(lines in prop::collection::vec((line(), ending()), 1..30)) {
        let mut session = Session::begin();
        for (line, ending) in lines {
            let before = session.replies();
            session.hear(&[&line, ending.as_bytes()].concat());
            session.settle();
            if session.ending.is_some() {
                prop_assert_eq!(session.replies(), before + 1);
                return Ok(());
            }
            prop_assert_eq!(session.replies(), before + 1, "{:?}", String::from_utf8_lossy(&line));
        }
    }

    #[test]
    fn what_is_kept_is_bounded(start in octets(), noise in prop::collection::vec(any::<u8>(), 1..200)) {
        let mut session = Session::begin();
        session.hear(&start);
        for _ in 0..2000 {
            session.hear(&noise);
            prop_assert!(session.kept() <= super::DELAYED_LIMIT, "{}", session.kept());
        }
        session.settle();
        prop_assert!(session.kept() <= EXCHANGE_LIMIT, "{}", session.kept());
    }
}

#[test]
fn a_session_at_rest_is_small_and_holds_no_buffer() {
    assert!(size_of::<Server<()>>() <= 384, "{}", size_of::<Server<()>>());
    let mut session = Session::begin();
    for command in ["EHLO a\r\n", "MAIL FROM:<a@b>\r\nRSET\r\n", "NO", "OP\r\n"] {
        session.hear(command.as_bytes());
    }
    assert_eq!(session.replies(), 5);
    assert_eq!(session.server.lines.held() + session.server.out.capacity(), 0);
}

#[test]
fn debug_shows_no_credential() {
    let mut session = Session::begin();
    session.hear(b"EHLO a\r\nAUTH LOGIN\r\naHVudGVyMg==\r\nc2Vjcm");
    let shown = format!("{:?}", session.server);
    assert!(shown.contains("LoginPassword") && !shown.contains("hunter2"), "{shown}");
    // Nor the octets of a line that has not ended.
    assert!(!shown.contains("[99, 50, 86"), "{shown}");
    session.server.receive(b"V0\r\n", session.now);
    let Output::Event(event) = session.server.poll(session.now) else { panic!("no question") };
    let shown = format!("{event:?}");
    assert!(shown.contains("LoginQuestion") && !shown.contains("hunter2"), "{shown}");
}
