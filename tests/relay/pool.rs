//! One signed-in line for many mails: reused, replaced once when it was stale, ended when it has served long enough.

use posthouse::sandbox::fault::{Fault, Stage, Times};
use posthouse::sandbox::{Extension, Settings};

use crate::device::RECIPIENT;
use crate::scene::{Scene, provider};

#[tokio::test]
async fn twenty_mails_need_one_connection_one_handshake_and_one_sign_in() {
    let scene = Scene::start().await;
    for _ in 0..4 {
        let mut device = scene.device().await;
        for _ in 0..5 {
            assert!(device.mail().await.starts_with("250 "));
        }
        assert!(device.say("QUIT").await.starts_with("221 "));
    }
    let counters = scene.sandbox.counters();
    assert_eq!((counters.connections, counters.handshakes_full, counters.auth_attempts), (1, 1, 1));
    assert_eq!(scene.sandbox.mailbox().count(), 20);
    scene.assert_no_breach();
}

#[tokio::test]
async fn a_stale_line_is_replaced_and_the_device_hears_nothing_of_it() {
    for (fault, what) in [
        (Fault::Close, "closed"),
        (Fault::reply_then_close(421, "4.4.2 Idle too long"), "421"),
        (Fault::reply(530, "5.7.0 Sign in first"), "530"),
        (Fault::reply(535, "5.7.8 Session expired"), "535"),
    ] {
        let scene = Scene::start().await;
        let mut device = scene.device().await;
        assert!(device.mail().await.starts_with("250 "));
        scene.sandbox.faults().plan(Stage::Mail, fault, Times::Once);
        let heard = device.mail().await;
        assert!(heard.starts_with("250 "), "{what}: {heard}");
        assert_eq!((scene.sandbox.counters().connections, scene.sandbox.mailbox().count()), (2, 2), "{what}");
        scene.assert_no_breach();
    }
}

#[tokio::test]
async fn a_stale_line_is_replaced_once_and_no_more() {
    let scene = Scene::start().await;
    let mut device = scene.device().await;
    assert!(device.mail().await.starts_with("250 "));
    scene.sandbox.faults().plan(Stage::Mail, Fault::reply_then_close(421, "4.3.2 Not now"), Times::Always);
    let heard = device.mail().await;
    assert!(heard.starts_with("451 4.4.0 "), "{heard}");
    assert_eq!(scene.sandbox.counters().connections, 2);
}

#[tokio::test]
async fn after_a_hundred_mails_a_line_is_ended_in_order() {
    let scene = Scene::start().await;
    let mut device = scene.device().await;
    for _ in 0..100 {
        assert!(device.mail().await.starts_with("250 "));
    }
    assert_eq!(scene.sandbox.counters().connections, 1);
    assert!(device.mail().await.starts_with("250 "));
    assert_eq!(scene.sandbox.counters().connections, 2);
    assert!(scene.sandbox.transcript().iter().any(|said| said.connection == 1 && said.text == "QUIT"));
    scene.assert_no_breach();
}

#[tokio::test]
async fn a_refused_mail_leaves_the_line_usable_with_and_without_pipelining() {
    for pipelining in [true, false] {
        let settings = provider();
        let bare = settings.offer.clone().without(&Extension::Pipelining);
        let offer = if pipelining { settings.offer.clone() } else { bare };
        let scene = Scene::with(Settings { offer, ..settings }, |_, _| {}).await;
        let mut device = scene.device().await;
        for stage in [Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Dot] {
            scene.sandbox.faults().plan(stage.clone(), Fault::reply(550, "5.7.1 No"), Times::Once);
            let heard = device.mail_to(&[RECIPIENT, "b@example.com"], crate::device::SAMPLE).await;
            assert!(heard.starts_with("550 5.7.1 "), "{stage:?}: {heard}");
            assert!(device.mail().await.starts_with("250 "), "after {stage:?}");
        }
        assert_eq!((scene.sandbox.counters().connections, scene.sandbox.mailbox().count()), (1, 4));
        scene.assert_no_breach();
    }
}

#[tokio::test]
async fn a_line_the_provider_ended_while_it_was_idle_is_replaced() {
    let provider = Settings { idle: std::time::Duration::from_millis(200), ..provider() };
    let scene = Scene::with(provider, |_, _| {}).await;
    let mut device = scene.device().await;
    for mails in 1..=3 {
        assert!(device.mail().await.starts_with("250 "));
        let ended = async {
            while connections_ended(&scene) < mails {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), ended).await.expect("an idle connection is ended");
    }
    assert_eq!((scene.sandbox.counters().connections, scene.sandbox.mailbox().count()), (3, 3));
    scene.assert_no_breach();
}

/// How many connections the provider has ended.
fn connections_ended(scene: &Scene) -> usize {
    scene.sandbox.transcript().iter().filter(|said| said.text.starts_with("ended: ")).count()
}
