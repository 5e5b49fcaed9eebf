//! Connecting to a provider: look the name up, race IPv6 against IPv4 (RFC 8305), give up after a fixed time.
//!
//! Guarantees: at most eight addresses are tried; the first that answers wins and the others are dropped; the error
//! lists what happened at each address; a connection that reached one of our own listeners is refused. Knows nothing
//! of TLS or SMTP, and remembers nothing between calls.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::ours::Bound;
use crate::diagnosis::{ConnectProblem, DnsProblem, Failure};

/// Head start of one address before the next is tried as well (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);
/// Addresses tried, however many the name has.
const ADDRESSES: usize = 8;

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// The name has no address, or the resolver failed or did not answer.
    #[error("cannot find the address of {host}: {detail}")]
    Dns { host: String, problem: DnsProblem, detail: String },
    /// No address answered; the detail lists them.
    #[error("cannot connect to {host} port {port}: {detail}")]
    Connect { host: String, port: u16, problem: ConnectProblem, detail: String },
    /// The connection ended at one of our own listeners.
    #[error("{host} port {port} is this relay itself")]
    SelfLoop { host: String, port: u16 },
}

impl From<DialError> for Failure {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Dns { host, problem, detail } => Self::Dns { host, problem, detail },
            DialError::Connect { host, port, problem, detail } => Self::Connect { host, port, problem, detail },
            DialError::SelfLoop { host, port } => Self::SelfLoop { host, port },
        }
    }
}

/// What is seen on the way to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The name was looked up; in the order in which they will be tried.
    Addresses(Vec<SocketAddr>),
    /// This address had failed when another one answered.
    Failed(SocketAddr, String),
    /// The one that answered.
    Connected(SocketAddr),
    /// Who answered is a proxy, and is asked for this target.
    ProxyAsked { proxy: String, target: String },
}

/// Connects to a host by name or literal address, without Nagle's delay. `seen` is told on the way.
///
/// # Errors
/// When the name or all its addresses fail within `limit`, or the connection leads back to us. Dropping the future
/// ends every attempt.
pub async fn dial(
    host: &str,
    port: u16,
    ours: &Bound,
    limit: Duration,
    seen: &(dyn Fn(Seen) + Sync),
) -> Result<TcpStream, DialError> {
    let until = Instant::now() + limit;
    let addresses = resolve(host, port, until, limit).await?;
    seen(Seen::Addresses(addresses.clone()));
    let raced = race(&addresses, until).await;
    let failed = |problem, detail| DialError::Connect { host: host.to_owned(), port, problem, detail };
    let (socket, tried) = raced.map_err(|tried| failed(most_telling(&tried), describe(&tried, limit)))?;
    for (address, error) in tried {
        if let Some(error) = error {
            seen(Seen::Failed(address, error.to_string()));
        }
    }
    let broken = |error: io::Error| failed(ConnectProblem::of(Some(error.kind())), error.to_string());
    let (peer, local) = (socket.peer_addr().map_err(broken)?, socket.local_addr().map_err(broken)?);
    if ours.is_ours(peer, local) {
        return Err(DialError::SelfLoop { host: host.to_owned(), port });
    }
    socket.set_nodelay(true).map_err(broken)?;
    seen(Seen::Connected(peer));
    Ok(socket)
}

async fn resolve(host: &str, port: u16, until: Instant, limit: Duration) -> Result<Vec<SocketAddr>, DialError> {
    let failed = |problem, detail: String| DialError::Dns { host: host.to_owned(), problem, detail };
    let silence = || format!("no answer from the name servers in {} s", limit.as_secs());
    let found = timeout_at(until, tokio::net::lookup_host((host, port)))
        .await
        .map_err(|_| failed(DnsProblem::NoAnswer, silence()))?
        .map_err(|error| failed(DnsProblem::of(&error), error.to_string()))?;
    let addresses = interleave(found);
    let nothing = || failed(DnsProblem::NoAddress, "the name has no address".to_owned());
    if addresses.is_empty() { Err(nothing()) } else { Ok(addresses) }
}

/// Alternates the families, beginning with the one the system prefers (RFC 8305 §4), and cuts the list.
fn interleave(found: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut seen = Vec::new();
    for address in found {
        if !seen.contains(&address) {
            seen.push(address);
        }
    }
    let Some(first) = seen.first().map(SocketAddr::is_ipv6) else { return seen };
    let (preferred, other): (Vec<_>, Vec<_>) = seen.into_iter().partition(|address| address.is_ipv6() == first);
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    let mut mixed = Vec::new();
    loop {
        let before = mixed.len();
        mixed.extend(preferred.next());
        mixed.extend(other.next());
        if mixed.len() == before {
            mixed.truncate(ADDRESSES);
            return mixed;
        }
    }
}

/// What became of one address: its error, or nothing if it had not answered when time was up.
type Tried = Vec<(SocketAddr, Option<io::Error>)>;

async fn race(addresses: &[SocketAddr], until: Instant) -> Result<(TcpStream, Tried), Tried> {
    let mut tried: Tried = Vec::new();
    let mut running = JoinSet::new();
    let mut waiting = addresses.iter().copied();
    loop {
        // The next one starts when the head start is over or the one before has failed (RFC 8305 §5).
        let patience = match waiting.next() {
            Some(address) => {
                tried.push((address, None));
                running.spawn(async move { (address, TcpStream::connect(address).await) });
                until.min(Instant::now() + HEAD_START)
            }
            None if running.is_empty() => return Err(tried),
            None => until,
        };
        match timeout_at(patience, running.join_next()).await {
            Ok(Some(Ok((_, Ok(socket))))) => return Ok((socket, tried)),
            Ok(Some(Ok((address, Err(error))))) => {
                if let Some(entry) = tried.iter_mut().find(|entry| entry.0 == address) {
                    entry.1 = Some(error);
                }
            }
            Err(_) if Instant::now() >= until => return Err(tried),
            // The head start is over. (A task that was aborted or panicked counts as an address that never answered.)
            Err(_) | Ok(Some(Err(_)) | None) => {}
        }
    }
}

