//! Who is told that a mail failed, and through which account.
//!
//! Each story is a mail of the scanner with some recipients that have just ended; what is looked at is the message that
//! would be stored. How it reads is for `mail/notice`.

mod stored;

use super::*;
use crate::ids::SessionId;
use crate::mail::display_name::DisplayName;
use crate::mail::pattern::Pattern;
use crate::queue::parcel::{Said, Try, Why};
use crate::words::Cause;

const NEVER: Option<Notify> = Some(Notify::Never);

#[allow(clippy::unnecessary_wraps, reason = "as it stands in a recipient")]
fn on(words: &str) -> Option<Notify> {
    let has = |word| words.contains(word);
    Some(Notify::On { success: has("success"), failure: has("failure"), delay: has("delay") })
}

fn address(text: &str) -> Address {
    Address::parse(text.as_bytes()).unwrap()
}

fn account(name: &str, address: Option<&str>) -> AccountFacts {
    AccountFacts {
        name: name.into(),
        recipients_per_message: 100,
        takes_null_sender: true,
        address: address.map(self::address),
        sender_name: None,
        may_send_as: Vec::new(),
        host: format!("smtp.{name}.example"),
    }
}

fn failed(to: &str, notify: Option<Notify>) -> Owed {
    let why = Why {
        code: "mailbox_unknown".into(),
        cause: Cause::Message,
        sentence: "there is no such mailbox".into(),
        cure: "correct the address".into(),
    };
    let said = Said { reply: Some("550 5.1.1 No such user".into()), why };
    let state = State::Never { at: "2026-11-22T08:05:02Z".parse().unwrap(), said };
    Owed { recipient: Recipient { notify, ..Recipient::plain(address(to)) }, state }
}

fn delivered(to: &str, notify: Option<Notify>, dsn: bool) -> Owed {
    let state = State::Delivered { at: "2026-11-22T08:05:02Z".parse().unwrap(), reply: "250 2.0.0 Ok".into(), dsn };
    Owed { recipient: Recipient { notify, ..Recipient::plain(address(to)) }, state }
}

/// What is true before a story changes it.
struct Scene {
    from: &'static str,
    kind: Kind,
    ret: Option<Return>,
    content: Vec<u8>,
    route: &'static str,
    notices: Notices,
    accounts: Vec<AccountFacts>,
    kept: bool,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            from: "scanner@example.com",
            kind: Kind::Mail,
            ret: None,
            content: b"Subject: Scan\r\n\r\nThe scan itself.\r\n".to_vec(),
            route: "office",
            notices: Notices { to: NoticesTo::Sender, admin: Some(address("it@example.com")) },
            accounts: vec![account("office", Some("office@example.com"))],
            kept: true,
        }
    }
}

/// What was decided.
#[derive(Debug, PartialEq, Eq)]
enum Decided {
    /// To whom, through which accounts.
    Notice(String, String),
    Alert(String),
    Nothing,
}

fn notice(to: &str, route: &str) -> Decided {
    Decided::Notice(to.into(), route.into())
}

impl Scene {
    fn message(&self) -> Message {
        Message {
            id: "00000000-0000-7000-8000-000000000001".parse().unwrap(),
            session: SessionId::new(),
            device: "192.0.2.7".into(),
            kind: self.kind,
            sender: Sender {
                reverse_path: ReversePath::try_from(self.from.to_owned()).unwrap(),
                declared_size: None,
                smtputf8: false,
                ret: self.ret,
                envid: None,
            },
            body: Body::from_memory(self.content.clone()),
            eight_bit: false,
            eight_bit_header: false,
            arrived: "2026-11-22T08:05:00Z".parse().unwrap(),
        }
    }

