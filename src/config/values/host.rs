//! Host names, ports, and what people write in their place: schemes, ports, brackets, dots too many.
//!
//! A complaint says a host again only where it was understood as one (promise 4). Looks nothing up.

use std::net::IpAddr;

use super::{Read, text};
use crate::config::finding::Complaint;
use crate::config::tree::Value;

/// A host name as in DNS.
pub(in crate::config) fn domain(value: &Value) -> Read<String> {
    let text = text(value, "a host name such as \"relay.example.com\"")?;
    if is_domain(text) { Ok(text.to_owned()) } else { Err(no_domain(text, "\"relay.example.com\"")) }
}

/// What can stand behind EHLO: a host name or an address literal (RFC 5321 §4.1.3).
pub(in crate::config) fn helo_name(value: &Value) -> Read<String> {
    let text = text(value, "a host name or an address literal")?;
    let literal = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(|inner| {
        match inner.strip_prefix("IPv6:") {
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
            None => inner.parse::<std::net::Ipv4Addr>().is_ok(),
        }
    });
    if literal || is_domain(text) {
        return Ok(text.to_owned());
    }
    let bare = |ip| Complaint::new("an IP address stands in square brackets here").hint(format!("write \"{ip}\""));
    Err(match text.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => bare(format!("[{ip}]")),
        Ok(IpAddr::V6(ip)) => bare(format!("[IPv6:{ip}]")),
        Err(_) => no_domain(text, "\"relay.example.com\" or an address literal such as \"[192.0.2.1]\""),
    })
}

/// The provider's host: a name or an address, and nothing else.
pub(in crate::config) fn host(value: &Value) -> Read<String> {
    let text = text(value, "a host name such as \"smtp.example.com\"")?.trim();
    if is_domain(text) || text.parse::<IpAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    let separately = "write host = \"smtp.example.com\" and port = 465, each on a line of its own";
    Err(if text.is_empty() {
        Complaint::new("the host is empty")
            .hint("write host = \"smtp.example.com\", the name your provider gives for SMTP")
    } else if text.contains("://") {
        Complaint::new("a host has no scheme such as smtp:// before it").hint(separately)
    } else if text.contains('@') {
        Complaint::new("this is an address or holds a login, not a host")
            .hint("write host = \"smtp.example.com\", and username = \"…\" for the login")
    } else if let Ok(ip) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Complaint::new("an address stands here without brackets").hint(format!("write host = \"{ip}\""))
    } else if let Some((host, port)) = text.rsplit_once(':').filter(|(host, _)| is_domain(host) || is_address(host)) {
        let hint = apart(host, port).unwrap_or_else(|| separately.into());
        Complaint::new("the port does not stand in the host").hint(hint)
    } else {
        no_domain(text, "\"smtp.example.com\", or an IP address")
    })
}

/// Why a text is no host name; `such_as` says what would be one.
fn no_domain(text: &str, such_as: &str) -> Complaint {
    let expected = |why: &str| Complaint::new(why).hint(format!("write a host name such as {such_as}"));
    let last = text.rsplit('.').next().unwrap_or_default();
    if text.is_empty() {
        expected("the name is empty")
    } else if let Some(name) = text.strip_suffix('.').filter(|name| is_domain(name)) {
        // A root zone's dot is right in DNS, and wrong in TLS and SMTP.
        with_name(Complaint::new("a host name has no dot at its end here"), name)
    } else if !text.is_ascii() {
        let name = punycode(text).unwrap_or_default();
        with_name(Complaint::new("a host name with other letters than a to z is written in its ASCII form here"), &name)
    } else if text.contains(char::is_whitespace) {
        expected("there is white space in this name")
    } else if text.contains('@') {
        expected("an @ does not belong to a host name")
    } else if text.contains(':') {
        expected("neither a port nor a scheme belongs to a host name")
    } else if text.contains('/') {
        expected("a path or a slash does not belong to a host name")
    } else if text.len() > 253 {
        expected("this name is longer than 253 characters (RFC 1035 §2.3.4)")
    } else if text.split('.').any(str::is_empty) {
        expected("there is a dot at the beginning of this name, or two in a row")
    } else if text.split('.').any(|label| label.len() > 63) {
        expected("a part of this name is longer than 63 characters (RFC 1035 §2.3.4)")
    } else if text.split('.').any(|label| label.starts_with('-') || label.ends_with('-')) {
        expected("a part of this name begins or ends with a hyphen")
    } else if last.bytes().all(|b| b.is_ascii_digit()) {
        expected("this is neither a name nor a whole IP address")
    } else {
        expected("a name has letters, digits, hyphens and dots alone")
    }
}

