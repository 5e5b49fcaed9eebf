//! Failure reports from end to end: what a device asks for with the DSN parameters (RFC 3461), and what comes of it.
//!
//! Devices are told at once that their mail is queued (`wait = 0`), so that everything after that is the relay's to
//! report. The provider's mailbox shows each notice as it went out.

use std::sync::Arc;
use std::time::Duration;

use posthouse::config::Config;
use posthouse::mail::address::Address;
use posthouse::queue::{self, Keeping, Notices, NoticesTo};
use posthouse::sandbox::fault::{Fault, Stage, Times};
use posthouse::sandbox::{Delivery, Offer, Sandbox, Settings};

use crate::device::{Device, SAMPLE, SENDER, stuffed};
use crate::scene::{Scene, provider};

fn queued(config: &mut Config, notices: Notices) {
    config.queue = queue::Settings::Durable(Box::new(Keeping { wait: Duration::ZERO, notices, ..Keeping::default() }));
}

/// A provider with this offer, which knows nobody whose name begins with `f-`.
async fn scene(offer: Offer, notices: Notices, change: impl FnOnce(&mut Config, &Sandbox)) -> Scene {
    let scene = Scene::with(Settings { offer, ..provider() }, |config, sandbox| {
        queued(config, notices);
        change(config, sandbox);
    })
    .await;
    refuse_some(&scene);
    scene
}

fn refuse_some(scene: &Scene) {
    let unknown = Stage::RcptTo("f-*".into());
    scene.sandbox.faults().plan(unknown, Fault::reply(550, "5.1.1 No such user here"), Times::Always);
}

fn admin() -> Notices {
    Notices { admin: Some(Address::parse(b"it@example.com").unwrap()), ..Notices::default() }
}

/// A mail with these parameters; it is acknowledged.
async fn send(scene: &Scene, mail: &str, recipients: &[&str]) {
    let mut device = scene.device().await;
    assert!(device.say(&format!("MAIL FROM:{mail}")).await.starts_with("250 "), "{mail}");
    for recipient in recipients {
        assert!(device.say(&format!("RCPT TO:{recipient}")).await.starts_with("250 "), "{recipient}");
    }
    assert!(device.say("DATA").await.starts_with("354"));
    device.send(stuffed(SAMPLE)).await;
    assert!(device.reply().await.starts_with("250 2.0.0 Ok: queued as "));
}

/// The first notice among so many messages.
async fn notice(scene: &Scene, deliveries: u64) -> Arc<Delivery> {
    let all = tokio::time::timeout(Duration::from_secs(20), scene.sandbox.mailbox().wait_for(deliveries)).await;
    let all = all.unwrap_or_else(|_| panic!("no notice: {:#?}", scene.sandbox.transcript()));
    all.into_iter().find(|delivery| delivery.reverse_path.is_empty()).expect("no notice among them")
}

/// The recipients a notice reports on: `failed f-one`.
fn reported(notice: &Delivery) -> Vec<String> {
    let text = notice.text();
    let mut found = Vec::new();
    for block in text.split("Final-Recipient: rfc822; ").skip(1) {
        let (address, rest) = block.split_once('@').unwrap();
        let action = rest.split_once("Action: ").unwrap().1.lines().next().unwrap();
        found.push(format!("{action} {address}"));
    }
    found
}

const WISHES: &[&str] = &[
    "<f-default@x.example>",
    "<f-never@x.example> NOTIFY=NEVER",
    "<f-failure@x.example> NOTIFY=FAILURE",
    "<f-success@x.example> NOTIFY=SUCCESS",
    "<f-delay@x.example> NOTIFY=DELAY",
    "<f-all@x.example> NOTIFY=SUCCESS,FAILURE,DELAY",
    "<d-default@x.example>",
    "<d-never@x.example> NOTIFY=NEVER",
    "<d-failure@x.example> NOTIFY=FAILURE,DELAY",
    "<d-success@x.example> NOTIFY=SUCCESS",
];

#[tokio::test]
async fn notify_decides_for_each_recipient_and_all_stand_in_one_notice() {
    let scene = scene(Offer::like_gmail(), Notices::default(), |_, _| {}).await;
    send(&scene, &format!("<{SENDER}>"), WISHES).await;
    let notice = notice(&scene, 2).await;
    assert_eq!(notice.addresses(), [SENDER]);
    assert_eq!(reported(&notice), ["failed f-default", "failed f-failure", "failed f-all", "relayed d-success"]);
    scene.assert_no_breach();
}

