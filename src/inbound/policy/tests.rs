//! Who may sign in, send and receive, and how addresses without a domain fare.
//!
//! Pure: a policy is made by hand and asked.

use super::super::settings::{DeviceAuth, ListenerTls};
use super::*;
use crate::account::book::Listed;
use crate::mail::envelope::Recipient;
use crate::smtp::server::LineEndings;

fn policy(auth: DeviceAuth, change: impl FnOnce(&mut ListenerSettings, &mut Addressing)) -> Policy {
    policy_with("backup@EXAMPLE.com", auth, change)
}

/// Two accounts, the second with this address; mail to `far.example` goes through the second.
fn policy_with(backup: &str, auth: DeviceAuth, change: impl FnOnce(&mut ListenerSettings, &mut Addressing)) -> Policy {
    let mut listener = ListenerSettings {
        name: "local".into(),
        bind: vec![],
        tls: ListenerTls::None,
        auth,
        auth_in_clear: false,
        allow: vec![],
        line_endings: LineEndings::Auto,
        max_message_size: 1,
        max_recipients: 100,
        senders: vec!["*".into()],
        recipients: vec!["*".into()],
        limits: Limits::default(),
    };
    let mut addressing = Addressing::default();
    change(&mut listener, &mut addressing);
    let device = |name: &str, account: Option<&str>| DeviceSettings {
        name: name.into(),
        password: Secret::new("hunter2!".into()),
        account: account.map(AccountName::from),
        senders: vec!["*".into()],
        recipients: vec!["*@example.com".into(), "*@corp.example".into()],
        limits: Limits::default(),
    };
    let devices = vec![device("Fax1", Some("backup")), device("scanner", None)];
    let listed = |name: &str| Listed { name: name.into(), former: Vec::new() };
    let route = Rule { recipient: vec!["*@far.example".into()], accounts: vec!["backup".into()], ..Rule::default() };
    let accounts = vec![listed("office"), listed("backup")];
    let book = Book::new(accounts, vec![route], Some(&"office".into())).unwrap();
    let facts = AccountFacts { address: Address::parse(b"relay@example.com").ok(), recipients_per_message: 2 };
    let backup = AccountFacts { address: Address::parse(backup.as_bytes()).ok(), ..facts.clone() };
    let accounts = HashMap::from([("office".into(), facts), ("backup".into(), backup)]);
    Policy::new(listener, devices, addressing, book, accounts)
}

fn plain(change: impl FnOnce(&mut ListenerSettings, &mut Addressing)) -> Policy {
    policy(DeviceAuth::Optional, change)
}

fn caller(login: Option<&str>) -> Caller {
    Caller { source: "192.0.2.7".parse().unwrap(), login: login.map(DeviceName::from) }
}

fn envelope(sender: &str, recipients: usize) -> Envelope {
    let recipient = Recipient::plain(Address::parse(b"x@example.com").unwrap());
    let reverse_path = ReversePath::Mailbox(Address::parse(sender.as_bytes()).unwrap());
    let sender = Sender { reverse_path, declared_size: None, smtputf8: false, ret: None, envid: None };
    Envelope { sender, recipients: vec![recipient; recipients] }
}

fn recipient(policy: &Policy, address: &str) -> Result<String, u16> {
    let address = Address::parse(address.as_bytes()).unwrap();
    let answer = policy.recipient(&caller(None), &envelope("a@example.com", 0), Company::Free, &address);
    answer.map(|(address, _)| address.to_string()).map_err(|refusal| refusal.reply().code)
}

fn sender(policy: &Policy, address: &str) -> Result<String, u16> {
    let Envelope { mut sender, .. } = envelope(address, 0);
    let answer = policy.sender(&caller(None), &mut sender);
    answer.map(|()| sender.reverse_path.to_string()).map_err(|refusal| refusal.reply().code)
}

#[test]
fn only_known_logins_with_their_password_are_let_in() {
    let given = |password: &str| Proof::Password(Secret::new(password.into()));
    let (right, wrong) = (given("hunter2!"), given("hunter2"));
    let known = policy(DeviceAuth::Required, |_, _| {});
    assert_eq!(known.login("fax1", &right), Ok("Fax1".into()));
    assert_eq!(known.login("fax1", &wrong).unwrap_err().known, Some("Fax1".into()));
    let stranger = known.login("hunter2!", &right).unwrap_err();
    assert_eq!((stranger.known, stranger.refusal.reply().code), (None, 535));
    assert!(known.login("nobody", &given("")).is_err(), "an empty password opens nothing");
}

#[test]
fn a_device_goes_out_through_its_own_account_unless_a_route_says_otherwise() {
    let policy = plain(|_, _| {});
    let account = |login, address: &[u8]| {
        let address = Address::parse(address).unwrap();
        policy
            .recipient(&caller(login), &envelope("a@example.com", 0), Company::Free, &address)
            .unwrap()
            .1
            .account()
            .clone()
    };
    assert_eq!(account(Some("Fax1"), b"x@example.com").as_str(), "backup");
    assert_eq!(account(Some("scanner"), b"x@example.com").as_str(), "office");
    assert_eq!(account(None, b"x@example.com").as_str(), "office");
    assert_eq!(account(None, b"x@far.example").as_str(), "backup");
}

