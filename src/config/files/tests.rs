//! Tests of what is said of the files a configuration names.
//!
//! Files are made anew at each run; the day is the test's.

use super::*;

#[test]
fn a_configuration_that_may_not_be_read_is_said_to_whom() {
    let refused = unreadable_source(Path::new("/etc/x.toml"), &io::ErrorKind::PermissionDenied.into());
    let user = disk::our_user().unwrap_or_else(|| "USER".into());
    assert_eq!(refused.message, format!("user {user} may not read /etc/x.toml"));
    assert!(refused.hint.unwrap().ends_with(&format!("`chown {user} /etc/x.toml`")));
}

#[test]
fn a_certificate_of_ours_is_warned_about_a_month_before_its_end() {
    let mut params = rcgen::CertificateParams::new(["relay.example.com".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2030, 3, 4);
    let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), certificate.pem()).unwrap();
    let said = |day: &str| {
        let now: Timestamp = format!("{day}T00:00:00Z").parse().unwrap();
        ending(file.path(), now).map_or("nothing".to_owned(), |complaint| complaint.message)
    };
    assert_eq!(said("2030-02-01"), "nothing");
    assert!(said("2030-02-03").ends_with("expires on 2030-03-04"), "{}", said("2030-02-03"));
    assert!(said("2030-03-04").ends_with("has expired on 2030-03-04"), "{}", said("2030-03-04"));
}

/// As it stands while the key is rotated: a relay must start in that moment, too.
#[test]
fn a_key_file_of_the_vault_may_hold_remarks_and_several_keys() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let usable = |text: &str| {
        std::fs::write(file.path(), text).unwrap();
        usable(&NamedFile::VaultKey(file.path().into()), Path::new("")).map_err(|complaint| complaint.message)
    };
    let key = "ab".repeat(32);
    assert_eq!(usable(&format!("# A remark.\n{key}\n{key}\n")), Ok(()));
    assert!(usable("# A remark.\n").unwrap_err().ends_with("there is no key in it"));
    assert!(usable(&format!("{key}\ncorrect-horse\n")).unwrap_err().contains("key number 2"));
}

#[test]
fn a_path_is_named_only_where_it_can_be_no_password() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("there"), "").unwrap();
    std::fs::create_dir(directory.path().join("secrets")).unwrap();
    let is_path = |written: &str| is_surely_a_path(&directory.path().join(written), directory.path());
    for path in ["there", "office.password", "secrets/office", "/etc/posthouse/office", "../office.key"] {
        assert!(is_path(path), "{path}");
    }
    for password in ["correct-horse", "BPx/Yz+Q1==", "/Yz+Q1==", "a.b", "/x9/Yz"] {
        assert!(!is_path(password), "{password}");
    }
}
