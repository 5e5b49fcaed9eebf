//! The sender policy, as stories: what a device wrote, what the provider gets, and what the log says.
//!
//! The account's provider takes its own address alone, unless a story says otherwise. The last one is told of any `From`
//! at all.

use super::*;
use crate::mail::header::block::Block;
use crate::mail::header::parser::{self, Charset};

fn address(text: &str) -> Address {
    Address::parse(text.as_bytes()).unwrap()
}

/// An account of which the provider takes its own address alone.
fn office(policy: Policy) -> Settings {
    Settings { policy, allowance: Allowance::Own, ..Settings::of(address("office@example.com")) }
}

/// The header that goes out, and the rules that did something.
fn sent(settings: &Settings, header: &str) -> (String, Vec<Rule>) {
    sent_by(&ReversePath::Null, settings, header)
}

/// The same with a sender in the envelope.
fn sent_by(path: &ReversePath, settings: &Settings, header: &str) -> (String, Vec<Rule>) {
    let mut changes = Vec::new();
    let block = format!("{header}\r\n");
    let edited = edit(block.as_bytes(), path, settings, &[], &Charset::default(), &mut changes);
    let edited = edited.map_or(block, |block| String::from_utf8(block).unwrap());
    (edited.strip_suffix("\r\n").unwrap().to_owned(), changes.iter().map(|change| change.rule).collect())
}

fn path(text: &str) -> ReversePath {
    ReversePath::try_from(text.to_owned()).unwrap()
}

fn sent_path(settings: &Settings, refused: &[Address], from: &str) -> String {
    reverse_path(settings, refused, &path(from)).map_or(from.to_owned(), |(path, _)| path.to_string())
}

#[test]
fn what_is_allowed_is_decided_by_provider_patterns_and_earlier_refusals() {
    let mut account = office(Policy::Fix);
    let may = |account: &Settings, who: &str| account.may_send_as(&address(who), &[address("Refused@example.com")]);
    assert!(may(&account, "OFFICE@Example.com") && !may(&account, "fax@example.com") && !may(&account, "root"));
    account.may_send_as = vec!["fax*@example.com".into()];
    assert!(may(&account, "fax2@example.com") && !may(&account, "scan@example.com"));
    account.allowance = Allowance::OwnDomain;
    assert!(may(&account, "scan@EXAMPLE.com") && !may(&account, "scan@example.org"));
    account.allowance = Allowance::Anything;
    assert!(may(&account, "scan@example.org"));
    for fiction in ["root", "ups@nas", "ups@nas.local", "ups@[192.0.2.1]", "ups@localhost.localdomain"] {
        assert!(!may(&account, fiction), "{fiction}");
    }
    account.may_send_as = vec!["*".into()];
    assert!(!may(&account, "refused@EXAMPLE.com") && may(&account, "ups@nas.local"));
}

#[test]
fn the_reverse_path_is_brought_to_the_account_only_where_it_must_be() {
    let scan = "scan@example.org";
    assert_eq!(sent_path(&office(Policy::Keep), &[], scan), scan);
    assert_eq!(sent_path(&office(Policy::Fix), &[], scan), "office@example.com");
    assert_eq!(sent_path(&office(Policy::Fix), &[], "Office@Example.com"), "Office@Example.com");
    let open = Settings { allowance: Allowance::Anything, ..office(Policy::Fix) };
    assert_eq!(sent_path(&open, &[], scan), scan);
    assert_eq!(sent_path(&open, &[address(scan)], scan), "office@example.com");
    assert_eq!(sent_path(&Settings { policy: Policy::Force, ..open }, &[], scan), "office@example.com");
}

#[test]
fn the_null_sender_stays_unless_the_provider_refuses_it() {
    for policy in [Policy::Keep, Policy::Fix, Policy::Force] {
        assert_eq!(sent_path(&office(policy), &[], "<>"), "<>");
        let refuses = Settings { null_sender: false, ..office(policy) };
        let expected = if policy == Policy::Keep { "<>" } else { "office@example.com" };
        assert_eq!(sent_path(&refuses, &[], "<>"), expected);
    }
}

#[test]
fn keep_touches_nothing() {
    for header in ["", "From:\r\n", "From: a@b\r\nFrom: c@d\r\nSender: x@y\r\n", "Subject: x\r\n"] {
        assert_eq!(sent(&office(Policy::Keep), header), (header.to_owned(), vec![]));
    }
}

