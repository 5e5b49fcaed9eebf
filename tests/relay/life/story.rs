//! The whole life, in order: used, kept over a restart, renewed, rotated, revoked, held, signed in anew.

use posthouse::ids::AccountName;
use posthouse::sandbox::RefreshTokens;

use super::{
    HELD, assert_in_order, by_browser, cut_the_line, kept, office, refresh_token, renewals, sign_in, signed_in,
};
use super::{signed_in_at, vault};
use crate::scene::{Log, Scene, provider};

#[tokio::test]
async fn a_sign_in_is_used_as_it_is_kept_and_outlives_the_relay() {
    let mut scene = signed_in().await;
    let (token, version) = (refresh_token(&scene.config), kept(&scene.config).version);
    for _ in 0..3 {
        assert!(scene.device().await.mail().await.starts_with("250 "));
        scene = scene.restarted(|_| {}).await;
    }
    assert!(scene.device().await.mail().await.starts_with("250 "));
    assert_eq!(scene.sandbox.counters().token_calls, 0, "four runs, and the provider was not asked once");
    assert_eq!((refresh_token(&scene.config), kept(&scene.config).version), (token, version));
    assert_eq!(scene.sandbox.mailbox().count(), 4);
    assert_in_order(&scene.sandbox);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_what_comes_of_it_is_kept() {
    let scene = signed_in().await;
    let before = refresh_token(&scene.config);
    assert!(scene.device().await.mail().await.starts_with("250 "));

    scene.sandbox.revoke_tokens();
    cut_the_line(&scene);
    assert!(scene.device().await.mail().await.starts_with("250 "), "the device notices nothing");
    let after = refresh_token(&scene.config);
    assert_ne!(before, after, "the new one is kept");
    assert_eq!(renewals(&scene.sandbox).len(), 1);

    let scene = scene.restarted(|_| {}).await;
    assert!(scene.device().await.mail().await.starts_with("250 "));
    assert_eq!(renewals(&scene.sandbox).len(), 1, "the next run uses the token that is kept");
    let counters = scene.sandbox.counters();
    assert_eq!((counters.auth_attempts, counters.auth_successes), (4, 3));
    assert_in_order(&scene.sandbox);
}

#[tokio::test]
async fn each_renewal_presents_the_token_the_one_before_it_brought() {
    let mut scene = signed_in_at(provider(), false, |_| {}).await;
    let mut expected = Vec::new();
    for _ in 0..4 {
        expected.push(Some(refresh_token(&scene.config)));
        assert!(scene.device().await.mail().await.starts_with("250 "));
        scene.sandbox.revoke_tokens();
        scene = scene.restarted(|_| {}).await;
    }
    let presented: Vec<_> = renewals(&scene.sandbox).into_iter().map(|call| call.presented).collect();
    assert_eq!(presented, expected);
    assert_in_order(&scene.sandbox);
}

#[tokio::test]
async fn a_provider_that_gives_no_new_refresh_token_goes_on_taking_the_old_one() {
    for way in [RefreshTokens::Kept, RefreshTokens::Replaced] {
        let mut provider = provider();
        provider.oauth.refresh_tokens = way;
        let scene = signed_in_at(provider, false, |_| {}).await;
        let before = refresh_token(&scene.config);
        for _ in 0..2 {
            assert!(scene.device().await.mail().await.starts_with("250 "));
            scene.sandbox.revoke_tokens();
            cut_the_line(&scene);
        }
        assert!(scene.device().await.mail().await.starts_with("250 "));
        assert_eq!(refresh_token(&scene.config) == before, way == RefreshTokens::Kept, "{way:?}");
        assert_eq!(scene.sandbox.violations(), []);
    }
}

#[tokio::test]
async fn a_person_who_removes_the_application_is_told_what_to_do_and_a_new_sign_in_sends_the_mail() {
    let log = Log::capture();
    let scene = signed_in().await;
    assert!(scene.device().await.mail().await.starts_with("250 "));

    scene.sandbox.revoke_consent();
    cut_the_line(&scene);
    let token = refresh_token(&scene.config);
    let mut device = scene.device().await;
    for _ in 0..5 {
        let heard = device.mail().await;
        assert!(heard.starts_with(HELD), "{heard}");
    }
    assert_eq!(renewals(&scene.sandbox).len(), 1, "asked once, and then a person is waited for");
    log.assert_line(&["account held", "cause=account", "posthouse login"]);
    assert_eq!(log.count(&["account held"]), 1, "said once: {}", log.text());
    assert_eq!(refresh_token(&scene.config), token, "what is kept stays");

    sign_in(&scene.config, &scene.sandbox, true);
    assert!(scene.relay.signed_in(&office()));
    assert!(device.mail().await.starts_with("250 "), "at once, on the same connection");
    assert!(!scene.relay.signed_in(&AccountName::from("nobody")));
    assert_eq!(renewals(&scene.sandbox).len(), 1);
    assert_in_order(&scene.sandbox);
}

#[tokio::test]
async fn a_sign_in_that_nobody_tells_of_is_noticed() {
    let log = Log::capture();
    let scene = Scene::account(by_browser).await;
    let heard = scene.device().await.mail().await;
    assert!(heard.starts_with(HELD), "{heard}");
    log.assert_line(&["account held", "not_signed_in", "posthouse login office"]);
    assert_eq!(scene.sandbox.counters().connections, 0, "without a credential nobody is called");

    sign_in(&scene.config, &scene.sandbox, true);
    // The relay looks every few seconds.
    log.wait_for_line(&["account signs in again"]).await;
    assert!(scene.device().await.mail().await.starts_with("250 "));
    assert_in_order(&scene.sandbox);
}

#[tokio::test]
async fn a_sign_in_made_during_a_renewal_wins() {
    use posthouse::sandbox::fault::{Gate, Times, TokenFault};

    let scene = signed_in_at(provider(), false, |_| {}).await;
    let gate = Gate::new();
    scene.sandbox.faults().plan_grant("refresh_token", TokenFault::Wait(gate.clone()), Times::Once);
    let mut device = scene.device().await;
    let mail = tokio::spawn(async move { device.mail().await });
    crate::scene::reached(&gate).await;
    sign_in(&scene.config, &scene.sandbox, true);
    let newest = refresh_token(&scene.config);
    gate.open();
    assert!(mail.await.unwrap().starts_with("250 "));
    assert_eq!(refresh_token(&scene.config), newest, "the renewal of the old one did not overwrite it");
    assert_in_order(&scene.sandbox);
}

#[tokio::test]
async fn a_sign_in_that_cannot_be_renewed_says_how_to_ask_for_one_that_can() {
    let log = Log::capture();
    let mut provider = provider();
    provider.oauth.refresh_tokens = RefreshTokens::Never;
    let scene = signed_in_at(provider, true, |_| {}).await;
    assert!(scene.device().await.mail().await.starts_with("250 "), "while its access token lives it is good");
    scene.sandbox.revoke_tokens();
    cut_the_line(&scene);
    assert!(scene.device().await.mail().await.starts_with(HELD));
    log.assert_line(&["account held", "sign_in_not_renewable", "offline_access"]);
    assert_eq!(scene.sandbox.counters().token_calls, 0);
    assert!(posthouse::account::vault::Vault::get(&vault(&scene.config), &office()).unwrap().is_some());
}
