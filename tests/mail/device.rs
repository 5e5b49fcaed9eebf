//! A device that plays its session, line by line, and tells what it heard.
//!
//! Shares no code with the relay. Sends the octets of its file and no other; gives up after twenty seconds.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::script::{Script, Step};

const PATIENCE: Duration = Duration::from_secs(20);

/// What was said, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The device sent this line.
    Device(Vec<u8>),
    /// The device sent a body of its file.
    Body,
    /// The relay answered this, one line or several.
    Relay(Vec<String>),
    /// The relay closed the connection.
    Closed,
    /// The device hung up.
    HungUp,
}

/// Plays the session to its end.
pub async fn play(address: SocketAddr, script: &Script) -> Vec<Said> {
    let mut device = Device { stream: connected(address, script), inbox: Vec::new(), said: Vec::new() };
    if script.at_once {
        device.said = script.steps.iter().map(Step::said).collect();
        while device.hears().await {}
    } else {
        device.waits_for_each_reply(&script.steps).await;
    }
    device.said
}

/// The whole session may be on its way before the relay has seen the connection: nothing of it runs meanwhile.
fn connected(address: SocketAddr, script: &Script) -> TcpStream {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    if script.at_once {
        script.steps.iter().for_each(|step| stream.write_all(step.octets()).unwrap());
    }
    stream.set_nonblocking(true).unwrap();
    TcpStream::from_std(stream).unwrap()
}

impl Step {
    fn octets(&self) -> &[u8] {
        match self {
            Self::Line(octets) | Self::Body(octets) => octets,
        }
    }

    fn said(&self) -> Said {
        match self {
            Self::Line(line) => Said::Device(line.clone()),
            Self::Body(_) => Said::Body,
        }
    }
}

struct Device {
    stream: TcpStream,
    inbox: Vec<u8>,
    said: Vec<Said>,
}

impl Device {
    async fn waits_for_each_reply(&mut self, steps: &[Step]) {
        let mut open = self.hears().await;
        for step in steps {
            let goes_ahead = matches!(self.said.last(), Some(Said::Relay(lines)) if lines[0].starts_with("354"));
            if !open || matches!(step, Step::Body(_)) && !goes_ahead {
                continue;
            }
            self.sends(step).await;
            open = self.hears().await;
        }
        let quits = matches!(steps.last(), Some(Step::Line(line)) if line.trim_ascii().eq_ignore_ascii_case(b"QUIT"));
        match (open, quits) {
            // After its QUIT the relay closes.
            (true, true) => while self.hears().await {},
            (true, false) => self.said.push(Said::HungUp),
            (false, _) => {}
        }
    }

    /// The relay may have closed: what it said before that is what is looked at.
    async fn sends(&mut self, step: &Step) {
        let _ = self.stream.write_all(step.octets()).await;
        self.said.push(step.said());
    }

    /// One reply with all its lines; false when the connection ended instead.
    async fn hears(&mut self) -> bool {
        let mut lines = Vec::new();
        loop {
            while let Some(end) = self.inbox.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.inbox.drain(..end + 2).collect();
                let last = line.get(3) != Some(&b'-');
                lines.push(String::from_utf8(line[..end].to_vec()).unwrap());
                if last {
                    self.said.push(Said::Relay(lines));
                    return true;
                }
            }
            let mut octets = [0; 4096];
            let read = timeout(PATIENCE, self.stream.read(&mut octets)).await.expect("no answer in time");
            match read.unwrap_or(0) {
                0 => {
                    assert!(self.inbox.is_empty() && lines.is_empty(), "half a reply");
                    self.said.push(Said::Closed);
                    return false;
                }
                count => self.inbox.extend_from_slice(&octets[..count]),
            }
        }
    }
}
