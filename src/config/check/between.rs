//! What must fit each other across listeners, devices and accounts.
//!
//! Finds mail that would have nowhere to go, logins nobody can use, and an account that leads back to a listener.

use super::accounts::Account;
use super::devices::Device;
use super::listeners::Listener;
use super::names;
use crate::account::book::Rule;
use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::values;
use crate::ids::DeviceName;
use crate::inbound::settings::DeviceAuth;
use crate::net::proxy::Proxy;

/// Checks everything that concerns more than one of them.
pub(super) fn check(
    root: &Section<'_>,
    listeners: &[Listener],
    devices: &[Device],
    accounts: &[Account],
    routes: &[Rule],
    default_account: Option<&str>,
) {
    // `accounts = 3` is no section, which the survey has noted.
    let is_section = root.section("accounts").is_some() || !root.has("accounts");
    if is_section && root.entries("accounts").next().is_none() {
        no_account(root);
    }
    if default_account.is_some_and(|name| !names::is_account(accounts, name)) {
        root.error("default_account", names::no_such_account(accounts));
    }
    for device in devices {
        if device.settings.account.as_ref().is_some_and(|name| !names::is_account(accounts, name.as_str())) {
            root.error_at(&device.origin, &device.key, names::no_such_account(accounts));
        }
    }
    if accounts.len() > 1 && !root.has("default_account") {
        homeless_mail(root, listeners, devices, accounts, routes);
    }
    logins(root, listeners, devices);
    loops(root, listeners, accounts);
}

fn no_account(root: &Section<'_>) {
    root.error(
        "accounts",
        Complaint::new("no account is configured: there is nowhere to send mail to").hint(
            "add at least\n[accounts.office]\nhost = \"smtp.example.com\"\naddress = \"scanner@example.com\"\npassword_file = \"/etc/posthouse/office.password\"",
        ),
    );
}

/// With several accounts each mail must be claimed by a route, a device's account or the default one.
fn homeless_mail(
    root: &Section<'_>,
    listeners: &[Listener],
    devices: &[Device],
    accounts: &[Account],
    routes: &[Rule],
) {
    let names: Vec<&str> = accounts.iter().map(|account| account.settings.name.as_str()).collect();
    let hint = format!("write default_account = \"…\" at the top of the file, one of {}", names.join(", "));
    let claimed = |login: Option<&DeviceName>, listener: &Listener| {
        routes.iter().any(|rule| rule.takes_all_of(login, &listener.settings.name))
    };
    let homeless = |device: &&Device| {
        let login = Some(&device.settings.name);
        device.settings.account.is_none() && !listeners.iter().all(|listener| claimed(login, listener))
    };
    let without: Vec<&Device> = devices.iter().filter(homeless).collect();
    let unclaimed =
        listeners.iter().any(|listener| listener.settings.auth != DeviceAuth::Required && !claimed(None, listener));
    if !routes.is_empty() {
        // Refusing what no route claims may be just what is meant.
        if unclaimed || !without.is_empty() {
            let complaint = Complaint::new("mail that fits no route belongs to no account and is refused");
            root.warning("default_account", complaint.hint(hint));
        }
        return;
    }
    for device in &without {
        let complaint =
            Complaint::new("there are several accounts, and neither this device nor `default_account` names one");
        root.error_at(&device.origin, &device.key, complaint.hint(hint.clone()));
    }
    if without.is_empty() && unclaimed {
        let complaint =
            Complaint::new("there are several accounts, and mail that comes without a login belongs to none");
        root.error("default_account", complaint.hint(hint));
    }
}

fn logins(root: &Section<'_>, listeners: &[Listener], devices: &[Device]) {
    let wants_login = |auth| matches!(auth, DeviceAuth::Optional | DeviceAuth::Required);
    if !root.has("devices") {
        for listener in listeners.iter().filter(|listener| wants_login(listener.settings.auth)) {
            let complaint = Complaint::new("nobody can sign in here: there are no [devices]");
            let hint = "add [devices.scanner] with a password_file; or write auth = \"accept_any\" for devices that insist on a login";
            root.error_at(&listener.auth, &listener.key, complaint.hint(hint));
        }
    } else if !devices.is_empty() && !listeners.iter().any(|listener| wants_login(listener.settings.auth)) {
        let complaint = Complaint::new("no listener lets devices sign in, so these logins are never used");
        root.warning("devices", complaint.hint("write auth = \"optional\" or auth = \"required\" in a [[listeners]]"));
    }
}

/// An account on this machine's own listener would send every mail round and round.
fn loops(root: &Section<'_>, listeners: &[Listener], accounts: &[Account]) {
    let is_here = |account: &&Account| {
        let proxy = &account.settings.proxies.smtp;
        values::is_loopback(&account.settings.host) && proxy.as_ref().is_none_or(Proxy::is_local)
    };
    for account in accounts.iter().filter(is_here) {
        let port = account.settings.port;
        let mut binds = listeners.iter().flat_map(|listener| &listener.settings.bind);
        let ours = binds.find(|bind| bind.port() == port && (bind.ip().is_loopback() || bind.ip().is_unspecified()));
        if let Some(bind) = ours {
            let complaint = Complaint::new(format!(
                "port {port} of this machine is Posthouse's own listener {bind}: mail would go in a circle"
            ));
            root.error_at(&account.host, &account.key, complaint.hint("write the provider's host, or another port"));
        }
    }
}
