//! The program's own file, held to what every preset must be; and what users lay over it.
//!
//! What users are told of a broken one stands in `tests/bad_configs`; what accounts get from one, in
//! `tests/providers.rs` and beside the relay's own tests.

use super::*;
use crate::account::provider::{PasswordKind, SenderRule, Username};

fn gathered(source: &str) -> (Presets, Vec<String>) {
    let findings = Findings::new(None);
    let table = tree::parse(source).ok().unwrap();
    let presets = gather(&table, &findings);
    (presets, findings.into_sorted().into_iter().map(|found| format!("{}: {}", found.key, found.message)).collect())
}

#[test]
fn the_file_of_the_program_has_no_finding_and_no_unknown_key() {
    let findings = Findings::new(None);
    let table = tree::parse(FILE).ok().expect("it is TOML");
    super::super::section::survey(&table, super::super::keys::ROOT, "", &findings);
    let presets = gather(&Table::default(), &findings);
    let said: Vec<_> = findings.into_sorted().iter().map(|found| found.one_line()).collect();
    assert_eq!(said, [""; 0]);
    assert!(presets.iter().count() >= 70, "{} presets", presets.iter().count());
}

#[test]
fn what_users_write_wins_key_by_key() {
    let (presets, said) = gathered(
        "[providers.gmail]\nimplicit = [4465]\nlimits.recipients_per_message = 7\n\
         [providers.gmail.replies]\nquota = \"452 4.2.2 Enough\"\n",
    );
    assert_eq!(said, [""; 0]);
    let (own, known) = (presets.find("gmail").unwrap(), builtin());
    let known = known.find("gmail").unwrap();
    assert_eq!(own.implicit, [4465]);
    assert_eq!((own.limits.recipients_per_message, own.limits.size), (Some(7), known.limits.size));
    assert_eq!(own.replies.quota.as_ref().unwrap().to_string(), "452 4.2.2 Enough");
    assert_eq!((&own.host, &own.oauth, &own.replies.signature), (&known.host, &known.oauth, &known.replies.signature));
}

#[test]
fn a_provider_of_ones_own_needs_a_host_and_a_port_and_nothing_else() {
    let (presets, said) = gathered("[providers.mine]\nhost = \"smtp.mine.example\"\nstarttls = 2587\n");
    assert_eq!(said, [""; 0]);
    let mine = presets.find("mine").unwrap();
    assert_eq!(
        (mine.title.as_str(), mine.starttls.as_slice(), &mine.username),
        ("mine", &[2587][..], &Username::Address)
    );
    assert_eq!((mine.password, mine.sender, mine.verified), (PasswordKind::Mailbox, SenderRule::Unknown, true));
    let (_, said) = gathered("[providers.mine]\ntitle = \"Mine\"\n");
    assert_eq!(said, ["providers.mine: a provider needs a host", "providers.mine: a provider needs a port"]);
}

#[test]
fn a_domain_leads_to_one_provider() {
    let (_, said) = gathered("[providers.mine]\nhost = \"a.example\"\nimplicit = 465\ndomains = [\"gmail.com\"]\n");
    assert_eq!(said, ["providers.mine.domains: the domain gmail.com belongs to `gmail` already"]);
}
