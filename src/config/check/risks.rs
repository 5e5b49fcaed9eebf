//! What works and is dangerous all the same: who may send without being known, and under which name.
//!
//! Names the risk and the way out; never an error, because there can be reasons. Risks of one account or of a file stand
//! where those are read.

use std::net::SocketAddr;

use super::accounts::Account;
use super::listeners::Listener;
use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::inbound::settings::{DeviceAuth, ListenerSettings};
use crate::net::network::Network;

/// Names them all.
pub(super) fn name(root: &Section<'_>, listeners: &[Listener], accounts: &[Account], hostname: Option<&str>) {
    // Without any section there is the one listener on loopback, which nobody reaches from outside.
    for (section, listener) in root.each("listeners").iter().zip(listeners) {
        let outside = listener.settings.bind.iter().find(|address| !address.ip().to_canonical().is_loopback());
        if let Some(outside) = outside {
            reachable(section, &listener.settings, outside);
        }
        if section.has("max_message_size") {
            too_large(section, listener.settings.max_message_size, accounts);
        }
    }
    if hostname.is_some_and(|name| !name.contains('.')) {
        let complaint = Complaint::new("this name has no domain, so no provider can make anything of it");
        root.warning("hostname", complaint.hint("write the whole name: hostname = \"relay.example.com\""));
    }
}

/// Mail that every account is known to refuse is better refused before it was sent.
fn too_large(section: &Section<'_>, size: u64, accounts: &[Account]) {
    let sizes: Option<Vec<u64>> = accounts.iter().map(|account| account.settings.size).collect();
    let Some(largest) = sizes.and_then(|sizes| sizes.into_iter().max()).filter(|largest| *largest < size) else {
        return;
    };
    let (number, unit) = if largest < 1 << 20 { (largest >> 10, "KiB") } else { (largest >> 20, "MiB") };
    let complaint = Complaint::new(format!("no account takes mail of more than {number} {unit}"));
    section.warning("max_message_size", complaint.hint("leave it out: devices are told what their accounts take"));
}

/// A listener that other machines can reach.
fn reachable(section: &Section<'_>, settings: &ListenerSettings, outside: &SocketAddr) {
    if settings.auth == DeviceAuth::AcceptAny {
        let complaint = Complaint::new(format!(
            "any login succeeds at {outside}: only `allow` decides who sends, and the log cannot tell devices by their logins"
        ));
        section.warning(
            "auth",
            complaint
                .hint("for devices that can keep a password of their own write auth = \"required\" and [devices.NAME]"),
        );
    }
    for network in &settings.allow {
        match settings.auth {
            DeviceAuth::Required if !network.is_admissible() => {
                let complaint = Complaint::new(format!(
                    "{network} lets strangers try passwords at {outside} as often as they like"
                ));
                section.warning("allow", complaint.hint("name the networks the devices are in"));
            }
            // What is inadmissible is an error already.
            DeviceAuth::None | DeviceAuth::AcceptAny | DeviceAuth::Optional
                if network.is_admissible() && is_wide(network) =>
            {
                let complaint = Complaint::new(format!(
                    "{network} is a whole private network, and everybody in it can send through {outside} without a login"
                ));
                section.warning("allow", complaint.hint("name the devices, or their own range: \"192.168.1.0/24\""));
            }
            _ => {}
        }
    }
}

/// More than 65,536 addresses (IPv4), or more than one site (IPv6, RFC 6177): no network of devices is that large.
fn is_wide(network: &Network) -> bool {
    !network.is_loopback() && network.prefix() < if network.is_ipv4() { 16 } else { 48 }
}
