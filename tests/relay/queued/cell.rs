//! One cell of the table of stages, played: a provider that misbehaves once, a mail, and everything that is left of it.
//!
//! Looks at both ends and at the queue between them: while the relay runs as `posthouse queue` would, and on its disk
//! when it has ended. Holds no expectation of its own.

use std::net::SocketAddr;
use std::time::Duration;

use posthouse::account::{self, Encryption, Mechanism};
use posthouse::app::control::queue::list;
use posthouse::app::queue::{Ask, Row};
use posthouse::net::clock::Clock;
use posthouse::queue::parcel::Standing;
use posthouse::queue::store::StandingKind;
use posthouse::sandbox::fault::TokenFault;
use posthouse::smtp::client::Timeouts;
use posthouse::smtp::sasl;
use socket2::{Domain, Type};

use super::stages::{Ends, Follows, Stands};
use super::*;
use crate::device::SENDER;
use crate::scene::{Log, client_credentials};

/// Where the provider misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    TokenEndpoint,
    Connect,
    Greeting,
    Ehlo,
    StartTls,
    /// TLS from the first octet.
    Handshake,
    HandshakeBehindStartTls,
    EhloInsideTls,
    /// AUTH LOGIN, its first `334`.
    UserPrompt,
    /// AUTH LOGIN, its second.
    PasswordPrompt,
    PasswordVerdict,
    /// The `334` for a token that is too long for the line of AUTH.
    TokenInvitation,
    TokenVerdict,
    Mail,
    Recipient,
    Data,
    /// In the midst of a body that is longer than the sockets of both sides take: 8 MB.
    LongBody,
    /// In the midst of one that goes out in one write with its dot: 50 kB.
    ShortBody,
    Dot,
    Quit,
}

/// How it misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Refuses4yz,
    Refuses5yz,
    Closes,
    TakesAndCloses,
    /// Says nothing and takes nothing.
    Hangs,
    /// Says what is no SMTP.
    Babbles,
}

/// What the device is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// How the attempt ended: it waits as long as that takes.
    Outcome,
    /// That it is queued, before anything was tried.
    Queued,
}

/// Which cell.
#[derive(Debug, Clone, Copy)]
pub struct Play {
    pub at: At,
    pub how: How,
    pub told: Told,
}

/// How long the relay waits for an answer here; twice as long for that to the dot. Long for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Having said what it has to say, the provider takes so much of a long body and closes.
const ENOUGH: u64 = 256 * 1024;
const GARBAGE: &[u8] = b"\x00\xff what?\r\n";

/// Plays it, and holds it against what must follow.
pub async fn play(cell: Play, ends: Ends, follows: &Follows) {
    // Shown if it fails, wherever that is.
    println!("{cell:?}");
    let (log, clock, gate) = (Log::capture(), Clock::set("2026-11-22T08:00:00Z".parse().unwrap()), Gate::new());
    let silence = (cell.at == At::Connect && cell.how == How::Hangs).then(Silence::new);
    let scene = scene(cell, &clock, silence.as_ref()).await;
    cell.plan(&scene.sandbox, &gate);
    let heard = tried(cell, &scene, &gate, &log).await;
    assert!(heard.starts_with(follows.heard), "{cell:?}: {heard}");
    if cell.told == Told::Queued {
        let level = if ends == Ends::Never { "WARN" } else { "INFO" };
        log.wait_for_line(&[level, end_of_attempt(ends), "kind=\"mail\"", RECIPIENT]).await;
    }
    if let Some(words) = cell.failure() {
        log.wait_for_line(&["failure=\"", words]).await;
    }
    assert_stands(cell, follows, &scene, &clock).await;

    let starts_anew = cell.uses_up_patience() || cell.at == At::Connect;
    let scene = if starts_anew { restarted(scene, &clock).await } else { scene };
    if let Some(minutes) = follows.again {
        clock.advance(minutes * 60);
    }
    let first = usize::from(cell.how == How::TakesAndCloses);
    let all = first + follows.copies + follows.notices;
    let _ = delivered(&scene.sandbox, all as u64).await;
    if follows.again.is_some() || follows.notices > 0 {
        log.wait_for_line(&["delivered from the queue"]).await;
    }
    let (sandbox, left) = ended(cell, scene, &gate).await;
    assert_arrived(cell, &sandbox, (first + follows.copies, follows.notices));
    let failed = if follows.stands == Stands::Failed { vec![StandingKind::Failed] } else { Vec::new() };
    assert_eq!(left, failed, "{cell:?}: at the end");
}

