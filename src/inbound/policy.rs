//! What a device may do: the rules of a listener, applied. Pure.
//!
//! Answers the dialogue's questions about login, sender and recipient, and says whose a connection is. An address
//! without a domain is completed or redirected here, so that only complete ones go on (RFC 6409 §4.2). Touches no
//! socket and no clock.

pub mod reach;

use std::collections::HashMap;
use std::net::IpAddr;

use super::limits::{Claim, Scope, Unit};
use super::settings::{Addressing, DeviceSettings, Limits, ListenerSettings};
use crate::account::book::{Book, BookError, Condition, Origin, Route, Rule};
use crate::ids::{AccountName, DeviceName, ListenerName};
use crate::mail::address::Address;
use crate::mail::envelope::{Envelope, ReversePath, Sender};
use crate::mail::pattern::any_matches;
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

/// What binds a recipient to those before it in the same mail.
#[derive(Debug, Clone, Copy)]
pub enum Company<'a> {
    /// Nothing: what cannot go together is kept and sent by itself.
    Free,
    /// All must go out in one transaction of one account, this one if there was a recipient before.
    Together(Option<&'a AccountName>),
}

/// Whose a connection is, as far as the rules look at it.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Its address, in any form.
    pub source: IpAddr,
    /// The login of `[devices]` it signed in with.
    pub login: Option<DeviceName>,
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

    /// Whose a connection is before it signs in: on loopback all sources of one listener are one device. No login can
    /// have such a name, because there is no `/` in one.
    #[must_use]
    pub fn device_of(&self, peer: IpAddr) -> DeviceName {
        let peer = peer.to_canonical();
        if peer.is_loopback() {
            format!("{}/loopback", self.listener.name).as_str().into()
        } else {
            peer.to_string().as_str().into()
        }
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

    /// May this sender send? Completes its address, in the same way whichever account it will go through.
    ///
    /// # Errors
    /// With what the device hears; also when there is no account for it, whoever the recipients are.
    pub fn sender(&self, caller: &Caller, sender: &mut Sender) -> Result<(), Refusal> {
        let routes = self.book.reachable(&self.origin(caller, &sender.reverse_path)).map_err(|e| no_account(&e))?;
        let ReversePath::Mailbox(address) = &mut sender.reverse_path else { return Ok(()) };
        if address.domain().is_none() {
            let domain = self.addressing.default_domain.as_deref().or_else(|| self.common_domain(&routes));
            *address = complete(address, domain, (1, 7))?;
        }
        let device = self.device(caller).map(|device| &device.senders);
        if [Some(&self.listener.senders), device].into_iter().flatten().all(|p| any_matches(p, address.as_str())) {
            Ok(())
        } else {
            Err(Refusal::new(550, 7, 1, "This sender is not allowed here"))
        }
    }

    /// May this recipient receive, as the next one of the envelope? Gives the address, completed or redirected, and its
    /// route.
    ///
    /// # Errors
    /// With what the device hears.
    pub fn recipient(
        &self,
        caller: &Caller,
        envelope: &Envelope,
        company: Company<'_>,
        address: &Address,
    ) -> Result<(Address, Route), Refusal> {
        let address = self.redirected(address);
        let origin = self.origin(caller, &envelope.sender.reverse_path);
        let route = self.book.choose(&origin, &address).map_err(|e| no_account(&e))?;
        let address = self.complete_recipient(address, route.account())?;
        let device = self.device(caller).map(|device| &device.recipients);
        if ![Some(&self.listener.recipients), device].into_iter().flatten().all(|p| any_matches(p, address.as_str())) {
            return Err(Refusal::new(550, 7, 1, "This recipient is not allowed here"));
        }
        if let Company::Together(first) = company {
            self.fits_in(envelope, first, route.account())?;
        }
        Ok((address, route))
    }

    /// What needs another transaction is to come in one (RFC 5321 §4.5.3.1.10).
    fn fits_in(&self, envelope: &Envelope, first: Option<&AccountName>, account: &AccountName) -> Result<(), Refusal> {
        if first.is_some_and(|first| first != account) {
            let text = "This recipient goes through another account and needs a mail of its own, send it again for it";
            return Err(Refusal::new(452, 5, 3, text));
        }
        let most = self.accounts.get(account).map_or(usize::MAX, |facts| facts.recipients_per_message);
        if envelope.recipients.len() >= most {
            return Err(Refusal::new(452, 5, 3, "Too many recipients for one message"));
        }
        Ok(())
    }

    /// Every route a mail of this sender may take; none if there is no account for it.
    #[must_use]
    pub fn routes(&self, caller: &Caller, sender: &ReversePath) -> Vec<Route> {
        self.book.reachable(&self.origin(caller, sender)).unwrap_or_default()
    }

    /// The route of mail that the relay itself sends for this caller.
    #[must_use]
    pub fn route(&self, caller: &Caller, sender: &ReversePath, address: &Address) -> Option<Route> {
        self.book.choose(&self.origin(caller, sender), address).ok()
    }

    /// How the account of a message to this recipient is found, rule by rule.
    #[must_use]
    pub fn explain(
        &self,
        caller: &Caller,
        sender: &ReversePath,
        address: &Address,
    ) -> Vec<(usize, Rule, Option<Condition>)> {
        let (address, origin) = (self.redirected(address), self.origin(caller, sender));
        self.book.explain(&origin, &address).map(|(index, rule, why_not)| (index, rule.clone(), why_not)).collect()
    }

    /// The limits of what this caller may send: its own, and those of each device here.
    #[must_use]
    pub fn claims(&self, caller: &Caller, unit: Unit) -> Vec<Claim> {
        let most = |limits: &Limits| match unit {
            Unit::Message => limits.messages_per_hour,
            Unit::Recipient => limits.recipients_per_day,
        };
        let own = self.device(caller).and_then(|device| most(&device.limits));
        let here = most(&self.listener.limits);
        let own = own.map(|most| Claim { scope: Scope::Login, most });
        let here = here.map(|most| Claim { scope: Scope::Listener(self.listener.name.clone()), most });
        own.into_iter().chain(here).collect()
    }

    fn origin<'a>(&'a self, caller: &'a Caller, sender: &'a ReversePath) -> Origin<'a> {
        let own = self.device(caller).and_then(|device| device.account.as_ref());
        let (login, source) = (caller.login.as_ref(), caller.source);
        Origin { sender, login, own, source, listener: &self.listener.name }
    }

    /// A source is never taken for a login.
    fn device(&self, caller: &Caller) -> Option<&DeviceSettings> {
        self.devices.get(&caller.login.as_ref()?.as_str().to_ascii_lowercase())
    }

    /// Where mail to this address goes instead, as far as that is the same for every account.
    fn redirected(&self, address: &Address) -> Address {
        if let Some(target) = self.addressing.aliases.get(&address.as_str().to_ascii_lowercase()) {
            return target.clone();
        }
        let domain = self.addressing.default_domain.as_deref().filter(|_| address.domain().is_none());
        // What cannot be completed is refused where the rest is.
        domain.and_then(|domain| complete(address, Some(domain), (1, 3)).ok()).unwrap_or_else(|| address.clone())
    }

    fn complete_recipient(&self, address: Address, account: &AccountName) -> Result<Address, Refusal> {
        if address.domain().is_some() {
            return Ok(address);
        }
        // RFC 5321 §4.5.1: postmaster is always taken; here it is whoever set the account up.
        let postmaster = address.as_str().eq_ignore_ascii_case("postmaster");
        if postmaster && let Some(own) = self.own_address(account) {
            return Ok(own.clone());
        }
        complete(&address, None, (1, 3))
    }

    /// The domain that all accounts of these routes have in common, as the last one, which takes the rest, writes it.
    fn common_domain(&self, routes: &[Route]) -> Option<&str> {
        let mut domains = routes.iter().rev().map(|route| self.own_address(route.account())?.domain());
        let first = domains.next()??;
        domains.all(|other| other.is_some_and(|other| other.eq_ignore_ascii_case(first))).then_some(first)
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

fn no_account(error: &BookError) -> Refusal {
    Refusal::new(451, 3, 5, error.to_string())
}

#[cfg(test)]
mod tests;
