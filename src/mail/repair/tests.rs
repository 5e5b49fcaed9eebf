//! What comes out of the repair, and that nothing else does.
//!
//! Guarantees that decoding gives the content back, that what is signed or needs nothing stays octet for octet, and that
//! cuts change nothing. Messages are written with LF here and read with CRLF.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;

fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

/// The message as it would be stored, in pieces of this size.
fn through(message: &[u8], step: usize, settings: Settings) -> (Vec<u8>, Repaired) {
    let mut gathering = Gathering::new(settings);
    let mut chunks = message.chunks(step);
    let end = chunks.by_ref().find_map(|chunk| gathering.push(chunk.to_vec()));
    let (mut repair, mut out, _) = gathering.into_repair(end);
    for chunk in chunks {
        let from = out.len();
        out.extend_from_slice(chunk);
        repair.pass(&mut out, from);
    }
    let (repaired, rest) = repair.finish();
    out.extend_from_slice(&rest);
    (out, repaired)
}

fn repaired(text: &str) -> (String, Vec<String>) {
    let (out, repaired) = through(&crlf(text), 700, Settings::default());
    let changes = repaired.changes.iter().map(ToString::to_string).collect();
    (String::from_utf8(out).unwrap().replace("\r\n", "\n"), changes)
}

#[test]
fn a_message_that_needs_nothing_is_not_even_copied() {
    let message = crlf(&format!("Subject: x\n\n{}\n{}\n", "a".repeat(998), "b".repeat(900)));
    let mut gathering = Gathering::new(Settings::default());
    let chunk = message.clone();
    let place = chunk.as_ptr();
    let end = gathering.push(chunk);
    let (repair, out, block) = gathering.into_repair(end);
    assert_eq!((out.as_ptr(), block), (place, 14));
    assert_eq!(out, message);
    let (known, rest) = repair.finish();
    assert_eq!((known.changes, rest), (Vec::new(), Vec::new()));
    assert_eq!(known.facts.subject.as_deref(), Some("x"));
}

#[test]
fn text_is_cut_behind_a_blank_or_between_characters() {
    let (out, changes) = repaired(&format!("A: b\n\n{} {}\nc\n", "x".repeat(900), "y".repeat(200)));
    assert_eq!(out, format!("A: b\n\n{} \n{}\nc\n", "x".repeat(900), "y".repeat(200)));
    assert_eq!(changes, ["long_lines: 1 line over 998 octets broken"]);
    let (out, _) = repaired(&format!("A: b\n\nx{}\n", "\u{fc}".repeat(1200)));
    let lines: Vec<usize> = out.lines().skip(2).map(str::len).collect();
    assert_eq!(lines, [997, 998, 406]);
    assert_eq!(out.replace('\n', ""), format!("A: bx{}", "\u{fc}".repeat(1200)));
}

#[test]
fn no_boundary_comes_into_being() {
    for before in ["x".repeat(998), format!("{} ", "x".repeat(997)), format!("a {}", "x".repeat(996))] {
        let text = format!("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n{before}--b\n--b--\n");
        let (out, _) = repaired(&text);
        assert_eq!(out.lines().filter(|line| *line == "--b").count(), 1, "{out}");
        assert_eq!(out.replace('\n', ""), text.replace('\n', ""));
    }
}

#[test]
fn what_is_encoded_is_only_written_differently() {
    let octets: Vec<u8> = (0..=255).cycle().take(3000).collect();
    let fields = "Content-Transfer-Encoding: base64\n\n";
    let (out, changes) = repaired(&format!("{fields}{}\n", STANDARD.encode(&octets)));
    let body = out.strip_prefix(fields).unwrap();
    assert!(body.lines().all(|line| line.len() <= 76));
    assert_eq!(STANDARD.decode(body.replace('\n', "")).unwrap(), octets);
    assert_eq!(changes, ["long_lines: 1 line over 998 octets broken"]);

    let fields = "Content-Transfer-Encoding: quoted-printable\n\n";
    for before in ["", "x", "xy"] {
        let text = format!("{before}{}{}", "=C3=BC".repeat(150), "a=3D--".repeat(50));
        let (out, _) = repaired(&format!("{fields}{text}\nshort line\n"));
        let body = out.strip_prefix(fields).unwrap();
        assert!(body.lines().all(|line| line.len() <= 76 && !line.starts_with("--")), "{body}");
        // An encoded octet is on one line.
        let whole = |line: &str| line.trim_end_matches('=').rsplit('=').next().is_some_and(|last| last.len() >= 2);
        assert!(body.lines().all(whole), "{body}");
        assert_eq!(body.replace("=\n", ""), format!("{text}\nshort line\n"));
    }
}

