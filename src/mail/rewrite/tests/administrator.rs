//! What an administrator asks for: fields added, set and removed, and the subject.
//!
//! A rule that could bring in a second field, or name one that others decide about, cannot be made.

use super::super::rule::{Line, RuleError};
use super::*;
use crate::mail::header::parser;

#[test]
fn the_administrators_rules_come_last() {
    let headers = vec![
        HeaderRule::add("X-Site", "Berlin, B\u{fc}ro").unwrap(),
        HeaderRule::set("Reply-To", "IT <it@example.com>").unwrap(),
        HeaderRule::remove("x-mailer").unwrap(),
        HeaderRule::add("Cc", "audit@example.com").unwrap(),
        HeaderRule::set("X-Priority", "3").unwrap(),
    ];
    let rules = Rules { headers, ..keep() };
    let (header, told) =
        sent(&rules, "From: a@b\r\nCc: c@d\r\nX-Mailer: 1\r\nReply-To: x@y\r\nX-MAILER: 2\r\nReply-To: z@y\r\n");
    assert_eq!(
        header,
        "From: a@b\r\nCc: c@d\r\nReply-To: IT <it@example.com>\r\nX-Site: Berlin, =?UTF-8?B?QsO8cm8=?=\r\nX-Priority: 3\r\n"
    );
    assert_eq!(told, [Rule::Duplicates, Rule::Header, Rule::Header, Rule::Header, Rule::Header]);
}

#[test]
fn a_rule_that_could_do_harm_does_not_exist() {
    for (name, value) in [
        ("Sub ject", "x"),
        ("X:", "x"),
        ("", "x"),
        ("X-\r\nBcc", "x"),
        ("From", "a@b"),
        ("content-type", "text/html"),
        ("Received", "x"),
        ("X-A", "a\r\nBcc: x@y"),
        ("X-A", ""),
        ("X-A", "a\u{2028}b"),
        ("Reply-To", "J\u{f6} <a@b>"),
    ] {
        assert!(HeaderRule::add(name, value).is_err() && HeaderRule::set(name, value).is_err(), "{name}: {value}");
    }
    assert_eq!(Line::parse(&"x".repeat(901)), Err(RuleError::TooLong(901)));
    let error = HeaderRule::remove("Sender").unwrap_err();
    assert_eq!(error.to_string(), "the field Sender cannot be changed by a rule: the sender policy decides about it");
}

#[test]
fn a_subject_gets_its_prefix_once() {
    let prefix = |text: &str| Rules { subject: Some(SubjectRule::Prefix(Line::parse(text).unwrap())), ..keep() };
    let subject = |rules: &Rules, raw: &str| {
        let header = format!("From: a@b\r\nTo: x@y\r\nSubject: {raw}\r\n");
        parser::text(&field(rules, header.as_bytes(), "Subject"))
    };
    for (text, raw, shown) in [
        ("[Scan]", "page 1", "[Scan] page 1"),
        ("[Scan]", "[Scan] page 1", "[Scan] page 1"),
        ("[Scan]", "=?UTF-8?Q?p=C3=A4ge?=", "[Scan] p\u{e4}ge"),
        ("B\u{fc}ro:", "=?UTF-8?Q?p=C3=A4ge?=", "B\u{fc}ro: p\u{e4}ge"),
        ("B\u{fc}ro:", "=?UTF-8?Q?B=C3=BCro:_1?=", "B\u{fc}ro: 1"),
        ("B\u{fc}ro:", "", "B\u{fc}ro:"),
    ] {
        assert_eq!(subject(&prefix(text), raw), shown);
    }
    let (header, rules) = sent(&prefix("[Scan]"), "From: a@b\r\nTo: x@y\r\n");
    assert_eq!((header.as_str(), rules), ("From: a@b\r\nTo: x@y\r\nSubject: [Scan]\r\n", vec![Rule::Subject]));
    let replaced = Rules { subject: Some(SubjectRule::Replace(Line::parse("Fax").unwrap())), ..keep() };
    assert_eq!(subject(&replaced, "anything"), "Fax");
}
