//! The sender policy of an account: who a mail may say it is from, in the envelope and in its header.
//!
//! `keep` touches nothing. `fix` touches what the provider would refuse and leaves an address it takes octet for octet.
//! `force` writes the account's own address always. The original is not lost: it goes to `Reply-To` where there is none,
//! and to `X-Original-From` (RFC 6409 §8.1, §8.8). Pure; what the provider refused before is told by the caller.

mod header;

use super::address::Address;
use super::change::{Change, Rule};
use super::display_name::DisplayName;
use super::envelope::ReversePath;
use super::pattern::{self, Pattern};

pub(super) use header::{edit, mailbox_text};

/// What is done about senders that are not the account's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Nothing.
    Keep,
    /// What the provider would refuse is brought to the account's address.
    #[default]
    Fix,
    /// Every sender is brought to the account's address and name.
    Force,
}

/// Which senders the provider takes without being asked twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Allowance {
    /// The account's own address.
    Own,
    /// Every address of the account's domain.
    OwnDomain,
    /// Every address on the internet, as far as is known.
    #[default]
    Anything,
}

/// The policy of one account.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is done.
    pub policy: Policy,
    /// The account's own address; it is always allowed.
    pub address: Address,
    /// The account's own name. With `fix` it stands beside an address that had to be replaced, else the device's own does.
    pub name: Option<DisplayName>,
    /// What the provider allows.
    pub allowance: Allowance,
    /// Further addresses that the provider was told of.
    pub may_send_as: Vec<Pattern>,
    /// Whether the provider takes `MAIL FROM:<>`. If not, `fix` and `force` replace that too.
    pub null_sender: bool,
}

impl Settings {
    /// The policy for an account of which only the address is known.
    #[must_use]
    pub fn of(address: Address) -> Self {
        Self {
            policy: Policy::default(),
            address,
            name: None,
            allowance: Allowance::default(),
            may_send_as: Vec::new(),
            null_sender: true,
        }
    }

    /// Whether this is the account's own address.
    #[must_use]
    pub fn is_own(&self, address: &Address) -> bool {
        same(address, &self.address)
    }

    /// Whether mail from this address is taken. A sender the provider refused before is not, whatever else is said.
    #[must_use]
    pub fn may_send_as(&self, address: &Address, refused: &[Address]) -> bool {
        if self.is_own(address) {
            return true;
        }
        if refused.iter().any(|refused| same(refused, address)) {
            return false;
        }
        let own_domain = || address.domain().is_some_and(|domain| self.is_own_domain(domain));
        pattern::any_matches(&self.may_send_as, address.as_str())
            || match self.allowance {
                Allowance::Own => false,
                Allowance::OwnDomain => own_domain(),
                Allowance::Anything => own_domain() || address.domain().is_some_and(is_public),
            }
    }

    /// Whether an answer to this address may get there, as far as its domain tells.
    fn can_be_answered(&self, address: &Address) -> bool {
        address.domain().is_some_and(|domain| self.is_own_domain(domain) || is_public(domain))
    }

    fn is_own_domain(&self, domain: &str) -> bool {
        self.address.domain().is_some_and(|own| domain.eq_ignore_ascii_case(own))
    }
}

/// Addresses are compared as the providers do, in any case; the local part is not theirs alone (RFC 5321 §2.4).
fn same(one: &Address, other: &Address) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}

/// Whether a domain may exist on the internet. Others are made up by devices, and no provider takes them.
fn is_public(domain: &str) -> bool {
    /// RFC 6762 §3, RFC 6761 §6, RFC 8375, and what routers and operating systems come with.
    const PRIVATE: [&str; 8] = ["local", "localhost", "localdomain", "invalid", "internal", "lan", "home", "arpa"];
    match domain.trim_end_matches('.').rsplit_once('.') {
        Some((_, last)) => !domain.starts_with('[') && !PRIVATE.iter().any(|known| known.eq_ignore_ascii_case(last)),
        None => false,
    }
}

/// The reverse-path that goes to the provider instead of this one, if another does.
pub(super) fn reverse_path(
    settings: &Settings,
    refused: &[Address],
    path: &ReversePath,
) -> Option<(ReversePath, Change)> {
    let stays = match (settings.policy, path) {
        (Policy::Keep, _) => true,
        (_, ReversePath::Null) => settings.null_sender,
        (Policy::Fix, ReversePath::Mailbox(address)) => settings.may_send_as(address, refused),
        (Policy::Force, ReversePath::Mailbox(address)) => same(address, &settings.address),
    };
    (!stays).then(|| {
        let change = Change::new(Rule::EnvelopeSender, format!("{path} became {}", settings.address));
        (ReversePath::Mailbox(settings.address.clone()), change)
    })
}

#[cfg(test)]
mod tests;
