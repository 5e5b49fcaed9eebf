//! Listening sockets: bound only where the guard allows, and never dying of a bad moment.
//!
//! Guarantees: only [`Guarded`] addresses are bound; IPv6 sockets take IPv6 alone; every error at binding names the
//! ways out; running out of file descriptors pauses accepting and ends nothing. Peers are given in canonical form. No
//! name is looked up. Whether a peer may talk is asked of [`Guarded::allows`] by the owner, who can answer politely.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::guard::Guarded;
use super::stream::canonical;

/// Connections the kernel keeps until they are accepted.
const BACKLOG: i32 = 1024;
/// Pause when the machine is short of something; other connections end meanwhile.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(100);

/// Why an address cannot be listened on; the text names the ways out.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("{}", permission_text(*address))]
    Permission { address: SocketAddr },
    #[error(
        "cannot listen on {address}: the address is in use; another mail server such as Postfix or Exim, or another Posthouse, already listens there; find it with `ss -ltnp 'sport = :{}'` and stop it, or choose another port in `bind`",
        address.port()
    )]
    InUse { address: SocketAddr },
    #[error(
        "cannot listen on {address}: this machine has no such address; `ip addr` shows those it has; correct `bind`, or leave the address out if it is an IPv6 one and IPv6 is switched off"
    )]
    NotAvailable { address: SocketAddr },
    #[error("cannot listen on {address}: {source}")]
    Other { address: SocketAddr, source: io::Error },
}

fn permission_text(address: SocketAddr) -> String {
    let port = address.port();
    if port >= 1024 {
        return format!(
            "cannot listen on {address}: not permitted; a security module (SELinux, AppArmor) or a sandbox of the service manager forbids it"
        );
    }
    format!(
        "cannot listen on {address}: ports below 1024 need a privilege; one of these gives it: \
         `setcap 'cap_net_bind_service=+ep' \"$(command -v posthouse)\"`; \
         `AmbientCapabilities=CAP_NET_BIND_SERVICE` in the systemd unit; \
         `sysctl net.ipv4.ip_unprivileged_port_start={port}`; \
         or choose a port such as 2525 in `bind`"
    )
}

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    guarded: Guarded,
    address: SocketAddr,
}

/// Binds a guarded address and begins to listen. Must be called inside the runtime.
///
/// # Errors
/// When the operating system refuses; see [`BindError`].
pub fn bind(guarded: &Guarded) -> Result<Listener, BindError> {
    let address = guarded.address();
    let open = || {
        let socket = TcpListener::from_std(open(address)?.into())?;
        let address = canonical(socket.local_addr()?);
        Ok(Listener { socket, guarded: guarded.clone(), address })
    };
    open().map_err(|source: io::Error| match source.kind() {
        io::ErrorKind::PermissionDenied => BindError::Permission { address },
        io::ErrorKind::AddrInUse => BindError::InUse { address },
        io::ErrorKind::AddrNotAvailable => BindError::NotAvailable { address },
        // The kernel knows no IPv6 at all (EAFNOSUPPORT): so it has no such address.
        _ if address.is_ipv6() && Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)).is_err() => {
            BindError::NotAvailable { address }
        }
        _ => BindError::Other { address, source },
    })
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // An IPv4 peer must meet the rules of an IPv4 listener (promise 8).
        socket.set_only_v6(true)?;
    }
    // A restart must not wait for old connections to fade. On Windows the option means something else: sharing.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    // Accepted sockets inherit it on Linux, which saves a system call for each.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

impl Listener {
    /// The address in use; its port is known even if 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The rules it was admitted with.
    #[must_use]
    pub fn guarded(&self) -> &Guarded {
        &self.guarded
    }

