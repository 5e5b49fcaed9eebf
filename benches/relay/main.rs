//! How fast mail passes through, what that costs, and whether any of it is lost.
//!
//! `cargo bench --bench relay -- [--quick] [--only W1,W5] [--beside stunnel] [--against PROGRAM]`. Load and provider
//! run in this process, the relay in its own, so that its processor time and memory can be read. All candidates carry
//! the same load by turns, because figures of different runs on a busy machine cannot be compared. Medians of the
//! rounds.

#![allow(clippy::cast_precision_loss, reason = "figures for a table")]

mod load;
mod process;
mod provider;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::ServerConfig;

use load::{Connection, Content, Load, Outcome};
use process::{Candidate, Process};

struct Workload {
    name: &'static str,
    what: &'static str,
    load: Load,
    delay: Duration,
}

const KIB: usize = 1024;
const NEAR: Duration = Duration::ZERO;
const FAR: Duration = Duration::from_millis(40);

const WORKLOADS: [Workload; 5] = [
    Workload {
        name: "W1",
        what: "4 KiB, 20 at once, 1 mail a connection",
        load: Load { devices: 20, messages: 1, size: 4 * KIB },
        delay: NEAR,
    },
    Workload {
        name: "W2",
        what: "4 KiB, 20 at once, 10 mails a connection",
        load: Load { devices: 20, messages: 10, size: 4 * KIB },
        delay: NEAR,
    },
    Workload {
        name: "W3",
        what: "5 MiB, 8 at once",
        load: Load { devices: 8, messages: 1, size: 5 * KIB * KIB },
        delay: NEAR,
    },
    Workload {
        name: "W5",
        what: "4 KiB, one sender, 1 mail a connection",
        load: Load { devices: 1, messages: 1, size: 4 * KIB },
        delay: NEAR,
    },
    Workload {
        name: "FAR",
        what: "W1, the provider answers after 40 ms",
        load: Load { devices: 20, messages: 1, size: 4 * KIB },
        delay: FAR,
    },
];

/// Connections that do nothing.
const IDLE: usize = 500;

struct Arguments {
    rounds: usize,
    time: Duration,
    only: Option<String>,
    candidates: Vec<Candidate>,
}

fn main() -> io::Result<()> {
    let arguments = arguments()?;
    let (config, authority) = provider::identity();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let heads = ["mails/s", "(min-max)", "CPU s/1000", "p50 ms", "p99 ms", "peak MiB"];
    let [rate, spread, cpu, p50, p99, peak] = heads;
    println!("{:27} {rate:>9} {spread:>15} {cpu:>10} {p50:>8} {p99:>8} {peak:>9}  TLS", "");
    for workload in WORKLOADS.iter().filter(|workload| arguments.wants(workload.name)) {
        println!("{}: {}", workload.name, workload.what);
        runtime.block_on(measure(workload, &arguments, &config, &authority))?;
    }
    if arguments.wants("IDLE") {
        println!("IDLE: memory of each of {IDLE} connections that wait");
        runtime.block_on(idle(&arguments, &config, &authority))?;
    }
    Ok(())
}

fn arguments() -> io::Result<Arguments> {
    let relay = Candidate::Relay { name: "posthouse", program: env!("CARGO_BIN_EXE_posthouse").into() };
    let mut arguments = Arguments { rounds: 3, time: Duration::from_secs(3), only: None, candidates: vec![relay] };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| io::Error::other(format!("{word} takes a value")));
        match word.as_str() {
            // What cargo itself says.
            "--bench" => {}
            "--quick" => (arguments.rounds, arguments.time) = (1, Duration::from_secs(1)),
            "--only" => arguments.only = Some(value()?),
            "--beside" => match value()?.as_str() {
                "stunnel" => arguments.candidates.push(Candidate::Stunnel),
                other => return Err(io::Error::other(format!("only stunnel can run beside, not {other}"))),
            },
            "--against" => {
                let program = PathBuf::from(value()?);
                arguments.candidates.push(Candidate::Relay { name: "the other build", program });
            }
            other => return Err(io::Error::other(format!("unknown argument {other}"))),
        }
    }
    Ok(arguments)
}

