//! Who may sign in, send and receive, and how addresses without a domain fare.
//!
//! Pure: a policy is made by hand and asked.

use super::super::settings::{DeviceAuth, ListenerTls};
use super::*;
use crate::smtp::server::LineEndings;

fn policy(auth: DeviceAuth, change: impl FnOnce(&mut ListenerSettings, &mut Addressing)) -> Policy {
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
    };
    let mut addressing = Addressing::default();
    change(&mut listener, &mut addressing);
    let device = |name: &str, account: Option<&str>| DeviceSettings {
        name: name.into(),
        password: Secret::new("hunter2!".into()),
        account: account.map(AccountName::from),
    };
    let devices = vec![device("Fax1", Some("backup")), device("scanner", None)];
    let book = Book::new(vec!["office".into(), "backup".into()], Some("office".into())).unwrap();
    let facts = AccountFacts { address: Address::parse(b"relay@example.com").ok(), recipients_per_message: 2 };
    let accounts = HashMap::from([("office".into(), facts.clone()), ("backup".into(), facts)]);
    Policy::new(listener, devices, addressing, book, accounts)
}

fn plain(change: impl FnOnce(&mut ListenerSettings, &mut Addressing)) -> Policy {
    policy(DeviceAuth::Optional, change)
}

fn recipient(policy: &Policy, address: &str) -> Result<String, u16> {
    let mut recipient = Recipient::plain(Address::parse(address.as_bytes()).unwrap());
    let answer = policy.recipient(&mut recipient, &"office".into(), 0);
    answer.map(|()| recipient.address.to_string()).map_err(|refusal| refusal.reply().code)
}

fn sender(policy: &Policy, address: &str) -> Result<String, u16> {
    let reverse_path = ReversePath::Mailbox(Address::parse(address.as_bytes()).unwrap());
    let mut sender = Sender { reverse_path, declared_size: None, smtputf8: false, ret: None, envid: None };
    let answer = policy.sender(&mut sender, &"office".into());
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
fn a_device_goes_out_through_its_own_account() {
    let policy = plain(|_, _| {});
    assert_eq!(policy.account(Some(&"Fax1".into())).unwrap().as_str(), "backup");
    assert_eq!(policy.account(Some(&"scanner".into())).unwrap().as_str(), "office");
    assert_eq!(policy.account(None).unwrap().as_str(), "office");
}

#[test]
fn sources_are_canonical_and_loopback_is_one_device() {
    let policy = plain(|_, _| {});
    for source in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(policy.device_of(source.parse().unwrap()).as_str(), "loopback");
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
fn a_recipient_that_would_need_a_second_transaction_is_refused_for_now() {
    let mut third = Recipient::plain(Address::parse(b"c@x.example").unwrap());
    let refusal = plain(|_, _| {}).recipient(&mut third, &"office".into(), 2).unwrap_err();
    assert_eq!(refusal.reply().code, 452);
}
