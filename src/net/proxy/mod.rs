//! The way out through somebody else: SOCKS5 and HTTP CONNECT proxies.
//!
//! [`Proxies`] says which proxy each kind of connection of an account takes, [`connect`] goes through one. The proxy
//! looks names up, so that nothing but the connection to it leaves this machine. A proxy that does not answer is an
//! error, never a reason to go direct. What the other end says first stays in the socket for whoever reads next.

mod http_connect;
mod socks5;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::dial::{DialError, Seen, dial};
use super::ours::{Bound, is_localhost};
use crate::diagnosis::{ProxyFailure, ProxyOrigin, ProxyProblem};
use crate::secret::Secret;

/// Which proxy an account's connections take; `None`: straight.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// For SMTP.
    pub smtp: Option<Proxy>,
    /// For token calls.
    pub http: Option<Proxy>,
}

/// One proxy. `Display` is its address without the login.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// What it speaks.
    pub protocol: Protocol,
    /// Its name or address, the latter without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What it wants to hear first.
    pub login: Option<Login>,
    /// What says that it is to be used.
    pub origin: ProxyOrigin,
}

/// What a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 1928
    Socks5,
    /// RFC 9110 §9.3.6, in clear.
    HttpConnect,
}

/// A login at a proxy (RFC 1929; RFC 7617).
#[derive(Debug, Clone)]
pub struct Login {
    /// Who we are there.
    pub username: String,
    /// Never shown.
    pub password: Secret,
}

impl Proxy {
    /// Whether its very name says that it runs on this machine; then `localhost` is the same behind it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.host.parse::<IpAddr>().map_or_else(|_| is_localhost(&self.host), |ip| ip.to_canonical().is_loopback())
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.protocol {
            Protocol::Socks5 => "socks5",
            Protocol::HttpConnect => "http",
        };
        write!(f, "{scheme}://{}", authority(&self.host, self.port))
    }
}

/// Connects to a host through a proxy, which is reached as [`dial`] reaches a provider. `limit` is for all of it.
///
/// # Errors
/// When there is no way through. Dropping the future closes the connection.
pub async fn connect(
    proxy: &Proxy,
    host: &str,
    port: u16,
    ours: &Bound,
    limit: Duration,
    seen: &(dyn Fn(Seen) + Sync),
) -> Result<TcpStream, ProxyFailure> {
    let until = Instant::now() + limit;
    let failed = |problem| ProxyFailure {
        proxy: proxy.to_string(),
        origin: proxy.origin.clone(),
        target: authority(host, port),
        problem,
    };
    let mut tcp = dial(&proxy.host, proxy.port, ours, limit, seen).await.map_err(|error| failed(error.into()))?;
    seen(Seen::ProxyAsked { proxy: proxy.to_string(), target: authority(host, port) });
    let asked = async {
        match proxy.protocol {
            Protocol::Socks5 => socks5::ask(&mut tcp, proxy.login.as_ref(), host, port).await,
            Protocol::HttpConnect => http_connect::ask(&mut tcp, proxy.login.as_ref(), &authority(host, port)).await,
        }
    };
    match timeout_at(until, asked).await {
        Ok(Ok(())) => Ok(tcp),
        Ok(Err(problem)) => Err(failed(problem)),
        Err(_) => Err(failed(ProxyProblem::TimedOut { seconds: limit.as_secs() })),
    }
}

impl From<DialError> for ProxyProblem {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Dns { detail, .. } => Self::Dns { detail },
            DialError::Connect { detail, .. } => Self::Unreachable { detail },
            DialError::SelfLoop { .. } => Self::SelfLoop,
        }
    }
}

/// RFC 3986 §3.2: an IPv6 address stands in brackets.
fn authority(host: &str, port: u16) -> String {
    if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
pub(crate) mod tests;
