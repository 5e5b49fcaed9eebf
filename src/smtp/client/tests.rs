//! What holds for the client whatever a server does: no panic, bounded memory, no doubt without a dot.
//!
//! Single conversations are told in `tests/dialogues/`; here are only the things no list of them can show.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::mail::address::Address;
use crate::mail::envelope::{Envelope, Recipient, ReversePath, Sender};
use crate::secret::Secret;

/// More than a reader's and a wire's bounds together: 2 KiB of line, 64 KiB of lines (as a `Vec` that doubles), the
/// commands and events of one transaction of three recipients.
const MEMORY_LIMIT: usize = 160 * 1024;

fn client(starttls: StartTls, now: Instant) -> Client {
    let settings = Settings {
        host: "mx.example.net".into(),
        helo_name: "relay.example.org".into(),
        starttls,
        needs_login: false,
        pipelining: true,
        timeouts: Timeouts::default(),
    };
    Client::new(Arc::new(settings), Trace::new(now, true), now)
}

fn order(all_or_nothing: bool) -> Order {
    let sender =
        Sender { reverse_path: ReversePath::Null, declared_size: None, smtputf8: false, ret: None, envid: None };
    let recipient = Recipient::plain(Address::parse(b"anna@example.net").unwrap());
    let envelope = Arc::new(Envelope { sender, recipients: vec![recipient; 3] });
    Order { envelope, size: 8, eight_bit: false, utf8_header: false, all_or_nothing }
}

/// What an owner does who is always in a hurry, and what he has seen.
struct Owner {
    client: Client,
    all_or_nothing: bool,
    login: Option<Login>,
    dot: Dot,
    next: NextMail,
    closed: bool,
}

/// When he hands over the next mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NextMail {
    /// When this one is over.
    Afterwards,
    /// As early as he can.
    Early,
    /// Its envelope is out.
    IsOut,
}

/// How far the dot of the mail under way has come.
#[derive(Debug, PartialEq, Eq)]
enum Dot {
    NotAskedFor,
    AskedFor,
    HandedOut,
}

impl Owner {
    /// Polls until there is nothing to do; every claim about one output is made here.
    fn drain(&mut self, now: Instant) {
        for _ in 0..1000 {
            match self.client.poll(now) {
                Output::Send(_) if self.dot == Dot::AskedFor => self.dot = Dot::HandedOut,
                Output::Send(_) => {}
                Output::Event(event) => self.react(event, now),
                Output::Wait(until) => {
                    assert!(until > now);
                    return;
                }
                Output::Close => {
                    self.closed = true;
                    return;
                }
            }
        }
        panic!("the client never waits");
    }

    fn react(&mut self, event: Event, now: Instant) {
        match event {
            Event::Upgrade => self.client.secured(now),
            Event::Ready if self.login.is_some() => {
                if let Some(login) = &self.login {
                    self.client.login(login, now);
                }
            }
            Event::Ready | Event::LoggedIn | Event::Refused(_) => self.begin(now),
            Event::Recipient { index, .. } => assert!(index < 3),
            // Told only on request, and it asks for nothing.
            Event::Heard { .. } => {}
            Event::Go => self.client.body(b".page\r\n", now),
            Event::More => {
                self.client.finish(now);
                self.dot = Dot::AskedFor;
                if self.next == NextMail::Early && self.client.follow(order(self.all_or_nothing), now) {
                    self.next = NextMail::IsOut;
                }
            }
            Event::Finished(_) => {
                assert_eq!(self.dot, Dot::HandedOut, "an answer to a dot that was not sent");
                self.dot = Dot::NotAskedFor;
                match self.next {
                    NextMail::IsOut => self.next = NextMail::Early,
                    _ => self.begin(now),
                }
            }
            Event::Failed(fault) => {
                let phase = match fault {
                    Fault::Reply { phase, .. }
                    | Fault::Closed { phase }
                    | Fault::TimedOut { phase, .. }
                    | Fault::Garbage { phase, .. } => phase,
                    _ => Phase::StartTls,
                };
                assert_eq!(phase == Phase::Dot, self.dot == Dot::HandedOut, "{phase} with the dot {:?}", self.dot);
            }
        }
    }

    fn begin(&mut self, now: Instant) {
        self.client.transfer(order(self.all_or_nothing), now).unwrap();
    }
}

/// Every way to sign in; what is long goes out in two steps.
fn login() -> impl Strategy<Value = Login> {
    (0..5, prop_oneof![Just(8), Just(2000)]).prop_map(|(mechanism, octets)| {
        let (user, secret, host) =
            (String::from("fax"), Secret::new("x".repeat(octets)), String::from("mx.example.net"));
        match mechanism {
            0 => Login::Plain { user, password: secret },
            1 => Login::Login { user, password: secret },
            2 => Login::CramMd5 { user, password: secret },
            3 => Login::XOAuth2 { user, token: secret },
            _ => Login::OAuthBearer { user, token: secret, host, port: 587 },
        }
    })
}

/// What a server may do: mostly something plausible, so that the dialogue gets somewhere.
#[derive(Debug, Clone)]
enum Whim {
    Say(Vec<u8>),
    Dawdle(u64),
    HangUp,
}

