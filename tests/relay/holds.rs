//! What ends a hold, by a clock that the test moves: mail is never lost by it, and never tries anything itself.
//!
//! Each story has a relay with a durable queue and a provider that misbehaves once. What the provider saw is counted:
//! a probe signs in without mail, a look does not even do that, and time alone lets one mail go first.

use std::time::Duration;

use posthouse::account::Encryption;
use posthouse::account::book::Rule;
use posthouse::app::control::{Told, tell_released};
use posthouse::app::queue::files::Files;
use posthouse::config::Config;
use posthouse::net::clock::Clock;
use posthouse::queue::{self, Keeping};
use posthouse::sandbox::Certificate;
use posthouse::sandbox::fault::{Fault, Gate, Stage, Times};

use crate::device::{RECIPIENT, SAMPLE};
use crate::scene::{Log, Scene, add_account, provider, reached};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

fn clock() -> Clock {
    Clock::set("2026-11-22T08:00:00Z".parse().unwrap())
}

/// With a queue; nothing waits for long.
fn durable(config: &mut Config) {
    let keeping = Keeping { wait: Duration::from_millis(300), ..Keeping::default() };
    config.queue = queue::Settings::Durable(Box::new(keeping));
}

async fn scene(clock: &Clock) -> Scene {
    Scene::at(clock, |config, _| durable(config)).await
}

/// An account that hears with its first mail, which is promised, that it has sent enough for the day.
async fn at_its_daily_limit(clock: &Clock) -> Scene {
    let scene = Scene::at(clock, |config, _| {
        durable(config);
        config.accounts[0].provider = Some("gmail".into());
    })
    .await;
    let limit = Fault::reply(550, "5.4.5 Daily user sending limit exceeded.");
    scene.sandbox.faults().plan(Stage::Mail, limit, Times::Once);
    promised(&scene).await;
    scene
}

/// A mail is handed over and promised.
async fn promised(scene: &Scene) {
    let heard = scene.device().await.mail().await;
    assert!(heard.starts_with("250 2.0.0 Ok: queued as "), "{heard}");
}

/// So many have arrived, and no more.
async fn arrived(scene: &Scene, count: u64) {
    let all = tokio::time::timeout(Duration::from_secs(20), scene.sandbox.mailbox().wait_for(count)).await;
    assert!(all.is_ok(), "{count} did not arrive: {:#?}", scene.sandbox.transcript());
    assert_eq!(scene.sandbox.mailbox().count(), count);
    scene.assert_no_breach();
}

/// How many mails were begun at the provider.
fn senders_named(scene: &Scene) -> usize {
    scene.sandbox.transcript().iter().filter(|said| said.text.starts_with("MAIL FROM")).count()
}

#[tokio::test]
async fn a_refused_password_is_probed_without_mail_and_then_everything_goes_out() {
    let (log, clock) = (Log::capture(), clock());
    let scene = scene(&clock).await;
    scene.sandbox.faults().plan(Stage::Auth, Fault::reply(535, "5.7.8 Not so"), Times::Count(2));
    promised(&scene).await;
    log.wait_for_line(&["account held", "next_try_s=300"]).await;
    promised(&scene).await;
    assert_eq!(scene.sandbox.counters().auth_attempts, 1, "one attempt for the hold, none for the second mail");
    clock.advance(5 * MINUTE);
    log.wait_for_line(&["account held", "next_try_s=21600"]).await;
    assert_eq!(scene.sandbox.counters().auth_attempts, 2);
    clock.advance(6 * HOUR);
    log.wait_for_line(&["account signs in again"]).await;
    arrived(&scene, 2).await;
}

#[tokio::test]
async fn a_hold_is_seen_where_no_relay_runs() {
    let (log, clock) = (Log::capture(), clock());
    let scene = scene(&clock).await;
    scene.sandbox.faults().plan(Stage::Auth, Fault::reply(535, "5.7.8 Not so"), Times::Once);
    promised(&scene).await;
    log.wait_for_line(&["account held", "next_try_s=300"]).await;
    scene.relay.shut_down().await;
    let files = Files::open(&scene.config).unwrap().expect("a queue");
    let holds = files.holds().unwrap();
    let hold = &holds[&scene.config.accounts[0].name];
    assert_eq!((hold.code.as_str(), hold.since), ("password_refused", clock.now()));
    assert!(hold.text.contains("password") && !hold.cure.is_empty(), "{hold:?}");
}

#[tokio::test]
async fn a_daily_limit_is_waited_out_and_then_one_mail_goes_first() {
    let (log, clock) = (Log::capture(), clock());
    let scene = at_its_daily_limit(&clock).await;
    log.wait_for_line(&["account held", "cause=quota", "next_try_s=3600"]).await;
    promised(&scene).await;
    promised(&scene).await;
    let (before, gate) = (senders_named(&scene), Gate::new());
    scene.sandbox.faults().plan(Stage::Mail, Fault::Wait(gate.clone()), Times::Once);
    clock.advance(HOUR);
    reached(&gate).await;
    promised(&scene).await;
    assert_eq!(senders_named(&scene) - before, 1, "the others wait for what it finds out");
    gate.open();
    arrived(&scene, 4).await;
}

