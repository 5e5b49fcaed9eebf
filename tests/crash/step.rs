//! One mail, killed at each step of its way in turn: accepted, stored, sent, settled, its notice sent and settled.
//!
//! The mail has a recipient who is taken and one who is refused, so that settling it makes a notice. Between any two
//! lines that do something, a process dies once; another one finishes. Then the mail must be there, and its notice, as
//! one notice.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::campaign::delivered;
use crate::judge::{Evidence, judge};
use crate::ledger::{Answer, Ledger, Mail, To};
use crate::load::submit_one;
use crate::provider::Provider;
use crate::relay::{Relay, Site};

/// Nobody waits: what is accepted is stored first, and settling it is a commit.
const CONFIGURATION: &str = "[delivery]\nqueue = true\nwait = \"0s\"\nretry = [\"10s\"]\nuncertain_delay = \"1s\"\n";

/// Ways at a time: they wait more than they work.
const TOGETHER: usize = 10;

/// What one way showed.
struct Way {
    /// The places that were passed before the process died, or ended.
    passed: Vec<String>,
    findings: Vec<String>,
    repeats: usize,
}

/// Kills at every step. Returns how many there were, how often something came twice as it may, and what is wrong.
pub async fn every_step() -> (usize, usize, Vec<String>) {
    let undisturbed = way(None).await;
    let (mut repeats, mut findings) = (undisturbed.repeats, undisturbed.findings);
    let mut times: BTreeMap<&str, u64> = BTreeMap::new();
    let mut ways = JoinSet::new();
    let room = Arc::new(Semaphore::new(TOGETHER));
    for name in &undisturbed.passed {
        let passing = times.entry(name).or_default();
        *passing += 1;
        let (place, room) = (format!("{name}:{passing}"), Arc::clone(&room));
        ways.spawn(async move {
            let _turn = room.acquire().await.expect("nobody closes it");
            let killed = way(Some(&place)).await;
            (place, killed)
        });
    }
    for (place, killed) in ways.join_all().await {
        findings.extend(killed.findings.into_iter().map(|finding| format!("killed at {place}: {finding}")));
        repeats += killed.repeats;
    }
    (undisturbed.passed.len(), repeats, findings)
}

async fn way(place: Option<&str>) -> Way {
    let over = CancellationToken::new();
    let ledger = Arc::new(Ledger::default());
    let provider = Provider::start(Arc::clone(&ledger), over.clone()).await;
    let site = Site::new(&provider.sandbox, CONFIGURATION);
    let mail = Mail { number: 0, recipients: vec![To::Plain('a'), To::Refused], size: 100_000 };
    ledger.add(mail.clone());
    let mut relay = start(&site, place);
    let mut log = Vec::new();
    let mut kills = Vec::new();
    // It may die before it listens.
    let answer = if relay.listens().await { submit_one(site.address(), &mail).await } else { Answer::None };
    if place.is_some() {
        let died = tokio::time::timeout(Duration::from_secs(10), relay.dies()).await;
        log.extend(relay.kill().await);
        kills.push(provider.kill());
        if died.is_err() {
            println!("not reached: {place:?}");
        }
        relay = start(&site, None);
        assert!(relay.listens().await, "it does not start again");
    }
    ledger.answered(0, answer);
    site.drained().await;
    let (status, rest) = relay.terminate().await;
    assert!(status.success(), "told to end, it ended with {status}");
    log.extend(rest);
    let arrivals = provider.arrivals().await;
    over.cancel();
    let mut recorded = HashMap::new();
    delivered(&log, &mut recorded);
    let verdict = judge(&Evidence {
        mails: &ledger.mails(),
        arrivals: &arrivals,
        kills: &kills,
        delivered: &recorded,
        connections: 2,
    });
    let passed = std::fs::read_to_string(site.directory().join("passed")).unwrap_or_default();
    let findings = verdict.lost.iter().map(|lost| format!("lost: {lost}")).chain(verdict.wrong).collect();
    Way { passed: passed.lines().map(str::to_owned).collect(), findings, repeats: verdict.repeats_in_order }
}

fn start(site: &Site, place: Option<&str>) -> Relay {
    let mut variables = vec![("POSTHOUSE_FAIL_POINT_LOG", site.directory().join("passed").display().to_string())];
    variables.extend(place.map(|place| ("POSTHOUSE_FAIL_POINT", place.to_owned())));
    site.start(&[], &variables)
}
