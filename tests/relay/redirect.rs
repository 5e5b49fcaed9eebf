//! `delivery.redirect_to`: everything goes to one address, and to nobody else. `delivery.archive_to`: a copy of
//! everything goes to an archive, and its fate is no concern of the device.
//!
//! What is looked at is what the provider got.

use std::time::Duration;

use posthouse::account::book::Rule;
use posthouse::config::Config;
use posthouse::mail::address::Address;
use posthouse::queue::{Keeping, Settings};
use posthouse::sandbox::fault::{Fault, Stage, Times};
use posthouse::sandbox::{self, Offer, Sandbox};

use crate::device::{RECIPIENT, SAMPLE};
use crate::queued::on_disk;
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

const ARCHIVE: &str = "archive@example.org";

fn archive(config: &mut Config) {
    config.queue = Settings::Durable(Box::default());
    config.delivery.archive_to = Address::parse(ARCHIVE.as_bytes()).ok();
}

async fn archiving(redirect_to: Option<Address>) -> Scene {
    Scene::with(provider(), |config, _| {
        archive(config);
        config.delivery.redirect_to = redirect_to;
    })
    .await
}

/// Returns once so many mails have arrived.
async fn arrived(scene: &Scene, count: u64) {
    let mut mails = scene.sandbox.mailbox().watch();
    let came = tokio::time::timeout(Duration::from_secs(20), mails.wait_for(|mails| *mails >= count)).await;
    assert!(came.is_ok_and(|came| came.is_ok()), "{} of {count} mails came", scene.sandbox.mailbox().count());
}

#[tokio::test]
async fn a_copy_of_every_mail_goes_to_the_archive_and_says_who_got_the_mail() {
    let scene = archiving(None).await;
    let mut device = scene.device().await;
    let large = [SAMPLE, &b"another page\r\n".repeat(20_000)].concat();
    for body in [SAMPLE, &large] {
        let heard = device.mail_to(&[RECIPIENT, "boss@example.net"], body).await;
        assert!(heard.starts_with("250 "), "{heard}");
    }
    arrived(&scene, 4).await;
    let mails = scene.sandbox.mailbox().deliveries();
    let copies: Vec<_> = mails.iter().filter(|mail| mail.addresses() == [ARCHIVE]).collect();
    let originals: Vec<_> = mails.iter().filter(|mail| mail.addresses() != [ARCHIVE]).collect();
    assert_eq!((copies.len(), originals.len()), (2, 2));
    for copy in copies {
        let fields = "X-Original-To: office@example.com\r\nX-Original-To: boss@example.net\r\n";
        let text = copy.text().into_owned();
        let rest = text.strip_prefix(fields).unwrap_or_else(|| panic!("{}", &text[..200]));
        assert!(originals.iter().any(|original| original.text() == rest), "the rest is the mail itself");
    }
    scene.assert_no_breach();
}

#[tokio::test]
async fn a_copy_asks_for_no_reports_and_has_none_of_the_sender_s_wishes() {
    let offer = Offer::like_microsoft();
    let scene = Scene::with(sandbox::Settings { offer, ..provider() }, |config, _| archive(config)).await;
    let mut device = scene.device().await;
    assert!(device.say("MAIL FROM:<scanner@sandbox.example> RET=FULL ENVID=scan-7").await.starts_with("250 "));
    assert!(device.say("RCPT TO:<office@example.com> NOTIFY=SUCCESS,FAILURE").await.starts_with("250 "));
    device.data(SAMPLE).await;
    assert!(device.reply().await.starts_with("250 "));
    arrived(&scene, 2).await;
    let mails = scene.sandbox.mailbox().deliveries();
    let copy = mails.iter().find(|mail| mail.addresses() == [ARCHIVE]).expect("a copy");
    assert_eq!(copy.recipients[0].parameters, ["NOTIFY=NEVER"]);
    let wishes = |given: &&String| given.starts_with("RET=") || given.starts_with("ENVID=");
    assert_eq!(copy.mail_parameters.iter().find(wishes), None, "{:?}", copy.mail_parameters);
}

