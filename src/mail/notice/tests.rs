//! What a notice looks like, and what no mail can do to it.
//!
//! Each file in `tests/notices/` is one notice as it goes out. A mail program's view of it is checked with `mail-parser`,
//! which had no part in making it; the property test puts any octets wherever somebody else's words stand.

use std::path::Path;

use mail_parser::{MessageParser, MimeHeaders as _, PartType};
use proptest::prelude::*;

use super::*;
use crate::mail::envelope::Notify;

const ORIGINAL: &[u8] = b"Received: from nas ([192.0.2.7])\r\n\tby relay.example.com (Posthouse) with ESMTP id 1;\r\n\tSun, 22 Nov 2026 09:05:00 +0100\r\nFrom: Scanner <scanner@example.com>\r\nTo: boss@partner.example\r\nSubject: Scan of Monday\r\nDate: Sun, 22 Nov 2026 09:04:58 +0100\r\nMessage-ID: <scan-7@nas>\r\n\r\nThe scan.\r\n--=_00000000000070008000000000000000--\r\n";

fn address(text: &str) -> Address {
    Address::parse(text.as_bytes()).unwrap()
}

fn recipient(text: &str) -> Recipient {
    Recipient::plain(address(text))
}

fn failed<'a>(recipient: &'a Recipient, reply: Option<&'a str>) -> Fate<'a> {
    let action = Action::Failed {
        sentence: "the provider says that there is no such mailbox",
        cure: "compare the address with the one the recipient gave you, letter by letter, and correct it on the device",
    };
    Fate { recipient, action, at: "2026-11-22T08:05:03Z".parse().unwrap(), server: Some("smtp.example.com"), reply }
}

/// A notice about a mail of the scanner; the stories change what they are about.
struct Scene {
    to: Address,
    from: Address,
    name: DisplayName,
    reverse_path: ReversePath,
    now: Zoned,
}

impl Scene {
    fn new() -> Self {
        Self {
            to: address("scanner@example.com"),
            from: address("office@example.com"),
            name: DisplayName::parse("Mail Delivery (Posthouse)").unwrap(),
            reverse_path: ReversePath::Mailbox(address("scanner@example.com")),
            now: "2026-11-22T09:05:03+01:00[Europe/Berlin]".parse().unwrap(),
        }
    }

    fn notice<'a>(&'a self, original: Original<'a>, fates: &'a [Fate<'a>]) -> Notice<'a> {
        Notice {
            id: "00000000-0000-7000-8000-000000000002".parse().unwrap(),
            from: &self.from,
            name: &self.name,
            to: &self.to,
            reader: Reader::Sender,
            hostname: "relay.example.com",
            now: &self.now,
            mail: Mail {
                id: "00000000-0000-7000-8000-000000000001".parse().unwrap(),
                reverse_path: &self.reverse_path,
                envid: None,
                arrived: "2026-11-22T08:05:00Z".parse().unwrap(),
                original,
                kept: true,
            },
            fates,
        }
    }
}

/// Holds it against its file, and against what every notice promises.
fn is_as_in(story: &str, notice: &Notice<'_>) {
    let composed = notice.compose();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/notices/{story}.eml"));
    let expected = std::fs::read_to_string(&path).unwrap_or_default().replace('\n', "\r\n");
    let said = String::from_utf8(composed.octets).unwrap();
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, said.replace("\r\n", "\n")).unwrap();
        return;
    }
    assert_eq!(said, expected, "{story}");
}

#[test]
fn a_sender_reads_what_happened_and_what_to_do() {
    let (scene, boss) = (Scene::new(), recipient("boss@partner.example"));
    let fates = [failed(&boss, Some("550 5.1.1 No such user here"))];
    is_as_in("failed", &scene.notice(Original::Start(ORIGINAL), &fates));
}

#[test]
fn the_whole_mail_comes_back_to_who_wants_it() {
    let (scene, boss) = (Scene::new(), recipient("boss@partner.example"));
    let fates = [failed(&boss, Some("550 5.1.1 No such user here"))];
    is_as_in("whole", &scene.notice(Original::Whole(ORIGINAL), &fates));
}

#[test]
fn the_administrator_learns_which_device_it_was() {
    let scene = Scene {
        to: address("it@example.com"),
        reverse_path: ReversePath::Mailbox(address("root@nas")),
        ..Scene::new()
    };
    let boss = recipient("boss@partner.example");
    let fates = [failed(&boss, None)];
    let notice = scene.notice(Original::Start(ORIGINAL), &fates);
    is_as_in("administrator", &Notice { reader: Reader::Admin { device: "192.0.2.7" }, ..notice });
}

