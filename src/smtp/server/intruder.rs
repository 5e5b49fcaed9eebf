//! Peers that do not speak SMTP: browsers, TLS clients on a clear port, proxies, SOCKS clients.
//!
//! A web page must not be able to post mail to localhost, so an HTTP line ends the session wherever it comes, and what
//! follows it is never read. Decides on octets alone, the same however they were cut.

use std::time::Duration;

/// What the peer seems to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intruder {
    /// A method or a header line.
    Http,
    /// A `ClientHello`.
    Tls,
    /// The PROXY protocol, version 1 or 2.
    Proxy,
    /// SOCKS 4 or 5.
    Socks,
}

impl Intruder {
    /// What it is and what to do, for the log.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Http => "the peer speaks HTTP; a web page or a health check is pointed at this port",
            Self::Tls => {
                "the peer starts TLS at once; set tls = \"implicit\" on this listener, or switch the device to no encryption or STARTTLS"
            }
            Self::Proxy => {
                "the peer sends a PROXY protocol header; switch that off in the proxy in front (send-proxy, proxyProtocol)"
            }
            Self::Socks => "the peer speaks SOCKS; this port is no proxy",
        }
    }
}

const PROXY_V2: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// How long an empty first line may wait for what would make it a PROXY header.
pub(super) const PROXY_PATIENCE: Duration = Duration::from_secs(1);

/// Looks at the octets where a line would begin; some protocols show in the very first.
pub(super) fn in_octets(octets: &[u8]) -> Option<Intruder> {
    match octets {
        // Handshake record; an SSLv2-style hello begins with the high bit set, which no command does either.
        [0x16 | 0x80, ..] => Some(Intruder::Tls),
        [0x04 | 0x05, ..] => Some(Intruder::Socks),
        _ if octets.starts_with(PROXY_V2) => Some(Intruder::Proxy),
        _ => None,
    }
}

/// Whether the octets are a beginning of the PROXY v2 signature, whose first line is empty.
pub(super) fn may_become_proxy(octets: &[u8]) -> bool {
    octets.starts_with(b"\r\n") && octets.len() < PROXY_V2.len() && PROXY_V2.starts_with(octets)
}

/// Looks at one line.
pub(super) fn in_line(line: &[u8]) -> Option<Intruder> {
    const METHODS: [&[u8]; 10] =
        [b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"CONNECT", b"PATCH", b"TRACE", b"PRI"];
    let word = line.split(|&c| c == b' ').next().unwrap_or(line);
    if line.starts_with(b"PROXY ") {
        return Some(Intruder::Proxy);
    }
    if word.len() < line.len() && METHODS.contains(&word) {
        return Some(Intruder::Http);
    }
    is_header_line(line).then_some(Intruder::Http)
}

/// `Name: value`, where the name is no verb of SMTP: headers of a request whose first line was missed.
pub(super) fn is_header_line(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|&c| c == b':') else { return false };
    let name = &line[..colon];
    let spaced = matches!(line.get(colon + 1), None | Some(b' ' | b'\t'));
    let token = !name.is_empty() && name.iter().all(|&c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
    token && spaced && crate::smtp::command::verb(line).is_none()
}

/// A line of nothing but base64, long enough to be a user name or a password (HP printers send one outside AUTH).
pub(super) fn looks_like_base64(line: &[u8]) -> bool {
    line.len() >= 4 && crate::smtp::sasl::decode_base64(line).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_protocols_are_told_apart_from_commands() {
        assert_eq!(in_line(b"POST / HTTP/1.1"), Some(Intruder::Http));
        assert_eq!(in_line(b"Host: localhost:25"), Some(Intruder::Http));
        assert_eq!(in_line(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 25"), Some(Intruder::Proxy));
        assert_eq!(in_octets(b"\x16\x03\x01"), Some(Intruder::Tls));
        assert_eq!(in_octets(b"\x05\x01\x00"), Some(Intruder::Socks));
        for command in
            ["MAIL FROM: <a@b>", "RCPT TO:<a@b>", "NOOP", "mail : x", "ZTQ5ZjM5", "GET", "EHLO: x", "XCLIENT ADDR=1"]
        {
            assert_eq!(in_line(command.as_bytes()), None, "{command}");
        }
    }
}
