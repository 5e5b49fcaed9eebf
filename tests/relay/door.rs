//! The front door: whoever takes more than a fair share is stopped, and the honest device beside it is not.

use std::net::SocketAddr;
use std::time::Duration;

use posthouse::config::Config;

use crate::device::{Device, RECIPIENT, SAMPLE, SENDER};
use crate::scene::{Log, Scene, provider};

async fn with(change: impl FnOnce(&mut Config)) -> Scene {
    Scene::with(provider(), |config, _| change(config)).await
}

#[tokio::test]
async fn an_address_that_is_not_allowed_hears_one_line() {
    let log = Log::capture();
    let scene = with(|config| config.listeners[0].allow = vec!["127.0.0.1".parse().unwrap()]).await;
    let mut stranger = Device::connect_from("127.0.0.2".parse().unwrap(), scene.address()).await;
    assert_eq!(stranger.reply().await, "554 5.7.1 You are not allowed to use this relay");
    assert_eq!(stranger.try_reply().await, None);
    log.assert_line(&["turned away", "peer=127.0.0.2", "not in `allow`"]);
    assert!(scene.device().await.mail().await.starts_with("250 "));
}

/// Whoever stands before the log at its usual level sees why a device fails, and how to cure it, once a session.
#[tokio::test]
async fn what_a_device_is_refused_for_is_said_in_each_session() {
    let log = Log::capture();
    let scene = with(|config| config.listeners[0].max_message_size = 1000).await;
    let refused: &[(&str, &str, &str)] = &[
        ("MAIL FROM:<scanner@sandbox.example>", "503 ", "before EHLO or HELO"),
        ("STARTTLS", "502 ", "set tls = \"starttls\" with a certificate"),
        ("AUTH PLAIN AGZheAByaWdodA==", "502 ", "set auth = \"accept_any\""),
        ("EHLO device.example", "250", "(nothing)"),
        ("MAIL FROM:<scanner@sandbox.example> SIZE=1001", "552 ", "larger than `max_message_size`"),
        ("MAIL FROM:<scan ner@sandbox.example>", "501 ", "cannot be read"),
        ("XYZZY", "500 ", "no command of SMTP"),
    ];
    for session in 1..=2 {
        let mut device = Device::connect(scene.address()).await;
        assert!(device.reply().await.starts_with("220 "));
        for (line, reply, words) in refused {
            for _ in 0..2 {
                let heard = device.say(line).await;
                assert!(heard.starts_with(reply), "{line}: {heard}");
            }
            // It is logged before it is answered.
            let lines = if *reply == "250" { 0 } else { session };
            assert_eq!(log.count(&["INFO", "refused: it ", words]), lines, "{line}: {}", log.text());
        }
    }
}

#[tokio::test]
async fn a_mail_sent_although_data_was_refused_is_not_taken_for_http() {
    let log = Log::capture();
    let scene = with(|config| config.listeners[0].recipients = vec!["*@example.com".into()]).await;
    let mut deaf = scene.device().await;
    deaf.envelope(&[]).await;
    assert!(deaf.say("RCPT TO:<anna@example.net>").await.starts_with("550 "));
    assert!(deaf.say("DATA").await.starts_with("503 "));
    deaf.send(SAMPLE).await;
    assert_eq!(deaf.reply().await, "554 5.5.1 DATA was refused, closing");
    assert_eq!(deaf.try_reply().await, None);
    log.assert_line(&["INFO", "refused: it sends a message body although DATA was refused"]);
    assert_eq!(log.count(&["HTTP"]), 0, "{}", log.text());
}

/// Three places. Two idle sessions and one in the midst of a mail; then one more comes.
async fn the_oldest_idle_one_makes_room(scene: &Scene) {
    let mut oldest = scene.device().await;
    let mut idle = scene.device().await;
    let mut honest = scene.device().await;
    honest.envelope(&[RECIPIENT]).await;
    let mut newcomer = scene.device().await;
    assert!(oldest.reply().await.starts_with("421 4.3.2 "), "the oldest that is idle before MAIL");
    assert_eq!(oldest.try_reply().await, None);
    honest.data(SAMPLE).await;
    assert!(honest.reply().await.starts_with("250 "));
    assert!(newcomer.mail().await.starts_with("250 "));
    assert!(idle.mail().await.starts_with("250 "), "only one had to go");
}

