//! Tests of what is said of identities: each risk once, in time, with a cure.
//!
//! The certificates are made anew at each run; the day is the test's.

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, date_time_ymd};

use super::*;
use crate::account::smime::{Passphrase, Without};
use crate::mail::smime::samples::{self, Kind, SCANNER};

fn written(directory: &tempfile::TempDir, text: &str) -> IdentityFile {
    let identity = directory.path().join("scanner.pem");
    std::fs::write(&identity, text).unwrap();
    IdentityFile { identity, key: None, passphrase: Passphrase::None, senders: Vec::new() }
}

fn risks_of(text: &str, day: &str) -> Vec<String> {
    risks_where(text, Without::Hold, day)
}

fn risks_where(text: &str, without: Without, day: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let file = NamedFile::Signer { file: written(&directory, text), without };
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
    assert_eq!(
        said("2029-03-03"),
        "the certificate of CN=Scanner is not valid before 2029-03-04 00:00 UTC; mail that no other identity signs is held"
    );
    assert_eq!(said("2030-02-01"), "");
    assert_eq!(said("2030-02-03"), "the certificate of CN=Scanner ends on 2030-03-04");
    let ended = |becomes: &str| {
        format!(
            "the certificate of CN=Scanner ended at 2030-03-04 00:00 UTC; mail that no other identity signs {becomes}"
        )
    };
    assert_eq!(said("2030-03-05"), ended("is held"));
    assert_eq!(risks_where(&text, Without::SendUnsigned, "2030-03-05").concat(), ended("goes out unsigned"));
}

#[test]
fn a_certificate_for_other_things_and_a_chain_with_a_gap_are_risks() {
    let text = pem(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    assert_eq!(
        risks_of(&text, "2026-01-01"),
        [
            "the certificate of CN=Scanner may not sign mail: it is for other things than mail; mail that no other identity signs is held"
        ]
    );
    let sample = samples::sample(Kind::P256);
    let alone = sample.chain[0].pem() + &sample.key.serialize_pem();
    let said = risks_of(&alone, "2026-01-01");
    assert!(
        said[0].starts_with("its issuer, CN=Example Mail CA, is not in the file; that is fine if it is a root"),
        "{said:?}"
    );
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
fn a_missing_password_and_a_wrong_one_have_their_own_cure() {
    let said = |error| complaint(&SmimeError::Identity(error));
    let missing = said(IdentityError::NoPassword { path: "scanner.p12".into() });
    assert_eq!(missing.message, "scanner.p12 is protected by a password, and none is given");
    assert!(missing.hint.unwrap().contains("password_file = "));
    let wrong = said(IdentityError::WrongPassword { path: "scanner.p12".into() });
    assert!(wrong.hint.unwrap().contains("the password it was exported with"));
}

#[test]
fn a_key_that_may_not_be_read_is_said_to_whom() {
    let denied =
        PemError::Read { path: "/etc/scanner.p12".into(), source: std::io::ErrorKind::PermissionDenied.into() };
    let said = complaint(&SmimeError::Identity(denied.into()));
    let user = disk::our_user().unwrap_or_else(|| "USER".into());
    assert!(said.hint.unwrap().contains(&format!("`chown {user} /etc/scanner.p12 ")), "{}", said.message);
}
