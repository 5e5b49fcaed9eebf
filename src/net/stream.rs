//! One connection, in clear or inside TLS, so that everything above need not care.
//!
//! Reading goes through one scratch buffer per thread: a connection that waits holds no buffer at all. Both the scratch
//! buffer and what is about to be freed are wiped as far as a credential can reach. Does not decide when TLS begins:
//! [`super::tls`] makes the encrypted form out of the plain one.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::{HandshakeKind, ProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::tls::certificate::CertificateFacts;
use super::trust::{Shown, Verified};

/// Octets one read can bring.
pub const SCRATCH: usize = 64 * 1024;
/// How far into a piece of input or output a credential can reach: an AUTH line of 12,288 octets (RFC 4954 §4) and
/// some commands before it.
const WIPED: usize = 16 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// A TCP connection, with or without TLS.
#[derive(Debug)]
pub enum Stream {
    /// In clear.
    Plain(TcpStream),
    /// The handshake is done. Boxed: the TLS state is many times larger than a socket.
    Tls(Box<Secured>),
}

/// An encrypted connection and what its handshake has proven. Made by [`super::tls`].
#[derive(Debug)]
pub struct Secured {
    pub(super) tls: TlsStream<TcpStream>,
    pub(super) verified: Verified,
    pub(super) shown: Shown,
}

/// What a handshake agreed on, for logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// `TLS 1.3` or `TLS 1.2`.
    pub version: &'static str,
    /// The name IANA gave the cipher suite.
    pub cipher: &'static str,
    /// Whether an earlier session was resumed, which spares the certificates.
    pub resumed: bool,
    /// The chain of the other side, leaf first; that of the first session when one was resumed. Empty for a device.
    pub chain: Vec<CertificateFacts>,
    /// How it was verified.
    pub verified: Verified,
    /// Whether it saw a certificate of ours.
    pub shown: Shown,
}

impl fmt::Display for TlsFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resumed = if self.resumed { ", resumed" } else { "" };
        write!(f, "{} with {}{resumed}", self.version, self.cipher)
    }
}

impl Stream {
    /// The other end, in canonical form (`::ffff:192.0.2.1` is `192.0.2.1`).
    ///
    /// # Errors
    /// When the connection is already gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp().peer_addr().map(canonical)
    }

    /// Our end, in canonical form.
    ///
    /// # Errors
    /// When the connection is already gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp().local_addr().map(canonical)
    }

    /// What the handshake agreed on; nothing for a connection in clear.
    #[must_use]
    pub fn tls_facts(&self) -> Option<TlsFacts> {
        let Self::Tls(secured) = self else { return None };
        let (_, state) = secured.tls.get_ref();
        Some(TlsFacts {
            version: match state.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
                Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
                _ => "TLS",
            },
            cipher: state.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or("unknown"),
            resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
            chain: CertificateFacts::of_chain(state.peer_certificates().unwrap_or_default()),
            verified: secured.verified,
            shown: secured.shown,
        })
    }

    /// What the server got to see of us: it decides what an alert of it means.
    pub(super) fn shown(&self) -> Shown {
        match self {
            Self::Plain(_) => Shown::NotAsked,
            Self::Tls(secured) => secured.shown,
        }
    }

    /// The socket of a connection in clear, for the upgrade to TLS; nothing when it is encrypted already.
    #[must_use]
    pub fn into_plain(self) -> Option<TcpStream> {
        match self {
            Self::Plain(tcp) => Some(tcp),
            Self::Tls(_) => None,
        }
    }

    /// Reads once and lends the octets out; an empty slice means that the other side will send no more.
    ///
    /// A TLS connection cut without `close_notify` ends like any other: SMTP marks its own ends, so nothing can be
    /// truncated unseen, and many servers simply close.
    pub fn poll_read_with<R>(&mut self, cx: &mut Context<'_>, take: impl FnOnce(&[u8]) -> R) -> Poll<io::Result<R>> {
        BUFFER.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            match ready!(Pin::new(self).poll_read(cx, &mut buffer)) {
                Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Poll::Ready(Err(error)),
                _ => {}
            }
            let taken = take(buffer.filled());
            wipe(buffer.filled_mut());
            Poll::Ready(Ok(taken))
        })
    }

    /// Lends out what has already arrived on a connection in clear, without waiting; an empty slice means the end.
    ///
    /// Asks the kernel itself: a socket just accepted has not been told by the runtime yet that it is readable.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there, and always inside TLS.
    pub fn read_now_with<R>(&self, take: impl FnOnce(&[u8]) -> R) -> io::Result<R> {
        let Self::Plain(tcp) = self else { return Err(io::ErrorKind::WouldBlock.into()) };
        BUFFER.with_borrow_mut(|scratch| {
            let count = (&*socket2::SockRef::from(tcp)).read(scratch)?;
            let taken = take(&scratch[..count]);
            wipe(&mut scratch[..count]);
            Ok(taken)
        })
    }

    /// Throws away what has already arrived, encrypted or not, and says how much; for a connection about to be closed.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there.
    pub fn discard_now(&self) -> io::Result<usize> {
        BUFFER.with_borrow_mut(|scratch| {
            let count = (&*socket2::SockRef::from(self.tcp())).read(scratch)?;
            wipe(&mut scratch[..count]);
            Ok(count)
        })
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(secured) => secured.tls.get_ref().0,
        }
    }
}

/// Octets on their way out: wiped when they are freed, and counted rather than shown by `Debug`.
pub(super) struct Octets(pub(super) Vec<u8>);

impl Drop for Octets {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} octets]", self.0.len())
    }
}

/// Overwrites the part that may hold a credential.
fn wipe(octets: &mut [u8]) {
    let reach = octets.len().min(WIPED);
    octets[..reach].fill(0);
    // Without a reader the compiler may leave out writes to memory that is about to be freed.
    std::hint::black_box(octets);
}

/// The address as it is compared and written down everywhere (promise 8).
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Self::Tls(secured) => Pin::new(&mut secured.tls).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, octets),
            Self::Tls(secured) => Pin::new(&mut secured.tls).poll_write(cx, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(secured) => Pin::new(&mut secured.tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(secured) => Pin::new(&mut secured.tls).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
pub(super) fn scratch_holds(needle: &[u8]) -> bool {
    BUFFER.with_borrow(|scratch| memchr::memmem::find(scratch, needle).is_some())
}
