//! A mail that was signed before it came: what is left alone for that, and what is told.
//!
//! DKIM covers what its `h=` names, S/MIME and PGP the body and the fields it is read by.

use super::super::rule::Line;
use super::*;

const DKIM: &str = "DKIM-Signature: v=1; d=nas.example; bh=x; h=From : to:\r\n Subject:Reply-To; b=y\r\n";

#[test]
fn what_dkim_covers_is_left_by_fixups_and_told() {
    let header = format!("{DKIM}From: p@nas <p@nas>\r\nTo:\r\nSubject: \u{fc}\r\nX-Note: \u{fc}\r\nBcc: x@y\r\n");
    let rules = Rules {
        headers: vec![HeaderRule::remove("Subject").unwrap()],
        subject: Some(SubjectRule::Replace(Line::parse("Fax").unwrap())),
        ..keep()
    };
    let (edited, told) = sent(&rules, &header);
    assert_eq!(edited, format!("{DKIM}From: p@nas <p@nas>\r\nTo:\r\nSubject: \u{fc}\r\nX-Note: =?UTF-8?B?w7w=?=\r\n"));
    let skipped = told.iter().filter(|rule| **rule == Rule::Signature).count();
    // From, the raw subject, both rules about it, and To.
    assert_eq!((skipped, told.len()), (5, 7), "{told:?}");
}

#[test]
fn the_sender_policy_breaks_a_signature_and_says_so() {
    let (rewritten, edited) =
        done(&account(Policy::Fix), format!("{DKIM}From: s@nas.example\r\nTo: x@y\r\n").as_bytes());
    assert!(Block::read(&edited).first("From").unwrap().value.ends_with(b"<office@example.com>"));
    let last = rewritten.changes.last().unwrap();
    assert_eq!(
        last.to_string(),
        "signature: the DKIM signature of the mail no longer verifies, it covers from, reply-to"
    );
}

#[test]
fn a_signed_body_keeps_the_fields_it_is_read_by() {
    for kind in [
        "multipart/signed; protocol=\"application/pgp-signature\"; x=\"\u{fc}\"",
        "application/pkcs7-mime; smime-type=signed-data; name=\u{fc}.p7m",
    ] {
        let header = format!("From: p@x.example <p@x.example>\r\nTo: x@y\r\nContent-Type: {kind}\r\n");
        let (edited, told) = sent(&keep(), &header);
        assert_eq!(edited, format!("From: <p@x.example>\r\nTo: x@y\r\nContent-Type: {kind}\r\n"));
        assert_eq!(told, [Rule::BrokenFrom, Rule::Signature, Rule::Signature]);
    }
}
