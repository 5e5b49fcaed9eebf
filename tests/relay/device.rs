//! A naive device: sends the lines it is told, reads one reply at a time, gives up after twenty seconds.
//!
//! Shares no code with the relay. `mail` is what a scanner does; the rest is for those that misbehave.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Who the sample mails are from: the provider's user.
pub const SENDER: &str = "scanner@sandbox.example";
/// To whom they go.
pub const RECIPIENT: &str = "office@example.com";
/// What the device calls itself.
pub const HELLO: &str = "device.example";
/// A mail with everything it should have.
pub const SAMPLE: &[u8] = b"From: scanner@sandbox.example\r\nTo: office@example.com\r\nSubject: Scan\r\n\
    Date: Sun, 22 Nov 2026 09:05:00 +0100\r\nMessage-ID: <1@device.example>\r\n\r\nA page.\r\n";

const PATIENCE: Duration = Duration::from_secs(20);

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// One connection.
pub struct Device {
    stream: Box<dyn Stream>,
    inbox: Vec<u8>,
}

impl Device {
    /// Connects; the greeting is not read yet.
    pub async fn connect(address: SocketAddr) -> Self {
        Self { stream: Box::new(TcpStream::connect(address).await.unwrap()), inbox: Vec::new() }
    }

    /// Connects from another address of this machine.
    pub async fn connect_from(source: IpAddr, address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(source, 0)).unwrap();
        Self { stream: Box::new(socket.connect(address).await.unwrap()), inbox: Vec::new() }
    }

    /// Connects, is greeted and says EHLO.
    pub async fn greeted(address: SocketAddr) -> Self {
        let mut device = Self::connect(address).await;
        device.begin().await;
        device
    }

    /// Reads the greeting and says EHLO.
    pub async fn begin(&mut self) {
        assert!(self.reply().await.starts_with("220 "));
        assert!(self.say(&format!("EHLO {HELLO}")).await.starts_with("250"));
    }

    /// TLS from here on; the certificate must be exactly this one, for `localhost`.
    pub async fn secured(self, certificate_pem: &str) -> Self {
        assert!(self.inbox.is_empty(), "nothing may come before the handshake");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(certificate_pem.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let handshake = TlsConnector::from(Arc::new(config)).connect(name, self.stream);
        let stream = timeout(PATIENCE, handshake).await.expect("no handshake in time").unwrap();
        Self { stream: Box::new(stream), inbox: Vec::new() }
    }

    /// Sends octets as they are. The other side may have closed: what it said before that is what a test looks at.
    pub async fn send(&mut self, octets: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(octets.as_ref()).await;
        let _ = self.stream.flush().await;
    }

    /// Sends no more, and still listens.
    pub async fn half_close(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Sends one line and reads the reply to it.
    pub async fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n")).await;
        self.reply().await
    }

    /// One reply with all its lines, joined by `\n`. Fails when the connection ends before.
    pub async fn reply(&mut self) -> String {
        self.try_reply().await.expect("the connection ended instead of a reply")
    }

    /// One reply, or `None` when the connection ended.
    pub async fn try_reply(&mut self) -> Option<String> {
        let mut lines = Vec::new();
        loop {
            while let Some(end) = self.inbox.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.inbox.drain(..end + 2).collect();
                let line = String::from_utf8(line[..end].to_vec()).unwrap();
                let last = line.as_bytes().get(3) != Some(&b'-');
                lines.push(line);
                if last {
                    return Some(lines.join("\n"));
                }
            }
            let mut octets = [0; 4096];
            let read = timeout(PATIENCE, self.stream.read(&mut octets)).await.expect("no answer in time");
            match read.unwrap_or(0) {
                0 => return None,
                count => self.inbox.extend_from_slice(&octets[..count]),
            }
        }
    }

    /// MAIL, and RCPT for each; all must be taken.
    pub async fn envelope(&mut self, recipients: &[&str]) {
        assert_eq!(self.say(&format!("MAIL FROM:<{SENDER}>")).await, "250 2.1.0 Ok");
        for recipient in recipients {
            assert_eq!(self.say(&format!("RCPT TO:<{recipient}>")).await, "250 2.1.5 Ok", "{recipient}");
        }
    }

    /// DATA, the body with its dots stuffed, and the end of data; the reply is not waited for.
    pub async fn data(&mut self, body: &[u8]) {
        assert!(self.say("DATA").await.starts_with("354"));
        self.send(stuffed(body)).await;
    }

    /// A mail to these recipients; what was heard at the end, or at MAIL where the account cannot be used just now.
    pub async fn mail_to(&mut self, recipients: &[&str], body: &[u8]) -> String {
        let heard = self.say(&format!("MAIL FROM:<{SENDER}>")).await;
        if heard.starts_with("451 ") {
            return heard;
        }
        assert_eq!(heard, "250 2.1.0 Ok");
        for recipient in recipients {
            assert_eq!(self.say(&format!("RCPT TO:<{recipient}>")).await, "250 2.1.5 Ok", "{recipient}");
        }
        self.data(body).await;
        self.reply().await
    }

    /// The sample mail to one recipient; what was heard at the end.
    pub async fn mail(&mut self) -> String {
        self.mail_to(&[RECIPIENT], SAMPLE).await
    }
}

/// A body with CRLF line endings as it goes over the wire (RFC 5321 §4.5.2).
pub fn stuffed(body: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(body.len() + 5);
    let mut at_line_start = true;
    for &octet in body {
        if at_line_start && octet == b'.' {
            wire.push(b'.');
        }
        wire.push(octet);
        at_line_start = octet == b'\n';
    }
    wire.extend_from_slice(b".\r\n");
    wire
}
