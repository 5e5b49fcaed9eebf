//! What is written about the queue, and the queue's settings that come of it.
//!
//! What is wrong or risky there stands in `tests/bad_configs/delivery_*` and `storage_max_*`.

use std::time::Duration;

use super::{ACCOUNT, load};
use posthouse::mail::address::Address;
use posthouse::queue::{Keeping, Settings, Uncertain};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

#[test]
fn every_word_about_the_queue_reaches_it() {
    let text = format!(
        "{ACCOUNT}[delivery]\nqueue = true\nwait = 0\nmax_queue_lifetime = \"2d\"\nretry = [\"30s\", \"5m\"]\n\
         uncertain = \"hold\"\nhold_for = \"30d\"\nkeep_failed = \"0\"\n\
         redirect_to = \"tests@example.com\"\nshutdown_grace = \"5s\"\n\
         [storage]\nmax_messages = 500\nmax_size = \"1GiB\"\n"
    );
    let config = load(&text, &[]);
    let expected = Keeping {
        wait: Duration::ZERO,
        max_queue_lifetime: 2 * DAY,
        retry: vec![MINUTE / 2, 5 * MINUTE],
        uncertain: Uncertain::Hold,
        hold_for: Some(30 * DAY),
        keep_failed: Duration::ZERO,
        max_messages: 500,
        max_size: 1 << 30,
        ..Keeping::default()
    };
    assert_eq!(config.queue, Settings::Durable(Box::new(expected)));
    assert_eq!(config.delivery.redirect_to.as_ref().map(Address::as_str), Some("tests@example.com"));
    assert_eq!(config.delivery.shutdown_grace.as_secs(), 5);
    let text =
        format!("{ACCOUNT}[delivery]\nqueue = true\nuncertain_delay = \"20m\"\narchive_to = \"a@example.com\"\n");
    let config = load(&text, &[]);
    let expected = Keeping { uncertain_delay: 20 * MINUTE, ..Keeping::default() };
    assert_eq!(config.queue, Settings::Durable(Box::new(expected)));
    assert_eq!(config.delivery.archive_to.as_ref().map(Address::as_str), Some("a@example.com"));
}

#[test]
fn a_variable_gives_the_waits_between_commas() {
    let text = format!("{ACCOUNT}[delivery]\nqueue = true\n");
    let config = load(&text, &[("POSTHOUSE__DELIVERY__RETRY", "10s, 1m,1h")]);
    let Settings::Durable(keeping) = config.queue else { panic!("no queue") };
    assert_eq!(keeping.retry, [MINUTE / 6, MINUTE, 60 * MINUTE]);
}

#[test]
fn without_a_queue_nothing_of_it_is_left() {
    let text = format!("{ACCOUNT}[delivery]\nqueue = false\nwait = \"20s\"\nkeep_failed = \"1d\"\n");
    assert_eq!(load(&text, &[]).queue, Settings::Proxy { wait: Duration::from_secs(20) });
}
