//! What happens to a sign-in while no mail comes: it is kept alive, and one that is missing is told of in time.
//!
//! Nobody waits for these hours: the clock is moved. Afterwards no device can be played: its sessions go by another
//! clock, which stays.

use std::time::Duration;

use jiff::SignedDuration;
use posthouse::account::vault::{Expected, Holder, Vault, Written};
use posthouse::sandbox::fault::{Gate, Times, TokenFault};
use posthouse::store::file::FileVault;

use super::*;
use crate::scene::{Log, reached};

/// Long enough for the first look after the start, whatever chance says.
const FIRST_LOOK: Duration = Duration::from_mins(6);

/// The program's clock goes on at once; the wall clock stays. What was started before has begun to wait by then: a
/// device was greeted.
async fn pass(scene: &Scene, time: Duration) {
    drop(scene.device().await);
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// A relay that is started when nobody has used its sign-in for so long.
async fn unused_for(hours: i64) -> Scene {
    Scene::with(provider(), |config, sandbox| {
        by_browser(&mut config.accounts[0], sandbox);
        sign_in(config, sandbox, false);
        let Stored { version, mut record } = kept(config);
        record.facts.renewed = Timestamp::now() - SignedDuration::from_hours(hours);
        let vault = FileVault::new(config.storage.clone());
        let written = vault.put(&office(), &record, Expected::Version(version), &Holder::new(false)).unwrap();
        assert!(matches!(written, Written::Done(_)));
    })
    .await
}

#[tokio::test]
async fn a_sign_in_that_nobody_uses_is_renewed_and_stored_without_any_mail() {
    let log = Log::capture();
    let scene = unused_for(25).await;
    let before = refresh_token(&scene.config);
    pass(&scene, FIRST_LOOK).await;
    log.wait_for_line(&["not used for a day", "has been renewed"]).await;
    assert_ne!(refresh_token(&scene.config), before, "the provider gave a new one");
    assert_eq!(renewals(&scene.sandbox).len(), 1);
    assert_eq!(scene.sandbox.counters().connections, 0, "for that no mail server is called");
    assert_in_order(&scene.sandbox);
}

#[tokio::test]
async fn a_sign_in_that_has_died_meanwhile_is_held_before_mail_needs_it() {
    let log = Log::capture();
    let scene = unused_for(25).await;
    scene.sandbox.revoke_consent();
    pass(&scene, FIRST_LOOK).await;
    log.wait_for_line(&["account held", "cause=account"]).await;
    assert_eq!(renewals(&scene.sandbox).len(), 1);
}

#[tokio::test]
async fn that_nobody_has_signed_in_is_said_at_the_start() {
    let log = Log::capture();
    let scene = Scene::account(by_browser).await;
    log.wait_for_line(&["account held", "posthouse login office"]).await;
    assert_eq!(log.count(&["Nobody has signed account office in"]), 1, "once: {}", log.text());
    assert_eq!(scene.sandbox.counters().token_calls, 0);
}

/// The provider takes the old refresh token no more, and nobody else knows the new one.
#[tokio::test]
async fn what_the_vault_could_not_take_is_stored_as_soon_as_it_can() {
    let log = Log::capture();
    let scene = signed_in_at(provider(), false, |_| {}).await;
    let (gate, before) = (Gate::new(), refresh_token(&scene.config));
    scene.sandbox.faults().plan_grant("refresh_token", TokenFault::Wait(gate.clone()), Times::Once);
    let mut device = scene.device().await;
    let lock = scene.config.storage.directory.join("vault.lock");
    let (heard, ()) = tokio::join!(device.mail(), async {
        reached(&gate).await;
        std::fs::remove_file(&lock).unwrap();
        std::fs::create_dir(&lock).unwrap();
        gate.open();
    });
    assert!(heard.starts_with("451 "), "{heard}");
    log.assert_line(&["new tokens could not be stored"]);
    assert_eq!(refresh_token(&scene.config), before);
    std::fs::remove_dir(&lock).unwrap();
    pass(&scene, Duration::from_secs(30)).await;
    let begun = Instant::now();
    while refresh_token(&scene.config) == before {
        assert!(begun.elapsed() < PATIENCE, "{}", log.text());
        tokio::task::yield_now().await;
    }
    assert_eq!(renewals(&scene.sandbox).len(), 1);
    assert_in_order(&scene.sandbox);
}