#[test]
fn a_header_is_folded() {
    let addresses = |separator: &str| vec!["someone@example.com"; 60].join(separator);
    let (out, changes) = repaired(&format!("To: {}\nSubject: x\n\nbody\n", addresses(", ")));
    assert!(out.lines().all(|line| line.len() <= LONGEST_LINE && !line.trim().is_empty() || line.is_empty()));
    assert_eq!(out.replace("\n ", " "), format!("To: {}\nSubject: x\n\nbody\n", addresses(", ")));
    assert_eq!(changes, ["long_lines: 1 line over 998 octets broken"]);
    // A part's as well. Without a blank, one comes in behind a separator.
    let part = format!("Content-Type: multipart/mixed; boundary=b\n\n--b\nX-To:{}\n\n--b--\n", addresses(","));
    let (out, _) = repaired(&part);
    assert!(out.lines().all(|line| line.len() <= LONGEST_LINE));
    assert_eq!(out.replace(",\n ", ","), part);
    // And without a separator, anywhere.
    let (out, _) = repaired(&format!("X:{}\n\n", "y".repeat(5000)));
    assert!(out.lines().all(|line| line.len() <= LONGEST_LINE));
    assert_eq!(out.replace("\n ", ""), format!("X:{}\n\n", "y".repeat(5000)));
    // What looks like a header and is none is not folded.
    let (out, _) = repaired(&format!("no field {}\n", "y ".repeat(1000)));
    assert!(out.lines().all(|line| !line.starts_with(' ')), "{out}");
}

const LONGEST_LINE: usize = cut::LONGEST;

#[test]
fn nuls_are_taken_out_and_hide_no_end_of_the_header() {
    let (out, changes) = repaired("Sub\0ject: x\n\0\nbo\0dy\0\n");
    assert_eq!(out, "Subject: x\n\nbody\n");
    assert_eq!(changes, ["nul: 4 NUL octets taken out"]);
    // The header ends where it will end for whoever reads it without them.
    assert_eq!(Gathering::new(Settings::default()).push(b"A: b\r\n\0\r\nC: d\r\n\r\n".to_vec()), Some(8));
    let keep = Settings { nul: false, ..Settings::default() };
    let message = crlf("Sub\0ject: x\n\nbo\0dy\n");
    let (out, known) = through(&message, 5, keep);
    assert_eq!((out, known.changes), (message, Vec::new()));
}

#[test]
fn long_lines_stay_where_they_are_to_stay() {
    let keep = Settings { long_lines: false, ..Settings::default() };
    let message = crlf(&format!("A: {}\n\n{}\n", "x ".repeat(600), "y ".repeat(600)));
    let (out, known) = through(&message, 100, keep);
    assert_eq!((out, known.changes), (message, Vec::new()));
    let text = format!("Content-Type: application/json\n\n{}\n", "y ".repeat(600));
    let (out, changes) = repaired(&text);
    assert_eq!(out, text);
    assert_eq!(
        changes,
        ["long_lines: 1 line over 998 octets left, because they are not of text; a provider may refuse them"]
    );
}

#[test]
fn what_is_signed_is_left_and_said() {
    let long = "y ".repeat(600);
    let signed = format!("--s\nX: {long}\n\n{long}\0\n--s--\n");
    let text = format!("Content-Type: multipart/signed; boundary=s\n\n{signed}{long}\n");
    let (out, changes) = repaired(&text);
    assert!(out.contains(&signed) && !out.contains(&format!("{signed}{long}\n")), "{out}");
    assert_eq!(
        changes,
        [
            "long_lines: 1 line over 998 octets broken",
            "signature: 2 lines over 998 octets and 1 NUL octet left, because of a signature; a provider may refuse the mail"
        ]
    );
    let (_, changes) = repaired("DKIM-Signature: v=1\n\n\0\n");
    assert_eq!(changes, ["signature: 1 NUL octet left, because of a signature; a provider may refuse the mail"]);
    let text = format!("DKIM-Signature: v=1\nX: {long}\n\n{long}\0\n");
    let (out, changes) = repaired(&text);
    assert_eq!(out, text);
    assert_eq!(changes.len(), 1);
    // Where the header ends could not be known with it in.
    let (_, changes) = repaired("DKIM-Signature: v=1\nX: \0\n\n");
    assert_eq!(
        changes,
        [
            "nul: 1 NUL octet taken out",
            "signature: the DKIM signature may not verify, because octets that it may cover were repaired"
        ]
    );
}

