//! The guard of promise 8: the relay is never open.
//!
//! A [`Guarded`] address can be made only by [`Guarded::admit`], and [`super::listen`] binds nothing else: a listener
//! that anyone could use does not compile. Beyond loopback it takes required AUTH, or an allow-list whose every range
//! is private or narrow. Says which entry is at fault and what to do; does not accept connections.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::network::Network;
use super::stream::canonical;

/// The rules of a listener, as far as they decide who can use it.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// `allow`: who may connect.
    pub allow: &'a [Network],
    /// `auth`: whether a login protects it.
    pub auth: Auth,
    /// How a password given to AUTH would travel.
    pub passwords: Passwords,
}

/// What AUTH does for a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Not offered.
    None,
    /// Offered, but mail is taken without it or with any login.
    Offered,
    /// No mail without a login that was checked.
    Required,
}

/// How passwords of devices travel to a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passwords {
    /// Only inside TLS: AUTH is offered after STARTTLS, or the listener speaks TLS from the first octet.
    InsideTls,
    /// In clear, because the administrator said `auth_in_clear = true`.
    ClearByChoice,
    /// In clear: there is no TLS, and nobody said that this is meant.
    Clear,
}

/// A listening address that passed the guard, and who may connect to it.
#[derive(Debug, Clone)]
pub struct Guarded {
    address: SocketAddr,
    allow: Arc<[Network]>,
}

/// Why an address may not be listened on; the text says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error(
        "{address} can be reached from other machines and `allow` holds {entry}, which is too wide: anyone there could send mail through your accounts; name the devices' own networks (private ranges, or at most a /24 of IPv4 or a /48 of IPv6), or set `auth = \"required\"`"
    )]
    TooWide { address: SocketAddr, entry: Network },
    #[error(
        "{address} can be reached from other machines and `allow` is empty; name the devices' networks in `allow`, or set `auth = \"required\"`"
    )]
    NobodyAllowed { address: SocketAddr },
    #[error(
        "{address} can be reached from other machines and AUTH would carry passwords in clear; set `tls = \"starttls\"` with `certificate` and `key`, or say `auth_in_clear = true` if the devices can do no better"
    )]
    PasswordsInClear { address: SocketAddr },
}

impl Guarded {
    /// Checks an address against promise 8.
    ///
    /// Loopback always passes, whatever the allow-list says: only this machine can reach it (unless its administrator
    /// forwards a port to it, which no program can see). Everything else counts as reachable from elsewhere,
    /// `0.0.0.0` and `[::]` included.
    ///
    /// # Errors
    /// When the listener would be open, or would take passwords in clear without being told so.
    pub fn admit(address: SocketAddr, rules: &Rules<'_>) -> Result<Self, Refused> {
        let address = canonical(address);
        if !address.ip().is_loopback() {
            if rules.auth != Auth::Required {
                if rules.allow.is_empty() {
                    return Err(Refused::NobodyAllowed { address });
                }
                if let Some(&entry) = rules.allow.iter().find(|network| !network.is_admissible()) {
                    return Err(Refused::TooWide { address, entry });
                }
            }
            if rules.auth != Auth::None && rules.passwords == Passwords::Clear {
                return Err(Refused::PasswordsInClear { address });
            }
        }
        Ok(Self { address, allow: rules.allow.into() })
    }

    /// The address as it will be bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether a peer may talk to this listener at all (`allow`).
    #[must_use]
    pub fn allows(&self, peer: IpAddr) -> bool {
        self.allow.iter().any(|network| network.contains(peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(address: &str, allow: &[&str], auth: Auth, passwords: Passwords) -> Result<Guarded, Refused> {
        let allow: Vec<Network> = allow.iter().map(|text| text.parse().unwrap()).collect();
        Guarded::admit(address.parse().unwrap(), &Rules { allow: &allow, auth, passwords })
    }

    #[test]
    fn loopback_passes_with_any_rules() {
        for address in ["127.0.0.1:25", "127.8.8.8:25", "[::1]:25", "[::ffff:127.0.0.1]:25"] {
            assert!(admit(address, &["0.0.0.0/0"], Auth::None, Passwords::Clear).is_ok(), "{address}");
            assert!(admit(address, &["127.0.0.0/8"], Auth::Required, Passwords::Clear).is_ok(), "{address}");
        }
    }

    #[test]
    fn beyond_loopback_a_wide_entry_is_named_and_refused() {
        for address in ["0.0.0.0:25", "[::]:25", "192.168.1.5:25", "[::ffff:192.168.1.5]:25", "[fe80::1]:25"] {
            let refused =
                admit(address, &["10.0.0.0/8", "8.0.0.0/8"], Auth::Offered, Passwords::InsideTls).unwrap_err();
            assert!(matches!(refused, Refused::TooWide { .. }), "{address}: {refused:?}");
            let said = refused.to_string();
            assert!(said.contains("8.0.0.0/8") && said.contains("auth = \"required\""), "{said}");
        }
        assert!(matches!(admit("0.0.0.0:25", &[], Auth::None, Passwords::Clear), Err(Refused::NobodyAllowed { .. })));
    }

    #[test]
    fn beyond_loopback_private_ranges_or_required_auth_pass() {
        assert!(admit("0.0.0.0:25", &["192.168.0.0/16", "fd00::/8"], Auth::None, Passwords::Clear).is_ok());
        assert!(admit("[::]:587", &["::/0", "0.0.0.0/0"], Auth::Required, Passwords::InsideTls).is_ok());
    }

    #[test]
    fn passwords_in_clear_beyond_loopback_must_be_asked_for() {
        for auth in [Auth::Offered, Auth::Required] {
            let refused = admit("10.0.0.1:25", &["10.0.0.0/8"], auth, Passwords::Clear).unwrap_err();
            assert!(refused.to_string().contains("auth_in_clear = true"), "{refused}");
            assert!(admit("10.0.0.1:25", &["10.0.0.0/8"], auth, Passwords::ClearByChoice).is_ok());
        }
    }

    #[test]
    fn the_allow_list_is_applied_to_canonical_peers() {
        let guarded = admit("0.0.0.0:25", &["192.168.1.0/24"], Auth::None, Passwords::Clear).unwrap();
        assert!(guarded.allows("::ffff:192.168.1.9".parse().unwrap()));
        assert!(!guarded.allows("192.168.2.9".parse().unwrap()));
        assert!(!guarded.allows("127.0.0.1".parse().unwrap()));
    }
}
