//! What a thief of the vault sees: facts, and no token in any writing.
//!
//! Searched are the tokens and every run of 9 octets of them, as they are, in hexadecimal, percent-encoded and in
//! base64 at each of its three alignments.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::*;

const REFRESH: &str = "1//0gQx7Zp-Lk_wV+v/9=Tt%20Yb.R~uM3nHs8Jd";
const ACCESS: &str = "ya29.a0Kf-Wq_eB+c/7=Gz%20Xo.P~iD5tNr2Vm";

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |text, octet| format!("{text}{octet:02x}"))
}

/// Octets as they may be written. At each alignment of base64, without the digits that the octets beside them change.
fn writings(octets: &[u8]) -> Vec<Vec<u8>> {
    let lower = hex(octets);
    let percent = octets.iter().fold(String::new(), |text, octet| format!("{text}%{octet:02X}"));
    let mut all = vec![octets.to_vec(), lower.to_ascii_uppercase().into(), lower.into(), percent.into()];
    for offset in 0..3usize {
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let text = engine.encode([&vec![0; offset], octets].concat());
            let (first, last) = (offset.div_ceil(3) * 4, (offset + octets.len()) / 3 * 4);
            all.push(text.as_bytes()[first..last].to_vec());
        }
    }
    all
}

/// The first run of 9 octets of a token that stands in a text.
fn found(text: &[u8], token: &str) -> Option<String> {
    let shows = |run: &[u8]| {
        writings(run).iter().any(|writing| !writing.is_empty() && memchr::memmem::find(text, writing).is_some())
    };
    let run = token.as_bytes().windows(9).find(|run| shows(run))?;
    Some(String::from_utf8_lossy(run).into_owned())
}

#[test]
fn a_stolen_vault_shows_no_token() {
    let place = Place::new();
    let holder = Holder::new(false);
    let version = put(&place.vault(), "office", &record(REFRESH, ACCESS), Expected::Any, &holder);
    put(&place.vault(), "office", &record(REFRESH, ACCESS), Expected::Version(version), &holder);
    place.vault().rotate_key(false).unwrap();
    // The directory as it is, with whatever lies beside the vault.
    for entry in std::fs::read_dir(place.settings().directory).unwrap() {
        let (path, text) = entry.map(|entry| (entry.path(), std::fs::read(entry.path()).unwrap())).unwrap();
        for token in [REFRESH, ACCESS] {
            assert_eq!(found(&text, token), None, "in {}", path.display());
        }
        let key = std::fs::read_to_string(place.key()).unwrap();
        let key = STANDARD_NO_PAD.decode(key.lines().last().unwrap().trim_end_matches('=')).unwrap();
        assert!(writings(&key).iter().all(|writing| memchr::memmem::find(&text, writing).is_none()));
    }
    assert_eq!(token(&place.vault(), "office"), REFRESH);
}

#[test]
fn the_search_finds_what_it_searches_for() {
    for offset in 0..4 {
        let plain = [&b"xyzw"[..offset], REFRESH.as_bytes(), b"zz"].concat();
        let hex = hex(&plain);
        for text in
            [plain.clone(), STANDARD_NO_PAD.encode(&plain).into(), URL_SAFE_NO_PAD.encode(&plain).into(), hex.into()]
        {
            assert!(found(&text, REFRESH).is_some(), "{}", String::from_utf8_lossy(&text));
        }
    }
}