#[test]
fn line_endings_are_told_of_and_what_they_may_have_broken() {
    let said = |lf, cr, signature| line_endings(lf, cr, signature).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(said(0, 0, Some(Signature::Smime)).is_empty());
    assert_eq!(said(3, 0, None), ["line_endings: 3 bare LF became CRLF"]);
    assert_eq!(said(1, 2, None), ["line_endings: 1 bare LF and 2 bare CR became CRLF"]);
    let told = said(0, 1, Some(Signature::Pgp));
    assert_eq!((told.len(), told[0].as_str()), (2, "line_endings: 1 bare CR became CRLF"));
}

#[test]
fn a_line_without_end_does_not_wait() {
    for fields in ["A: b", "Content-Transfer-Encoding: base64", "Content-Type: image/png", "DKIM-Signature: x"] {
        let mut gathering = Gathering::new(Settings::default());
        let end = gathering.push(crlf(&format!("{fields}\n\n")));
        let (mut repair, _, _) = gathering.into_repair(end);
        for _ in 0..100 {
            let mut chunk = vec![b'x'; 10_000];
            repair.pass(&mut chunk, 0);
            assert!(chunk.len() > 8_000, "{fields}");
        }
        assert!(repair.finish().1.len() <= cut::LONGEST, "{fields}");
    }
}

/// Messages made of what matters.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        3 => proptest::sample::select(vec![
            "--a", "--a--", "", "Content-Type: multipart/signed; boundary=b", "--b", "--b--", "a\0b", "\0",
            "Content-Transfer-Encoding: base64", "Content-Transfer-Encoding: quoted-printable", "Content-Type: a/b",
        ]).prop_map(str::to_owned),
        1 => (0usize..2500, "[a-z =\u{fc}-]{1,9}").prop_map(|(length, text)| text.repeat(length / text.len() + 1)),
        1 => (990usize..1005).prop_map(|length| "QUJD".repeat(length)[..length].to_owned()),
    ];
    proptest::collection::vec(line, 0..20)
        .prop_map(|lines| crlf(&format!("Content-Type: multipart/mixed; boundary=a\n\n{}\n", lines.join("\n"))))
}

proptest! {
    #[test]
    fn cuts_change_nothing(message in messages(), step in 1usize..3000) {
        let (out, known) = through(&message, step, Settings::default());
        let (whole, all) = through(&message, usize::MAX, Settings::default());
        prop_assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&whole));
        prop_assert_eq!((known.changes, known.facts), (all.changes, all.facts));
    }

    #[test]
    fn nothing_but_line_endings_blanks_and_soft_breaks_comes_in_and_nothing_but_nuls_goes(message in messages()) {
        let (out, known) = through(&message, 777, Settings::default());
        let mut rest = message.iter().copied().filter(|&octet| octet != 0).peekable();
        for &octet in out.iter().filter(|&&octet| octet != 0) {
            if rest.peek() == Some(&octet) {
                rest.next();
            } else {
                prop_assert!(matches!(octet, b'\r' | b'\n' | b' ' | b'='), "{octet}");
            }
        }
        prop_assert_eq!(rest.next(), None);
        if known.changes.is_empty() {
            prop_assert_eq!(&out, &message);
        }
        let left = known.changes.iter().any(|change| change.detail.contains("left"));
        prop_assert!(left || out.split(|&c| c == b'\n').all(|line| line.len() <= cut::LONGEST + 1 && !line.contains(&0)));
    }

    #[test]
    fn what_was_repaired_needs_no_repair(message in messages()) {
        let once = through(&message, 777, Settings::default()).0;
        prop_assert_eq!(&through(&once, 778, Settings::default()).0, &once);
    }
}
