//! Secrets do not come through: random secrets, shown by a provider in every encoding the redactor knows, at any
//! place, broken over lines, must not be readable in what becomes text.
//!
//! The judge knows nothing of how the redactor searches: it decodes the result in every way a curious reader would.

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD_NO_PAD};
use posthouse::redact::Redactor;
use posthouse::secret::Secret;
use proptest::prelude::*;

const PLACEHOLDER: &str = "[secret]";
/// Decodes what was cut off anywhere.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, NO_PAD.with_decode_allow_trailing_bits(true));

/// How a provider may show what it was given.
#[derive(Debug, Clone, Copy)]
enum Shown {
    Raw,
    Percent,
    Json,
    Base64,
    Base64Url,
}

impl Shown {
    /// `dice` decide which octets are escaped, and in which case; the text before decides the alignment.
    fn show(self, before: &str, secret: &str, after: &str, dice: &[u8]) -> String {
        let mut dice = dice.iter().cycle();
        let mut escape = |c: u8| match (self, dice.next().unwrap() % 3) {
            (Self::Percent, 0) => format!("%{c:02x}"),
            (Self::Percent, 1) => format!("%{c:02X}"),
            (Self::Percent, _) if c == b' ' => "+".into(),
            (Self::Percent, _) if !b"%+".contains(&c) => char::from(c).into(),
            (Self::Percent, _) => format!("%{c:02x}"),
            (Self::Json, 0) => format!("\\u{c:04x}"),
            (Self::Json, _) if b"/\\\"".contains(&c) => format!("\\{}", char::from(c)),
            _ => char::from(c).into(),
        };
        match self {
            Self::Base64 => STANDARD_NO_PAD.encode([before, secret, after].concat()),
            Self::Base64Url => {
                let encoded = STANDARD_NO_PAD.encode([before, secret, after].concat());
                encoded.replace('+', "-").replace('/', "_")
            }
            _ => [before, &secret.bytes().map(&mut escape).collect::<String>(), after].concat(),
        }
    }
}

/// Whether the text says these octets in one of the ways a reader would try.
fn tells(text: &str, octets: &str) -> bool {
    let text = text.replace('\n', "");
    let raw = percent_encoding::percent_decode_str(&text).collect::<Vec<_>>();
    let spaced = percent_encoding::percent_decode_str(&text.replace('+', " ")).collect::<Vec<_>>();
    let standard = text.replace('-', "+").replace('_', "/");
    let runs = standard.split(|c: char| !(c.is_ascii_alphanumeric() || c == '+' || c == '/'));
    let decoded = runs.flat_map(|run| {
        (0..4).filter_map(move |skip| {
            let run = run.get(skip..)?;
            LENIENT.decode(&run[..run.len() - usize::from(run.len() % 4 == 1)]).ok()
        })
    });
    let json: serde_json::Result<String> = serde_json::from_str(&format!("\"{text}\""));
    [raw, spaced, text.clone().into_bytes(), json.unwrap_or_default().into_bytes()]
        .into_iter()
        .chain(decoded)
        .any(|said| memchr::memmem::find(&said, octets.as_bytes()).is_some())
}

fn watching(secret: &str) -> Redactor {
    let mut redactor = Redactor::new();
    redactor.watch(&Secret::new(secret.into()));
    redactor
}

proptest! {
    #[test]
    fn no_encoding_at_no_place_lets_a_secret_through(
        secret in "[ -~]{6,80}",
        before in "[a-zA-Z0-9 .,:]{0,40}",
        after in "[a-zA-Z0-9 .,:]{0,40}",
        shown in prop::sample::select(&[Shown::Raw, Shown::Percent, Shown::Json, Shown::Base64, Shown::Base64Url]),
        dice in prop::collection::vec(any::<u8>(), 1..90),
        breaks in prop::collection::vec(0_usize..200, 0..3),
    ) {
        let mut said = shown.show(&before, &secret, &after, &dice);
        prop_assert!(matches!(shown, Shown::Raw) || tells(&said, &secret), "the oracle is blind: {said}");
        for at in breaks {
                said.insert(at.min(said.len()), '\n');
            }
        let cleaned = watching(&secret).clean(said.as_bytes());
        prop_assert!(cleaned.contains(PLACEHOLDER), "{said}");
        prop_assert!(!tells(&cleaned.replace(PLACEHOLDER, "\u{fffd}"), &secret), "{said}: {cleaned}");
        if secret.len() >= 24 {
            for part in secret.as_bytes().windows(16).map(|part| str::from_utf8(part).unwrap()) {
                prop_assert!(!tells(&cleaned.replace(PLACEHOLDER, "\u{fffd}"), part), "{said}: {cleaned}");
            }
        }
    }

    #[test]
    fn text_without_the_secret_stays_as_it_was(secret in "[a-z]{6,40}", text in "[A-Z0-9 -/é\n]{0,200}") {
        prop_assert_eq!(watching(&secret).clean(text.as_bytes()), text);
    }

    #[test]
    fn no_octets_are_too_odd(secret in "\\PC{0,40}", octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let cleaned = watching(&secret).clean(&octets);
        prop_assert!(cleaned.chars().all(|c| c == '\n' || !c.is_control()));
    }
}
