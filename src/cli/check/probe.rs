//! What `posthouse check` asks of this machine: can the spool directory be written, can the ports be had, are there
//! trusted certificates, is the vault as it should be.
//!
//! Leaves nothing behind: a temporary file without a name, and ports that are bound and given back at once. What it
//! finds holds for this moment and for the user who asks, which is why a port in use is a note and no finding: mostly
//! it is the running relay that uses it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Instant;

use crate::account::{self, Encryption};
use crate::config::{Config, Finding, Place, Severity};
use crate::disk;
use crate::inbound::settings::{DeviceAuth, ListenerSettings};
use crate::net::gateway::WARNING;
use crate::net::listen::BindError;
use crate::net::trust::{Anchors, ClientTls};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Probed {
    pub(super) findings: Vec<Finding>,
    /// Facts that are mostly as they should be.
    pub(super) notes: Vec<String>,
}

/// Looks at what the configuration needs of this machine.
pub(super) fn look(config: &Config) -> Probed {
    let mut probed = Probed::default();
    probed.findings.extend(spool(&config.storage.directory));
    probed.findings.extend(config.accounts.iter().find_map(roots));
    probed.findings.extend(super::vault::look(config));
    super::sign_ins::look(config, &mut probed);
    for listener in &config.listeners {
        for address in &listener.bind {
            port(*address, &mut probed);
        }
        probed.findings.extend(gateway(listener, crate::app::default_gateway()));
    }
    probed
}

/// The relay makes the directory when it first needs it, so its nearest parent must take files until then.
fn spool(directory: &Path) -> Option<Finding> {
    let nearest = directory.ancestors().find(|parent| parent.exists()).unwrap_or(Path::new("."));
    let error = tempfile::tempfile_in(nearest).err()?;
    let user = disk::our_user().unwrap_or_else(|| "USER".into());
    Some(Finding {
        severity: Severity::Error,
        place: Place::Nowhere,
        key: "storage.directory".into(),
        message: format!(
            "large mail is kept in {} while it passes through, and user {user} cannot write there: {error}",
            directory.display()
        ),
        hint: Some(format!(
            "`install -d -o {user} {}`, or write another directory under [storage]; if the relay runs as another user, run \
             this check as that user",
            directory.display()
        )),
    })
}

/// A machine without roots is the same for every account that asks them, so it is said of the first.
fn roots(account: &account::Settings) -> Option<Finding> {
    let asks = account.encryption != Encryption::None && account.trust.anchors == Anchors::System;
    let error = asks.then(|| ClientTls::load(&account.trust, Instant::now()).err()).flatten()?;
    let (severity, place, key) = (Severity::Error, Place::Nowhere, format!("accounts.{}", account.name));
    Some(Finding { severity, place, key, message: error.to_string(), hint: None })
}

/// A listener that lets the default gateway in lets in whoever a published container port is open to.
pub(super) fn gateway(listener: &ListenerSettings, gateway: Option<Ipv4Addr>) -> Option<Finding> {
    let gateway = IpAddr::V4(gateway?);
    let reachable = listener.bind.iter().any(|address| !address.ip().to_canonical().is_loopback());
    let open = listener.auth != DeviceAuth::Required && listener.allow.iter().any(|network| network.contains(gateway));
    (reachable && open).then(|| Finding {
        severity: Severity::Warning,
        place: Place::Nowhere,
        key: "listeners.allow".into(),
        message: format!("listener {} lets in {gateway}, this network's default gateway", listener.name),
        hint: Some(format!("in a container, {WARNING}")),
    })
}

fn port(address: SocketAddr, probed: &mut Probed) {
    let message = match TcpListener::bind(address).map_err(|error| (error.kind(), error)) {
        Ok(_) => return,
        Err((io::ErrorKind::AddrInUse, _)) => {
            probed.notes.push(format!("{address} is in use, perhaps by the running relay"));
            return;
        }
        Err((io::ErrorKind::PermissionDenied, _)) => BindError::Permission { address }.to_string(),
        Err((io::ErrorKind::AddrNotAvailable, _)) => BindError::NotAvailable { address }.to_string(),
        Err((_, source)) => BindError::Other { address, source }.to_string(),
    };
    let (severity, place, key) = (Severity::Warning, Place::Nowhere, "listeners.bind".into());
    probed.findings.push(Finding { severity, place, key, message, hint: None });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_directory_that_cannot_be_made_is_an_error_with_a_cure() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(spool(&directory.path().join("not/yet/there")), None);
        let file = directory.path().join("a-file");
        std::fs::write(&file, "").unwrap();
        let finding = spool(&file.join("spool")).unwrap();
        assert_eq!(finding.severity, Severity::Error);
        assert!(finding.hint.unwrap().contains("install -d -o "), "{}", finding.message);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_port_in_use_is_a_note_and_one_that_cannot_be_had_a_warning() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut probed = Probed::default();
        port(taken.local_addr().unwrap(), &mut probed);
        assert!(probed.findings.is_empty() && probed.notes[0].contains("in use"), "{probed:?}");
        // TEST-NET-1 is nobody's address (RFC 5737).
        port("192.0.2.1:2525".parse().unwrap(), &mut probed);
        assert_eq!(probed.findings[0].severity, Severity::Warning);
        assert!(probed.findings[0].message.contains("no such address"), "{probed:?}");
    }

    #[test]
    fn a_listener_that_lets_the_default_gateway_in_is_a_warning() {
        use crate::inbound::settings::{Limits, LineEndings, ListenerTls};
        let listener = |bind: &str, allow: &str, auth| ListenerSettings {
            name: "lan".into(),
            bind: vec![bind.parse().unwrap()],
            tls: ListenerTls::None,
            auth,
            auth_in_clear: false,
            allow: vec![allow.parse().unwrap()],
            line_endings: LineEndings::Auto,
            max_message_size: 1,
            max_recipients: 100,
            senders: vec![],
            recipients: vec![],
            limits: Limits::default(),
        };
        let risky =
            |bind, allow, auth| gateway(&listener(bind, allow, auth), Some(Ipv4Addr::new(172, 17, 0, 1))).is_some();
        assert!(risky("0.0.0.0:25", "172.16.0.0/12", DeviceAuth::None));
        assert!(!risky("0.0.0.0:25", "172.16.0.0/12", DeviceAuth::Required));
        assert!(!risky("0.0.0.0:25", "192.168.1.0/24", DeviceAuth::None));
        assert!(!risky("127.0.0.1:25", "172.16.0.0/12", DeviceAuth::None));
        assert!(gateway(&listener("0.0.0.0:25", "172.16.0.0/12", DeviceAuth::None), None).is_none());
    }
}
