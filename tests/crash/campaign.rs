//! The relay under load, killed and started again, until it may drain.
//!
//! A third of the kills come while messages wait in `offer`, a third at the fail points of commit and settle in turn,
//! the rest at the other fail points and anywhere, start-up included.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::chance::Chance;
use crate::judge::{Evidence, Kill, Verdict, judge};
use crate::ledger::Ledger;
use crate::load::{self, Load};
use crate::points;
use crate::provider::{Arrival, Provider};
use crate::relay::{PATIENCE, Relay, Site};

/// Connections of the account: the default.
const CONNECTIONS: usize = 2;
const DEVICES: u64 = 8;
/// How long a fail point is waited for before the process is killed from outside.
const RARE: Duration = Duration::from_secs(4);

/// With a fault built in nobody waits, so that every mail goes the way the fault is on.
fn configuration(orders: &Orders) -> String {
    let wait = if orders.defect.is_some() { "0s" } else { "1s" };
    format!("[delivery]\nqueue = true\nwait = \"{wait}\"\nretry = [\"10s\"]\nuncertain_delay = \"1s\"\n")
}

/// What is to be done.
pub struct Orders {
    pub kills: usize,
    pub seed: u64,
    /// The fault that is built in.
    pub defect: Option<&'static str>,
}

/// What came out.
pub struct Report {
    pub verdict: Verdict,
    pub hits: BTreeMap<String, u64>,
    /// How often the process was killed, by the kind of moment.
    pub kills: BTreeMap<&'static str, usize>,
    /// Fail points that were to be the end and were not reached in time.
    pub not_reached: Vec<String>,
}

impl Report {
    /// Everything that must not be.
    pub fn findings(&self) -> impl Iterator<Item = String> {
        let never =
            self.hits.iter().filter(|(_, count)| **count == 0).map(|(name, _)| format!("{name} was never passed"));
        self.verdict
            .lost
            .iter()
            .map(|lost| format!("lost: {lost}"))
            .chain(self.verdict.wrong.iter().cloned())
            .chain(never)
    }
}

/// When to kill.
enum Moment {
    /// While at least one device waits for its answer.
    Offer,
    /// At the n-th passing of this place.
    Point(String, u64),
    /// This long after the start of the process.
    Any(Duration),
}

impl Moment {
    fn kind(&self) -> &'static str {
        match self {
            Self::Offer => "while a message waits in offer",
            Self::Point(name, _) if is_commit_or_settle(name) => "during a commit or a settle",
            Self::Point(..) => "at another fail point",
            Self::Any(_) => "anywhere",
        }
    }
}

/// Everything one campaign has.
struct Campaign {
    site: Site,
    provider: Provider,
    ledger: Arc<Ledger>,
    serving: watch::Sender<Option<u32>>,
    waiting: watch::Receiver<usize>,
    names: Vec<String>,
    defect: Option<&'static str>,
    kills: Vec<Kill>,
    delivered: HashMap<String, Vec<Timestamp>>,
    not_reached: Vec<String>,
}

pub async fn run(orders: &Orders) -> Report {
    let over = CancellationToken::new();
    let load_over = over.child_token();
    let ledger = Arc::new(Ledger::default());
    let provider = Provider::start(Arc::clone(&ledger), over.clone()).await;
    let (serving, served) = watch::channel(None);
    let (waiting, waits) = watch::channel(0);
    let site = Site::new(&provider.sandbox, &configuration(orders));
    let load = Arc::new(Load {
        address: site.address(),
        sandbox: Arc::clone(&provider.sandbox),
        ledger: Arc::clone(&ledger),
        serving: served,
        waiting,
        over: load_over.clone(),
    });
    let mut chance = Chance::new(orders.seed);
    let mut devices = JoinSet::new();
    for _ in 0..DEVICES {
        devices.spawn(load::device(Arc::clone(&load), Chance::new(chance.number())));
    }
    let mut campaign = Campaign {
        site,
        provider,
        ledger,
        serving,
        waiting: waits,
        names: points::names(),
        defect: orders.defect,
        kills: Vec::new(),
        delivered: HashMap::new(),
        not_reached: Vec::new(),
    };
    let mut kills = BTreeMap::new();
    for (number, moment) in moments(orders, &campaign.names, &mut chance).into_iter().enumerate() {
        *kills.entry(moment.kind()).or_default() += 1;
        campaign.one_life(u32::try_from(number).expect("few"), moment, &mut chance).await;
    }
    load_over.cancel();
    devices.join_all().await;
    campaign.drain().await;
    let arrivals = campaign.provider.arrivals().await;
    over.cancel();
    campaign.report(kills, &arrivals)
}