/// Three places, all in the midst of a mail; then one more comes.
async fn a_newcomer_is_turned_away_when_all_carry_mail(scene: &Scene, why: &str) {
    let log = Log::capture();
    let mut busy = Vec::new();
    for _ in 0..3 {
        let mut device = scene.device().await;
        device.envelope(&[RECIPIENT]).await;
        busy.push(device);
    }
    let mut newcomer = Device::connect(scene.address()).await;
    assert_eq!(newcomer.reply().await, "421 4.3.2 Too many connections, try again later");
    log.assert_line(&["turned away", why]);
    for mut device in busy {
        device.data(SAMPLE).await;
        assert!(device.reply().await.starts_with("250 "));
    }
}

#[tokio::test]
async fn one_device_has_its_share_of_sessions() {
    let scene = with(|config| config.caps.sessions_per_device = 3).await;
    the_oldest_idle_one_makes_room(&scene).await;
    let scene = with(|config| config.caps.sessions_per_device = 3).await;
    a_newcomer_is_turned_away_when_all_carry_mail(&scene, "this device has too many sessions").await;
}

#[tokio::test]
async fn all_devices_together_have_theirs() {
    let scene = with(|config| config.caps.sessions = 3).await;
    the_oldest_idle_one_makes_room(&scene).await;
    let scene = with(|config| config.caps.sessions = 3).await;
    a_newcomer_is_turned_away_when_all_carry_mail(&scene, "all sessions are taken").await;
}

#[tokio::test]
async fn recipients_beyond_the_limit_are_left_for_another_mail() {
    for account in [false, true] {
        let scene = with(|config| {
            let limit = if account {
                &mut config.accounts[0].recipients_per_message
            } else {
                &mut config.listeners[0].max_recipients
            };
            *limit = 2;
        })
        .await;
        let mut device = scene.device().await;
        device.envelope(&["a@example.com", "b@example.com"]).await;
        assert!(device.say("RCPT TO:<c@example.com>").await.starts_with("452 4.5.3 "));
        device.data(SAMPLE).await;
        assert!(device.reply().await.starts_with("250 "));
        assert_eq!(scene.sandbox.mailbox().deliveries()[0].addresses(), ["a@example.com", "b@example.com"]);
    }
}

/// One second of silence, or of a trickle, is too long.
async fn impatient() -> Scene {
    with(|config| {
        config.caps.idle = Duration::from_secs(1);
        config.caps.minimum_rate = 1_000_000;
    })
    .await
}

#[tokio::test]
async fn a_silent_device_is_ended_while_an_honest_one_delivers() {
    let scene = impatient().await;
    let (mut silent, mut honest) = (scene.device().await, scene.device().await);
    let (said, heard) = tokio::join!(silent.reply(), honest.mail());
    assert!(heard.starts_with("250 "), "{heard}");
    assert_eq!(said, "421 4.4.2 Timed out, closing");
    assert_eq!(silent.try_reply().await, None);
}

#[tokio::test]
async fn a_slow_body_is_ended_while_an_honest_one_is_delivered() {
    let log = Log::capture();
    let scene = impatient().await;
    let (mut slow, mut honest) = (scene.device().await, scene.device().await);
    slow.envelope(&[RECIPIENT]).await;
    assert!(slow.say("DATA").await.starts_with("354"));
    let trickle = async {
        // Never silent for long, and never fast: the pace is what this device is about.
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        loop {
            tokio::select! {
                biased;
                said = slow.reply() => return said,
                _ = pace.tick() => {}
            }
            slow.send("x\r\n").await;
        }
    };
    let (said, heard) = tokio::join!(trickle, honest.mail());
    assert!(heard.starts_with("250 "), "{heard}");
    assert_eq!(said, "421 4.4.2 Timed out, closing");
    log.assert_line(&["the body did not end", "CRLF"]);
    assert_eq!(scene.sandbox.mailbox().count(), 1);
}

