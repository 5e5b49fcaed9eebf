//! Raw text beyond ASCII in a header: it goes out as ASCII that reads the same.
//!
//! Read back by the readers of this house, and where the form matters compared with what the RFCs have.

use super::*;
use crate::mail::header::{mailbox, parser};

#[test]
fn raw_text_becomes_encoded_words_in_its_own_charset() {
    let to = b"From: a@b\r\nTo: x@y\r\n".as_slice();
    for (raw, charset) in [
        (b"Subject: B\xC3\xBCro".as_slice(), "koi8-r"),
        (b"Subject: B\xFCro", "windows-1252"),
        (b"Subject: B\x9Fro", "macintosh"),
    ] {
        let rules = Rules { charset: Charset::parse(charset).unwrap(), ..keep() };
        let header = [to, raw, b" on fire\r\n"].concat();
        assert_eq!(field(&rules, &header, "Subject"), b"=?UTF-8?B?QsO8cm8=?= on fire", "{charset}");
        assert!(!done(&rules, &header).0.needs_utf8);
    }
}

#[test]
fn names_and_comments_are_encoded_and_addresses_are_not() {
    let header = "From: a@b\r\nTo: B\u{fc}ro 2 <x@y>, \"M\u{fc}ller, A\"<c@d>, e@f (\u{e4}), Team \u{f6}:g@h;\r\n";
    let to = field(&keep(), header.as_bytes(), "To");
    assert!(to.is_ascii());
    let reading = mailbox::read(std::str::from_utf8(&to).unwrap());
    let seen: Vec<_> = reading.mailboxes.iter().map(|m| (m.name.as_deref(), m.address.as_deref().unwrap())).collect();
    assert_eq!(
        seen,
        [(Some("B\u{fc}ro 2"), "x@y"), (Some("M\u{fc}ller, A"), "c@d"), (Some("\u{e4}"), "e@f"), (None, "g@h")]
    );
    assert_eq!(reading.broken, None);
    let (rewritten, edited) = done(&keep(), "From: a@b\r\nTo: J\u{f6} <j\u{f6}rg@x.example>\r\n".as_bytes());
    assert_eq!(edited, "From: a@b\r\nTo: =?UTF-8?B?SsO2?= <j\u{f6}rg@x.example>\r\n".as_bytes());
    assert!(rewritten.needs_utf8);
    // Without angle brackets an address is one too; and encoded words stand alone (RFC 2047 §5).
    let header = "From: a@b\r\nTo: j\u{f6}rg@x.example,B\u{fc}ro<c@d>\r\n";
    let expected = "j\u{f6}rg@x.example, =?UTF-8?B?QsO8cm8=?= <c@d>";
    assert_eq!(field(&keep(), header.as_bytes(), "To"), expected.as_bytes());
    let path = ReversePath::try_from("j\u{f6}rg@x.example".to_owned()).unwrap();
    assert!(rewrite(b"From: a@b\r\nTo: x@y\r\n\r\n", &path, &keep(), &[]).needs_utf8);
}

#[test]
fn file_names_are_written_as_rfc_2231_has_them() {
    let long = "\u{fc}".repeat(40);
    let header = format!(
        "From: a@b\r\nTo: x@y\r\nMIME-Version: 1.0\r\nContent-Disposition: attachment; size=1;\r\n filename=\"B\u{fc}ro; 2.pdf\"\r\n\
         Content-Type: application/pdf; name={long}.pdf; x=y\r\n"
    );
    let disposition = field(&keep(), header.as_bytes(), "Content-Disposition");
    assert_eq!(disposition, b"attachment; size=1; filename*=UTF-8''B%C3%BCro%3B%202.pdf");
    let kind = field(&keep(), header.as_bytes(), "Content-Type");
    assert!(kind.is_ascii() && memchr::memmem::find(&kind, b" name*4*=").is_some());
    assert!(kind.split(|&octet| octet == b' ').all(|piece| piece.len() < 70));
    let content = parser::content(&kind).unwrap();
    assert_eq!(content.parameter("name"), Some(format!("{long}.pdf").as_str()));
    assert_eq!(content.parameter("x"), Some("y"));
}

#[test]
fn a_parameter_is_not_written_twice() {
    let header = "From: a@b\r\nTo: x@y\r\nMIME-Version: 1.0\r\nContent-Disposition: inline; FileName=\"B\u{fc}ro \\\"2\"; filename*=UTF-8''B%C3%BCro; x=\u{fc}\r\n";
    let disposition = field(&keep(), header.as_bytes(), "Content-Disposition");
    let expected = "inline; FileName=\"B_ro _2\"; filename*=UTF-8''B%C3%BCro; x*=UTF-8''%C3%BC";
    assert_eq!(String::from_utf8(disposition).unwrap(), expected);
}

#[test]
fn fields_of_unknown_grammar_are_left_and_asked_smtputf8_for() {
    let header = "From: a@b\r\nTo: x@y\r\nMessage-ID: <\u{fc}@nas>\r\n";
    let (rewritten, edited) = done(&keep(), header.as_bytes());
    assert_eq!((edited.as_slice(), rewritten.needs_utf8), (header.as_bytes(), true));
}
