//! The rows of the table, from the device to the provider and the disk.

use super::*;

const NOBODY: &str = "nobody@example.com";

/// The provider does not know this one.
fn unknown(scene: &Scene) {
    let fault = Fault::reply(550, "5.1.1 No such user");
    scene.sandbox.faults().plan(Stage::RcptTo(NOBODY.into()), fault, Times::Always);
}

#[tokio::test]
async fn delivered_to_all_is_the_provider_s_own_reply_and_nothing_is_kept() {
    let scene = scene().await;
    assert_eq!(scene.device().await.mail().await, "250 2.0.0 Ok: taken as 1");
    assert_eq!(delivered(&scene.sandbox, 1).await, [RECIPIENT]);
    scene.assert_no_breach();
    assert_eq!(kept(scene).await, Vec::<String>::new());
}

#[tokio::test]
async fn refused_for_all_is_the_provider_s_refusal_and_nothing_is_kept() {
    let scene = scene().await;
    unknown(&scene);
    let heard = scene.device().await.mail_to(&[NOBODY], SAMPLE).await;
    assert_eq!(heard, "550 5.1.1 No such user");
    scene.assert_nothing_arrived();
    assert_eq!(kept(scene).await, Vec::<String>::new());
}

#[tokio::test]
async fn refused_for_one_is_250_that_names_it_and_a_notice() {
    let scene = scene().await;
    unknown(&scene);
    let heard = scene.device().await.mail_to(&[RECIPIENT, NOBODY], SAMPLE).await;
    assert_eq!(heard, format!("250 2.0.0 Ok, but not for {NOBODY}: No such user"));
    let arrived = delivered(&scene.sandbox, 2).await;
    assert_eq!(arrived, [RECIPIENT, crate::device::SENDER], "the mail, and the notice to its sender");
    scene.assert_no_breach();
    assert_eq!(kept(scene).await, Vec::<String>::new());
}

#[tokio::test]
async fn later_is_queued_and_arrives_once() {
    for stage in [Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Dot] {
        let scene = scene().await;
        once(&scene, stage.clone(), Fault::reply(451, "4.7.1 Greylisted"));
        assert_queued(&scene.device().await.mail().await);
        assert_eq!(delivered(&scene.sandbox, 1).await, [RECIPIENT], "{stage:?}");
        scene.assert_no_breach();
        let sandbox = scene.sandbox.mailbox().watch();
        assert_eq!(kept(scene).await, Vec::<String>::new(), "{stage:?}");
        assert_eq!(*sandbox.borrow(), 1, "{stage:?}");
    }
}

#[tokio::test]
async fn only_whoever_is_left_gets_what_is_tried_again() {
    let scene = scene().await;
    let grey = "grey@example.com";
    once(&scene, Stage::RcptTo(grey.into()), Fault::reply(450, "4.2.0 Greylisted"));
    assert_queued(&scene.device().await.mail_to(&[RECIPIENT, grey], SAMPLE).await);
    assert_eq!(delivered(&scene.sandbox, 2).await, [RECIPIENT, grey]);
    assert_eq!(kept(scene).await, Vec::<String>::new());
}

#[tokio::test]
async fn still_open_when_the_window_ends_is_queued_and_the_attempt_goes_on() {
    for stage in [Stage::Greeting, Stage::Auth, Stage::Mail, Stage::Data, Stage::Dot] {
        let scene = scene_with(Keeping { wait: WAIT, ..keeping() }).await;
        let gate = waits(&scene, stage.clone());
        assert_queued(&scene.device().await.mail().await);
        gate.open();
        assert_eq!(delivered(&scene.sandbox, 1).await, [RECIPIENT], "{stage:?}");
        let mailbox = scene.sandbox.mailbox().watch();
        assert_eq!(kept(scene).await, Vec::<String>::new(), "{stage:?}");
        assert_eq!(*mailbox.borrow(), 1, "{stage:?}: sent once");
    }
}

#[tokio::test]
async fn uncertain_is_queued_and_sent_again_through_the_same_account() {
    let scene = scene().await;
    once(&scene, Stage::Dot, Fault::CarryOutThenClose);
    assert_queued(&scene.device().await.mail().await);
    assert_eq!(delivered(&scene.sandbox, 2).await, [RECIPIENT, RECIPIENT], "nobody could know");
    let all = scene.sandbox.mailbox().deliveries();
    assert_eq!(all[0].bytes, all[1].bytes, "with the same Message-ID");
    assert_eq!(kept(scene).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_held_account_keeps_its_mail_and_bounces_nothing() {
    let scene = Scene::with(provider(), |config, sandbox| {
        durable(config, keeping());
        let wrong = posthouse::secret::Secret::new("wrong".into());
        config.accounts[0].credential = posthouse::account::Source::Password(wrong);
        let _ = sandbox;
    })
    .await;
    assert_queued(&scene.device().await.mail().await);
    scene.assert_nothing_arrived();
    assert_eq!(kept(scene).await, [RECIPIENT]);
}