#[test]
fn fix_leaves_an_allowed_sender_octet_for_octet() {
    let named = Settings { name: DisplayName::parse("Front desk").ok(), ..office(Policy::Fix) };
    for header in [
        "FROM:\tScanner\r\n <Office@Example.com>\r\nSender: office@example.com\r\n",
        "From: office@example.com (2)\r\n",
    ] {
        assert_eq!(sent(&named, header), (header.to_owned(), vec![]));
    }
}

#[test]
fn fix_brings_what_is_refused_to_the_account_and_loses_nothing() {
    let (header, rules) =
        sent(&office(Policy::Fix), "To: x@y\r\nFrom: \"Scanner, 2\" <scan@example.org>\r\nSubject: s\r\n");
    assert_eq!(
        header,
        "To: x@y\r\nFrom: \"Scanner, 2\" <office@example.com>\r\nReply-To: \"Scanner, 2\" <scan@example.org>\r\n\
         X-Original-From: \"Scanner, 2\" <scan@example.org>\r\nSubject: s\r\n"
    );
    assert_eq!(rules, [Rule::From, Rule::ReplyTo, Rule::OriginalFrom]);
}

#[test]
fn an_answer_goes_where_the_device_said_it_should() {
    let from = "From: scan@example.org\r\n";
    let (header, rules) = sent(&office(Policy::Fix), &format!("{from}Reply-To: boss@example.org\r\n"));
    assert_eq!(
        header,
        "From: <office@example.com>\r\nX-Original-From: scan@example.org\r\nReply-To: boss@example.org\r\n"
    );
    assert_eq!(rules, [Rule::From, Rule::OriginalFrom]);
    // An empty one says nothing.
    let (header, _) = sent(&office(Policy::Fix), &format!("{from}Reply-To:\r\n"));
    assert_eq!(
        header,
        "From: <office@example.com>\r\nReply-To: <scan@example.org>\r\nX-Original-From: scan@example.org\r\n"
    );
    // No answer would get to these, or only through a provider with SMTPUTF8.
    for nobody in ["root", "Scanner <root>", "root@nas", "copier@x.local", "p@[192.0.2.1]", "j\u{f6}rg@example.org"] {
        let (header, _) = sent(&office(Policy::Fix), &format!("From: {nobody}\r\n"));
        assert!(!header.contains("Reply-To") && header.contains("X-Original-From: ") && header.is_ascii(), "{header}");
    }
    // Whoever has mail under a name that the internet does not know can be answered there.
    let inside = Settings { allowance: Allowance::Own, ..Settings::of(address("office@example.lan")) };
    assert!(sent(&inside, "From: scan@example.lan\r\n").0.contains("\r\nReply-To: <scan@example.lan>\r\n"));
}

#[test]
fn the_name_is_the_configured_one_or_else_the_devices_own() {
    let plain = office(Policy::Fix);
    let named = Settings { name: DisplayName::parse("Front desk").ok(), ..plain.clone() };
    for (from, own, configured) in [
        ("Scanner <a@b.example>", "Scanner <office@example.com>", "Front desk <office@example.com>"),
        ("Scanner 3rd floor", "Scanner 3rd floor <office@example.com>", "Front desk <office@example.com>"),
        ("root", "root <office@example.com>", "Front desk <office@example.com>"),
        ("p@b.example <p@b.example>", "<office@example.com>", "Front desk <office@example.com>"),
    ] {
        let header = format!("From: {from}\r\n");
        for (settings, expected) in [(&plain, own), (&named, configured)] {
            let (sent, _) = sent(settings, &header);
            assert_eq!(sent.lines().next(), Some(format!("From: {expected}").as_str()), "{from}");
        }
    }
    let forced = Settings { policy: Policy::Force, ..named };
    let (header, rules) = sent(&forced, "From: Scanner <office@example.com>\r\n");
    assert_eq!(header, "From: Front desk <office@example.com>\r\nX-Original-From: Scanner <office@example.com>\r\n");
    assert_eq!(rules, [Rule::SenderName, Rule::OriginalFrom]);
    assert_eq!(sent(&forced, "From: Front desk <office@example.com>\r\n").1, []);
}

#[test]
fn a_from_that_is_missing_empty_or_unreadable_becomes_the_accounts() {
    for (header, expected) in [
        ("Subject: x\r\n", "Subject: x\r\nFrom: <office@example.com>\r\n"),
        ("From:\r\n", "From: <office@example.com>\r\n"),
        ("From: <>\r\n", "From: <office@example.com>\r\nX-Original-From: <>\r\n"),
        ("From: Robot:;\r\n", "From: Robot <office@example.com>\r\nX-Original-From: Robot:;\r\n"),
        ("From: <a b@c>\r\n", "From: <office@example.com>\r\nX-Original-From: <a b@c>\r\n"),
    ] {
        for policy in [Policy::Fix, Policy::Force] {
            assert_eq!(sent(&office(policy), header).0, expected);
        }
    }
}

