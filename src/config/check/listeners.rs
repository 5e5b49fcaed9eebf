//! `[[listeners]]`: who may connect where, and whether that keeps promise 8 (the relay is never open).
//!
//! Says at once what the guard of the sockets would refuse later, with place and cure. Binds nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::{Aside, limits};
use crate::config::files::{Named, NamedFile};
use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::tree::Origin;
use crate::config::values;
use crate::ids::ListenerName;
use crate::inbound::settings::{DeviceAuth, Limits, LineEndings, ListenerSettings, ListenerTls};
use crate::net::network::Network;

/// A listener and where its parts stand.
pub(super) struct Listener {
    pub(super) settings: ListenerSettings,
    pub(super) auth: Origin,
    pub(super) key: String,
}

const MAX_MESSAGE_SIZE: u64 = 50 << 20;
const SMALLEST_MESSAGE_SIZE: u64 = 64 << 10;
const MAX_RECIPIENTS: u32 = 1000;

/// Reads all listeners; without any, the one on loopback.
pub(super) fn read(root: &Section<'_>, directory: &Path, aside: &mut Aside) -> Vec<Listener> {
    let sections = root.each("listeners");
    let mut listeners: Vec<Listener> = Vec::new();
    // Every address that is taken so far, with the key that took it.
    let mut taken: Vec<(SocketAddr, String)> = Vec::new();
    for (i, section) in sections.iter().enumerate() {
        let listener = read_one(section, i, directory, &mut taken, aside);
        if listeners.iter().any(|other| other.settings.name == listener.settings.name) {
            let complaint = Complaint::new("another listener has the same name");
            section.error("name", complaint.hint("give each [[listeners]] a name of its own"));
        }
        listeners.push(listener);
    }
    if !root.has("listeners") {
        listeners.push(Listener { settings: default(), auth: Origin::Nowhere, key: "listeners".into() });
    }
    listeners
}

fn default() -> ListenerSettings {
    ListenerSettings {
        name: "local".into(),
        bind: vec![(Ipv4Addr::LOCALHOST, 25).into(), (Ipv6Addr::LOCALHOST, 25).into()],
        tls: ListenerTls::None,
        auth: DeviceAuth::None,
        auth_in_clear: false,
        allow: ["127.0.0.0/8", "::1"].iter().filter_map(|net| net.parse().ok()).collect(),
        line_endings: LineEndings::Auto,
        max_message_size: MAX_MESSAGE_SIZE,
        max_recipients: MAX_RECIPIENTS as usize,
        senders: vec!["*".into()],
        recipients: vec!["*".into()],
        limits: Limits::default(),
    }
}

fn read_one(
    section: &Section<'_>,
    index: usize,
    directory: &Path,
    taken: &mut Vec<(SocketAddr, String)>,
    aside: &mut Aside,
) -> Listener {
    let mut settings = default();
    settings.name = name(section, index);
    if let Some(bind) = section.list("bind", values::socket_address) {
        settings.bind = bind.iter().map(|(address, _)| *address).collect();
        if bind.is_empty() {
            section.error("bind", Complaint::new("no address to listen on").hint("write bind = [\"127.0.0.1:25\"]"));
        }
        free(section, &bind, taken);
    } else if !section.has("bind") {
        let bind: Vec<_> = settings.bind.iter().map(|address| (*address, section.origin.clone())).collect();
        free(section, &bind, taken);
    }
    settings.tls = tls(section, directory, aside);
    settings.auth = match section.word("auth") {
        Some("accept_any") => DeviceAuth::AcceptAny,
        Some("optional") => DeviceAuth::Optional,
        Some("required") => DeviceAuth::Required,
        _ => DeviceAuth::None,
    };
    settings.auth_in_clear = section.get("auth_in_clear", values::flag).unwrap_or(false);
    settings.line_endings = match section.word("line_endings") {
        Some("strict") => LineEndings::Strict,
        Some("reject") => LineEndings::Reject,
        _ => LineEndings::Auto,
    };
    sizes(section, &mut settings);
    guard(section, &mut settings);
    Listener { settings, auth: section.origin_of("auth"), key: section.key("auth") }
}

fn name(section: &Section<'_>, index: usize) -> ListenerName {
    match section.get("name", values::name) {
        Some(name) => name.as_str().into(),
        // Unreadable names have been noted; here they must only not be taken for each other.
        None if section.has("name") => format!("listener-{index}?").as_str().into(),
        None if index == 0 => "local".into(),
        None => format!("listener-{index}").as_str().into(),
    }
}

/// Notes addresses that another entry has already taken; `0.0.0.0` takes its port of every IPv4 address, `::` (which
/// is bound for IPv6 only) of every IPv6 address.
fn free(section: &Section<'_>, bind: &[(SocketAddr, Origin)], taken: &mut Vec<(SocketAddr, String)>) {
    let key = section.key("bind");
    for (address, origin) in bind {
        let covers = |a: &SocketAddr, b: &SocketAddr| {
            a.port() == b.port()
                && a.is_ipv4() == b.is_ipv4()
                && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
        };
        if let Some((other, by)) = taken.iter().find(|(other, _)| covers(address, other)) {
            let complaint = Complaint::new(format!("{address} is already taken by {other} in {by}"));
            section.error_at(origin, &key, complaint.hint("each address and port can be listened on once"));
        }
        taken.push((*address, key.clone()));
    }
}