    /// The next connection and its canonical peer. Never fails: what is wrong with one connection concerns that one,
    /// and a shortage passes. Cancel-safe.
    pub async fn accept(&self) -> (TcpStream, SocketAddr) {
        let mut complained = false;
        loop {
            match self.socket.accept().await {
                Ok((socket, peer)) => {
                    #[cfg(not(target_os = "linux"))]
                    let _ = socket.set_nodelay(true);
                    return (socket, canonical(peer));
                }
                Err(error) if is_one_connection_only(&error) => {}
                Err(error) => {
                    if !complained {
                        tracing::warn!(listener = %self.address, %error, "cannot accept connections; trying again");
                        complained = true;
                    }
                    tokio::time::sleep(SHORTAGE_PAUSE).await;
                }
            }
        }
    }
}

/// Whether only the connection being accepted is lost. The rest (EMFILE, ENFILE, ENOBUFS, ENOMEM) is a shortage.
fn is_one_connection_only(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::guard::{Auth, Passwords, Rules};

    fn guarded(address: &str) -> Guarded {
        let allow = ["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
        let rules = Rules { allow: &allow, auth: Auth::None, passwords: Passwords::InsideTls };
        Guarded::admit(address.parse().unwrap(), &rules).unwrap()
    }

    #[tokio::test]
    async fn a_connection_arrives_with_its_peer_and_without_delay() {
        let listener = bind(&guarded("127.0.0.1:0")).unwrap();
        assert_ne!(listener.address().port(), 0);
        let client = TcpStream::connect(listener.address()).await.unwrap();
        let (accepted, peer) = listener.accept().await;
        assert_eq!(peer, client.local_addr().unwrap());
        assert!(accepted.nodelay().unwrap(), "replies must not wait for Nagle");
        assert!(listener.guarded().allows(peer.ip()));
    }

    #[tokio::test]
    async fn an_address_in_use_says_how_to_find_the_other_server() {
        let first = bind(&guarded("127.0.0.1:0")).unwrap();
        let refused = bind(&guarded(&first.address().to_string())).unwrap_err();
        assert!(matches!(refused, BindError::InUse { .. }), "{refused:?}");
        let hint = format!("ss -ltnp 'sport = :{}'", first.address().port());
        assert!(refused.to_string().contains(&hint), "{refused}");
    }

    #[tokio::test]
    async fn the_port_is_free_again_at_once_after_connections_were_open() {
        let first = bind(&guarded("127.0.0.1:0")).unwrap();
        let address = first.address();
        let client = TcpStream::connect(address).await.unwrap();
        // Closing first on our side leaves the connection in TIME_WAIT here, which blocks a plain bind.
        drop(first.accept().await);
        drop((client, first));
        assert_eq!(bind(&guarded(&address.to_string())).unwrap().address(), address);
    }

    #[tokio::test]
    async fn ipv6_listeners_leave_ipv4_alone() {
        let allow = ["fd00::/8".parse().unwrap()];
        let rules = Rules { allow: &allow, auth: Auth::None, passwords: Passwords::InsideTls };
        let wildcard = Guarded::admit("[::]:0".parse().unwrap(), &rules).unwrap();
        let Ok(listener) = bind(&wildcard) else { return }; // a machine without IPv6
        let ipv4: SocketAddr = ([127, 0, 0, 1], listener.address().port()).into();
        assert!(TcpStream::connect(ipv4).await.is_err());
    }

    #[test]
    fn a_refused_low_port_names_every_way_out() {
        let said = BindError::Permission { address: "127.0.0.1:25".parse().unwrap() }.to_string();
        for way in [
            "cap_net_bind_service=+ep",
            "AmbientCapabilities=CAP_NET_BIND_SERVICE",
            "ip_unprivileged_port_start=25",
            "2525",
        ] {
            assert!(said.contains(way), "{way} is missing in: {said}");
        }
        let high = BindError::Permission { address: "127.0.0.1:2525".parse().unwrap() }.to_string();
        assert!(!high.contains("setcap"), "{high}");
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_not_available() {
        let allow = ["10.0.0.0/8".parse().unwrap()];
        let rules = Rules { allow: &allow, auth: Auth::None, passwords: Passwords::InsideTls };
        let elsewhere = Guarded::admit("192.0.2.1:0".parse().unwrap(), &rules).unwrap();
        assert!(matches!(bind(&elsewhere), Err(BindError::NotAvailable { .. })));
    }
}
