//! Power cuts: the disk as it would be found after one, at hundreds of moments of a loaded run, a checkpoint among them.
//!
//! The run is traced: writes, names, syncs, and each `250` the relay gave to a socket. At each moment the disk is made
//! again, in three ways: without anything that was not synced; with all of it, the last write torn; with some of it, by
//! chance. Every message whose 250 was given before must be in the queue found there, whole, or with the provider.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use posthouse::disk::Ownership;
use posthouse::sandbox::fault::{Fault, Gate, Stage, Times};
use posthouse::sandbox::{Sandbox, Settings};
use posthouse::store::sqlite::Sqlite;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::task::JoinSet;

use crate::chance::Chance;
use crate::device::{Device, RECIPIENT};
use crate::disk::{Disk, Fate};
use crate::kept::kept;
use crate::relay::Site;
use crate::stage::{AT_ONCE, arrived, body, queued};
use crate::strace::{self, Call};

const CUTS: usize = 240;

/// Written by checkpoints alone once it is there; everything else goes to the log beside it.
const DATABASE: &str = "storage/queue.db";

/// A traced run, and all that is known about it.
struct Run {
    disk: Disk,
    /// Line, time and message of each `250 … queued as`.
    promises: Vec<(usize, String)>,
    /// When each line was.
    times: BTreeMap<usize, Timestamp>,
    /// What was sent, by the relay's name of it.
    bodies: HashMap<String, Vec<u8>>,
    /// When the provider took it.
    delivered: HashMap<String, Timestamp>,
    /// Checkpoints that were made while mail came: from behind the first write to the database to the end of its sync.
    checkpoints: Vec<RangeInclusive<usize>>,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_loses_nothing_that_was_acknowledged() {
    if !strace::works() {
        return;
    }
    let mut run = traced(&[]).await;
    let seed = Chance::any_seed();
    println!("seed {seed}");
    let points = cuts(&run, CUTS, &mut Chance::new(seed));
    let (checked, losses) = cut(&run, &points, seed);
    println!("{CUTS} cuts in 3 ways, {} promises, looked for {checked} times in the queue found", run.promises.len());
    let inside = points.iter().filter(|cut| run.checkpoints.iter().any(|range| range.contains(cut))).count();
    println!("{inside} of the cuts inside {} checkpoints under load", run.checkpoints.len());
    assert!(inside >= CUTS / 20, "hardly any cut inside a checkpoint: {:?}", run.checkpoints);
    assert!(checked > CUTS * 20, "hardly anything was there to be lost: {checked}");
    assert!(losses.is_empty(), "{} losses, the first: {:#?}", losses.len(), &losses[..losses.len().min(10)]);
    run.disk.forget_syncs_of(Path::new(DATABASE));
    let behind: BTreeSet<usize> = points.into_iter().rev().take(10).collect();
    let (_, losses) = cut(&run, &behind, seed);
    assert!(!losses.is_empty(), "the log began anew over what no sync brought into the database: that must be seen");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_does_not_sync_is_found_out() {
    if !strace::works() {
        return;
    }
    let run = traced(&["-e", "inject=fsync,fdatasync:retval=0"]).await;
    let (_, losses) = cut(&run, &cuts(&run, CUTS / 10, &mut Chance::new(1)), 1);
    assert!(!losses.is_empty(), "no sync ever reached the disk, and this test does not see that");
}

/// Four devices send, the provider begins to take when half is there; the process is killed, started again, sent some
/// more, and ended.
async fn traced(more: &[&str]) -> Run {
    let sandbox = Sandbox::start(Settings::new().unwrap()).await.unwrap();
    let gate = Gate::new();
    sandbox.faults().plan(Stage::Mail, Fault::Wait(gate.clone()), Times::Count(2));
    sandbox.faults().plan(Stage::RcptTo("never@*".into()), Fault::reply(550, "5.1.1 No such user"), Times::Always);
    sandbox.faults().plan(Stage::RcptTo("later@*".into()), Fault::reply(450, "4.2.0 Greylisted"), Times::Always);
    let site = Site::new(&sandbox, AT_ONCE);
    make_long_log(&site.storage());
    let traces = tempfile::tempdir().unwrap();
    let mut disk = Disk::of(site.directory());
    let (mut promises, mut times, mut bodies) = (Vec::new(), BTreeMap::new(), HashMap::new());
    for (life, mails) in [(0, 80), (1, 24)] {
        let trace = traces.path().join(life.to_string());
        let mut relay = site.start(&strace::runner(&trace, more), &[]);
        assert!(relay.listens().await);
        bodies.extend(load(&site, life * 1000, mails, &gate).await);
        if life == 0 {
            relay.kill().await;
        } else {
            assert!(relay.terminate().await.0.success());
        }
        let calls = strace::read(&trace);
        let base = disk.lines();
        times.extend(calls.iter().map(|call| (base + call.entered, call.at)));
        promises.extend(calls.iter().filter_map(|call| Some((base + call.entered, promise(call)?))));
        disk.replay(&calls);
    }
    disk.assert_complete();
    let delivered = arrived(&sandbox).into_iter().map(|(id, _, at)| (id, at)).collect();
    let checkpoints = checkpoints(&disk, promises.last().expect("something was accepted").0);
    Run { disk, promises, times, bodies, delivered, checkpoints }
}

/// An empty queue whose log has nearly grown to the length after which a checkpoint is made, 8,000 pages; of small
/// pages, so that this is not much to trace and to look through.
fn make_long_log(storage: &Path) {
    let owner = Ownership::take(storage).unwrap();
    drop(Sqlite::open(&owner).unwrap());
    let database = Connection::open(storage.join("queue.db")).unwrap();
    let small = "PRAGMA journal_mode = delete; PRAGMA page_size = 512; VACUUM; PRAGMA journal_mode = wal";
    database.execute_batch(small).unwrap();
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    database.execute_batch("PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = off").unwrap();
    let mut one_page =
        database.prepare("INSERT INTO trial VALUES (1, 1) ON CONFLICT DO UPDATE SET count = count + 1").unwrap();
    for _ in 0..7_600 {
        one_page.execute([]).unwrap();
    }
}

/// The checkpoints that were over before this line: what one sync of the database made durable.
fn checkpoints(disk: &Disk, last: usize) -> Vec<RangeInclusive<usize>> {
    let mut first_of: BTreeMap<usize, usize> = BTreeMap::new();
    for (written, durable) in disk.made_durable(Path::new(DATABASE)) {
        let first = first_of.entry(durable).or_insert(written);
        *first = written.min(*first);
    }
    first_of.into_iter().filter(|(end, _)| *end < last).map(|(end, first)| first + 1..=end).collect()
}

/// The message that this call promises to a device.
fn promise(call: &Call) -> Option<String> {
    matches!(call.name.as_str(), "sendto" | "write" | "writev")
        .then(|| call.text(1))
        .and_then(|text| queued(text.trim_end()).map(str::to_owned))
}

/// Sends so many mails over four connections; what was accepted, by the relay's name of it.
async fn load(site: &Site, first: usize, mails: usize, gate: &Gate) -> HashMap<String, Vec<u8>> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut devices = JoinSet::new();
    for _ in 0..4 {
        let (next, address, gate) = (Arc::clone(&next), site.address(), gate.clone());
        devices.spawn(async move {
            let mut accepted = Vec::new();
            let mut device = Device::greeted(address).await;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= mails {
                    return accepted;
                }
                if number == mails / 2 {
                    gate.open();
                }
                let octets = if number % 8 == 7 { 100_000 + number * 1000 } else { 500 + number * 150 };
                let to = ["office@example.com", RECIPIENT, "later@example.com", "never@example.com"][number % 4];
                let body = body(first + number, octets);
                let reply = device.mail_to(&[to], &body).await;
                let id = queued(&reply).unwrap_or_else(|| panic!("{reply}")).to_owned();
                accepted.push((id, body));
            }
        });
    }
    devices.join_all().await.into_iter().flatten().collect()
}

