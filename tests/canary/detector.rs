//! Finds a secret in what was printed, however it is dressed. Shares no code with the redactor it is to check.
//!
//! Works the other way round: it undresses the text (escapes, percent-encoding, base64 at every offset, hex, lists of
//! numbers, and sensible combinations) and looks for the secret itself. Of a secret of 24 octets or more any twelve
//! octets in a row count.

use std::collections::HashSet;

/// From this length on a part is a find.
const LONG: usize = 24;
/// That part.
const RUN: usize = 12;

/// A secret that must not come out anywhere.
#[derive(Clone)]
pub struct Canary {
    pub name: &'static str,
    pub secret: String,
}

impl Canary {
    pub fn new(name: &'static str, secret: impl Into<String>) -> Self {
        Self { name, secret: secret.into() }
    }
}

/// Where a secret came out: which, in what dress, and what stood around it.
pub type Find = String;

/// All finds of any of these secrets in a text; one for each secret and dress.
pub fn finds(canaries: &[Canary], text: &[u8]) -> Vec<Find> {
    let seekers: Vec<Seeker> = canaries.iter().map(Seeker::new).collect();
    let mut finds = Vec::new();
    for (dress, octets) in undressed(text) {
        for (canary, seeker) in canaries.iter().zip(&seekers) {
            if let Some(at) = seeker.seek(&octets) {
                let around = &octets[at.saturating_sub(80)..octets.len().min(at + 80)];
                finds.push(format!("{} ({dress}): …{}…", canary.name, String::from_utf8_lossy(around)));
            }
        }
    }
    finds
}

/// Looks for one secret in octets without any dress.
struct Seeker<'a> {
    windows: HashSet<&'a [u8]>,
    /// Which first two octets any window has: nearly all places are left at once.
    begins: Vec<bool>,
    width: usize,
}

impl<'a> Seeker<'a> {
    fn new(canary: &'a Canary) -> Self {
        let secret = canary.secret.as_bytes();
        assert!(secret.len() >= 6, "{}: a secret so short stands everywhere", canary.name);
        let width = if secret.len() < LONG { secret.len() } else { RUN };
        let windows: HashSet<&[u8]> = secret.windows(width).collect();
        let mut begins = vec![false; 1 << 16];
        for window in &windows {
            begins[pair(window)] = true;
        }
        Self { windows, begins, width }
    }

    fn seek(&self, octets: &[u8]) -> Option<usize> {
        octets.windows(self.width).position(|window| self.begins[pair(window)] && self.windows.contains(window))
    }
}

fn pair(octets: &[u8]) -> usize {
    usize::from(octets[0]) << 8 | usize::from(octets[1])
}

/// The text as it is and without each dress it may wear.
fn undressed(text: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut bare = vec![(String::from("as it is"), text.to_vec())];
    // A debug print inside a JSON log line is escaped twice.
    for (dress, depth) in [("escaped", 1), ("escaped twice", 2)] {
        let octets = (0..depth).fold(text.to_vec(), |octets, _| unescaped(&octets));
        add(&mut bare, dress.into(), octets);
    }
    for (dress, octets) in bare.clone() {
        add(&mut bare, format!("{dress}, percent-encoded"), percent(&octets, false));
        add(&mut bare, format!("{dress}, in a form"), percent(&octets, true));
    }
    for (dress, octets) in bare.clone() {
        for skip in 0..4 {
            let inner = base64(&octets, skip);
            add(&mut bare, format!("{dress}, in base64 at {skip}, in a form"), percent(&inner, true));
            add(&mut bare, format!("{dress}, in base64 at {skip}"), inner);
        }
        for skip in 0..2 {
            add(&mut bare, format!("{dress}, in hex at {skip}"), hex(&octets, skip));
        }
        add(&mut bare, format!("{dress}, as numbers"), numbers(&octets));
    }
    bare
}

fn add(all: &mut Vec<(String, Vec<u8>)>, dress: String, octets: Vec<u8>) {
    if !octets.is_empty() && all.iter().all(|(_, other)| *other != octets) {
        all.push((dress, octets));
    }
}

/// `%6A` and `%6a`; in a form `+` is a space.
fn percent(text: &[u8], form: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let octet = (text[at] == b'%').then(|| digits(text.get(at + 1..at + 3)?, 16)).flatten();
        match (octet, text[at]) {
            (Some(octet), _) => {
                out.push(u8::try_from(octet).unwrap());
                at += 2;
            }
            (None, b'+') if form => out.push(b' '),
            (None, other) => out.push(other),
        }
        at += 1;
    }
    out
}

/// The escapes of JSON and of Rust's debug print.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let (octets, length) = if text[at] == b'\\' { escape(&text[at + 1..]) } else { None }
            .map_or_else(|| (vec![text[at]], 1), |(octets, length)| (octets, length + 1));
        out.extend(octets);
        at += length;
    }
    out
}

/// What an escape stands for, and its length without the backslash.
fn escape(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let character = |value| char::from_u32(value).map(|c| c.to_string().into_bytes());
    Some(match text.first()? {
        b'n' => (b"\n".into(), 1),
        b'r' => (b"\r".into(), 1),
        b't' => (b"\t".into(), 1),
        b'0' => (b"\0".into(), 1),
        b'x' => (vec![u8::try_from(digits(text.get(1..3)?, 16)?).ok()?], 3),
        b'u' if text.get(1) == Some(&b'{') => {
            let end = text.iter().take(9).position(|&c| c == b'}')?;
            (character(digits(&text[2..end], 16)?)?, end + 1)
        }
        b'u' => (character(digits(text.get(1..5)?, 16)?)?, 5),
        other @ (b'"' | b'\'' | b'\\' | b'/') => (vec![*other], 1),
        _ => return None,
    })
}

fn digits(text: &[u8], radix: u32) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(text).ok()?, radix).ok()
}

/// What stands in every run of base64 characters when reading starts this far into it; both alphabets.
fn base64(text: &[u8], skip: usize) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => Some(u32::from(c - b'A')),
        b'a'..=b'z' => Some(u32::from(c - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(c - b'0') + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    };
    runs(
        text,
        8,
        |c| value(c).is_some(),
        skip,
        |run| {
            run.chunks(4)
                .flat_map(|four| {
                    let bits = four.iter().filter_map(|&c| value(c)).fold(0, |bits, v| bits << 6 | v)
                        << (6 * (4 - four.len()));
                    bits.to_be_bytes()[1..four.len().max(1)].to_vec()
                })
                .collect()
        },
    )
}

fn hex(text: &[u8], skip: usize) -> Vec<u8> {
    runs(
        text,
        RUN,
        |c| c.is_ascii_hexdigit(),
        skip,
        |run| run.chunks_exact(2).filter_map(|two| u8::try_from(digits(two, 16)?).ok()).collect(),
    )
}

/// `[104, 117, …]`, the debug print of octets.
fn numbers(text: &[u8]) -> Vec<u8> {
    runs(
        text,
        20,
        |c| c.is_ascii_digit() || matches!(c, b',' | b' ' | b'\n'),
        0,
        |run| run.split(|c| !c.is_ascii_digit()).filter_map(|n| u8::try_from(digits(n, 10)?).ok()).collect(),
    )
}

/// Every run of at least so many such characters, read from `skip` on; runs are kept apart.
fn runs(
    text: &[u8],
    least: usize,
    belongs: impl Fn(u8) -> bool,
    skip: usize,
    read: impl Fn(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let mut out = Vec::new();
    for run in text.split(|&c| !belongs(c)).filter(|run| run.len() >= least) {
        out.extend(read(&run[skip..]));
        out.push(b'\n');
    }
    out
}
