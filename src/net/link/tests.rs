//! The link, played with small dialogues over real loopback connections and a clock that the test can hold still.
//!
//! Each test is one thing a peer does: it stops reading, cuts the line, talks too much, falls silent.

use std::io::Write;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::diagnosis::TlsProblem;
use crate::net::stream;
use crate::net::tls;
use crate::net::tls::tests::{Authority, HOST, LIMIT, upgrade};
use crate::net::trust::tests::strict;
use crate::smtp::trace::Trace;

const PATIENCE: Duration = Duration::from_mins(5);
const IDLE: Duration = Duration::from_mins(1);

/// Raises each line as an event and echoes it; says bye to `QUIT`, to silence, and when the peer is gone.
struct Echo {
    input: Vec<u8>,
    said: Vec<u8>,
    events: std::collections::VecDeque<Heard>,
    deadline: Instant,
    closing: bool,
    trace: Trace,
}

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Line(String),
    TooQuiet,
    HungUp,
}

impl Echo {
    fn new() -> Self {
        Self {
            input: Vec::new(),
            said: b"hello\n".to_vec(),
            events: [].into(),
            deadline: now() + IDLE,
            closing: false,
            trace: Trace::new(now(), false),
        }
    }
}

impl Conversation for Echo {
    type Event = Heard;

    fn receive(&mut self, octets: &[u8], now: Instant) {
        self.input.extend_from_slice(octets);
        self.deadline = now + IDLE;
    }

    fn hung_up(&mut self, _: Instant) {
        assert!(!self.closing, "told twice that the peer is gone");
        self.events.push_back(Heard::HungUp);
        self.closing = true;
    }

    fn poll(&mut self, now: Instant) -> Output<Heard> {
        if !self.said.is_empty() {
            return Output::Send(std::mem::take(&mut self.said));
        }
        if let Some(end) = self.input.iter().position(|&octet| octet == b'\n') {
            let line: Vec<u8> = self.input.drain(..=end).collect();
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.closing |= text == "QUIT";
            self.said = line;
            return Output::Event(Heard::Line(text));
        }
        if let Some(event) = self.events.pop_front() {
            return Output::Event(event);
        }
        if self.closing {
            return Output::Close;
        }
        if now >= self.deadline {
            self.closing = true;
            return Output::Event(Heard::TooQuiet);
        }
        Output::Wait(self.deadline)
    }

    fn trace(&mut self) -> &mut Trace {
        &mut self.trace
    }
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

async fn echo() -> (TcpStream, Link<Echo>) {
    let (client, server) = pair().await;
    (client, Link::new(Stream::Plain(server), Echo::new(), PATIENCE))
}

fn line(text: &str) -> Heard {
    Heard::Line(text.to_owned())
}

async fn read_exactly(peer: &mut TcpStream, expected: &str) {
    let mut buffer = vec![0; expected.len()];
    peer.read_exact(&mut buffer).await.unwrap();
    assert_eq!(String::from_utf8(buffer).unwrap(), expected);
}

#[tokio::test]
async fn a_dialogue_from_greeting_to_close() {
    let (mut peer, mut link) = echo().await;
    peer.write_all(b"one\ntwo\nQUIT\n").await.unwrap();
    assert_eq!(link.next().await, Ok(line("one")));
    read_exactly(&mut peer, "hello\n").await;
    assert_eq!(link.next().await, Ok(line("two")));
    read_exactly(&mut peer, "one\n").await;
    assert_eq!(link.next().await, Ok(line("QUIT")));
    peer.write_all(b"three\n").await.unwrap();
    assert_eq!(link.next().await, Err(End::Closed));
    assert_eq!(link.next().await, Err(End::Closed), "the end stays the end");
    drop(link);
    let mut rest = String::new();
    peer.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "two\nQUIT\n");
    assert!(peer.take_error().unwrap().is_none(), "closed, not reset, although a line was left unread");
}

#[tokio::test(start_paused = true)]
async fn silence_ends_at_the_moment_the_dialogue_named_though_lines_put_it_off() {
    let (mut peer, mut link) = echo().await;
    let began = now();
    for _ in 0..3 {
        let half_asleep = async {
            tokio::time::sleep(IDLE / 2).await;
            peer.write_all(b"still here\n").await.unwrap();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            event = link.next() => assert_eq!(event, Ok(line("still here"))),
            () = half_asleep => {}
        }
    }
    assert_eq!(link.next().await, Ok(Heard::TooQuiet));
    let passed = now() - began;
    let expected = IDLE / 2 * 3 + IDLE;
    assert!(passed >= expected && passed < expected + Duration::from_secs(1), "{passed:?}");
}

/// Some megabytes, more than socket buffers hold, in which a lost or repeated piece shows.
fn pattern() -> Vec<u8> {
    (0..=250).cycle().take(6 * 1024 * 1024).collect()
}

