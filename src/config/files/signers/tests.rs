//! Tests of what is said of identities: each risk once, in time, with a cure.
//!
//! The certificates are made anew at each run; the day is the test's.

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, date_time_ymd};

use super::*;
use crate::account::smime::Passphrase;
use crate::mail::smime::samples::{self, Kind, SCANNER};

fn written(directory: &tempfile::TempDir, text: &str) -> IdentityFile {
    let identity = directory.path().join("scanner.pem");
    std::fs::write(&identity, text).unwrap();
    IdentityFile { identity, key: None, passphrase: Passphrase::None, senders: Vec::new() }
}

fn risks_of(text: &str, day: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let file = NamedFile::Signer(written(&directory, text));
    let said = risks(&file, format!("{day}T00:00:00Z").parse().unwrap());
    assert!(said.iter().all(|complaint| complaint.hint.is_some()), "{said:?}");
    said.into_iter().map(|complaint| complaint.message).collect()
}

fn pem(change: impl FnOnce(&mut CertificateParams)) -> String {
    samples::altered(Kind::P256, change).pem()
}

#[test]
fn a_certificate_is_warned_about_from_a_month_before_its_end() {
    let text = pem(|params| {
        (params.not_before, params.not_after) = (date_time_ymd(2029, 3, 4), date_time_ymd(2030, 3, 4));
    });
    let said = |day: &str| risks_of(&text, day).concat();
    assert_eq!(said("2029-03-03"), "the certificate of CN=Scanner is not valid before 2029-03-04 00:00 UTC");
    assert_eq!(said("2030-02-01"), "");
    assert_eq!(said("2030-02-03"), "the certificate of CN=Scanner ends on 2030-03-04");
    assert_eq!(said("2030-03-05"), "the certificate of CN=Scanner ended at 2030-03-04 00:00 UTC");
}

#[test]
fn a_certificate_for_other_things_and_a_chain_with_a_gap_are_risks() {
    let text = pem(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    assert_eq!(
        risks_of(&text, "2026-01-01"),
        ["the certificate of CN=Scanner may not sign mail: it is for other things than mail"]
    );
    let sample = samples::sample(Kind::P256);
    let alone = sample.chain[0].pem() + &sample.key.serialize_pem();
    let said = risks_of(&alone, "2026-01-01");
    assert!(said[0].starts_with("the chain is broken: the certificate of CN=Example Mail CA is missing"), "{said:?}");
    assert_eq!(said.len(), 1);
}

#[test]
fn an_account_for_whose_address_nobody_signs_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(&directory, &samples::sample(Kind::P256).pem());
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let said = |file: &IdentityFile, sender: &str| {
        let sender = Address::parse(sender.as_bytes()).unwrap();
        risks(&NamedFile::Signers { identities: vec![file.clone()], sender }, now)
    };
    assert_eq!(said(&file, SCANNER).len(), 0);
    assert!(said(&file, "fax@example.com")[0].message.contains("no identity is for the sender fax@example.com"));
    let file = IdentityFile { senders: vec!["fax@*".into()], ..file };
    assert_eq!(said(&file, "fax@example.com").len(), 0);
    // Its own finding says that it is not there.
    let file = IdentityFile { identity: "/nonexistent".into(), ..file };
    assert_eq!(said(&file, "boss@example.com").len(), 0);
}

#[test]
fn a_key_that_may_not_be_read_is_said_to_whom() {
    let denied =
        PemError::Read { path: "/etc/scanner.p12".into(), source: std::io::ErrorKind::PermissionDenied.into() };
    let said = complaint(&SmimeError::Identity(denied.into()));
    let user = disk::our_user().unwrap_or_else(|| "USER".into());
    assert!(said.hint.unwrap().contains(&format!("`chown {user} /etc/scanner.p12 ")), "{}", said.message);
}
