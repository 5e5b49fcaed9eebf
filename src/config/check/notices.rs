//! `[notices]`: who is told that a mail was not delivered.
//!
//! Guarantees that whoever is to be told is somebody, and says where it can be known beforehand that nobody would hear:
//! senders nobody is behind, and providers that take no failure reports. Reads no more of a sender than its domain.

use super::delivery::without_queue;
use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::values;
use crate::inbound::settings::ListenerSettings;
use crate::mail::address::Address;
use crate::mail::pattern::Pattern;
use crate::queue::{AccountFacts, Notices, NoticesTo, Settings, notice};

/// Reads it into the settings of the queue.
pub(super) fn read(
    root: &Section<'_>,
    listeners: &[ListenerSettings],
    accounts: &[AccountFacts],
    queue: &mut Settings,
) {
    let section = root.section("notices");
    let notices = section.as_ref().map(written).unwrap_or_default();
    let Settings::Durable(keeping) = queue else {
        if let Some(section) = &section {
            without_queue(section, "to");
            without_queue(section, "admin");
        }
        return;
    };
    if notices.to == NoticesTo::Sender && notices.admin.is_none() {
        senders(root, listeners, accounts);
    }
    let refused = !accounts.is_empty() && accounts.iter().all(|account| !account.takes_null_sender);
    if notices.to != NoticesTo::Nobody && refused {
        let complaint = Complaint::new("no account takes failure reports, so nobody would get one");
        let hint = "add an account of another provider, or write [notices] to = \"none\" and watch the log for errors";
        match &section {
            Some(section) => section.warning_here(complaint.hint(hint)),
            None => root.warning("accounts", complaint.hint(hint)),
        }
    }
    keeping.notices = notices;
}

fn written(section: &Section<'_>) -> Notices {
    let to = match section.word("to") {
        Some("admin") => NoticesTo::Admin,
        Some("none") => NoticesTo::Nobody,
        _ => NoticesTo::Sender,
    };
    let admin = section.get("admin", values::address);
    if to == NoticesTo::Admin && !section.has("admin") {
        let complaint = Complaint::new("failure reports are to go to the administrator, and none is named");
        section.error("to", complaint.hint("write admin = \"you@example.com\" beside it"));
    }
    if to == NoticesTo::Nobody && section.has("admin") {
        let complaint = Complaint::new("to = \"none\" tells nobody, so the administrator gets no report either");
        section.warning("admin", complaint.hint("take out one of the two"));
    }
    Notices { to, admin }
}

/// Listeners that let through only senders to whom no report can go.
fn senders(root: &Section<'_>, listeners: &[ListenerSettings], accounts: &[AccountFacts]) {
    for (section, listener) in root.each("listeners").iter().zip(listeners) {
        if section.has("senders") && listener.senders.iter().all(|pattern| is_fiction(pattern, accounts)) {
            let complaint = Complaint::new(
                "no account sends as these, so they are taken for invented, and nobody is told when their mail fails",
            );
            let hint = "write [notices] admin = \"you@example.com\", or these senders into may_send_as of the account";
            section.warning("senders", complaint.hint(hint));
        }
    }
}

/// Whether nobody is behind any sender of this pattern; of one that leaves the domain open that is not known.
fn is_fiction(pattern: &Pattern, accounts: &[AccountFacts]) -> bool {
    let domain = pattern.as_str().rsplit_once('@').map(|(_, domain)| domain);
    if domain.is_none_or(|domain| domain.contains('*')) {
        return false;
    }
    let one_of_them = Address::parse(pattern.as_str().replace('*', "x").as_bytes());
    one_of_them.is_ok_and(|sender| !accounts.iter().any(|account| notice::is_real(&sender, account)))
}
