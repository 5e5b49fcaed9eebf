//! Keeps our secrets out of what comes back: a provider that echoes a token must not put it into our log.
//!
//! Whoever sends a secret [`watch`](Redactor::watch)es it; every reply and HTTP body then becomes text only through
//! [`clean`](Redactor::clean). Finds a secret raw, percent-encoded, JSON-escaped, in base64 of any alignment inside a
//! longer run, broken over lines, and, from 24 octets on, any 16 octets of it. Does not find secrets under 6 octets
//! (half of all words would vanish), nor what was hashed, compressed or encoded twice. The work for a text in which
//! there is nothing to find is one pass; memory is about six times what is watched.

mod escape;

use std::fmt;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use zeroize::Zeroizing;

use self::escape::{Escapes, Joined, Symbol, print, read};
use crate::secret::Secret;

/// Shortest secret that is searched for, and the octets compared at once.
const WINDOW: usize = 6;
/// From this length on a part of a secret is hidden as well.
const LONG: usize = 24;
/// Shortest part of a long secret that is hidden.
const RUN: usize = 16;
/// Any [`RUN`] octets of a form contain a whole window that starts at a multiple of this.
const STEP: usize = RUN - WINDOW + 1;
/// What stands in place of a secret.
const PLACEHOLDER: &str = "[secret]";
/// `application/x-www-form-urlencoded`, which client credentials go through before Basic's base64 (RFC 6749 §2.3.1).
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_').remove(b' ');

/// Knows the secrets one stage sent, and hides them in what it hears.
///
/// Watch the token or password itself, not the SASL response that contains it: the response is found by what is
/// secret in it, and a watched user name would be hidden wherever the provider mentions it. The answer to a challenge
/// of CRAM-MD5 holds nothing of the password and gives it away all the same: its digest is watched like a password.
#[derive(Clone, Default)]
pub struct Redactor {
    forms: Vec<Form>,
    /// Sorted by the window that stands there.
    places: Vec<Place>,
    /// A Bloom filter of the windows at these places, two bits each, both in one word. A power of two of words.
    filter: Vec<u64>,
}

/// One way a secret can look after [`read`] has taken escapes and line breaks away.
#[derive(Clone, PartialEq, Eq)]
struct Form {
    octets: Zeroizing<Vec<u8>>,
    /// How many octets of it in a row are worth hiding.
    least: usize,
    /// Its first and last octets also sit in the characters before and after.
    base64: bool,
}

/// Where in which form a window starts.
#[derive(Clone, Copy)]
struct Place {
    form: usize,
    at: usize,
}

impl Redactor {
    /// Knows no secret yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hides this secret from now on. Does nothing for a secret shorter than 6 octets.
    pub fn watch(&mut self, secret: &Secret) {
        let octets = secret.expose().as_bytes();
        if octets.len() < WINDOW {
            return;
        }
        let least = |whole: usize| if octets.len() < LONG { whole } else { RUN.min(whole) };
        // A secret that itself looks escaped loses its escapes together with the text around it.
        for escapes in Escapes::ALL {
            let mut plain = Zeroizing::new(Vec::with_capacity(octets.len()));
            read(octets, escapes, |symbol| plain.push(symbol.octet));
            self.add(Form { least: least(plain.len()), octets: plain, base64: false });
        }
        for octets in [octets, in_form(octets).as_bytes()] {
            for alignment in 0..3 {
                let octets = in_base64(octets, alignment);
                self.add(Form { least: least(octets.len()), octets, base64: true });
            }
        }
        self.index();
    }

    /// Whether nothing is watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// The octets as printable text without any watched secret; each occurrence becomes `[secret]`.
    ///
    /// `\n` stays and `\r\n` becomes `\n`; every other control character, direction mark or octet that is not UTF-8
    /// becomes `?`.
    #[must_use]
    pub fn clean(&self, octets: &[u8]) -> String {
        let mut hidden = Vec::new();
        if !self.is_empty() {
            let joined = Joined::lines(octets);
            for escapes in Escapes::ALL.into_iter().filter(|escapes| escapes.are_in(octets)) {
                self.search(&joined, escapes, &mut hidden);
            }
        }
        hidden.sort_by_key(|range| range.start);
        let mut text = String::with_capacity(octets.len());
        let mut done = 0;
        for range in hidden {
            if range.start >= done {
                print(&octets[done..range.start], &mut text);
                text.push_str(PLACEHOLDER);
            }
            done = done.max(range.end);
        }
        print(&octets[done..], &mut text);
        text
    }

    fn add(&mut self, form: Form) {
        if form.octets.len() >= WINDOW && !self.forms.contains(&form) {
            self.forms.push(form);
        }
    }

    /// Builds `places` and `filter` anew.
    fn index(&mut self) {
        let starts = |(form, f): (usize, &Form)| {
            let last = if f.least == f.octets.len() { 0 } else { f.octets.len() - WINDOW };
            (0..=last).step_by(STEP).map(move |at| Place { form, at }).collect::<Vec<_>>()
        };
        let mut places: Vec<Place> = self.forms.iter().enumerate().flat_map(starts).collect();
        places.sort_by_cached_key(|&place| self.window(place));
        // One word for two places: of the windows no form has, one in 256 gets through to the comparison.
        self.filter = vec![0; (places.len() / 2).next_power_of_two()];
        for &place in &places {
            let (word, bits) = self.slot(self.window(place));
            self.filter[word] |= bits;
        }
        self.places = places;
    }