#[test]
fn who_names_nobody_in_from_is_who_the_envelope_says_if_that_may_be() {
    let open = |policy| Settings { policy, ..Settings::of(address("office@example.com")) };
    let pump = path("pump1@example.org");
    for (header, expected) in [
        ("Subject: x\r\n", "Subject: x\r\nFrom: <pump1@example.org>\r\n"),
        ("From:\r\n", "From: <pump1@example.org>\r\n"),
        ("From: Pump 1\r\n", "From: Pump 1 <pump1@example.org>\r\nX-Original-From: Pump 1\r\n"),
        ("From: pump1 (Pump)\r\n", "From: pump1 <pump1@example.org>\r\nX-Original-From: pump1 (Pump)\r\n"),
        // Whom it names is not whom the envelope names: that is for the account.
        ("From: a@nas\r\n", "From: <office@example.com>\r\nX-Original-From: a@nas\r\n"),
    ] {
        assert_eq!(sent_by(&pump, &open(Policy::Fix), header).0, expected);
    }
    let account = "Subject: x\r\nFrom: <office@example.com>\r\n";
    assert_eq!(sent_by(&path("pump1@plant"), &open(Policy::Fix), "Subject: x\r\n").0, account);
    assert_eq!(sent_by(&pump, &office(Policy::Fix), "Subject: x\r\n").0, account);
    assert_eq!(sent_by(&pump, &open(Policy::Force), "Subject: x\r\n").0, account);
}

#[test]
fn raw_text_in_an_original_is_kept_encoded() {
    let mut changes = Vec::new();
    let block = b"From: B\xFCro <scan@example.org>\r\n\r\n";
    let edited = edit(block, &ReversePath::Null, &office(Policy::Fix), &[], &Charset::default(), &mut changes).unwrap();
    assert!(edited.is_ascii());
    let original = Block::read(&edited).first("X-Original-From").unwrap();
    assert_eq!(parser::text(original.value), "B\u{fc}ro <scan@example.org>");
    let from = Block::read(&edited).first("From").unwrap();
    assert_eq!(&*from.unfolded(), b"=?UTF-8?B?QsO8cm8=?= <office@example.com>");
}

#[test]
fn several_authors_need_a_sender_and_are_all_answered() {
    let wide = Settings { may_send_as: vec!["*@example.com".into()], ..office(Policy::Fix) };
    let allowed = "From: A <a@example.com>, b@example.com\r\n";
    assert_eq!(sent(&wide, allowed).0, format!("{allowed}Sender: <office@example.com>\r\n"));
    let with_sender = format!("{allowed}Sender: b@example.com\r\n");
    assert_eq!(sent(&wide, &with_sender), (with_sender.clone(), vec![]));
    assert_eq!(
        sent(&wide, "From: A <a@example.com>, b@example.org\r\n").0,
        "From: A <office@example.com>\r\nReply-To: A <a@example.com>, <b@example.org>\r\n\
         X-Original-From: A <a@example.com>, b@example.org\r\n"
    );
}

#[test]
fn a_sender_that_may_not_send_is_taken_out_and_further_froms_too() {
    let (header, rules) =
        sent(&office(Policy::Fix), "From: office@example.com\r\nSender: daemon@nas\r\nFrom: x@y.example\r\n");
    assert_eq!(header, "From: office@example.com\r\n");
    assert_eq!(rules, [Rule::From, Rule::Sender]);
}

proptest::proptest! {
    #[test]
    fn whatever_was_written_the_result_is_one_allowed_from(
        from in "(\\PC|[\"\\\\()<>,;:@=? ]){0,60}", forced in proptest::bool::ANY
    ) {
        let account = office(if forced { Policy::Force } else { Policy::Fix });
        let (header, _) = sent(&account, &format!("From: {from}\r\nX: y\r\n"));
        let block = Block::read(header.as_bytes());
        let froms: Vec<_> = block.named("From").collect();
        proptest::prop_assert_eq!(froms.len(), 1);
        let value = froms[0].unfolded().into_owned();
        let read = crate::mail::header::mailbox::read(std::str::from_utf8(&value).unwrap());
        for mailbox in &read.mailboxes {
            let address = mailbox.address.as_deref().unwrap();
            proptest::prop_assert!(address.eq_ignore_ascii_case("office@example.com"), "{}", address);
        }
        proptest::prop_assert!(!read.mailboxes.is_empty());
        // A second time there is nothing to do.
        proptest::prop_assert_eq!(sent(&account, &header).1, Vec::<Rule>::new());
    }
}