#[test]
fn a_recipient_of_another_account_needs_a_transaction_of_its_own() {
    let policy = plain(|_, _| {});
    let ask = |company: Company<'_>, address: &[u8]| {
        let envelope = envelope("a@example.com", 1);
        policy.recipient(&caller(None), &envelope, company, &Address::parse(address).unwrap())
    };
    let (_, far) = ask(Company::Together(None), b"x@far.example").unwrap();
    let refusal = ask(Company::Together(Some(far.account())), b"x@example.com").unwrap_err();
    assert!(refusal.reply().to_string().starts_with("452 4.5.3 This recipient goes through another account"));
    assert!(ask(Company::Together(Some(far.account())), b"y@far.example").is_ok());
    let (_, near) = ask(Company::Free, b"x@example.com").unwrap();
    assert_eq!(near.account().as_str(), "office", "what is kept goes by itself");
}

#[test]
fn a_sender_is_completed_only_by_a_domain_that_every_account_it_may_go_through_has() {
    assert_eq!(sender(&plain(|_, _| {}), "root"), Ok("root@example.com".into()));
    let apart = policy_with("relay@elsewhere.example", DeviceAuth::None, |_, _| {});
    assert_eq!(sender(&apart, "root"), Err(553));
    let mut fax = envelope("root", 0).sender;
    apart.sender(&caller(Some("fax1")), &mut fax).unwrap();
    assert_eq!(fax.reverse_path.to_string(), "root@elsewhere.example", "its account is the same with any recipient");
}

#[test]
fn a_device_s_own_patterns_hold_beside_the_listener_s() {
    let policy = plain(|listener, _| listener.recipients = vec!["x@*".into()]);
    let answer = |login, address: &[u8]| {
        let address = Address::parse(address).unwrap();
        policy.recipient(&caller(login), &envelope("a@example.com", 0), Company::Free, &address).is_ok()
    };
    assert!(answer(Some("scanner"), b"x@example.com") && answer(None, b"x@elsewhere.example"));
    assert!(!answer(Some("scanner"), b"x@elsewhere.example"), "the device's");
    assert!(!answer(Some("scanner"), b"y@example.com"), "the listener's");
}

#[test]
fn sources_are_canonical_and_loopback_is_one_device() {
    let policy = plain(|_, _| {});
    for source in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(policy.device_of(source.parse().unwrap()).as_str(), "local/loopback");
    }
    assert_eq!(policy.device_of("::ffff:192.0.2.7".parse().unwrap()).as_str(), "192.0.2.7");
    assert!(policy.auth_in_clear("::ffff:127.0.0.1".parse().unwrap()));
    assert!(!policy.auth_in_clear("192.0.2.7".parse().unwrap()));
}

#[test]
fn addresses_without_a_domain_are_completed_or_refused() {
    let bare = plain(|_, _| {});
    assert_eq!(sender(&bare, "root"), Ok("root@example.com".into()), "the account's own domain");
    assert_eq!(recipient(&bare, "root"), Err(553), "mail to root must not go astray");
    assert_eq!(recipient(&bare, "Postmaster"), Ok("relay@example.com".into()));
    let set = plain(|_, addressing| {
        addressing.default_domain = Some("corp.example".into());
        addressing.aliases.insert("root".into(), Address::parse(b"it@corp.example").unwrap());
        addressing.aliases.insert("old@corp.example".into(), Address::parse(b"new@corp.example").unwrap());
    });
    assert_eq!(sender(&set, "root"), Ok("root@corp.example".into()));
    assert_eq!(recipient(&set, "ROOT"), Ok("it@corp.example".into()));
    assert_eq!(recipient(&set, "cron"), Ok("cron@corp.example".into()));
    assert_eq!(recipient(&set, "Old@corp.example"), Ok("new@corp.example".into()));
}

#[test]
fn patterns_limit_senders_and_recipients() {
    let policy = plain(|listener, _| {
        listener.senders = vec!["scanner@*".into()];
        listener.recipients = vec!["*@example.com".into(), "b*s@partner.example".into()];
    });
    assert!(sender(&policy, "Scanner@example.com").is_ok());
    assert_eq!(sender(&policy, "fax@example.com"), Err(550));
    assert!(recipient(&policy, "x@EXAMPLE.com").is_ok() && recipient(&policy, "boss@partner.example").is_ok());
    for other in ["x@example.com.evil", "bos@partner.examples", "x@example.org"] {
        assert_eq!(recipient(&policy, other), Err(550), "{other}");
    }
}

#[test]
fn more_recipients_than_the_account_takes_at_once_are_left_for_another_transaction() {
    let address = Address::parse(b"c@x.example").unwrap();
    let ask = |company| plain(|_, _| {}).recipient(&caller(None), &envelope("a@x", 2), company, &address);
    assert_eq!(ask(Company::Together(None)).unwrap_err().reply().code, 452);
    assert!(ask(Company::Free).is_ok(), "what is kept is split");
}