#[tokio::test]
async fn an_endless_header_is_refused_at_its_end_and_the_session_goes_on() {
    let scene = Scene::start().await;
    let mut device = scene.device().await;
    let mut honest = scene.device().await;
    let endless = format!("X-Long: {}\r\n", "x".repeat(900)).repeat(1300);
    let (heard, other) = tokio::join!(device.mail_to(&[RECIPIENT], endless.as_bytes()), honest.mail());
    assert_eq!(heard, "552 5.3.4 The header of the message is too large");
    assert!(other.starts_with("250 "), "{other}");
    assert!(device.mail().await.starts_with("250 "), "in step afterwards");
}

#[tokio::test]
async fn ten_bad_commands_end_a_session() {
    let scene = Scene::start().await;
    let mut device = scene.device().await;
    for _ in 0..9 {
        assert!(device.say("NONSENSE").await.starts_with("500 "));
    }
    assert!(device.say("NONSENSE").await.starts_with("421 "));
    assert_eq!(device.try_reply().await, None);
}

#[tokio::test]
async fn two_listeners_have_each_their_rules() {
    let scene = with(|config| {
        let mut narrow = config.listeners[0].clone();
        narrow.name = "narrow".into();
        narrow.recipients = vec!["*@example.com".into()];
        narrow.senders = vec!["scanner@*".into()];
        config.listeners.push(narrow);
    })
    .await;
    let narrow: SocketAddr = scene.relay.listening()[1].1;
    let mut device = Device::greeted(narrow).await;
    assert!(device.say("MAIL FROM:<boss@sandbox.example>").await.starts_with("550 5.7.1 "));
    assert!(device.say(&format!("MAIL FROM:<{SENDER}>")).await.starts_with("250 "));
    assert!(device.say("RCPT TO:<a@elsewhere.example>").await.starts_with("550 5.7.1 "));
    assert!(device.say("RSET").await.starts_with("250 "));
    assert!(device.mail().await.starts_with("250 "));
    assert!(scene.device().await.mail_to(&["a@elsewhere.example"], SAMPLE).await.starts_with("250 "));
}

/// To whom a mail written to this address goes.
async fn goes_to(written: &str, change: impl FnOnce(&mut Config)) -> String {
    let scene = with(change).await;
    assert!(scene.device().await.mail_to(&[written], SAMPLE).await.starts_with("250 "));
    scene.sandbox.mailbox().deliveries()[0].addresses()[0].to_owned()
}

#[tokio::test]
async fn addresses_without_a_domain_are_completed_or_redirected() {
    let domain = |config: &mut Config| config.default_domain = Some("example.com".into());
    let alias = |config: &mut Config| {
        let it = posthouse::mail::address::Address::parse(b"it@example.com").unwrap();
        config.aliases.insert("root".into(), it.clone());
        config.aliases.insert("old@example.com".into(), it);
    };
    assert_eq!(goes_to("root", domain).await, "root@example.com");
    assert_eq!(goes_to("root", alias).await, "it@example.com");
    assert_eq!(goes_to("Old@Example.com", alias).await, "it@example.com");
    assert_eq!(goes_to("postmaster", |_| {}).await, SENDER, "whoever set the account up");
    assert_eq!(goes_to("Postmaster", domain).await, "Postmaster@example.com");
    let mut device = Scene::start().await.device().await;
    assert!(device.say(&format!("MAIL FROM:<{SENDER}>")).await.starts_with("250 "));
}

#[tokio::test]
async fn an_address_nothing_completes_is_refused_and_the_cure_is_said() {
    let scene = Scene::start().await;
    let mut device = scene.device().await;
    assert!(device.say(&format!("MAIL FROM:<{SENDER}>")).await.starts_with("250 "));
    let heard = device.say("RCPT TO:<root>").await;
    assert!(heard.starts_with("553 5.1.3 ") && heard.contains("default_domain or [aliases]"), "{heard}");
}