    fn told(&self, ended: &[Owed]) -> Told {
        let now = "2026-11-22T09:05:03+01:00[Europe/Berlin]".parse().unwrap();
        let parcel = Parcel {
            id: ParcelId { message: MessageId::new(), number: 0 },
            route: Route::try_from(self.route.to_owned()).unwrap(),
            recipients: ended.to_vec(),
            standing: Standing::Due { at: "2026-11-22T08:05:00Z".parse().unwrap() },
            attempts: 1,
            tries: vec![Try {
                id: crate::ids::AttemptId::new(),
                account: "office".into(),
                at: "2026-11-22T08:05:02Z".parse().unwrap(),
                ended: "550 5.1.1 No such user".into(),
                why: None,
                dsn: false,
            }],
            held_s: 0,
            lacking: None,
        };
        let ended: Vec<Ended<'_>> = parcel.recipients.iter().map(|owed| Ended::new(&parcel, owed)).collect();
        let terms = Terms {
            notices: &self.notices,
            accounts: &self.accounts,
            hostname: "relay.example.com",
            id: MessageId::new(),
            now: &now,
            kept: self.kept,
        };
        of(&self.message(), &ended, &terms)
    }

    fn decided(&self, ended: &[Owed]) -> Decided {
        let told = self.told(ended);
        match (told.notice, told.alert) {
            (Some((_, parcels)), None) => {
                let [parcel] = &parcels[..] else { panic!("one parcel, not {parcels:?}") };
                let [owed] = &parcel.recipients[..] else { panic!("one reader, not {parcel:?}") };
                notice(owed.recipient.address.as_str(), &parcel.route.to_string())
            }
            (None, Some(alert)) => Decided::Alert(alert),
            (None, None) => Decided::Nothing,
            both => panic!("either or: {both:?}"),
        }
    }

    /// The notice as it would go out.
    fn text(&self, ended: &[Owed]) -> String {
        let (message, _) = self.told(ended).notice.expect("a notice");
        let mut octets = Vec::new();
        message.body.read_at(0, usize::MAX, &mut octets).unwrap();
        String::from_utf8(octets).unwrap()
    }
}

fn boss(notify: Option<Notify>) -> [Owed; 1] {
    [failed("boss@partner.example", notify)]
}

#[test]
fn a_failure_is_told_to_the_sender_by_a_message_like_any_other() {
    let scene = Scene::default();
    assert_eq!(scene.decided(&boss(None)), notice("scanner@example.com", "office"));
    let (message, parcels) = scene.told(&boss(None)).notice.unwrap();
    assert_eq!(message.kind, Kind::Notice { of: scene.message().id });
    assert_eq!(message.sender.reverse_path, ReversePath::Null);
    assert_eq!(message.device.as_str(), "192.0.2.7");
    assert_eq!(parcels[0].id, ParcelId { message: message.id, number: 0 });
    assert_eq!(parcels[0].recipients[0].recipient.notify, NEVER, "a report asks for no report");
    assert_eq!(parcels[0].standing, Standing::Due { at: "2026-11-22T08:05:03Z".parse().unwrap() });
    let text = scene.text(&boss(None));
    assert!(text.contains("\r\n <office@example.com>\r\n"), "it comes from the account: {text}");
    assert!(text.contains("Remote-MTA: dns; smtp.office.example\r\n"));
    assert!(text.contains("posthouse queue show 00000000000070008000000000000001\r\n"));
    assert!(!Scene { kept: false, ..scene }.text(&boss(None)).contains("queue show"), "it is not there to be shown");
}

#[test]
fn many_recipients_are_one_notice() {
    let many: Vec<Owed> = (0..300).map(|n| failed(&format!("r{n}@partner.example"), None)).collect();
    let text = Scene::default().text(&many);
    assert_eq!(text.matches("Action: failed").count(), 300);
    assert_eq!(text.matches("  Why:").count(), 1, "with one reason");
}