/// Says the name to write, if it is surely one: it has a dot.
fn with_name(complaint: Complaint, name: &str) -> Complaint {
    if is_domain(name) && name.contains('.') { complaint.hint(format!("write \"{name}\"")) } else { complaint }
}

/// The form of an internationalised name that DNS knows (RFC 5891).
pub(super) fn punycode(name: &str) -> Option<String> {
    let url = oauth2::url::Url::parse(&format!("https://{name}/")).ok()?;
    url.domain().filter(|domain| is_domain(domain)).map(str::to_owned)
}

/// The two lines to write for `host:port`; only for what can hardly be anything else, since a login and its password
/// are written with a colon between them as well.
fn apart(host: &str, port: &str) -> Option<String> {
    let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
    if !is_domain(host) || !host.contains('.') {
        return None;
    }
    Some(match port {
        25 | 587 => {
            format!("write host = \"{host}\", port = {port} and encryption = \"starttls\", each on a line of its own")
        }
        _ => format!("write host = \"{host}\" and port = {port}, each on a line of its own"),
    })
}

/// What to say about a port that is none, after its range.
pub(in crate::config) fn no_port(value: &Value, complaint: Complaint) -> Complaint {
    let usual = "the usual ports are 465 (encryption = \"implicit\") and 587 (encryption = \"starttls\")";
    match value {
        Value::List(_) => Complaint::new("an account has one port").hint(usual),
        Value::Integer(0) => Complaint::new("port 0 is no port").hint(usual),
        Value::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "smtps" | "submissions" | "ssl" => complaint.hint("write port = 465"),
            "submission" | "starttls" | "tls" => complaint.hint("write port = 587"),
            "smtp" => complaint.hint("write port = 25"),
            _ => complaint.hint(usual),
        },
        _ => complaint.hint(usual),
    }
}

pub(super) fn is_address(host: &str) -> bool {
    host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
}

/// RFC 1123 §2.1, and the underscore that some private networks use.
pub(in crate::config) fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    // A last label of digits alone would be an address that is none.
    let numeric = |last: &str| last.bytes().all(|b| b.is_ascii_digit());
    text.len() <= 253 && text.split('.').all(label) && !text.rsplit('.').next().is_some_and(numeric)
}

/// Whether a host is this machine by its very name: a loopback literal, or `localhost`.
pub(in crate::config) fn is_loopback(host: &str) -> bool {
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost"),
    }
}

/// Whether a host is this machine, or by its address one of the own network (RFC 1918, RFC 4193, link-local).
pub(in crate::config) fn is_nearby(host: &str) -> bool {
    is_loopback(host)
        || match host.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
            Ok(IpAddr::V4(ip)) => ip.is_private() || ip.is_link_local(),
            Ok(IpAddr::V6(ip)) => ip.is_unique_local() || ip.is_unicast_link_local(),
            Err(_) => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Value {
        Value::Text(text.to_owned().into())
    }

    #[test]
    fn hosts_are_names_or_addresses_and_nothing_else() {
        for good in
            ["smtp.example.com", "localhost", "mail_1.lan", "192.0.2.1", "2001:db8::25", "xn--bcher-kva.example"]
        {
            assert!(host(&written(good)).is_ok(), "{good}");
        }
        for bad in
            ["", "1.2.3", "smtp.example.com.", "-a.example", "a..b", "smtp.example.com/", "a b", "bücher.example"]
        {
            assert!(host(&written(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn this_machine_has_several_names() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "::1", "[::1]", "::ffff:127.0.0.1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example.com", "128.0.0.1", "127.0.0.1.example.com", "::2"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
