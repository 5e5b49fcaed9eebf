//! Address ranges (`192.168.1.0/24`) and canonical addresses.
//!
//! Addresses are compared in canonical form everywhere: `::ffff:192.0.2.1` is `192.0.2.1` (promise 8).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address and a prefix length; host bits are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is not a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    #[error("expected an address or a range such as 192.168.1.0/24 or fd00::/64")]
    Syntax,
    #[error("the prefix length is too large for this kind of address")]
    Prefix,
}

impl Network {
    /// Whether the address lies in the range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => mask4(ip, self.prefix) == net,
            (IpAddr::V6(net), IpAddr::V6(ip)) => mask6(ip, self.prefix) == net,
            _ => false,
        }
    }

    /// Whether every address of the range is loopback.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.address {
            IpAddr::V4(ip) => ip.is_loopback() && self.prefix >= 8,
            IpAddr::V6(ip) => ip.is_loopback() && self.prefix == 128,
        }
    }

    /// Whether the range is narrow or private enough to stand in an allow-list beyond loopback (promise 8): wholly
    /// inside loopback, private, link-local or unique-local space, or at most a /24 (IPv4) or /48 (IPv6).
    #[must_use]
    pub fn is_admissible(&self) -> bool {
        let inside = |net: &str| net.parse::<Network>().is_ok_and(|n| n.covers(self));
        match self.address {
            IpAddr::V4(_) => {
                self.prefix >= 24
                    || ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"]
                        .iter()
                        .any(|n| inside(n))
            }
            IpAddr::V6(_) if self.stands_for_ipv4() => self.prefix >= 96 + 24,
            IpAddr::V6(_) => self.prefix >= 48 || ["fc00::/7", "fe80::/10"].iter().any(|n| inside(n)),
        }
    }

    /// Whether it holds addresses of IPv4 in the clothes of IPv6: translated (RFC 6052 §2.1) or compatible (RFC 4291
    /// §2.5.5.1), where a /96 is the whole of IPv4. Mapped ones are IPv4 here.
    fn stands_for_ipv4(&self) -> bool {
        let clothes = ["64:ff9b::/96", "::/96"];
        clothes.iter().filter_map(|net| net.parse::<Self>().ok()).any(|net| net.covers(self) || self.covers(&net))
    }

    /// How many bits of an address belong to the network.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether it is a network of IPv4.
    #[must_use]
    pub fn is_ipv4(&self) -> bool {
        self.address.is_ipv4()
    }

    /// Its first and its last address.
    #[must_use]
    pub fn ends(&self) -> (IpAddr, IpAddr) {
        let last = match self.address {
            IpAddr::V4(ip) => {
                let hosts = u32::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() | hosts))
            }
            IpAddr::V6(ip) => {
                let hosts = u128::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() | hosts))
            }
        };
        (self.address, last)
    }

    /// Whether it holds every address of the other.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.address)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| NetworkError::Syntax)?)),
            None => (text, None),
        };
        let mut address: IpAddr = address.parse().map_err(|_| NetworkError::Syntax)?;
        let mut prefix = prefix;
        if let (IpAddr::V6(_), IpAddr::V4(v4)) = (address, address.to_canonical()) {
            address = IpAddr::V4(v4);
            prefix = match prefix {
                Some(p) if p < 96 => return Err(NetworkError::Prefix),
                other => other.map(|p| p - 96),
            };
        }
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(width);
        if prefix > width {
            return Err(NetworkError::Prefix);
        }
        let address = match address {
            IpAddr::V4(ip) => IpAddr::V4(mask4(ip, prefix)),
            IpAddr::V6(ip) => IpAddr::V6(mask6(ip, prefix)),
        };
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

fn mask4(ip: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    Ipv4Addr::from_bits(ip.to_bits() & u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0))
}

fn mask6(ip: Ipv6Addr, prefix: u8) -> Ipv6Addr {
    Ipv6Addr::from_bits(ip.to_bits() & u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn mapped_addresses_are_the_addresses_they_map() {
        assert!(net("192.0.2.0/24").contains("::ffff:192.0.2.7".parse().unwrap()));
        assert!(net("::ffff:192.0.2.0/120").contains("192.0.2.7".parse().unwrap()));
        assert!(!net("192.0.2.0/24").contains("192.0.3.7".parse().unwrap()));
        assert_eq!("::ffff:0.0.0.0/90".parse::<Network>(), Err(NetworkError::Prefix));
        assert_eq!("10.0.0.0/33".parse::<Network>(), Err(NetworkError::Prefix));
    }

    #[test]
    fn a_range_has_two_ends_and_covers_what_lies_between() {
        for (text, first, last) in [
            ("192.168.1.7/24", "192.168.1.0", "192.168.1.255"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
            ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
            ("::1", "::1", "::1"),
            ("fd00::/8", "fd00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            assert_eq!(net(text).ends(), (first.parse().unwrap(), last.parse().unwrap()), "{text}");
        }
        assert!(net("10.0.0.0/8").covers(&net("10.1.0.0/16")) && net("10.0.0.0/8").covers(&net("::ffff:10.1.2.3")));
        for other in ["11.0.0.0/16", "0.0.0.0/0", "fd00::/8", "10.0.0.0/7"] {
            assert!(!net("10.0.0.0/8").covers(&net(other)), "{other}");
        }
    }

    #[test]
    fn only_private_or_narrow_ranges_are_admissible() {
        for ok in [
            "127.0.0.0/8",
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "198.51.100.0/24",
            "fd00::/8",
            "fe80::/64",
            "2001:db8::/48",
            "64:ff9b::c633:6400/120",
            "64:ff9b:1::/48",
            "::1",
        ] {
            assert!(net(ok).is_admissible(), "{ok}");
        }
        for wide in ["0.0.0.0/0", "::/0", "8.0.0.0/8", "198.51.0.0/23", "172.0.0.0/8", "2001:db8::/47", "192.0.0.0/8"] {
            assert!(!net(wide).is_admissible(), "{wide}");
        }
        for all_of_ipv4 in ["64:ff9b::/96", "64:ff9b::/64", "::/96", "::/64", "64:ff9b::808:0/119"] {
            assert!(!net(all_of_ipv4).is_admissible(), "{all_of_ipv4}");
        }
    }
}
