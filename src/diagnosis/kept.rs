//! What is kept of a sign-in: not there, not ours, not readable.
//!
//! What a person must do holds the account; a disk that is full or fails is looked at again later, because it must
//! not cost a sign-in. Texts of the vault say themselves what to do.

use super::{Diagnosis, KeptFailure};
use crate::words::Cause;

pub(super) fn judge(failure: &KeptFailure) -> Diagnosis {
    match failure {
        KeptFailure::NotSignedIn { account } => Diagnosis::new(
            "not_signed_in",
            Cause::Account,
            format!("Nobody has signed account {account} in yet."),
            format!("Run `posthouse login {account}`; a running relay takes the sign-in up at once."),
        ),
        KeptFailure::OtherApplication { account } => Diagnosis::new(
            "sign_in_of_another_application",
            Cause::Account,
            format!("The sign-in of account {account} was made for another application or another provider."),
            format!("Run `posthouse login {account}`, or set `oauth.client_id` of this account back to what it was."),
        ),
        KeptFailure::NotRenewable { account } => Diagnosis::new(
            "sign_in_not_renewable",
            Cause::Account,
            format!("The token of account {account} has ended, and the provider gave none to renew it with."),
            format!(
                "Ask for one: `offline_access` in `oauth.scope` (Microsoft), `access_type=offline` in \
                 `oauth.parameters` (Google); then run `posthouse login {account}`."
            ),
        ),
        KeptFailure::Vault { detail } => Diagnosis::new(
            "vault_unusable",
            Cause::Config,
            format!("The kept tokens cannot be used: {detail}"),
            "Do what it says; nothing was changed or lost.",
        ),
        KeptFailure::Storage { detail } => Diagnosis::new(
            "vault_storage_failed",
            Cause::Network,
            format!("The kept tokens cannot be read or written just now: {detail}"),
            "Look at the disk of `storage.directory` (full, read-only, failing?); it is tried again by itself.",
        ),
        KeptFailure::Busy { account } => Diagnosis::new(
            "sign_in_busy",
            Cause::Network,
            format!("Another process is renewing the token of account {account} and has not finished."),
            "Nothing to do if it passes: it is tried again later.",
        ),
    }
}