/// A mail is handed over, and tried: what its device hears.
async fn tried(cell: Play, scene: &Scene, gate: &Gate, log: &Log) -> String {
    let mut device = scene.device().await;
    device.envelope(&[RECIPIENT]).await;
    device.data(&body(cell.at)).await;
    if cell.uses_up_patience() {
        // Where nobody answers a connection nobody says that it was tried.
        if cell.at != At::Connect {
            reached(gate).await;
        }
        use_up_patience(log).await;
    }
    device.reply().await
}

/// So many copies of the mail, so many notices that say why, and nothing else.
fn assert_arrived(cell: Play, sandbox: &Sandbox, wanted: (usize, usize)) {
    let all = sandbox.mailbox().deliveries();
    let copies = all.iter().filter(|it| it.addresses() == [RECIPIENT]).count();
    let notices = all.iter().filter(|it| it.reverse_path.is_empty() && it.addresses() == [SENDER]);
    assert!(notices.clone().all(|it| it.text().contains("554 5.3.0 Not at all")), "{cell:?}: {all:?}");
    assert_eq!((copies, notices.count()), wanted, "{cell:?}: copies and notices");
    assert_eq!(all.len(), wanted.0 + wanted.1, "{cell:?}: {all:?}");
}

/// What the log says when an attempt of a stored mail is over.
fn end_of_attempt(ends: Ends) -> &'static str {
    match ends {
        Ends::Delivered => "delivered from the queue",
        Ends::Never => "never delivered",
        Ends::Away | Ends::Throttled | Ends::Held | Ends::Unfit | Ends::Uncertain => "still owed",
    }
}

/// A relay whose device waits for the outcome, or for nothing.
async fn scene(cell: Play, clock: &Clock, silence: Option<&Silence>) -> Scene {
    let wait = if cell.told == Told::Queued { Duration::ZERO } else { Duration::from_hours(1) };
    let nowhere = match silence {
        Some(silence) => silence.port,
        None => nobody_listens().await,
    };
    Scene::patient(clock, Timeouts::each(PATIENCE), |config, sandbox| {
        durable(config, Keeping { wait, ..Keeping::default() });
        cell.account(&mut config.accounts[0], sandbox);
        if cell.at == At::Connect {
            config.accounts[0].port = nowhere;
        }
    })
    .await
}

/// A port that answers no connection: it has all it takes.
struct Silence {
    port: u16,
    _taken: [socket2::Socket; 3],
}

impl Silence {
    fn new() -> Self {
        let socket = || socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let (listener, taken) = (socket(), [socket(), socket()]);
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        for socket in &taken {
            // The second one waits, as everybody behind it does.
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&address);
        }
        let [first, second] = taken;
        Self { port: address.as_socket().unwrap().port(), _taken: [listener, first, second] }
    }
}

async fn nobody_listens() -> u16 {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    listener.local_addr().unwrap().port()
}

/// The same queue and provider with the usual patience, which is not used up.
async fn restarted(mut scene: Scene, clock: &Clock) -> Scene {
    if scene.config.accounts[0].encryption == Encryption::Implicit {
        scene.config.accounts[0].port = scene.sandbox.implicit().port();
    }
    scene.restarted_at(clock).await
}

fn body(at: At) -> Vec<u8> {
    let lines = match at {
        At::LongBody => 160_000,
        At::ShortBody => 1_000,
        _ => 0,
    };
    [SAMPLE, &b"0123456789abcdef0123456789abcdef0123456789abcdef\r\n".repeat(lines)].concat()
}

