//! What an administrator reads who asks with what his accounts sign.
//!
//! The certificates are made anew at each run, so the print is told by its form.

use std::path::PathBuf;

use super::*;
use crate::config::{self, Sources};
use crate::mail::smime::samples::{self, Kind, Sample};

const ACCOUNT: &str = "[accounts.office]\nhost = \"smtp.example.com\"\nmechanism = \"none\"\n";

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, octets: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, octets).unwrap();
        path
    }

    /// The answer about an account with this address, on this day.
    fn ask(&self, address: &str, smime: &str, day: &str) -> Answer {
        let storage = format!("[storage]\ndirectory = \"{}\"\n", self.0.path().display());
        let text = format!("{storage}{ACCOUNT}address = \"{address}\"\n{smime}");
        let path = self.put("posthouse.toml", text);
        let sources =
            Sources { path: Some(path), environment: std::collections::BTreeMap::new(), overrides: Vec::new() };
        let loaded = config::load(&sources).unwrap_or_else(|report| panic!("{report}"));
        answer(&loaded.config, format!("{day}T00:00:00Z").parse().unwrap())
    }
}

const ONE: &str = "[accounts.office.smime]\nidentity = \"scanner.pem\"\n";

fn fingerprint(sample: &Sample, index: usize) -> String {
    crate::mail::smime::facts::Facts::of(sample.chain[index].der()).unwrap().fingerprint
}

#[test]
fn the_whole_chain_is_shown_as_it_is_sent() {
    let (desk, sample) = (Desk::new(), samples::sample(Kind::Rsa));
    let path = desk.put("scanner.pem", sample.pem());
    let answer = desk.ask("scanner@example.com", &format!("{ONE}senders = \"fax@*\"\n"), "2026-01-01");
    let expected = format!(
        "\
Account office
  identity {}
    key:         RSA, 2048 bits
    signs for:   scanner@example.com, fax@*
    1. CN=Scanner
       issued by   CN=Example Mail CA
       valid       2020-01-01 to 2060-01-01
       purpose     for mail (emailProtection)
       addresses   scanner@example.com
       SHA-256     {}
    2. CN=Example Mail CA
       issued by   CN=Example Root
       valid       2020-01-01 to 2060-01-01
       purpose     an authority's, for signing certificates
       SHA-256     {}
    3. CN=Example Root (a root, which is not sent)
       issued by   itself
       valid       2020-01-01 to 2060-01-01
       purpose     an authority's, for signing certificates
       SHA-256     {}
Good: every identity can sign.
",
        path.display(),
        fingerprint(&sample, 0),
        fingerprint(&sample, 1),
        fingerprint(&sample, 2)
    );
    assert_eq!(answer.text, expected);
    assert!(answer.good);
    let shown = &answer.json["accounts"][0]["identities"][0];
    assert_eq!(shown["chain"][0]["subject"], "CN=Scanner");
    assert_eq!(shown["chain"][0]["addresses"][0], "scanner@example.com");
    assert_eq!(shown["chain"][2]["not_after"], "2060-01-01T00:00:00Z");
    assert_eq!((&shown["key"], &shown["senders"][0]), (&"RSA, 2048 bits".into(), &"fax@*".into()));
}

#[test]
fn a_sender_for_whom_nobody_signs_is_a_fault() {
    let desk = Desk::new();
    desk.put("scanner.pem", samples::sample(Kind::P256).pem());
    let answer = desk.ask("boss@example.com", ONE, "2026-01-01");
    assert!(answer.text.contains("\n  FAULT: no identity is for boss@example.com, the sender of this account\n"));
    assert!(!answer.good && answer.json["good"] == false);
    // Whom the account sends as counts, not who signs in.
    let sender = format!("{ONE}[accounts.office.sender]\naddress = \"scanner@example.com\"\n");
    assert!(desk.ask("boss@example.com", &sender, "2026-01-01").good);
}

#[test]
fn what_is_wrong_with_a_chain_is_said_and_what_has_ended_is_a_fault() {
    let (desk, sample) = (Desk::new(), samples::sample(Kind::P256));
    let [leaf, middle, _] = &sample.chain[..] else { panic!() };
    desk.put("scanner.pem", middle.pem() + &leaf.pem() + &sample.key.serialize_pem());
    let answer = desk.ask("scanner@example.com", ONE, "2026-01-01");
    assert!(answer.good && answer.text.contains("remark:      the certificates in the file are not in order"));
    desk.put("scanner.pem", leaf.pem() + &sample.key.serialize_pem());
    let answer = desk.ask("scanner@example.com", ONE, "2026-01-01");
    assert!(answer.text.contains("remark:      its issuer, CN=Example Mail CA, is not in the file; that is fine if"));
    assert!(answer.good, "it may be a root that recipients know");
    let answer = desk.ask("scanner@example.com", ONE, "2060-01-02");
    assert!(!answer.good && answer.text.contains("FAULT:       its certificate ended at 2060-01-01"));
}

#[test]
fn an_identity_that_has_gone_since_is_a_fault_and_so_is_one_that_the_service_may_not_read() {
    let desk = Desk::new();
    let path = desk.put("scanner.pem", samples::sample(Kind::P256).pem());
    let file = IdentityFile {
        identity: path.clone(),
        key: None,
        passphrase: crate::account::smime::Passphrase::None,
        senders: Vec::new(),
    };
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let said = Signer::look(&file, now, Some("posthouse".into())).faults.concat();
    let expected = format!("user posthouse, to whom storage.directory belongs, may not read {}", path.display());
    assert!(said.starts_with(&expected), "{said}");
    std::fs::remove_file(&path).unwrap();
    let said = Signer::look(&file, now, None).faults.concat();
    assert!(said.starts_with(&format!("cannot read {}", path.display())), "{said}");
}

#[test]
fn without_an_account_that_signs_there_is_nothing_to_complain_about() {
    let answer = Desk::new().ask("scanner@example.com", "", "2026-01-01");
    assert!(answer.good && answer.text.starts_with("No account signs its mail"), "{}", answer.text);
}
