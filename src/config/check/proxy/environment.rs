//! `ALL_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, as curl understands them.
//!
//! Small letters win over capitals, an empty variable is none. `https_proxy` is for token calls, `all_proxy` for those
//! and for SMTP. This machine itself is never reached through a proxy of the environment. A variable is complained of
//! only when it would be used, and once. Reads no environment itself: it is given as a map.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::IpAddr;

use super::super::oauth;
use super::{address, in_clear};
use crate::account::Source;
use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::tree::Origin;
use crate::config::values;
use crate::diagnosis::ProxyOrigin;
use crate::net::network::Network;
use crate::net::proxy::{Proxies, Proxy};

/// What the environment says about proxies.
#[derive(Default)]
pub(in crate::config) struct Environment {
    all: Option<Variable>,
    https: Option<Variable>,
    bypass: Bypass,
}

/// One variable that holds a proxy.
struct Variable {
    name: String,
    /// Nothing if it cannot be read.
    proxy: Option<Proxy>,
    /// What is to be said of it when it is used for the first time.
    note: Cell<Option<Complaint>>,
}

/// `NO_PROXY`: where to go straight.
#[derive(Default)]
struct Bypass(Vec<Exception>);

enum Exception {
    Everything,
    /// The name, and every name below it.
    Domain(String),
    Addresses(Network),
}

impl Environment {
    /// Looks at the variables and complains of nothing yet.
    pub(in crate::config) fn new(variables: &BTreeMap<String, String>) -> Self {
        let find = |names: [&str; 2]| {
            let given = |name: &str| variables.get(name).map(|value| (name.to_owned(), value.trim()));
            names.into_iter().filter_map(given).find(|(_, value)| !value.is_empty())
        };
        Self {
            all: find(["all_proxy", "ALL_PROXY"]).map(|(name, value)| Variable::read(name, value)),
            https: find(["https_proxy", "HTTPS_PROXY"]).map(|(name, value)| Variable::read(name, value)),
            bypass: find(["no_proxy", "NO_PROXY"]).map(|(_, value)| Bypass::read(value)).unwrap_or_default(),
        }
    }

    /// The proxies for an account that says nothing itself.
    pub(super) fn of(&self, section: &Section<'_>, host: &str, credential: &Source) -> Proxies {
        let endpoint = oauth::endpoint_host(credential);
        let pick = |variable: Option<&Variable>, host: &str| {
            variable.filter(|_| !self.is_reached_straight(host)).and_then(|variable| variable.take(section))
        };
        Proxies {
            smtp: pick(self.all.as_ref(), host),
            http: endpoint.and_then(|host| pick(self.https.as_ref().or(self.all.as_ref()), &host)),
        }
    }

    fn is_reached_straight(&self, host: &str) -> bool {
        host.is_empty() || values::is_loopback(host) || self.bypass.covers(host)
    }
}

impl Variable {
    /// As curl does, takes `host:port` for an HTTP proxy.
    fn read(name: String, value: &str) -> Self {
        let whole = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
        let origin = ProxyOrigin::Variable(name.clone());
        match address::read(&whole).and_then(|written| written.into_proxy(None, origin)) {
            Ok(proxy) => Self { name, note: Cell::new(in_clear(&proxy)), proxy: Some(proxy) },
            Err(complaint) => Self { name, note: Cell::new(Some(complaint)), proxy: None },
        }
    }

    fn take(&self, section: &Section<'_>) -> Option<Proxy> {
        let (origin, key) = (Origin::Variable(self.name.as_str().into()), section.key("proxy"));
        match (self.note.take(), &self.proxy) {
            (Some(risk), Some(_)) => section.warning_at(&origin, &key, risk),
            (Some(complaint), None) => section.error_at(&origin, &key, straight_instead(complaint)),
            (None, _) => {}
        }
        self.proxy.clone()
    }
}

fn straight_instead(complaint: Complaint) -> Complaint {
    let correct = complaint.hint.as_deref().unwrap_or("correct the variable").to_owned();
    complaint.hint(format!("{correct}; for an account that needs no proxy write proxy = \"none\" in it"))
}

impl Bypass {
    fn read(list: &str) -> Self {
        let words = list.split([',', ' ', '\t']).map(str::trim).filter(|word| !word.is_empty());
        let exception = |word: &str| match bare(word).parse() {
            _ if word == "*" => Exception::Everything,
            Ok(network) => Exception::Addresses(network),
            Err(_) => Exception::Domain(word.trim_matches('.').to_ascii_lowercase()),
        };
        Self(words.map(exception).collect())
    }

    fn covers(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let ip = bare(&host).parse::<IpAddr>();
        self.0.iter().any(|exception| match (exception, &ip) {
            (Exception::Everything, _) => true,
            (Exception::Addresses(network), Ok(ip)) => network.contains(*ip),
            (Exception::Domain(domain), Err(_)) => {
                host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            _ => false,
        })
    }
}

/// An IPv6 address without its brackets.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_means_what_it_means_to_curl() {
        for (list, host, straight) in [
            ("example.com", "example.com", true),
            ("example.com", "smtp.Example.COM.", true),
            (".example.com", "smtp.example.com", true),
            (".example.com", "example.com", true),
            ("example.com", "notexample.com", false),
            ("smtp.example.com", "example.com", false),
            ("localhost, example.net\texample.com", "smtp.example.com", true),
            ("*", "smtp.example.com", true),
            ("*", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.10", false),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("[2001:db8::1]", "2001:db8::1", true),
            ("2001:db8::/32", "[2001:db8::7]", true),
            // Digits of an address are no labels of a name.
            ("2.1", "192.0.2.1", false),
            ("10.0.0.0/8", "smtp.example.com", false),
            ("", "smtp.example.com", false),
            (",,", "smtp.example.com", false),
        ] {
            assert_eq!(Bypass::read(list).covers(host), straight, "{list:?} {host}");
        }
    }
}