#[tokio::test]
async fn a_provider_with_dsn_is_told_the_wishes_and_reports_success_itself() {
    let scene = scene(Offer::like_microsoft(), Notices::default(), |_, _| {}).await;
    send(&scene, &format!("<{SENDER}> RET=HDRS ENVID=scan-7"), WISHES).await;
    let notice = notice(&scene, 2).await;
    assert_eq!(reported(&notice), ["failed f-default", "failed f-failure", "failed f-all"]);
    assert_eq!(notice.recipients[0].parameters, ["NOTIFY=NEVER"], "nobody reports on a report");
    let deliveries = scene.sandbox.mailbox().deliveries();
    let mail = deliveries.iter().find(|delivery| delivery.reverse_path == SENDER).unwrap();
    let wishes: Vec<&[String]> = mail.recipients.iter().map(|recipient| &recipient.parameters[..]).collect();
    let given = |wish: &str| vec![wish.to_owned()];
    assert_eq!(wishes, [vec![], given("NOTIFY=NEVER"), given("NOTIFY=FAILURE,DELAY"), given("NOTIFY=SUCCESS")]);
    for parameter in ["RET=HDRS", "ENVID=scan-7"] {
        assert!(mail.mail_parameters.iter().any(|given| given == parameter), "{:?}", mail.mail_parameters);
    }
    scene.assert_no_breach();
}

#[tokio::test]
async fn ret_and_envid_and_orcpt_come_back() {
    for (ret, whole) in [("", false), (" RET=HDRS", false), (" RET=FULL", true)] {
        let scene = scene(Offer::like_gmail(), Notices::default(), |_, _| {}).await;
        let recipient = "<f-one@x.example> ORCPT=rfc822;one+2Btwo@y.example";
        send(&scene, &format!("<{SENDER}>{ret} ENVID=scan+2B7"), &[recipient]).await;
        let notice = notice(&scene, 1).await;
        let text = notice.text();
        assert_eq!(text.contains("A page."), whole, "{text}");
        assert!(text.contains("Subject: Scan\r\n"), "{text}");
        assert!(text.contains("Original-Envelope-Id: scan+7\r\n"), "{text}");
        assert!(
            text.contains(
                "Original-Recipient: rfc822;one+two@y.example\r\nFinal-Recipient: rfc822; f-one@x.example\r\n"
            )
        );
        assert!(text.contains("Diagnostic-Code: smtp; 550 5.1.1 No such user here\r\n"), "{text}");
        scene.assert_no_breach();
    }
}

#[tokio::test]
async fn a_device_that_heard_who_was_refused_gets_a_notice_at_once() {
    let scene = scene(Offer::like_gmail(), Notices::default(), |config, _| {
        config.queue = queue::Settings::Durable(Box::default());
    })
    .await;
    let heard = scene.device().await.mail_to(&["f-one@x.example", "d-two@x.example"], SAMPLE).await;
    assert!(heard.starts_with("250 ") && heard.contains("f-one@x.example"), "{heard}");
    let notice = notice(&scene, 2).await;
    assert_eq!((notice.addresses(), reported(&notice)), (vec![SENDER], vec!["failed f-one".to_owned()]));
    scene.assert_no_breach();
}

#[tokio::test]
async fn a_sender_nobody_is_behind_is_reported_to_the_administrator() {
    let scene = scene(Offer::like_gmail(), admin(), |_, _| {}).await;
    send(&scene, "<root@nas>", &["<f-one@x.example>"]).await;
    let notice = notice(&scene, 1).await;
    assert_eq!(notice.addresses(), ["it@example.com"]);
    let text = notice.text();
    assert!(text.contains("  Device:      ") && text.contains("posthouse queue show "), "{text}");
}

#[tokio::test]
async fn a_notice_takes_another_account_where_the_provider_refuses_it() {
    let scene = scene(Offer::like_gmail(), Notices::default(), |config, _| {
        let mut helper = config.accounts[0].clone();
        helper.name = "helper".into();
        helper.helo_name = Some("helper.test".into());
        config.accounts[0].null_sender = false;
        config.default_account = Some(config.accounts[0].name.clone());
        config.accounts.push(helper);
    })
    .await;
    send(&scene, &format!("<{SENDER}>"), &["<f-one@x.example>"]).await;
    let notice = notice(&scene, 1).await;
    assert_eq!((notice.helo_name.as_str(), notice.addresses()), ("helper.test", vec![SENDER]));
}

#[tokio::test]
async fn dsn_is_announced_only_where_senders_get_reports() {
    let announced = async |change: fn(&mut Config)| {
        let scene = Scene::with(provider(), |config, _| change(config)).await;
        let mut device = Device::connect(scene.address()).await;
        device.reply().await;
        device.say("EHLO device.example").await.lines().any(|line| line.ends_with("DSN"))
    };
    assert!(announced(|config| queued(config, Notices::default())).await);
    assert!(!announced(|config| queued(config, Notices { to: NoticesTo::Admin, ..admin() })).await);
    assert!(!announced(|config| queued(config, Notices { to: NoticesTo::Nobody, admin: None })).await);
    assert!(!announced(|_| {}).await, "without a queue the device hears everything itself");
}
