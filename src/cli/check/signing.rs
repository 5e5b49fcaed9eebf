//! Accounts none of whose identities can sign now, so that all their mail waits.
//!
//! The relay starts with such an account all the same, for the others' sake and because a renewed file is taken up without
//! a restart; but nobody is to be told that it can be used. Reads the files; the time is an argument.

use jiff::Timestamp;

use crate::account::Settings;
use crate::account::smime::Without;
use crate::config::{Config, Finding, Place, Severity};
use crate::mail::smime::choose::unfit;

/// An error for each.
pub(super) fn look(config: &Config, now: Timestamp) -> Vec<Finding> {
    config.accounts.iter().filter_map(|account| judge(account, now)).collect()
}

/// Nothing where mail goes out unsigned, which its own warning says; nor of a file that has gone since, which ends the
/// start.
fn judge(account: &Settings, now: Timestamp) -> Option<Finding> {
    let smime = account.smime.as_ref().filter(|smime| smime.without == Without::Hold)?;
    let certificates = smime.certificates();
    if certificates.is_empty() || certificates.iter().any(|facts| unfit(facts, now).is_none()) {
        return None;
    }
    let name = &account.name;
    Some(Finding {
        severity: Severity::Error,
        place: Place::Nowhere,
        key: format!("accounts.{name}.smime"),
        message: format!("no identity of account {name} can sign now, so all its mail is held"),
        hint: Some(
            "put a renewed certificate in place, which needs no restart; or write without = \"send_unsigned\"".into(),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Sources};
    use crate::mail::smime::samples::{self, Kind};

    /// What is found on this day about an account with these two identities.
    fn found(ends: [i32; 2], without: &str, day: &str) -> Vec<Finding> {
        let directory = tempfile::tempdir().unwrap();
        for (name, year) in ["a.pem", "b.pem"].into_iter().zip(ends) {
            let ends = |params: &mut rcgen::CertificateParams| params.not_after = rcgen::date_time_ymd(year, 1, 1);
            std::fs::write(directory.path().join(name), samples::altered(Kind::P256, ends).pem()).unwrap();
        }
        let text = format!(
            "[storage]\ndirectory = \"{}\"\n[accounts.office]\nhost = \"smtp.example.com\"\nmechanism = \"none\"\n\
             address = \"scanner@example.com\"\n[accounts.office.smime]\nidentity = \"a.pem\"\nwithout = \"{without}\"\n\
             identities = [{{ identity = \"b.pem\" }}]\n",
            directory.path().display()
        );
        let path = directory.path().join("posthouse.toml");
        std::fs::write(&path, text).unwrap();
        let environment = std::collections::BTreeMap::new();
        let sources = Sources { path: Some(path), environment, overrides: Vec::new() };
        let loaded = config::load(&sources).unwrap_or_else(|report| panic!("it starts all the same: {report}"));
        look(&loaded.config, format!("{day}T00:00:00Z").parse().unwrap())
    }

    #[test]
    fn an_account_whose_mail_would_all_be_held_cannot_be_used() {
        let said = found([2021, 2022], "hold", "2026-01-01");
        let [Finding { severity: Severity::Error, key, message, .. }] = &said[..] else { panic!("{said:?}") };
        assert_eq!(key, "accounts.office.smime");
        assert!(message.contains("no identity of account office can sign now, so all its mail is held"), "{message}");
        assert_eq!(found([2021, 2060], "hold", "2026-01-01"), [], "one beside it was renewed");
        assert_eq!(found([2021, 2022], "send_unsigned", "2026-01-01"), [], "its mail goes out");
    }
}
