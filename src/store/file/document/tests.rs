//! The format as it is written, and what becomes of what this version does not know.
//!
//! The text of format 1 stands here in full: files of it are out there, and every later version must read it.

use super::*;

const FORMAT_1: &str = r#"{
  "format": 1,
  "last_version": 7,
  "accounts": {
    "office": {
      "version": 7,
      "facts": {
        "grant": "device_code",
        "client_id": "app",
        "endpoint": "https://login.example.com/token",
        "username": "scanner@example.com",
        "scope": null,
        "signed_in": "2026-01-02T03:04:05Z",
        "renewed": "2026-01-02T03:04:05Z",
        "access_ends": null,
        "refresh_ends": null,
        "brought": null,
        "last_reply": null,
        "later_fact": 1
      },
      "sealed": {
        "access_token": "0011223344556677:AAAA",
        "later_field": "0011223344556677:BBBB"
      },
      "lease": {
        "holder": {
          "id": "019b0000-0000-7000-8000-000000000000",
          "is_owner": true
        },
        "until": "2026-01-02T03:05:35Z"
      },
      "later_member": [
        2
      ]
    }
  },
  "later_section": {
    "deep": 3
  }
}
"#;

#[test]
fn format_1_is_read_and_written_as_it_stands_with_what_only_newer_versions_know() {
    let document = Document::read(FORMAT_1.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(document.to_json()).unwrap(), FORMAT_1);
    assert_eq!(document.entry(&"office".into()).unwrap().facts.known.username, "scanner@example.com");
}

#[test]
fn a_new_record_takes_nothing_over_that_it_does_not_know() {
    let mut document = Document::read(FORMAT_1.as_bytes()).unwrap();
    let facts = document.entry(&"office".into()).unwrap().facts.known.clone();
    assert_eq!(document.put(&"office".into(), facts, BTreeMap::new(), &Holder::new(false)), 8);
    let json = String::from_utf8(document.to_json()).unwrap();
    assert!(!json.contains("later_fact") && !json.contains("later_member") && !json.contains("later_field"), "{json}");
    assert!(json.contains("later_section"), "{json}");
}

#[test]
fn a_newer_format_is_told_from_damage() {
    let newer = FORMAT_1.replace("\"format\": 1", "\"format\": 2").replace("accounts", "people");
    assert!(matches!(Document::read(newer.as_bytes()), Err(Unreadable::Newer(2))));
    assert!(matches!(Document::read(b""), Err(Unreadable::Damaged(_))));
    assert!(matches!(Document::read(b"{}"), Err(Unreadable::Damaged(_))));
}

#[test]
fn a_file_that_was_cut_anywhere_is_damaged_and_never_half_a_vault() {
    let whole = FORMAT_1.trim_end().len();
    for length in 0..whole {
        assert!(Document::read(&FORMAT_1.as_bytes()[..length]).is_err(), "cut at {length}");
    }
}
