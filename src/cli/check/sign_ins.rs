//! What `posthouse check` says of sign-ins that are kept: those that are missing, and those that end soon.
//!
//! Reads the vault, calls nobody. What the configuration alone tells, secrets and certificates, stands at its keys
//! already; a vault that does not open is told by `vault`.

use crate::account::status::SignIn;
use crate::account::warning::Warning;
use crate::app::accounts::{Account, of_files};
use crate::cli::runtime;
use crate::config::{Config, Finding, Place, Severity};

use super::probe::Probed;

/// Looks at all accounts; an account that cannot be used at all has its own error.
pub(super) fn look(config: &Config, probed: &mut Probed) {
    let accounts = runtime().ok().and_then(|runtime| runtime.block_on(of_files(config)).ok()).unwrap_or_default();
    for account in &accounts {
        say(account, probed);
    }
}

fn say(account: &Account, probed: &mut Probed) {
    let name = &account.status.account;
    match &account.status.sign_in {
        // A vault that cannot be used is one finding, not one an account.
        SignIn::Missing { code, .. } if code.starts_with("vault_") => {}
        SignIn::Missing { text, cure, .. } => probed.notes.push(format!("{text} {cure}")),
        SignIn::NotNeeded | SignIn::Brought | SignIn::Kept { .. } => {}
    }
    let ends = account.warnings.iter().filter(|warning| !stands_at_its_key(warning));
    probed.findings.extend(ends.map(|warning| Finding {
        severity: Severity::Warning,
        place: Place::Nowhere,
        key: format!("accounts.{name}.oauth"),
        message: warning.sentence.clone(),
        hint: Some(warning.cure.clone()),
    }));
}

fn stands_at_its_key(warning: &Warning) -> bool {
    ["client_secret_ends", "client_certificate_ends", "smime_certificate_ends"].contains(&&*warning.code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::status::Status;

    fn account(sign_in: SignIn, codes: &[&'static str]) -> Account {
        let status = Status {
            account: "office".into(),
            mailbox: None,
            credential: "authorization_code".into(),
            sign_in,
            token: None,
            last_reply: None,
            is_renewing: false,
            hold: None,
            budget: None,
            breaker: None,
            throttle: None,
        };
        let warning = |code: &&'static str| Warning {
            code: (*code).into(),
            sentence: format!("{code}!"),
            cure: "Do something.".into(),
            due: None,
        };
        Account { status, warnings: codes.iter().map(warning).collect() }
    }

    fn missing(code: &str) -> SignIn {
        SignIn::Missing { code: code.into(), text: "Nobody has.".into(), cure: "Run it.".into() }
    }

    fn said(account: &Account) -> (Vec<String>, Vec<String>) {
        let mut probed = Probed::default();
        say(account, &mut probed);
        (probed.findings.into_iter().map(|finding| finding.message).collect(), probed.notes)
    }

    #[test]
    fn a_missing_sign_in_is_a_note_and_an_unusable_vault_is_not_told_twice() {
        let note = vec!["Nobody has. Run it.".to_owned()];
        assert_eq!(said(&account(missing("not_signed_in"), &[])), (vec![], note));
        assert_eq!(said(&account(missing("vault_unusable"), &[])), (vec![], vec![]));
    }

    #[test]
    fn what_ends_is_a_warning_unless_its_key_has_told_it() {
        let all = [
            "google_testing",
            "client_secret_ends",
            "client_certificate_ends",
            "smime_certificate_ends",
            "refresh_token_unused",
        ];
        let (findings, notes) = said(&account(SignIn::NotNeeded, &all));
        assert_eq!((findings, notes.len()), (vec!["google_testing!".into(), "refresh_token_unused!".into()], 0));
    }
}