/// So much time passes that nobody waits any longer for a provider that is silent. Where a body was still being written
/// it may be waited for anew: hence more than once.
async fn use_up_patience(log: &Log) {
    // What the provider said before it fell silent lies in the socket: the relay reads that first, a step at a time.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    for _ in 0..5 {
        tokio::time::pause();
        tokio::time::advance(2 * PATIENCE + Duration::from_secs(1)).await;
        tokio::time::resume();
        let over = log.wait_for_line(&["failure="]);
        if tokio::time::timeout(Duration::from_secs(2), over).await.is_ok() {
            return;
        }
    }
    panic!("the provider is still waited for:\n{}", log.text());
}

/// What is in the queue while the relay runs, and what is known against the account.
async fn assert_stands(cell: Play, follows: &Follows, scene: &Scene, clock: &Clock) {
    let ask = Ask { limit: 10, ..Ask::default() };
    let page = list(&scene.config.storage, &ask).await.unwrap();
    let mails: Vec<&Row> = page.rows.iter().filter(|row| row.to.iter().any(|to| to.as_str() == RECIPIENT)).collect();
    match (&follows.stands, &mails[..]) {
        (Stands::Due { seconds: (from, to), attempts }, [Row { open: 1, standing: Standing::Due { at }, .. }]) => {
            let due = at.duration_since(clock.now()).as_secs();
            assert!((*from..=*to).contains(&due), "{cell:?}: due in {due} s");
            assert_eq!(mails[0].attempts, *attempts, "{cell:?}");
        }
        (Stands::Nothing, []) | (Stands::Failed, [Row { open: 0, standing: Standing::Failed { .. }, .. }]) => {}
        (wanted, rows) => panic!("{cell:?}: {wanted:?} is not {rows:#?}"),
    }
    let causes: Vec<_> = mails.iter().filter_map(|row| Some(row.last.as_ref()?.why.cause)).collect();
    assert_eq!(causes, follows.cause.into_iter().collect::<Vec<_>>(), "{cell:?}");
    let holds: Vec<_> = page.holds.values().map(|hold| hold.ends_by).collect();
    assert_eq!(holds, follows.hold.map(Some).into_iter().collect::<Vec<_>>(), "{cell:?}: the account");
}

/// Ends the relay: how what is left in its queue stands.
async fn ended(cell: Play, scene: Scene, gate: &Gate) -> (Sandbox, Vec<StandingKind>) {
    let Scene { sandbox, relay, config, directory } = scene;
    let goodbye = async {
        if cell.at == At::Quit && cell.how == How::Hangs {
            reached(gate).await;
            tokio::time::pause();
            tokio::time::advance(PATIENCE).await;
            tokio::time::resume();
        }
    };
    let ((), ()) = tokio::join!(relay.shut_down(), goodbye);
    if cell.at == At::Quit {
        assert!(sandbox.transcript().iter().any(|said| said.text == "QUIT"), "{cell:?}");
    }
    let left = on_disk(&config).iter().map(|waiting| waiting.parcel.standing.kind()).collect();
    drop(directory);
    (sandbox, left)
}

impl Play {
    /// Whether the relay has nothing to go by in the attempt but its own patience.
    fn uses_up_patience(self) -> bool {
        self.how == How::Hangs && self.at != At::Quit
    }

