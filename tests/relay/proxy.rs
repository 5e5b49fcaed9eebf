//! A proxy that works: SOCKS5 or HTTP CONNECT, whichever it is spoken to in, with or without a login.
//!
//! Knows every name that ends in `.invalid` as this machine, so that a test can tell who looked a name up. Remembers
//! what it was asked for. Dropping it closes its port and every connection through it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use posthouse::diagnosis::ProxyOrigin;
use posthouse::net::proxy::{Login, Protocol, Proxy as Settings};
use posthouse::secret::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub const USER: &str = "relay";
pub const PASSWORD: &str = "let-me-through";

pub struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// One that lets everybody in.
    pub async fn open() -> Self {
        Self::start(false).await
    }

    /// One that wants to hear [`USER`] and [`PASSWORD`].
    pub async fn guarded() -> Self {
        Self::start(true).await
    }

    async fn start(guarded: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        let memory = Arc::clone(&asked);
        tasks.spawn(async move {
            let mut lines = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let memory = Arc::clone(&memory);
                lines.spawn(async move { drop(carry(client, guarded, &memory).await) });
            }
        });
        Self { address, asked, _tasks: tasks }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was asked to connect to, in order, as `host:port`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// How an account names it, with this password if it has a login.
    pub fn settings(&self, protocol: Protocol, password: Option<&str>) -> Settings {
        let login = password.map(|word| Login { username: USER.into(), password: Secret::new(word.into()) });
        let host = self.address.ip().to_string();
        Settings { protocol, host, port: self.address.port(), login, origin: ProxyOrigin::Account }
    }
}

async fn carry(mut client: TcpStream, guarded: bool, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut first = [0];
    client.peek(&mut first).await?;
    let socks = first[0] == 5;
    let Some(target) =
        (if socks { by_socks(&mut client, guarded).await? } else { by_http(&mut client, guarded).await? })
    else {
        return Ok(());
    };
    asked.lock().unwrap().push(target.clone());
    let (host, port) = target.rsplit_once(':').unwrap();
    let host = if host.ends_with(".invalid") { "127.0.0.1" } else { host };
    let server = TcpStream::connect(format!("{host}:{port}")).await;
    let answer: &[u8] = match (socks, server.is_ok()) {
        (true, true) => &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0],
        (true, false) => &[5, 5, 0, 1, 0, 0, 0, 0, 0, 0],
        (false, true) => b"HTTP/1.1 200 Connection established\r\n\r\n",
        (false, false) => b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
    };
    client.write_all(answer).await?;
    copy_bidirectional(&mut client, &mut server?).await.map(drop)
}

/// RFC 1928 and RFC 1929, as far as a relay needs them; nothing if the client was not let in.
async fn by_socks(client: &mut TcpStream, guarded: bool) -> std::io::Result<Option<String>> {
    let mut head = [0; 2];
    client.read_exact(&mut head).await?;
    let mut methods = vec![0; head[1].into()];
    client.read_exact(&mut methods).await?;
    let method = if guarded { 2 } else { 0 };
    let offered = methods.contains(&method);
    client.write_all(&[5, if offered { method } else { 0xff }]).await?;
    if !offered {
        return Ok(None);
    }
    if guarded {
        client.read_u8().await?;
        let (user, password) = (short(client).await?, short(client).await?);
        let right = user == USER.as_bytes() && password == PASSWORD.as_bytes();
        client.write_all(&[1, u8::from(!right)]).await?;
        if !right {
            return Ok(None);
        }
    }
    let mut request = [0; 4];
    client.read_exact(&mut request).await?;
    assert_eq!(request[..3], [5, 1, 0], "CONNECT");
    let host = match request[3] {
        1 => std::net::Ipv4Addr::from_bits(client.read_u32().await?).to_string(),
        3 => String::from_utf8(short(client).await?).unwrap(),
        other => panic!("address type {other}"),
    };
    Ok(Some(format!("{host}:{}", client.read_u16().await?)))
}

/// Octets behind their count.
async fn short(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut octets = vec![0; client.read_u8().await?.into()];
    client.read_exact(&mut octets).await?;
    Ok(octets)
}

async fn by_http(client: &mut TcpStream, guarded: bool) -> std::io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    // printf relay:let-me-through | base64
    if guarded && !head.contains("\r\nProxy-Authorization: Basic cmVsYXk6bGV0LW1lLXRocm91Z2g=\r\n") {
        client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await?;
        return Ok(None);
    }
    let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split_once(' ')).expect("CONNECT").0;
    Ok(Some(target.to_owned()))
}
