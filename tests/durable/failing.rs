//! A disk whose syncs fail, the database's own included: no false 250, nothing acknowledged is lost, service resumes.

use crate::device::{Device, RECIPIENT};
use crate::relay::Site;
use crate::spoiler::{Spoiler, Syncs};
use crate::stage::{AT_ONCE, body, everything_arrives, mail_is_answered, provider_away, queued};
use crate::strace;

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_refuses_and_loses_nothing_and_the_next_good_one_resumes() {
    if !strace::works() {
        return;
    }
    let (sandbox, away) = provider_away().await;
    let site = Site::new(&sandbox, AT_ONCE);
    let mut relay = site.start(&[], &[]);
    assert!(relay.listens().await);
    let mut acknowledged = Vec::new();
    for (number, size) in [(10, 4_000), (20, 300_000)] {
        let before = body(number, size);
        let mut device = Device::greeted(site.address()).await;
        assert!(queued(&device.mail_to(&[RECIPIENT], &before).await).is_some());
        acknowledged.push(before);
        let spoiler = Spoiler::of(relay.id().unwrap(), Syncs::Fail).await;
        let reply = device.mail_to(&[RECIPIENT], &body(number + 1, size)).await;
        assert!(reply.starts_with("452 4.3.1"), "{reply}");
        let (_, refused) = mail_is_answered(&site, "452").await;
        assert!(refused.starts_with("452 4.3.1"), "{refused}");
        spoiler.stop().await;
        let mut device = mail_is_answered(&site, "250").await.0;
        assert!(device.say("RSET").await.starts_with("250"));
        let after = body(number + 2, size);
        assert!(queued(&device.mail_to(&[RECIPIENT], &after).await).is_some(), "service resumes by itself");
        acknowledged.push(after);
    }
    // What was acknowledged lies on the disk, not in the memory of this process.
    relay.kill().await;
    away.open();
    let mut relay = site.start(&[], &[]);
    assert!(relay.listens().await);
    everything_arrives(&sandbox, &acknowledged).await;
    assert!(relay.terminate().await.0.success());
}
