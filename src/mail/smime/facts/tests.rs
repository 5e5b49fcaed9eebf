//! Tests of what a certificate says of itself.
//!
//! The certificates are made anew at each run.

use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType};

use super::*;
use crate::mail::smime::samples::{self, Kind, SCANNER};

fn facts(change: impl FnOnce(&mut CertificateParams)) -> Facts {
    Facts::of(samples::altered(Kind::P256, change).chain[0].der()).unwrap()
}

#[test]
fn who_by_whom_how_long_and_the_print() {
    let sample = samples::sample(Kind::P256);
    let facts = Facts::of(sample.chain[0].der()).unwrap();
    assert_eq!((facts.subject.as_str(), facts.issuer.as_str()), ("CN=Scanner", "CN=Example Mail CA"));
    assert_eq!(facts.not_before.to_string(), "2020-01-01T00:00:00Z");
    assert_eq!(facts.not_after.to_string(), "2060-01-01T00:00:00Z");
    let octets: Vec<String> = facts.fingerprint.split(':').map(str::to_lowercase).collect();
    assert_eq!(octets.concat(), format!("{:x}", Sha256::digest(sample.chain[0].der())));
}

#[test]
fn what_a_certificate_is_for() {
    use ExtendedKeyUsagePurpose::{Any, EmailProtection, ServerAuth};
    let purpose = |usages: Vec<KeyUsagePurpose>, extended: Vec<ExtendedKeyUsagePurpose>| {
        facts(|params| (params.key_usages, params.extended_key_usages) = (usages, extended)).purpose
    };
    assert_eq!(purpose(vec![], vec![EmailProtection, ServerAuth]), Purpose::Mail);
    assert_eq!(purpose(vec![KeyUsagePurpose::ContentCommitment], vec![Any]), Purpose::Anything);
    assert_eq!(purpose(vec![KeyUsagePurpose::DigitalSignature], vec![]), Purpose::Unsaid);
    assert_eq!(purpose(vec![], vec![ServerAuth]), Purpose::OtherThings);
    assert_eq!(purpose(vec![KeyUsagePurpose::KeyEncipherment], vec![EmailProtection]), Purpose::NoSignatures);
    assert_eq!(Facts::of(samples::sample(Kind::P256).chain[1].der()).unwrap().purpose, Purpose::Authority);
    let authority = |usages: Vec<KeyUsagePurpose>, extended: Vec<ExtendedKeyUsagePurpose>| {
        let own = |params: &mut CertificateParams| {
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            (params.key_usages, params.extended_key_usages) = (usages, extended);
        };
        facts(own).purpose
    };
    assert_eq!(authority(vec![], vec![EmailProtection]), Purpose::Mail, "as `openssl req -x509` makes one for mail");
    assert_eq!(authority(vec![KeyUsagePurpose::DigitalSignature], vec![EmailProtection]), Purpose::Mail);
    assert_eq!(authority(vec![KeyUsagePurpose::KeyCertSign], vec![EmailProtection]), Purpose::Authority);
    assert_eq!(authority(vec![], vec![]), Purpose::Authority);
    let may = [Purpose::Mail, Purpose::Anything, Purpose::Unsaid];
    let may_not = [Purpose::Authority, Purpose::OtherThings, Purpose::NoSignatures];
    assert!(
        may.iter().all(|purpose| purpose.may_sign_mail()) && !may_not.iter().any(|purpose| purpose.may_sign_mail())
    );
}

#[test]
fn addresses_stand_in_the_alternative_names_and_in_older_subjects() {
    let older = DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]);
    let facts = facts(|params| {
        params.subject_alt_names.push(SanType::Rfc822Name("fax@example.com".try_into().unwrap()));
        params.subject_alt_names.push(SanType::DnsName("dns.example.com".try_into().unwrap()));
        params.distinguished_name.push(older.clone(), rcgen::DnValue::Ia5String("Old@example.com".try_into().unwrap()));
        params.distinguished_name.push(DnType::OrganizationName, "not@example.com");
    });
    let found: Vec<&str> = facts.addresses.iter().map(Address::as_str).collect();
    assert_eq!(found, [SCANNER, "fax@example.com", "Old@example.com"]);
    let names = |text: &str| facts.names(&Address::parse(text.as_bytes()).unwrap());
    assert!(names("SCANNER@Example.COM") && names("old@example.com"));
    assert!(!names("not@example.com") && !names("dns.example.com"));
}

proptest! {
    #[test]
    fn garbage_is_nothing_and_never_a_panic(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(Facts::of(&octets), None);
    }
}
