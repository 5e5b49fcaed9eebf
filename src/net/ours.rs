//! Our own listening addresses, so that the relay never sends mail to itself.
//!
//! An account whose host leads back to one of our listeners would pass each message round for ever. What can be seen
//! in the configuration is found at start ([`Bound::could_be_ours`]), the rest right after a connection was made
//! ([`Bound::is_ours`]). Does not see through port forwarding or a proxy: the loop limit of `Received:` lines does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::stream::canonical;

/// The addresses all listeners are bound to.
#[derive(Debug, Clone, Default)]
pub struct Bound(Vec<SocketAddr>);

impl Bound {
    /// Remembers the addresses; with port 0 in them nothing is recognised, so take them from bound listeners.
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self(addresses.into_iter().map(canonical).collect())
    }

    /// Whether a connection that was just made, with these two ends, reached ourselves.
    #[must_use]
    pub fn is_ours(&self, peer: SocketAddr, local: SocketAddr) -> bool {
        let (peer, local) = (canonical(peer), canonical(local));
        // A packet to an address of this machine leaves from that same address.
        let on_this_machine = peer.ip().is_loopback() || peer.ip() == local.ip();
        self.hears(peer, on_this_machine)
    }

    /// Whether a host and port of the configuration can be seen to lead back, without asking the DNS: literal
    /// addresses and `localhost`.
    #[must_use]
    pub fn could_be_ours(&self, host: &str, port: u16) -> bool {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let addresses = match bare.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
            // Connecting to the unspecified address reaches loopback.
            Ok(IpAddr::V4(ip)) if ip.is_unspecified() => vec![Ipv4Addr::LOCALHOST.into()],
            Ok(IpAddr::V6(ip)) if ip.is_unspecified() => vec![Ipv6Addr::LOCALHOST.into()],
            Ok(ip) => vec![ip],
            Err(_) if is_localhost(bare) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            Err(_) => return false,
        };
        addresses.into_iter().any(|ip| self.hears(SocketAddr::new(ip, port), ip.is_loopback()))
    }

    fn hears(&self, address: SocketAddr, on_this_machine: bool) -> bool {
        self.0.iter().any(|bound| {
            // Sockets are V6ONLY: `[::]` does not hear IPv4.
            let wildcard = bound.ip().is_unspecified() && bound.is_ipv4() == address.is_ipv4();
            bound.port() == address.port() && (bound.ip() == address.ip() || wildcard && on_this_machine)
        })
    }
}

/// RFC 6761 §6.3: `localhost` and every name below it.
pub(super) fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_connection_to_a_bound_address_is_ours() {
        let bound = Bound::new([at("127.0.0.1:25"), at("[::1]:25")]);
        assert!(bound.is_ours(at("127.0.0.1:25"), at("127.0.0.1:50000")));
        assert!(bound.is_ours(at("[::ffff:127.0.0.1]:25"), at("[::ffff:127.0.0.1]:50000")));
        assert!(!bound.is_ours(at("127.0.0.1:2525"), at("127.0.0.1:50000")), "another port");
        assert!(!bound.is_ours(at("127.0.0.2:25"), at("127.0.0.1:50000")), "another server on loopback");
    }

    #[test]
    fn behind_a_wildcard_every_address_of_this_machine_is_ours() {
        let bound = Bound::new([at("0.0.0.0:25")]);
        assert!(bound.is_ours(at("192.168.1.5:25"), at("192.168.1.5:50000")));
        assert!(bound.is_ours(at("127.0.0.2:25"), at("127.0.0.1:50000")));
        assert!(!bound.is_ours(at("192.168.1.6:25"), at("192.168.1.5:50000")), "a neighbour");
        assert!(!bound.is_ours(at("[fd00::5]:25"), at("[fd00::5]:50000")), "nothing listens on IPv6");
    }

    #[test]
    fn loops_that_stand_in_the_configuration_are_seen_at_start() {
        let bound = Bound::new([at("127.0.0.1:25")]);
        for host in
            ["127.0.0.1", "localhost", "LocalHost.", "mail.localhost", "::ffff:127.0.0.1", "0.0.0.0", "::ffff:0.0.0.0"]
        {
            assert!(bound.could_be_ours(host, 25), "{host}");
            assert!(!bound.could_be_ours(host, 1025), "{host}");
        }
        for host in ["127.0.0.2", "::1", "[::]", "localhost.example", "smtp.example.com"] {
            assert!(!bound.could_be_ours(host, 25), "{host}");
        }
        assert!(Bound::new([at("[::]:25")]).could_be_ours("[::1]", 25));
        assert!(Bound::new([at("[::]:25")]).could_be_ours("localhost", 25));
    }
}
