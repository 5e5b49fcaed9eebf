//! The way out through somebody else: SOCKS5 and HTTP CONNECT proxies.
//!
//! [`Proxies`] says which proxy each kind of connection of an account takes. The proxy looks names up, so that nothing
//! but the connection to it leaves this machine. A proxy that does not answer is an error, never a reason to go direct.

use crate::secret::Secret;

/// Which proxy an account's connections take; `None`: straight.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// For SMTP.
    pub smtp: Option<Proxy>,
    /// For token calls.
    pub http: Option<Proxy>,
}

/// One proxy.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// What it speaks.
    pub protocol: Protocol,
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What it wants to hear first.
    pub login: Option<Login>,
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