#[test]
fn notify_decides_for_each_recipient() {
    let scene = Scene::default();
    let hears = |owed: Owed| scene.decided(&[owed]) != Decided::Nothing;
    let to = "boss@partner.example";
    assert!(hears(failed(to, None)) && hears(failed(to, on("failure"))) && hears(failed(to, on("success failure"))));
    assert!(!hears(failed(to, NEVER)) && !hears(failed(to, on("success"))) && !hears(failed(to, on("delay"))));
    assert!(hears(delivered(to, on("success"), false)) && hears(delivered(to, on("success failure delay"), false)));
    assert!(!hears(delivered(to, None, false)) && !hears(delivered(to, on("failure"), false)));
    assert!(!hears(delivered(to, NEVER, false)));
    assert!(!hears(delivered(to, on("success"), true)), "the provider tells of it from there on");

    let mixed = [
        failed("silent@partner.example", NEVER),
        failed("boss@partner.example", None),
        delivered("hr@partner.example", on("success"), false),
        delivered("desk@partner.example", None, false),
    ];
    let text = scene.text(&mixed);
    let named = |who: &str| text.contains(&format!("Final-Recipient: rfc822; {who}@partner.example\r\n"));
    assert_eq!(["silent", "boss", "hr", "desk"].map(named), [false, true, true, false]);
}

#[test]
fn a_sender_that_nobody_is_behind_is_not_written_to() {
    for from in ["root@nas", "root", "nas@stranger.example", "a@[192.0.2.7]", "office@sub.example.com", "<>"] {
        let scene = Scene { from, ..Scene::default() };
        assert_eq!(scene.decided(&boss(None)), notice("it@example.com", "office"), "{from}");
        assert!(scene.text(&boss(None)).contains("Device:      192.0.2.7"));
    }
    for from in ["x@EXAMPLE.com", "office@example.com"] {
        assert_eq!(Scene { from, ..Scene::default() }.decided(&boss(None)), notice(from, "office"));
    }
    let mut scene = Scene { from: "nas@stranger.example", ..Scene::default() };
    scene.accounts[0].may_send_as = vec![Pattern::from("*@stranger.example")];
    assert_eq!(scene.decided(&boss(None)), notice("nas@stranger.example", "office"));
    // A domain without a dot is nobody's, whatever is written.
    let mut scene = Scene { from: "root@nas", ..Scene::default() };
    scene.accounts[0].may_send_as = vec![Pattern::from("*")];
    assert_eq!(scene.decided(&boss(None)), notice("it@example.com", "office"));
    // What an account on another route may send as does not count.
    let mut scene = Scene { from: "nas@stranger.example", ..Scene::default() };
    scene.accounts.push(account("other", Some("x@stranger.example")));
    assert_eq!(scene.decided(&boss(None)), notice("it@example.com", "office"));
}

#[test]
fn the_administrator_decides_who_is_told() {
    let to = |to, admin: Option<&str>| Scene { notices: Notices { to, admin: admin.map(address) }, ..Scene::default() };
    let it = Some("it@example.com");
    assert_eq!(to(NoticesTo::Admin, it).decided(&boss(None)), notice("it@example.com", "office"));
    assert_eq!(to(NoticesTo::Sender, it).decided(&boss(None)), notice("scanner@example.com", "office"));
    assert_eq!(to(NoticesTo::Nobody, it).decided(&boss(None)), Decided::Nothing);
    let success = [delivered("boss@partner.example", on("success"), false)];
    assert_eq!(to(NoticesTo::Sender, it).decided(&success), notice("scanner@example.com", "office"));
    assert_eq!(to(NoticesTo::Admin, it).decided(&success), Decided::Nothing, "success is for who asked for it");
}

#[test]
fn where_nobody_can_be_told_the_log_is() {
    let scene = Scene { from: "root@nas", notices: Notices::default(), ..Scene::default() };
    let Decided::Alert(alert) = scene.decided(&[boss(None), boss(None)].concat()) else { panic!("nobody knows") };
    assert_eq!(
        alert,
        "a mail from root@nas was not delivered, to boss@partner.example and 1 more: there is no such mailbox; \
         nobody was told: its sender is no address of the account's, and no administrator is named; \
         write [notices] admin = \"you@example.com\", or the sender into may_send_as of the account"
    );
    assert_eq!(scene.decided(&boss(NEVER)), Decided::Nothing, "nobody wants to know");
    let success = [delivered("boss@partner.example", on("success"), false)];
    assert_eq!(scene.decided(&success), Decided::Nothing);
}