    fn window(&self, place: Place) -> u64 {
        self.forms[place.form].octets[place.at..place.at + WINDOW].iter().fold(0, |key, &octet| slide(key, octet))
    }

    /// The filter's word and bits for a window: multiplicative hashing.
    #[allow(clippy::cast_possible_truncation, reason = "the mask keeps the low bits only")]
    fn slot(&self, window: u64) -> (usize, u64) {
        let hash = window.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        ((hash >> 12) as usize & (self.filter.len() - 1), 1 << (hash & 63) | 1 << (hash >> 6 & 63))
    }

    fn may_know(&self, window: u64) -> bool {
        let (word, bits) = self.slot(window);
        self.filter[word] & bits == bits
    }

    /// Adds the ranges of `text` that hold a secret when its escapes are read this way.
    fn search(&self, text: &Joined<'_>, escapes: Escapes, hidden: &mut Vec<Range<usize>>) {
        let mut window = 0;
        let mut near = false;
        read(&text.octets, escapes, |symbol| {
            window = slide(window, symbol.octet);
            near |= self.may_know(window);
        });
        if near {
            self.compare(text, escapes, hidden);
        }
    }

    /// What `search` does once the filter said that there may be something.
    fn compare(&self, text: &Joined<'_>, escapes: Escapes, hidden: &mut Vec<Range<usize>>) {
        let mut symbols = Vec::with_capacity(text.octets.len());
        read(&text.octets, escapes, |symbol| symbols.push(symbol));
        let mut window = 0;
        // Per form: inside what was found there is nothing new, and comparing it again would be quadratic.
        let mut done = vec![0; self.forms.len()];
        for (last, symbol) in symbols.iter().enumerate() {
            window = slide(window, symbol.octet);
            if last + 1 < WINDOW || !self.may_know(window) {
                continue;
            }
            let first_place = self.places.partition_point(|&place| self.window(place) < window);
            for &place in self.places[first_place..].iter().take_while(|&&place| self.window(place) == window) {
                if last < done[place.form] {
                    continue;
                }
                if let Some(run) = self.run(&symbols, last + 1 - WINDOW, place) {
                    done[place.form] = run.end;
                    hidden.push(text.source(symbols[run.start].source.start..symbols[run.end - 1].source.end));
                }
            }
        }
    }

