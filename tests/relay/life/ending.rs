//! A relay that ends in the midst of a renewal: what the provider gives is stored all the same, or the old one stays.

use std::time::Duration;

use posthouse::app;
use posthouse::config::Config;
use posthouse::journal::Journal;
use posthouse::sandbox::Sandbox;
use posthouse::sandbox::fault::{Gate, Times, TokenFault};
use posthouse::smtp::client::Timeouts;
use tokio::task::JoinHandle;

use super::{HELD, assert_in_order, mail_until, refresh_token, renewals, signed_in_at};
use crate::scene::{Log, Scene, provider, reached};

/// A mail that needs a new token, and the gate at which the provider keeps the renewal.
async fn mail_in_a_renewal(scene: &Scene) -> (Gate, JoinHandle<String>) {
    let gate = Gate::new();
    scene.sandbox.faults().plan_grant("refresh_token", TokenFault::Wait(gate.clone()), Times::Once);
    let mut device = scene.device().await;
    let mail = tokio::spawn(async move { device.mail().await });
    reached(&gate).await;
    (gate, mail)
}

/// The relay after the one that has ended.
fn started_anew(sandbox: Sandbox, config: Config, directory: tempfile::TempDir) -> Scene {
    let relay = app::start(&config, Journal::default(), Timeouts::default()).unwrap();
    Scene { sandbox, relay, config, directory }
}

#[tokio::test]
async fn a_renewal_under_way_at_shutdown_is_stored_before_the_relay_ends() {
    let scene = signed_in_at(provider(), false, |_| {}).await;
    let before = refresh_token(&scene.config);
    let (gate, mail) = mail_in_a_renewal(&scene).await;

    let Scene { sandbox, relay, config, directory } = scene;
    let mut ending = std::pin::pin!(relay.shut_down());
    tokio::select! {
        () = &mut ending => panic!("it ended with a renewal under way"),
        () = tokio::task::yield_now() => gate.open(),
    }
    ending.await;
    let heard = mail.await.unwrap();
    assert!(heard.starts_with("250 ") || heard.starts_with("421 ") || heard.starts_with("451 "), "{heard}");
    let after = refresh_token(&config);
    assert_ne!(after, before, "what the provider gave is stored");

    let scene = started_anew(sandbox, config, directory);
    assert!(scene.device().await.mail().await.starts_with("250 "));
    assert_eq!(renewals(&scene.sandbox).len(), 1, "and is good");
    assert_in_order(&scene.sandbox);
}

#[tokio::test]
async fn what_the_disk_did_not_take_is_stored_when_the_relay_ends() {
    let log = Log::capture();
    let scene = signed_in_at(provider(), false, |_| {}).await;
    let before = refresh_token(&scene.config);
    let (gate, mail) = mail_in_a_renewal(&scene).await;
    // Nothing can be changed where the lock cannot be opened; reading needs none.
    let storage = &scene.config.storage.directory;
    let (lock, aside) = (storage.join("vault.lock"), storage.join("aside"));
    std::fs::rename(&lock, &aside).unwrap();
    std::fs::create_dir(&lock).unwrap();
    gate.open();
    let heard = mail.await.unwrap();
    assert!(heard.starts_with("451 4."), "{heard}");
    log.assert_line(&["new tokens could not be stored"]);
    assert_eq!(refresh_token(&scene.config), before);
    std::fs::remove_dir(&lock).unwrap();
    std::fs::rename(&aside, &lock).unwrap();

    let Scene { sandbox, relay, config, directory } = scene;
    relay.shut_down().await;
    assert_ne!(refresh_token(&config), before, "it was in memory, and nowhere else");
    let scene = started_anew(sandbox, config, directory);
    assert!(scene.device().await.mail().await.starts_with("250 "));
    assert_eq!(renewals(&scene.sandbox).len(), 1, "and is good");
    assert_in_order(&scene.sandbox);
}

#[tokio::test]
async fn a_call_that_never_ends_does_not_keep_the_relay() {
    let log = Log::capture();
    let scene =
        signed_in_at(provider(), false, |config| config.delivery.shutdown_grace = Duration::from_millis(100)).await;
    let before = refresh_token(&scene.config);
    let (_gate, mail) = mail_in_a_renewal(&scene).await;
    let Scene { sandbox, relay, config, directory } = scene;
    relay.shut_down().await;
    drop(mail);
    log.assert_line(&["the renewal of a sign-in is cut"]);
    assert_eq!(refresh_token(&config), before, "the old one stays");

    let scene = started_anew(sandbox, config, directory);
    assert!(scene.device().await.mail().await.starts_with("250 "), "the lease of the dead does not stand in the way");
    assert_eq!(scene.sandbox.violations(), []);
}

/// The answer is lost on its way: the provider has used the old token up, and nobody has the new one.
#[tokio::test]
async fn an_answer_that_is_lost_costs_a_sign_in_and_is_asked_for_no_more_than_it_must() {
    let log = Log::capture();
    let scene = signed_in_at(provider(), false, |_| {}).await;
    scene.sandbox.faults().plan_grant("refresh_token", TokenFault::CarryOutThenClose, Times::Once);
    let heard = scene.device().await.mail().await;
    assert!(heard.starts_with("451 4.4.0 "), "the network's fault, as far as anybody can know: {heard}");
    mail_until(&scene, HELD).await;
    log.assert_line(&["account held", "cause=account", "posthouse login"]);
    assert_eq!(renewals(&scene.sandbox).len(), 2, "the second try is the one that tells");
}