/// Cuts and looks; how often a message had to be in the queue, and each time it was not.
fn cut(run: &Run, cuts: &BTreeSet<usize>, seed: u64) -> (usize, Vec<String>) {
    let mut chance = Chance::new(seed);
    let (mut checked, mut losses) = (0, Vec::new());
    for &cut in cuts {
        let unsynced: BTreeSet<usize> = run.disk.unsynced(cut);
        let last = unsynced.last().copied();
        let fates: HashMap<usize, Fate> = unsynced
            .iter()
            .map(|line| {
                (*line, [Fate::Lost, Fate::Kept, Fate::Kept, Fate::Torn][usize::try_from(chance.below(4)).unwrap()])
            })
            .collect();
        let torn = |line: usize| if Some(line) == last { Fate::Torn } else { Fate::Kept };
        let some = |line: usize| fates[&line];
        let ways: [(&str, &(dyn Fn(usize) -> Fate + Sync)); 3] =
            [("nothing unsynced", &|_| Fate::Lost), ("the last write torn", &torn), ("some of it", &some)];
        let found = std::thread::scope(|scope| {
            let looking = ways.map(|(way, fate)| scope.spawn(move || look(run, cut, way, fate)));
            looking.map(|looking| looking.join().unwrap())
        });
        for (owed, lost) in found {
            checked += owed;
            losses.extend(lost);
        }
    }
    (checked, losses)
}

