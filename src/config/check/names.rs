//! Names of accounts, wherever one is meant: what is one, and what to say when it is none.
//!
//! A former name (`renamed_from`) is as good as the present one, so that devices, routes and stored mail survive when
//! an account is called something else. Guarantees that no name leads to two accounts.

use super::accounts::Account;
use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::values;
use crate::ids::AccountName;

/// `renamed_from` of an account: one name or several.
pub(super) fn former(section: &Section<'_>) -> Vec<AccountName> {
    let list = section.list("renamed_from", values::name).unwrap_or_default();
    list.iter().map(|(name, _)| name.as_str().into()).collect()
}

/// Whether an account has this name, or had it.
pub(super) fn is_account(accounts: &[Account], name: &str) -> bool {
    let is = |other: &AccountName| other.as_str() == name;
    accounts.iter().any(|account| is(&account.settings.name) || account.settings.renamed_from.iter().any(is))
}

/// The complaint about a name that is no account's.
pub(super) fn no_such_account(accounts: &[Account]) -> Complaint {
    let names: Vec<&str> = accounts.iter().map(|account| account.settings.name.as_str()).collect();
    let complaint = Complaint::new("there is no account of this name");
    match names[..] {
        [] => complaint,
        _ => complaint.hint(format!("configured accounts: {}", names.join(", "))),
    }
}

/// A former name must not be the name of an account, nor the former name of another.
pub(super) fn check(root: &Section<'_>, accounts: &[Account]) {
    for (i, account) in accounts.iter().enumerate() {
        for former in &account.settings.renamed_from {
            let earlier = |other: &&Account| other.settings.renamed_from.contains(former);
            let complaint = if accounts.iter().any(|other| other.settings.name == *former) {
                Complaint::new(format!("`{former}` is the name of an account there is, so it was not renamed"))
                    .hint("leave it out, or rename that account")
            } else if let Some(other) = accounts[..i].iter().find(earlier) {
                let other = &other.settings.name;
                Complaint::new(format!("`{former}` is a former name of {other} already")).hint("keep it in one of them")
            } else {
                continue;
            };
            root.error_at(&account.renamed, &format!("accounts.{}.renamed_from", account.settings.name), complaint);
        }
    }
}