    /// The longest stretch of symbols round `at` that agrees with the form round `place`, if it is worth hiding.
    fn run(&self, symbols: &[Symbol], at: usize, place: Place) -> Option<Range<usize>> {
        let form = &self.forms[place.form];
        let same = |(symbol, octet): &(&Symbol, &u8)| symbol.octet == **octet;
        let before = symbols[..at].iter().rev().zip(form.octets[..place.at].iter().rev()).take_while(same).count();
        let after = symbols[at..].iter().zip(&form.octets[place.at..]).take_while(same).count();
        if before + after < form.least {
            return None;
        }
        let (mut start, mut end) = (at - before, at + after);
        if form.base64 {
            let shares = |symbol: Option<&Symbol>| symbol.is_some_and(|s| is_base64(s.octet));
            start -= usize::from(shares(start.checked_sub(1).and_then(|i| symbols.get(i))));
            end += usize::from(shares(symbols.get(end)));
        }
        Some(start..end)
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

/// As a form field.
fn in_form(secret: &[u8]) -> Zeroizing<String> {
    let mut encoded = Zeroizing::new(String::with_capacity(3 * secret.len()));
    let characters = percent_encoding::percent_encode(secret, FORM).flat_map(str::chars);
    encoded.extend(characters.map(|c| if c == ' ' { '+' } else { c }));
    encoded
}

/// The characters that are the same whatever stands before and after the secret, as [`read`] sees them.
fn in_base64(secret: &[u8], alignment: usize) -> Zeroizing<Vec<u8>> {
    let padded = Zeroizing::new([&[0; 2][..alignment], secret].concat());
    let encoded = Zeroizing::new(STANDARD_NO_PAD.encode(&*padded));
    let whole = padded.len() * 8 / 6;
    let foreign = (alignment * 8).div_ceil(6);
    Zeroizing::new(encoded.as_bytes()[foreign..whole].to_vec())
}

fn is_base64(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/')
}

/// The window one octet further.
fn slide(window: u64, octet: u8) -> u64 {
    (window << 8 | u64::from(octet)) & ((1 << (8 * WINDOW)) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: &str = "pa/s+w rd";
    const TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjE2In0.eyJzY3AiOiJTTVRQLlNlbmQifQ.c2lnbmF0dXJl-_x";

    fn watching(secrets: &[&str]) -> Redactor {
        let mut redactor = Redactor::new();
        for secret in secrets {
            redactor.watch(&Secret::new((*secret).into()));
        }
        redactor
    }

    #[track_caller]
    fn cleans(secret: &str, said: &str, expected: &str) {
        assert_eq!(watching(&[secret]).clean(said.as_bytes()), expected, "{said}");
    }

    #[test]
    fn a_secret_is_hidden_as_it_is_and_percent_encoded_in_any_mixture() {
        for said in ["pa/s+w rd", "pa%2Fs%2Bw%20rd", "pa%2fs%2bw+rd", "%70a/%73+w rd", "pa/s%2bw%20rd", "pa/s+\nw rd"] {
            cleans(SHORT, &format!("535 not {said}, or {said}"), "535 not [secret], or [secret]");
        }
        cleans("50%25off", "no 50%25off, no 50%2525off, no %350%25%6ff", "no [secret], no [secret], no %350%25%6ff");
        cleans("50%25off", "%50%25off", "%[secret]");
    }

    #[test]
    fn a_secret_is_hidden_in_json() {
        for said in [r"pa\/s+w rd", r"pa\/s\u002bw rd", r"\u0070a\u002Fs\u002Bw\u0020rd"] {
            cleans(SHORT, &format!(r#"{{"e":"{said}"}}"#), r#"{"e":"[secret]"}"#);
        }
        cleans("a\"b\\c\n😀é", r#""a\"b\\c\n\ud83d\ude00\u00e9""#, "\"[secret]\"");
    }

    #[test]
    fn a_secret_is_hidden_in_base64_wherever_it_starts() {
        for (blob, expected) in [
            ("pa/s+w rd", "[secret]"),
            ("\0pa/s+w rd", "A[secret]"),
            ("\0\0pa/s+w rd", "AA[secret]"),
            ("\0me\0pa/s+w rd", "AG1lA[secret]"),
            ("\0you\0pa/s+w rd\x01\x01", "AHlvdQ[secret]BAQ"),
        ] {
            let encoded = STANDARD_NO_PAD.encode(blob);
            cleans(SHORT, &format!("<{encoded}>"), &format!("<{expected}>"));
            let url_safe = encoded.replace('+', "-").replace('/', "_");
            cleans(SHORT, &format!("<{url_safe}>"), &format!("<{expected}>"));
            let in_lines: Vec<_> = encoded.as_bytes().chunks(4).map(|c| str::from_utf8(c).unwrap()).collect();
            let cleaned = watching(&[SHORT]).clean(format!("<{}>", in_lines.join("\r\n")).as_bytes());
            assert_eq!(cleaned.replace('\n', ""), format!("<{expected}>"));
        }
    }

    #[test]
    fn a_part_of_a_long_secret_is_hidden_and_a_part_of_a_short_one_is_not() {
        cleans(TOKEN, &format!("got {}...", &TOKEN[..40]), "got [secret]...");
        for at in 0..TOKEN.len() - RUN {
            cleans(TOKEN, &format!("<{}>", &TOKEN[at..at + RUN]), "<[secret]>");
        }
        let blob = STANDARD_NO_PAD.encode(format!("user=a@example.com\x01auth=Bearer {TOKEN}\x01\x01"));
        cleans(TOKEN, &blob[..80], "dXNlcj1hQGV4YW1wbGUuY29tAWF1dGg9QmVhcmVyI[secret]");
        cleans(TOKEN, &TOKEN[5..5 + RUN - 1], &TOKEN[5..5 + RUN - 1]);
        cleans(&TOKEN[..LONG - 1], &TOKEN[..LONG - 2], &TOKEN[..LONG - 2]);
    }

    #[test]
    fn a_basic_header_is_found_though_the_secret_was_form_encoded_first() {
        let blob = STANDARD_NO_PAD.encode("client:pa%2Fs%2Bw+rd");
        cleans(SHORT, &format!("Basic {blob}="), "Basic Y2xpZW50O[secret]=");
    }

    #[test]
    fn several_secrets_are_hidden_where_they_overlap() {
        let redactor = watching(&["xxpassword", "password123", "password"]);
        assert_eq!(redactor.clean(b"xxpassword123 password password123"), "[secret] [secret] [secret]");
    }

    #[test]
    fn five_octets_are_a_word_and_not_a_secret() {
        assert!(watching(&["relay", ""]).is_empty());
        cleans("relay", "no relay", "no relay");
        cleans("%61%62", "ab", "ab");
    }

    #[test]
    fn what_is_not_printable_becomes_a_question_mark() {
        cleans("secret", "a\r\nb\tc\x1b[2Jd\u{202e}e\r \u{9b}é", "a\nb?c?[2Jd?e? ?é");
        assert_eq!(watching(&["pässword"]).clean(b"\xff p\xc3\xa4ssword \xe2\x82"), "? [secret] ?");
    }

    #[test]
    fn nothing_of_a_secret_is_shown_in_debug() {
        assert_eq!(format!("{:?}", watching(&[TOKEN])), "Redactor");
    }

    #[test]
    fn a_secret_of_one_repeated_octet_is_found_in_one_piece() {
        let redactor = watching(&[&"a".repeat(1024)]);
        assert_eq!(redactor.clean(&vec![b'a'; 64 * 1024]), "[secret]");
    }
}
