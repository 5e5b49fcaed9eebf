//! `[delivery]`, and what `[storage]` says about the queue: how long who waits, what is tried again, and how much is
//! kept.
//!
//! Guarantees that a relay without a queue has nobody promised anything only a queue can keep, and that no wait makes
//! another one pointless. `[notices]` has a page of its own.

use std::time::Duration;

use crate::config::Delivery;
use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::tree::Value;
use crate::config::values;
use crate::inbound::settings::ListenerSettings;
use crate::queue::{Keeping, Settings, Uncertain};

const WAIT: Duration = Duration::from_secs(15);
const LONGEST_WAIT: Duration = Duration::from_mins(10);
/// What devices are commonly set to.
const PATIENCE_OF_DEVICES: Duration = Duration::from_mins(1);
const SHUTDOWN_GRACE: Duration = Duration::from_secs(8);
const LONGEST_GRACE: Duration = Duration::from_mins(5);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const MOST_RETRIES: usize = 100;
const SMALLEST_QUEUE: u64 = 64 << 20;

/// Whether there is a queue when nothing is written.
const QUEUE: bool = true;

/// Without a queue they say nothing.
const OF_THE_QUEUE: [&str; 6] =
    ["max_queue_lifetime", "retry", "uncertain", "uncertain_delay", "hold_for", "keep_failed"];

/// Reads it all.
pub(super) fn read(root: &Section<'_>, listeners: &[ListenerSettings]) -> (Delivery, Settings) {
    let mut delivery = Delivery { shutdown_grace: SHUTDOWN_GRACE, redirect_to: None, archive_to: None };
    let section = root.section("delivery");
    let is_queued = section.as_ref().and_then(|section| section.get("queue", values::flag)).unwrap_or(QUEUE);
    let mut wait = WAIT;
    if let Some(section) = &section {
        wait = self::wait(section, is_queued);
        delivery.shutdown_grace = shutdown_grace(section);
        elsewhere(section, is_queued, &mut delivery);
    }
    if !is_queued {
        unheeded(root, section.as_ref());
        return (delivery, Settings::Proxy { wait });
    }
    let mut keeping = Keeping { wait, ..Keeping::default() };
    if let Some(section) = &section {
        schedule(section, &mut keeping);
        uncertain(section, &mut keeping);
        kept(section, &mut keeping);
    }
    if let Some(section) = root.section("storage") {
        caps(&section, listeners, &mut keeping);
    }
    (delivery, Settings::Durable(Box::new(keeping)))
}

fn wait(section: &Section<'_>, is_queued: bool) -> Duration {
    let Some(wait) = section.get("wait", values::duration) else { return WAIT };
    let least = if is_queued { Duration::ZERO } else { Duration::from_secs(1) };
    if wait.is_zero() && !is_queued {
        let complaint =
            Complaint::new("without a queue somebody has to wait for the provider, and wait = 0 lets nobody");
        section.error("wait", complaint.hint("write wait = \"15s\", or queue = true"));
    } else if wait < least || wait > LONGEST_WAIT {
        let from = if is_queued { "0" } else { "1 second" };
        let complaint = Complaint::new(format!("expected a time from {from} to 10 minutes"));
        section.error("wait", complaint.hint("devices give up sooner than after 10 minutes (RFC 5321 §4.5.3.2.6)"));
    } else if is_queued && wait > PATIENCE_OF_DEVICES {
        let complaint =
            Complaint::new("many devices give up after a minute, and send a mail again that is safe in the queue");
        section.warning(
            "wait",
            complaint.hint("write wait = \"15s\": what takes longer is queued, and the device is told so"),
        );
    }
    wait
}

fn shutdown_grace(section: &Section<'_>) -> Duration {
    let grace = section.get("shutdown_grace", values::duration).unwrap_or(SHUTDOWN_GRACE);
    if grace > LONGEST_GRACE {
        let complaint = Complaint::new("expected at most 5 minutes");
        section.error("shutdown_grace", complaint.hint("service managers kill a program that takes longer to stop"));
    }
    grace
}

/// Mail to others than the device wrote. What goes astray here is not noticed for long, so it is said at each start.
fn elsewhere(section: &Section<'_>, is_queued: bool, delivery: &mut Delivery) {
    delivery.redirect_to = section.get("redirect_to", values::address);
    delivery.archive_to = section.get("archive_to", values::address);
    if let Some(address) = &delivery.redirect_to {
        let complaint =
            Complaint::new(format!("every mail that comes goes to {address}, and none to whom it was written to"));
        section.warning(
            "redirect_to",
            complaint.hint("this is for trials; take the key out before anybody relies on the mail"),
        );
    }
    if !section.has("archive_to") {
        return;
    }
    if !is_queued {
        let complaint = Complaint::new("without a queue there is nothing that could keep a copy until it has arrived");
        section.error("archive_to", complaint.hint("write queue = true, or take the key out"));
    } else if delivery.redirect_to.is_some() {
        let complaint = Complaint::new("no copies are made while redirect_to has every mail");
        section.warning("archive_to", complaint.hint("take out one of the two"));
    }
}

/// Keys that were written for a queue there is not.
fn unheeded(root: &Section<'_>, delivery: Option<&Section<'_>>) {
    if let Some(section) = delivery {
        for key in OF_THE_QUEUE {
            without_queue(section, key);
        }
    }
    if let Some(section) = root.section("storage") {
        for key in ["max_messages", "max_size"] {
            without_queue(&section, key);
        }
    }
}

