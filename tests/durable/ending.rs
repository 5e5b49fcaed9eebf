//! The relay is told to end while its disk hangs: it ends all the same, nobody hears a false 250, and what the next
//! process finds is what was said.

use std::time::{Duration, Instant};

use posthouse::sandbox::fault::{Fault, Gate, Stage, Times};
use posthouse::sandbox::{Sandbox, Settings};

use crate::device::{Device, RECIPIENT, SAMPLE};
use crate::relay::{Relay, Site};
use crate::spoiler::{Spoiler, Syncs, hangs, has_ended};
use crate::stage::{AT_ONCE, body, everything_arrives, provider_away, queued, relay_id};
use crate::strace;

/// The thread that writes the database.
const WRITER: &str = "queue";

/// The grace of one second, and after it the goodbyes.
const IN_TIME: Duration = Duration::from_secs(20);

fn site(sandbox: &Sandbox) -> Site {
    Site::new(sandbox, &format!("{AT_ONCE}shutdown_grace = \"1s\"\n"))
}

async fn started(site: &Site) -> Relay {
    let mut relay = site.start(&[], &[]);
    assert!(relay.listens().await);
    relay
}

/// Hands the whole mail over and waits for nothing but the disk.
async fn handed_over(site: &Site, body: &[u8]) -> Device {
    let mut device = Device::greeted(site.address()).await;
    device.envelope(&[RECIPIENT]).await;
    device.data(body).await;
    device
}

async fn assert_ends_in_time(relay: Relay, spoiler: Spoiler) {
    let (process, told) = (relay.id().unwrap(), Instant::now());
    let ending = tokio::spawn(relay.terminate());
    has_ended(process, spoiler).await;
    assert!(told.elapsed() < IN_TIME, "{:?}", told.elapsed());
    assert!(ending.await.unwrap().0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_keeps_no_relay_from_ending_and_nobody_hears_250_for_what_it_has_not_synced() {
    if !strace::works() {
        return;
    }
    let (sandbox, away) = provider_away().await;
    let site = site(&sandbox);
    let relay = started(&site).await;
    let before = body(1, 4_000);
    let mut device = Device::greeted(site.address()).await;
    assert!(queued(&device.mail_to(&[RECIPIENT], &before).await).is_some());
    let spoiler = Spoiler::of(relay.id().unwrap(), Syncs::Hang).await;
    let mut device = handed_over(&site, &body(2, 4_000)).await;
    hangs(relay.id().unwrap(), WRITER).await;
    assert_ends_in_time(relay, spoiler).await;
    assert_eq!(device.try_reply().await, None, "a refusal would be as wrong: it may be found");
    away.open();
    let relay = started(&site).await;
    let arrived = tokio::time::timeout(IN_TIME, sandbox.mailbox().wait_for(1)).await.expect("it was acknowledged");
    assert!(arrived.iter().any(|delivery| delivery.bytes.ends_with(&before)));
    assert!(relay.terminate().await.0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_while_nothing_is_under_way_keeps_no_relay_from_ending() {
    if !strace::works() {
        return;
    }
    let (sandbox, _away) = provider_away().await;
    let site = site(&sandbox);
    let relay = started(&site).await;
    let mut device = Device::greeted(site.address()).await;
    assert!(queued(&device.mail_to(&[RECIPIENT], &body(1, 4_000)).await).is_some());
    let spoiler = Spoiler::of(relay.id().unwrap(), Syncs::Hang).await;
    assert_ends_in_time(relay, spoiler).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_done_within_the_grace_is_answered_while_the_relay_ends() {
    if !strace::works() {
        return;
    }
    let (sandbox, away) = provider_away().await;
    let site = Site::new(&sandbox, &format!("{AT_ONCE}shutdown_grace = \"1m\"\n"));
    let relay = started(&site).await;
    let mut bystander = Device::greeted(site.address()).await;
    let spoiler = Spoiler::of(relay.id().unwrap(), Syncs::Hang).await;
    let body = body(1, 4_000);
    let mut device = handed_over(&site, &body).await;
    hangs(relay.id().unwrap(), WRITER).await;
    let ending = tokio::spawn(relay.terminate());
    assert!(bystander.reply().await.starts_with("421 4.3.2 "), "it is ending");
    spoiler.stop().await;
    let reply = device.reply().await;
    assert!(queued(&reply).is_some(), "{reply}");
    assert!(device.reply().await.starts_with("421 4.3.2 "));
    assert!(ending.await.unwrap().0.success());
    let log = std::fs::metadata(site.storage().join("queue.db-wal")).map_or(0, |facts| facts.len());
    assert_eq!(log, 0, "what is closed in order needs nothing from the next start");
    away.open();
    let relay = started(&site).await;
    everything_arrives(&sandbox, &[body]).await;
    assert!(relay.terminate().await.0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_hangs_in_the_disk_is_there_once_after_the_relay_has_ended_with_one_notice() {
    if !strace::works() {
        return;
    }
    let sandbox = Sandbox::start(Settings::new().unwrap()).await.unwrap();
    let dot = Gate::new();
    sandbox.faults().plan(Stage::Dot, Fault::Wait(dot.clone()), Times::Once);
    sandbox.faults().plan(Stage::RcptTo("never@*".into()), Fault::reply(550, "5.1.1 No such user"), Times::Always);
    let site = site(&sandbox);
    let relay = started(&site).await;
    let mut device = Device::greeted(site.address()).await;
    let reply = device.mail_to(&[RECIPIENT, "never@example.com"], SAMPLE).await;
    let id = queued(&reply).unwrap_or_else(|| panic!("{reply}")).to_owned();
    tokio::time::timeout(IN_TIME, dot.reached(1)).await.expect("the dot is sent");
    let spoiler = Spoiler::of(relay.id().unwrap(), Syncs::Hang).await;
    dot.open();
    hangs(relay.id().unwrap(), WRITER).await;
    assert_ends_in_time(relay, spoiler).await;
    let relay = started(&site).await;
    tokio::time::timeout(IN_TIME, sandbox.mailbox().wait_for(2)).await.expect("the notice");
    site.drained().await;
    assert!(relay.terminate().await.0.success());
    let arrived = sandbox.mailbox().deliveries();
    let (notices, mails): (Vec<_>, Vec<_>) = arrived.iter().partition(|delivery| delivery.reverse_path.is_empty());
    assert_eq!((mails.len(), notices.len()), (1, 1), "{arrived:#?}");
    assert_eq!(relay_id(&mails[0].bytes), id);
}
