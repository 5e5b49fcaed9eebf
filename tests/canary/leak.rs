//! The detector finds what was leaked on purpose: in every dress, and through every way out.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use posthouse::sandbox::fault::{Fault, Stage, Times};

use crate::detector::{Canary, finds};
use crate::ears::{Ears, LEVELS};
use crate::stage::{Device, Relay, account, planted, provider, quoted};

fn hex(octets: &[u8], digit: fn(u8) -> String) -> String {
    octets.iter().map(|&octet| digit(octet)).collect()
}

/// A secret in every dress a careless program would give it.
fn dressed(secret: &str) -> Vec<(&'static str, String)> {
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    // The digits of every second escape in small letters.
    let parts = percent.split('%').enumerate();
    let mixed: Vec<String> = parts
        .map(|(i, part)| match part.split_at_checked(2) {
            Some((digits, rest)) if i % 2 == 1 => digits.to_ascii_lowercase() + rest,
            _ => part.to_owned(),
        })
        .collect();
    let mixed = mixed.join("%");
    let escaped = |c: char| if c.is_ascii_alphanumeric() { format!("\\u{:04X}", u32::from(c)) } else { c.to_string() };
    let debug = format!("{secret:?}");
    let pair = format!("id:{}", percent.replace("%20", "+"));
    let mut all = vec![
        ("raw", secret.to_owned()),
        ("percent-encoded", percent.clone()),
        ("percent-encoded in mixed case", mixed),
        ("in a form", percent.replace("%20", "+")),
        ("as JSON", quoted(secret)),
        ("as JSON, letters too", serde_json::to_string(secret).unwrap().chars().map(escaped).collect()),
        ("as a debug print", debug.clone()),
        ("as a debug print in JSON", quoted(&debug)),
        ("in hex", hex(secret.as_bytes(), |octet| format!("{octet:02x}"))),
        ("in hex, capitals, after a digit", format!("0{}", hex(secret.as_bytes(), |octet| format!("{octet:02X}")))),
        ("as numbers", format!("{:?}", secret.as_bytes())),
        ("as HTTP Basic sends it", STANDARD.encode(pair)),
        ("percent-encoded base64", utf8_percent_encode(&STANDARD.encode(secret), NON_ALPHANUMERIC).to_string()),
    ];
    for before in ["", "i", "id"] {
        all.push(("in base64", format!("x={}", STANDARD.encode(format!("{before}{secret}.")))));
        all.push(("in URL-safe base64", URL_SAFE_NO_PAD.encode(format!("{before}{secret}"))));
    }
    for before in ["A", "AB", "ABC"] {
        // A run of letters in front shifts where the reading has to begin.
        all.push(("in base64 behind letters", format!("{before}{}", STANDARD.encode(secret))));
    }
    all
}

#[test]
fn a_secret_is_found_in_every_dress() {
    for canary in [planted::password(), planted::client_secret(), planted::device(), planted::proxy(), planted::stray()]
    {
        for (dress, text) in dressed(&canary.secret) {
            let text = format!("2026-01-01T00:00:00Z  INFO something happened detail={text} more=1\n");
            assert!(!finds(std::slice::from_ref(&canary), text.as_bytes()).is_empty(), "{dress}: {text}");
        }
    }
}

#[test]
fn twelve_octets_of_a_long_secret_are_found_and_eleven_are_not() {
    let canary = planted::stray();
    let part = |range: std::ops::Range<usize>| finds(std::slice::from_ref(&canary), canary.secret[range].as_bytes());
    assert!(!part(10..22).is_empty());
    assert!(part(10..21).is_empty());
    let other = Canary::new("another one", "nothing of it is there");
    assert!(finds(&[other], canary.secret.as_bytes()).is_empty());
}

#[tokio::test]
async fn what_the_log_is_given_is_found_at_every_level_in_both_formats() {
    for (n, dress) in dressed(&planted::client_secret().secret).into_iter().enumerate() {
        let (ears, _listening) = Ears::open();
        tracing::error!(target: "posthouse::leak", detail = %dress.1, "on purpose");
        let found = ears.finds(&[planted::client_secret()]);
        assert_eq!(found.len(), 2 * LEVELS.len(), "dress {n}, {}: {found:#?}", dress.0);
    }
}

#[tokio::test]
async fn what_a_level_does_not_show_is_not_heard_there() {
    let (ears, _listening) = Ears::open();
    tracing::debug!(target: "posthouse::leak", secret = planted::stray().secret, "on purpose");
    let places: Vec<String> = ears.finds(&[planted::stray()]).into_iter().map(|(place, _)| place).collect();
    assert_eq!(places, ["DEBUG Text", "DEBUG Json", "TRACE Text", "TRACE Json"]);
}

/// A secret nobody told the relay of comes back by the transcript, the log and the reply: all ways out are watched.
#[tokio::test]
async fn a_leak_through_the_relay_is_found_in_transcript_log_and_reply() {
    let (ears, _listening) = Ears::open();
    let sandbox = provider().await;
    let account = format!("{}password = {}\n", account(&sandbox), quoted(&planted::password().secret));
    let relay = Relay::start(&ears, &sandbox, &account, "");
    let stray = planted::stray();
    sandbox.faults().plan(Stage::Mail, Fault::reply(550, &format!("5.1.0 {} is no one", stray.secret)), Times::Once);
    assert!(relay.mail(&ears).await.starts_with("550"));
    relay.end().await;
    let places: Vec<String> = ears.finds(&[stray]).into_iter().map(|(place, _)| place).collect();
    for place in ["WARN Text", "WARN Json", "INFO Text", "DEBUG Json", "TRACE Text", "said"] {
        assert!(places.iter().any(|p| p == place), "not found in {place}: {places:?}");
    }
    assert!(ears.log().contains("S: 550"), "the transcript is part of the log");
}

#[tokio::test]
async fn a_leak_by_a_device_is_found_in_the_transcript() {
    let (ears, _listening) = Ears::open();
    let sandbox = provider().await;
    let account = format!("{}password = {}\n", account(&sandbox), quoted(&planted::password().secret));
    let relay = Relay::start(&ears, &sandbox, &account, "");
    let mut device = Device::greeted(relay.address, &ears).await;
    // An address is what it says it is.
    device.say(&format!("MAIL FROM:<{}@example.com>", planted::stray().secret)).await;
    drop(device);
    relay.end().await;
    assert!(!ears.finds(&[planted::stray()]).is_empty());
}
