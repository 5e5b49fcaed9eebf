//! One listener at work: who is let in, and what every session of it shares.
//!
//! Accepting never waits for anything but the socket: no DNS, no handshake, no disk. A source that is not allowed, or
//! for whom there is no room, hears one line and is gone. Ends when its task is aborted; sessions end by dismissal.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::limits::Meters;
use super::policy::Policy;
use super::redirect::Elsewhere;
use super::session::Session;
use super::settings::{Caps, Fixups};
use crate::journal::live::Full;
use crate::journal::{Event, Journal};
use crate::net::gateway::{WARNING, Watch};
use crate::net::listen::Listener;
use crate::net::tls::files::ServerTls;
use crate::queue::Queue;
use crate::smtp::reply::Reply;
use crate::smtp::server;

/// How a listener encrypts.
#[derive(Debug)]
pub enum Tls {
    /// Not at all.
    None,
    /// After STARTTLS.
    StartTls(ServerTls),
    /// From the first octet.
    Implicit(ServerTls),
}

/// What all sessions of a listener share.
#[derive(Debug)]
pub struct Door {
    /// The rules.
    pub policy: Policy,
    /// What the dialogue needs.
    pub dialogue: Arc<server::Settings>,
    /// How the listener encrypts.
    pub tls: Tls,
    /// Limits across all listeners.
    pub caps: Caps,
    /// What each device has sent lately, at any listener.
    pub meters: Arc<Meters>,
    /// Longest time from the end of data to the provider's dot.
    pub wait: Duration,
    /// Where bodies too large for memory go.
    pub spool: PathBuf,
    /// What is added to messages and repaired in them.
    pub fixups: Fixups,
    /// The network's gateway, which as a source hides who really connects.
    pub gateway: Watch,
    /// Who gets mail instead, or beside whom it was written to.
    pub elsewhere: Elsewhere,
    /// To whom messages are offered.
    pub queue: Arc<Queue>,
    /// What happened.
    pub journal: Journal,
}

/// The sessions of the house, all listeners together.
#[derive(Debug, Clone, Default)]
pub struct Sessions {
    /// Their tasks. They end by dismissal.
    pub tasks: TaskTracker,
    /// Cancelled when those that have not ended by then are to be cut.
    pub cut: CancellationToken,
}

impl Sessions {
    fn spawn(&self, session: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(until(self.cut.clone(), session));
    }
}

/// Runs a session to its end or until it is cut. On the heap by itself: each future around it would otherwise keep
/// room for it twice, once as what it was given and once as what it waits for.
fn until(cut: CancellationToken, session: impl Future<Output = ()> + Send + 'static) -> impl Future<Output = ()> {
    let session = Box::pin(session);
    async move {
        let _ = cut.run_until_cancelled(session).await;
    }
}

/// A line for someone who is not let in may not take longer.
const GOODBYE: Duration = Duration::from_secs(5);

impl Door {
    /// Accepts for ever. Sessions run as tasks of `sessions`.
    pub async fn open(self: Arc<Self>, listener: Listener, sessions: Sessions) {
        loop {
            let (socket, peer) = listener.accept().await;
            let door = Arc::clone(&self);
            if listener.guarded().allows(peer.ip()) {
                sessions.spawn(door.let_in(socket, peer));
            } else {
                let why = "its address is not in `allow`";
                sessions.spawn(async move { door.turn_away(socket, peer.ip(), why, 554).await });
            }
        }
    }

    async fn let_in(self: Arc<Self>, socket: TcpStream, peer: SocketAddr) {
        let (device, now) = (self.policy.device_of(peer.ip()), Instant::now());
        if self.gateway.is_news(peer.ip()) {
            self.journal.record(Event::Risk { text: &format!("listener {}: {WARNING}", self.policy.listener()) });
        }
        let journal = self.journal.clone();
        let caps = (self.caps.sessions, self.caps.sessions_per_device);
        let seat = match journal.live().admit(self.policy.listener(), &device, peer.ip(), caps, now) {
            Ok(seat) => seat,
            Err(Full::All) => return self.turn_away(socket, peer.ip(), "all sessions are taken", 421).await,
            Err(Full::Device) => {
                return self.turn_away(socket, peer.ip(), "this device has too many sessions open", 421).await;
            }
        };
        let id = seat.session().id;
        let span = tracing::info_span!("session", %id, listener = %self.policy.listener(), peer = %peer.ip());
        Session::new(self, &seat, device, peer.ip()).run(socket).instrument(span).await;
    }

    async fn turn_away(&self, mut socket: TcpStream, peer: IpAddr, why: &'static str, code: u16) {
        self.journal.record(Event::TurnedAway { listener: self.policy.listener(), peer, why });
        let reply = match code {
            421 => Reply::new(421, 3, 2, "Too many connections, try again later"),
            _ => Reply::new(554, 7, 1, "You are not allowed to use this relay"),
        };
        let mut line = Vec::new();
        reply.write(&mut line);
        let _ = tokio::time::timeout(GOODBYE, socket.write_all(&line)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, B, C, F: Future>(_: impl FnOnce(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    /// A thousand sessions may wait at once; what carries a message or a handshake is on the heap while it is needed.
    #[test]
    fn a_session_that_waits_is_small() {
        let octets = size_of_future(Door::let_in);
        assert!(octets <= 1024, "{octets} octets");
    }

    #[test]
    fn what_can_cut_a_session_makes_it_no_larger() {
        let session = async {
            let room = [1_u8; 4096];
            tokio::task::yield_now().await;
            assert_eq!(room[0], 1);
        };
        let octets = size_of_val(&until(CancellationToken::new(), session));
        assert!(octets <= 256, "{octets} octets");
    }
}
