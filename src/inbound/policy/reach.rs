//! How large a message a listener takes: no larger than it is told, nor than any account it reaches can send on.
//!
//! A device is told before it sends what its provider would refuse after (RFC 1870 §6.1). An account without a limit
//! of its own takes anything; what its provider says in EHLO is looked at when the message is sent.

use crate::account;
use crate::account::book::Rule;
use crate::ids::AccountName;
use crate::inbound::settings::{DeviceAuth, DeviceSettings, ListenerSettings};

/// Octets of the largest message this listener takes.
#[must_use]
pub fn largest_message(
    listener: &ListenerSettings,
    devices: &[DeviceSettings],
    default_account: Option<&AccountName>,
    routes: &[Rule],
    accounts: &[account::Settings],
) -> u64 {
    let logins = matches!(listener.auth, DeviceAuth::Optional | DeviceAuth::Required);
    // Where nobody signs in, mail never goes through an account that only logins lead to.
    let of_logins = |name: &AccountName| {
        let named = devices.iter().any(|device| device.account.as_ref() == Some(name));
        let has_route = routes.iter().any(|rule| rule.accounts.contains(name));
        named && !has_route && accounts.len() > 1 && default_account != Some(name)
    };
    let reached = accounts.iter().filter(|account| logins || !of_logins(&account.name));
    let largest = reached.map(|account| account.size.unwrap_or(u64::MAX)).max().unwrap_or(u64::MAX);
    listener.max_message_size.min(largest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbound::settings::{Limits, LineEndings, ListenerTls};
    use crate::secret::Secret;

    fn listener(auth: DeviceAuth) -> ListenerSettings {
        ListenerSettings {
            name: "local".into(),
            bind: Vec::new(),
            tls: ListenerTls::None,
            auth,
            auth_in_clear: false,
            allow: Vec::new(),
            line_endings: LineEndings::Auto,
            max_message_size: 50,
            max_recipients: 1000,
            senders: Vec::new(),
            recipients: Vec::new(),
            limits: Limits::default(),
        }
    }

    fn account(name: &str, size: Option<u64>) -> account::Settings {
        account::Settings { name: name.into(), size, ..account::tests::settings() }
    }

    fn scanner(account: &str) -> DeviceSettings {
        DeviceSettings {
            name: "scanner".into(),
            password: Secret::new("x".into()),
            account: Some(account.into()),
            senders: Vec::new(),
            recipients: Vec::new(),
            limits: Limits::default(),
        }
    }

    #[test]
    fn the_largest_of_the_accounts_counts_unless_the_listener_says_less() {
        let told = |sizes: &[Option<u64>]| {
            let accounts: Vec<_> = sizes.iter().map(|size| account("office", *size)).collect();
            largest_message(&listener(DeviceAuth::None), &[], None, &[], &accounts)
        };
        assert_eq!(told(&[Some(30)]), 30);
        assert_eq!(told(&[Some(30), Some(40)]), 40);
        assert_eq!(told(&[Some(30), None]), 50, "an account without a limit takes all that the listener does");
        assert_eq!(told(&[Some(70)]), 50);
    }

    #[test]
    fn an_account_that_only_logins_lead_to_counts_only_where_there_are_logins() {
        let accounts = [account("office", Some(30)), account("archive", None)];
        let office = AccountName::from("office");
        let routed = |auth, device: &str, routes: &[Rule]| {
            largest_message(&listener(auth), &[scanner(device)], Some(&office), routes, &accounts)
        };
        let told = |auth, device| routed(auth, device, &[]);
        assert_eq!(told(DeviceAuth::None, "archive"), 30);
        assert_eq!(told(DeviceAuth::AcceptAny, "archive"), 30, "any login is forgotten there");
        assert_eq!(told(DeviceAuth::Optional, "archive"), 50);
        let route = Rule { accounts: vec!["archive".into()], ..Rule::default() };
        assert_eq!(routed(DeviceAuth::None, "archive", &[route]), 50, "a route leads there without a login");
        assert_eq!(told(DeviceAuth::None, "office"), 50, "nothing says that `archive` is for logins alone");
    }
}
