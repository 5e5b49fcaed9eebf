//! A stand-in provider: as little SMTP over TLS as a relay needs, and as fast as it can be.
//!
//! Not the sandbox, which checks every octet and would be what is measured. Notes the serial number of every message it
//! takes, so that a loss or a duplicate shows. A round trip is imitated by waiting before each write.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// In front of the serial number in the header of each message.
pub const SERIAL: &[u8] = b"X-Serial: ";
/// Digits of it.
pub const DIGITS: usize = 12;

const END_OF_DATA: &[u8] = b"\r\n.\r\n";

/// What has arrived.
#[derive(Default)]
pub struct Taken {
    serials: Mutex<HashSet<u64>>,
    duplicates: AtomicU64,
    connections: AtomicU64,
    resumed: AtomicU64,
}

impl Taken {
    /// Different messages.
    pub fn messages(&self) -> usize {
        self.serials.lock().unwrap().len()
    }

    /// Messages that came again.
    pub fn duplicates(&self) -> u64 {
        self.duplicates.load(Ordering::Relaxed)
    }

    /// TLS handshakes, and how many of them resumed an earlier session.
    pub fn handshakes(&self) -> (u64, u64) {
        (self.connections.load(Ordering::Relaxed), self.resumed.load(Ordering::Relaxed))
    }
}

/// A running provider; it lives as long as the runtime.
pub struct Provider {
    pub address: SocketAddr,
    pub taken: Arc<Taken>,
}

/// Makes the certificate all providers of one run use: the configuration, and the authority as PEM.
pub fn identity() -> (Arc<ServerConfig>, String) {
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("no input that could be wrong");
    let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).expect("rcgen writes PKCS #8");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![signed.cert.der().clone()], key))
        .expect("certificate and key were made together");
    config.send_tls13_tickets = 2;
    (Arc::new(config), signed.cert.pem())
}

/// Starts one. `delay` is waited before each write.
pub async fn start(config: Arc<ServerConfig>, delay: Duration) -> io::Result<Provider> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (address, taken) = (listener.local_addr()?, Arc::new(Taken::default()));
    let acceptor = TlsAcceptor::from(config);
    let shared = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let (acceptor, taken) = (acceptor.clone(), Arc::clone(&shared));
            // A connection that breaks shows as messages that are missing.
            tokio::spawn(async move { drop(serve(tcp, acceptor, delay, taken).await) });
        }
    });
    Ok(Provider { address, taken })
}

async fn serve(tcp: TcpStream, acceptor: TlsAcceptor, delay: Duration, taken: Arc<Taken>) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let stream = acceptor.accept(tcp).await?;
    taken.connections.fetch_add(1, Ordering::Relaxed);
    if stream.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed) {
        taken.resumed.fetch_add(1, Ordering::Relaxed);
    }
    let mut session =
        Session { stream, taken, input: Vec::with_capacity(128 * 1024), output: Vec::new(), body: Body::None };
    session.output.extend_from_slice(b"220 provider.test ESMTP\r\n");
    loop {
        if !session.output.is_empty() {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            session.stream.write_all(&session.output).await?;
            session.stream.flush().await?;
            session.output.clear();
        }
        session.input.reserve(64 * 1024);
        if session.stream.read_buf(&mut session.input).await? == 0 {
            return Ok(());
        }
        session.digest();
    }
}

enum Body {
    None,
    /// The serial number has not been found yet.
    Header,
    /// Only the end matters.
    Rest(u64),
}

struct Session {
    stream: TlsStream<TcpStream>,
    taken: Arc<Taken>,
    input: Vec<u8>,
    output: Vec<u8>,
    body: Body,
}

impl Session {
    /// Takes everything in that is complete.
    fn digest(&mut self) {
        loop {
            let used = match self.body {
                Body::None => self.line(),
                Body::Header => self.header(),
                Body::Rest(serial) => self.rest(serial),
            };
            let Some(used) = used else { return };
            self.input.drain(..used);
        }
    }

    fn line(&mut self) -> Option<usize> {
        let end = memchr::memchr(b'\n', &self.input)?;
        let reply: &[u8] = match self.input.get(..4)? {
            b"EHLO" => {
                b"250-provider.test\r\n250-PIPELINING\r\n250-SIZE 99999999\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n"
            }
            b"AUTH" => b"235 2.7.0 Ok\r\n",
            b"DATA" => {
                self.body = Body::Header;
                b"354 Go\r\n"
            }
            b"QUIT" => b"221 2.0.0 Bye\r\n",
            _ => b"250 2.1.0 Ok\r\n",
        };
        self.output.extend_from_slice(reply);
        Some(end + 1)
    }

    fn header(&mut self) -> Option<usize> {
        let at = memchr::memmem::find(&self.input, SERIAL)? + SERIAL.len();
        let digits = self.input.get(at..at + DIGITS)?;
        let serial = digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
        self.body = Body::Rest(serial);
        Some(at + DIGITS)
    }

    fn rest(&mut self, serial: u64) -> Option<usize> {
        let Some(end) = memchr::memmem::find(&self.input, END_OF_DATA) else {
            // The beginning of the end may be here already.
            let useless = self.input.len().saturating_sub(END_OF_DATA.len() - 1);
            self.input.drain(..useless);
            return None;
        };
        if !self.taken.serials.lock().unwrap().insert(serial) {
            self.taken.duplicates.fetch_add(1, Ordering::Relaxed);
        }
        self.output.extend_from_slice(b"250 2.0.0 Ok: queued\r\n");
        self.body = Body::None;
        Some(end + END_OF_DATA.len())
    }
}