impl Arguments {
    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.split(',').any(|one| one.eq_ignore_ascii_case(name)))
    }
}

/// One candidate under one workload, once.
struct Figures {
    outcome: Outcome,
    cpu: f64,
    peak: u64,
    handshakes: (u64, u64),
}

async fn measure(
    workload: &Workload,
    arguments: &Arguments,
    config: &Arc<ServerConfig>,
    authority: &str,
) -> io::Result<()> {
    let mut all: Vec<Vec<Figures>> = arguments.candidates.iter().map(|_| Vec::new()).collect();
    for _ in 0..arguments.rounds {
        for (candidate, figures) in arguments.candidates.iter().zip(&mut all) {
            figures.push(once(workload, candidate, arguments.time, config, authority).await?);
        }
    }
    for (candidate, figures) in arguments.candidates.iter().zip(&mut all) {
        figures.sort_by(|a, b| a.outcome.rate().total_cmp(&b.outcome.rate()));
        let [least, most] = [&figures[0], &figures[figures.len() - 1]].map(|f| f.outcome.rate());
        let Figures { outcome, cpu, peak, handshakes: (made, resumed) } = &figures[figures.len() / 2];
        println!(
            "{:8} {:18} {:9.1} {:>15} {:10.3} {:8.3} {:8.3} {:9.1}  {made} handshakes, {resumed} resumed",
            "",
            candidate.name(),
            outcome.rate(),
            format!("({least:.0}-{most:.0})"),
            cpu * 1000.0 / outcome.sent as f64,
            milliseconds(outcome.quantile(500)),
            milliseconds(outcome.quantile(990)),
            *peak as f64 / (KIB * KIB) as f64,
        );
    }
    Ok(())
}

async fn once(
    workload: &Workload,
    candidate: &Candidate,
    time: Duration,
    config: &Arc<ServerConfig>,
    authority: &str,
) -> io::Result<Figures> {
    let provider = provider::start(Arc::clone(config), workload.delay).await?;
    let process = Process::start(candidate, provider.address, authority)?;
    let serials = Arc::new(AtomicU64::new(0));
    // Signed in and warm.
    load::run(workload.load, process.address, time / 10, &serials).await?;
    let before = process.cpu()?;
    let outcome = load::run(workload.load, process.address, time, &serials).await?;
    let cpu = process.cpu()? - before;
    let (sent, taken) = (serials.load(Ordering::Relaxed), provider.taken.messages() as u64);
    if (sent, 0) != (taken, provider.taken.duplicates()) {
        let duplicates = provider.taken.duplicates();
        return Err(io::Error::other(format!(
            "{sent} mails were accepted, {taken} arrived, {duplicates} of them twice"
        )));
    }
    Ok(Figures { outcome, cpu, peak: process.peak_memory()?, handshakes: provider.taken.handshakes() })
}

async fn idle(arguments: &Arguments, config: &Arc<ServerConfig>, authority: &str) -> io::Result<()> {
    for candidate in &arguments.candidates {
        for (what, mails) in [("after EHLO", 0), ("after a mail", 1)] {
            let provider = provider::start(Arc::clone(config), NEAR).await?;
            let process = Process::start(candidate, provider.address, authority)?;
            let mut content = Content::new(4 * KIB);
            Connection::open(process.address).await?.send(content.numbered(0)).await?;
            let before = process.memory()?;
            let mut open = Vec::new();
            for number in 1..=IDLE as u64 {
                let mut connection = Connection::open(process.address).await?;
                for _ in 0..mails {
                    connection.send(content.numbered(number)).await?;
                }
                open.push(connection);
            }
            let each = process.memory()?.saturating_sub(before) as f64 / IDLE as f64 / KIB as f64;
            println!("{:8} {:18} {each:9.2} KiB {what}", "", candidate.name());
        }
    }
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