    /// How the log names the place at which the attempt failed, if it did.
    fn failure(self) -> Option<&'static str> {
        Some(match self.at {
            At::TokenEndpoint if self.how == How::Hangs => "\"credential: ",
            At::TokenEndpoint => "\"https://",
            At::Connect if self.how == How::Hangs => "no answer in 20 s",
            At::Connect => "\"connect to ",
            At::Greeting => "\"greeting: ",
            At::Ehlo | At::EhloInsideTls => "\"EHLO: ",
            At::StartTls => "STARTTLS: ",
            At::Handshake => "\"TLS with ",
            // Octets in clear may be there before the handshake begins.
            At::HandshakeBehindStartTls => "TLS",
            At::UserPrompt | At::PasswordPrompt | At::PasswordVerdict | At::TokenInvitation | At::TokenVerdict => {
                "\"AUTH: "
            }
            At::Mail => "\"MAIL: ",
            At::Recipient => "\"RCPT: ",
            At::Data => "\"DATA: ",
            At::LongBody => "\"body: ",
            At::ShortBody | At::Dot => "\"end of data: ",
            At::Quit => return None,
        })
    }

    /// An account that comes to this stage.
    fn account(self, account: &mut account::Settings, sandbox: &Sandbox) {
        match self.at {
            At::Ehlo | At::StartTls | At::HandshakeBehindStartTls | At::EhloInsideTls => {
                account.encryption = Encryption::StartTls;
                account.port = sandbox.starttls().port();
            }
            At::UserPrompt | At::PasswordPrompt => account.mechanism = Mechanism::Only(sasl::Mechanism::Login),
            At::TokenEndpoint | At::TokenInvitation | At::TokenVerdict => client_credentials(account, sandbox),
            _ => {}
        }
    }

    /// Has the provider misbehave.
    fn plan(self, sandbox: &Sandbox, gate: &Gate) {
        let plan = |stage, fault| sandbox.faults().plan(stage, fault, Times::Once);
        let passes = |stage| {
            let open = Gate::new();
            open.open();
            plan(stage, Fault::Wait(open));
        };
        let fault = self.fault(gate);
        match self.at {
            At::TokenEndpoint => sandbox.faults().plan_token(self.token_fault(gate), Times::Once),
            At::Connect => {}
            At::Greeting => plan(Stage::Greeting, fault),
            At::Ehlo => plan(Stage::Ehlo, fault),
            At::StartTls => plan(Stage::StartTls, fault),
            At::Handshake | At::HandshakeBehindStartTls => plan(Stage::TlsHandshake, fault),
            At::EhloInsideTls => {
                passes(Stage::Ehlo);
                plan(Stage::Ehlo, fault);
            }
            At::UserPrompt => plan(Stage::AuthChallenge, fault),
            At::PasswordPrompt => {
                passes(Stage::AuthChallenge);
                plan(Stage::AuthChallenge, fault);
            }
            At::PasswordVerdict => plan(Stage::Auth, fault),
            At::TokenInvitation => self.refuse_token(Stage::AuthChallenge, fault, plan),
            At::TokenVerdict => self.refuse_token(Stage::Auth, fault, plan),
            At::Mail => plan(Stage::Mail, fault),
            At::Recipient => plan(Stage::Rcpt, fault),
            At::Data => plan(Stage::Data, fault),
            At::LongBody => {
                plan(Stage::Body(1), fault);
                if !matches!(self.how, How::Closes | How::Hangs) {
                    plan(Stage::Body(ENOUGH), Fault::Close);
                }
            }
            At::ShortBody => plan(Stage::Body(1), fault),
            At::Dot => plan(Stage::Dot, fault),
            At::Quit => plan(Stage::Quit, fault),
        }
    }

    /// A token that is refused is renewed and tried once more, in the same attempt: only then the refusal stands.
    fn refuse_token(self, stage: Stage, fault: Fault, plan: impl Fn(Stage, Fault)) {
        if self.how == How::Refuses5yz {
            plan(stage.clone(), fault.clone());
        }
        plan(stage, fault);
    }

    fn fault(self, gate: &Gate) -> Fault {
        match self.how {
            How::Refuses4yz => Fault::reply(451, "4.3.0 Not now"),
            How::Refuses5yz => Fault::reply(554, "5.3.0 Not at all"),
            How::Closes => Fault::Close,
            How::TakesAndCloses => Fault::CarryOutThenClose,
            How::Hangs => Fault::Wait(gate.clone()),
            How::Babbles => Fault::Garbage(GARBAGE.to_vec()),
        }
    }

    fn token_fault(self, gate: &Gate) -> TokenFault {
        match self.how {
            // RFC 6749 §5.2
            How::Refuses4yz => TokenFault::Http { status: 400, body: r#"{"error":"invalid_client"}"#.into() },
            How::Refuses5yz => TokenFault::Http { status: 503, body: String::new() },
            How::Closes => TokenFault::Close,
            How::TakesAndCloses => TokenFault::CarryOutThenClose,
            How::Hangs => TokenFault::Wait(gate.clone()),
            How::Babbles => TokenFault::Garbage(GARBAGE.to_vec()),
        }
    }
}
