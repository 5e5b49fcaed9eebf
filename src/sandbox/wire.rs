//! One connection as the session sees it: lines in, octets out, TLS or not.
//!
//! A line ends in CRLF; anything else that ends a line is told apart, so that the session can refuse it. Knows what
//! arrived behind the line just read, which is how commands sent ahead are found out. Memory is bounded by the longest
//! line allowed plus one read. What is written is gathered until the session reads again.

use std::io;
use std::time::Duration;

use memchr::memchr2;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

const READ: usize = 16 * 1024;
/// How long an orderly end waits for the client to end as well.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The client is gone, or the connection broke.
    Gone,
    /// We cut it.
    Cut,
    /// We said all there is to say.
    Farewell,
    /// The client was silent for too long.
    Idle,
    /// STARTTLS was answered: TLS comes next.
    StartTls,
}

/// What came instead of, or as, a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line that ended in CRLF, without it.
    Good(Vec<u8>),
    /// Octets that ended in a bare CR or LF.
    BareEnding(Vec<u8>),
    /// More octets than allowed before a line ending; all of the line was skipped.
    TooLong,
}

#[derive(Debug)]
pub(super) enum Io {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// One connection.
#[derive(Debug)]
pub(super) struct Wire {
    io: Io,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    idle: Duration,
}

impl Wire {
    pub(super) fn new(io: Io, idle: Duration) -> Self {
        Self { io, inbox: Vec::new(), outbox: Vec::new(), idle }
    }

    /// Puts octets behind what is still to be written.
    pub(super) fn put(&mut self, octets: &[u8]) {
        self.outbox.extend_from_slice(octets);
    }

    /// Whether octets arrived that were not read yet.
    pub(super) fn has_more(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// The next line; `limit` counts its octets with the CRLF.
    pub(super) async fn line(&mut self, limit: usize) -> Result<Line, End> {
        let mut skipping = false;
        loop {
            if let Some(line) = self.cut_line() {
                let too_long = skipping || matches!(&line, Line::Good(text) if text.len() + 2 > limit);
                return Ok(if too_long { Line::TooLong } else { line });
            }
            if self.inbox.len() > limit {
                skipping = true;
                // A CR at the end may be the first half of the ending.
                let keep = usize::from(self.inbox.last() == Some(&b'\r'));
                self.inbox.drain(..self.inbox.len() - keep);
            }
            self.fill().await?;
        }
    }

    fn cut_line(&mut self) -> Option<Line> {
        let at = memchr2(b'\r', b'\n', &self.inbox)?;
        let good = self.inbox[at] == b'\r' && *self.inbox.get(at + 1)? == b'\n';
        let mut line: Vec<u8> = self.inbox.drain(..at + 1 + usize::from(good)).collect();
        line.truncate(at);
        Some(if good { Line::Good(line) } else { Line::BareEnding(line) })
    }

    /// What arrived next, at least one octet; hand back what was too much with [`Wire::hand_back`].
    pub(super) async fn octets(&mut self) -> Result<Vec<u8>, End> {
        if self.inbox.is_empty() {
            self.fill().await?;
        }
        Ok(std::mem::take(&mut self.inbox))
    }

    /// Octets that were taken with [`Wire::octets`] and belong to what follows.
    pub(super) fn hand_back(&mut self, octets: &[u8]) {
        self.inbox.splice(..0, octets.iter().copied());
    }

    /// Forgets what arrived and was not read.
    pub(super) fn forget(&mut self) {
        self.inbox.clear();
    }

    /// Writes what was gathered.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        let octets = std::mem::take(&mut self.outbox);
        if octets.is_empty() {
            return Ok(());
        }
        let (written, idle) = (self.io.write(&octets), self.idle);
        timeout(idle, written).await.map_err(|_| End::Idle)?.map_err(|_| End::Gone)
    }

    /// Writes what was gathered octet by octet.
    pub(super) async fn trickle(&mut self) -> Result<(), End> {
        for octet in std::mem::take(&mut self.outbox) {
            self.put(&[octet]);
            self.flush().await?;
            // Gives a client in the same process the chance to read each octet by itself.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn fill(&mut self) -> Result<(), End> {
        self.flush().await?;
        let start = self.inbox.len();
        self.inbox.resize(start + READ, 0);
        let read = timeout(self.idle, self.io.read(&mut self.inbox[start..])).await;
        let count = match &read {
            Ok(Ok(count)) => *count,
            _ => 0,
        };
        self.inbox.truncate(start + count);
        match read {
            Err(_) => Err(End::Idle),
            Ok(Ok(0) | Err(_)) => Err(End::Gone),
            Ok(Ok(_)) => Ok(()),
        }
    }

    /// Reads and forgets until the client hangs up, however long it takes.
    pub(super) async fn outlast(&mut self) -> End {
        let mut waste = [0; 4096];
        while let Ok(1..) = self.io.read(&mut waste).await {}
        End::Gone
    }

    /// Ends the connection the way `end` says.
    pub(super) async fn close(mut self, end: End) {
        if matches!(end, End::Gone | End::Cut | End::StartTls) {
            return;
        }
        let farewell = async {
            if self.flush().await.is_ok() && self.io.shutdown().await.is_ok() {
                // Closing with unread octets resets the connection, and the client might never see our last reply.
                self.outlast().await;
            }
        };
        // A client that does not hang up in time is left.
        let _ = timeout(FAREWELL, farewell).await;
    }

    /// The TCP stream, when there is no TLS yet. Whatever was not read is gone with the rest (RFC 3207 §4.2).
    pub(super) fn into_clear(self) -> Option<TcpStream> {
        match self.io {
            Io::Clear(tcp) => Some(tcp),
            Io::Tls(_) => None,
        }
    }
}

impl Io {
    async fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(tcp) => tcp.read(into).await,
            Self::Tls(tls) => tls.read(into).await,
        }
    }

    async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Self::Clear(tcp) => tcp.write_all(octets).await,
            Self::Tls(tls) => {
                tls.write_all(octets).await?;
                tls.flush().await
            }
        }
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(tcp) => tcp.shutdown().await,
            Self::Tls(tls) => tls.shutdown().await,
        }
    }
}
