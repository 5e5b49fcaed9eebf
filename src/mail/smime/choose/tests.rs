//! Tests of who signs for whom.
//!
//! The certificates are made anew at each run.

use jiff::Timestamp;
use rcgen::{ExtendedKeyUsagePurpose, SanType, date_time_ymd};

use super::*;
use crate::mail::smime::samples::{self, Kind, SCANNER};

fn address(text: &str) -> Address {
    Address::parse(text.as_bytes()).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn held(for_whom: &str, years: (i32, i32), senders: &[&str]) -> Held<Identity> {
    let sample = samples::altered(Kind::P256, |params| {
        params.subject_alt_names = vec![SanType::Rfc822Name(for_whom.try_into().unwrap())];
        params.distinguished_name.push(rcgen::DnType::OrganizationName, format!("{}-{}", years.0, years.1));
        (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
    });
    Held { identity: sample.identity(), senders: senders.iter().map(|&text| text.into()).collect() }
}

/// The subject of who signs, or why nobody does.
fn chosen(held: &[Held<Identity>], sender: &str, now: &str) -> String {
    match choose(held, Some(&address(sender)), at(now)) {
        Choice::Sign(identity) => identity.facts().subject.clone(),
        Choice::Nobody(why) => why.to_string(),
    }
}

const NOW: &str = "2026-06-01T00:00:00Z";

#[test]
fn the_sender_decides_by_certificate_or_by_pattern() {
    let all = [held(SCANNER, (2020, 2060), &[]), held("fax@example.com", (2021, 2060), &["*@fax.example.com"])];
    assert_eq!(chosen(&all, "Scanner@example.COM", NOW), "CN=Scanner,O=2020-2060".rev());
    assert_eq!(chosen(&all, "7@fax.example.com", NOW), "CN=Scanner,O=2021-2060".rev());
    assert_eq!(
        chosen(&all, "boss@example.com", NOW),
        "no S/MIME identity of the account is for the sender boss@example.com"
    );
    assert!(matches!(choose(&all, None, at(NOW)), Choice::Nobody(Why::NoSender)));
}

/// RFC 4514 writes the last part of a name first.
trait Reversed {
    fn rev(&self) -> String;
}

impl Reversed for str {
    fn rev(&self) -> String {
        self.split(',').rev().collect::<Vec<_>>().join(",")
    }
}

#[test]
fn a_renewed_certificate_beside_the_old_one_takes_over_when_it_begins() {
    let all = [held(SCANNER, (2020, 2030), &[]), held(SCANNER, (2029, 2040), &[])];
    assert_eq!(chosen(&all, SCANNER, "2028-12-31T23:59:59Z"), "CN=Scanner,O=2020-2030".rev());
    assert_eq!(chosen(&all, SCANNER, "2029-01-01T00:00:00Z"), "CN=Scanner,O=2029-2040".rev());
    let all: Vec<_> = all.into_iter().rev().collect();
    assert_eq!(chosen(&all, SCANNER, "2029-06-01T00:00:00Z"), "CN=Scanner,O=2029-2040".rev());
}

#[test]
fn a_certificate_signs_from_its_first_second_to_its_last() {
    let all = [held(SCANNER, (2025, 2030), &[])];
    let said = |now: &str| chosen(&all, SCANNER, now);
    assert!(said("2024-12-31T23:59:59Z").ends_with("is not valid before 2025-01-01 00:00 UTC"));
    assert!(said("2025-01-01T00:00:00Z").starts_with("O="));
    assert!(said("2030-01-01T00:00:00Z").starts_with("O="));
    assert!(said("2030-01-01T00:00:01Z").ends_with("for the sender scanner@example.com ended at 2030-01-01 00:00 UTC"));
}

#[test]
fn a_certificate_for_other_things_signs_no_mail() {
    let sample = samples::altered(Kind::P256, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let all = [Held { identity: sample.identity(), senders: vec![] }];
    assert!(chosen(&all, SCANNER, NOW).ends_with("may not sign mail: it is for other things than mail"));
}

#[test]
fn an_authority_s_certificate_is_told_which_extensions_it_needs() {
    let said = Unfit::Purpose(Purpose::Authority).to_string();
    assert!(said.contains("basicConstraints=CA:FALSE") && said.contains("extendedKeyUsage=emailProtection"), "{said}");
}