/// Warns of a key that only a queue would heed.
pub(super) fn without_queue(section: &Section<'_>, key: &str) {
    if section.has(key) {
        let complaint = Complaint::new("without a queue this key means nothing");
        section.warning(key, complaint.hint("write queue = true in [delivery], or take the key out"));
    }
}

/// How long it is tried, and how often.
fn schedule(section: &Section<'_>, keeping: &mut Keeping) {
    if let Some(lifetime) = section.get("max_queue_lifetime", values::duration) {
        keeping.max_queue_lifetime = lifetime;
        if lifetime < HOUR || lifetime > 30 * DAY {
            let complaint = Complaint::new("expected a time from 1 hour to 30 days");
            section.error("max_queue_lifetime", complaint.hint("RFC 5321 §4.5.4.1 asks for 4 to 5 days: \"5d\""));
        }
    }
    let hint = "write the waits before the second, the third, … attempt: retry = [\"1m\", \"5m\", \"30m\", \"1h\"]";
    let one = |value: &Value| match value {
        Value::Text(text) if text.contains(',') => Err(Complaint::new("several times are a list of them").hint(hint)),
        value => values::duration(value),
    };
    let Some(retry) = section.list("retry", one) else { return };
    for (wait, origin) in &retry {
        if *wait < Duration::from_secs(10) || *wait > DAY {
            let complaint = Complaint::new("expected times from 10 seconds to 1 day");
            section.error_at(origin, &section.key("retry"), complaint.hint(hint));
        }
    }
    if retry.is_empty() || retry.len() > MOST_RETRIES {
        let complaint = Complaint::new(format!("expected 1 to {MOST_RETRIES} times; the last one is repeated"));
        section.error("retry", complaint.hint(hint));
        return;
    }
    keeping.retry = retry.into_iter().map(|(wait, _)| wait).collect();
    never_reached(section, keeping);
}

/// Attempts that would come when the mail has been given up.
fn never_reached(section: &Section<'_>, keeping: &Keeping) {
    let times = keeping.retry.iter().scan(Duration::ZERO, |time, wait| {
        *time += *wait;
        Some(*time)
    });
    let reached = times.take_while(|time| *time < keeping.max_queue_lifetime).count();
    let hint = "write shorter times, or a longer max_queue_lifetime";
    if reached == 0 {
        let complaint = Complaint::new("a mail would be given up before its second attempt (max_queue_lifetime)");
        section.error("retry", complaint.hint(hint));
    } else if reached < keeping.retry.len() {
        let complaint = Complaint::new(format!(
            "only the first {reached} of these {} times come before a mail is given up (max_queue_lifetime)",
            keeping.retry.len()
        ));
        section.warning("retry", complaint.hint(hint));
    }
}

/// What becomes of a mail that the provider took or did not take: nobody knows.
fn uncertain(section: &Section<'_>, keeping: &mut Keeping) {
    if section.word("uncertain") == Some("hold") {
        keeping.uncertain = Uncertain::Hold;
    }
    let Some(delay) = section.get("uncertain_delay", values::duration) else { return };
    keeping.uncertain_delay = delay;
    if keeping.uncertain == Uncertain::Hold {
        let complaint = Complaint::new("uncertain = \"hold\" has such mail wait for a person, not for a time");
        section.warning("uncertain_delay", complaint.hint("take out one of the two"));
    } else if delay > DAY {
        let complaint = Complaint::new("expected at most 1 day");
        section.error("uncertain_delay", complaint.hint("write uncertain = \"hold\" to decide on each yourself"));
    } else if delay >= keeping.max_queue_lifetime {
        let complaint = Complaint::new("such a mail would be given up before it is tried again (max_queue_lifetime)");
        section.error("uncertain_delay", complaint.hint("write a shorter time: \"10m\""));
    } else if delay < Duration::from_mins(1) {
        let complaint =
            Complaint::new("a provider that is only slow may still be taking the mail, which then arrives twice");
        section.warning("uncertain_delay", complaint.hint("write uncertain_delay = \"10m\""));
    }
}

/// What is held, and what failed.
fn kept(section: &Section<'_>, keeping: &mut Keeping) {
    if let Some(hold_for) = section.get("hold_for", values::duration) {
        keeping.hold_for = Some(hold_for);
        if hold_for < HOUR || hold_for > 3650 * DAY {
            let complaint = Complaint::new("expected a time from 1 hour to 3650 days");
            section.error("hold_for", complaint.hint("leave the key out to keep held mail until somebody decides"));
        }
    }
    if let Some(keep_failed) = section.get("keep_failed", values::duration) {
        keeping.keep_failed = keep_failed;
        if keep_failed > 365 * DAY {
            let complaint = Complaint::new("expected at most 365 days");
            section.error("keep_failed", complaint.hint("`posthouse queue export` saves what is to stay longer"));
        }
    }
}

/// How much the queue may hold.
fn caps(section: &Section<'_>, listeners: &[ListenerSettings], keeping: &mut Keeping) {
    if let Some(most) = section.number("max_messages") {
        keeping.max_messages = most.into();
    }
    let Some(size) = section.get("max_size", values::size) else { return };
    keeping.max_size = size;
    let largest = listeners.iter().map(|listener| listener.max_message_size).max().unwrap_or(0);
    if size < SMALLEST_QUEUE {
        let complaint = Complaint::new("expected 64MiB or more");
        section.error("max_size", complaint.hint("a queue for some thousand mails wants \"1GiB\""));
    } else if size / 2 < largest {
        let complaint =
            Complaint::new("a device may fill half of this, and that is less than the largest mail it may send");
        section.warning(
            "max_size",
            complaint.hint("write a larger size here, or a smaller max_message_size in [[listeners]]"),
        );
    }
}
