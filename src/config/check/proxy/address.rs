//! `socks5://USER:PASSWORD@host:port`, as people write it.
//!
//! Split by hand and not by the `url` crate: that one refuses the signs that passwords are pasted with, and does not
//! tell a port that is missing from one that is the scheme's own. No complaint repeats a part of the text, which may
//! hold a password.

use std::net::{IpAddr, Ipv6Addr};

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use crate::config::finding::Complaint;
use crate::config::values;
use crate::diagnosis::ProxyOrigin;
use crate::net::proxy::{Login, Protocol, Proxy};
use crate::secret::Secret;

/// RFC 1928 §3: "conventionally located on TCP port 1080". HTTP proxies have no such convention.
const SOCKS_PORT: u16 = 1080;
/// RFC 1929 §2: the length is one octet.
const LONGEST_IN_SOCKS: usize = 255;

/// The parts of an address, understood.
pub(super) struct Written {
    protocol: Protocol,
    host: String,
    port: u16,
    username: Option<String>,
    pub(super) password: Option<Secret>,
}

/// Reads the address of a proxy.
pub(super) fn read(text: &str) -> Result<Written, Complaint> {
    let Some((scheme, rest)) = text.trim().split_once("://") else {
        return Err(Complaint::new("this does not say what kind of proxy it is")
            .hint("write \"socks5://host:1080\" or \"http://host:3128\"; \"none\" for no proxy"));
    };
    let protocol = protocol(scheme)?;
    // The last @, for there may be one in the password.
    let (login, place) = rest.rsplit_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
    let (host, port) = host_and_port(place.strip_suffix('/').unwrap_or(place))?;
    let port = match (port, protocol) {
        (Some(port), _) => port,
        (None, Protocol::Socks5) => SOCKS_PORT,
        (None, Protocol::HttpConnect) => {
            return Err(Complaint::new("the port is missing")
                .hint("write \"http://host:3128\"; HTTP proxies have no port of their own, 3128 and 8080 are common"));
        }
    };
    let (username, password) = login.map(user_and_password).transpose()?.unwrap_or_default();
    Ok(Written { protocol, host, port, username, password })
}

fn protocol(scheme: &str) -> Result<Protocol, Complaint> {
    match scheme.to_ascii_lowercase().as_str() {
        "socks5" | "socks5h" => Ok(Protocol::Socks5),
        "http" => Ok(Protocol::HttpConnect),
        "https" => Err(Complaint::new("a proxy that is itself spoken to over TLS is not supported").hint(
            "most proxies are spoken to in clear: write \"http://host:port\"; mail and tokens are encrypted inside",
        )),
        "socks4" | "socks4a" => Err(Complaint::new("SOCKS version 4 is not supported")
            .hint("most such proxies also speak version 5: write \"socks5://host:1080\"")),
        "socks" => Err(Complaint::new("this does not say which version of SOCKS the proxy speaks")
            .hint("write \"socks5://host:1080\"")),
        _ => Err(Complaint::new("there is no proxy of this kind")
            .hint("a proxy begins with socks5:// or http:// (which also carries mail, by CONNECT)")),
    }
}

fn host_and_port(place: &str) -> Result<(String, Option<u16>), Complaint> {
    let bracketed = place.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host, port) = match bracketed {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').unwrap_or_default())),
        None if place.parse::<Ipv6Addr>().is_ok() => {
            return Err(Complaint::new("an IPv6 address stands in brackets here").hint("write \"socks5://[::1]:1080\""));
        }
        None => place.rsplit_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let is_address = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6() == bracketed.is_some());
    if !is_address && (bracketed.is_some() || !values::is_domain(host)) {
        return Err(Complaint::new("the host of the proxy is neither a name nor an address")
            .hint("write \"socks5://proxy.example.com:1080\"; in a login %40 stands for @ and %2F for /"));
    }
    let number = |port: &str| port.parse().ok().filter(|port| *port != 0u16);
    match port.map(|port| {
        number(port).ok_or_else(|| {
            Complaint::new("the port of a proxy is a number from 1 to 65535")
                .hint("write socks5://host:1080 or http://host:3128")
        })
    }) {
        Some(port) => Ok((host.to_owned(), Some(port?))),
        None => Ok((host.to_owned(), None)),
    }
}

fn user_and_password(login: &str) -> Result<(Option<String>, Option<Secret>), Complaint> {
    let (user, password) = login.split_once(':').map_or((login, None), |(user, password)| (user, Some(password)));
    let decoded = |text: &str| {
        let text = percent_decode_str(text).decode_utf8().map(std::borrow::Cow::into_owned);
        text.map_err(|_| Complaint::new("the login in the address of the proxy is not UTF-8"))
    };
    let password = password.map(decoded).transpose()?.map(Zeroizing::new);
    let password = password.filter(|text| !text.is_empty()).map(|text| Secret::new(text.to_string()));
    Ok((Some(decoded(user)?), password))
}

