//! The terms of a dialogue: what we call ourselves, whether TLS is asked for, what lies between us and the server.
//!
//! Guarantees that where STARTTLS was offered once it is asked for from then on (promise 3), across restarts as well:
//! whoever keeps what is known of the account asks for it here.

use std::sync::atomic::Ordering;

use super::Upstream;
use crate::account::signin::{Channel, Credential};
use crate::account::{Encryption, Pipelining};
use crate::net::stream::Stream;
use crate::smtp::client::{self, StartTls};

impl Upstream {
    /// Whether the server has ever offered STARTTLS where it is taken if offered.
    #[must_use]
    pub fn starttls_seen(&self) -> bool {
        self.starttls_seen.load(Ordering::Relaxed)
    }

    /// It was offered, whatever came of it.
    pub fn saw_starttls(&self) {
        self.starttls_seen.store(true, Ordering::Relaxed);
    }

    pub(super) fn dialogue(&self, stream: &Stream, credential: &Credential) -> client::Settings {
        let starttls = match self.settings.encryption {
            Encryption::StartTls => StartTls::Required,
            Encryption::StartTlsAuto if self.starttls_seen.load(Ordering::Relaxed) => StartTls::Required,
            Encryption::StartTlsAuto => StartTls::IfOffered,
            Encryption::Implicit | Encryption::None => StartTls::Never,
        };
        client::Settings {
            host: self.settings.host.clone(),
            helo_name: self.helo_name(stream),
            starttls,
            needs_login: !matches!(credential, Credential::None),
            pipelining: self.settings.pipelining != Pipelining::Off,
            timeouts: self.timeouts,
        }
    }

    /// RFC 5321 §4.1.4: a full name or an address literal; providers refuse `localhost` and bare names.
    fn helo_name(&self, stream: &Stream) -> String {
        if let Some(name) = &self.settings.helo_name {
            return name.clone();
        }
        if self.hostname.contains('.') {
            return self.hostname.clone();
        }
        match stream.local_addr().map(|address| address.ip().to_canonical()) {
            Ok(std::net::IpAddr::V6(ip)) => format!("[IPv6:{ip}]"),
            Ok(std::net::IpAddr::V4(ip)) => format!("[{ip}]"),
            Err(_) => "[127.0.0.1]".into(),
        }
    }

    pub(super) fn channel(&self, stream: &Stream) -> Channel {
        let is_loopback = || stream.peer_addr().is_ok_and(|peer| peer.ip().to_canonical().is_loopback());
        match (stream, &self.settings.proxies.smtp) {
            (Stream::Tls(_), _) => Channel::Tls,
            (Stream::Plain(_), None) if is_loopback() => Channel::ClearLoopback,
            // Behind a proxy, even one on this machine, the line goes on to wherever the proxy is.
            (Stream::Plain(_), _) => Channel::ClearNetwork,
        }
    }
}
