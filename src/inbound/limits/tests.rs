//! Limits on a clock that only moves when it is told to.
//!
//! The plain meaning of a limit, every single moment remembered, is the judge of the windows that remember less.

use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

fn at_listener(most: u32) -> Claim {
    Claim { scope: Scope::Listener("local".into()), most }
}

fn of_login(most: u32) -> Claim {
    Claim { scope: Scope::Login, most }
}

#[test]
fn what_is_over_the_limit_is_refused_until_the_first_one_is_an_hour_old() {
    let (meters, start) = (Meters::default(), Instant::now());
    let take = |minutes: u32| meters.take(&"fax".into(), Unit::Message, &[at_listener(2)], start + MINUTE * minutes);
    assert!(take(0).is_ok() && take(10).is_ok());
    let over = take(20).unwrap_err();
    assert_eq!(over.lifts_in, MINUTE * 40);
    let said = over.refusal().reply().to_string();
    assert_eq!(said, "451 4.7.0 This device has reached its limit of 2 messages an hour, try again in 40 minutes");
    assert!(take(59).is_err());
    assert!(take(60).is_ok(), "the one of minute 0 is an hour old");
    assert_eq!(take(61).unwrap_err().lifts_in, MINUTE * 9, "and the next goes at minute 70");
}

#[test]
fn recipients_are_counted_by_the_day() {
    let (meters, start) = (Meters::default(), Instant::now());
    let take = |hours: u32| meters.take(&"fax".into(), Unit::Recipient, &[of_login(1)], start + MINUTE * 60 * hours);
    assert!(take(0).is_ok());
    let said = take(1).unwrap_err().refusal().reply().to_string();
    assert_eq!(said, "450 4.7.0 This device has reached its limit of 1 recipient a day, try again in 23 hours");
    assert!(take(24).is_ok());
}

#[test]
fn devices_listeners_and_units_are_counted_apart() {
    let (meters, now) = (Meters::default(), Instant::now());
    let other = Claim { scope: Scope::Listener("lan".into()), most: 1 };
    assert!(meters.take(&"fax".into(), Unit::Message, &[at_listener(1)], now).is_ok());
    assert!(meters.take(&"fax".into(), Unit::Message, &[at_listener(1)], now).is_err());
    assert!(meters.take(&"scanner".into(), Unit::Message, &[at_listener(1)], now).is_ok());
    assert!(meters.take(&"fax".into(), Unit::Message, &[other], now).is_ok());
    assert!(meters.take(&"fax".into(), Unit::Message, &[of_login(1)], now).is_ok());
    assert!(meters.take(&"fax".into(), Unit::Recipient, &[at_listener(1)], now).is_ok());
    assert!(meters.take(&"fax".into(), Unit::Message, &[], now).is_ok(), "no limit");
}

#[test]
fn the_stricter_of_two_limits_decides_and_a_refusal_uses_up_neither() {
    let (meters, now) = (Meters::default(), Instant::now());
    let take = |most_here, most_of_login| {
        meters.take(&"fax".into(), Unit::Message, &[of_login(most_of_login), at_listener(most_here)], now)
    };
    assert!(take(1, 3).is_ok());
    assert_eq!(take(1, 3).unwrap_err().claim, at_listener(1));
    assert_eq!(take(1, 3).unwrap_err().claim, at_listener(1));
    let alone = |claim| meters.take(&"fax".into(), Unit::Message, &[claim], now);
    assert!(alone(of_login(3)).is_ok() && alone(of_login(3)).is_ok(), "only the first one had counted");
    assert_eq!(take(9, 3).unwrap_err().claim, of_login(3));
}

#[test]
fn a_device_that_does_not_stop_is_news_once_an_hour() {
    let (meters, start) = (Meters::default(), Instant::now());
    let take = |minutes: u32| meters.take(&"fax".into(), Unit::Message, &[at_listener(60)], start + MINUTE * minutes);
    // One a second for three hours: something gets through now and then, and the rest is refused.
    let mut news = 0;
    for minute in 0..180 {
        for _ in 0..60 {
            news += u32::from(take(minute).is_err_and(|over| over.is_news));
        }
    }
    assert_eq!(news, 3);
}

#[test]
fn memory_is_bounded_and_idle_devices_are_forgotten() {
    let (meters, start) = (Meters::default(), Instant::now());
    let take = |name: &str, now| meters.take(&name.into(), Unit::Message, &[at_listener(1)], now);
    for device in 0..WINDOWS {
        assert!(take(&device.to_string(), start).is_ok());
    }
    assert!(take("newcomer", start).is_ok());
    assert!(take("another", start).is_err(), "newcomers share one window while all others are in use");
    assert!(take("0", start).is_err(), "those that are known keep theirs");
    assert_eq!(meters.windows.len(), WINDOWS + 1);
    let later = start + MINUTE * 60;
    assert!(take("another", later).is_ok());
    assert_eq!(meters.windows.len(), 1);
    let mut window = Window::default();
    for second in 0..100_000 {
        let _ = window.take(1_000_000, MINUTE * 60, start + Duration::from_secs(second));
    }
    assert!(window.slots.len() <= SLOTS as usize + 1, "{}", window.slots.len());
}

#[test]
fn those_of_one_minute_leave_together_when_the_last_of_them_is_an_hour_old() {
    let (mut window, start) = (Window::default(), Instant::now());
    let mut take = |seconds| window.take(2, MINUTE * 60, start + Duration::from_secs(seconds));
    assert!(take(0).is_ok() && take(50).is_ok());
    assert_eq!(take(3_600), Err(Duration::from_secs(50)));
    assert!(take(3_650).is_ok() && take(3_651).is_ok());
}

/// Seconds between two mails: mostly a burst, sometimes a pause, now and then an hour or so.
fn steps() -> impl Strategy<Value = Vec<u64>> {
    proptest::collection::vec(prop_oneof![5 => 0..40_u64, 2 => 0..900_u64, 1 => 3_300..3_700_u64], 1..200)
}

proptest! {
    #[test]
    fn no_hour_ever_holds_more_than_the_limit(most in 1..8_u32, steps in steps()) {
        let (mut window, mut now) = (Window::default(), Instant::now());
        let (hour, mut taken) = (MINUTE * 60, Vec::new());
        for step in steps {
            now += Duration::from_secs(step);
            let within = taken.iter().filter(|at| **at + hour > now).count();
            match window.take(most, hour, now) {
                Ok(()) => {
                    prop_assert!(within < most as usize);
                    taken.push(now);
                }
                Err(lifts_in) => {
                    // A part of a window leaves as a whole, which is a minute late at most.
                    let surely_free = taken.iter().filter(|at| **at + hour + MINUTE > now).count() < most as usize;
                    prop_assert!(!surely_free);
                    prop_assert!(lifts_in > Duration::ZERO && lifts_in <= hour);
                }
            }
        }
    }
}