fn whim() -> impl Strategy<Value = Whim> {
    let line = prop_oneof![
        8 => Just("250 2.0.0 ok\r\n"), 4 => Just("354 go\r\n"), 2 => Just("220 mx\r\n"), 2 => Just("334 UGFzcw==\r\n"),
        2 => Just("235 in\r\n"), 1 => Just("550 5.1.1 no\r\n"), 1 => Just("452 4.5.3 many\r\n"), 1 => Just("421 bye\r\n"),
        4 => Just("250-PIPELINING\r\n"), 1 => Just("250-STARTTLS\n"), 1 => Just("25"), 1 => Just("\r"), 1 => Just("502 what\r\n"),
    ];
    prop_oneof![
        30 => line.prop_map(|line| Whim::Say(line.into())),
        1 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(Whim::Say),
        1 => (1_usize..40).prop_map(|lines| Whim::Say("250-{}\r\n".replace("{}", &"x".repeat(1990)).repeat(lines).into())),
        1 => Just(Whim::Say(vec![b'2'; 100_000])),
        1 => (1_u64..700).prop_map(Whim::Dawdle),
        1 => Just(Whim::HangUp),
    ]
}

proptest! {
    #[test]
    fn whatever_a_server_does_there_is_no_panic_no_hoard_and_no_doubt_without_a_dot(
        whims in proptest::collection::vec(whim(), 0..60),
        all_or_nothing: bool,
        login in proptest::option::of(login()),
        narrate: bool,
        next in prop_oneof![Just(NextMail::Afterwards), Just(NextMail::Early)],
        starttls in prop_oneof![Just(StartTls::Never), Just(StartTls::IfOffered)],
    ) {
        let mut now = Instant::now();
        let mut client = client(starttls, now);
        if narrate {
            client.narrate();
        }
        let mut owner = Owner { client, all_or_nothing, login, dot: Dot::NotAskedFor, next, closed: false };
        for whim in whims {
            match whim {
                Whim::Say(octets) => owner.client.receive(&octets, now),
                Whim::Dawdle(seconds) => now += Duration::from_secs(seconds),
                Whim::HangUp => owner.client.hung_up(now),
            }
            prop_assert!(owner.client.reader.held() + owner.client.wire.held() < MEMORY_LIMIT);
            let was_closed = owner.closed;
            owner.drain(now);
            prop_assert!(owner.closed >= was_closed, "closed is closed");
        }
        now += Duration::from_hours(48);
        owner.drain(now);
        prop_assert!(owner.closed, "every stage has its end");
    }
}

/// One challenge of whatever kind a server may think of, as the text behind `334 `.
fn challenge() -> impl Strategy<Value = Vec<u8>> {
    let base64 = |octets: &[u8]| crate::smtp::sasl::encode_base64(octets).into_bytes();
    let value = prop_oneof![Just("\"400\""), Just("401"), Just("null"), Just("[[[{}]]]"), Just("\"\\n\\u0000\"")];
    prop_oneof![
        Just(Vec::new()),
        Just(b"VXNlcm5hbWU6".to_vec()),
        Just(base64(b"<1896.697170952@postoffice.reston.mci.net>")),
        value.prop_map(move |value| base64(format!("{{\"status\":{value},\"scope\":{value}}}").as_bytes())),
        proptest::collection::vec(any::<u8>(), 0..3000).prop_map(move |octets| base64(&octets)),
        proptest::collection::vec(any::<u8>(), 0..60),
    ]
}

proptest! {
    /// LOGIN answers the most: two prompts, and the `*` after them.
    #[test]
    fn whatever_is_asked_an_exchange_ends_after_three_answers(
        login in login(),
        challenges in proptest::collection::vec(challenge(), 5),
    ) {
        let now = Instant::now();
        let mut client = client(StartTls::Never, now);
        client.receive(b"220 mx\r\n", now);
        client.receive(b"250 mx\r\n", now);
        while !matches!(client.poll(now), Output::Wait(_)) {}
        client.login(&login, now);
        let (mut answers, mut failed) = (0, None);
        for challenge in challenges {
            loop {
                match client.poll(now) {
                    Output::Send(octets) => answers += usize::from(!octets.starts_with(b"AUTH ") && octets != b"QUIT\r\n"),
                    Output::Event(Event::Failed(fault)) => failed = Some(fault),
                    Output::Event(event) => panic!("{event:?}"),
                    Output::Wait(_) | Output::Close => break,
                }
            }
            client.receive(&[b"334 ", challenge.as_slice(), b"\r\n"].concat(), now);
        }
        prop_assert!(answers <= 3, "{answers}");
        let Some(Fault::Garbage { phase: Phase::Auth, text }) = failed else { panic!("{failed:?}") };
        prop_assert!(text.len() < 4 * 160 && !text.contains('\n'), "{text:?}");
    }
}

#[test]
fn a_client_at_rest_is_small_and_holds_no_buffer() {
    assert!(size_of::<Client>() <= 512, "{}", size_of::<Client>());
    let now = Instant::now();
    let mut client = client(StartTls::Never, now);
    client.receive(b"220 mx\r\n", now);
    while !matches!(client.poll(now), Output::Wait(_)) {}
    client.receive(b"250-mx\r\n250-PIPE", now);
    client.receive(b"LINING\r\n250 SIZE 1\r\n", now);
    while !matches!(client.poll(now), Output::Wait(_)) {}
    assert!(client.is_ready());
    assert_eq!(client.reader.held() + client.wire.held(), 0);
}
