//! Where the stories play: a relay, the practice provider behind it, and a device in front.
//!
//! Everything runs on one thread, so that [`Ears`] hear all of it. The relay's configuration goes through the real
//! door, as text. Also prints what can be printed of the settings, for every story.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use posthouse::app::{self, App};
use posthouse::config::{self, Sources};
use posthouse::journal::Journal;
use posthouse::sandbox::{Sandbox, Settings};
use posthouse::secret::Secret;
use posthouse::smtp::client::Timeouts;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::detector::Canary;
use crate::ears::Ears;

const PATIENCE: Duration = Duration::from_secs(20);

/// The secrets of the stories: awkward in every encoding, some long enough to be found in parts.
pub mod planted {
    use super::Canary;

    pub fn password() -> Canary {
        Canary::new("the account's password", "Zq7+v/W%k&~mR\"t5\\u9X<é>?y")
    }

    pub fn client_secret() -> Canary {
        Canary::new("the client secret", "cS-4kP+9/zT_w~Q!e7%r D\"y8\\&Hn=5Lb?xV2;gJ")
    }

    pub fn device() -> Canary {
        Canary::new("the device's password", "dv1ce+Pw/8&%k\"Z\\t7q")
    }

    pub fn proxy() -> Canary {
        Canary::new("the proxy's password", "pR0xy#w/+:@%41 \"Z\\k~&9=mTv?!dq")
    }

    pub fn stray() -> Canary {
        Canary::new("a password in the wrong place", "StrayC4naryThatFliesWhere1tMustNot")
    }
}

/// As a basic string of TOML, which JSON's strings are.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// A provider whose user and client have the planted secrets.
pub async fn provider() -> Sandbox {
    let settings = Settings {
        password: Secret::new(planted::password().secret),
        client_secret: Secret::new(planted::client_secret().secret),
        ..Settings::new().unwrap()
    };
    Sandbox::start(settings).await.unwrap()
}

/// A running relay.
pub struct Relay {
    pub app: App,
    pub address: SocketAddr,
    /// Where its files are, read as long as it runs.
    pub directory: TempDir,
}

/// The lines of an account at this provider, without its credential.
pub fn account(sandbox: &Sandbox) -> String {
    let (provider, user) = (sandbox.implicit(), quoted(&sandbox.settings().username));
    format!(
        "[accounts.office]\nhost = \"{}\"\nport = {}\nca_file = \"ca.pem\"\naddress = {user}\n",
        provider.ip(),
        provider.port()
    )
}

impl Relay {
    /// Starts, inside the runtime, with this account, `listener` being further lines of the listener.
    pub fn start(ears: &Ears, sandbox: &Sandbox, account: &str, listener: &str) -> Self {
        Self::start_with(ears, sandbox, account, listener, "")
    }

    /// The same, `storage` being further lines of `[storage]`. Without a queue, so that the device hears each
    /// failure, unless `account` brings a `[delivery]` of its own.
    pub fn start_with(ears: &Ears, sandbox: &Sandbox, account: &str, listener: &str, storage: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), sandbox.authority_pem()).unwrap();
        let delivery = if account.contains("[delivery]") { "" } else { "delivery = { queue = false }\n" };
        let text = format!(
            "hostname = \"relay.example.org\"\n{delivery}[[listeners]]\nname = \"local\"\nbind = [\"127.0.0.1:2525\"]\n{listener}\n\
             {account}\n[devices.fax]\npassword = {}\n[storage]\ndirectory = \"{}\"\n{storage}",
            quoted(&planted::device().secret),
            directory.path().display()
        );
        let path = directory.path().join("posthouse.toml");
        std::fs::write(&path, text).unwrap();
        let sources = Sources { path: Some(path), environment: BTreeMap::new(), overrides: Vec::new() };
        let mut loaded = config::load(&sources).unwrap_or_else(|report| panic!("{report}"));
        ears.hear(format!("{loaded:?} {sources:?}"));
        // A free one; the configuration does not offer that.
        loaded.config.listeners[0].bind[0].set_port(0);
        let app = app::start(&loaded.config, Journal::default(), Timeouts::default()).unwrap();
        ears.hear(format!("{app:?}"));
        let address = app.listening()[0].1;
        Self { app, address, directory }
    }

    /// A device sends a mail; what it hears for it.
    pub async fn mail(&self, ears: &Ears) -> String {
        let mut device = Device::greeted(self.address, ears).await;
        let reply = device.mail().await;
        device.say("QUIT").await;
        reply
    }

    pub async fn end(self) {
        self.app.shut_down().await;
    }
}

/// A naive device; whatever it hears, the ears hear too.
pub struct Device {
    stream: TcpStream,
    inbox: Vec<u8>,
    ears: Ears,
}

impl Device {
    pub async fn connect(address: SocketAddr, ears: &Ears) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut device = Self { stream, inbox: Vec::new(), ears: ears.clone() };
        assert!(device.reply().await.starts_with("220"));
        device
    }

    pub async fn greeted(address: SocketAddr, ears: &Ears) -> Self {
        let mut device = Self::connect(address, ears).await;
        assert!(device.say("EHLO scanner.example.com").await.starts_with("250"));
        device
    }

    /// Sends one line and hears the last line of the reply; empty when the relay hung up instead.
    pub async fn say(&mut self, line: &str) -> String {
        // The other side may have hung up: then there is no reply either.
        let _ = self.stream.write_all(format!("{line}\r\n").as_bytes()).await;
        self.reply().await
    }

    pub async fn reply(&mut self) -> String {
        loop {
            while let Some(end) = self.inbox.iter().position(|&c| c == b'\n') {
                let line: Vec<u8> = self.inbox.drain(..=end).collect();
                let line = String::from_utf8(line).unwrap().trim_end().to_owned();
                self.ears.hear(&line);
                if line.as_bytes().get(3) != Some(&b'-') {
                    return line;
                }
            }
            let mut octets = [0; 4096];
            match timeout(PATIENCE, self.stream.read(&mut octets)).await.expect("no answer in time") {
                Ok(0) | Err(_) => return String::new(),
                Ok(count) => self.inbox.extend_from_slice(&octets[..count]),
            }
        }
    }

    /// A whole message; what it hears for it, or for the step that was refused.
    pub async fn mail(&mut self) -> String {
        for (line, expected) in
            [("MAIL FROM:<scanner@sandbox.example>", "250"), ("RCPT TO:<b@example.com>", "250"), ("DATA", "354")]
        {
            let reply = self.say(line).await;
            if !reply.starts_with(expected) {
                return reply;
            }
        }
        self.say("Subject: Scan\r\n\r\nText\r\n.").await
    }
}
