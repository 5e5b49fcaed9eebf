//! The crash test: the program is killed under load, again and again, and nothing it acknowledged may be lost.
//!
//! A program of its own with flags, built with the feature `fail-points`:
//! `cargo test --features fail-points --test crash -- --kills 500`. Prints its figures. Then it does the same with a
//! fault that was built in on purpose, a 250 before the commit, and fails if it does not find it.

mod campaign;
#[path = "../support/chance.rs"]
mod chance;
mod judge;
mod ledger;
mod load;
mod points;
mod provider;
#[path = "../support/relay.rs"]
#[allow(dead_code, reason = "each test uses its part of it")]
mod relay;
mod step;

use std::process::ExitCode;
use std::time::Instant;

use campaign::{Orders, Report};
use chance::Chance;
use clap::Parser;

/// Kills the relay under load and counts what is lost.
#[derive(Debug, Parser)]
struct Flags {
    /// How often it is killed.
    #[arg(long, default_value_t = 90)]
    kills: usize,
    /// Repeats the chances of an earlier run; the moments are still the machine's own.
    #[arg(long)]
    seed: Option<u64>,
    /// Leaves out the run that must find the built-in fault.
    #[arg(long)]
    without_defect: bool,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let seed = flags.seed.unwrap_or_else(Chance::any_seed);
    let orders = Orders { kills: flags.kills, seed, defect: None };
    let mut good = true;
    println!("{} kills, seed {seed}", flags.kills);
    let began = Instant::now();
    let report = runtime.block_on(campaign::run(&orders));
    good &= show(&report, began);
    let began = Instant::now();
    let (steps, repeats, findings) = runtime.block_on(step::every_step());
    println!("\n{steps:8} steps of one mail and its notice, killed once at each");
    println!("{repeats:8} repeats that SMTP cannot avoid\n{:8} findings", findings.len());
    for finding in &findings {
        println!("WRONG: {finding}");
    }
    println!("{:8} s", began.elapsed().as_secs());
    good &= findings.is_empty();
    let wrong: Vec<String> = report.findings().chain(findings).collect();
    if !flags.without_defect {
        let defect = "answer-before-commit";
        println!("\nthe same with a fault built in, {defect}");
        let began = Instant::now();
        let report = runtime.block_on(campaign::run(&Orders { kills: 12, seed, defect: Some(defect) }));
        let (accepted, lost) = (report.verdict.accepted, report.verdict.lost.len());
        println!("{accepted:8} mails acknowledged\n{lost:8} lost\n{:8} s", began.elapsed().as_secs());
        let found = lost > 0;
        println!("{}", if found { "the fault was found" } else { "NOT FOUND: this test shows nothing" });
        good &= found;
    }
    // Again, where it is still to be seen when only the end of a long log is kept.
    for line in wrong.iter().take(20) {
        println!("WRONG: {line}");
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the figures; true if all is as it must be.
fn show(report: &Report, began: Instant) -> bool {
    let Report { verdict, hits, kills, not_reached } = report;
    for (kind, count) in kills {
        println!("{count:8} kills {kind}");
    }
    println!(
        "{:8} mails acknowledged, {} refused, {} without an answer",
        verdict.accepted, verdict.refused, verdict.unanswered
    );
    println!("{:8} arrivals, {} of them notices", verdict.arrivals, verdict.notices);
    println!("{:8} lost", verdict.lost.len());
    println!("{:8} repeats that SMTP cannot avoid", verdict.repeats_in_order);
    println!("{:8} other findings", verdict.wrong.len());
    for (name, count) in hits {
        println!("{count:8} passed {name}");
    }
    if !not_reached.is_empty() {
        println!("not reached in time, killed from outside: {not_reached:?}");
    }
    for line in report.findings().take(40) {
        println!("WRONG: {line}");
    }
    println!("{:8} s", began.elapsed().as_secs());
    report.findings().next().is_none()
}