impl Written {
    /// The proxy, with the password from here or from `separate`.
    pub(super) fn into_proxy(self, separate: Option<Secret>, origin: ProxyOrigin) -> Result<Proxy, Complaint> {
        let Self { protocol, host, port, username, password } = self;
        let of_account = origin == ProxyOrigin::Account;
        let login = match (username, password.or(separate)) {
            (None, None) => None,
            (None, Some(_)) => {
                return Err(Complaint::new("there is a password for the proxy, and no user name")
                    .hint("write the user name before the host: \"socks5://USER@host:1080\""));
            }
            (Some(_), None) if of_account => {
                return Err(Complaint::new("there is a user name for the proxy, and no password")
                    .hint("write proxy_password_file = \"…\", a file with the password on one line"));
            }
            (Some(_), None) => {
                return Err(Complaint::new("there is a user name for the proxy, and no password")
                    .hint("write \"socks5://USER:PASSWORD@host:1080\""));
            }
            (Some(username), Some(password)) => Some(login(protocol, username, password)?),
        };
        Ok(Proxy { protocol, host, port, login, origin })
    }
}

/// A login the protocol can carry.
fn login(protocol: Protocol, username: String, password: Secret) -> Result<Login, Complaint> {
    if username.is_empty() {
        return Err(Complaint::new("the user name for the proxy is empty"));
    }
    let complaint = match protocol {
        Protocol::Socks5 if username.len().max(password.octets()) > LONGEST_IN_SOCKS => {
            Some("SOCKS5 takes user names and passwords of at most 255 octets")
        }
        // RFC 7617 §2
        Protocol::HttpConnect if username.contains(':') => Some("an HTTP proxy takes no user name with a colon in it"),
        _ if username.contains(char::is_control) => Some("the user name for the proxy holds a control character"),
        _ => None,
    };
    complaint.map_or(Ok(Login { username, password }), |why| Err(Complaint::new(why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(text: &str) -> Result<Proxy, Complaint> {
        read(text)?.into_proxy(None, ProxyOrigin::Account)
    }

    #[test]
    fn an_address_is_understood_however_it_is_written() {
        for (text, shown) in [
            ("socks5://proxy.example.com:9050", "socks5://proxy.example.com:9050"),
            ("SOCKS5h://proxy", "socks5://proxy:1080"),
            (" http://192.0.2.1:80/ ", "http://192.0.2.1:80"),
            ("http://[2001:db8::1]:8080", "http://[2001:db8::1]:8080"),
            ("socks5://[::1]", "socks5://[::1]:1080"),
        ] {
            let proxy = proxy(text).unwrap();
            assert_eq!(proxy.to_string(), shown);
            assert!(proxy.login.is_none());
        }
    }

    #[test]
    fn a_login_may_hold_the_signs_that_people_paste() {
        for (text, user, password) in [
            ("socks5://me:p%40ss@host", "me", "p@ss"),
            ("socks5://me:p@ss/w#rd?:x@host", "me", "p@ss/w#rd?:x"),
            ("http://a%20b:100%@host:1", "a b", "100%"),
        ] {
            let login = proxy(text).unwrap().login.unwrap();
            assert_eq!((login.username.as_str(), login.password.expose()), (user, password));
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_apart() {
        for (text, words) in [
            ("proxy.example.com:1080", "what kind"),
            ("https://proxy:443", "over TLS"),
            ("socks4://proxy:1080", "version 4"),
            ("socks4a://proxy:1080", "version 4"),
            ("socks://proxy:1080", "which version"),
            ("ftp://proxy:21", "of this kind"),
            ("http://proxy", "port is missing"),
            ("socks5://proxy:0", "from 1 to 65535"),
            ("socks5://proxy:70000", "from 1 to 65535"),
            ("socks5://[::1]1080", "from 1 to 65535"),
            ("socks5://::1", "in brackets"),
            ("socks5://", "neither a name"),
            ("socks5://[proxy]:1", "neither a name"),
            ("http://proxy:3128/path", "from 1 to 65535"),
            ("socks5://me@proxy", "no password"),
            ("socks5://:word@proxy", "is empty"),
            ("http://a%3Ab:word@proxy:1", "colon"),
            ("socks5://me:%ff%fe@proxy", "not UTF-8"),
            ("socks5://a%0Ab:word@proxy", "control character"),
        ] {
            let complaint = proxy(text).err().unwrap_or_else(|| panic!("{text} was taken"));
            assert!(complaint.message.contains(words), "{text}: {}", complaint.message);
        }
        let long = format!("socks5://me:{}@proxy", "x".repeat(256));
        assert!(proxy(&long).is_err() && proxy(&long.replace("socks5", "http").replace("@proxy", "@proxy:1")).is_ok());
    }
}