/// Lets the link send the pattern to a peer, every poll made by a new future that is dropped if it is not ready.
async fn send_with_dropped_futures(mut peer: Stream, mut link: Link<Echo>) {
    link.conversation_mut().said = pattern();
    let reader = tokio::spawn(async move {
        let mut got = vec![0; pattern().len()];
        peer.read_exact(&mut got).await.unwrap();
        assert!(got == pattern(), "octets were lost or repeated");
        peer.write_all(b"got it\n").await.unwrap();
        peer.flush().await.unwrap();
        peer
    });
    let mut interrupted = 0;
    let event = loop {
        tokio::select! {
            biased;
            event = link.next() => break event,
            () = tokio::task::yield_now() => interrupted += usize::from(matches!(link.outgoing, Outgoing::Writing { .. })),
        }
    };
    assert_eq!(event, Ok(line("got it")));
    assert!(interrupted > 0, "the write was never interrupted");
    drop(reader.await.unwrap());
}

#[tokio::test]
async fn a_future_dropped_at_any_point_loses_nothing() {
    let (peer, link) = echo().await;
    send_with_dropped_futures(Stream::Plain(peer), link).await;
    let (client, server) = pair().await;
    let (peer, server) = upgrade(client, server).await;
    send_with_dropped_futures(peer, Link::new(server, Echo::new(), PATIENCE)).await;
}

#[tokio::test]
async fn what_tls_holds_back_leaves_before_the_dialogue_goes_on() {
    const PIECE: usize = 32 * 1024;
    let (client, server) = pair().await;
    let (mut peer, server) = upgrade(client, server).await;
    let mut link = Link::new(server, Echo::new(), PATIENCE);
    link.conversation_mut().said.clear();
    // Until the sockets are full and a piece, smaller than the buffer of the TLS layer, has to stay there.
    let mut pieces = 0;
    while matches!(link.outgoing, Outgoing::Nothing) {
        link.conversation_mut().said = vec![b'x'; PIECE];
        pieces += 1;
        assert!(tokio::time::timeout(Duration::from_millis(1), link.next()).await.is_err());
    }
    assert!(matches!(link.outgoing, Outgoing::Flushing { .. }), "{:?}", link.outgoing);
    let reading = async {
        peer.read_exact(&mut vec![0; PIECE * pieces]).await.unwrap();
        peer.write_all(b"got it\n").await.unwrap();
        peer.flush().await.unwrap();
    };
    assert_eq!(tokio::join!(reading, link.next()).1, Ok(line("got it")));
}

#[tokio::test]
async fn nothing_on_its_way_out_is_shown_by_debug() {
    let (_peer, mut link) = echo().await;
    link.send(b"AUTH PLAIN AGFubmEAaHVudGVyMg==\r\n".to_vec(), now());
    assert!(format!("{:?}", link.outgoing).contains("[33 octets]"));
}

