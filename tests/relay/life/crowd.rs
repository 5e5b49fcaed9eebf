//! Many at once: senders that all need the same token, and processes that share one vault.

use std::sync::Arc;
use std::time::{Duration, Instant};

use posthouse::account::keeper::{AfterRefusal, Keeper};
use posthouse::account::signin::Credential;
use posthouse::account::vault::Holder;
use posthouse::app::{self, Common};
use posthouse::sandbox::fault::{Fault, Stage, Times};

use super::{assert_in_order, refresh_token, renewals, signed_in_at};
use crate::device::Device;
use crate::scene::{Scene, common, provider};

/// How long a crowd sends.
const WHILE: Duration = Duration::from_secs(5);
/// A token lives for two seconds and is renewed when a quarter of that is left, a little earlier by chance.
const LIFE: Duration = Duration::from_secs(2);
const FIRST: Duration = Duration::from_millis(1400);

/// A provider whose tokens live for two seconds and whose connections are good for one mail.
async fn short_lived() -> Scene {
    let provider = posthouse::sandbox::Settings { token_lifetime: LIFE, ..provider() };
    let scene = signed_in_at(provider, true, |config| config.accounts[0].connections = 10).await;
    scene.sandbox.faults().plan(Stage::Dot, Fault::AnswerThenClose, Times::Always);
    scene
}

/// About one renewal for each life of a token.
fn assert_bounds(scene: &Scene, took: Duration) {
    let calls = u32::try_from(renewals(&scene.sandbox).len()).unwrap();
    let (least, most) = (took.as_secs() / LIFE.as_secs(), took.as_millis() / FIRST.as_millis() + 1);
    assert!(u64::from(calls) >= least && u128::from(calls) <= most, "{calls}, not {least} to {most} in {took:?}");
    assert_in_order(&scene.sandbox);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_senders_share_each_renewal_and_no_mail_fails() {
    let scene = short_lived().await;
    let (address, begun) = (scene.address(), Instant::now());
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..50 {
        senders.spawn(async move {
            let mut device = Device::greeted(address).await;
            let mut sent = 0_u64;
            while begun.elapsed() < WHILE {
                let heard = device.mail().await;
                assert!(heard.starts_with("250 "), "{heard}");
                sent += 1;
            }
            sent
        });
    }
    let sent: u64 = senders.join_all().await.into_iter().sum();
    assert_bounds(&scene, begun.elapsed());
    assert_eq!(scene.sandbox.mailbox().count(), sent);
    let counters = scene.sandbox.counters();
    assert!(counters.connections >= sent, "no connection was good for two: {counters:?}");
}

/// What another process has: the same vault, another name at it.
fn keeper_beside(scene: &Scene) -> Arc<Keeper> {
    let common = Common { holder: Holder::new(false), vault: Arc::new(super::vault(&scene.config)), ..common() };
    let account = &scene.config.accounts[0];
    Arc::new(Keeper::new(account, app::tools(account, &common).unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_share_a_vault_share_each_renewal() {
    let scene = short_lived().await;
    let begun = Instant::now();
    let mut users = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let keeper = keeper_beside(&scene);
        for _ in 0..4 {
            let keeper = Arc::clone(&keeper);
            users.spawn(async move {
                while begun.elapsed() < WHILE {
                    let credential = keeper.credential().await.unwrap();
                    assert!(matches!(credential, Credential::Token { .. }));
                    tokio::task::yield_now().await;
                }
            });
        }
    }
    let mut device = scene.device().await;
    while begun.elapsed() < WHILE {
        assert!(device.mail().await.starts_with("250 "), "and the relay is one of them");
    }
    users.join_all().await;
    assert_bounds(&scene, begun.elapsed());
}

/// Both were refused the same token; the second finds what the first has renewed.
#[tokio::test]
async fn a_token_that_somebody_else_has_renewed_is_not_renewed_again() {
    let scene = signed_in_at(provider(), true, |_| {}).await;
    let (one, other) = (keeper_beside(&scene), keeper_beside(&scene));
    let (first, second) = (one.credential().await.unwrap(), other.credential().await.unwrap());
    assert_eq!(one.refused(&first), AfterRefusal::Again);
    assert_eq!(other.refused(&second), AfterRefusal::Again);
    let before = refresh_token(&scene.config);
    let (first, second) = (one.credential().await.unwrap(), other.credential().await.unwrap());
    let token = |credential| match credential {
        Credential::Token { token, .. } => token.fingerprint(),
        other => panic!("no token: {other:?}"),
    };
    assert_eq!(token(first), token(second), "both have the new one");
    assert_eq!(renewals(&scene.sandbox).len(), 1);
    assert_ne!(refresh_token(&scene.config), before);
    assert_in_order(&scene.sandbox);
}
