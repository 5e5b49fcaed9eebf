//! `starttls_auto`: TLS where it is offered, and from then on TLS or nothing (promise 3).
//!
//! Somebody on the way takes the offer of STARTTLS out of the reply to EHLO. Whether the account's own memory notices
//! is looked at with one [`Upstream`], since a relay would hold the account before it comes to a second attempt.

use posthouse::account::Encryption;
use posthouse::app;
use posthouse::diagnosis::Failure;
use posthouse::sandbox::fault::{Fault, Stage, Times};
use posthouse::upstream::{Progress, Upstream};

use crate::scene::{Scene, common};

async fn scene() -> (Scene, Upstream) {
    let scene = Scene::account(|account, sandbox| {
        (account.encryption, account.port) = (Encryption::StartTlsAuto, sandbox.starttls().port());
    })
    .await;
    let account = scene.config.accounts[0].clone();
    let upstream = app::upstream(account, &common());
    (scene, upstream.unwrap())
}

/// Connects while the offer is taken out; whether that was found to be a downgrade.
async fn notices(scene: &Scene, upstream: &Upstream) -> bool {
    let stripped = Fault::reply(250, "provider.test\nAUTH PLAIN");
    scene.sandbox.faults().plan(Stage::Ehlo, stripped, Times::Once);
    match upstream.connect(&Progress::new()).await {
        Ok(_) => false,
        Err(error) => matches!(error.failure, Failure::StartTlsNotOffered { .. }),
    }
}

#[tokio::test]
async fn without_anything_seen_its_absence_is_no_downgrade() {
    let (scene, upstream) = scene().await;
    assert!(!notices(&scene, &upstream).await);
}

#[tokio::test]
async fn once_it_was_used_its_absence_is_a_downgrade() {
    let (scene, upstream) = scene().await;
    upstream.connect(&Progress::new()).await.unwrap();
    assert_eq!(scene.sandbox.counters().auth_attempts, 1);
    assert!(notices(&scene, &upstream).await);
    assert_eq!(scene.sandbox.counters().auth_attempts, 1, "nothing is sent in clear");
}

#[tokio::test]
async fn an_offer_that_came_to_nothing_was_seen_as_well() {
    for fault in [Fault::reply(454, "4.7.0 not now"), Fault::Inject(b"250 ok\r\n".to_vec())] {
        let (scene, upstream) = scene().await;
        scene.sandbox.faults().plan(Stage::StartTls, fault, Times::Once);
        assert!(upstream.connect(&Progress::new()).await.is_err());
        assert!(notices(&scene, &upstream).await);
        assert_eq!(scene.sandbox.counters().auth_attempts, 0, "nothing is sent in clear");
    }
}