#[tokio::test]
async fn a_certificate_that_does_not_fit_is_looked_at_every_hour_without_a_credential() {
    let (log, clock) = (Log::capture(), clock());
    let scene = scene(&clock).await;
    scene.sandbox.present(Certificate::Expired);
    promised(&scene).await;
    log.wait_for_line(&["account held", "cause=config", "next_try_s=3600"]).await;
    clock.advance(HOUR);
    log.wait_for_lines(2, &["account held", "cause=config"]).await;
    assert_eq!(scene.sandbox.counters().auth_attempts, 0);
    scene.sandbox.present(Certificate::Good);
    clock.advance(HOUR);
    arrived(&scene, 1).await;
    assert_eq!(scene.sandbox.counters().auth_attempts, 1, "that of the mail");
}

#[tokio::test]
async fn a_provider_that_is_away_is_tried_by_nobody_but_one_and_gets_everything_when_it_is_back() {
    let (log, clock) = (Log::capture(), clock());
    let scene = scene(&clock).await;
    scene.sandbox.faults().plan(Stage::Greeting, Fault::Close, Times::Count(4));
    for _ in 0..3 {
        promised(&scene).await;
    }
    log.wait_for_line(&["provider cannot be reached"]).await;
    promised(&scene).await;
    assert_eq!(scene.sandbox.counters().connections, 3, "the fourth mail tried nothing");
    clock.advance(2 * MINUTE);
    log.wait_for_lines(4, &["attempt failed", "cause=network"]).await;
    clock.advance(10 * MINUTE);
    log.wait_for_line(&["provider can be reached again"]).await;
    arrived(&scene, 4).await;
}

#[tokio::test]
async fn while_the_first_account_is_held_mail_goes_through_the_next_and_comes_back_by_itself() {
    let (log, clock) = (Log::capture(), clock());
    let second = posthouse::sandbox::Sandbox::start(provider()).await.unwrap();
    let scene = Scene::at(&clock, |config, _| {
        durable(config);
        add_account(config, "helper", &second);
        config.routes = vec![Rule { accounts: vec!["office".into(), "helper".into()], ..Rule::default() }];
    })
    .await;
    scene.sandbox.faults().plan(Stage::Auth, Fault::reply(535, "5.7.8 Not so"), Times::Once);
    scene.device().await.mail().await;
    log.wait_for_line(&["account held", "account=office"]).await;
    assert!(scene.device().await.mail().await.starts_with("250 "));
    tokio::time::timeout(Duration::from_secs(20), second.mailbox().wait_for(2)).await.expect("the helper carries both");
    clock.advance(5 * MINUTE);
    log.wait_for_line(&["account signs in again"]).await;
    assert!(scene.device().await.mail().await.starts_with("250 "));
    arrived(&scene, 1).await;
    assert_eq!(second.mailbox().count(), 2);
}

#[tokio::test]
async fn a_hold_outlives_a_restart_and_a_person_ends_it_at_once() {
    let (log, clock) = (Log::capture(), clock());
    let scene = at_its_daily_limit(&clock).await;
    log.wait_for_line(&["account held", "next_try_s=3600"]).await;
    clock.advance(20 * MINUTE);
    let scene = scene.restarted_at(&clock).await;
    log.wait_for_line(&["account held", "next_try_s=2400"]).await;
    promised(&scene).await;
    assert_eq!(scene.sandbox.mailbox().count(), 0);
    assert_eq!(tell_released(&scene.config.storage, &"office".into()).await, Told::Running);
    arrived(&scene, 2).await;
}

#[tokio::test]
async fn the_day_s_recipients_are_counted_across_a_restart_and_what_does_not_fit_waits() {
    let (log, clock) = (Log::capture(), clock());
    let scene = Scene::at(&clock, |config, _| {
        durable(config);
        config.accounts[0].recipients_per_day = Some(2);
    })
    .await;
    for _ in 0..2 {
        assert!(scene.device().await.mail().await.starts_with("250 "));
    }
    arrived(&scene, 2).await;
    let scene = scene.restarted_at(&clock).await;
    promised(&scene).await;
    log.wait_for_line(&["recipients of the day are used up"]).await;
    let status = scene.relay.desks().status().await.remove(0).budget.expect("a limit");
    assert_eq!((status.used, status.left), (2, 0));
    clock.advance(23 * HOUR);
    assert_eq!(scene.sandbox.mailbox().count(), 2);
    clock.advance(2 * HOUR);
    arrived(&scene, 3).await;
}

#[tokio::test]
async fn without_a_queue_the_day_s_recipients_are_counted_across_a_restart_too() {
    let clock = clock();
    let scene = Scene::at(&clock, |config, _| config.accounts[0].recipients_per_day = Some(1)).await;
    assert!(scene.device().await.mail().await.starts_with("250 "));
    let scene = scene.restarted_at(&clock).await;
    assert!(scene.device().await.mail().await.starts_with("451 "));
    arrived(&scene, 1).await;
}

