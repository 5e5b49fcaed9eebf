//! A device that does not stop: it is refused, the log says so once, and nobody else notices.
//!
//! That limits end with time is shown where time can be told (`inbound::limits`).

use std::net::SocketAddr;

use posthouse::config::Config;
use posthouse::inbound::settings::{DeviceAuth, DeviceSettings, Limits};

use crate::device::{Device, RECIPIENT, SAMPLE, SENDER};
use crate::login::{fax, plain};
use crate::scene::{Log, Scene, provider};

const MESSAGES: Limits = Limits { messages_per_hour: Some(2), recipients_per_day: None };
const RECIPIENTS: Limits = Limits { messages_per_hour: None, recipients_per_day: Some(3) };

async fn with(change: impl FnOnce(&mut Config)) -> Scene {
    Scene::with(provider(), |config, _| change(config)).await
}

async fn taken(device: &mut Device) {
    let heard = device.mail().await;
    assert!(heard.starts_with("250 "), "{heard}");
}

/// MAIL is refused for too many messages.
async fn refused(device: &mut Device) {
    let heard = device.say(&format!("MAIL FROM:<{SENDER}>")).await;
    let said = "451 4.7.0 This device has reached its limit of 2 messages an hour, try again in 60 minutes";
    assert_eq!(heard, said);
}

async fn from(source: &str, address: SocketAddr) -> Device {
    let mut device = Device::connect_from(source.parse().unwrap(), address).await;
    device.begin().await;
    device
}

async fn signed_in(scene: &Scene, listener: usize) -> Device {
    let mut device = Device::greeted(scene.relay.listening()[listener].1).await;
    assert!(device.say(&plain("fax", "right")).await.starts_with("235 "));
    device
}

#[tokio::test]
async fn a_runaway_device_is_refused_and_the_log_says_so_once() {
    let log = Log::capture();
    let scene = with(|config| config.listeners[0].limits = MESSAGES).await;
    let mut device = scene.device().await;
    taken(&mut device).await;
    taken(&mut device).await;
    for _ in 0..20 {
        refused(&mut device).await;
    }
    refused(&mut scene.device().await).await;
    log.assert_line(&[
        "WARN",
        "limit reached",
        "device=local/loopback",
        "messages_per_hour",
        "most=2",
        "of listener local",
    ]);
    assert_eq!(log.count(&["WARN"]), 1, "{}", log.text());
    assert_eq!(scene.sandbox.mailbox().count(), 2);
}

#[tokio::test]
async fn recipients_over_the_limit_are_refused_one_by_one_and_the_others_get_their_mail() {
    let log = Log::capture();
    let scene = with(|config| config.listeners[0].limits = RECIPIENTS).await;
    let mut device = scene.device().await;
    device.envelope(&["a@example.com", "b@example.com", "c@example.com"]).await;
    let heard = device.say("RCPT TO:<d@example.com>").await;
    assert_eq!(heard, "450 4.7.0 This device has reached its limit of 3 recipients a day, try again in 24 hours");
    device.data(SAMPLE).await;
    assert!(device.reply().await.starts_with("250 "));
    assert_eq!(scene.sandbox.mailbox().deliveries()[0].addresses().len(), 3);
    assert!(device.say(&format!("MAIL FROM:<{SENDER}>")).await.starts_with("250 "));
    assert!(device.say(&format!("RCPT TO:<{RECIPIENT}>")).await.starts_with("450 "));
    assert_eq!(log.count(&["WARN", "limit reached", "recipients_per_day"]), 1, "{}", log.text());
}

#[tokio::test]
async fn what_is_refused_for_another_reason_is_not_counted() {
    let scene = with(|config| {
        config.listeners[0].limits = Limits { messages_per_hour: Some(1), recipients_per_day: Some(1) };
        config.listeners[0].senders = vec![SENDER.into()];
        config.listeners[0].recipients = vec![RECIPIENT.into()];
    })
    .await;
    let mut device = scene.device().await;
    assert!(device.say("MAIL FROM:<other@sandbox.example>").await.starts_with("550 "));
    device.envelope(&[]).await;
    assert!(device.say("RCPT TO:<other@example.com>").await.starts_with("550 "));
    assert!(device.say(&format!("RCPT TO:<{RECIPIENT}>")).await.starts_with("250 "));
}

