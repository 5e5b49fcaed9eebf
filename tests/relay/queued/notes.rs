//! The notes to the table, from the device to the provider and the disk.

use posthouse::account;
use posthouse::app;
use posthouse::journal::Journal;
use posthouse::smtp::client::Timeouts;

use super::*;
use crate::device::SENDER;
use crate::scene::{Log, add_account, relay_to};

/// Nobody listens there.
async fn deserted() -> u16 {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test]
async fn with_no_wait_the_device_hears_at_once_that_it_is_queued() {
    let scene = scene_with(Keeping { wait: Duration::ZERO, ..keeping() }).await;
    let gate = waits(&scene, Stage::Greeting);
    assert_queued(&scene.device().await.mail().await);
    scene.assert_nothing_arrived();
    gate.open();
    assert_eq!(delivered(&scene.sandbox, 1).await, [RECIPIENT]);
}

#[tokio::test]
async fn a_device_that_hangs_up_after_the_end_of_data_changes_nothing() {
    let log = Log::capture();
    let scene = scene_with(Keeping { wait: WAIT, ..keeping() }).await;
    let gate = waits(&scene, Stage::Mail);
    let mut device = scene.device().await;
    device.envelope(&[RECIPIENT]).await;
    device.data(SAMPLE).await;
    reached(&gate).await;
    drop(device);
    log.wait_for_line(&["kept in the queue"]).await;
    once(&scene, Stage::Data, Fault::reply(451, "4.7.1 Greylisted"));
    gate.open();
    assert_eq!(delivered(&scene.sandbox, 1).await, [RECIPIENT], "at the second attempt");
    assert_eq!(kept(scene).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_device_that_hung_up_and_a_provider_that_is_silent_is_kept() {
    let log = Log::capture();
    let scene = scene_with(Keeping { wait: WAIT, ..keeping() }).await;
    let gate = waits(&scene, Stage::Mail);
    let mut device = scene.device().await;
    device.envelope(&[RECIPIENT]).await;
    device.data(SAMPLE).await;
    reached(&gate).await;
    drop(device);
    log.wait_for_line(&["kept in the queue", "the time its device waits is over"]).await;
    assert_eq!(kept(scene).await, [RECIPIENT]);
}

#[tokio::test]
async fn the_end_of_the_relay_stores_what_is_under_way_and_says_so() {
    for stage in [Stage::Greeting, Stage::Mail, Stage::Data, Stage::Dot] {
        let scene = Scene::with(provider(), |config, _| {
            durable(config, keeping());
            config.delivery.shutdown_grace = WAIT;
        })
        .await;
        let gate = waits(&scene, stage.clone());
        let mut device = scene.device().await;
        device.envelope(&[RECIPIENT]).await;
        device.data(SAMPLE).await;
        reached(&gate).await;
        let (left, heard) = tokio::join!(kept(scene), device.reply());
        assert_queued(&heard);
        assert_eq!(left, [RECIPIENT], "{stage:?}");
    }
}

#[tokio::test]
async fn the_end_of_the_relay_stores_what_no_courier_has_yet() {
    let log = Log::with_transcripts();
    let scene = Scene::with(provider(), |config, _| {
        durable(config, keeping());
        config.accounts[0].connections = 1;
        config.delivery.shutdown_grace = WAIT;
    })
    .await;
    let gate = waits(&scene, Stage::Greeting);
    let (mut first, mut second) = (scene.device().await, scene.device().await);
    for (device, to) in [(&mut first, RECIPIENT), (&mut second, "second@example.com")] {
        device.envelope(&[to]).await;
        device.data(SAMPLE).await;
    }
    reached(&gate).await;
    // Written down when its data has ended.
    log.wait_for_lines(2, &["octets of body"]).await;
    let (left, one, other) = tokio::join!(kept(scene), first.reply(), second.reply());
    assert_queued(&one);
    assert_queued(&other);
    assert_eq!(left, [RECIPIENT, "second@example.com"]);
}

#[tokio::test]
async fn a_reply_to_the_dot_that_comes_within_the_grace_is_recorded() {
    let scene = scene().await;
    let gate = waits(&scene, Stage::Dot);
    let mut device = scene.device().await;
    device.envelope(&[RECIPIENT]).await;
    device.data(SAMPLE).await;
    reached(&gate).await;
    let answered = async {
        assert_queued(&device.reply().await);
        gate.open();
    };
    let (left, ()) = tokio::join!(kept(scene), answered);
    assert_eq!(left, Vec::<String>::new(), "it would be sent again");
}

#[tokio::test]
async fn what_was_stored_goes_out_after_a_restart() {
    let scene = scene_with(Keeping { wait: WAIT, ..keeping() }).await;
    let _gate = waits(&scene, Stage::Mail);
    assert_queued(&scene.device().await.mail().await);
    let scene = scene.restarted(|_| {}).await;
    assert_eq!(delivered(&scene.sandbox, 1).await, [RECIPIENT]);
    assert_eq!(kept(scene).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_device_with_its_share_of_the_queue_hears_so_at_mail_until_its_mail_is_gone() {
    let scene = scene_with(Keeping { wait: Duration::ZERO, max_messages: 2, ..keeping() }).await;
    let gate = waits(&scene, Stage::Mail);
    assert_queued(&scene.device().await.mail().await);
    let mut device = scene.device().await;
    let heard = device.say(&format!("MAIL FROM:<{SENDER}>")).await;
    assert_eq!(heard, "452 4.3.1 Too much mail of this device is waiting, try again later");
    gate.open();
    delivered(&scene.sandbox, 1).await;
    // It is gone from the queue a moment after the provider has it.
    let taken = async { while !device.say(&format!("MAIL FROM:<{SENDER}>")).await.starts_with("250 ") {} };
    tokio::time::timeout(WAIT, taken).await.expect("there is room again");
}

#[tokio::test]
async fn a_relay_without_a_queue_does_not_leave_promised_mail_behind() {
    let scene = scene_with(Keeping { wait: WAIT, ..keeping() }).await;
    let _gate = waits(&scene, Stage::Mail);
    assert_queued(&scene.device().await.mail().await);
    let Scene { sandbox, relay, config, directory } = scene;
    relay.shut_down().await;
    let proxy = Config { queue: queue::Settings::Proxy { wait: WAIT }, ..config.clone() };
    let start = |config: &Config| app::start(config, Journal::default(), Timeouts::default());
    let refused = start(&proxy).unwrap_err().to_string();
    assert!(refused.contains("1 mail") && refused.contains("delivery.queue"), "{refused}");
    let scene = Scene { sandbox, relay: start(&config).unwrap(), config, directory };
    assert_eq!(delivered(&scene.sandbox, 1).await, [RECIPIENT]);
    let Scene { sandbox, relay, directory, .. } = scene;
    relay.shut_down().await;
    let relay = start(&proxy).expect("nothing is owed any more");
    let scene = Scene { sandbox, relay, config: proxy, directory };
    assert!(scene.device().await.mail().await.starts_with("250 "));
}

#[tokio::test]
async fn mail_that_was_queued_before_a_trial_goes_where_it_was_written_to_and_that_is_said() {
    let scene = scene_with(Keeping { wait: Duration::ZERO, ..keeping() }).await;
    let gate = waits(&scene, Stage::Mail);
    assert_queued(&scene.device().await.mail().await);
    reached(&gate).await;
    let Scene { sandbox, relay, mut config, directory } = scene;
    relay.shut_down().await;
    let log = Log::capture();
    config.delivery.redirect_to = Some(posthouse::mail::address::Address::parse(b"tests@example.com").unwrap());
    let relay = app::start(&config, Journal::default(), Timeouts::default()).unwrap();
    log.assert_line(&["mail lies in the queue (1)", "delivery.redirect_to"]);
    assert_eq!(delivered(&sandbox, 1).await, [RECIPIENT]);
    relay.shut_down().await;
    drop(directory);
}

#[tokio::test]
async fn one_mail_may_go_several_ways() {
    let other = Sandbox::start(provider()).await.unwrap();
    let scene = Scene::with(provider(), |config, _| {
        durable(config, keeping());
        add_account(config, "backup", &other);
        config.default_account = Some("office".into());
        let rule = account::book::Rule::default();
        let recipient = vec!["*@far.example".into()];
        config.routes = vec![account::book::Rule { recipient, accounts: vec!["backup".into()], ..rule }];
    })
    .await;
    let heard = scene.device().await.mail_to(&[RECIPIENT, "x@far.example", "b@example.com"], SAMPLE).await;
    assert!(heard.starts_with("250 2.0.0 Ok: taken as "), "{heard}");
    assert_eq!(delivered(&scene.sandbox, 1).await, [format!("{RECIPIENT} b@example.com")]);
    assert_eq!(delivered(&other, 1).await, ["x@far.example"]);
}

#[tokio::test]
async fn more_recipients_than_a_transaction_takes_go_in_several() {
    for connections in [1, 2] {
        let scene = Scene::with(provider(), |config, _| {
            durable(config, keeping());
            config.accounts[0].recipients_per_message = 2;
            config.accounts[0].connections = connections;
        })
        .await;
        let all = ["a@example.com", "b@example.com", "c@example.com", "d@example.com", "e@example.com"];
        let heard = scene.device().await.mail_to(&all, SAMPLE).await;
        assert!(heard.starts_with("250 2.0.0 Ok: taken as "), "{heard}");
        let mut arrived = delivered(&scene.sandbox, 3).await;
        arrived.sort();
        assert_eq!(arrived, ["a@example.com b@example.com", "c@example.com d@example.com", "e@example.com"]);
        scene.assert_no_breach();
        assert_eq!(kept(scene).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn the_next_account_of_a_route_has_its_turn_inside_the_window() {
    let sandbox = Sandbox::start(provider()).await.unwrap();
    let away = deserted().await;
    let (relay, _config, _directory) = relay_to(&sandbox, |config| {
        durable(config, keeping());
        add_account(config, "backup", &sandbox);
        config.accounts[0].port = away;
        let rule = account::book::Rule::default();
        config.routes = vec![account::book::Rule { accounts: vec!["office".into(), "backup".into()], ..rule }];
    })
    .unwrap();
    let mut device = Device::greeted(relay.listening()[0].1).await;
    assert_eq!(device.mail().await, "250 2.0.0 Ok: taken as 1", "from the second, while the device waits");
}