/// A third in `offer`, a third in a commit or a settle, the rest at other fail points and anywhere. Of the fail points
/// each in turn, at one of its first passings.
fn moments(orders: &Orders, names: &[String], chance: &mut Chance) -> Vec<Moment> {
    if orders.defect.is_some() {
        // Where it shows: between the answer and the commit that should have come first.
        let mut before = names.iter().filter(|name| name.starts_with("store.before")).cycle();
        let points = before.by_ref().take(orders.kills);
        return points.map(|name| Moment::Point(name.clone(), 1 + chance.below(4))).collect();
    }
    let (inner, outer): (Vec<_>, Vec<_>) = names.iter().partition(|name| is_commit_or_settle(name));
    let (mut inner, mut outer) = (inner.into_iter().cycle(), outer.into_iter().cycle());
    let mut moments: Vec<Moment> = Vec::new();
    for number in 0..orders.kills {
        let anywhere = Moment::Any(Duration::from_millis(chance.below(800)));
        let passing = 1 + chance.below(4);
        let at = |name: Option<&String>| name.map(|name| Moment::Point(name.clone(), passing));
        moments.push(match number % 6 {
            0 | 3 => Moment::Offer,
            1 | 4 => at(inner.next()).unwrap_or(anywhere),
            2 => at(outer.next()).unwrap_or(anywhere),
            _ => anywhere,
        });
    }
    moments
}

/// Whether something becomes durable round this place.
fn is_commit_or_settle(name: &str) -> bool {
    name.starts_with("store.") || name.starts_with("queue.")
}

impl Campaign {
    /// Starts the relay, kills it, and notes down what its log said.
    async fn one_life(&mut self, number: u32, moment: Moment, chance: &mut Chance) {
        let mut relay = self.start(match &moment {
            Moment::Point(name, passing) => Some(format!("{name}:{passing}")),
            _ => None,
        });
        match moment {
            Moment::Any(after) => {
                let living = async {
                    if relay.listens().await {
                        self.serving.send_replace(Some(number));
                        std::future::pending::<()>().await;
                    }
                };
                let _ = tokio::time::timeout(after, living).await;
            }
            Moment::Offer => {
                assert!(relay.listens().await, "it does not start");
                self.serving.send_replace(Some(number));
                tokio::time::sleep(Duration::from_millis(chance.below(600))).await;
                let waits = self.waiting.wait_for(|waiting| *waiting > 0);
                tokio::time::timeout(PATIENCE, waits).await.expect("no device ever waits").expect("the load lives");
            }
            Moment::Point(name, _) => {
                // It may die on its way up.
                if relay.listens().await {
                    self.serving.send_replace(Some(number));
                }
                if tokio::time::timeout(RARE, relay.dies()).await.is_err() {
                    self.not_reached.push(name);
                }
            }
        }
        let log = relay.kill().await;
        self.kills.push(self.provider.kill());
        self.serving.send_replace(None);
        delivered(&log, &mut self.delivered);
    }

    fn start(&self, death: Option<String>) -> Relay {
        let log = self.site.directory().join("passed").display().to_string();
        let mut variables = vec![("POSTHOUSE_FAIL_POINT_LOG", log)];
        variables.extend(death.map(|place| ("POSTHOUSE_FAIL_POINT", place)));
        variables.extend(self.defect.map(|name| ("POSTHOUSE_DEFECT", name.to_owned())));
        self.site.start(&[], &variables)
    }

    /// Lets a process live until it owes nothing any more, and ends it as an administrator would.
    async fn drain(&mut self) {
        let mut relay = self.start(None);
        assert!(relay.listens().await, "it does not start");
        self.site.drained().await;
        let (status, log) = relay.terminate().await;
        assert!(status.success(), "told to end, it ended with {status}");
        delivered(&log, &mut self.delivered);
    }

    fn report(self, kills: BTreeMap<&'static str, usize>, arrivals: &[Arrival]) -> Report {
        let verdict = judge(&Evidence {
            mails: &self.ledger.mails(),
            arrivals,
            kills: &self.kills,
            delivered: &self.delivered,
            connections: CONNECTIONS,
        });
        let hits = points::hits(&self.names, &self.site.directory().join("passed"));
        if self.defect.is_none() && !(verdict.lost.is_empty() && verdict.wrong.is_empty()) {
            println!("the directory is kept: {}", self.site.keep().display());
        }
        Report { verdict, hits, kills, not_reached: self.not_reached }
    }
}

/// Adds what a log calls delivered, by the relay's name of it.
pub fn delivered(log: &[String], into: &mut HashMap<String, Vec<Timestamp>>) {
    for line in log {
        // The last line of a process that was killed may be half a line.
        let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        let text = |field: &str| line[field].as_str();
        let (Some(id), Some(said), Some(at)) = (text("message_id"), text("message"), text("timestamp")) else {
            continue;
        };
        if said.starts_with("delivered") {
            into.entry(id.to_owned()).or_default().push(at.parse().expect("the log writes RFC 3339"));
        }
    }
}
