//! Fields that may stand once and stand several times: which one stays, and what is told.
//!
//! No recipient is lost, and what a signature covers is let be.

use super::*;

/// What stays of these fields, and what is told.
fn once(fields: &str) -> (String, Vec<String>) {
    let (rewritten, edited) = done(&keep(), format!("From: a@b\r\nTo: x@y\r\n{fields}").as_bytes());
    let edited = String::from_utf8(edited).unwrap();
    let rest = edited.strip_prefix("From: a@b\r\nTo: x@y\r\n").unwrap().to_owned();
    (rest, rewritten.changes.iter().map(ToString::to_string).collect())
}

#[test]
fn of_every_field_that_may_stand_once_the_first_stays() {
    for (first, second) in [
        ("Date: Sun, 22 Nov 2026 09:05:00 +0100", "date: Sun, 22 Nov 2026 09:06:00 +0100"),
        ("Sender: s@b", "Sender: t@b"),
        ("Reply-To: r@b", "REPLY-TO: s@b"),
        ("Message-ID: <1@nas>", "Message-Id: <2@nas>"),
        ("In-Reply-To: <1@nas>", "In-Reply-To: <2@nas>"),
        ("References: <1@nas>", "References: <2@nas>"),
        ("Subject: one", "Subject: two"),
        ("MIME-Version: 1.0", "Mime-Version: 1.0"),
        ("MIME-Version: 1.0\r\nContent-Type:\r\n\ttext/plain", "Content-Type: text/html"),
        ("MIME-Version: 1.0\r\nContent-Transfer-Encoding: 7bit", "Content-Transfer-Encoding: base64"),
    ] {
        let (rest, told) = once(&format!("{first}\r\nX-Any: 1\r\n{second}\r\nX-Any: 2\r\n{second}\r\n"));
        assert_eq!(rest, format!("{first}\r\nX-Any: 1\r\nX-Any: 2\r\n"));
        assert!(told.len() == 1 && told[0].starts_with("duplicates: "), "{told:?}");
    }
}

#[test]
fn the_first_that_says_something_stays() {
    let (rest, told) =
        once("Date: now\r\nDate: Sun, 22 Nov 2026 09:05:00 +0100\r\nMessage-ID: 7\r\nMessage-ID: <7@b>\r\n");
    assert_eq!(rest, "Date: Sun, 22 Nov 2026 09:05:00 +0100\r\nMessage-ID: <7@b>\r\n");
    assert_eq!(
        told,
        [
            "duplicates: one Date of 2 stays, now was taken out",
            "duplicates: one Message-ID of 2 stays, 7 was taken out"
        ]
    );
    let (rest, told) =
        once("Subject:\r\nSubject: Fax\r\nReply-To: nobody\r\nReply-To: r@b\r\nSender:\r\nSender: s@b\r\n");
    assert_eq!(rest, "Subject: Fax\r\nReply-To: r@b\r\nSender: s@b\r\n");
    assert_eq!(
        told,
        [
            "duplicates: one Sender of 2 stays, an empty one was taken out",
            "duplicates: one Reply-To of 2 stays, nobody was taken out",
            "duplicates: one Subject of 2 stays",
        ]
    );
    // Where none does, one stays none the less.
    assert_eq!(once("Message-ID: 7\r\nMessage-ID: 8\r\n").0, "Message-ID: 7\r\n");
}

#[test]
fn no_recipient_is_lost() {
    for (fields, joined) in [
        ("Cc: a@b\r\nCc: C <c@d>,\r\n", "Cc: a@b, C <c@d>\r\n"),
        ("Cc: Team: a@b;\r\nX: y\r\nCc: c@d\r\nCc: e@f\r\n", "Cc: Team: a@b;, c@d, e@f\r\nX: y\r\n"),
        // Who is named already is not named again, nor is nobody.
        ("Cc: \"A\" <a@b>, c@d\r\nCc: A@B\r\nCc:\r\n", "Cc: \"A\" <a@b>, c@d\r\n"),
        ("Cc: \r\nCc: a@b\r\n", "Cc: a@b\r\n"),
        // Behind a quote that is not closed, nothing would be an address any more.
        ("Cc: \"A <a@b>\r\nCc: c@d\r\n", "Cc: \"A <a@b>\r\n"),
        ("Cc: a@b\r\nCc: C, the third <c@d>\r\n", "Cc: a@b\r\n"),
    ] {
        let (rest, told) = once(fields);
        assert_eq!((rest.as_str(), told.len()), (joined, 1), "{told:?}");
    }
    let (_, told) = once("Cc: a@b\r\nCc: c@d\r\n");
    assert_eq!(told, ["duplicates: one Cc of 2 stays, with the addresses of all"]);
    assert_eq!(field(&keep(), b"From: a@b\r\nCc: a@b\r\nCc: \xFC <c@d>\r\n", "Cc"), b"a@b, =?UTF-8?B?w7w=?= <c@d>");
}

#[test]
fn fields_that_may_stand_often_and_those_a_signature_covers_stay() {
    let often = "Received: 1\r\nReceived: 2\r\nKeywords: a\r\nKeywords: b\r\nComments: c\r\nComments: d\r\nX-A: 1\r\nX-A: 1\r\n";
    assert_eq!(once(often), (often.to_owned(), vec![]));
    let signed = "DKIM-Signature: v=1; h=from:date; b=y\r\nDate: now\r\nDate: now\r\n";
    let (rest, told) = once(&format!("{signed}Subject: one\r\nSubject: two\r\n"));
    assert_eq!(rest, format!("{signed}Subject: one\r\n"));
    assert_eq!(told[0], "signature: a signature covers Date, so duplicates was not applied");
    let signed = "MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=a\r\nContent-Type: text/plain\r\n";
    assert_eq!(once(signed).0, signed);
}

#[test]
fn which_sender_stays_is_for_the_sender_policy_first() {
    let header = "From: office@example.com\r\nTo: x@y\r\nSender: p@nas\r\nSender: office@example.com\r\n";
    let (edited, _) = sent(&account(Policy::Fix), header);
    assert_eq!(edited, "From: office@example.com\r\nTo: x@y\r\nSender: office@example.com\r\n");
}
