//! When the other side says it is over: `try again in 2 hours`, `blocked for 30 minutes`, `Retry-After: 120`.
//!
//! Reads only a number with a unit behind words that speak of coming back, so that a limit (`500 messages in 24
//! hours`) is not taken for a wait. Whatever is said, the result lies between a minute and a day: nonsense from outside
//! neither hammers a provider nor holds an account for a year.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_hours(24);

/// Words that make a time the time until it is over, when they stand at most [`REACH`] words before it.
const RETURN: &[&str] = &[
    "again",
    "retry",
    "retried",
    "wait",
    "back",
    "later",
    "blocked",
    "locked",
    "suspended",
    "limited",
    "disabled",
    "deferred",
];
/// One of these stands right before the number.
const LEADS: &[&str] = &["in", "after", "for", "wait", "about", "least", "next", "another", "within", "approximately"];
const REACH: usize = 6;

/// The time a text tells.
pub(super) fn told(text: &str) -> Option<Duration> {
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    (1..words.len()).find_map(|at| {
        let before = &words[at.saturating_sub(REACH)..at];
        let leads = before.last().is_some_and(|word| LEADS.contains(word));
        let returns = before.iter().any(|word| RETURN.contains(word));
        let time = (leads && returns).then(|| time(words[at], words.get(at + 1).copied()))?;
        time.map(bounded)
    })
}

/// No shorter than a minute, no longer than a day.
pub(super) fn bounded(time: Duration) -> Duration {
    time.clamp(SHORTEST, LONGEST)
}

/// `2 hours`, `2h`, `an hour`.
fn time(number: &str, unit: Option<&str>) -> Option<Duration> {
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = match number.split_at(digits) {
        ("", "a" | "an" | "one") => (1, unit?),
        (count, "") => (count.parse::<u32>().ok()?, unit?),
        (count, unit) => (count.parse().ok()?, unit),
    };
    let seconds = match unit {
        "s" | "sec" | "secs" | "second" | "seconds" => 1,
        "m" | "min" | "mins" | "minute" | "minutes" => 60,
        "h" | "hr" | "hrs" | "hour" | "hours" => 60 * 60,
        "d" | "day" | "days" => 24 * 60 * 60,
        _ => return None,
    };
    Some(Duration::from_secs(u64::from(count) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn a_time_to_come_back_is_read_in_the_ways_servers_say_it() {
        for (said, minutes) in [
            ("Sending limit exceeded. Try again in 2 hours.", 120),
            ("Daily quota exceeded, please retry after 3600 seconds", 60),
            ("your account is blocked for 1 hour", 60),
            ("Too many messages, wait 15 minutes", 15),
            ("please try again later, in about an hour", 60),
            ("Greylisted, come back in 5m", 5),
            ("TRY AGAIN IN 90 MIN", 90),
            ("suspended for the next 12h", 12 * 60),
        ] {
            assert_eq!(told(said), Some(minutes * MINUTE), "{said}");
        }
    }

    #[test]
    fn a_limit_is_not_a_wait() {
        for said in [
            "You may send 500 messages in 24 hours",
            "Daily user sending limit exceeded. https://support.google.com/a/answer/166852",
            "please try again later",
            "try again in a while",
            "retry after",
            "wait 4294967296 seconds",
            "",
        ] {
            assert_eq!(told(said), None, "{said}");
        }
    }

    #[test]
    fn nonsense_stays_within_a_minute_and_a_day() {
        assert_eq!(told("try again in 0 seconds"), Some(MINUTE));
        assert_eq!(told("try again in 4294967295 days"), Some(24 * 60 * MINUTE));
        assert_eq!(bounded(Duration::MAX), 24 * 60 * MINUTE);
    }
}