/// Where to cut: right behind promises, around syncs, inside checkpoints, and anywhere.
fn cuts(run: &Run, count: usize, chance: &mut Chance) -> BTreeSet<usize> {
    let mut cuts: BTreeSet<usize> = BTreeSet::new();
    let turns: Vec<usize> = run.disk.turning_points().into_iter().collect();
    while cuts.len() < count {
        let mut pick = |most: usize| usize::try_from(chance.below(most as u64)).unwrap();
        cuts.insert(match pick(10) {
            0..4 => run.promises[pick(run.promises.len())].0 + 1,
            4..8 if !turns.is_empty() => turns[pick(turns.len())] + pick(2),
            8 if !run.checkpoints.is_empty() => {
                let range = &run.checkpoints[pick(run.checkpoints.len())];
                range.start() + pick(range.end() - range.start() + 1)
            }
            _ => 1 + pick(run.disk.lines()),
        });
    }
    cuts
}

/// How many messages had to be there, and what is wrong with those that are not as they were.
fn look(run: &Run, cut: usize, way: &str, fate: &dyn Fn(usize) -> Fate) -> (usize, Vec<String>) {
    let when = run.times.range(..cut).next_back().map_or(Timestamp::UNIX_EPOCH, |(_, at)| *at);
    let owed: Vec<&String> = run
        .promises
        .iter()
        .filter(|(line, id)| *line < cut && run.delivered.get(id).is_none_or(|at| *at > when))
        .map(|(_, id)| id)
        .collect();
    let place = tempfile::tempdir_in(memory()).unwrap();
    run.disk.rebuild(cut, place.path(), fate);
    let found = match kept(&place.path().join("storage")) {
        Ok(found) => found,
        Err(error) => return (0, vec![format!("line {cut}, {way}: the queue cannot be opened: {error}")]),
    };
    let lost = owed.iter().filter_map(|id| match found.get(*id) {
        None => Some(format!("line {cut}, {way}: {id} is not there")),
        Some(octets) if !octets.ends_with(&run.bodies[*id]) => Some(format!("line {cut}, {way}: {id} is damaged")),
        Some(_) => None,
    });
    (owed.len(), lost.collect())
}

/// Where files cost no disk.
fn memory() -> PathBuf {
    let shared = PathBuf::from("/dev/shm");
    if shared.is_dir() { shared } else { std::env::temp_dir() }
}
