//! What a device may do: the rules of a listener, applied. Pure.
//!
//! Answers the dialogue's questions about login, sender and recipient, and says whose a connection is. An address
//! without a domain is completed or redirected here, so that only complete ones go on (RFC 6409 §4.2). Touches no
//! socket and no clock.

use std::collections::HashMap;
use std::net::IpAddr;

use super::settings::{Addressing, DeviceSettings, ListenerSettings};
use crate::account::book::Book;
use crate::ids::{AccountName, DeviceName, ListenerName};
use crate::mail::address::Address;
use crate::mail::envelope::{Recipient, ReversePath, Sender};
use crate::secret::Secret;
use crate::smtp::reply::Refusal;
use crate::smtp::sasl::proof::Proof;

/// What the door must know of an account.
#[derive(Debug, Clone)]
pub struct AccountFacts {
    /// Its address, whose domain completes senders when there is no `default_domain`.
    pub address: Option<Address>,
    /// Most recipients in one transaction; more would need a second one, which a pure proxy cannot promise.
    pub recipients_per_message: usize,
}

/// The rules of one listener.
#[derive(Debug)]
pub struct Policy {
    listener: ListenerSettings,
    devices: HashMap<String, DeviceSettings>,
    addressing: Addressing,
    book: Book,
    accounts: HashMap<AccountName, AccountFacts>,
}

/// Why a login is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRefused {
    /// The name, if it is one of `[devices]`: any other may be a password in the wrong field.
    pub known: Option<DeviceName>,
    /// The same for an unknown name and a wrong password.
    pub refusal: Refusal,
}

impl Policy {
    /// Puts the rules together.
    #[must_use]
    pub fn new(
        listener: ListenerSettings,
        devices: Vec<DeviceSettings>,
        addressing: Addressing,
        book: Book,
        accounts: HashMap<AccountName, AccountFacts>,
    ) -> Self {
        let devices = devices.into_iter().map(|device| (device.name.as_str().to_ascii_lowercase(), device)).collect();
        Self { listener, devices, addressing, book, accounts }
    }

    /// What the listener is called.
    #[must_use]
    pub fn listener(&self) -> &ListenerName {
        &self.listener.name
    }

    /// Whose a connection is before it signs in: on loopback all sources of one listener are one device.
    #[must_use]
    pub fn device_of(&self, peer: IpAddr) -> DeviceName {
        let peer = peer.to_canonical();
        if peer.is_loopback() { "loopback".into() } else { peer.to_string().as_str().into() }
    }

    /// Whether a device may sign in without TLS from here.
    #[must_use]
    pub fn auth_in_clear(&self, peer: IpAddr) -> bool {
        self.listener.auth_in_clear || peer.to_canonical().is_loopback()
    }

    /// Whose a login is, of `[devices]`. Takes the same time whatever is wrong, and derives no key. Where any login
    /// will do (`accept_any`) the dialogue does not ask.
    ///
    /// # Errors
    /// When it is not one of ours.
    pub fn login(&self, username: &str, proof: &Proof) -> Result<DeviceName, LoginRefused> {
        let device = self.devices.get(&username.to_ascii_lowercase());
        let nobodys = Secret::new(String::new());
        let fits = proof.fits(device.map_or(&nobodys, |device| &device.password));
        match device {
            Some(device) if fits => Ok(device.name.clone()),
            device => Err(LoginRefused {
                known: device.map(|d| d.name.clone()),
                refusal: Refusal::new(535, 7, 8, "Authentication failed"),
            }),
        }
    }

    /// The account for mail of a device that signed in as this, or did not: a source is never taken for a login.
    ///
    /// # Errors
    /// When nothing says which of several is meant.
    pub fn account(&self, login: Option<&DeviceName>) -> Result<&AccountName, Refusal> {
        let device = login.and_then(|name| self.devices.get(&name.as_str().to_ascii_lowercase()));
        let own = device.and_then(|device| device.account.as_ref());
        self.book.choose(own).map_err(|error| Refusal::new(451, 3, 5, error.to_string()))
    }

    /// May this sender send through that account? Completes its address.
    ///
    /// # Errors
    /// With what the device hears.
    pub fn sender(&self, sender: &mut Sender, account: &AccountName) -> Result<(), Refusal> {
        let ReversePath::Mailbox(address) = &mut sender.reverse_path else { return Ok(()) };
        if address.domain().is_none() {
            let domain = self.addressing.default_domain.as_deref().or_else(|| self.own_address(account)?.domain());
            *address = complete(address, domain, (1, 7))?;
        }
        if matches_any(&self.listener.senders, address.as_str()) {
            Ok(())
        } else {
            Err(Refusal::new(550, 7, 1, "This sender is not allowed here"))
        }
    }

    /// May this recipient receive, as the next after `before` others? Completes or redirects its address.
    ///
    /// # Errors
    /// With what the device hears.
    pub fn recipient(&self, recipient: &mut Recipient, account: &AccountName, before: usize) -> Result<(), Refusal> {
        let most = self.accounts.get(account).map_or(usize::MAX, |facts| facts.recipients_per_message);
        if before >= most {
            // The rest is to come in another transaction (RFC 5321 §4.5.3.1.10).
            return Err(Refusal::new(452, 5, 3, "Too many recipients for one message"));
        }
        recipient.address = self.redirected(&recipient.address, account)?;
        if matches_any(&self.listener.recipients, recipient.address.as_str()) {
            Ok(())
        } else {
            Err(Refusal::new(550, 7, 1, "This recipient is not allowed here"))
        }
    }

    fn redirected(&self, address: &Address, account: &AccountName) -> Result<Address, Refusal> {
        let key = address.as_str().to_ascii_lowercase();
        if let Some(target) = self.addressing.aliases.get(&key) {
            return Ok(target.clone());
        }
        if address.domain().is_some() {
            return Ok(address.clone());
        }
        // RFC 5321 §4.5.1: postmaster is always taken; here it is whoever set the account up.
        if key == "postmaster"
            && self.addressing.default_domain.is_none()
            && let Some(own) = self.own_address(account)
        {
            return Ok(own.clone());
        }
        complete(address, self.addressing.default_domain.as_deref(), (1, 3))
    }

    fn own_address(&self, account: &AccountName) -> Option<&Address> {
        self.accounts.get(account)?.address.as_ref()
    }
}

fn complete(address: &Address, domain: Option<&str>, (subject, detail): (u16, u16)) -> Result<Address, Refusal> {
    let text = "The address has no domain; set default_domain or [aliases] in the relay's configuration";
    let refusal = Refusal::new(553, subject, detail, text);
    let domain = domain.ok_or_else(|| refusal.clone())?;
    Address::parse(format!("{address}@{domain}").as_bytes()).map_err(|_| refusal)
}

fn matches_any(patterns: &[String], address: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern.as_bytes(), address.as_bytes()))
}

/// `*` stands for any octets, all else for itself in any case.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    // Where to go on when the octets after the last `*` do not fit: one octet further.
    let (mut p, mut t, mut retry) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(c) if c.eq_ignore_ascii_case(&text[t]) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after_star, from)) = retry else { return false };
                (p, t) = (after_star, from + 1);
                retry = Some((p, t));
            }
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests;
