//! `posthouse check --open-relay`: who can connect and send at each listener, and the proof that nobody else can.
//!
//! Asks the guard the relay asks, about addresses of every kind and about the neighbours of every entry of `allow`, and
//! compares its word with an account of its own: whether an address lies between the ends of an entry. Opens no socket;
//! what a firewall or a published container port does to addresses on the way cannot be seen from here.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde_json::json;

use super::probe;
use super::question::Answer;
use crate::app;
use crate::config::Config;
use crate::inbound::settings::{DeviceAuth, ListenerSettings, ListenerTls};
use crate::net::network::Network;

/// Addresses of every kind; most listeners should talk to none of them.
const OUTSIDE: [&str; 20] = [
    "8.8.8.8",
    "1.1.1.1",
    "203.0.113.9",
    "100.64.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "192.168.1.1",
    "169.254.1.1",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2001:db8::1",
    "fd00::1",
    "fc00::1",
    "fe80::1",
    // IPv4 in the clothes of IPv6: translated, tunnelled, compatible.
    "64:ff9b::808:808",
    "2002:808:808::1",
    "::808:808",
    "0.0.0.0",
    "::",
];

/// What was found out about one listener.
struct Finding<'a> {
    listener: &'a ListenerSettings,
    asked: usize,
    holes: Vec<String>,
    /// What the guard cannot see.
    risk: Option<String>,
}

/// Judges every listener.
pub(super) fn answer(config: &Config) -> Answer {
    let gateway = app::default_gateway();
    let findings: Vec<Finding<'_>> = config
        .listeners
        .iter()
        .map(|listener| {
            let risk = probe::gateway(listener, gateway).map(|finding| finding.message);
            Finding { risk, ..judge(listener) }
        })
        .collect();
    let closed = findings.iter().all(|finding| finding.holes.is_empty());
    let mut text: String = findings.iter().map(Finding::text).collect();
    text += if closed {
        "Closed: nobody outside these lists gets in.\n"
    } else {
        "OPEN: see the holes above; the relay does not start like this.\n"
    };
    let listeners: Vec<_> = findings.iter().map(Finding::json).collect();
    Answer { good: closed, text, json: json!({ "closed": closed, "listeners": listeners }) }
}

fn judge(listener: &ListenerSettings) -> Finding<'_> {
    let samples = samples(&listener.allow);
    let (mut asked, mut holes) = (0, Vec::new());
    for &address in &listener.bind {
        let guarded = match app::guard(listener, address) {
            Ok(guarded) => guarded,
            Err(refused) => {
                holes.push(refused.to_string());
                continue;
            }
        };
        for &sample in &samples {
            asked += 1;
            let listed = listener.allow.iter().any(|network| lies_in(network, sample));
            if guarded.allows(sample) && !listed {
                holes.push(format!("{sample} gets in at {address}, and no entry of `allow` holds it"));
            }
        }
    }
    Finding { listener, asked, holes, risk: None }
}

/// Addresses of every kind, the neighbours of each entry, and all IPv4 ones in their mapped form too.
fn samples(allow: &[Network]) -> Vec<IpAddr> {
    let mut samples: Vec<IpAddr> = OUTSIDE.iter().filter_map(|text| text.parse().ok()).collect();
    for network in allow {
        let (first, last) = network.ends();
        samples.extend(step(first, false).into_iter().chain(step(last, true)));
    }
    let mapped: Vec<IpAddr> = samples.iter().filter_map(mapped).collect();
    samples.extend(mapped);
    samples
}

fn mapped(ip: &IpAddr) -> Option<IpAddr> {
    match ip {
        IpAddr::V4(ip) => Some(IpAddr::V6(ip.to_ipv6_mapped())),
        IpAddr::V6(_) => None,
    }
}

/// The next address up or down, if there is one.
fn step(ip: IpAddr, up: bool) -> Option<IpAddr> {
    match ip {
        IpAddr::V4(ip) => {
            let bits = ip.to_bits();
            let next = if up { bits.checked_add(1) } else { bits.checked_sub(1) };
            next.map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)))
        }
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            let next = if up { bits.checked_add(1) } else { bits.checked_sub(1) };
            next.map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)))
        }
    }
}

/// Whether the address lies between the ends of the range; on purpose not the way the guard finds out.
fn lies_in(network: &Network, ip: IpAddr) -> bool {
    let (first, last) = network.ends();
    let ip = ip.to_canonical();
    ip.is_ipv4() == first.is_ipv4() && (first..=last).contains(&ip)
}

impl Finding<'_> {
    fn addresses(&self) -> String {
        self.listener.bind.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", ")
    }

    fn connects(&self) -> String {
        let listed = self.listener.allow.iter().map(Network::to_string).collect::<Vec<_>>().join(", ");
        let local = self.listener.bind.iter().all(|address| address.ip().is_loopback());
        if local { format!("{listed} (only this machine reaches these addresses)") } else { listed }
    }

    fn sends(&self) -> &'static str {
        match self.listener.auth {
            DeviceAuth::None | DeviceAuth::Optional => "whoever may connect, without a login",
            DeviceAuth::AcceptAny => "whoever may connect, with any login or none",
            DeviceAuth::Required => "only who signs in with a login of [devices]",
        }
    }

    fn travels(&self) -> &'static str {
        match (&self.listener.tls, self.listener.auth) {
            (ListenerTls::Implicit { .. }, _) => "mail and logins inside TLS",
            (ListenerTls::StartTls { .. }, DeviceAuth::None) => "mail inside TLS if the device asks for it",
            (ListenerTls::StartTls { .. }, _) if self.listener.auth_in_clear => {
                "mail and logins in clear if the device likes"
            }
            (ListenerTls::StartTls { .. }, _) => "logins inside TLS, from this machine also in clear",
            (ListenerTls::None, DeviceAuth::None) => "mail in clear",
            (ListenerTls::None, _) => "mail and logins in clear",
        }
    }

    fn text(&self) -> String {
        let mut text = format!("Listener {} at {}\n", self.listener.name, self.addresses());
        let _ = writeln!(text, "  may connect: {}", self.connects());
        let _ = writeln!(text, "  may send:    {}", self.sends());
        let _ = writeln!(text, "  travels:     {}", self.travels());
        for hole in &self.holes {
            let _ = writeln!(text, "  HOLE:        {hole}");
        }
        if let Some(risk) = &self.risk {
            let _ = writeln!(text, "  risk:        {risk}");
        }
        if self.holes.is_empty() {
            let _ = writeln!(text, "  closed:      {} addresses of every kind were tried", self.asked);
        }
        text
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "listener": self.listener.name.as_str(),
            "addresses": self.listener.bind.iter().map(SocketAddr::to_string).collect::<Vec<_>>(),
            "allow": self.listener.allow.iter().map(Network::to_string).collect::<Vec<_>>(),
            "sends": self.sends(),
            "travels": self.travels(),
            "tried": self.asked,
            "holes": self.holes,
            "risk": self.risk,
        })
    }
}