fn tls(section: &Section<'_>, directory: &Path, aside: &mut Aside) -> ListenerTls {
    let word = section.word("tls");
    let certificate = section.path("certificate", directory);
    let key = section.path("key", directory);
    let mut name = |of: &str, file| {
        aside.named_files.push(Named { origin: section.origin_of(of), key: section.key(of), file });
    };
    if let Some(path) = &certificate {
        name("certificate", NamedFile::Certificates(path.clone()));
    }
    if let (Some(certificate), Some(key)) = (&certificate, &key) {
        name("key", NamedFile::Key { key: key.clone(), certificate: certificate.clone() });
    }
    let word = match word {
        Some(word @ ("starttls" | "implicit")) => word,
        // Noted already; some kind of TLS was meant, so nothing more is said about its absence.
        None if section.has("tls") => {
            return ListenerTls::StartTls { certificate: PathBuf::new(), key: PathBuf::new() };
        }
        _ => {
            if let Some(written) = ["certificate", "key"].into_iter().find(|key| section.has(key)) {
                let complaint = Complaint::new("a certificate or key is given, but this listener does not speak TLS");
                section.error(written, complaint.hint("write tls = \"starttls\" or \"implicit\", or leave this out"));
            }
            return ListenerTls::None;
        }
    };
    for key in ["certificate", "key"] {
        if !section.has(key) {
            let complaint =
                Complaint::new(format!("tls = \"{word}\" needs `certificate` and `key`; `{key}` is missing"));
            section.error("tls", complaint.hint(format!("write {key} = \"…\", the path of a PEM file")));
        }
    }
    let (certificate, key) = (certificate.unwrap_or_default(), key.unwrap_or_default());
    match word {
        "implicit" => ListenerTls::Implicit { certificate, key },
        _ => ListenerTls::StartTls { certificate, key },
    }
}

fn sizes(section: &Section<'_>, settings: &mut ListenerSettings) {
    if let Some(size) = section.get("max_message_size", values::size) {
        settings.max_message_size = size;
        if !(SMALLEST_MESSAGE_SIZE..=4 << 30).contains(&size) {
            // RFC 5321 §4.5.3.1.7
            let complaint = Complaint::new("expected a size from 64KiB to 4GiB");
            section.error("max_message_size", complaint.hint("every mail server must take at least 64 KiB"));
        }
    }
    let why = |_: &_, complaint: Complaint| {
        complaint.hint("RFC 5321 §4.5.3.1.8: at least 100 recipients of one mail must be taken")
    };
    if let Some(recipients) = section.number_or("max_recipients", why) {
        settings.max_recipients = recipients as usize;
    }
    settings.limits = limits::limits(section);
    settings.senders = limits::patterns(section, "senders");
    settings.recipients = limits::patterns(section, "recipients");
}

/// Promise 8, with the way out for each case.
fn guard(section: &Section<'_>, settings: &mut ListenerSettings) {
    let allow = section.list("allow", values::network);
    if allow.as_ref().is_some_and(Vec::is_empty) {
        let complaint = Complaint::new("nobody may connect: the list is empty");
        section.error("allow", complaint.hint("name the devices: allow = [\"192.168.1.0/24\"]"));
    }
    if let Some(list) = &allow {
        settings.allow = list.iter().map(|(network, _)| *network).collect();
    }
    let Some(outside) = settings.bind.iter().find(|address| !is_loopback(address.ip())) else { return };

    for (network, origin) in allow.iter().flatten() {
        if settings.auth != DeviceAuth::Required && !network.is_admissible() {
            section.error_at(origin, &section.key("allow"), too_wide(network, outside, settings.auth));
        }
    }
    let unread = section.has("allow") && allow.is_none();
    if !unread && settings.allow.iter().all(Network::is_loopback) {
        let complaint =
            Complaint::new(format!("{outside} can be reached from other machines, but only this one may connect"));
        section.warning("allow", complaint.hint("name the devices: allow = [\"192.168.1.0/24\"]"));
    }
    if settings.auth == DeviceAuth::None {
        return;
    }
    let clear = matches!(settings.tls, ListenerTls::None);
    match (clear, settings.auth_in_clear) {
        (true, false) => {
            let complaint = Complaint::new(format!("devices would send their passwords in clear text to {outside}"));
            section.error("auth", complaint.hint(
                "write tls = \"starttls\" with certificate and key; for devices without TLS write auth_in_clear = true",
            ));
        }
        (_, true) => {
            let complaint = Complaint::new("everybody on the way can read the devices' passwords");
            let cure = "write tls = \"starttls\" with certificate and key, and leave this out";
            section.warning("auth_in_clear", complaint.hint(cure));
        }
        (false, false) => {}
    }
}

fn too_wide(network: &Network, outside: &SocketAddr, auth: DeviceAuth) -> Complaint {
    let who = match auth {
        DeviceAuth::AcceptAny => "any login succeeds there",
        _ => "no login is required there",
    };
    Complaint::new(format!("{network} is too wide for {outside}: {who}, so the relay would be open to strangers")).hint(
        "name private or link-local networks, or public ones of /24 (IPv6: /48) or longer; or write auth = \"required\"",
    )
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}
