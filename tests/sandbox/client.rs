//! A naive SMTP client for tests: sends the octets it is told, reads one reply at a time, gives up after ten seconds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use posthouse::sandbox::Sandbox;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

const PATIENCE: Duration = Duration::from_secs(10);

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// One connection.
pub struct Client {
    stream: Box<dyn Stream>,
    inbox: Vec<u8>,
}

/// A client configuration that trusts the sandbox's authority and nobody else.
pub fn trust(sandbox: &Sandbox) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(sandbox.authority_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

async fn handshake(
    tcp: impl Stream + 'static,
    config: Arc<ClientConfig>,
    name: &str,
) -> std::io::Result<Box<dyn Stream>> {
    let name = ServerName::try_from(name.to_string()).unwrap();
    let tls = timeout(PATIENCE, TlsConnector::from(config).connect(name, tcp)).await.expect("no handshake in time")?;
    Ok(Box::new(tls))
}

impl Client {
    /// Connects in clear; the greeting is not read yet.
    pub async fn clear(address: SocketAddr) -> Self {
        Self { stream: Box::new(TcpStream::connect(address).await.unwrap()), inbox: Vec::new() }
    }

    /// Connects with TLS from the first octet.
    pub async fn tls(address: SocketAddr, config: Arc<ClientConfig>, name: &str) -> std::io::Result<Self> {
        let tcp = TcpStream::connect(address).await.unwrap();
        Ok(Self { stream: handshake(tcp, config, name).await?, inbox: Vec::new() })
    }

    /// Greeted and EHLO said on the clear port.
    pub async fn greeted(sandbox: &Sandbox) -> Self {
        let mut client = Self::clear(sandbox.plain()).await;
        assert!(client.reply().await.starts_with("220 "));
        assert!(client.say("EHLO client.example").await.starts_with("250"));
        client
    }

    /// The same connection with TLS from here on.
    pub async fn upgrade(self, sandbox: &Sandbox) -> Self {
        assert!(self.inbox.is_empty(), "nothing may come between the 220 and the handshake");
        Self { stream: handshake(self.stream, trust(sandbox), "localhost").await.unwrap(), inbox: Vec::new() }
    }

    /// Sends octets as they are.
    pub async fn send(&mut self, octets: impl AsRef<[u8]>) {
        // The other side may have hung up: what it said before that is what the test looks at.
        let _ = self.stream.write_all(octets.as_ref()).await;
        let _ = self.stream.flush().await;
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
            if !self.read_more().await {
                return None;
            }
        }
    }

    /// Everything until the other side hangs up.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.read_more().await {}
        std::mem::take(&mut self.inbox)
    }

    /// What one read brings.
    pub async fn one_read(&mut self) -> Vec<u8> {
        self.read_more().await;
        std::mem::take(&mut self.inbox)
    }

    async fn read_more(&mut self) -> bool {
        let mut octets = [0; 4096];
        let read = timeout(PATIENCE, self.stream.read(&mut octets)).await.expect("no answer in time");
        let count = read.unwrap_or(0);
        self.inbox.extend_from_slice(&octets[..count]);
        count > 0
    }

    /// Sends a whole message from a@x.example to b@x.example, step by step; returns the last reply.
    pub async fn mail(&mut self, body: &str) -> String {
        assert!(self.say("MAIL FROM:<a@x.example>").await.starts_with("250"));
        assert!(self.say("RCPT TO:<b@x.example>").await.starts_with("250"));
        assert!(self.say("DATA").await.starts_with("354"));
        self.send(body).await;
        self.reply().await
    }
}
