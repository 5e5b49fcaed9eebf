//! The file as a whole: what it may be made of, and what is said when it is no configuration at all.

use std::path::Path;

use super::{ACCOUNT, Desk, findings, sources};
use posthouse::config::{self, Place};

/// The one thing that is said about a file of these octets, on one line.
fn said(octets: &[u8]) -> String {
    let desk = Desk::new();
    let path = desk.write("posthouse.toml", "");
    std::fs::write(&path, octets).unwrap();
    let found = findings(config::load(&sources(&path, &[])));
    let [finding] = &found[..] else { panic!("{found:?}") };
    finding.one_line().replace(&desk.0.path().display().to_string(), "DIR")
}

#[test]
fn line_endings_and_a_byte_order_mark_of_windows_are_taken() {
    let mistake = format!("{ACCOUNT}mechanism = \"none\"\nport = 0\n");
    for text in [mistake.clone(), mistake.replace('\n', "\r\n"), format!("\u{feff}{mistake}")] {
        let found = findings(Desk::new().load(&text, &[]));
        let [finding] = &found[..] else { panic!("{found:?}") };
        let Place::File { line, column, .. } = finding.place else { panic!("{finding:?}") };
        assert_eq!((finding.key.as_str(), line, column), ("accounts.office.port", 5, 8));
    }
}

#[test]
fn line_endings_of_old_macs_are_named() {
    let said = said(ACCOUNT.replace('\n', "\r").as_bytes());
    assert!(said.starts_with("this is not TOML: there are line endings of an old kind, CR alone"), "{said}");
    assert!(said.ends_with("; save the file with LF or CRLF line endings"), "{said}");
}

#[test]
fn other_encodings_are_named_with_the_way_to_utf_8() {
    let latin = said(b"[accounts.office]\nhost = \"b\xfccher.example\"\n");
    assert_eq!(
        latin,
        "DIR/posthouse.toml is not UTF-8 in line 2; save it as UTF-8; if it comes from an old Windows program, `iconv -f CP1252 -t UTF-8 DIR/posthouse.toml`"
    );
    let wide: Vec<u8> = "\u{feff}[log]\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let wide = said(&wide);
    assert!(wide.starts_with("DIR/posthouse.toml is UTF-16"), "{wide}");
    assert!(wide.ends_with("`iconv -f UTF-16 -t UTF-8 DIR/posthouse.toml`"), "{wide}");
}

#[test]
fn an_empty_file_and_one_of_remarks_are_said_to_be() {
    for text in ["", "\n \n", "# [accounts.office]\n# host = \"smtp.example.com\"\n"] {
        let said = said(text.as_bytes());
        let expected = "accounts: no account is configured: there is nowhere to send mail to; \
            DIR/posthouse.toml holds no key, only remarks or nothing at all; add at least";
        assert!(said.starts_with(expected), "{said}");
    }
    let other = said(b"[log]\nlevel = \"info\"\n");
    assert!(other.contains("no account") && !other.contains("holds no key"), "{other}");
}

#[test]
fn a_directory_and_a_file_too_large_are_no_configuration() {
    let desk = Desk::new();
    let said = |path: &Path| config::load(&sources(path, &[])).unwrap_err().findings[0].one_line();
    let directory = said(desk.0.path());
    let inside = desk.0.path().join("posthouse.toml");
    assert!(directory.contains("is a directory, and a file is wanted"), "{directory}");
    assert!(directory.ends_with(&format!("; name the file in it: {}", inside.display())), "{directory}");
    let large = said(&desk.write("large.toml", &"#\n".repeat(1 << 20)));
    assert!(large.ends_with("it is larger than 1024 KiB; is it the right file?"), "{large}");
}

/// Somebody else keeps it and may bring it later; accounts that need no vault must send meanwhile.
#[test]
fn a_key_of_the_vault_that_is_missing_or_wrong_stops_nobody_and_is_told() {
    let desk = Desk::new();
    let text = format!("{ACCOUNT}mechanism = \"none\"\n[storage]\nkey_file = \"vault.key\"\n");
    let said = || {
        let loaded = desk.load(&text, &[]).expect("the relay starts");
        let [risk] = &loaded.warnings[..] else { panic!("{:?}", loaded.warnings) };
        assert_eq!(risk.key, "storage.key_file");
        risk.message.clone()
    };
    assert!(said().contains("vault.key cannot be read"), "{}", said());
    desk.write("vault.key", "correct-horse\n");
    assert!(said().contains("cannot be the key of the vault") && !said().contains("correct-horse"), "{}", said());
}