#[tokio::test]
async fn a_copy_goes_the_way_of_its_own_address() {
    let backup = Sandbox::start(provider()).await.unwrap();
    let scene = Scene::with(provider(), |config, _| {
        archive(config);
        config.default_account = Some("office".into());
        add_account(config, "backup", &backup);
        let recipient = vec![ARCHIVE.into()];
        config.routes = vec![Rule { recipient, accounts: vec!["backup".into()], ..Rule::default() }];
    })
    .await;
    assert!(scene.device().await.mail().await.starts_with("250 "));
    arrived(&scene, 1).await;
    let copies = tokio::time::timeout(Duration::from_secs(20), backup.mailbox().wait_for(1)).await.expect("a copy");
    assert_eq!(copies[0].addresses(), [ARCHIVE]);
    assert_eq!(scene.sandbox.mailbox().count(), 1);
}

#[tokio::test]
async fn a_copy_that_cannot_be_kept_is_told_to_the_log_and_the_mail_is_well() {
    let log = Log::capture();
    let scene = Scene::with(provider(), |config, _| {
        archive(config);
        let body = u64::try_from(SAMPLE.len()).unwrap();
        config.queue = Settings::Durable(Box::new(Keeping { max_size: body, ..Keeping::default() }));
    })
    .await;
    let mut device = scene.device().await;
    assert!(device.mail().await.starts_with("250 "), "the device's own mail is well");
    log.assert_line(&["ERROR", "the copy for the archive was not kept", "452 4.3.1"]);
    scene.relay.shut_down().await;
    assert_eq!(scene.sandbox.mailbox().count(), 1);
}

/// The provider knows nobody of this address.
fn nobody(scene: &Scene, address: &str) {
    let fault = Fault::reply(550, "5.1.1 No such user");
    scene.sandbox.faults().plan(Stage::RcptTo(address.into()), fault, Times::Always);
}

#[tokio::test]
async fn a_mail_that_is_refused_is_not_archived() {
    let scene = archiving(None).await;
    nobody(&scene, RECIPIENT);
    let mut device = scene.device().await;
    assert!(device.mail().await.starts_with("550 "));
    assert!(device.mail_to(&["boss@example.net"], SAMPLE).await.starts_with("250 "));
    arrived(&scene, 2).await;
    let mails = scene.sandbox.mailbox().deliveries();
    let copies: Vec<_> = mails.iter().filter(|mail| mail.addresses() == [ARCHIVE]).collect();
    assert!(copies.len() == 1 && copies[0].text().starts_with("X-Original-To: boss@example.net\r\n"), "{copies:?}");
}

#[tokio::test]
async fn what_becomes_of_a_copy_is_told_to_the_log_and_to_no_device_or_sender() {
    let log = Log::capture();
    let scene = archiving(None).await;
    nobody(&scene, ARCHIVE);
    let mut device = scene.device().await;
    assert!(device.mail().await.starts_with("250 "), "the device's own mail is well");
    log.wait_for_line(&["ERROR", "was not delivered, to archive@example.org", "550 5.1.1"]).await;
    scene.relay.shut_down().await;
    let mails = scene.sandbox.mailbox().deliveries();
    assert!(mails.len() == 1 && mails[0].addresses() == [RECIPIENT], "and no notice to its sender: {mails:?}");
}

#[tokio::test]
async fn while_mail_is_redirected_there_are_no_copies() {
    let scene = archiving(tests()).await;
    let mut device = scene.device().await;
    assert!(device.mail().await.starts_with("250 "));
    assert!(device.mail().await.starts_with("250 "));
    scene.relay.shut_down().await;
    // A copy would be durable before the mail is answered, and lie there if it had not gone out.
    assert_eq!(on_disk(&scene.config), []);
    let mails = scene.sandbox.mailbox().deliveries();
    assert!(mails.len() == 2 && mails.iter().all(|mail| mail.addresses() == [TESTS]), "{mails:?}");
}