#[test]
fn a_notice_never_causes_one() {
    let of = "00000000-0000-7000-8000-000000000009".parse().unwrap();
    let scene = Scene { from: "<>", kind: Kind::Notice { of }, ..Scene::default() };
    for notify in [None, NEVER] {
        let Decided::Alert(alert) = scene.decided(&boss(notify)) else { panic!("nobody knows") };
        assert!(alert.starts_with("the notice that 00000000000070008000000000000009 was not delivered"), "{alert}");
        assert!(alert.ends_with("to boss@partner.example: there is no such mailbox"), "{alert}");
    }
}

#[test]
fn a_copy_for_the_archive_is_no_concern_of_the_device() {
    let kind = Kind::Copy { of: MessageId::new() };
    assert_eq!(Scene { kind, ..Scene::default() }.decided(&boss(NEVER)), notice("it@example.com", "office"));
    let nobody = Notices::default();
    assert!(matches!(Scene { kind, notices: nobody, ..Scene::default() }.decided(&boss(NEVER)), Decided::Alert(_)));
}

#[test]
fn no_notice_goes_through_a_provider_that_refuses_it() {
    let refusing = |name: &str| AccountFacts { takes_null_sender: false, ..account(name, Some("office@example.com")) };
    let own = |accounts| Scene { route: "office,backup", accounts, ..Scene::default() }.decided(&boss(None));
    let backup = || account("backup", Some("backup@example.com"));
    let other = || account("other", Some("x@other.example"));

    let all = vec![other(), account("office", Some("office@example.com")), backup()];
    assert_eq!(own(all), notice("scanner@example.com", "office,backup"), "its own route, in its order");
    assert_eq!(own(vec![other(), refusing("office"), backup()]), notice("scanner@example.com", "backup"));
    assert_eq!(own(vec![refusing("office"), other(), account("third", None)]), notice("scanner@example.com", "other"));
    let Decided::Alert(alert) = own(vec![refusing("office"), refusing("backup")]) else {
        panic!("it would be refused")
    };
    assert!(alert.contains("every account's provider refuses reports without a sender"), "{alert}");
}

#[test]
fn an_account_without_an_address_writes_as_the_mailer() {
    let mut scene = Scene { accounts: vec![account("office", None)], ..Scene::default() };
    assert!(scene.text(&boss(None)).contains("\r\n <MAILER-DAEMON@relay.example.com>\r\nTo: <it@example.com>"));
    scene.accounts[0].sender_name = DisplayName::parse("Relay").ok();
    assert!(scene.text(&boss(None)).starts_with("From: \"Mail Delivery (Posthouse)\""), "a name goes with its address");
    scene.accounts[0].address = Some(address("office@example.com"));
    assert!(scene.text(&boss(None)).starts_with("From: Relay\r\n <office@example.com>\r\n"));
}

#[test]
fn ret_decides_how_much_comes_back() {
    let full = Scene { ret: Some(Return::Full), ..Scene::default() };
    assert!(full.text(&boss(None)).contains("The scan itself."));
    for ret in [None, Some(Return::Headers)] {
        let text = Scene { ret, ..Scene::default() }.text(&boss(None));
        assert!(text.contains("Subject: Scan\r\n\r\n--=_") && !text.contains("The scan itself."), "{text}");
    }
    // RFC 3461 §4.3: RET is about failures.
    let success = [delivered("boss@partner.example", on("success"), false)];
    assert!(!full.text(&success).contains("The scan itself."));
    // The administrator has not written it and need not read it.
    let foreign = Scene { from: "root@nas", ret: Some(Return::Full), ..Scene::default() };
    assert!(!foreign.text(&boss(None)).contains("The scan itself."));
    let content = [b"Subject: Scan\r\n\r\n".to_vec(), b"0123456\r\n".repeat(10_000)].concat();
    let text = Scene { ret: Some(Return::Full), content, ..Scene::default() }.text(&boss(None));
    assert!(text.len() < 4096 && text.contains("Subject: Scan\r\n\r\n--=_"), "a large one comes back as its header");
}
