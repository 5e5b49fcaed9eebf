//! The network's default gateway, and the warning it deserves as a source (promise 8).
//!
//! A container engine that publishes a port hands connections over from the gateway's address: the real source is
//! hidden, and an allow-list that holds the gateway lets in whoever reaches the host. Pure, but for the flag that keeps
//! the warning to once a listener; reads no table itself.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};

/// What it means when a device connects from there.
pub const WARNING: &str = "connections come from the default gateway, so a published container port hides their real \
     source: whoever reaches the host's port is let in; publish the port on 127.0.0.1 or a private address only, or set \
     auth = \"required\" on this listener";

/// The gateway as one listener watches for it.
#[derive(Debug, Default)]
pub struct Watch {
    gateway: Option<IpAddr>,
    told: AtomicBool,
}

impl Watch {
    /// Watches for this gateway; for none if it is not known.
    #[must_use]
    pub fn new(gateway: Option<Ipv4Addr>) -> Self {
        Self { gateway: gateway.map(IpAddr::V4), told: AtomicBool::new(false) }
    }

    /// Whether this source is the gateway and nobody has been told yet.
    #[must_use]
    pub fn is_news(&self, source: IpAddr) -> bool {
        self.gateway == Some(source.to_canonical()) && !self.told.swap(true, Ordering::Relaxed)
    }
}

/// Finds the default route in what Linux shows as `/proc/net/route`.
#[must_use]
pub fn read(table: &str) -> Option<Ipv4Addr> {
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let (destination, gateway) = (columns.next()?, columns.next()?);
        // Addresses stand there as numbers in the machine's own order of octets.
        let gateway = u32::from_str_radix(gateway, 16).ok().filter(|&gateway| gateway != 0)?;
        (destination == "00000000").then(|| Ipv4Addr::from(gateway.to_ne_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
         eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
         eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";

    #[test]
    #[cfg(target_endian = "little")]
    fn the_default_route_is_found_and_nothing_is_made_up() {
        assert_eq!(read(TABLE), Some(Ipv4Addr::new(172, 17, 0, 1)));
        for none in ["", "Iface\n", "a\nb c\n", "head\neth0\t00000000\t00000000\t1\n"] {
            assert_eq!(read(none), None, "{none:?}");
        }
    }

    #[test]
    fn the_warning_comes_once_and_only_for_the_gateway() {
        let watch = Watch::new(Some(Ipv4Addr::new(172, 17, 0, 1)));
        assert!(!watch.is_news("172.17.0.2".parse().unwrap()));
        assert!(watch.is_news("::ffff:172.17.0.1".parse().unwrap()), "in canonical form");
        assert!(!watch.is_news("172.17.0.1".parse().unwrap()), "once is enough");
        assert!(!Watch::new(None).is_news("172.17.0.1".parse().unwrap()));
    }
}
