//! Devices under load: each speaks plain SMTP without PIPELINING, one command a round trip, as old devices do.
//!
//! Measures each message from its first octet (the connect, for the first one of a connection) to the reply to its dot.
//! A reply that is not the expected one ends the run with that reply.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::provider::{DIGITS, SERIAL};

/// How hard to work.
#[derive(Clone, Copy)]
pub struct Load {
    /// Devices at once.
    pub devices: usize,
    /// Messages over one connection.
    pub messages: usize,
    /// Octets of a message.
    pub size: usize,
}

/// What came of it.
pub struct Outcome {
    pub sent: usize,
    pub elapsed: Duration,
    /// Sorted.
    pub times: Vec<Duration>,
}

impl Outcome {
    pub fn rate(&self) -> f64 {
        self.sent as f64 / self.elapsed.as_secs_f64()
    }

    /// The time that so many of a thousand messages did not exceed.
    pub fn quantile(&self, permille: usize) -> Duration {
        let last = self.times.len().saturating_sub(1);
        self.times.get(last * permille / 1000).copied().unwrap_or_default()
    }
}

/// Sends for about `time`. `serials` goes on counting over all runs against one provider.
pub async fn run(load: Load, target: SocketAddr, time: Duration, serials: &Arc<AtomicU64>) -> io::Result<Outcome> {
    let began = Instant::now();
    let devices: Vec<_> =
        (0..load.devices).map(|_| tokio::spawn(device(load, target, began + time, Arc::clone(serials)))).collect();
    let mut times = Vec::new();
    for device in devices {
        times.extend(device.await??);
    }
    let elapsed = began.elapsed();
    times.sort_unstable();
    Ok(Outcome { sent: times.len(), elapsed, times })
}

async fn device(load: Load, target: SocketAddr, until: Instant, serials: Arc<AtomicU64>) -> io::Result<Vec<Duration>> {
    let (mut body, mut times) = (Content::new(load.size), Vec::new());
    while Instant::now() < until {
        let mut began = Instant::now();
        let mut connection = Connection::open(target).await?;
        for _ in 0..load.messages {
            connection.send(body.numbered(serials.fetch_add(1, Ordering::Relaxed))).await?;
            times.push(began.elapsed());
            began = Instant::now();
        }
        connection.say(b"QUIT\r\n", b"221").await?;
    }
    Ok(times)
}

/// One connection of a device, past EHLO.
pub struct Connection {
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Connection {
    pub async fn open(target: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(target).await?;
        stream.set_nodelay(true)?;
        let mut connection = Self { stream, heard: Vec::with_capacity(1024) };
        connection.hear(b"220").await?;
        connection.say(b"EHLO device.test\r\n", b"250").await?;
        Ok(connection)
    }

    pub async fn send(&mut self, content: &[u8]) -> io::Result<()> {
        self.say(b"MAIL FROM:<scanner@example.com>\r\n", b"250").await?;
        self.say(b"RCPT TO:<someone@example.com>\r\n", b"250").await?;
        self.say(b"DATA\r\n", b"354").await?;
        self.say(content, b"250").await
    }

    async fn say(&mut self, octets: &[u8], code: &[u8; 3]) -> io::Result<()> {
        self.stream.write_all(octets).await?;
        self.hear(code).await
    }

    async fn hear(&mut self, code: &[u8; 3]) -> io::Result<()> {
        self.heard.clear();
        while !is_whole(&self.heard) {
            if self.stream.read_buf(&mut self.heard).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        if self.heard.starts_with(code) {
            return Ok(());
        }
        Err(io::Error::other(String::from_utf8_lossy(&self.heard).into_owned()))
    }
}

/// The last line has a space behind its code.
fn is_whole(reply: &[u8]) -> bool {
    let Some(text) = reply.strip_suffix(b"\n") else { return false };
    let last = memchr::memrchr(b'\n', text).map_or(0, |end| end + 1);
    text.get(last + 3) == Some(&b' ')
}

/// A message with its dot, of which only the serial number changes.
pub struct Content {
    octets: Vec<u8>,
    serial: usize,
}

impl Content {
    pub fn new(size: usize) -> Self {
        let mut octets = b"From: scanner@example.com\r\nTo: someone@example.com\r\nSubject: Scan\r\n\
            Date: Sun, 22 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@device.test>\r\n"
            .to_vec();
        octets.extend_from_slice(SERIAL);
        let serial = octets.len();
        octets.extend_from_slice(&[b'0'; DIGITS]);
        octets.extend_from_slice(b"\r\n\r\n");
        while octets.len() + 78 <= size {
            // What base64 of a scan looks like.
            octets.extend_from_slice(&[b'Q'; 76]);
            octets.extend_from_slice(b"\r\n");
        }
        octets.extend_from_slice(b".\r\n");
        Self { octets, serial }
    }

    pub fn numbered(&mut self, number: u64) -> &[u8] {
        let digits = format!("{number:0DIGITS$}");
        self.octets[self.serial..self.serial + DIGITS].copy_from_slice(digits.as_bytes());
        &self.octets
    }
}