/// An IPv6 address without a way to it says nothing about the host; a refusal does.
fn most_telling(tried: &Tried) -> ConnectProblem {
    let each = tried.iter().map(|(_, error)| ConnectProblem::of(error.as_ref().map(io::Error::kind)));
    each.min().unwrap_or(ConnectProblem::Other)
}

fn describe(tried: &Tried, limit: Duration) -> String {
    let each = tried.iter().map(|(address, error)| match error {
        Some(error) => format!("{}: {error}", address.ip()),
        None => format!("{}: no answer in {} s", address.ip(), limit.as_secs()),
    });
    each.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::{TcpListener, TcpSocket};

    const DEADLINE: Duration = Duration::from_secs(30);

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// Bound and not listening: connecting is refused, and nobody else can take the port.
    fn deaf() -> (TcpSocket, SocketAddr) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(at("127.0.0.1:0")).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    #[tokio::test]
    async fn a_listening_host_is_reached_without_delay() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "localhost"] {
            let socket = dial(host, port, &Bound::default(), DEADLINE, &|_| {}).await.unwrap();
            assert!(socket.nodelay().unwrap());
        }
    }

    #[tokio::test]
    async fn our_own_listener_is_not_a_provider() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let refused = dial("localhost", address.port(), &Bound::new([address]), DEADLINE, &|_| {}).await.unwrap_err();
        assert_eq!(refused, DialError::SelfLoop { host: "localhost".into(), port: address.port() });
        assert_eq!(Failure::from(refused), Failure::SelfLoop { host: "localhost".into(), port: address.port() });
    }

    #[tokio::test]
    async fn a_refused_connection_names_the_address() {
        let (_deaf, address) = deaf();
        let refused = dial("127.0.0.1", address.port(), &Bound::default(), DEADLINE, &|_| {}).await.unwrap_err();
        let DialError::Connect { detail, problem: ConnectProblem::Refused, .. } = &refused else {
            panic!("{refused:?}")
        };
        assert!(detail.starts_with("127.0.0.1: ") && detail.contains("refused"), "{detail}");
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_a_failure_of_the_dns() {
        // RFC 6761 §6.4: `.invalid` never exists.
        let refused = dial("smtp.invalid", 465, &Bound::default(), DEADLINE, &|_| {}).await.unwrap_err();
        assert!(matches!(&refused, DialError::Dns { host, .. } if host == "smtp.invalid"), "{refused:?}");
        // A machine without name servers cannot know better than that nobody answers.
        let known = |problem| matches!(problem, DnsProblem::NoSuchName | DnsProblem::NoAnswer);
        assert!(matches!(refused, DialError::Dns { problem, .. } if known(problem)), "{refused:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_first_address_costs_no_waiting() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = listener.local_addr().unwrap();
        let (_deaf, dead) = deaf();
        let began = Instant::now();
        let (socket, _) = race(&[dead, alive], Instant::now() + DEADLINE).await.unwrap();
        assert_eq!(socket.peer_addr().unwrap(), alive);
        assert!(began.elapsed() < HEAD_START / 2, "the next address starts at once when one has failed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_first_address_costs_its_head_start_only() {
        let silent = silent().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = listener.local_addr().unwrap();
        let began = Instant::now();
        let (socket, _) = race(&[silent.address, alive], Instant::now() + DEADLINE).await.unwrap();
        assert_eq!(socket.peer_addr().unwrap(), alive);
        assert!(began.elapsed() >= HEAD_START && began.elapsed() < HEAD_START * 2, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_answers_is_given_up_and_said_per_address() {
        let silent = silent().await;
        let (_deaf, dead) = deaf();
        let limit = Duration::from_secs(1);
        let tried = race(&[silent.address, dead], Instant::now() + limit).await.unwrap_err();
        let said = describe(&tried, limit);
        assert_eq!(most_telling(&tried), ConnectProblem::Refused, "of the two it says more");
        assert!(said.starts_with("127.0.0.1: no answer in 1 s; 127.0.0.1: ") && said.contains("refused"), "{said}");
    }

    /// A listener whose queue is full: the kernel drops every further SYN.
    struct Silent {
        address: SocketAddr,
        _open: (socket2::Socket, Vec<tokio::task::JoinHandle<io::Result<TcpStream>>>),
    }

    async fn silent() -> Silent {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&at("127.0.0.1:0").into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(tokio::spawn(TcpStream::connect(address)));
            // Long enough for loopback: a connection that is not made by now never will be.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Silent { address, _open: (socket, held) }
    }

    #[test]
    fn families_alternate_beginning_with_the_preferred_one_and_the_list_is_short() {
        let found = ["[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::2]:1", "192.0.2.1:1", "192.0.2.2:1"].map(at);
        let expected = ["[2001:db8::1]:1", "192.0.2.1:1", "[2001:db8::2]:1", "192.0.2.2:1"].map(at);
        assert_eq!(interleave(found), expected);
        let many = (0..100).map(|last| SocketAddr::from(([192, 0, 2, last], 25)));
        assert_eq!(interleave(many.chain([at("[2001:db8::1]:1")])).len(), ADDRESSES);
        assert_eq!(interleave([]), []);
    }
}
