//! Tests of an account's identities: read, followed, and refused where a file is useless.
//!
//! The files are made anew at each run; the time is the test's.

use std::time::Duration;

use super::*;
use crate::mail::smime::samples::{self, Cipher, Kind, PASSWORD, Sample};

struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn put(&self, name: &str, octets: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, octets).unwrap();
        path
    }

    fn pkcs12(&self, sample: &Sample) -> PathBuf {
        self.put("scanner.p12", sample.pkcs12(Cipher::Aes))
    }
}

fn identity(identity: PathBuf, passphrase: Passphrase) -> IdentityFile {
    IdentityFile { identity, key: None, passphrase, senders: vec!["*@fax.example.com".into()] }
}

fn settings(identities: Vec<IdentityFile>) -> Settings {
    Settings {
        identities,
        form: Form::Clear,
        opaque_limit: OPAQUE_LIMIT,
        over_limit: OverLimit::Clear,
        without: Without::Hold,
    }
}

fn fingerprint(signing: &Signing, now: Instant) -> String {
    signing.current(now)[0].identity.facts().fingerprint.clone()
}

#[test]
fn the_password_is_in_the_configuration_or_in_a_file() {
    let files = Files::new();
    let path = files.pkcs12(&samples::sample(Kind::P256));
    let given = Passphrase::Given(Secret::new(PASSWORD.into()));
    assert_eq!(identity(path.clone(), given).read().unwrap().kind(), "EC P-256");
    let file = Passphrase::File(files.put("password", format!("{PASSWORD}\r\n")));
    assert_eq!(identity(path.clone(), file).read().unwrap().kind(), "EC P-256");
    let missing = Passphrase::File(files.directory.path().join("nowhere"));
    let said = identity(path.clone(), missing).read().unwrap_err().to_string();
    assert!(said.starts_with(&format!("the password of {}: cannot read ", path.display())), "{said}");
    let said = identity(path.clone(), Passphrase::None).read().unwrap_err().to_string();
    assert!(said.starts_with(&format!("{} is protected by a password", path.display())), "{said}");
}

#[test]
fn a_file_that_is_not_there_or_far_too_large_is_named() {
    let files = Files::new();
    let path = files.directory.path().join("nowhere.p12");
    let said = identity(path.clone(), Passphrase::None).read().unwrap_err().to_string();
    assert!(said.starts_with(&format!("cannot read {}", path.display())), "{said}");
    let path = files.put("large.p12", vec![b'x'; (1 << 20) + 1]);
    assert!(matches!(identity(path, Passphrase::None).read(), Err(SmimeError::TooLarge { .. })));
}

#[test]
fn a_renewed_certificate_is_in_use_a_minute_later_and_a_broken_one_is_not() {
    let (files, start) = (Files::new(), Instant::now());
    let (old, new) = (samples::sample(Kind::P256), samples::sample(Kind::Rsa));
    let password = || Passphrase::Given(Secret::new(PASSWORD.into()));
    let signing = Signing::load(&settings(vec![identity(files.pkcs12(&old), password())]), start).unwrap();
    let first = fingerprint(&signing, start);
    files.pkcs12(&new);
    assert_eq!(fingerprint(&signing, start + Duration::from_secs(59)), first);
    let second = fingerprint(&signing, start + Duration::from_mins(1));
    assert_ne!(second, first);
    files.put("scanner.p12", "half of");
    assert_eq!(fingerprint(&signing, start + Duration::from_mins(2)), second);
}

#[test]
fn a_changed_password_is_noticed_as_well() {
    let (files, start) = (Files::new(), Instant::now());
    let path = files.pkcs12(&samples::sample(Kind::P256));
    let password = files.put("password", PASSWORD);
    let settings = settings(vec![identity(path.clone(), Passphrase::File(password.clone()))]);
    assert_eq!(settings.files(), [path, password]);
    assert!(Signing::load(&settings, start).is_ok());
}

#[test]
fn an_account_with_one_useless_identity_does_not_begin() {
    let files = Files::new();
    let good = identity(files.put("a.pem", samples::sample(Kind::P256).pem()), Passphrase::None);
    let bad = identity(files.put("b.pem", "-----BEGIN NOTHING-----"), Passphrase::None);
    assert!(Signing::load(&settings(vec![good.clone()]), Instant::now()).is_ok());
    assert!(Signing::load(&settings(vec![good, bad]), Instant::now()).is_err());
}