#[tokio::test]
async fn a_relay_that_ends_in_order_has_counted_exactly() {
    let clock = clock();
    let scene = Scene::at(&clock, |config, _| {
        durable(config);
        config.accounts[0].recipients_per_day = Some(1_000);
    })
    .await;
    assert!(scene.device().await.mail().await.starts_with("250 "));
    arrived(&scene, 1).await;
    let scene = scene.restarted_at(&clock).await;
    let status = scene.relay.desks().status().await.remove(0).budget.expect("a limit");
    assert_eq!((status.used, status.left), (1, 999), "and not the block that was written ahead");
}

#[tokio::test]
async fn who_was_refused_is_not_one_of_the_day_s_recipients() {
    let scene = Scene::at(&clock(), |config, _| {
        durable(config);
        config.accounts[0].recipients_per_day = Some(2);
    })
    .await;
    let nobody = Fault::reply(550, "5.1.1 No such user");
    scene.sandbox.faults().plan(Stage::RcptTo("nobody@example.com".into()), nobody, Times::Always);
    let heard = scene.device().await.mail_to(&["nobody@example.com", RECIPIENT], SAMPLE).await;
    assert!(heard.starts_with("250 2.0.0 Ok, but not for nobody@example.com"), "{heard}");
    let used = async || scene.relay.desks().status().await.remove(0).budget.map(|budget| (budget.used, budget.left));
    // The report to the sender is a mail like any other.
    arrived(&scene, 2).await;
    assert_eq!(used().await, Some((2, 0)));
}

#[tokio::test]
async fn a_provider_that_complains_gets_fewer_connections_and_more_again_when_it_goes_well() {
    let (log, clock) = (Log::capture(), clock());
    // The outcome is in before the device is answered: what is due then is due by the clock as it stands.
    let scene = Scene::at(&clock, |config, _| config.queue = queue::Settings::Durable(Box::default())).await;
    scene.sandbox.faults().plan(
        Stage::Mail,
        Fault::reply(432, "4.3.2 Concurrent connections limit exceeded."),
        Times::Once,
    );
    promised(&scene).await;
    log.wait_for_line(&["slowed down", "connections=1"]).await;
    let throttle = async || scene.relay.desks().status().await.remove(0).throttle;
    assert_eq!(throttle().await.map(|it| (it.connections, it.connections_allowed)), Some((1, 2)));
    clock.advance(MINUTE + 30);
    assert!(scene.device().await.mail().await.starts_with("250 "));
    log.wait_for_line(&["at full pace again"]).await;
    assert_eq!(throttle().await, None);
    arrived(&scene, 2).await;
}

#[tokio::test]
async fn a_greylisted_recipient_slows_nobody_else() {
    let (log, clock) = (Log::capture(), clock());
    let scene = scene(&clock).await;
    scene.sandbox.faults().plan(
        Stage::Rcpt,
        Fault::reply(451, "4.7.1 Greylisted, come back in 5 minutes"),
        Times::Once,
    );
    promised(&scene).await;
    log.wait_for_line(&["greylisted", "cause=throttle"]).await;
    assert!(scene.device().await.mail().await.starts_with("250 "));
    assert_eq!(scene.relay.desks().status().await.remove(0).throttle, None);
    assert_eq!(log.count(&["slowed down"]), 0);
}

#[tokio::test]
async fn a_sign_in_that_is_refused_late_does_not_hold_the_account_that_was_signed_in_meanwhile() {
    let (log, clock) = (Log::capture(), clock());
    let scene = scene(&clock).await;
    let gate = Gate::new();
    scene.sandbox.faults().plan(Stage::Ehlo, Fault::Wait(gate.clone()), Times::Once);
    scene.sandbox.faults().plan(Stage::Auth, Fault::reply(535, "5.7.8 Not so"), Times::Once);
    promised(&scene).await;
    reached(&gate).await;
    assert!(scene.relay.signed_in(&"office".into()));
    gate.open();
    log.wait_for_line(&["attempt failed", "cause=account"]).await;
    clock.advance(2 * MINUTE);
    arrived(&scene, 1).await;
    assert_eq!(log.count(&["account held"]), 0, "{}", log.text());
}

#[tokio::test]
async fn that_starttls_was_offered_once_is_known_after_a_restart() {
    let (log, clock) = (Log::capture(), clock());
    let mut scene = Scene::at(&clock, |config, sandbox| {
        durable(config);
        config.accounts[0].encryption = Encryption::StartTlsAuto;
        config.accounts[0].port = sandbox.starttls().port();
    })
    .await;
    assert!(scene.device().await.mail().await.starts_with("250 "));
    arrived(&scene, 1).await;
    // Somebody between us and the provider takes STARTTLS out of what it offers.
    scene.config.accounts[0].port = scene.sandbox.plain().port();
    let scene = scene.restarted_at(&clock).await;
    let before = scene.sandbox.counters().auth_attempts;
    promised(&scene).await;
    log.wait_for_line(&["account held", "cause=config", "STARTTLS"]).await;
    assert_eq!(scene.sandbox.counters().auth_attempts, before, "no password in clear");
}