#[test]
fn what_the_sender_gave_along_comes_back_decoded() {
    let scene = Scene::new();
    let boss =
        Recipient { orcpt: Some("rfc822;boss+2Boffice@partner.example".into()), ..recipient("boss@partner.example") };
    let (desk, lost) = (recipient("desk@partner.example"), recipient("lost@partner.example"));
    let notify = Some(Notify::On { success: true, failure: false, delay: false });
    let hr = Recipient { notify, ..recipient("hr@partner.example") };
    let at = "2026-11-22T08:05:02Z".parse().unwrap();
    let relayed = Fate {
        recipient: &hr,
        action: Action::Relayed,
        at,
        server: Some("smtp.example.com"),
        reply: Some("250 2.0.0 Ok"),
    };
    let gone = Action::Failed { sentence: "the time for trying is over", cure: "look at the log for what kept it" };
    let fates = [
        failed(&boss, Some("550 5.1.1 No such user here")),
        failed(&desk, Some("550 5.1.1 No such user here")),
        Fate { action: gone, server: None, ..failed(&lost, Some("451 4.4.7 Expired")) },
        relayed,
    ];
    let notice = scene.notice(Original::Start(ORIGINAL), &fates);
    let mail = Mail { envid: Some("scan+2B7+0D+0AAction:+20delivered"), kept: false, ..notice.mail };
    is_as_in("mixed", &Notice { mail, ..notice });
}

#[test]
fn who_asked_to_hear_of_success_hears_where_it_went() {
    let (scene, boss) = (Scene::new(), recipient("boss@partner.example"));
    let at = "2026-11-22T08:05:02Z".parse().unwrap();
    let fates = [Fate { recipient: &boss, action: Action::Relayed, at, server: None, reply: Some("250 2.0.0 Ok") }];
    let notice = scene.notice(Original::Start(ORIGINAL), &fates);
    is_as_in("relayed", &Notice { mail: Mail { kept: false, ..notice.mail }, ..notice });
}

#[test]
fn addresses_and_subjects_of_all_languages_are_told() {
    let scene = Scene { to: address("büro@exämple.de"), ..Scene::new() };
    let boss = recipient("chef+post@exämple.de");
    let fates = [failed(&boss, Some("550 5.1.1 Пользователь не найден"))];
    let original = "From: x\r\nSubject: =?UTF-8?Q?B=C3=BCro?=\r\nX-Raw: \u{e4}\r\n\r\nbody\r\n".as_bytes();
    let notice = scene.notice(Original::Whole(original), &fates);
    assert!(notice.compose().is_internationalized);
    is_as_in("languages", &notice);
}

#[test]
fn a_mail_program_sees_three_parts() {
    let (scene, boss) = (Scene::new(), recipient("boss@partner.example"));
    let fates = [failed(&boss, Some("550 5.1.1 No such user here"))];
    let octets = scene.notice(Original::Whole(ORIGINAL), &fates).compose().octets;
    let seen = MessageParser::default().parse(&octets).unwrap();
    let types: Vec<String> = seen
        .parts
        .iter()
        .filter_map(|part| part.content_type())
        .map(|t| format!("{}/{}", t.ctype(), t.subtype().unwrap_or("")))
        .collect();
    assert_eq!(types, ["multipart/report", "text/plain", "message/delivery-status", "message/rfc822"]);
    let PartType::Message(inner) = &seen.parts[3].body else { panic!("the mail itself is not there") };
    assert!(inner.raw_message() == ORIGINAL || inner.raw_message().starts_with(&ORIGINAL[..ORIGINAL.len() - 2]));
    assert_eq!(seen.header("Auto-Submitted").and_then(|value| value.as_text()), Some("auto-replied"));
    assert_eq!(seen.in_reply_to().as_text(), Some("scan-7@nas"));
}

#[test]
fn foreign_words_stay_on_their_own_line() {
    let (scene, boss) = (Scene::new(), recipient("boss@partner.example"));
    let said = "550 5.1.1 No\r\n  What to do:  send it to mallory@example.net\r\n";
    let action = Action::Failed { sentence: said, cure: said };
    let fates = [Fate { action, ..failed(&boss, Some(said)) }];
    let octets = scene.notice(Original::Start(ORIGINAL), &fates).compose().octets;
    let text = String::from_utf8(octets).unwrap();
    assert!(text.contains("mallory"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("  What to do:")).count(), 1, "{text}");
}

