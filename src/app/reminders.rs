//! Says in the log, while there is time, what will stop an account from signing in.
//!
//! Looks at the start of the relay and every hour; each warning is said once a day for as long as it holds. Judges
//! nothing: what is worth a warning stands in [`crate::account::warning`].

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::Common;
use super::accounts::{Account, of_relay};
use crate::account::Settings;
use crate::account::warning::{LOOKED_FOR_EVERY, Reminder};
use crate::journal::{Event, Journal};
use crate::outbound::Desks;

/// Looks until the house ends.
pub(super) async fn keep(accounts: Vec<Settings>, common: Common, desks: Desks, ending: CancellationToken) {
    let mut reminder = Reminder::default();
    let mut looks = tokio::time::interval(LOOKED_FOR_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let looking = async {
        loop {
            looks.tick().await;
            let accounts = of_relay(&accounts, &common, &desks).await;
            say(accounts, &mut reminder, &common.journal, common.clock.now());
        }
    };
    ending.run_until_cancelled(looking).await;
}

fn say(accounts: Vec<Account>, reminder: &mut Reminder, journal: &Journal, now: jiff::Timestamp) {
    for Account { status, warnings } in accounts {
        for warning in reminder.news(&status.account, warnings, now) {
            journal.record(Event::Warned {
                account: &status.account.as_str().into(),
                code: &warning.code,
                sentence: &warning.sentence,
                cure: &warning.cure,
                due: warning.due,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::account::Source;
    use crate::account::oauth::Grant;
    use crate::account::tests::{application, settings};
    use crate::account::vault::tests::Memory;
    use crate::account::vault::tests::conformance::{put, record};
    use crate::account::vault::{Expected, Facts, Holder, Record};
    use crate::app::upstream;
    use crate::journal::log::heard::Heard;
    use crate::net::clock::Clock;
    use crate::outbound::Known;
    use crate::outbound::{Couriers, Desk};
    use crate::queue::Queue;
    use crate::smtp::client::Timeouts;

    /// Nobody is there; what tending asks of it fails at once.
    const ENDPOINT: &str = "https://127.0.0.1:1/token";

    fn account() -> Settings {
        let application = application(ENDPOINT);
        let credential = Source::from(Grant::DeviceCode { application });
        Settings { provider: Some("gmail".into()), credential, ..settings() }
    }

    /// Signed in now, for a week, as Google does for an application in Testing.
    fn signed_in(clock: &Clock) -> Record {
        let (now, record) = (clock.now(), record("refresh", "access"));
        let week = jiff::SignedDuration::from_hours(7 * 24);
        let (signed_in, renewed, ends) = (now, now, Some(now + week));
        let facts = Facts {
            endpoint: ENDPOINT.into(),
            signed_in,
            renewed,
            access_ends: ends,
            refresh_ends: ends,
            ..record.facts
        };
        Record { facts, ..record }
    }

    fn common(clock: &Clock) -> Common {
        let vault = Memory::default();
        put(&vault, "office", &signed_in(clock), Expected::Any, &Holder::new(true));
        Common {
            ours: Arc::default(),
            hostname: "relay.test".into(),
            timeouts: Timeouts::default(),
            journal: Journal::default(),
            vault: Arc::new(vault),
            holder: Holder::new(true),
            clock: clock.clone(),
            renewals: TaskTracker::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_will_end_is_said_at_the_start_and_once_a_day() {
        let (heard, clock) = (Heard::begin(), Clock::set("2026-11-01T12:00:00Z".parse().unwrap()));
        let common = common(&clock);
        let queue = Arc::new(Queue::proxy([account().name]));
        let desk = Desk::new(upstream(account(), &common).unwrap(), queue, common.journal.clone(), Known::default());
        let couriers = Couriers::default();
        let desks = Desks::open(vec![desk], &couriers);
        tokio::spawn(keep(vec![account()], common, desks, couriers.ending.clone()));
        let mut said = Vec::new();
        for _hour in 0..50 {
            tokio::time::sleep(Duration::from_mins(30)).await;
            said.push(heard.count(&["code=\"google_testing\""]));
            tokio::time::sleep(Duration::from_mins(30)).await;
            clock.advance(3600);
        }
        couriers.ending.cancel();
        assert_eq!([said[0], said[22], said[26], said[46], said[49]], [1, 1, 2, 2, 3], "{said:?}");
        assert_eq!(heard.count(&["consent screen is in Testing"]), 3);
        assert_eq!(heard.count(&["Publish the application"]), 3);
    }
}