#[tokio::test]
async fn the_dialogue_goes_on_inside_tls_after_an_upgrade() {
    let (mut peer, mut link) = echo().await;
    peer.write_all(b"STARTTLS\n").await.unwrap();
    assert_eq!(link.next().await, Ok(line("STARTTLS")));
    read_exactly(&mut peer, "hello\n").await;
    let (stream, mut conversation) = link.into_parts();
    conversation.said = b"inside\n".to_vec();
    let (peer, stream) = upgrade(peer, stream.into_plain().unwrap()).await;
    let mut link = Link::new(stream, conversation, PATIENCE);
    assert!(!link.receive_now());

    let talking = async {
        let mut peer = tokio::io::BufReader::new(peer);
        let mut said = String::new();
        peer.read_line(&mut said).await.unwrap();
        peer.write_all(b"QUIT\n").await.unwrap();
        peer.read_to_string(&mut said).await.expect("closed with close_notify");
        said
    };
    let serving = async {
        assert_eq!(link.next().await, Ok(line("QUIT")));
        assert_eq!(link.next().await, Err(End::Closed));
    };
    assert_eq!(tokio::join!(talking, serving).0, "inside\nQUIT\n");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_given_up() {
    let (_peer, mut link) = echo().await;
    link.conversation_mut().said = vec![b'x'; 64 * 1024 * 1024];
    let began = now();
    assert_eq!(link.next().await, Ok(Heard::HungUp));
    assert_eq!(link.fault(), Some(&LinkError::Stalled { seconds: 300 }));
    assert_eq!(link.next().await, Err(End::Broken(LinkError::Stalled { seconds: 300 })));
    assert!(now() - began >= PATIENCE);
}

#[tokio::test]
async fn the_last_words_of_a_peer_that_closed_are_heard_before_the_failure() {
    let (mut peer, mut link) = echo().await;
    assert!(!link.receive_now());
    peer.write_all(b"421 too many connections\n").await.unwrap();
    drop(peer);
    // A write to a closed peer is answered with RST, after which writing fails; what was said before can be read.
    let Stream::Plain(socket) = &link.stream else { panic!("the pair speaks no TLS") };
    while (&*socket2::SockRef::from(socket)).write(b"x").is_ok() {}
    assert_eq!(link.next().await, Ok(line("421 too many connections")));
    assert_eq!(link.next().await, Ok(Heard::HungUp));
    assert_eq!(link.next().await, Err(End::Broken(LinkError::Cut)));
}

/// With TLS 1.3 a server refuses our certificate when the handshake is over for us, and closes: what we write then
/// fails for no other reason.
#[tokio::test]
async fn an_alert_among_the_last_words_says_why_writing_failed() {
    let authority = Authority::new();
    let (client, server) = pair().await;
    let (trusted, answers) = (authority.trusted(), strict(&authority, &rustls::version::TLS13));
    let both = tokio::join!(tls::connect(&trusted, HOST, client, LIMIT), tls::accept(answers, server, LIMIT));
    let (Ok(stream), Err(_)) = both else { panic!("{both:?}") };
    let Stream::Tls(secured) = &stream else { panic!("the handshake was made") };
    // The server is gone; its RST makes writing fail, and what it said before can still be read.
    while (&*socket2::SockRef::from(secured.tls.get_ref().0)).write(b"x").is_ok() {}
    let mut link = Link::new(stream, Echo::new(), PATIENCE);
    assert_eq!(link.next().await, Ok(Heard::HungUp));
    let problem = TlsProblem::ClientCertificateRequired;
    assert_eq!(link.next().await, Err(End::Broken(LinkError::Tls { problem })));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_neither_reads_nor_stops_talking_is_not_heard_without_end() {
    let (mut peer, mut link) = echo().await;
    link.conversation_mut().said = vec![b'x'; 64 * 1024 * 1024];
    let flood = tokio::spawn(async move { peer.write_all(&vec![b'y'; 64 * 1024 * 1024]).await });
    assert_eq!(link.next().await, Ok(Heard::HungUp));
    assert_eq!(link.fault(), Some(&LinkError::Stalled { seconds: 300 }));
    assert!(link.conversation().input.len() < READ_AHEAD + stream::SCRATCH);
    flood.abort();
}

#[tokio::test]
async fn a_peer_that_closes_in_order_is_no_fault() {
    let (mut peer, mut link) = echo().await;
    peer.write_all(b"unfinished").await.unwrap();
    peer.shutdown().await.unwrap();
    assert_eq!(link.next().await, Ok(Heard::HungUp));
    assert_eq!(link.next().await, Err(End::Closed));
    assert_eq!(link.fault(), None);
}

#[tokio::test]
async fn while_the_owner_waits_a_hang_up_is_noticed_and_early_octets_are_kept() {
    let (mut peer, mut link) = echo().await;
    peer.write_all(b"one\n").await.unwrap();
    assert_eq!(link.next().await, Ok(line("one")));
    peer.write_all(b"QUIT\n").await.unwrap();
    peer.shutdown().await.unwrap();
    assert_eq!(link.gone().await, Gone { unheard: 5, fault: None });
    assert_eq!(link.gone().await, Gone { unheard: 5, fault: None }, "known at once the second time");
    assert_eq!(link.next().await, Ok(line("QUIT")));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_floods_while_the_owner_waits_is_not_read_without_end() {
    let (mut peer, mut link) = echo().await;
    let flood = tokio::spawn(async move { peer.write_all(&vec![b'x'; 64 * 1024 * 1024]).await });
    let waited = tokio::time::timeout(Duration::from_hours(1), link.gone()).await;
    assert!(waited.is_err());
    assert!(link.conversation().input.len() >= READ_AHEAD, "the flood never came");
    assert!(link.conversation().input.len() < READ_AHEAD + stream::SCRATCH);
    flood.abort();
}

#[tokio::test]
async fn a_client_that_talks_first_is_found_out() {
    let (mut peer, mut link) = echo().await;
    assert!(!link.receive_now(), "nothing has been said yet");
    peer.write_all(b"GET / HTTP/1.1\n").await.unwrap();
    assert!(link.receive_now());
    assert_eq!(link.conversation().input, b"GET / HTTP/1.1\n");
    drop(peer);
    assert!(!link.receive_now());
    assert_eq!(link.conversation().events, [Heard::HungUp]);
}

#[tokio::test]
async fn an_idle_link_is_small_and_holds_no_buffer() {
    let (mut peer, mut link) = echo().await;
    assert!(std::mem::size_of_val(&link.next()) < 512);
    assert!(std::mem::size_of_val(&link.gone()) < 512);
    assert!(std::mem::size_of::<Link<Echo>>() - std::mem::size_of::<Echo>() <= 192);
    peer.write_all(b"one\n").await.unwrap();
    assert_eq!(link.next().await, Ok(line("one")));
    assert!(tokio::time::timeout(Duration::from_millis(1), link.next()).await.is_err(), "it waits now");
    assert!(matches!(link.outgoing, Outgoing::Nothing), "what was sent is freed");
}

#[tokio::test]
async fn what_was_read_does_not_stay_in_the_scratch_buffer() {
    let (mut peer, mut link) = echo().await;
    peer.write_all(b"hunter2\n").await.unwrap();
    assert_eq!(link.next().await, Ok(line("hunter2")));
    assert!(!stream::scratch_holds(b"hunter2"));
}
