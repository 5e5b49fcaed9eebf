//! Promise 1 with a queue: what a device hears, what is on disk when it hears that, and what becomes of it.
//!
//! Waits are short here, so that a test sees what comes after; what is on disk is read from the store itself once the
//! relay has ended.

mod cell;
mod notes;
mod rows;
mod stages;

use std::time::Duration;

use posthouse::config::Config;
use posthouse::disk::Ownership;
use posthouse::queue::store::{Filter, Page, Store, Waiting};
use posthouse::queue::{self, Keeping};
use posthouse::sandbox::Sandbox;
use posthouse::sandbox::fault::{Fault, Gate, Stage, Times};
use posthouse::store::sqlite::Sqlite;

use crate::device::{Device, RECIPIENT, SAMPLE};
use crate::scene::{Scene, provider, reached};

/// How long a device waits, where the provider does not answer.
const WAIT: Duration = Duration::from_millis(300);

/// Short waits; what failed is not kept.
fn keeping() -> Keeping {
    Keeping {
        retry: vec![Duration::from_millis(100)],
        uncertain_delay: Duration::from_millis(100),
        keep_failed: Duration::ZERO,
        ..Keeping::default()
    }
}

fn durable(config: &mut Config, keeping: Keeping) {
    config.queue = queue::Settings::Durable(Box::new(keeping));
}

/// A relay that keeps what it has promised.
async fn scene() -> Scene {
    scene_with(keeping()).await
}

async fn scene_with(keeping: Keeping) -> Scene {
    Scene::with(provider(), |config, _| durable(config, keeping)).await
}

/// The provider misbehaves so, once.
fn once(scene: &Scene, stage: Stage, fault: Fault) {
    scene.sandbox.faults().plan(stage, fault, Times::Once);
}

/// The provider waits here, once.
fn waits(scene: &Scene, stage: Stage) -> Gate {
    let gate = Gate::new();
    once(scene, stage, Fault::Wait(gate.clone()));
    gate
}

fn assert_queued(heard: &str) {
    assert!(heard.starts_with("250 2.0.0 Ok: queued as "), "{heard}");
}

/// The recipients of everything that was delivered, once there are so many deliveries.
async fn delivered(sandbox: &Sandbox, deliveries: u64) -> Vec<String> {
    let all = tokio::time::timeout(Duration::from_secs(20), sandbox.mailbox().wait_for(deliveries)).await;
    let all = all.unwrap_or_else(|_| panic!("not delivered: {:#?}", sandbox.transcript()));
    all.iter().map(|delivery| delivery.addresses().join(" ")).collect()
}

/// Ends the relay and reads what lies in its queue: who is still owed something. What is finished has gone.
async fn kept(scene: Scene) -> Vec<String> {
    let Scene { relay, config, directory, .. } = scene;
    relay.shut_down().await;
    let all = on_disk(&config);
    drop(directory);
    let is_owed = |waiting: &Waiting| waiting.parcel.recipients.iter().any(|owed| owed.state.is_open());
    assert!(all.iter().all(is_owed), "{all:?}");
    let open = all.iter().flat_map(|waiting| &waiting.parcel.recipients).filter(|owed| owed.state.is_open());
    open.map(|owed| owed.recipient.address.to_string()).collect()
}

/// What lies in the queue of a relay that has ended.
pub fn on_disk(config: &Config) -> Vec<Waiting> {
    let owner = Ownership::take(&config.storage.directory).unwrap();
    let store = Sqlite::open(&owner).unwrap();
    let all = store.list(&Filter::default(), Page { after: None, limit: 100 }).unwrap();
    // The directory is owned for as long as the store is open.
    drop(store);
    drop(owner);
    all
}
