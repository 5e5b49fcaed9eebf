//! `delivery.redirect_to`: everything goes to one address, and to nobody else.

use posthouse::account::book::Rule;
use posthouse::mail::address::Address;
use posthouse::sandbox::Sandbox;

use crate::device::{RECIPIENT, SAMPLE};
use crate::scene::{Log, Scene, add_account, provider};

const TESTS: &str = "tests@example.org";

fn tests() -> Option<Address> {
    Address::parse(TESTS.as_bytes()).ok()
}

#[tokio::test]
async fn every_mail_goes_to_one_address_and_says_whom_it_was_for() {
    let log = Log::capture();
    let scene = Scene::with(provider(), |config, _| config.delivery.redirect_to = tests()).await;
    let mut device = scene.device().await;
    let heard = device.mail_to(&[RECIPIENT, "boss@example.net", "a@example.net"], SAMPLE).await;
    assert!(heard.starts_with("250 "), "{heard}");
    let [delivery] = &scene.sandbox.mailbox().deliveries()[..] else { panic!("one mail, not three") };
    assert_eq!(delivery.addresses(), [TESTS]);
    let original = "X-Original-To: office@example.com\r\nX-Original-To: boss@example.net\r\n\
        X-Original-To: a@example.net\r\nReceived: from ";
    assert!(delivery.text().starts_with(original), "{}", delivery.text());
    assert!(delivery.text().ends_with(std::str::from_utf8(SAMPLE).unwrap()), "the rest is the device's own");
    log.assert_line(&["redirected", "to=tests@example.org", "office@example.com,boss@example.net,a@example.net"]);
    scene.assert_no_breach();
}

#[tokio::test]
async fn the_rules_for_the_original_recipients_still_hold() {
    let backup = Sandbox::start(provider()).await.unwrap();
    let scene = Scene::with(provider(), |config, _| {
        config.delivery.redirect_to = tests();
        config.default_account = Some("office".into());
        config.listeners[0].recipients = vec!["*@example.com".into(), "*@far.example".into()];
        add_account(config, "backup", &backup);
        let far = vec!["*@far.example".into()];
        config.routes = vec![Rule { recipient: far, accounts: vec!["backup".into()], ..Rule::default() }];
    })
    .await;
    let mut device = scene.device().await;
    device.envelope(&["a@far.example"]).await;
    let heard = device.say("RCPT TO:<b@elsewhere.example>").await;
    assert!(heard.starts_with("550 "), "who may not be written to may not be written to in a trial: {heard}");
    device.data(SAMPLE).await;
    assert!(device.reply().await.starts_with("250 "));
    assert_eq!(
        (scene.sandbox.mailbox().count(), backup.mailbox().count()),
        (0, 1),
        "the account is the one it would be"
    );
    assert_eq!(backup.mailbox().deliveries()[0].addresses(), [TESTS]);
}