#[test]
fn what_is_large_or_not_plain_comes_back_as_a_header_only() {
    let (scene, boss) = (Scene::new(), recipient("boss@partner.example"));
    let fates = [failed(&boss, None)];
    let comes_back = |body: &[u8]| {
        let original = [b"Subject: x\r\n\r\n".as_slice(), body, b"\r\n"].concat();
        let octets = scene.notice(Original::Whole(&original), &fates).compose().octets;
        let text = String::from_utf8(octets).unwrap();
        assert_eq!(text.contains("message/rfc822"), !text.contains("text/rfc822-headers"));
        text.contains("message/rfc822")
    };
    assert!(comes_back(b"plain"));
    assert!(comes_back(&[b'x'; 998]));
    assert!(!comes_back(&[b'x'; 999]), "no line of a notice is longer than 998 octets");
    assert!(!comes_back(b"na\xefve"), "the provider may take no 8-bit mail");
    assert!(!comes_back(b"a\0b") && !comes_back(b"a\rb") && !comes_back(b"a\nb"));
    assert!(!comes_back(&b"0123456\r\n".repeat(WHOLE_LIMIT / 9 + 1)), "{WHOLE_LIMIT} octets are the limit");
}

#[test]
fn an_endless_header_is_cut_behind_a_line() {
    let (scene, boss) = (Scene::new(), recipient("boss@partner.example"));
    let fates = [failed(&boss, None)];
    let original = "X-Field: 0123456789\r\n".repeat(5000).into_bytes();
    let octets = scene.notice(Original::Start(&original), &fates).compose().octets;
    assert!(octets.len() < HEADER_LIMIT + 4096);
    let text = String::from_utf8(octets).unwrap();
    assert!(text.ends_with("X-Field: 0123456789\r\n\r\n--=_00000000000070008000000000000002--\r\n"), "{text}");
}

/// Lines of a notice, each proven to be what a line may be.
fn lines(octets: &[u8]) -> Vec<&str> {
    let text = std::str::from_utf8(octets).unwrap();
    assert!(text.is_ascii(), "it holds nothing but ASCII");
    let lines: Vec<&str> = text.strip_suffix("\r\n").unwrap().split("\r\n").collect();
    assert!(lines.iter().all(|line| line.len() <= 998 && !line.contains(['\r', '\n', '\0'])));
    lines
}

proptest! {
    #[test]
    fn nobody_elses_words_begin_a_field_or_a_part(
        header in proptest::collection::vec(any::<u8>(), 0..400),
        subject in any::<String>(),
        said in any::<String>(),
        sentence in any::<String>(),
        hostname in any::<String>(),
        device in any::<String>(),
        server in any::<String>(),
        envid in "[!-*,-<>-~]{0,20}(\\+[0-9A-F]{2}){0,20}",
        orcpt in "[a-z0-9]{0,9};[!-*,-<>-~]{0,20}(\\+[0-9A-F]{2}){0,20}",
        whole in any::<bool>(),
    ) {
        let scene = Scene::new();
        let boss = Recipient { orcpt: Some(orcpt.into()), ..recipient("boss@partner.example") };
        let action = Action::Failed { sentence: &sentence, cure: &said };
        let fates = [Fate { action, server: Some(&server), ..failed(&boss, Some(&said)) }];
        let original = [format!("Subject: {subject}\r\n").as_bytes(), &header].concat();
        let original = if whole { Original::Whole(&original) } else { Original::Start(&original) };
        let notice = scene.notice(original, &fates);
        let mail = Mail { envid: Some(&envid), ..notice.mail };
        let notice = Notice { mail, hostname: &hostname, reader: Reader::Admin { device: &device }, ..notice };
        let octets = notice.compose().octets;

        let lines = lines(&octets);
        let end = lines.iter().position(|line| line.is_empty()).unwrap();
        let fields = lines[..end].iter().filter(|line| !line.starts_with([' ', '\t']));
        let names: Vec<&str> = fields.map(|line| line.split(':').next().unwrap()).filter(|name| !["In-Reply-To", "References"].contains(name)).collect();
        prop_assert_eq!(names, ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]);

        let boundary = "--=_00000000000070008000000000000002";
        let borders = lines.iter().filter(|line| line.starts_with(boundary)).count();
        prop_assert!((3..=4).contains(&borders), "{borders} borders");

        let status = lines.iter().position(|line| *line == "Content-Type: message/delivery-status").unwrap();
        let status: Vec<&str> = lines[status + 3..].iter().take_while(|line| !line.starts_with("--")).map(|line| line.split(':').next().unwrap()).collect();
        prop_assert_eq!(status, [
            "Reporting-MTA", "Original-Envelope-Id", "Arrival-Date", "",
            "Original-Recipient", "Final-Recipient", "Action", "Status", "Remote-MTA", "Diagnostic-Code", "Last-Attempt-Date", "",
        ]);
    }
}