#[tokio::test]
async fn each_device_has_its_own_and_all_sources_of_loopback_are_one_per_listener() {
    let scene = with(|config| {
        config.listeners[0].limits = MESSAGES;
        let mut second = config.listeners[0].clone();
        second.name = "second".into();
        second.bind = vec!["127.0.0.1:0".parse().unwrap()];
        config.listeners.push(second);
    })
    .await;
    let (here, there) = (scene.relay.listening()[0].1, scene.relay.listening()[1].1);
    taken(&mut from("127.0.0.1", here).await).await;
    taken(&mut from("127.0.0.2", here).await).await;
    refused(&mut from("127.0.0.3", here).await).await;
    taken(&mut from("127.0.0.1", there).await).await;
    taken(&mut from("127.0.0.3", there).await).await;
    refused(&mut from("127.0.0.2", there).await).await;
}

#[tokio::test]
async fn on_one_listener_ipv4_and_ipv6_loopback_are_the_same_device() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return; // a machine without IPv6
    }
    let scene = with(|config| {
        config.listeners[0].limits = MESSAGES;
        config.listeners[0].bind.push("[::1]:0".parse().unwrap());
        config.listeners[0].allow.push("::1".parse().unwrap());
    })
    .await;
    let (v4, v6) = (scene.relay.listening()[0].1, scene.relay.listening()[1].1);
    taken(&mut Device::greeted(v4).await).await;
    taken(&mut Device::greeted(v6).await).await;
    refused(&mut Device::greeted(v4).await).await;
    refused(&mut Device::greeted(v6).await).await;
}

#[tokio::test]
async fn the_sessions_of_loopback_are_counted_per_listener() {
    let scene = with(|config| {
        config.caps.sessions_per_device = 1;
        let mut second = config.listeners[0].clone();
        second.name = "second".into();
        config.listeners.push(second);
    })
    .await;
    let mut device = scene.device().await;
    device.envelope(&[RECIPIENT]).await;
    taken(&mut Device::greeted(scene.relay.listening()[1].1).await).await;
    let mut newcomer = Device::connect(scene.address()).await;
    assert!(newcomer.reply().await.starts_with("421 "));
}

#[tokio::test]
async fn a_login_s_limit_holds_over_all_listeners_beside_each_listener_s_own() {
    let log = Log::capture();
    let scene = with(|config| {
        config.listeners[0].auth = DeviceAuth::Optional;
        let mut second = config.listeners[0].clone();
        second.name = "second".into();
        config.listeners.push(second);
        config.listeners[0].limits = RECIPIENTS;
        config.devices = vec![DeviceSettings { limits: MESSAGES, ..fax() }];
    })
    .await;
    let mut first = signed_in(&scene, 0).await;
    taken(&mut first).await;
    taken(&mut signed_in(&scene, 1).await).await;
    refused(&mut first).await;
    refused(&mut signed_in(&scene, 1).await).await;
    log.assert_line(&["limit reached", "device=fax", "of [devices.fax]"]);
    let mut nobody = scene.device().await;
    for _ in 0..3 {
        taken(&mut nobody).await;
    }
    assert!(nobody.say(&format!("MAIL FROM:<{SENDER}>")).await.starts_with("250 "));
    assert!(nobody.say(&format!("RCPT TO:<{RECIPIENT}>")).await.starts_with("450 "), "the listener's");
}

#[tokio::test]
async fn a_device_s_own_senders_and_recipients() {
    let scene = with(|config| {
        config.listeners[0].auth = DeviceAuth::Optional;
        let (senders, recipients) = (vec!["scanner@*".into()], vec!["*@example.com".into()]);
        config.devices = vec![DeviceSettings { senders, recipients, ..fax() }];
    })
    .await;
    let mut device = signed_in(&scene, 0).await;
    assert!(device.say("MAIL FROM:<boss@sandbox.example>").await.starts_with("550 5.7.1 "));
    device.envelope(&[]).await;
    assert!(device.say("RCPT TO:<a@elsewhere.example>").await.starts_with("550 5.7.1 "));
    assert!(device.say("RSET").await.starts_with("250 "));
    taken(&mut device).await;
    assert!(scene.device().await.mail_to(&["a@elsewhere.example"], SAMPLE).await.starts_with("250 "));
}
