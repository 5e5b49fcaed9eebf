//! What holds for any octets and any rules.
//!
//! Fields that no rule is about stay, in their order; what is written has short lines with proper endings; nothing panics.

use super::super::rule::Line;
use super::*;
use proptest::prelude::*;

/// All that an account can ask for.
fn everything(policy: Policy) -> Rules {
    Rules {
        received: Received::Minimal,
        headers: vec![
            HeaderRule::add("X-Site", "B\u{fc}ro").unwrap(),
            HeaderRule::set("X-Priority", "3").unwrap(),
            HeaderRule::remove("X-Mailer").unwrap(),
        ],
        subject: Some(SubjectRule::Prefix(Line::parse("[\u{fc}]").unwrap())),
        ..account(policy)
    }
}

/// Octets that are a header now and then.
fn block() -> impl Strategy<Value = Vec<u8>> {
    let name = proptest::sample::select(vec![
        "From",
        "to",
        "Cc",
        "Bcc",
        "SUBJECT",
        "Received",
        "Sender",
        "Reply-To",
        "Content-Type",
        "Return-Path",
        "X-Any",
        "X-Mailer",
        "DKIM-Signature",
        "Message-ID",
        "Date",
        "From ",
        "",
    ]);
    let octet = prop_oneof![4 => any::<u8>(), 6 => proptest::sample::select(b"ab@<>\"(),;:=? h\\".as_slice())];
    let line =
        (name, proptest::collection::vec(octet, 0..40), proptest::sample::select(vec!["\r\n", "\r\n ", "\n", ""]));
    proptest::collection::vec(line, 0..8).prop_map(|lines| {
        let one = |(name, value, end): (&str, Vec<u8>, &str)| [name.as_bytes(), b":", &value, end.as_bytes()].concat();
        [lines.into_iter().flat_map(one).collect::<Vec<u8>>(), b"\r\n".to_vec()].concat()
    })
}

#[test]
fn a_header_of_many_small_fields_is_told_in_few_words() {
    for line in [
        "From: a@b\r\n",
        "Sender: x\r\n",
        "Bcc: x\r\n",
        "From x\r\n",
        "To:\r\n",
        "Cc: a@b\r\n",
        "Received: x\r\n",
        "Y: \u{fc}\r\n",
    ] {
        let block = format!("{}{line}\r\n", line.repeat(5_000));
        let rewritten = rewrite(block.as_bytes(), &ReversePath::Null, &everything(Policy::Fix), &[]);
        assert!((1..20).contains(&rewritten.changes.len()), "{line}: {}", rewritten.changes.len());
    }
}

#[test]
fn a_huge_field_is_read_at_once() {
    // With a look to the end for each of the pieces it would take very long.
    for piece in [
        "a,",
        "a@b,",
        "=?ab?q?x",
        "=?",
        "\"\\",
        "\u{fc} ",
        "\u{fc}\"",
        "(\u{fc}",
        "\u{fc};a=",
        "x*1=\u{fc};",
        ":",
        "<>",
        "\u{fc}@ ",
        "\r\n ",
    ] {
        let long = piece.repeat(60_000 / piece.len());
        for name in ["From", "To", "Subject", "Content-Type", "DKIM-Signature: h=", "Received", "Reply-To"] {
            let block = format!("{name}: {long}\r\n\r\n");
            let rewritten = rewrite(block.as_bytes(), &ReversePath::Null, &everything(Policy::Fix), &[]);
            assert!(rewritten.block.is_some());
        }
    }
}

proptest! {
    #[test]
    fn without_rules_any_octets_stay(block in proptest::collection::vec(any::<u8>(), 0..300)) {
        let rules = Rules { fixups: Fixups::NONE, ..keep() };
        let rewritten = rewrite(&block, &ReversePath::Null, &rules, &[]);
        prop_assert_eq!((rewritten.block, rewritten.changes), (None, vec![]));
    }

    #[test]
    fn whatever_is_asked_other_fields_stay_and_what_is_written_is_well_formed(block in block(), forced in any::<bool>()) {
        let rules = everything(if forced { Policy::Force } else { Policy::Fix });
        let rewritten = rewrite(&block, &ReversePath::Null, &rules, &[]);
        let edited = rewritten.block.unwrap_or_else(|| block.clone());
        let (before, after) = (Block::read(&block), Block::read(&edited));
        // Every field that goes out is one that came in, or short lines with proper endings.
        let came: std::collections::HashSet<&[u8]> = before.fields().map(|field| &block[field.whole]).collect();
        for field in after.fields() {
            let octets = &edited[field.whole.clone()];
            if !came.contains(octets) && !came.contains(octets.strip_suffix(b"\r\n").unwrap_or(octets)) {
                for line in octets.split_inclusive(|&octet| octet == b'\n') {
                    prop_assert!(line.len() <= 1000 && line.ends_with(b"\r\n"), "{:?}", line);
                    prop_assert!(!line[..line.len() - 2].contains(&b'\r'), "{:?}", line);
                }
            }
        }
        // Of fields that no rule is about, none is changed or moved, and none lost that may stand there.
        let others = |block: &Block<'_>| block.named("Message-ID").map(|field| field.value.to_vec()).collect::<Vec<_>>();
        let (came, went) = (others(&before), others(&after));
        prop_assert!(came == went || came.len() > 1 && went.len() == 1 && came.contains(&went[0]), "{:?} {:?}", came, went);
        // What may stand once does, where no signature may cover it.
        if before.first("DKIM-Signature").is_none() {
            for name in ["Date", "Message-ID", "Subject", "To", "Cc", "Reply-To", "Sender"] {
                prop_assert!(after.named(name).count() <= 1, "{}", name);
            }
        }
        let count = |block: &Block<'_>| block.named("Received").count();
        prop_assert_eq!(count(&before), count(&after));
        prop_assert_eq!(&block[before.end()..], &edited[after.end()..]);
    }
}
